"""The vector channels: each ranks the parts of one modality by their likeness to what is wanted and unwanted.

Knows stores by their protocol; knows nothing of words or fusion, and no channel knows another.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from retriever.fusion import Vote
from retriever.terms import Aim
from sightline.filters import And, Filter, HasId
from sightline.protocols import Store
from sightline.types import Modality, PartHit, Space

SEES: dict[str, Modality] = {"clip": "image", "dense": "text"}  # the kind of part each vector channel looks at
SIGMA = 2.0  # standard deviations of wanted likeness that one of unwanted likeness costs, at weight -1
FLAT = 1e-6  # a spread of similarities below this is rounding


def nearest(store: Store, space: Space, aim: Aim, *, modality: Modality, pool: int, where: Filter | None) -> list[Vote]:
    """The parts of one modality nearest to the aim, best first: those of the first `pool` items, or all there are."""
    hits = _enough(store, space, aim.wanted, modality=modality, pool=pool, where=where)
    if len(aim.unwanted) and hits:
        hits = _pushed_away(store, space, aim, hits, modality=modality, where=where)
    kept = frozenset(islice(dict.fromkeys(hit.item_id for hit in hits), pool))
    return [Vote(hit.part_id, hit.item_id, hit.score) for hit in hits if hit.item_id in kept]


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
    store: Store, space: Space, aim: Aim, hits: Sequence[PartHit], *, modality: Modality, where: Filter | None
) -> list[PartHit]:
    """Re-order a pool so that parts showing what is unwanted go back.

    score = z(wanted) - sum over unwanted of weight * SIGMA * max(0, z(contrast)), where z counts standard deviations
    from the pool's mean, and the contrast is the unwanted likeness that the wanted likeness does not explain (the
    residual of a regression over the pool): "red jacket" as against "jacket" is then about red, not about jackets.
    Relative to the pool, because a cosine means nothing absolutely: every picture lies at much the same small angle to
    every text. Only what is above the mean is punished: being unlike red is no merit in itself.
    """
    chosen = HasId(tuple(sorted({hit.item_id for hit in hits})))
    narrowed = chosen if where is None else And((where, chosen))
    likeness = store.search(space, aim.unwanted, len(hits) + 1, where=narrowed, modalities=frozenset({modality}))
    wanted = _standard(np.asarray([hit.score for hit in hits]))
    score = wanted.copy()
    for found, weight in zip(likeness, aim.penalties, strict=True):
        known = {hit.part_id: hit.score for hit in found}
        least = min(known.values(), default=0.0)
        unwanted = _standard(np.asarray([known.get(hit.part_id, least) for hit in hits]))
        explained = max(0.0, float(np.mean(unwanted * wanted))) * wanted  # least squares: both have mean 0, variance 1
        score -= weight * SIGMA * _standard(unwanted - explained).clip(min=0)
    order = sorted(range(len(hits)), key=lambda at: (-score[at], hits[at].part_id))
    return [PartHit(hits[at].part_id, hits[at].item_id, float(score[at])) for at in order]


def _standard(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Standard deviations from the mean; all 0 where nothing varies."""
    spread = float(values.std())
    return (values - values.mean()) / spread if spread > FLAT else np.zeros_like(values)
