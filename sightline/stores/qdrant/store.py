"""The `qdrant` store: items, parts, vectors and words as points of one Qdrant collection.

Does not know whether Qdrant runs in this process or on a server. Words are ranked by Qdrant's sparse vectors with
inverse document frequency: BM25 with a constant for the average length, since no client can know the true one, so long
and short passages weigh a little differently than in the `faiss` store.

An upsert is noted with the collection while it is under way. Killed in between, the note is there for the next to open
the folder, or to write on a server, who finishes what it says (`underway`).
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any, Literal

import numpy as np

from sightline.certificate import Certificate
from sightline.errors import InputError
from sightline.filters import Filter
from sightline.remains import Remains, Tell, silent
from sightline.stores.aggregates import check_plan, evaluate
from sightline.stores.chance import winning
from sightline.stores.checks import check_added, check_k, check_upsert, check_vectors
from sightline.stores.qdrant import certifying, points, removed, underway
from sightline.stores.qdrant.moment import QdrantMoment
from sightline.stores.qdrant.points import MANY, WORDS, Engine, Json, Point, Vector, point_id, vector_name
from sightline.stores.qdrant.ranking import Chances, best
from sightline.stores.qdrant.where import any_of, where_json
from sightline.stores.qdrant.writing import boxes_payload, embed_words, in_requests, named_vectors, points_of
from sightline.stores.words import words_of
from sightline.types import (
    Aggregate,
    Box,
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

_INDEXED = ("kind", "item", "names", "numeric", "unnumeric", "digest", "modality")


class QdrantStore:
    """One collection in Qdrant. Safe to share between threads.

    Embedded, a folder is open in one process at a time; on a server, several may read and write.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._writing = threading.Lock()
        self._spoken: certifying.Spoken = lambda space: None
        self._chances = Chances(engine)
        self._dims: dict[str, int] = {}  # fingerprint -> dim, of the spaces ever seen; others may forget them meanwhile
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
            for some in in_requests(items):
                parts = {part.id for item in some for part in item.parts}
                self._upsert(some, [one for one in vectors if one.part_id in parts])

    def delete(self, ids: Sequence[str]) -> int:
        """Remove items by id; how many there were."""
        with self._writing:
            self._finish()  # else what was put aside of one of them would come back
            count = self._engine.count(_items(any_of("item", ids)))
            removed.note(self._engine, {"must": [any_of("item", ids)]})
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
        name = vector_name(space.fingerprint)
        found: dict[str, Vectors] = {}
        for point in self._engine.scroll(any_of("digest", digests), ("kind", "digest"), (name, name + MANY)):
            rows = points.rows_of(point.vectors, space.fingerprint)
            if point.payload["kind"] == "part" and rows:
                found.setdefault(point.payload["digest"], np.asarray(rows, np.float32))
        return found

    def boxes(self, space: Space, digests: Sequence[str]) -> dict[str, tuple[Box, ...]]:
        """digest -> where in the part its vectors after the first are of."""
        if not self._has_space(space):
            return {}
        key, name = points.boxes_key(space.fingerprint), vector_name(space.fingerprint) + MANY
        found = self._engine.scroll({"must": [any_of("digest", digests), {"has_vector": name}]}, ("digest", key))
        boxes = {one.payload["digest"]: points.boxes_of(one.payload, space.fingerprint) for one in found}
        return {digest: some for digest, some in boxes.items() if some}

    def places(self, space: Space, query: Vectors, digests: Sequence[str]) -> dict[str, Box]:
        """digest -> the box of the region by which its part scores for (1, dim)."""
        check_vectors(space, query)
        boxes = self.boxes(space, digests)
        known = self.known(space, list(boxes)) if boxes else {}
        return winning(known, boxes, query[0], self._chances.less(space, query)[0]) if boxes else {}

    def unembedded(self, space: Space) -> list[str]:
        """Ids of the parts of the space's modalities that have no vector in it, ascending."""
        wanted: Json = {"must": [any_of("kind", ["part"]), any_of("modality", sorted(space.modalities))]}
        if self._has_space(space):
            name = vector_name(space.fingerprint)
            wanted["must_not"] = [{"has_vector": name}, {"has_vector": name + MANY}]
        found = self._engine.scroll(wanted, ("part", "modality", "text"))
        return sorted(
            one.payload["part"] for one in found if one.payload["modality"] == "image" or one.payload.get("text")
        )

    def add_vectors(self, vectors: Sequence[PartVectors]) -> None:
        """Give parts that are there vectors in one more space. Killed in between, a part may keep those it had, too."""
        check_added(vectors)
        with self._writing:
            self._finish()
            spaces = self._make_spaces(vectors)
            ids = {"has_id": [point_id("part", one.part_id) for one in vectors]}
            keys = {points.boxes_key(one.space.fingerprint) for one in vectors}
            there = {one.payload["part"]: one.payload for one in self._engine.scroll({"must": [ids]}, ("part", *keys))}
            given = [one for one in vectors if one.part_id in there]
            going = {"must": [ids, removed.having(one.space.fingerprint for one in given)]}
            self._engine.upsert([*spaces, *(removed.going(self._engine, going) if given else [])])
            if not given:
                return
            self._chances.forget()
            boxed = [one for one in given if one.boxes or points.boxes_of(there[one.part_id], one.space.fingerprint)]
            for one in boxed:  # none at all while the vectors change: a kill leaves no wrong ones
                self._engine.update_payload(point_id("part", one.part_id), boxes_payload(replace(one, boxes=())))
            self._engine.update_vectors([Point(point_id("part", one.part_id), {}, named_vectors(one)) for one in given])
            for one in boxed:
                self._engine.update_payload(point_id("part", one.part_id), boxes_payload(one))
            for one in given:  # of one vector, of several, or of both: the other form, if it had that
                name = vector_name(one.space.fingerprint)
                for other in {name, name + MANY} - named_vectors(one).keys():
                    had = {"must": [{"has_id": [point_id("part", one.part_id)]}, {"has_vector": other}]}
                    if self._engine.count(had):
                        self._engine.delete_vectors(had, [other])

    def spaces(self) -> list[str]:
        """Fingerprints of the spaces that vectors were written in."""
        found = self._engine.scroll({"must": [any_of("kind", ["space"])]}, ("fingerprint",))
        return sorted(one.payload["fingerprint"] for one in found)

    def forget_space(self, fingerprint: str) -> None:
        """Remove all vectors of a space; its place in Qdrant's settings stays, empty."""
        with self._writing:
            self._finish()
            name = vector_name(fingerprint)
            for one in (name, name + MANY):
                if self._engine.count(having := {"must": [{"has_vector": one}]}):
                    removed.note(self._engine, having)
                    self._engine.delete_vectors(having, [one])
            gone = [certifying.place(fingerprint), point_id("space", fingerprint)]
            self._engine.delete({"must": [{"has_id": gone}]})  # last: killed before, the space is still told, and asked
            self._dims.pop(fingerprint, None)

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
        name, less = vector_name(space.fingerprint), self._chances.less(space, vectors)
        condition = self._parts(where, modalities)
        rows = zip(vectors.tolist(), less, strict=True)
        return best(self._engine, [[(name, row, 0.0), (name + MANY, [row], by)] for row, by in rows], k, condition)

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
        return best(self._engine, [[(WORDS, sparse, 0.0)]], k, self._parts(where, modalities))[0]

    def verify(self, space: Space, probes: Mapping[Modality, Vectors] | None = None) -> list[Certificate]:
        """Measure recall@10 of this store's searches against Qdrant's own exact search, by kind of query; keep it.

        `probes`: (q, dim) queries by kind ("text", "image"); without them stored vectors are asked, and a kind of query
        that has none is not measured.
        """
        name = vector_name(space.fingerprint)
        if not self._has_space(space):
            return []

        def search(vectors: Vectors, k: int, modality: Modality, exact: bool) -> list[list[PartHit]]:
            rows = [[(name, row, 0.0), (name + MANY, [row], 0.0)] for row in vectors.tolist()]
            return best(self._engine, rows, k, self._parts(None, frozenset({modality})), exact=exact)

        told = certifying.certify(self._engine, space, name, probes or {}, search, spoken=self._spoken)
        with self._writing:
            certifying.keep(self._engine, space, told)
        return told

    def ask_by(self, spoken: certifying.Spoken) -> None:
        """Who makes text queries to measure by, where none were handed in and no texts are stored."""
        self._spoken = spoken

    def certificates(self) -> list[Certificate]:
        """What `verify` last measured, each with the number of vectors there are `now`."""
        return certifying.kept(self._engine)

    def texts(self, k: int) -> Iterator[str]:
        """What k parts say that have a text."""
        check_k(k)
        said = self._engine.scroll({"must": [any_of("kind", ["part"])]}, ("text",))
        yield from islice((one.payload["text"] for one in said if one.payload.get("text")), k)

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

    @contextlib.contextmanager
    def moment(self) -> Iterator[QdrantMoment]:
        """The collection as it is now, until the block is left; writes of this process wait."""
        with self._writing:
            self._finish()
            yield QdrantMoment(self._engine, self._texts)

    def stats(self) -> StoreStats:
        """Size of the collection; a server does not tell how much disk it takes, which is 0 then."""
        vectors = bytes_memory = 0
        for point in self._engine.scroll({"must": [any_of("kind", ["space"])]}, ("fingerprint", "dim")):
            name = vector_name(point.payload["fingerprint"])
            count = self._engine.count({"must": [{"has_vector": name}]})
            several = self._engine.scroll({"must": [{"has_vector": name + MANY}]}, (), (name + MANY,))
            count += sum(len(_rows(one.vectors[name + MANY])) for one in several)
            vectors += count
            bytes_memory += 4 * count * int(point.payload["dim"])
        items = self._engine.count(_items())
        parts = self._engine.count({"must": [any_of("kind", ["part"])]})
        why = f"asked for: {self._engine.settings}" if self._engine.settings else ""
        return StoreStats(
            items, parts, vectors, bytes_memory, self._engine.bytes_disk(), self._engine.kind,
            why=why, removed=removed.count(self._engine),
        )  # fmt: skip

    def compact(self, *, tell: Tell = silent) -> Remains:
        """Remove for good what was deleted or replaced; of a server, as far as it can be told to."""
        with self._writing:
            self._finish()
            return removed.compact(self._engine, tell)

    def remains(self, ids: Sequence[str] = ()) -> Remains:
        """What deleted and replaced things have left behind, as far as it can be seen from here."""
        return removed.remains(self._engine, ids)

    def close(self, *, tidy: bool = True) -> None:
        """Release the folder or the connection. What was written is already kept; a graph is built if `tidy`."""
        self._engine.close(tidy=tidy)

    def drop(self) -> None:
        """Delete the collection with everything in it, and close."""
        self._engine.drop()

    def finish(self) -> None:
        """Finish the upsert in which a process was killed. Whoever calls this must be the only one to write."""
        with self._writing:
            self._finish()

    # -- pieces --------------------------------------------------------------------------------------------------------

    def _upsert(self, items: Sequence[Item], vectors: Sequence[PartVectors]) -> None:
        self._finish()
        if any(one.boxes for one in vectors):
            self._chances.forget()
        spaces, fresh = self._make_spaces(vectors), points_of(items, vectors)
        for key, kind in {key: kind for point in fresh for key, kind in points.indexes(point.payload).items()}.items():
            self._engine.make_index(key, kind)
        ids = [item.id for item in items]
        aside = underway.put_aside(self._engine, fresh)
        going = removed.going(self._engine, {"must": [any_of("item", ids)]}, more=aside)
        underway.write(self._engine, ids, spaces=spaces, going=going, fresh=fresh)

    def _finish(self) -> None:
        underway.finish(self._engine)

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
        """Whether there is room for vectors of this space, by any client. Raises InputError for another dim."""
        if space.fingerprint not in self._dims:
            this = {"has_id": [point_id("space", space.fingerprint)]}
            for point in self._engine.scroll({"must": [this]}, ("dim",)):
                self._dims[space.fingerprint] = int(point.payload["dim"])
        dim = self._dims.get(space.fingerprint, space.dim)
        if dim != space.dim:
            raise InputError(f"vectors of {space.name!r} have {dim} numbers here, not {space.dim}")
        return space.fingerprint in self._dims

    def _make_spaces(self, vectors: Sequence[PartVectors]) -> list[Point]:
        """Room for the spaces of some vectors, and the points that tell of them, to be written before the vectors.

        They are written each time, since another client may have forgotten a space that this one has seen.
        """
        found = []
        for space in {one.space.fingerprint: one.space for one in vectors}.values():
            if not self._has_space(space):
                self._engine.make_vectors(vector_name(space.fingerprint), space.dim)
                self._dims[space.fingerprint] = space.dim
            payload = {"kind": "space", "fingerprint": space.fingerprint, "name": space.name, "dim": space.dim}
            found.append(Point(point_id("space", space.fingerprint), payload, {}))
        return found

    def _refuse_taken_parts(self, items: Sequence[Item]) -> None:
        owners = {part.id: item.id for item in items for part in item.parts}
        there = {"must": [{"has_id": [point_id("part", part) for part in owners]}]}
        ours = {item.id for item in items}
        for point in self._engine.scroll(there, ("part", "item")):
            if point.payload["item"] not in ours:
                raise InputError(
                    f"the part id {point.payload['part']!r} belongs to item {point.payload['item']!r} already"
                )


def _items(*conditions: Json) -> Json:
    return {"must": [any_of("kind", ["item"]), *conditions]}


def _rows(vector: Vector) -> list[Any]:
    return vector if isinstance(vector, list) else []
