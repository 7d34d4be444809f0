"""Search in one built index: candidates by its codes, scores by the vectors stored in SQLite.

Does not know how it was built. What SQLite no longer has cannot be found, whatever the index says: it names row ids,
and every vector it names is read again in the transaction of the search.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path

import faiss
import numpy as np
from numpy.typing import NDArray

from sightline.stores import sqlite
from sightline.stores.chance import Which
from sightline.stores.faiss_exact import EACH, MOST_TIES, SPARE, by_score, rows_of, selector, ties
from sightline.stores.faiss_files import Record, is_sound
from sightline.stores.faiss_kinds import GPU_MOST, Kind, gpu_search, kind_named, nearest, on_gpu, read
from sightline.types import Modality, PartHit, Vectors

FEW = 1000  # vectors that pass a filter: up to here all of them are scored, which takes 5 ms
_SAME = 1e-6  # codes of equal vectors differ by less in their scores


@dataclass(frozen=True, slots=True)
class _Asked:
    """One search: which rows may be found. `narrow`: a filter chose them, so the likely places may hold none."""

    allowed: int
    only: faiss.IDSelector | None
    mask: NDArray[np.bool_] | None
    narrow: bool


@dataclass(frozen=True, slots=True)
class _Scored:
    """(n,) rows with their parts, their cosines, and what the codes gave them or their parts."""

    rows: NDArray[np.int64]
    parts: NDArray[np.int64]
    scores: NDArray[np.float32]
    codes: NDArray[np.float32]

    def with_more(self, other: _Scored) -> _Scored:
        """Both."""
        pairs = ((getattr(self, name), getattr(other, name)) for name in ("rows", "parts", "scores", "codes"))
        return _Scored(*map(np.concatenate, pairs))

    def of_best(self, k: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """A row of each of the k best parts, and the lowest code of the part."""
        order = np.argsort(-self.scores, kind="stable")
        parts, first, part_of = np.unique(self.parts[order], return_index=True, return_inverse=True)
        lowest = np.full(len(parts), np.inf, np.float32)
        np.minimum.at(lowest, part_of, self.codes[order])
        best = np.argsort(first)[:k]  # where each part comes first in the order of scores
        return self.rows[order[first[best]]], lowest[best]


class Built:
    """An index over the vectors of one kind of part, up to the vector id `last`."""

    def __init__(
        self,
        index: faiss.Index,
        rows: NDArray[np.int64],
        *,
        kind: Kind,
        effort: int,
        modality: Modality,
        most: int,
    ) -> None:
        """`rows`: (3, n) vector id, part, item of each row of `index`, ids ascending."""
        self.modality = modality
        self.effort = effort
        self._index, self._rows, self._kind, self._most = index, rows, kind, most
        self._alive: NDArray[np.bool_] | None = None  # None: all of them
        self._always: dict[Which, _Asked] = {}  # searches without a filter, until something is gone
        self._passed: tuple[NDArray[np.int64], NDArray[np.bool_]] | None = None  # the items asked for last, their rows
        self._gpu = on_gpu(index, effort=effort)

    @classmethod
    def open(cls, record: Record, folder: Path) -> Built | None:
        """The index of a record, mapped from its files; None where they are not there, torn, or of another shape."""
        if not is_sound(record, folder):
            return None
        file, beside = record.files(folder)
        try:
            index, rows = read(file), np.load(beside, mmap_mode="r")
        except (RuntimeError, ValueError, OSError):
            return None
        if index.d != record.dim or index.ntotal != record.rows or rows.shape != (3, record.rows):
            return None
        kind = kind_named(record.kind)
        return cls(index, rows, kind=kind, effort=record.effort, modality=record.modality, most=record.most)

    def __len__(self) -> int:
        """How many vectors of it are still there."""
        return self._rows.shape[1] if self._alive is None else int(self._alive.sum())

    def drop(self, gone: NDArray[np.int64]) -> None:
        """Find these vector ids, ascending, no more. No search may be under way."""
        at = rows_of(self._rows[0], gone)
        if len(at):
            if self._alive is None:
                self._alive = np.ones(self._rows.shape[1], bool)
            self._alive[at] = False
            self._always.clear()

    def keep(self, there: NDArray[np.int64]) -> None:
        """Find only these vector ids from now on."""
        alive = np.isin(self._rows[0], there, assume_unique=True)
        self._alive = None if alive.all() else alive
        self._always.clear()

    def search(
        self,
        connection: sqlite3.Connection,
        queries: Vectors,
        k: int,
        items: NDArray[np.int64] | None = None,
        *,
        effort: int | None = None,
        which: Which = "all",
    ) -> list[list[PartHit]]:
        """For each of (q, dim), the k best parts among those of `items` (None: all) by those vectors, ties by id."""
        asked = self._asked(items, which)
        if not asked.allowed:
            return [[] for _ in queries]
        effort = self.effort if effort is None else effort
        each = 1 if which == "wholes" else min(self._most, EACH)
        pool = min(asked.allowed, self._kind.pool * k * each + SPARE)
        if asked.allowed <= max(pool, FEW):
            everything = np.arange(self._rows.shape[1]) if asked.mask is None else np.flatnonzero(asked.mask)
            scores = np.zeros(len(everything), np.float32)
            return [self._best(connection, query, k, asked, at=everything, approximate=scores)[0] for query in queries]
        approximate, found = self._nearest(queries, pool, asked, effort, all_of_them=asked.narrow)
        return [
            self._enough(connection, query, k, (approximate[row], found[row]), asked=asked, effort=effort)
            for row, query in enumerate(queries)
        ]

    def _asked(self, items: NDArray[np.int64] | None, which: Which) -> _Asked:
        if items is None:
            if which not in self._always:
                self._always[which] = self._those(self._alive if which == "all" else self._by(which), narrow=False)
            return self._always[which]
        known = self._passed
        if known is None or known[0] is not items:
            known = self._passed = items, np.isin(self._rows[2], items)
        mask = known[1]
        if which != "all":
            mask = mask & self._by(which)
        elif self._alive is not None:
            mask = mask & self._alive
        return self._those(mask, narrow=True)

    def _those(self, mask: NDArray[np.bool_] | None, *, narrow: bool) -> _Asked:
        """A search of these rows, None: all; `narrow` where a filter chose them."""
        if mask is None:
            return _Asked(self._rows.shape[1], None, None, narrow=False)
        allowed = int(mask.sum())
        return _Asked(allowed, selector(mask), mask, narrow=narrow and 2 * allowed < len(mask))

    def _by(self, which: Which) -> NDArray[np.bool_]:
        """The rows of wholes, or those of regions, that are still there."""
        first: NDArray[np.bool_] = np.diff(self._rows[1], prepend=-1) != 0
        chosen = first if which == "wholes" else ~first
        return chosen if self._alive is None else chosen & self._alive

    def _nearest(
        self, queries: Vectors, pool: int, asked: _Asked, effort: int, *, all_of_them: bool
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        likely = asked.only is None and not all_of_them
        if self._gpu is not None and likely and effort == self.effort and pool <= GPU_MOST:
            return gpu_search(self._gpu, queries, pool)
        share = asked.allowed / self._rows.shape[1]
        return nearest(self._index, queries, pool, effort=effort, only=asked.only, share=share, all_of_them=all_of_them)

    def _enough(
        self,
        connection: sqlite3.Connection,
        query: Vectors,
        k: int,
        found: tuple[NDArray[np.float32], NDArray[np.int64]],
        *,
        asked: _Asked,
        effort: int,
    ) -> list[PartHit]:
        """The k best parts of one (dim,) query; looks further while there are too few, or a tie could hide behind."""
        approximate, at = found
        while True:
            looked = len(at)
            there = at >= 0
            hits, lowest, tied = self._best(connection, query, k, asked, at=at[there], approximate=approximate[there])
            # `lowest` is what the codes gave the worst hit: an equal vector beyond the last one seen would have as much
            if looked >= asked.allowed or (len(hits) == k and at[-1] >= 0 and lowest > approximate[-1] + _SAME):
                return hits
            if len(hits) == k and (tied > MOST_TIES or (at[-1] < 0 and not asked.narrow)):
                return hits  # as many equal ones as anybody needs, or all that lies in the likely places
            pool = min(asked.allowed, looked * 4)
            wider, further = self._nearest(query[None], pool, asked, effort, all_of_them=True)
            approximate, at = wider[0], further[0]

    def _best(
        self,
        connection: sqlite3.Connection,
        query: Vectors,
        k: int,
        asked: _Asked,
        *,
        at: NDArray[np.int64],
        approximate: NDArray[np.float32],
    ) -> tuple[list[PartHit], float, int]:
        """The k best parts among some rows, the lowest approximate score of them, and how many tie at the end."""
        found = self._scored(connection, query, at, approximate)
        if self._most > 1 and len(found.rows):
            found = found.with_more(self._scored(connection, query, *self._beside(found, k, at, asked.mask)))
        best: dict[int, tuple[float, float]] = {}
        for score, part, code in zip(found.scores.tolist(), found.parts.tolist(), found.codes.tolist(), strict=True):
            if part not in best or score > best[part][0]:
                best[part] = score, code
        last = sorted((score for score, _ in best.values()), reverse=True)[:k][-1:]
        near = {part: one for part, one in best.items() if one[0] >= last[0]}
        keys = sqlite.part_keys(connection, near)
        hits = sorted((PartHit(*keys[part], score) for part, (score, _) in near.items()), key=by_score)[:k]
        tied = ties((score for score, _ in near.values()), hits[-1].score) if hits else 0
        return hits, min((code for _, code in near.values()), default=np.inf), tied

    def _scored(
        self, connection: sqlite3.Connection, query: Vectors, at: NDArray[np.int64], codes: NDArray[np.float32]
    ) -> _Scored:
        """Those of some rows that are still there, scored by their stored vectors."""
        order = np.argsort(at)  # rows and vector ids ascend together
        at, codes = at[order], codes[order]
        ids, parts, vectors = sqlite.vectors_of(connection, self._rows[0, at], self._index.d)
        there = np.searchsorted(self._rows[0, at], ids)
        scores = np.einsum("nd,d->n", vectors, query)  # row by row: equal rows tie exactly
        return _Scored(at[there], parts, scores, codes[there])

    def _beside(
        self, found: _Scored, k: int, at: NDArray[np.int64], allowed: NDArray[np.bool_] | None
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """The rows of the k best parts that are not among `at` and allowed (None: all), with their part's lowest code.

        A part may have been found by a lesser vector alone, where a search looks into the likely places only, and it
        scores by its best. Of parts behind them no more is read: that would be most of what a search takes. A part's
        vectors are written together, so that its rows lie side by side.
        """
        rows, codes = found.of_best(k)
        around = rows[:, None] + np.arange(1 - self._most, self._most)  # (n, 2 most - 1)
        inside = (around >= 0) & (around < self._rows.shape[1])
        beside = np.where(inside, around, 0)
        more = inside & (self._rows[1, beside] == self._rows[1, rows][:, None]) & ~np.isin(beside, at)
        if allowed is not None:
            more &= allowed[beside]
        return around[more], np.broadcast_to(codes[:, None], around.shape)[more]
