"""Why an item is where it is among the hits of a search: channels, words, terms, probabilities, unwanted terms.

Reads the account that the search left and asks the store for what that does not hold; searches nothing itself.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from retriever.accounts import Account, Asked, Pool
from retriever.calibration import Calibration, Reason
from retriever.channels import SEES
from retriever.evidence import otherwise
from retriever.fusion import FIRST, LAST, RRF_K, Fused, Vote
from retriever.mentions import mentions
from retriever.patches import PatchMap
from retriever.reasons import ChannelReason, Explanation, Judgement, Push, TermMap, TermReason, WordReason
from retriever.regions import best_boxes
from retriever.reranking import priors
from retriever.synonyms import others
from retriever.terms import Aim
from retriever.words import content_words
from sightline.filters import matches, to_expression
from sightline.protocols import Store
from sightline.types import Box, Item, Like, Modality, Part, Results, Term

DEEPER = "deeper"  # in what a score is made of: a hit of a larger pool stands behind those of smaller ones
ENOUGH = 1e-9  # of a score: less is rounding


def explain(
    account: Account, results: Results, item: Item, *, store: Store, calibration: Calibration | None
) -> Explanation:
    """The explanation of an item, shown or not, from the account of a search that has run."""
    asked = account.asked
    assert asked is not None
    shown = next((hit for hit in results if hit.id == item.id), None)
    pool, fused = _fused(account, item.id)
    placed = {
        "fusion": _place(account, pool, fused),
        "reranker": next((hit.rank for hit in account.ranking if hit.id == item.id and "rerank" in hit.via), None),
        "shown": shown.rank if shown else None,
    }
    score = next((hit.score for hit in account.fusion if hit.id == item.id), fused.score if fused else None)
    adjustments = {name: fused.shares[name] for name in (FIRST, LAST) if name in fused.shares} if fused else {}
    if fused and score is not None and abs(score - fused.score) > ENOUGH:
        adjustments[DEEPER] = score - fused.score
    ranked = next((hit for hit in (shown, *account.ranking) if hit and hit.id == item.id), None)
    seen = _Seen(item, asked, store, pool)
    return Explanation(
        item=item.id,
        title=item.title,
        rank=shown.rank if shown else None,
        absent="" if shown else _absent(account, asked, results, item, _place(account, pool, fused)),
        score=score,
        places={name: place for name, place in placed.items() if place is not None},
        channels=tuple(_channel(name, asked, seen, pool, fused) for name in _channels(asked, pool)),
        adjustments=adjustments,
        words=_words(account, item, store),
        terms=tuple(seen.terms()),
        pushed=tuple(_pushed(asked, seen, pool, fused)),
        folded=shown.folded if shown else (),
        relevance=ranked.relevance if ranked else None,
        relevance_of=_relevance_of(account, calibration, item.id),
        answered=account.answered,
        answered_of=_answered_of(account, calibration),
        bar=account.bar,
        reranked=_judgement(account, item.id),
        warnings=results.warnings,
    )


def _judgement(account: Account, item_id: str) -> Judgement | None:
    told = account.reranked
    if told is None:
        return None
    at = next((n for n, hit in enumerate(account.fusion) if hit.id == item_id), None)
    if item_id not in account.judged or at is None:
        return Judgement(told.by, told.why)
    return Judgement(
        told.by, told.why, priors([hit.relevance for hit in account.fusion])[at], account.judged[item_id], told.weight
    )


def _answered_of(account: Account, calibration: Calibration | None) -> tuple[Reason, ...]:
    """What adds up to the log-odds of an answer; nothing where a name made it certain."""
    evidence = account.evidence
    if calibration is None or evidence is None or account.answered is None:
        return ()
    return tuple(calibration.reasons(evidence)) if calibration.answered(evidence) == account.answered else ()


def _relevance_of(account: Account, calibration: Calibration | None, item_id: str) -> tuple[Reason, ...]:
    """What adds up to the log-odds of the item's relevance; nothing where its name made it certain."""
    at, hit = next(((n, hit) for n, hit in enumerate(account.fusion, start=1) if hit.id == item_id), (0, None))
    if calibration is None or account.evidence is None or hit is None or hit.relevance is None or "id" in hit.via:
        return ()
    return tuple(calibration.reasons_of(account.evidence, item_id, at))


