"""Questions to cited answers: searches, lets the chat model or the extractive answerer speak, numbers the evidence.

Knows neither the store nor the encoder: search, pictures and similarity are handed in as functions.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from generator.compose import Composer, Unit, abstention
from generator.evidence import Source, sources
from generator.extract import PARTIAL, Draft, Similarity, extract, pointed
from generator.lexicon import alike
from generator.question import Question, read
from generator.spoken import spoken
from sightline.errors import EngineError, InputError
from sightline.filters import Filter
from sightline.protocols import ChatModel
from sightline.types import Answer, Citation, Hit, Part, Pixels, Query, Results, Term

Search = Callable[[Query, int], Results]
_DEPTH = 24  # items looked at for a question about one thing
_BREADTH = 200  # items looked at for lists, counts and superlatives
_NEAREST = 3  # named in a refusal
_LIKE = 3  # items named when asked what a picture shows


@dataclass
class _Retrieval:
    """The searches of one question, and what they warned of."""

    search: Search
    image: Pixels | None
    where: Filter | None
    warnings: list[str]

    def hits(self, text: str, k: int) -> list[Hit]:
        terms = ([Term(text)] if text.strip() else []) + ([Term(self.image)] if self.image is not None else [])
        if not terms:
            return []
        results = self.search(Query(tuple(terms), where=self.where), k)
        self.warnings += [warning for warning in results.warnings if warning not in self.warnings]
        return list(results.hits)


def answer(
    question: str,
    *,
    search: Search,
    chat: ChatModel | None = None,
    picture: Callable[[Part], Pixels | None],
    similarity: Similarity | None = None,
    image: Pixels | None = None,
    where: Filter | None = None,
    k: int = 8,
    timeout_s: float = 60.0,
) -> Answer:
    """Answer a question from the collection, with citations that open, or say that it holds no answer.

    Raises InputError on an empty question; what `search` raises passes through.
    """
    pieces = stream(
        question, search=search, chat=chat, picture=picture, similarity=similarity, image=image, where=where, k=k,
        timeout_s=timeout_s,
    )  # fmt: skip
    return next(piece for piece in pieces if isinstance(piece, Answer))


def stream(
    question: str,
    *,
    search: Search,
    chat: ChatModel | None = None,
    picture: Callable[[Part], Pixels | None],
    similarity: Similarity | None = None,
    image: Pixels | None = None,
    where: Filter | None = None,
    k: int = 8,
    timeout_s: float = 60.0,
) -> Iterator[str | Citation | Answer]:
    """Each sentence once it is checked, after it the citations it is the first to use, and the whole Answer last.

    The strings joined are the answer's text.
    """
    if not question.strip() and image is None:
        raise InputError("The question is empty.")
    began = time.perf_counter()
    retrieval = _Retrieval(search, image, where, [])
    composer = Composer()
    units: Iterator[Unit]
    if chat is None:
        draft, near = _extracted(question, retrieval, similarity, k)
        units = iter(draft.units)
    else:
        hits = retrieval.hits(question, k)
        near = hits
        units = _spoken_or_extracted(
            question, hits, retrieval, chat=chat, picture=picture, similarity=similarity, k=k, timeout_s=timeout_s
        )
    for unit in units:
        yield from composer.add(unit)
    abstained = not composer.citations
    if abstained:
        composer.text = abstention(_close(question, near))
        yield composer.text
    took_ms = (time.perf_counter() - began) * 1000
    yield Answer(composer.text, tuple(composer.citations), abstained, tuple(retrieval.warnings), took_ms)


def _spoken_or_extracted(
    question: str,
    hits: Sequence[Hit],
    retrieval: _Retrieval,
    *,
    chat: ChatModel,
    picture: Callable[[Part], Pixels | None],
    similarity: Similarity | None,
    k: int,
    timeout_s: float,
) -> Iterator[Unit]:
    """What the chat model says and the evidence bears out; if it fails before its first sentence, extracts instead."""
    if not hits:
        return
    said = False
    try:
        for unit in spoken(
            question, hits, chat, picture, image=retrieval.image, warnings=retrieval.warnings, timeout_s=timeout_s
        ):
            said = True
            yield unit
    except EngineError as error:
        if said:
            retrieval.warnings.append(f"The chat model broke off: {error}")
            return
        retrieval.warnings.append(f"The chat model failed ({error}); the answer is quoted from the collection instead.")
        draft, _ = _extracted(question, retrieval, similarity, k)
        yield from draft.units


def _extracted(question: str, retrieval: _Retrieval, similarity: Similarity | None, k: int) -> tuple[Draft, list[Hit]]:
    """The extractive answer, and the hits to name if there is none."""
    whole = Draft()
    near: list[Hit] = []
    clauses = read(question)
    if retrieval.image is not None and all(c.pointing or not c.words for c in clauses):
        return _of_picture(clauses, retrieval, k)
    for clause in clauses:
        draft, hits = _clause(clause, question, retrieval, similarity, k)
        near = near or hits
        whole.units += draft.units
        whole.complete &= draft.complete and bool(draft)
        retrieval.warnings += [warning for warning in draft.warnings if warning not in retrieval.warnings]
    if whole and not whole.complete:
        whole.units.append(Unit(PARTIAL))
    return whole, near


def _clause(
    clause: Question, question: str, retrieval: _Retrieval, similarity: Similarity | None, k: int
) -> tuple[Draft, list[Hit]]:
    """Searched by the clause's own words; without an answer, by the question as put, then by what is asked alone."""
    broad = clause.form in ("list", "count", "extreme")
    pool = max(k, _BREADTH if broad else _DEPTH)
    asked = sorted({word for ask in clause.asks for word in ask.words} - {word.stem for word in clause.words})
    text = " ".join([*(word.raw for word in clause.words), *asked]) or question
    hits: list[Hit] = []
    draft = Draft()
    for wording in dict.fromkeys((text, question, " ".join(asked))):
        seen = {hit.id for hit in hits}
        more = [hit for hit in retrieval.hits(wording, pool) if hit.id not in seen] if wording else []
        hits += more
        if more:
            draft = extract(clause, sources(hits), similarity=similarity, full=_is_full(hits, pool))
        if draft:
            break
    return draft, hits


