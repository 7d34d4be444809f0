"""Feedback: the items a caller liked and disliked turn what one search looks for, and what fields they share counts.

Knows stored vectors and fields by a store's protocol; knows nothing of words, fusion or how the query came about.

In each vector channel the query is a direction. Rocchio's rule moves it towards the mean of the liked and away from
that of the disliked. A probe then starts there: logistic regression on the judged items, and on what is near the query
as a background that is hardly liked, with the query as its prior, so that few judgements move it little and many much.
Its weights are a direction again: the whole collection is searched by it, and nothing is indexed anew.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from retriever.fusion import Vote
from retriever.likeness import vectors_of
from retriever.terms import Aim, unit
from sightline.filters import values_of
from sightline.protocols import Store
from sightline.types import Item, Modality, Query

Rows = NDArray[np.float64]
Mark: TypeAlias = tuple[str, str | bool]  # a field and a value of it, without regard to case

FIELDS = "fields"  # the channel of what judged items say in their fields
LATEST = 100  # of each kind of judgement that are learned from: a probe of thousands would take seconds
BACKGROUND = 100  # parts nearest to the query that tell how likenesses spread, and what nobody has liked yet
LEAST = 3  # parts below which there is no spread, and no order to learn
AWAY = 0.5  # what the disliked count in Rocchio's rule, the liked counting 1
HALF = 2  # judgements that move the query half as far as many do
OFFSET_PRIOR = 0.01  # of the probe's offset: nearly free
FLAT = 1e-9
STEPS, ENOUGH = 25, 1e-7  # of Newton's method: it converges in about six


@dataclass(frozen=True, slots=True)
class Learning:
    """How much is learned of judgements. Chosen on one half of what `benchmarks/feedback.py` measures on the other."""

    rocchio: float = 0.15  # standard deviations of likeness to the judged that count as one to the query; 0: no move
    probe: bool = True
    prior: float = 0.5  # log-odds of being liked for a standard deviation of likeness to the query
    reluctance: float = 1.0  # how hard the probe is to move from the query
    fields: float = 1.0  # weight of the channel of fields beside others; 0: not asked


@dataclass(frozen=True, slots=True)
class Learned:
    """The turned aims, and what could not be learned from."""

    aims: Mapping[Modality, Aim]
    warnings: tuple[str, ...] = ()


LEARNING = Learning()


def learned(aims: Mapping[Modality, Aim], query: Query, *, store: Store, learning: Learning = LEARNING) -> Learned:
    """The aims of a query turned by its liked and disliked items; as they were where neither has vectors of a kind.

    Items that are not in the collection (any more) are named in a warning. Of very many the latest are learned from.
    """
    items = {item.id: item for item in store.get(_latest(query))}
    gone = [item_id for item_id in _latest(query) if item_id not in items]
    told = (f"nothing is learned from {', '.join(gone)}: not in this collection",) if gone else ()
    turned = dict(aims)
    spaces = {aim.space for aim in aims.values()}
    vectors = {space: {one: vectors_of(item, store, space) for one, item in items.items()} for space in spaces}
    for kind, aim in aims.items():
        known = vectors[aim.space]
        liked, disliked = (
            [known[one][kind] for one in ids if one in known and kind in known[one]]
            for ids in (query.liked, query.disliked)
        )
        background = _background(aim, kind, query, store) if liked or disliked else []
        if len(background) >= LEAST:
            direction = turn(aim.wanted[0], _rows(liked), _rows(disliked), _rows(background), learning)
            if direction.any():  # else everything there is looks the same
                turned[kind] = replace(aim, wanted=unit(direction[None].astype(np.float32)))
    return Learned(turned, told)


def by_fields(ids: Collection[str], query: Query, store: Store) -> list[Vote]:
    """Those of the items that share more values of fields with the liked than with the disliked, best first.

    Naive Bayes: an item scores the sum over its values of log P(value | liked) - log P(value | disliked), where either
    side is one judgement the richer that has every value as often as these items have it. Numbers are no values: two
    prices are seldom the same, and alike for no reason.
    """
    items = {item.id: item for item in store.get(sorted({*ids, *_latest(query)}))}
    marks = {item_id: _marks(item) for item_id, item in items.items()}
    put_forward = [item_id for item_id in sorted(ids) if item_id in items]
    usual = Counter(mark for item_id in put_forward for mark in marks[item_id])
    liked, disliked = ([marks[one] for one in side if one in marks] for side in (query.liked, query.disliked))
    weights: dict[Mark, float] = {}
    for mark in frozenset[Mark]().union(*liked, *disliked):
        share = max(usual[mark], 1) / max(len(put_forward), 1)
        weights[mark] = _log_share(mark, liked, share) - _log_share(mark, disliked, share)
    scores = {
        item_id: sum(weights.get(mark, 0.0) for mark in sorted(marks[item_id], key=repr)) for item_id in put_forward
    }
    order = sorted((item_id for item_id in put_forward if scores[item_id] > 0), key=lambda one: (-scores[one], one))
    return [Vote(_saying(items[item_id]), item_id, scores[item_id]) for item_id in order]


def _log_share(mark: Mark, judged: Sequence[frozenset[Mark]], share: float) -> float:
    return math.log((sum(mark in marks for marks in judged) + share) / (len(judged) + 1))


def _marks(item: Item) -> frozenset[Mark]:
    """What an item says in its fields."""
    return frozenset(
        (name, value.casefold() if isinstance(value, str) else value)
        for name in item.fields
        for value in values_of(item.fields, name)
        if isinstance(value, str | bool)
    )


def _saying(item: Item) -> str:
    """Id of the part that holds an item's fields, or of its first."""
    return next((part.id for part in item.parts if part.modality == "fields"), item.parts[0].id)


