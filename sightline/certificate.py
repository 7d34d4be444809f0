"""How much of exact search an index finds, for text queries and picture queries apart, as a record one can keep.

Knows scores and vectors only: which store searches, and how its truth is read, is handed in.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from sightline.types import Modality, PartHit, Vectors

K = 10  # recall is counted among this many
PROMISE = 0.99  # recall@10 an index must reach for each kind of query, unless asked otherwise
SEED = 7
MOST_PROBES = 200  # queries of one kind; the interval of a recall of 0.99 is then 0.96 to 1.00
LEAST_PROBES = 30  # of one kind, for a promise to be called kept: that many that all find everything reach down to 0.89
SPARE = 4  # times as many best scores are kept as are compared: what holds them may be deleted meanwhile
SLACK = 1e-5  # scores closer than this are equal: of equal pictures it does not matter which is found
_Z = 1.96  # standard deviations either side that hold 95 % of a normal distribution


@dataclass(frozen=True, slots=True)
class Probes:
    """Queries of one kind. `own` is the part each was taken from, which does not count as found; "" where from none."""

    vectors: Vectors  # (q, dim)
    own: tuple[str, ...]

    @classmethod
    def of(cls, vectors: Vectors) -> Probes:
        """Queries that are no part of the collection; at most MOST_PROBES of them, evenly from all."""
        at = np.linspace(0, len(vectors) - 1, min(len(vectors), MOST_PROBES)).round().astype(int)
        return cls(np.ascontiguousarray(vectors[at], dtype=np.float32), ("",) * len(at))


@dataclass(frozen=True, slots=True)
class Recall:
    """Mean recall@10 over the queries of one kind, with the 95 % Wilson interval for that many trials."""

    queries: Modality
    recall: float
    low: float
    high: float
    probes: int


@dataclass(frozen=True, slots=True)
class Certificate:
    """What was promised of the index over one kind of part, and what was measured against exact search."""

    engine: str  # "faiss 1.15.1"
    kind: str  # "int8"
    parts: Modality  # what is searched: "image" for pictures
    vectors: int
    promised: float
    measured: tuple[Recall, ...]  # a kind of query that is not here was not measured
    seed: int = SEED
    exact: bool = False  # every vector is compared: nothing can be missed, however few queries say so
    asks: tuple[Modality, ...] = ("text", "image")  # the kinds of query that the encoder can make
    among: int | None = None  # vectors of every kind of part in its space when it was measured; None: not noted
    now: int | None = None  # the same today, where a store looked
    space: str = ""  # the encoder of the vectors; "" in those of before it was noted

    @property
    def holds(self) -> bool | None:
        """Whether every kind of query finds what is promised; None where too little was asked to say so."""
        if any(one.recall < self.promised for one in self.measured):
            return False
        asked = {one.queries for one in self.measured if one.probes >= (1 if self.exact else LEAST_PROBES)}
        return True if asked and (self.exact or asked >= {*self.asks}) else None

    def told(self) -> str:
        """One line for people; what was not measured, or on other vectors than there are now, is said to be."""
        few = "" if self.exact else ", too few"
        found = {
            one.queries: f"{_digits(one.recall)} ({one.low:.3f}-{one.high:.3f}, n={one.probes}"
            f"{few if one.probes < LEAST_PROBES else ''})"
            for one in self.measured
        }
        each = ", ".join(f"{kind} queries {found.get(kind, 'not measured')}" for kind in self.asks)
        told = f"recall@{K} among {self.vectors:,} {self.parts} vectors, {self.kind}: {each}; promised {self.promised}"
        if self.now is None or self.among in (None, self.now):
            return told
        return f"{told}; measured when there were {self.among:,} vectors of the encoder, now {self.now:,}"

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"measured": [asdict(one) for one in self.measured], "holds": self.holds}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Certificate:
        given = {name: value for name, value in data.items() if name != "holds"}
        if "asks" in given:
            given["asks"] = tuple(given["asks"])
        return cls(**given | {"measured": tuple(Recall(**one) for one in data["measured"])})


Search: TypeAlias = Callable[[Vectors, int], Sequence[Sequence[PartHit]]]  # (q, dim) and k to the k best parts of each


@dataclass(slots=True)
class _Pool:
    """The best scores of each query so far, in no order, and whose they are."""

    scores: Vectors  # (q, m)
    ids: NDArray[np.int64]
    parts: NDArray[np.int64]
    floor: Vectors  # (q,) the best score that found no room; what is better than it is all here


class Truth:
    """The best scores of exact search, by one pass over all vectors in pieces. Holds (q, few) numbers, however many.

    Vectors may come and go during the pass: who measures then says which are gone, and adds those that are new.
    """

    def __init__(
        self, probes: Mapping[Modality, Probes], *, most: int, less: Mapping[Modality, Vectors] | None = None
    ) -> None:
        """`most`: vectors a part has at most. `less`: (q,) by kind, what a region counts less for each query."""
        self._probes = dict(probes)
        self._less = dict(less or {})
        self._most = SPARE * (K + 1) * most
        self._best: dict[Modality, _Pool] = {}
        for kind, one in self._probes.items():
            q = len(one.vectors)
            none = np.empty((q, 0), np.int64)
            self._best[kind] = _Pool(np.empty((q, 0), np.float32), none, none, np.full(q, -np.inf, np.float32))

    def add(
        self,
        ids: NDArray[np.int64],
        parts: NDArray[np.int64],
        vectors: Vectors,
        regions: NDArray[np.bool_] | None = None,
    ) -> None:
        """Look at (n, dim) more vectors of these (n,) ids, whose parts have these numbers; `regions` count less."""
        for kind, one in self._probes.items():
            pool, q = self._best[kind], len(one.vectors)
            scores = one.vectors @ vectors.T  # (q, dim) @ (dim, n) -> (q, n)
            if regions is not None and kind in self._less:
                scores = scores - self._less[kind][:, None] * regions
            pool.scores = np.hstack([pool.scores, scores])
            pool.ids = np.hstack([pool.ids, np.broadcast_to(ids, (q, len(ids)))])
            pool.parts = np.hstack([pool.parts, np.broadcast_to(parts, (q, len(parts)))])
            if pool.scores.shape[1] > self._most:
                order = np.argpartition(pool.scores, -self._most, axis=1)
                out, kept = order[:, : -self._most], order[:, -self._most :]
                pool.floor = np.maximum(pool.floor, np.take_along_axis(pool.scores, out, axis=1).max(axis=1))
                pool.scores = np.take_along_axis(pool.scores, kept, axis=1)
                pool.ids = np.take_along_axis(pool.ids, kept, axis=1)
                pool.parts = np.take_along_axis(pool.parts, kept, axis=1)

    @property
    def ids(self) -> NDArray[np.int64]:
        """The ids of the vectors that hold the best scores, ascending."""
        return np.unique(np.concatenate([pool.ids.ravel() for pool in self._best.values()] or [np.empty(0, np.int64)]))

    def forget(self, gone: NDArray[np.int64]) -> None:
        """Expect none of these ids to be found any more."""
        for pool in self._best.values():
            pool.scores[np.isin(pool.ids, gone)] = -np.inf

    def recalls(self, search: Search, numbers: Mapping[str, int]) -> tuple[Recall, ...]:
        """What `search` finds of it, by kind of query. `numbers`: of each part that a probe was taken from."""
        found = (self._recall(kind, search, numbers) for kind, one in self._probes.items() if len(one.vectors))
        return tuple(one for one in found if one.probes)

    def _recall(self, kind: Modality, search: Search, numbers: Mapping[str, int]) -> Recall:
        probes = self._probes[kind]
        expected = [self._expected(kind, row, numbers.get(own, -1)) for row, own in enumerate(probes.own)]
        return recall(kind, probes, search(probes.vectors, K + 1), expected)

    def _expected(self, kind: Modality, row: int, own: int) -> list[float]:
        """The K best scores of parts other than its own, best first; none where more of them went than are spare."""
        pool, best = self._best[kind], dict[int, float]()
        for score, part in zip(pool.scores[row].tolist(), pool.parts[row].tolist(), strict=True):
            if part != own and score > best.get(part, -math.inf):
                best[part] = score
        expected = sorted(best.values(), reverse=True)[:K]
        surely = expected[-1] if len(expected) == K else -math.inf
        return expected if surely >= pool.floor[row] else []


def recall(
    kind: Modality, probes: Probes, found: Sequence[Sequence[PartHit]], expected: Sequence[Sequence[float]]
) -> Recall:
    """Mean share of the best scores that were found. `expected`: at most K of them for each query, best first.

    `found`: K + 1 hits for each, with exact scores. A query of which nothing is expected does not count.
    """
    shares = []
    for own, hits, best in zip(probes.own, found, expected, strict=True):
        scores = [hit.score for hit in hits if hit.part_id != own][: len(best)]
        if best:
            shares.append(sum(score >= best[-1] - SLACK for score in scores) / len(best))
    return _wilson(kind, shares)


def _wilson(kind: Modality, shares: Sequence[float]) -> Recall:
    """Each query as one trial, which is too wide rather than too narrow: a share varies less than a yes or no."""
    n = len(shares)
    if not n:
        return Recall(kind, 0.0, 0.0, 1.0, 0)
    mean = sum(shares) / n
    middle = (mean + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
    half = _Z / (1 + _Z**2 / n) * math.sqrt(mean * (1 - mean) / n + _Z**2 / (4 * n**2))
    return Recall(kind, round(mean, 4), round(max(0.0, middle - half), 4), round(min(1.0, middle + half), 4), n)


def _digits(share: float) -> str:
    """Three digits, or four where three would round it up to a promise it does not keep."""
    told = f"{share:.4f}"
    return told.removesuffix("0")
