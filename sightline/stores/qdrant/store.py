"""The `qdrant` store: items, parts, vectors and words as points of one Qdrant collection.

Does not know whether Qdrant runs in this process or on a server. Words are ranked by Qdrant's sparse vectors with
inverse document frequency: BM25 with a constant for the average length, since no client can know the true one, so long
and short passages weigh a little differently than in the `faiss` store.

An upsert is two writes: the new points, then the removal of parts an item no longer has. Killed in between, the old
parts remain until the item is written again, which an interrupted `add` does when it is repeated.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any, Literal

import numpy as np

from sightline.errors import InputError
from sightline.filters import Filter
from sightline.stores.aggregates import check_plan, evaluate
from sightline.stores.checks import check_k, check_upsert, check_vectors
from sightline.stores.qdrant import points
from sightline.stores.qdrant.points import MANY, WORDS, Engine, Json, Nearest, Point, Sparse, Vector, point_id
from sightline.stores.qdrant.where import any_of, where_json
from sightline.stores.words import words_of
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

SPARE = 16  # points asked for beyond k, so that ties at the end are seen without a second look
MOST_TIES = 1000  # among more equal scores than these at the end, the order is Qdrant's own
SLACK = 1e-5  # scores closer than this may be a tie that Qdrant computed in two ways
AVERAGE_WORDS = 32  # the length BM25 takes for average: titles are shorter, passages longer
_INDEXED = ("kind", "item", "names", "numeric", "unnumeric", "digest", "modality")


class QdrantStore:
    """One collection in Qdrant. Safe to share between threads.

    Embedded, a folder is open in one process at a time; on a server, several may read and write.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._writing = threading.Lock()
        self._dims: dict[str, int] = {}  # fingerprint -> dim, of the spaces seen so far
        for key in _INDEXED:
            engine.make_index(key, "keyword")

    # -- writing -------------------------------------------------------------------------------------------------------

    def upsert(self, items: Sequence[Item], vectors: Sequence[PartVectors]) -> None:
        """Write items whole; an item of the same id is replaced, its old parts gone."""
        check_upsert(items, vectors)
        if not items:
            return
        self._refuse_taken_parts(items)
        with self._writing:
            for space in {one.space.fingerprint: one.space for one in vectors}.values():
                self._make_space(space)
            fresh = _points_of(items, vectors)
            for key, kind in {
                key: kind for point in fresh for key, kind in points.indexes(point.payload).items()
            }.items():
                self._engine.make_index(key, kind)
            self._engine.upsert(fresh)
            kept = {"has_id": [point.id for point in fresh]}
            self._engine.delete({"must": [any_of("item", [item.id for item in items])], "must_not": [kept]})

    def delete(self, ids: Sequence[str]) -> int:
        """Remove items by id; how many there were."""
        with self._writing:
            count = self._engine.count(_items(any_of("item", ids)))
            self._engine.delete({"must": [any_of("item", ids)]})
            return count

    # -- reading -------------------------------------------------------------------------------------------------------

    def get(self, ids: Sequence[str]) -> list[Item]:
        """The items that exist, in the order asked for."""
        heads: dict[str, Json] = {}
        parts: dict[str, list[Json]] = {}
        for point in self._engine.scroll(any_of("item", ids), ("kind", "fields", *points.PART_KEYS)):
            if point.payload["kind"] == "item":
                heads[point.payload["item"]] = point.payload
            else:
                parts.setdefault(point.payload["item"], []).append(point.payload)
        return [points.item_of(heads[id], parts.get(id, [])) for id in ids if id in heads]

    def known(self, space: Space, digests: Sequence[str]) -> dict[str, Vectors]:
        """digest -> (m, dim): vectors already stored for equal content."""
        if not self._has_space(space):
            return {}
        name = _vector_name(space.fingerprint)
        found: dict[str, Vectors] = {}
        for point in self._engine.scroll(any_of("digest", digests), ("kind", "digest"), (name, name + MANY)):
            rows = point.vectors.get(name + MANY) or [point.vectors.get(name)]
            if point.payload["kind"] == "part" and rows != [None]:
                found.setdefault(point.payload["digest"], np.asarray(rows, np.float32))
        return found

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
        if not self._has_space(space):
            return [[] for _ in vectors]
        name = _vector_name(space.fingerprint)
        condition = self._parts(where, modalities)
        return self._best([[(name, row), (name + MANY, [row])] for row in vectors.tolist()], k, condition)

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
        sparse = embed_words(" ".join(words_of(text)), query=True)
        if not sparse.indices:
            return []
        return self._best([[(WORDS, sparse)]], k, self._parts(where, modalities))[0]

    def fields(self) -> list[FieldSummary]:
        """Every field any item has, by name."""
        counts = self._engine.facet("names", _items())
        numeric, unnumeric = (self._engine.facet(key, _items()) for key in ("numeric", "unnumeric"))

        def numbers(name: str) -> Literal["all", "some", "none"]:
            if name not in unnumeric:
                return "all"
            return "some" if name in numeric else "none"

        return [FieldSummary(name, counts[name], numbers(name)) for name in sorted(counts)]

    def aggregate(self, plan: Aggregate, *, where: Filter | None = None) -> Table:
        """Count, minimum, maximum or mean over the items that pass `where`; reads the fields of each of them."""
        check_plan(plan)
        condition = _items(where_json(where, self._texts))
        if plan == Aggregate("count"):
            return Table(((None, float(self._engine.count(condition))),))
        return evaluate(plan, (point.payload["fields"] for point in self._engine.scroll(condition, ("fields",))))

    def stats(self) -> StoreStats:
        """Size of the collection; a server does not tell how much disk it takes, which is 0 then."""
        vectors = bytes_memory = 0
        for point in self._engine.scroll({"must": [any_of("kind", ["space"])]}, ("fingerprint", "dim")):
            name = _vector_name(point.payload["fingerprint"])
            count = self._engine.count({"must": [{"has_vector": name}]})
            several = self._engine.scroll({"must": [{"has_vector": name + MANY}]}, (), (name + MANY,))
            count += sum(len(_rows(one.vectors[name + MANY])) for one in several)
            vectors += count
            bytes_memory += 4 * count * int(point.payload["dim"])
        items = self._engine.count(_items())
        parts = self._engine.count({"must": [any_of("kind", ["part"])]})
        return StoreStats(items, parts, vectors, bytes_memory, self._engine.bytes_disk(), self._engine.kind)

    def close(self) -> None:
        """Release the folder or the connection. What was written is already kept."""
        self._engine.close()

    def drop(self) -> None:
        """Delete the collection with everything in it, and close."""
        self._engine.drop()

    # -- pieces --------------------------------------------------------------------------------------------------------

    def _best(self, queries: Sequence[Sequence[tuple[str, Vector]]], k: int, condition: Json) -> list[list[PartHit]]:
        """The k best parts of each query, which is one or more (vector name, vector) whose results are joined."""
        results: list[list[PartHit]] = [[] for _ in queries]
        open_ones, limit = list(range(len(queries))), k + SPARE
        while open_ones:
            asked = [Nearest(using, vector, limit, condition) for i in open_ones for using, vector in queries[i]]
            answers = iter(self._engine.nearest(asked, ("part", "item")))
            still_open = []
            for i in open_ones:
                lists = [next(answers) for _ in queries[i]]
                ranked = sorted(
                    (PartHit(one.payload["part"], one.payload["item"], one.score) for found in lists for one in found),
                    key=lambda hit: (-hit.score, hit.part_id),
                )
                results[i] = ranked[:k]
                last_seen = [found[-1].score for found in lists if len(found) == limit]
                if last_seen and ranked[k - 1].score <= max(last_seen) + SLACK:
                    still_open.append(i)  # a tie could hide behind the last point seen
            open_ones, limit = still_open if limit < k + MOST_TIES else [], limit * 4
        return results

    def _parts(self, where: Filter | None, modalities: frozenset[Modality] | None) -> Json:
        """The condition on a part's point; only parts have vectors, so a search need not ask for the kind."""
        conditions = []
        if modalities is not None:
            conditions.append(any_of("modality", sorted(modalities)))
        if where is not None:
            conditions.append(where_json(where, self._texts))
        return {"must": conditions}

    def _texts(self, key: str) -> Iterable[str]:
        self._engine.make_index(key, "keyword")
        return self._engine.facet(key, _items())

    def _has_space(self, space: Space) -> bool:
        """Whether vectors of this space were ever written, by any client. Raises InputError for another dim."""
        if space.fingerprint not in self._dims:
            this = {"has_id": [point_id("space", space.fingerprint)]}
            for point in self._engine.scroll({"must": [this]}, ("dim",)):
                self._dims[space.fingerprint] = int(point.payload["dim"])
        dim = self._dims.get(space.fingerprint, space.dim)
        if dim != space.dim:
            raise InputError(f"vectors of {space.name!r} have {dim} numbers here, not {space.dim}")
        return space.fingerprint in self._dims

    def _make_space(self, space: Space) -> None:
        if self._has_space(space):
            return
        self._engine.make_vectors(_vector_name(space.fingerprint), space.dim)
        payload = {"kind": "space", "fingerprint": space.fingerprint, "name": space.name, "dim": space.dim}
        self._engine.upsert([Point(point_id("space", space.fingerprint), payload, {})])
        self._dims[space.fingerprint] = space.dim

    def _refuse_taken_parts(self, items: Sequence[Item]) -> None:
        owners = {part.id: item.id for item in items for part in item.parts}
        there = {"must": [{"has_id": [point_id("part", part) for part in owners]}]}
        ours = {item.id for item in items}
        for point in self._engine.scroll(there, ("part", "item")):
            if point.payload["item"] not in ours:
                raise InputError(
                    f"the part id {point.payload['part']!r} belongs to item {point.payload['item']!r} already"
                )


