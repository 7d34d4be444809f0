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

    @property
    def holds(self) -> bool:
        """Whether no kind of query that was measured finds less than promised."""
        return all(one.recall >= self.promised for one in self.measured)

    def told(self) -> str:
        """One line for people; what was not measured is said to be."""
        found = {
            one.queries: f"{one.recall:.3f} ({one.low:.3f}-{one.high:.3f}, n={one.probes})" for one in self.measured
        }
        kinds: tuple[Modality, ...] = ("text", "image")
        each = ", ".join(f"{kind} queries {found.get(kind, 'not measured')}" for kind in kinds)
        return f"recall@{K} among {self.vectors:,} {self.parts} vectors, {self.kind}: {each}; promised {self.promised}"

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"measured": [asdict(one) for one in self.measured], "holds": self.holds}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Certificate:
        given = {name: value for name, value in data.items() if name != "holds"}
        return cls(**given | {"measured": tuple(Recall(**one) for one in data["measured"])})


Search: TypeAlias = Callable[[Vectors, int], Sequence[Sequence[PartHit]]]  # (q, dim) and k to the k best parts of each


class Truth:
    """The best scores of exact search, by one pass over all vectors in pieces. Holds (q, few) numbers, however many."""

    def __init__(self, probes: Mapping[Modality, Probes], *, most: int) -> None:
        """`most`: vectors a part has at most."""
        self._probes = dict(probes)
        self._pool = (K + 1) * most
        self._best = {kind: np.empty((len(one.vectors), 0), np.float32) for kind, one in self._probes.items()}
        self._parts = {kind: np.empty((len(one.vectors), 0), np.int64) for kind, one in self._probes.items()}

    def add(self, parts: NDArray[np.int64], vectors: Vectors) -> None:
        """Look at (n, dim) more vectors, whose parts have these (n,) numbers."""
        for kind, one in self._probes.items():
            scores = np.hstack([self._best[kind], one.vectors @ vectors.T])  # (q, dim) @ (dim, n) -> (q, n)
            whose = np.hstack([self._parts[kind], np.broadcast_to(parts, (len(one.vectors), len(parts)))])
            if scores.shape[1] > self._pool:
                at = np.argpartition(scores, -self._pool, axis=1)[:, -self._pool :]
                scores, whose = np.take_along_axis(scores, at, axis=1), np.take_along_axis(whose, at, axis=1)
            self._best[kind], self._parts[kind] = scores, whose

    def recalls(self, search: Search, numbers: Mapping[str, int]) -> tuple[Recall, ...]:
        """What `search` finds of it, by kind of query. `numbers`: of each part that a probe was taken from."""
        found = (self._recall(kind, search, numbers) for kind, one in self._probes.items() if len(one.vectors))
        return tuple(one for one in found if one.probes)

    def _recall(self, kind: Modality, search: Search, numbers: Mapping[str, int]) -> Recall:
        probes = self._probes[kind]
        expected = [self._expected(kind, row, numbers.get(own, -1)) for row, own in enumerate(probes.own)]
        return recall(kind, probes, search(probes.vectors, K + 1), expected)

    def _expected(self, kind: Modality, row: int, own: int) -> list[float]:
        """The K best scores of parts other than its own, best first."""
        best: dict[int, float] = {}
        for score, part in zip(self._best[kind][row].tolist(), self._parts[kind][row].tolist(), strict=True):
            if part != own and score > best.get(part, -math.inf):
                best[part] = score
        return sorted(best.values(), reverse=True)[:K]


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
