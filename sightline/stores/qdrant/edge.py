"""Qdrant embedded in this process by qdrant-edge-py: the same Rust engine as a server's, over one folder.

Does not know what the points mean. A folder is open in one process at a time. Vectors are searched exactly.
"""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import qdrant_edge as edge

from sightline.disk import make_folder, move, sync
from sightline.errors import ConfigError, EngineError
from sightline.stores.qdrant.points import MANY, WORDS, Json, Kind, Nearest, Point, Sparse, Vector

PAGE = 1000  # points read at a time
FLUSH_EVERY_S = 5.0  # as a server does; it costs 0.1-0.5 s. What was written since is in the log, on disk, and replayed
MOST_VALUES = 1_000_000  # distinct values of one field that are looked at
SPARE_BYTES = 128_000_000  # it maps files of 32 MB; where the disk has no room for one, the system kills the process
_SCHEMAS = {"keyword": edge.PayloadSchemaType.Keyword, "float": edge.PayloadSchemaType.Float}


class EdgeEngine:
    """One Qdrant collection in a folder of this machine."""

    kind = "Qdrant embedded, exact"

    def __init__(self, folder: Path) -> None:
        self.place = str(folder.parent)
        self._folder = folder
        self._shard: Any = None
        self._flushed = time.monotonic()
        try:
            make_folder(folder.parent)
        except OSError as exc:
            raise ConfigError(f"cannot use the folder {folder.parent}: {exc.strerror}") from exc
        if not folder.exists():
            _refuse_full(folder)
        try:
            if not folder.exists():
                _create(folder)
            self._shard = edge.EdgeShard.load(str(folder))
            self._shard.optimize()  # tidies up what an unclean stop left behind; nothing to do after a clean one
            self._indexed = set(self._shard.info().payload_schema)
        except Exception as exc:
            raise _translated(exc, self.place) from exc

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
                params=edge.SearchParams(exact=True) if one.exact else None,
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

    def bytes_disk(self) -> int:
        return sum(path.stat().st_blocks * 512 for path in self._folder.rglob("*") if path.is_file())

    def close(self) -> None:
        if self._shard is not None:
            shard, self._shard = self._shard, None
            shard.close()

    def drop(self) -> None:
        self.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _update(self, operation: Any) -> None:
        _refuse_full(self._folder)
        with self._errors() as shard:
            shard.update(operation)  # in the log, which survives the death of this process
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
        if self._shard is None:
            raise EngineError(f"the store in {self.place} is closed")
        try:
            yield self._shard
        except Exception as exc:
            raise _translated(exc, self.place) from exc


def _refuse_full(folder: Path) -> None:
    """Raise EngineError while there is still room to say so."""
    if shutil.disk_usage(folder.parent).free < SPARE_BYTES:
        least = f"{SPARE_BYTES // 1_000_000} MB"
        raise EngineError(f"the disk of {folder.parent} is full: an embedded Qdrant needs {least} of it free")


def _create(folder: Path) -> None:
    """Make the collection beside its place and move it there whole, so that a kill leaves no half of one."""
    words = edge.EdgeSparseVectorParams(modifier=edge.Modifier.Idf)
    exact = edge.EdgeOptimizersConfig(indexing_threshold=2**40)  # KB of vectors from which a graph would be built
    new = folder.with_name(folder.name + ".new")
    shutil.rmtree(new, ignore_errors=True)
    edge.EdgeShard.create(str(new), edge.EdgeConfig(sparse_vectors={WORDS: words}, optimizers=exact)).close()
    for path in (new, *new.rglob("*")):
        sync(path)
    move(new, folder)


def _translated(exc: Exception, place: str) -> ConfigError | EngineError:
    text = str(exc)
    if "WouldBlock" in text:
        return ConfigError(f"{place} is open in another process: an embedded Qdrant serves one process at a time")
    return EngineError(f"Qdrant in {place} failed: {text.splitlines()[0]}")


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