def _latest(query: Query) -> tuple[str, ...]:
    return (*query.liked[-LATEST:], *query.disliked[-LATEST:])


def turn(query: NDArray[np.float32], liked: Rows, disliked: Rows, background: Rows, learning: Learning) -> Rows:
    """(dim,): the direction of a query (dim,) after judgements: rows (n, dim) liked, disliked, and near to the query.

    Likenesses are counted in standard deviations over the background, so that a text's narrow spread of cosines weighs
    as much as a picture's wide one, and everything is seen from the background's mean.
    """
    centre = background.mean(axis=0)
    near = background - centre
    direction = _standard(query.astype(np.float64), near)
    judged = len(liked) + len(disliked)
    if learning.rocchio and judged:
        move = _mean(liked - centre) - AWAY * _mean(disliked - centre)
        direction = direction + learning.rocchio * judged / (judged + HALF) * _standard(move, near)
    if not learning.probe:
        return direction
    scale = float(np.sqrt((near**2).sum(axis=1).mean())) or 1.0  # so that reluctance means the same in every space
    seen = np.concatenate([liked - centre, disliked - centre, near]) / scale
    labels = np.concatenate([np.ones(len(liked)), -np.ones(len(disliked) + len(near))])
    counts = np.concatenate([np.ones(judged), np.full(len(near), 1 / len(near))])  # all of the background as one
    return probe(seen, labels, counts, prior=learning.prior * scale * direction, reluctance=learning.reluctance)


def probe(seen: Rows, labels: Rows, counts: Rows, *, prior: Rows, reluctance: float) -> Rows:
    """(dim,): the weights w of a logistic regression on rows (n, dim), labels of 1 and -1, each row counted so often.

    Minimizes sum of counts * log(1 + exp(-label * (row @ w + offset))) + reluctance / 2 * |w - prior|^2. The best w is
    the prior plus a sum of rows, so Newton's method solves for n numbers and the offset, however wide the space is.
    """
    n = len(seen)
    gram = seen @ seen.T  # (n, dim) @ (dim, n) -> (n, n)
    basis = np.hstack([gram, np.ones((n, 1))])  # (n, n + 1)
    penalty = np.zeros((n + 1, n + 1))
    penalty[:n, :n] = reluctance * gram
    penalty[n, n] = OFFSET_PRIOR
    start = seen @ prior

    def loss(at: Rows) -> float:
        return float(counts @ np.logaddexp(0, -labels * (start + basis @ at)) + at @ penalty @ at / 2)

    at = np.zeros(n + 1)
    now = loss(at)
    for _ in range(STEPS):
        chance = 1 / (1 + np.exp(-np.clip(start + basis @ at, -50, 50)))
        slope = basis.T @ (counts * (chance - (labels > 0))) + penalty @ at
        bend = (basis.T * (counts * chance * (1 - chance))) @ basis + penalty + FLAT * np.eye(n + 1)
        step = -np.linalg.solve(bend, slope)
        size = 1.0
        while (then := loss(at + size * step)) > now and size > FLAT:
            size /= 2
        if now - then < ENOUGH:
            break
        at, now = at + size * step, then
    moved: Rows = prior + at[:n] @ seen  # (n,) @ (n, dim) -> (dim,)
    return moved


def _background(aim: Aim, kind: Modality, query: Query, store: Store) -> list[NDArray[np.float32]]:
    """The vectors of the parts nearest to the query as it was asked, without those that were judged."""
    wanted, judged = BACKGROUND + len(query.judged), frozenset(query.judged)
    (hits,) = store.search(aim.space, aim.wanted, wanted, where=query.where, modalities=frozenset({kind}))
    near = [hit for hit in hits if hit.item_id not in judged][:BACKGROUND]
    digests = _digests(store, {hit.item_id for hit in near})
    found = [digests[hit.part_id] for hit in near if hit.part_id in digests]
    known = store.known(aim.space, found)
    return [known[digest][0] for digest in found if digest in known]


def _digests(store: Store, ids: Collection[str]) -> dict[str, str]:
    return {part.id: part.digest for item in store.get(sorted(ids)) for part in item.parts}


def _rows(vectors: list[NDArray[np.float32]]) -> Rows:
    """(n, dim), or (0, 1) for none, which adds up with rows of any width."""
    return np.stack(vectors).astype(np.float64) if vectors else np.zeros((0, 1))


def _mean(rows: Rows) -> Rows:
    return rows.mean(axis=0) if len(rows) else np.zeros(1)


def _standard(direction: Rows, rows: Rows) -> Rows:
    """The direction, so long that likenesses of `rows` to it have a standard deviation of 1; zero where all are one."""
    spread = float((rows @ direction).std())
    return direction / spread if spread > FLAT else np.zeros_like(direction)
