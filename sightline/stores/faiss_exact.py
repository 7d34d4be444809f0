"""Exact cosine search in memory over vectors of one space: all of them, or those that came after an index was built.

Does not know the other vectors, nor when to load: the store that holds it says so.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

import faiss
import numpy as np
from numpy.typing import NDArray

from sightline.stores import sqlite
from sightline.stores.chance import Which
from sightline.stores.faiss_kinds import GPU_MOST, gpu_search, on_gpu, single_threaded
from sightline.types import Modality, PartHit, Space, Vectors

SPARE = 16  # vectors looked at beyond k, so that ties at the end are seen without a second look
EACH = 4  # vectors of each part, at most, that are looked at first: those found last are rarely of k parts alone
MOST_TIES = 1000  # among more parts than these that tie at the end, the order is that of the index
SLACK = 1e-5  # more than FAISS' scores may differ from those computed here, less than anyone can tell apart
MODALITIES: tuple[Modality, ...] = ("image", "text", "fields")


class Exact:
    """Vectors of one space in one flat FAISS index; the arrays beside it say whose each row is."""

    def __init__(self, space: Space, *, after: int = 0) -> None:
        """Holds vectors with a row id beyond `after` only."""
        self._space = space
        self._last = after
        self._index = faiss.IndexFlatIP(space.dim)
        self._gpu: faiss.Index | None = None
        self._rows = np.empty((5, 0), np.int64)  # vector id, part, item, modality, 1 for all but a part's first
        self._keys = np.empty((2, 0), object)  # part id, item id
        self._most = 1  # vectors a part has at most

    def __len__(self) -> int:
        return self._rows.shape[1]

    def load(self, connection: sqlite3.Connection) -> None:
        """Take over what was added since the last time."""
        rows, keys = [self._rows], [self._keys]
        for chunk in sqlite.vectors_after(connection, self._space, self._last):
            ids, parts, items, modalities, part_keys, item_keys, blobs = zip(*chunk, strict=True)
            kinds = [MODALITIES.index(m) for m in modalities]
            before = rows[-1][1, -1:] if len(rows) > 1 else np.array([-1])  # a part may lie on both sides of a page
            later = np.diff(parts, prepend=before) == 0
            rows.append(np.array([ids, parts, items, kinds, later], np.int64))
            keys.append(np.array([part_keys, item_keys], object))
            self._index.add(sqlite.vectors_from(blobs, self._space.dim))
        if len(rows) > 1:
            self._rows, self._keys = np.concatenate(rows, axis=1), np.concatenate(keys, axis=1)
            self._last = int(self._rows[0, -1])
            self._changed()

    def drop(self, gone: NDArray[np.int64]) -> None:
        """Drop these vector ids, ascending, where they are held."""
        at = rows_of(self._rows[0], gone)
        if len(at):
            kept = np.ones(len(self), bool)
            kept[at] = False
            self._only(kept)

    def keep(self, there: NDArray[np.int64]) -> None:
        """Drop what is not among these vector ids, ascending."""
        self._only(np.isin(self._rows[0], there, assume_unique=True))

    def _only(self, kept: NDArray[np.bool_]) -> None:
        if not kept.all():
            self._index.remove_ids(selector(~kept))
            self._rows, self._keys = self._rows[:, kept], self._keys[:, kept]
            self._changed()

    def search(
        self,
        queries: Vectors,
        k: int,
        items: NDArray[np.int64] | None,
        modalities: frozenset[Modality] | None,
        which: Which = "all",
    ) -> list[list[PartHit]]:
        """For each of (q, dim), the k best parts of `items` and `modalities` (None: all) by those of their vectors."""
        mask = np.ones(len(self), bool) if which == "all" else (self._rows[4] == 0) == (which == "wholes")
        if items is not None:
            mask &= np.isin(self._rows[2], items)
        if modalities is not None:
            mask &= np.isin(self._rows[3], [MODALITIES.index(m) for m in modalities])
        allowed = int(mask.sum())
        only = None if allowed == len(mask) else selector(mask)
        looked = self._nearest(
            queries, min(allowed, k * (1 if which == "wholes" else min(self._most, EACH)) + SPARE), only
        )
        return [self._best(query, k, at, allowed, only) for query, at in zip(queries, looked, strict=True)]

    def _changed(self) -> None:
        self._most = int(np.unique(self._rows[1], return_counts=True)[1].max(initial=1))
        self._gpu = on_gpu(self._index)

    def _nearest(self, queries: Vectors, pool: int, only: faiss.IDSelector | None) -> NDArray[np.int64]:
        """(q, pool) row numbers of highest inner product, best first; -1 where FAISS found nobody."""
        if pool == 0:
            return np.empty((len(queries), 0), np.int64)
        single_threaded()
        if self._gpu is not None and only is None and pool <= GPU_MOST:
            return gpu_search(self._gpu, queries, pool)[1]
        parameters = faiss.SearchParameters(sel=only) if only is not None else None  # type: ignore[call-arg]
        found: NDArray[np.int64] = self._index.search(queries, pool, params=parameters)[1]
        return found

    def _best(
        self, query: Vectors, k: int, at: NDArray[np.int64], allowed: int, only: faiss.IDSelector | None
    ) -> list[PartHit]:
        """The k best parts of one (dim,) query; looks further while a tie could hide behind the last vector seen.

        Not for ever: half of the collection may show one and the same placeholder.
        """
        while True:
            looked = len(at)
            at = at[at >= 0]
            found = np.einsum("nd,d->n", self._index.reconstruct_batch(at), query)  # row by row: equal rows tie exactly
            order = np.argsort(-found, kind="stable")
            best = order[np.unique(self._rows[1, at[order]], return_index=True)[1]]  # the best vector of each part
            scores = found[best]
            near = best[scores >= np.partition(scores, -k)[-k]] if len(best) > k else best
            pairs = zip(*self._keys[:, at[near]].tolist(), found[near].tolist(), strict=True)
            ranked = sorted((PartHit(*one) for one in pairs), key=by_score)[:k]
            enough = len(ranked) == k and ranked[-1].score > found[-1] + SLACK
            if enough or looked == allowed or ties(scores.tolist(), ranked[-1].score) > MOST_TIES:
                return ranked
            at = self._nearest(query[None], min(allowed, looked * 4), only)[0]


def by_score(hit: PartHit) -> tuple[float, str]:
    """Sorts hits best first, ties by part id."""
    return -hit.score, hit.part_id


def ties(scores: Iterable[float], with_this: float) -> int:
    """How many scores nobody can tell apart from one of them."""
    return sum(abs(score - with_this) <= SLACK for score in scores)


def rows_of(held: NDArray[np.int64], ids: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where those of some ids are that are held; both ascending. Looks at few places of `held`, however long it is."""
    at = np.searchsorted(held, ids)
    inside = at < len(held)
    found: NDArray[np.int64] = at[inside][held[at[inside]] == ids[inside]]
    return found


def selector(mask: NDArray[np.bool_]) -> faiss.IDSelector:
    """The rows where `mask` is true, as FAISS takes them."""
    return faiss.IDSelectorBitmap(np.packbits(mask, bitorder="little"))  # type: ignore[call-arg,arg-type]  # its own wrapper
