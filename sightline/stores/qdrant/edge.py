"""Qdrant embedded in this process by qdrant-edge-py: the same Rust engine as a server's, over one folder.

Does not know what the points mean. A folder is open in one process at a time. Vectors are searched exactly.
"""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import qdrant_edge as edge

from sightline.disk import copy_tree, make_folder, move, room, sync, sync_tree
from sightline.errors import ConfigError, EngineError, SightlineError
from sightline.remains import Remains, Tell
from sightline.stores.gate import Gate
from sightline.stores.qdrant import edge_compact, edge_settings
from sightline.stores.qdrant.points import MANY, Json, Kind, Nearest, Point, Sparse, Vector
from sightline.stores.qdrant.settings import CollectionSettings, keep, kept_by, search_params

PAGE = 1000  # points read at a time
FLUSH_EVERY_S = 5.0  # as a server does; it costs 0.1-0.5 s. What was written since is in the log, on disk, and replayed
MOST_VALUES = 1_000_000  # distinct values of one field that are looked at
SPARE_BYTES = 128_000_000  # it maps files of 32 MB; where the disk has no room for one, the system kills the process
_SCHEMAS = {"keyword": edge.PayloadSchemaType.Keyword, "float": edge.PayloadSchemaType.Float}


class EdgeEngine:
    """One Qdrant collection in a folder of this machine. What is `asked` of it holds from then on."""

    def __init__(self, folder: Path, asked: CollectionSettings, *, guarded: bool = True) -> None:
        """`guarded`: no other process may open it meanwhile; not where the caller holds the guard of what it is for."""
        self.place = str(folder.parent)
        self._folder = folder
        self._shard: Any = None
        self._flushed = time.monotonic()
        self._wrote = False
        self._gate = Gate()
        self._guard = contextlib.ExitStack()
        try:
            make_folder(folder.parent)
        except OSError as exc:
            raise ConfigError(f"cannot use the folder {folder.parent}: {exc.strerror}") from exc
        if not folder.exists():
            _refuse_full(folder)
        try:
            if guarded:  # before a file is touched: Qdrant's own lock comes after it has mended its files
                self._guard.enter_context(edge_compact.alone(folder))
            edge_compact.recover(folder)
            if not folder.exists():
                _create(folder)
            self._shard = edge.EdgeShard.load(str(folder))
            self.settings = self._agreed(asked)
            self._shard.optimize()  # what an unclean stop left behind, or settings ask for; else nothing to do
            self._indexed = set(self._shard.info().payload_schema)
            self._wrote = False
        except BaseException as exc:
            self._wrote = False
            self.close()
            if isinstance(exc, SightlineError) or not isinstance(exc, Exception):
                raise
            raise _translated(exc, self.place) from exc

    @property
    def kind(self) -> str:
        return self.settings.kind("Qdrant embedded, exact" if self.exact else "Qdrant embedded")

    @property
    def exact(self) -> bool:
        return edge_settings.threshold(self.settings) == edge_settings.NEVER

    @property
    def takes_all_or_none(self) -> bool:
        return True  # it is one entry of the log

    def make_vectors(self, name: str, dim: int) -> None:
        several = edge.MultiVectorConfig(edge.MultiVectorComparator.MaxSim)
        self._update(edge.UpdateOperation.create_dense_vector(name, dim, edge.Distance.Dot))
        self._update(edge.UpdateOperation.create_dense_vector(name + MANY, dim, edge.Distance.Dot, several))

    def make_index(self, key: str, kind: Kind) -> None:
        if key not in self._indexed:
            self._update(edge.UpdateOperation.create_field_index(key, _SCHEMAS[kind]))
            self._indexed.add(key)

    def upsert(self, points: Sequence[Point]) -> None:
        given = [edge.Point(one.id, {k: _given(v) for k, v in one.vectors.items()}, one.payload) for one in points]
        self._update(edge.UpdateOperation.upsert_points(given))

    def update_vectors(self, points: Sequence[Point]) -> None:
        given = [edge.PointVectors(one.id, {k: _given(v) for k, v in one.vectors.items()}) for one in points]
        self._update(edge.UpdateOperation.update_vectors(given))

    def update_payload(self, id: str, payload: Json) -> None:
        self._update(edge.UpdateOperation.set_payload([id], payload))

    def delete_vectors(self, filter: Json, names: Sequence[str]) -> None:
        self._update(edge.UpdateOperation.delete_vectors_by_filter(_filter(filter), list(names)))

    def delete(self, filter: Json) -> None:
        self._update(edge.UpdateOperation.delete_points_by_filter(_filter(filter)))

    def nearest(self, searches: Sequence[Nearest], payload: Sequence[str]) -> list[list[Point]]:
        requests = [
            edge.QueryRequest(
                one.limit,
                query=edge.Query.Nearest(_given(one.vector), using=one.using),
                filter=_filter(one.filter),
                with_payload=list(payload),
                params=search_params(edge, self.settings, exact=one.exact),
            )
            for one in searches
        ]
        with self._errors() as shard:
            found = shard.query_batch(edge.QueryBatchRequest(requests))
        return [[Point(str(one.id), one.payload, {}, one.score) for one in row] for row in found]

    def scroll(self, filter: Json, payload: Sequence[str] | None, vectors: Sequence[str] = ()) -> Iterator[Point]:
        offset = None
        while True:
            request = edge.ScrollRequest(
                offset=offset,
                limit=PAGE,
                filter=_filter(filter),
                with_payload=True if payload is None else list(payload),
                with_vector=list(vectors) if vectors else False,
            )
            with self._errors() as shard:
                found, offset = shard.scroll(request)
            for one in found:
                yield Point(str(one.id), one.payload or {}, _taken(one.vector))
            if offset is None:
                return

    def count(self, filter: Json) -> int:
        with self._errors() as shard:
            return int(shard.count(edge.CountRequest(exact=True, filter=_filter(filter))))

    def facet(self, key: str, filter: Json) -> dict[str, int]:
        request = edge.FacetRequest(key, limit=MOST_VALUES, exact=True, filter=_filter(filter))
        with self._errors() as shard:
            return {hit.value: hit.count for hit in shard.facet(request).hits}

    def copy(self, folder: Path) -> None:
        with self._errors() as shard:
            shard.flush()
            copy_tree(self._folder, folder / self._folder.name)
            sync_tree(folder)

    def bytes_disk(self) -> int:
        return room(self._folder)

    def compact(self, vectors: Mapping[str, int], tell: Tell) -> None:
        _refuse_full(self._folder, more=self.bytes_disk())
        place = edge_compact.fresh(self._folder)
        try:
            shutil.rmtree(place, ignore_errors=True)
            copy = EdgeEngine(place, self.settings, guarded=False)
            try:
                self._copy_points(copy, vectors, tell)
            finally:
                copy.close()
            sync_tree(place)
            with self._gate.write():
                self._change_over()
            edge_compact.clear(self._folder)
        except OSError as exc:
            raise EngineError(f"cannot compact {self._folder}: {exc.strerror}. Nothing was changed.") from exc

    def remains(self, ids: Sequence[str]) -> Remains:
        return edge_compact.remains(self._folder, ids)

    def close(self, *, tidy: bool = True) -> None:
        shard, self._shard = self._shard, None
        with self._guard:
            if shard is None:
                return
            try:
                if tidy and self._wrote and not self.exact and _has_room(self._folder, more=self.bytes_disk()):
                    shard.optimize()  # codes and a graph for what came since it was opened, else at the next opening
            except Exception as exc:
                raise _translated(exc, self.place) from exc
            finally:
                shard.close()

    def drop(self) -> None:
        self.close(tidy=False)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _copy_points(self, copy: EdgeEngine, vectors: Mapping[str, int], tell: Tell) -> None:
        """Write every point as it is now into an empty collection."""
        for name, dim in vectors.items():
            copy.make_vectors(name, dim)
        with self._errors() as shard:
            info = shard.info()
        for key, kept in info.payload_schema.items():
            if kept.points or "." not in key:  # else it is a field that only deleted items had
                copy.make_index(key, "float" if kept.data_type == _SCHEMAS["float"] else "keyword")
        offset, done = None, 0
        while True:
            request = edge.ScrollRequest(offset=offset, limit=PAGE, with_payload=True, with_vector=True)
            with self._errors() as shard:
                found, offset = shard.scroll(request)
            if found:
                given = [edge.Point(one.id, _named(one.vector), one.payload or {}) for one in found]
                copy._update(edge.UpdateOperation.upsert_points(given))
            done += len(found)
            tell("writing every point anew", done, info.points_count)
            if offset is None:
                return

    def _change_over(self) -> None:
        """Open the copy in place of what is open; searches wait for that long. Goes back where it fails."""
        shard, self._shard = self._shard, None
        shard.close()
        try:
            edge_compact.change_over(self._folder)
        finally:
            if not self._folder.exists():
                edge_compact.recover(self._folder)
            self._shard = edge.EdgeShard.load(str(self._folder))
            self._indexed = set(self._shard.info().payload_schema)

    def _agreed(self, asked: CollectionSettings) -> CollectionSettings:
        """What was asked before with what is asked now, which Qdrant is told; it keeps to it by itself from then on."""
        kept = kept_by(self)
        edge_settings.refuse(asked, kept)
        agreed = asked.over(kept)
        if agreed.changed(kept):
            self._shard.close()
            self._shard = edge.EdgeShard.load(str(self._folder), edge_settings.config(agreed))
            keep(self, agreed)  # last: after a kill it is told again
        return agreed

    def _update(self, operation: Any) -> None:
        _refuse_full(self._folder)
        with self._errors() as shard:
            shard.update(operation)  # in the log, which survives the death of this process
            self._wrote = True
            self._sync_log()
            if time.monotonic() - self._flushed > FLUSH_EVERY_S:
                shard.flush()
                self._flushed = time.monotonic()

    def _sync_log(self) -> None:
        """Put the log on disk: Qdrant maps its files, and would leave that to the system for many seconds."""
        log = self._folder / "wal"
        for path in sorted(log.iterdir()):
            if path.is_file():
                sync(path)
        sync(log)

    @contextlib.contextmanager
    def _errors(self) -> Iterator[Any]:
        with self._gate.read():
            if self._shard is None:
                raise EngineError(f"the store in {self.place} is closed")
            try:
                yield self._shard
            except Exception as exc:
                raise _translated(exc, self.place) from exc


