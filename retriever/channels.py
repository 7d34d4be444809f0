"""The vector channels: each ranks the parts of one modality by their likeness to what is wanted and unwanted.

Knows stores by their protocol; knows nothing of words or fusion, and no channel knows another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from retriever.fusion import Vote
from retriever.terms import Aim, Refusal
from sightline.filters import And, Filter, HasId
from sightline.protocols import Store
from sightline.types import Modality, PartHit, Space

SEES: dict[str, Modality] = {"clip": "image", "dense": "text"}  # the kind of part each vector channel looks at
# What keeps the unwanted away was chosen on the sample catalog, clothing and 2,500 fashion pictures with the starter;
# `benchmarks/negatives.py` measures it. A higher cost or a lower bound takes away more of it, and more of all else.
SIGMA = 4.0  # standard deviations of wanted likeness that one of unwanted likeness costs, at weight -1
SUSPECT = -0.4  # standard deviations above the pool's mean from which on unwanted likeness costs anything
SUSPECT_SAID = 0.3  # the same where items say what is unwanted: most are refused by their words, which are surer
# The same rises to SUSPECT_ABSENT where what is most like the unwanted text is much less so than what is most like the
# wanted one, by this ratio: "a mug, no aeroplanes" must not shuffle mugs by how little they look like aeroplanes.
ABSENT, SUSPECT_ABSENT = (0.35, 0.6), 1.0
TOP = 5  # parts that are most like a text
# Of what wanted likeness explains of unwanted, how much is forgiven an unwanted word, by their correlation in the pool.
# Where they nearly coincide, the word is another one for what is wanted or names a kind of it, and the rest is noise.
CORRELATION, FORGIVEN = (0.5, 0.8), (1.0, 0.5)
WIDER = 2  # times the pool: where many go back, others must be there to come forward
FLAT = 1e-6  # a spread of similarities below this is rounding


def nearest(
    store: Store,
    aim: Aim,
    *,
    modality: Modality,
    pool: int,
    where: Filter | None,
    hidden: frozenset[str] = frozenset(),
) -> list[Vote]:
    """The parts of one modality nearest to the aim, best first: those of the first `pool` items, or all there are.

    The items of `hidden` are left out, by asking for more: a filter on a new set of ids would cost a store a look at
    every item it has.
    """
    wide = WIDER * pool if len(aim.unwanted) else pool
    hits = _enough(store, aim.space, aim.wanted, modality=modality, pool=wide + len(hidden), where=where)
    votes = [Vote(hit.part_id, hit.item_id, hit.score) for hit in hits if hit.item_id not in hidden]
    if len(aim.unwanted) and votes:
        votes = _pushed_away(store, aim, votes, modality=modality, where=where)
    kept = frozenset(islice(dict.fromkeys(vote.item_id for vote in votes), pool))
    return [vote for vote in votes if vote.item_id in kept]


def _enough(
    store: Store, space: Space, vector: NDArray[np.float32], *, modality: Modality, pool: int, where: Filter | None
) -> list[PartHit]:
    """Over-fetch until `pool` distinct items are among the parts, or the store has no more."""
    asked = 2 * pool
    while True:
        (hits,) = store.search(space, vector, asked, where=where, modalities=frozenset({modality}))
        if len(hits) < asked or len({hit.item_id for hit in hits}) >= pool:
            return hits
        asked *= 4


def _pushed_away(
    store: Store, aim: Aim, votes: Sequence[Vote], *, modality: Modality, where: Filter | None
) -> list[Vote]:
    """Re-order a pool so that parts showing what is unwanted go back.

    score = z(wanted) - sum over unwanted of weight * SIGMA * max(0, z(contrast) - bound), where z counts standard
    deviations from the pool's mean, and the contrast is the unwanted likeness less what the wanted likeness explains of
    it (by regression over the pool): "dark red coat" as against "jacket" is then about red, not about jackets. Relative
    to the pool, because a cosine means nothing absolutely: every picture lies at much the same small angle to every
    text. Only what is suspect is punished: being unlike red is no merit in itself.
    """
    chosen = HasId(tuple(sorted({vote.item_id for vote in votes})))
    narrowed = chosen if where is None else And((where, chosen))
    likeness = store.search(aim.space, aim.unwanted, len(votes) + 1, where=narrowed, modalities=frozenset({modality}))
    plain = np.asarray([vote.score for vote in votes])
    wanted = _standard(plain)
    costs = np.zeros((len(votes), len(aim.refusals)))
    for at, (found, refusal) in enumerate(zip(likeness, aim.refusals, strict=True)):
        known = {hit.part_id: hit.score for hit in found}
        least = min(known.values(), default=0.0)
        alike = np.asarray([known.get(vote.part_id, least) for vote in votes])
        unwanted = _standard(alike)
        explains = max(0.0, float(np.mean(unwanted * wanted)))  # least squares: both have mean 0, variance 1
        forgiven = float(np.interp(explains, CORRELATION, FORGIVEN)) if refusal.one_word else 1.0
        contrast = _standard(unwanted - forgiven * explains * wanted)
        costs[:, at] = refusal.weight * SIGMA * (contrast - _bound(refusal, alike, plain)).clip(min=0)
    pushed = [
        replace(vote, score=float(score), costs=tuple(map(float, row)))
        for vote, score, row in zip(votes, wanted - costs.sum(axis=1), costs, strict=True)
    ]
    return sorted(pushed, key=lambda vote: (-vote.score, vote.part_id))


def _bound(refusal: Refusal, unwanted: NDArray[np.float64], wanted: NDArray[np.float64]) -> float:
    """Standard deviations of contrast from which on it costs something, by the pool's likenesses to both."""
    bound = SUSPECT_SAID if refusal.said else SUSPECT
    most, reference = float(np.sort(unwanted)[-TOP:].mean()), float(np.sort(wanted)[-TOP:].mean())
    if not refusal.comparable or reference <= 0:
        return bound
    return float(np.interp(most / reference, ABSENT, (max(bound, SUSPECT_ABSENT), bound)))


def _standard(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Standard deviations from the mean; all 0 where nothing varies."""
    spread = float(values.std())
    return (values - values.mean()) / spread if spread > FLAT else np.zeros_like(values)