def embed_words(text: str, *, query: bool = False) -> Sparse:
    """BM25's side of one text as a sparse vector of its English stems; Qdrant adds the rarity of each word."""
    found = _bm25().embed_query(text) if query else _bm25().embed_document(text)
    return Sparse(list(found.indices), list(found.values))


@cache
def _bm25() -> Any:
    from qdrant_edge import Bm25, Bm25Config, StopwordsSet

    none = StopwordsSet()  # the stop words of a query are dropped by `words_of`
    return Bm25(Bm25Config(language="english", ascii_folding=True, stopwords=none, avg_len=AVERAGE_WORDS))


def _points_of(items: Sequence[Item], vectors: Sequence[PartVectors]) -> list[Point]:
    by_part: dict[str, dict[str, Vector]] = {}
    for one in vectors:
        name, rows = _vector_name(one.space.fingerprint), one.vectors.tolist()
        by_part.setdefault(one.part_id, {}).update({name: rows[0]} if len(rows) == 1 else {name + MANY: rows})
    found: list[Point] = []
    for item in items:
        head = points.item_payload(item)
        found.append(Point(point_id("item", item.id), head, {}))
        shared = points.searchable(item.fields)
        for position, part in enumerate(item.parts):
            named = dict(by_part.get(part.id, {}))
            if part.text is not None and (words := embed_words(part.text)).indices:
                named[WORDS] = words
            found.append(Point(point_id("part", part.id), points.part_payload(part, position, shared), named))
    return found


def _items(*conditions: Json) -> Json:
    return {"must": [any_of("kind", ["item"]), *conditions]}


def _vector_name(fingerprint: str) -> str:
    return point_id("space", fingerprint)  # a fingerprint may hold characters that a vector's name may not


def _rows(vector: Vector) -> list[Any]:
    return vector if isinstance(vector, list) else []
