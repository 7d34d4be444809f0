"""The `faiss` store: exact cosine search in memory over vectors that live in SQLite, one folder a collection.

Does not know what the vectors mean. Writing touches SQLite only; a search first loads what changed since the last one,
by this process or another, so there is one way into memory and what is searched is what is on disk.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import faiss
import numpy as np
from numpy.typing import NDArray

from sightline.filters import Filter
from sightline.stores import sqlite
from sightline.stores.checks import check_k, check_upsert, check_vectors
from sightline.stores.database import Database
from sightline.stores.where import Sql, where_sql
from sightline.types import (
    Aggregate,
    FieldSummary,
    Item,
    Modality,
    PartHit,
    PartVectors,
    Space,
    StoreStats,
    Table,
    Vectors,
)

FILE = "items.sqlite"
SPARE = 16  # vectors looked at beyond k, so that ties at the end are seen without a second look
MOST_FILTERS = 32  # conditions whose items are kept in memory, 8 bytes an item
SLACK = 1e-5  # more than FAISS' scores may differ from those computed here, less than anyone can tell apart
_MODALITIES: tuple[Modality, ...] = ("image", "text", "fields")


class FaissStore:
    """One collection in `path`. Safe to share between threads; searches run side by side.

    Memory holds one float32 copy of the vectors of every space that was searched; disk holds another.
    """

    def __init__(self, path: Path) -> None:
        self._database = Database(path / FILE)
        self._spaces: dict[str, _Exact] = {}
        self._passed: dict[Sql, tuple[int, NDArray[np.int64]]] = {}  # condition -> version, the items that passed it
        self._fields: tuple[int, list[FieldSummary]] | None = None  # version, what it had
        self._gate = _Gate()

    def upsert(self, items: Sequence[Item], vectors: Sequence[PartVectors]) -> None:
        """Write items whole, in one transaction that is on disk when this returns."""
        check_upsert(items, vectors)
        with self._database.writing() as connection:
            sqlite.upsert(connection, items, vectors)

    def delete(self, ids: Sequence[str]) -> int:
        """Remove items by id; how many there were."""
        with self._database.writing() as connection:
            return sqlite.delete(connection, ids)

    def get(self, ids: Sequence[str]) -> list[Item]:
        """The items that exist, in the order asked for."""
        with self._database.reading() as connection:
            return sqlite.get(connection, ids)

    def known(self, space: Space, digests: Sequence[str]) -> dict[str, Vectors]:
        """digest -> (m, dim): vectors already stored for equal content."""
        with self._database.reading() as connection:
            return sqlite.known(connection, space, digests)

    def search(
        self,
        space: Space,
        vectors: Vectors,
        k: int,
        *,
        where: Filter | None = None,
        modalities: frozenset[Modality] | None = None,
    ) -> list[list[PartHit]]:
        """For each row of (q, dim), the k parts of highest cosine, best first, ties by part id."""
        check_k(k)
        check_vectors(space, vectors)
        while True:
            with self._database.reading() as connection:
                exact, version = self._current(connection, space), sqlite.version(connection)
                items = None if where is None else self._passing(connection, where)
            with self._gate.read():
                if exact.version == version:  # else a writer came between, and `items` may number other items by now
                    return exact.search(vectors, k, items, modalities)

    def search_text(
        self,
        text: str,
        k: int,
        *,
        where: Filter | None = None,
        modalities: frozenset[Modality] | None = None,
    ) -> list[PartHit]:
        """The k parts with the highest BM25 for any word of `text`; English stems, accents folded."""
        check_k(k)
        with self._database.reading() as connection:
            return sqlite.search_text(connection, text, k, where, modalities)

    def fields(self) -> list[FieldSummary]:
        """Every field any item has, by name."""
        with self._database.reading() as connection:
            version, known = sqlite.version(connection), self._fields
            if known is None or known[0] != version:  # every filtered search asks, and counting takes its time
                known = self._fields = version, sqlite.fields(connection)
            return list(known[1])

    def aggregate(self, plan: Aggregate, *, where: Filter | None = None) -> Table:
        """Count, minimum, maximum or mean over the items that pass `where`, grouped or whole."""
        with self._database.reading() as connection:
            return sqlite.aggregate(connection, plan, where)

    def stats(self) -> StoreStats:
        """Size of the collection; `bytes_memory` is what its vectors take once all spaces were searched."""
        with self._database.reading() as connection:
            items, parts, vectors, bytes_memory = sqlite.counts(connection)
        return StoreStats(items, parts, vectors, bytes_memory, self._database.bytes_disk(), "exact (IndexFlatIP)")

    def close(self) -> None:
        """Release files and memory. What was written is already on disk."""
        self._database.close()
        self._spaces.clear()

    def drop(self) -> None:
        """Delete the collection's file with everything in it, and close."""
        self.close()
        self._database.drop()

    def _current(self, connection: sqlite3.Connection, space: Space) -> _Exact:
        """The vectors of a space, no older than what `connection` sees. Raises InputError for another dim."""
        sqlite.refuse_other_dim(connection, space)
        version = sqlite.version(connection)
        exact = self._spaces.get(space.fingerprint)
        if exact is None or exact.version < version:
            with self._gate.write():
                exact = self._spaces.pop(space.fingerprint, None) or _Exact(space)
                if exact.version < version:  # no other thread was quicker
                    exact.load(connection, version)
                self._spaces[space.fingerprint] = exact  # only what was loaded whole is kept
        return exact

    def _passing(self, connection: sqlite3.Connection, where: Filter) -> NDArray[np.int64]:
        """Row ids of the items that pass a filter; kept for the next search, since people search within one filter."""
        condition, version = where_sql(where), sqlite.version(connection)
        known = self._passed.get(condition)
        if known is None or known[0] != version:
            if len(self._passed) >= MOST_FILTERS:
                self._passed.clear()
            known = self._passed[condition] = version, sqlite.passing(connection, *condition)
        return known[1]