class _Seen:
    """The stored vectors of an item, beside the terms of a query."""

    def __init__(self, item: Item, asked: Asked, store: Store, pool: Pool | None) -> None:
        self.item, self.asked, self.store = item, asked, store
        votes = {kind: _vote(pool, name, item.id) for name, kind in SEES.items()}
        self.voted = {kind: vote.part_id for kind, vote in votes.items() if vote}  # kind -> the part that was found
        digests = sorted({part.digest for part in item.parts})
        self.parts: dict[Modality, list[tuple[Part, NDArray[np.float32]]]] = {}  # kind -> parts, (m, dim) of each
        self.boxed: set[str] = set()
        for kind, aim in asked.aims.items():
            known = store.known(aim.space, digests)
            self.boxed |= set(store.boxes(aim.space, digests))
            mine = [part for part in item.parts if part.modality == kind and part.digest in known]
            if mine:
                self.parts[kind] = [(part, known[part.digest]) for part in mine]

    def best(self, kind: Modality) -> tuple[str, float, NDArray[np.float32]] | None:
        """The part of a kind that answers all that is wanted, the cosine and the vector (dim,) that count.

        The part that the search went by, or where it found none the nearest by what counts of each.
        """
        if kind not in self.parts:
            return None
        found = self._nearest(kind, self.asked.aims[kind].wanted)
        return next((one for one in found if one[0] == self.voted.get(kind)), max(found, key=lambda one: one[1]))

    def _nearest(
        self, kind: Modality, query: NDArray[np.float32], *, anywhere: bool = False
    ) -> list[tuple[str, float, NDArray[np.float32]]]:
        """Each part of a kind, the cosine of (1, dim) to what counts of it, and that vector (dim,).

        A picture with regions counts as a whole unless one is nearer by more than chance; `anywhere`: what is nearest.
        """
        digests = sorted(self.boxed & {part.digest for part, _ in self.parts[kind]})
        places = self.store.places(self.asked.aims[kind].space, query, digests) if digests and not anywhere else {}
        found = []
        for part, rows in self.parts[kind]:
            whole = not anywhere and part.digest in self.boxed and part.digest not in places
            cosines = rows @ query[0]  # (m, dim) @ (dim,) -> (m,)
            at = 0 if whole else int(cosines.argmax())
            found.append((part.id, float(cosines[at]), rows[at]))
        return found

    def box(self, kind: Modality, part_id: str) -> Box | None:
        """The region of a part that is nearest to all that is wanted; None where that is the whole of it."""
        parts = [part for part in self.item.parts if part.id == part_id]
        return best_boxes(parts, self.asked.aims[kind], self.store).get(part_id)

    def terms(self) -> list[TermReason]:
        asked = [self._term(term, described(term)) for term in (*self.asked.terms.wanted, *self.asked.terms.unwanted)]
        return asked + [self._term(term, {**described(term), "type": "rewrite"}) for term in self.asked.also]

    def _term(self, term: Term, told: dict[str, Any]) -> TermReason:
        cosines: dict[Modality, float] = {}
        parts: dict[Modality, str] = {}
        added: dict[Modality, float] = {}
        for kind in self.parts:
            aim = self.asked.aims[kind]
            row = next((row for one, row in zip(aim.terms, aim.rows, strict=True) if one is term), None)
            if row is None:
                continue
            found = self._nearest(kind, row[None], anywhere=term.weight < 0)
            parts[kind], cosines[kind], _ = max(found, key=lambda one: one[1])
            best = self.best(kind)
            if term.weight > 0 and best:
                added[kind] = term.weight * float(row @ best[2]) / _length(aim)
        return TermReason(told, term.weight, cosines, parts, added)


def described(term: Term) -> dict[str, Any]:
    """A term as JSON, a picture by its size."""
    if isinstance(term.content, str):
        return {"type": "text", "text": term.content}
    if isinstance(term.content, Like):
        return {"type": "item", "id": term.content.item_id}
    height, width = term.content.shape[:2]
    return {"type": "image", "width": width, "height": height}


def named(term: Term) -> str:
    """A term in a word or two."""
    said = described(term)
    return str(said.get("text") or said.get("id") or f"picture of {said['width']} x {said['height']}")


def _length(aim: Aim) -> float:
    """Of the weighted sum of the wanted rows, before it was made a unit vector."""
    weights = np.asarray([max(term.weight, 0.0) for term in aim.terms], np.float32)
    return float(np.linalg.norm(weights @ aim.rows))  # (t,) @ (t, dim) -> (dim,)


def _fused(account: Account, item_id: str) -> tuple[Pool | None, Fused | None]:
    """Where fusion placed the item: in the pool that the hit came from, else in the first that has it."""
    for pool in sorted(account.pools, key=lambda pool: item_id not in pool.hits):
        fused = next((one for one in pool.fused if one.item_id == item_id), None)
        if fused:
            return pool, fused
    return (account.pools[0] if account.pools else None), None


def _channels(asked: Asked, pool: Pool | None) -> list[str]:
    """Those that were asked or put something forward, the weightiest first."""
    names = {*(name for name, weight in asked.weights.items() if weight), *(pool.rankings if pool else ())}
    return sorted(names, key=lambda name: (-asked.weights.get(name, 0.0), name))