def _is_full(hits: Sequence[Hit], pool: int) -> bool:
    """Whether the search ran out of items, or at least of items that have the words, before the pool was full."""
    worded = sum("words" in hit.via for hit in hits)
    return len(hits) < pool or 0 < worded < pool // 4


def _of_picture(clauses: Sequence[Question], retrieval: _Retrieval, k: int) -> tuple[Draft, list[Hit]]:
    """What the picture given is most like, and what is asked of that item."""
    hits = retrieval.hits("", k)
    draft = Draft()
    if not hits:
        return draft, []
    first = sources(hits[:1])[0]
    asked = [pointed(clause, first) for clause in clauses]
    plain = not any(ask.concepts or ask.words for clause in clauses for ask in clause.asks) and not any(
        c.words for c in clauses
    )
    if not plain and not any(asked):
        return draft, hits
    for hit in hits[: _LIKE if plain else 1]:
        lead = "The picture is most like" if hit.rank == 1 else "Also similar"
        draft.units.append(Unit(f"{lead}: {_called(sources([hit])[0])}", ((_shown_by(hit), None),), "."))
    draft.units += [unit for one in asked for unit in one.units]
    if any(not one.complete for one in asked):
        draft.units.append(Unit(PARTIAL))
    return draft, hits


def _shown_by(hit: Hit) -> Part:
    """The part by which the picture found the item: its best picture, else its best part."""
    parts = [*hit.parts, *hit.item.parts]
    return next((part for part in parts if part.modality == "image"), parts[0])


def _called(source: Source) -> str:
    return source.called or source.item.id


def _close(question: str, hits: Sequence[Hit]) -> list[str]:
    """Titles of the hits that at least share a word with the question."""
    wanted = {word.stem for clause in read(question) for word in clause.words}
    near = []
    for source in sources(hits):
        shared = sum(bool(alike(word) & source.identity) for word in wanted)
        if shared:
            near.append((-shared, source.rank, _called(source)))
    return list(dict.fromkeys(label for _, _, label in sorted(near)))[:_NEAREST]