def _has_room(folder: Path, *, more: int = 0) -> bool:
    return shutil.disk_usage(folder.parent).free >= SPARE_BYTES + more


def _refuse_full(folder: Path, *, more: int = 0) -> None:
    """Raise EngineError while there is still room to say so. `more` bytes than for a write are needed."""
    if not _has_room(folder, more=more):
        least = f"{(SPARE_BYTES + more) // 1_000_000:,} MB"
        raise EngineError(f"the disk of {folder.parent} is full: an embedded Qdrant needs {least} of it free")


def _create(folder: Path) -> None:
    """Make the collection beside its place and move it there whole, so that a kill leaves no half of one."""
    new = folder.with_name(folder.name + ".new")
    shutil.rmtree(new, ignore_errors=True)
    edge.EdgeShard.create(str(new), edge_settings.config(CollectionSettings())).close()
    sync_tree(new)
    move(new, folder)


def _translated(exc: Exception, place: str) -> ConfigError | EngineError:
    text = str(exc)
    return EngineError(f"Qdrant in {place} failed: {text.splitlines()[0]}")


def _named(vectors: Any) -> dict[str, Any]:
    """Vectors as they were read, to be written again."""
    return vectors if isinstance(vectors, dict) else {}


def _given(vector: Vector) -> Any:
    return edge.SparseVector(vector.indices, vector.values) if isinstance(vector, Sparse) else vector


def _taken(vectors: Any) -> dict[str, Vector]:
    return (
        {} if not isinstance(vectors, dict) else {name: one for name, one in vectors.items() if isinstance(one, list)}
    )


def _filter(data: Json) -> edge.Filter:
    """Qdrant's JSON as this engine's objects: always a filter, a bare condition wrapped in one."""
    if not data.keys() <= {"must", "should", "must_not"}:
        data = {"must": [data]}
    clauses: dict[str, Any] = {clause: [_condition(one) for one in parts] for clause, parts in data.items()}
    return edge.Filter(**clauses)


def _condition(data: Json) -> Any:
    match data:
        case {"has_id": ids}:
            return edge.HasIdCondition(set(ids))
        case {"has_vector": name}:
            return edge.HasVectorCondition(name)
        case {"key": key, "match": {"value": value}}:
            return edge.FieldCondition(key, match=edge.MatchValue(value))
        case {"key": key, "match": {"any": values}}:
            return edge.FieldCondition(key, match=edge.MatchAny(values))
        case {"key": key, "range": limits}:
            return edge.FieldCondition(key, range=edge.RangeFloat(**limits))
        case _:
            return _filter(data)
