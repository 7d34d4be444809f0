"""Queries made from a collection's own items, with and without an answer: what a calibration is fitted on.

Knows a store and an encoder by their protocols. A query has an answer as it stands, and none once every item that says
all its words is left out; what is left is what makes absence hard to see: the same colour, the other kind.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from retriever.calibration import KINDS, Calibration, Prior, background_of, features, fit, priors, sight_of
from retriever.everyday import THINGS
from retriever.evidence import NAMED, Evidence, likest
from retriever.words import ALL, FUNCTION_WORDS, SAID, Said, content_words, weights_of
from sightline.protocols import Encoder, Store
from sightline.types import Item, Modality, PartHit, Vectors

SAMPLE = 400  # items that concepts and backgrounds are taken from
CONCEPTS = 150
HEAD = 64  # parts of each kind that are asked for at first, to find one that is not left out
MOST_HIDDEN = 2_000  # items: a concept that more say is not made absent
FEWEST_LEFT = 10  # items that must be left to be asked without it
OWN = 400.0  # what all own queries together count at most; what is shipped counts as much
DEAF = 0.5  # share of words that nobody says, in the copies that stand for other words for the same thing
# How people put it: as it stands about as often as in a sentence.
FRAMES = (
    "{}", "{}", "{}", "{}", "a {}", "a photo of a {}", "{} please", "I am looking for a {}", "do you have a {}",
    "a nice {} for a present", "a {} to use every day", "my old {} is broken and I need another",
    "which {} would you take as a beginner", "a {} that lasts",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Case:
    """One made query as evidence, and whether an answer is there."""

    evidence: Evidence
    right: bool
    concept: str


class Corpus:
    """A collection as it is now, with what has been asked of it kept: each word and text is asked once."""

    def __init__(self, store: Store, encoder: Encoder) -> None:
        self._store, self._encoder = store, encoder
        self._saying: dict[str, Mapping[str, float]] = {}
        self._naming: dict[str, Collection[str]] = {}
        self._full: set[str] = set()
        self._vectors: dict[str, Vectors] = {}
        self._heads: dict[tuple[str, Modality], list[PartHit]] = {}
        self.kinds = tuple(kind for kind in KINDS if kind in encoder.space.modalities)

    def prepare(self, texts: Sequence[str]) -> None:
        """Embed and search many texts at once: `evidence` of each is quick then."""
        new = [text for text in dict.fromkeys(texts) if text not in self._vectors]
        for start in range(0, len(new), 256):
            some = new[start : start + 256]
            rows = self._encoder.encode_queries([(text,) for text in some])  # (256, dim)
            self._vectors.update({text: rows[at : at + 1] for at, text in enumerate(some)})
            for kind in self.kinds:
                found = self._store.search(self._encoder.space, rows, HEAD, modalities=frozenset({kind}))
                self._heads.update({(text, kind): hits for text, hits in zip(some, found, strict=True)})

    def evidence(
        self, text: str, *, hidden: frozenset[str] = frozenset(), deaf: Collection[int] = (), worded: bool = True
    ) -> Evidence:
        """What there is of a text without the items of `hidden`, as if nobody said the words at the places `deaf`."""
        self.prepare([text])
        cosines = {kind: found for kind in self.kinds if (found := self._likest(text, kind, hidden))}
        if not worded:
            return Evidence(cosines)
        words = tuple(content_words(text))
        heard = [word for at, word in enumerate(words) if at not in deaf]
        by_word = [
            {item: bm25 for item, bm25 in self.saying(word).items() if item not in hidden} if word in heard else {}
            for word in words
        ]
        said = Said(words, (), tuple(by_word), weights_of(by_word))
        named = [
            {item for item in self._named(word) if item not in hidden} if word in heard else set() for word in words
        ]
        return Evidence(cosines, said.covers(), said.covers(named), said.known)

    def saying(self, word: str) -> Mapping[str, float]:
        """item -> the best BM25 that a word has in a part of it."""
        if word not in self._saying:
            best: dict[str, float] = {}
            hits = self._store.search_text(word, ALL, modalities=SAID)
            for hit in hits:
                best[hit.item_id] = max(hit.score, best.get(hit.item_id, 0.0))
            self._saying[word] = best
            if len(hits) == ALL:
                self._full.add(word)
        return self._saying[word]

    def saying_all(self, text: str) -> frozenset[str] | None:
        """The items that say every content word of a text; None where they are too many to be told."""
        words = content_words(re.sub(r"[\W_]", " ", text))
        if not words:
            return frozenset()
        sets = [self.saying(word).keys() for word in words]
        return None if self._full & set(words) else frozenset(sets[0]).intersection(*sets[1:])

    def _named(self, word: str) -> Collection[str]:
        if word not in self._naming:
            self._naming[word] = {hit.item_id for hit in self._store.search_text(word, ALL, modalities=NAMED)}
        return self._naming[word]

    def _likest(self, text: str, kind: Modality, hidden: frozenset[str]) -> Mapping[str, float]:
        head = self._heads[text, kind]
        seen = next((hit for hit in head if hit.item_id not in hidden), None)
        if seen is not None or len(head) < HEAD:
            return {} if seen is None else {seen.item_id: seen.score}
        return likest(
            self._store, self._encoder.space, self._vectors[text], kind, where=None, hidden=hidden
        )  # fmt: skip


def calibrated(store: Store, encoder: Encoder, *, key: str, seed: int = 0) -> Calibration | None:
    """What evidence means in a collection; None where nothing in it has a vector to be like, or no text can be asked.

    Takes the time of some thousand searches. The same collection and seed give the same.
    """
    if "text" not in encoder.space.modalities:
        return None
    random = np.random.default_rng(seed)
    sample, count = sampled(store, random)
    background = backgrounds(store, encoder, sample)
    if not background:
        return None
    worded = any(part.modality in SAID for item in sample for part in item.parts)
    corpus = Corpus(store, encoder)
    cases = list(made(corpus, sample, count, random)) if worded else []
    answers, hits = priors()
    weights = {sight: tuple(prior.mean) for sight, prior in answers.items()}
    for sight in {sight_of(case.evidence) for case in cases} & answers.keys():
        own = [case for case in cases if sight_of(case.evidence) == sight]
        weights[sight] = fitted(own, background, answers[sight])
        blind = "text words" if sight == "image text words" else ""
        if blind:  # a search for texts alone judges by them alone
            weights[blind] = fitted([_without_pictures(case) for case in own], background, answers[blind])
    gaps = {sight: tuple(prior.mean) for sight, prior in hits.items()}
    absent = sum(not case.right for case in cases)
    return Calibration(
        key, background, weights, gaps, worded=worded, items=count, queries=len(cases), told={"absent": absent}
    )


def fitted(
    cases: Sequence[Case], background: Mapping[Modality, tuple[float, float]], prior: Prior
) -> tuple[float, ...]:
    """Coefficients for cases of one sight: each side counts half, all together `OWN` at most.

    One side alone would teach that everything is there, or nothing; then the prior stands.
    """
    right = [case.right for case in cases]
    fewest = min(right.count(True), right.count(False))
    if not fewest:
        return tuple(float(weight) for weight in prior.mean)
    share = min(OWN / 2, fewest)
    sides = {side: share / right.count(side) for side in (True, False)}
    rows = [features(case.evidence, background) for case in cases]
    return fit(rows, right, [sides[side] for side in right], prior)


def made(corpus: Corpus, sample: Sequence[Item], count: int, random: np.random.Generator) -> Iterator[Case]:
    """Queries made from `sample` items of a collection of `count`, each with an answer and, where possible, without."""
    chosen = concepts(sample, random)
    asked = [(concept, FRAMES[random.integers(len(FRAMES))].format(concept)) for concept in chosen]
    corpus.prepare([text for pair in asked for text in pair])
    for concept, framed in asked:
        saying = corpus.saying_all(concept)
        if not saying or len(saying) > count / 2:
            continue
        absent = len(saying) <= MOST_HIDDEN and count - len(saying) >= FEWEST_LEFT
        for text in dict.fromkeys((concept, framed)):
            words = len(content_words(text))
            for deaf in (frozenset[int](), frozenset(np.flatnonzero(random.random(words) < DEAF).tolist())):
                yield Case(corpus.evidence(text, deaf=deaf), True, concept)
                if absent:
                    yield Case(corpus.evidence(text, hidden=saying, deaf=deaf), False, concept)


def concepts(sample: Sequence[Item], random: np.random.Generator) -> list[str]:
    """Up to `CONCEPTS` short texts that items are by their own account: values of fields, one or two, and of titles."""
    found: set[str] = set()
    for item in sample:
        title = item.fields.get("title")
        words = _title_words(title) if isinstance(title, str) else []
        found.update([*words, *(f"{first} {second}" for first, second in pairwise(words))])
        if words:
            found.add(str(title))
        values = [
            value.casefold()
            for name, value in sorted(item.fields.items())
            if name != "title" and isinstance(value, str) and _is_said(value)
        ]
        found.update(values)
        if len(values) > 1:
            first, second = random.choice(len(values), 2, replace=False)
            found.add(f"{values[first]} {values[second]}")
    ordered = sorted(found)
    random.shuffle(ordered)
    return ordered[:CONCEPTS]


def _title_words(title: str) -> list[str]:
    words = re.findall(r"[^\W\d_]+", title.casefold())
    return [word for word in words if len(word) > 2 and word not in FUNCTION_WORDS]


def sampled(store: Store, random: np.random.Generator) -> tuple[list[Item], int]:
    """Up to `SAMPLE` items, each as likely as any other, and how many there are (reservoir sampling)."""
    kept: list[Item] = []
    count = 0
    with store.moment() as moment:
        for stored in moment.items(vectors=False):
            count += 1
            if len(kept) < SAMPLE:
                kept.append(stored.item)
            elif (at := int(random.integers(count))) < SAMPLE:
                kept[at] = stored.item
    return kept, count


def backgrounds(store: Store, encoder: Encoder, sample: Sequence[Item]) -> dict[Modality, tuple[float, float]]:
    """Kind of part -> mean and standard deviation of its cosines to everyday things."""
    things = everyday(encoder)  # (t, dim)
    by_kind: dict[Modality, tuple[float, float]] = {}
    for kind in KINDS:
        digests = sorted({part.digest for item in sample for part in item.parts if part.modality == kind})
        known = store.known(encoder.space, digests) if digests else {}
        told = background_of([things @ known[digest].T for digest in sorted(known)])  # (t, dim) @ (dim, m)
        if told:
            by_kind[kind] = told
    return by_kind


@lru_cache(maxsize=8)
def everyday(encoder: Encoder) -> NDArray[np.float32]:
    """(t, dim): everyday things, embedded once an encoder."""
    return encoder.encode_queries([(thing,) for thing in THINGS])


def _without_pictures(case: Case) -> Case:
    cosines: dict[Modality, Mapping[str, float]] = {
        kind: found for kind, found in case.evidence.cosines.items() if kind != "image"
    }
    return replace(case, evidence=replace(case.evidence, cosines=cosines))


def _is_said(value: str) -> bool:
    """Whether people may say a value: up to three words, no number, no code."""
    return 0 < len(value.split()) <= 3 and not re.search(r"\d", value) and not re.fullmatch(r"[A-Z]{2,3}", value)