def _channel(name: str, asked: Asked, seen: _Seen, pool: Pool | None, fused: Fused | None) -> ChannelReason:
    weight, vote = asked.weights.get(name, 0.0), _vote(pool, name, seen.item.id)
    kind = SEES.get(name)
    best = seen.best(kind) if kind else None
    part, cosine = (best[0], best[1]) if best else (vote.part_id if vote else None, None)
    box = seen.box(kind, part) if kind and part else None
    by = asked.aims[kind].space.name if kind and cosine is not None else None
    if vote is None or fused is None or name not in fused.places:
        return ChannelReason(name, weight, cosine=cosine, part=part, box=box, encoder=by)
    added, place = fused.shares[name], fused.places[name]
    lent = added * (RRF_K + place) / vote.strength - weight if vote.strength else 0.0
    return ChannelReason(
        name, weight, place, vote.score, cosine, part, vote.strength, lent if lent > ENOUGH else 0.0, added, box,
        by,
    )  # fmt: skip


def _vote(pool: Pool | None, channel: str, item_id: str) -> Vote | None:
    """The item's best vote in a channel."""
    return next((vote for vote in (pool.rankings.get(channel, ()) if pool else ()) if vote.item_id == item_id), None)


def _words(account: Account, item: Item, store: Store) -> tuple[WordReason, ...]:
    said = account.said
    if said is None or not said.words:
        return ()
    values = account.evidence.values if account.evidence else ()
    total = sum(said.weights)
    found = []
    for word, weight, alike in zip(said.words, said.weights, others(said.words), strict=True):
        where = mentions(store, item, word, alike)
        found.append(WordReason(word, weight / total, where, {} if where else otherwise(item.fields, values, word)))
    return tuple(found)


def _pushed(asked: Asked, seen: _Seen, pool: Pool | None, fused: Fused | None) -> list[Push]:
    """What each unwanted term did: in words, and channel by channel."""
    found: list[Push] = []
    if fused and LAST in fused.shares:
        for text in asked.terms.unwanted_texts:
            by_word = [mentions(seen.store, seen.item, word) for word in content_words(text)]
            if by_word and all(by_word):
                found.append(Push(text, said=tuple(one for some in by_word for one in some)))
    for channel, kind in SEES.items():
        vote = _vote(pool, channel, seen.item.id)
        if vote is None or not vote.costs:
            continue
        terms = [term for term in asked.aims[kind].terms if term.weight < 0]
        found += [Push(named(term), channel, cost) for term, cost in zip(terms, vote.costs, strict=True) if cost > 0]
    return found


def _absent(  # noqa: PLR0911 - one return a reason
    account: Account, asked: Asked, results: Results, item: Item, at: int | None
) -> str:
    """Why an item is not among the hits, in one sentence; `at` is its place by fusion."""
    query = asked.query
    if item.id in asked.terms.items:
        return "the query names it, and what hits are to be like is no hit itself"
    if item.id in query.exclude:
        return "the query excludes it"
    if query.where is not None and not matches(query.where, item.id, item.fields):
        return f"it does not pass the filter {to_expression(query.where)}"
    if account.answered is not None and account.bar is not None and account.answered < account.bar:
        return f"nothing here answers: {account.answered:.0%} likely, and {account.bar:.0%} are needed"
    under = next((hit.id for hit in results if item.id in hit.folded), None)
    if under is not None:
        return f"it is a near-duplicate of {under!r} and folded under it"
    if at is None:
        return "no channel put it forward"
    if item.id not in {hit.id for hit in account.ranking} and item.id in {hit.id for hit in account.fusion}:
        return "its relevance is below what was asked for"
    read = next((hit.rank for hit in account.ranking if hit.id == item.id and "rerank" in hit.via), at)
    moved = f", {read:,} after it was read again" if read != at else ""
    return f"it is number {at:,} by fusion{moved}, and {len(results):,} are shown on this page"


def _place(account: Account, pool: Pool | None, fused: Fused | None) -> int | None:
    """Among the hits of fusion, or behind them as the pool has it."""
    if pool is None or fused is None:
        return None
    hits = [hit.id for hit in account.fusion]
    return 1 + (hits.index(fused.item_id) if fused.item_id in hits else list(pool.fused).index(fused))


def term_map(term: str, part: str, found: PatchMap, at: int) -> TermMap:
    """One of the maps of a picture."""
    values = tuple(tuple(round(float(value), 4) for value in row) for row in found.values[at])
    cosine, gain, fall = (float(one[at]) for one in (found.cosines, found.gains, found.falls))
    return TermMap(term, part, cosine, gain, fall, values)
