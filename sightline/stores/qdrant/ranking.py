"""The best parts of several lists of points, and what regions are nearer by chance: what a search of Qdrant comes to.

Knows an engine by its protocol, and nothing of filters or of what the vectors mean.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import islice
from typing import TypeAlias

import numpy as np

from sightline.stores.chance import SAMPLE, Chance, best_of_both
from sightline.stores.qdrant import points
from sightline.stores.qdrant.points import MANY, Engine, Json, Nearest, Vector, vector_name
from sightline.types import PartHit, Space, Vectors

SPARE = 16  # points asked for beyond k, so that ties at the end are seen without a second look
MOST_TIES = 1000  # among more equal scores than these at the end, the order is Qdrant's own
SLACK = 1e-5  # scores closer than this may be a tie that Qdrant computed in two ways
REDRAWN_S = 60.0  # after so long, what regions are nearer by chance is looked at again

Asked: TypeAlias = tuple[str, Vector, float]  # vector name, what is sought, what its hits count less


def best(
    engine: Engine, queries: Sequence[Sequence[Asked]], k: int, condition: Json, *, exact: bool = False
) -> list[list[PartHit]]:
    """The k best parts of each query: one or more (vector name, vector, what it counts less), results joined."""
    results: list[list[PartHit]] = [[] for _ in queries]
    open_ones, limit = list(range(len(queries))), k + SPARE
    while open_ones:
        asked = [Nearest(using, vector, limit, condition, exact) for i in open_ones for using, vector, _ in queries[i]]
        answers = iter(engine.nearest(asked, ("part", "item")))
        still_open = []
        for i in open_ones:
            lists = [next(answers) for _ in queries[i]]
            both: list[PartHit] = []
            last_seen = []
            for found, (_, _, less) in zip(lists, queries[i], strict=True):
                hits = [PartHit(one.payload["part"], one.payload["item"], one.score - less) for one in found]
                both = best_of_both(both, hits, limit * len(lists))
                last_seen += [hits[-1].score] if len(found) == limit else []
            results[i] = both[:k]
            if last_seen and both[k - 1].score <= max(last_seen) + SLACK:
                still_open.append(i)  # a tie could hide behind the last point seen
        open_ones, limit = still_open if limit < k + MOST_TIES else [], limit * 4
    return results


class Chances:
    """What regions are nearer by chance, by space; drawn now and then, for others write too."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._drawn: dict[str, tuple[float, Chance | None]] = {}  # fingerprint -> when (s), from what

    def forget(self) -> None:
        """Draw anew when asked next."""
        self._drawn.clear()

    def less(self, space: Space, queries: Vectors) -> list[float]:
        """What regions' cosines to (q, dim) count less. The sample is looked for now and then: others write, too."""
        drawn_at, chance = self._drawn.get(space.fingerprint, (-REDRAWN_S, None))
        if time.monotonic() - drawn_at > REDRAWN_S:
            name = vector_name(space.fingerprint)
            both = {"must": [{"has_vector": name}, {"has_vector": name + MANY}]}
            ids = [one.id for one in islice(self._engine.scroll(both, ()), SAMPLE)]  # hashes: as if drawn
            found = self._engine.scroll({"must": [{"has_id": ids}]}, (), (name, name + MANY)) if ids else ()
            rows = [np.asarray(points.rows_of(one.vectors, space.fingerprint), np.float32) for one in found]
            chance = Chance.of(rows)
            self._drawn[space.fingerprint] = time.monotonic(), chance
        return [0.0] * len(queries) if chance is None else chance.less(queries).tolist()