class _Exact:
    """All vectors of one space in one FAISS index; the arrays beside it say whose each row is."""

    def __init__(self, space: Space) -> None:
        self.version = -1
        self._space = space
        self._index = faiss.IndexFlatIP(space.dim)
        self._rows = np.empty((4, 0), np.int64)  # vector id, part, item, modality
        self._keys = np.empty((2, 0), object)  # part id, item id
        self._most = 1  # vectors a part has at most

    def load(self, connection: sqlite3.Connection, version: int) -> None:
        """Take over what was added and removed since the last time."""
        last = int(self._rows[0, -1]) if self._rows.shape[1] else 0
        rows, keys = [self._rows], [self._keys]
        for chunk in sqlite.vectors_after(connection, self._space, last):
            ids, parts, items, modalities, part_keys, item_keys, blobs = zip(*chunk, strict=True)
            rows.append(np.array([ids, parts, items, [_MODALITIES.index(m) for m in modalities]], np.int64))
            keys.append(np.array([part_keys, item_keys], object))
            self._index.add(sqlite.vectors_from(blobs, self._space.dim))
        self._rows, self._keys = np.concatenate(rows, axis=1), np.concatenate(keys, axis=1)
        there = sqlite.vector_ids(connection, self._space)
        if len(there) < self._rows.shape[1]:
            kept = np.isin(self._rows[0], there, assume_unique=True)
            self._index.remove_ids(_selector(~kept))
            self._rows, self._keys = self._rows[:, kept], self._keys[:, kept]
        self._most = int(np.unique(self._rows[1], return_counts=True)[1].max(initial=1))
        self.version = version

    def search(
        self, queries: Vectors, k: int, items: NDArray[np.int64] | None, modalities: frozenset[Modality] | None
    ) -> list[list[PartHit]]:
        """For each of (q, dim), the k best parts among those of `items` and `modalities`; None: all."""
        mask = np.ones(self._rows.shape[1], bool)
        if items is not None:
            mask &= np.isin(self._rows[2], items)
        if modalities is not None:
            mask &= np.isin(self._rows[3], [_MODALITIES.index(m) for m in modalities])
        allowed = int(mask.sum())
        selector = None if allowed == len(mask) else _selector(mask)
        pool = min(allowed, k * self._most + SPARE)
        looked = self._nearest(queries, pool, selector)
        return [self._best(query, k, at, allowed, selector) for query, at in zip(queries, looked, strict=True)]

    def _nearest(self, queries: Vectors, pool: int, selector: faiss.IDSelector | None) -> NDArray[np.int64]:
        """(q, pool) row numbers of highest inner product, best first; -1 where FAISS found nobody."""
        if pool == 0:
            return np.empty((len(queries), 0), np.int64)
        # One OpenMP thread: waiting for each other, two took 20 times longer beside another busy process. A batch of 20
        # or more goes through BLAS, which has threads of its own.
        faiss.omp_set_num_threads(1)
        parameters = faiss.SearchParameters(sel=selector) if selector is not None else None  # type: ignore[call-arg]
        found: NDArray[np.int64] = self._index.search(queries, pool, params=parameters)[1]
        return found

    def _best(
        self, query: Vectors, k: int, at: NDArray[np.int64], allowed: int, selector: faiss.IDSelector | None
    ) -> list[PartHit]:
        """The k best parts of one (dim,) query; looks further while a tie could hide behind the last vector seen."""
        while True:
            looked = len(at)
            at = at[at >= 0]
            found = np.einsum("nd,d->n", self._index.reconstruct_batch(at), query)  # row by row: equal rows tie exactly
            scores: dict[str, float] = {}
            items: dict[str, str] = {}
            for score, part, item in zip(found.tolist(), *self._keys[:, at].tolist(), strict=True):
                if score > scores.get(part, -np.inf):
                    scores[part], items[part] = score, item
            ranked = sorted(scores, key=lambda part: (-scores[part], part))[:k]
            enough = len(ranked) == k and scores[ranked[-1]] > found[-1] + SLACK
            if enough or looked == allowed:
                return [PartHit(part, items[part], scores[part]) for part in ranked]
            at = self._nearest(query[None], min(allowed, looked * 4), selector)[0]


class _Gate:
    """Many searches, or one change of what is searched."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._searches = 0

    @contextlib.contextmanager
    def read(self) -> Iterator[None]:
        with self._changed:
            self._searches += 1
        try:
            yield
        finally:
            with self._changed:
                self._searches -= 1
                self._changed.notify_all()

    @contextlib.contextmanager
    def write(self) -> Iterator[None]:
        with self._changed:
            self._changed.wait_for(lambda: self._searches == 0)
            yield


def _selector(mask: NDArray[np.bool_]) -> faiss.IDSelector:
    """The rows where `mask` is true, as FAISS takes them."""
    return faiss.IDSelectorBitmap(np.packbits(mask, bitorder="little"))  # type: ignore[call-arg,arg-type]  # its own wrapper
