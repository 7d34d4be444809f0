"""Qdrant by qdrant-client: a server or cluster at an address, or `:memory:` for tests of the client code.

Does not know what the points mean. Needs a server of version 1.18 or later; vectors are searched exactly until the
server builds a graph for them (its `indexing_threshold`), and approximately from then on.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
from qdrant_client import QdrantClient, models
from qdrant_client.http.exceptions import ApiException, ResponseHandlingException, UnexpectedResponse

from sightline.errors import ConfigError, EngineError, EngineTimeout, SightlineError
from sightline.remains import Remains, Tell
from sightline.stores.owned import OwnedElsewhere
from sightline.stores.qdrant import server_settings
from sightline.stores.qdrant.owner import Claim, Owner
from sightline.stores.qdrant.points import MANY, WORDS, Json, Kind, Nearest, Point, Sparse, Vector, point_id
from sightline.stores.qdrant.settings import CollectionSettings, keep, kept_by, search_params

PAGE = 1000  # points read or written in one request; a server takes 32 MB
MOST_VALUES = 1_000_000  # distinct values of one field that are looked at
TIMEOUT_S = 60
SETTLE_S = 2.0  # it takes a moment until a server begins
VACUUM_S = 300.0  # a server that takes longer to rewrite its segments goes on by itself
OLDEST = [1, 18]  # the first that takes new vector names into a collection
_OWNER = point_id("owner", "collection")
_SCHEMAS = {"keyword": models.PayloadSchemaType.KEYWORD, "float": models.PayloadSchemaType.FLOAT}


class ClientEngine:
    """One collection of a Qdrant server. What is `asked` of it holds from then on, for whoever opens it."""

    def __init__(
        self, location: str, collection: str, asked: CollectionSettings, *, claim: Claim | None = None
    ) -> None:
        """`claim`: of the folder that a server's collection is to belong to. Raises ConfigError."""
        self.place = location
        self._claim = claim
        self.settings = asked
        self._remote = location != ":memory:"
        if asked and not self._remote:
            raise ConfigError("a Qdrant in memory is for tests and has no settings")
        self._name = collection
        self._indexed: set[str] = set()
        self._client = self._connect(location)
        try:
            self._make_collection(asked)
        except SightlineError as exc:
            self._client.close()
            if isinstance(exc, ConfigError):
                raise
            raise ConfigError(f"no usable Qdrant server at {location}: {exc}") from exc

    @property
    def kind(self) -> str:
        if not self._remote:
            return "Qdrant in memory, exact"
        return self.settings.kind(f"Qdrant at {self.place}, collection {self._name}")

    @property
    def exact(self) -> bool:
        return not self._remote

    @property
    def takes_all_or_none(self) -> bool:
        return False

    def owner(self) -> Owner | None:
        """Whose the collection is; None where nobody has said so."""
        with self._errors():
            found, _ = self._client.scroll(self._name, scroll_filter=_filter({"has_id": [_OWNER]}), limit=1)
        return Owner.of(found[0].payload or {}) if found else None

    def give(self, to: Owner, *, over: str) -> None:
        """Let the collection be another's where it is nobody's or its word is `over`; else nothing happens."""
        with self._errors():
            if "word" not in self._indexed:
                self._client.create_payload_index(self._name, "word", _SCHEMAS["keyword"])
                self._indexed.add("word")
            given = models.PointStruct(id=_OWNER, vector={}, payload=to.to_json())
            same = _filter({"key": "word", "match": {"value": over}})
            self._client.upsert(self._name, [given], wait=True, update_filter=same)

    def make_vectors(self, name: str, dim: int) -> None:
        several = models.MultiVectorConfig(comparator=models.MultiVectorComparator.MAX_SIM)
        for full_name, multivector in ((name, None), (name + MANY, several)):
            dense = models.DenseVectorConfig(size=dim, distance=models.Distance.DOT, multivector_config=multivector)
            with self._ours(write=True):
                self._client.create_vector_name(self._name, full_name, models.DenseVectorNameConfig(dense=dense))
        if self.settings.on_disk is not None:  # a name is made without it
            places = server_settings.placed(self.settings.on_disk, [name, name + MANY])
            with self._ours(write=True):
                self._client.update_collection(self._name, vectors_config=places)

    def make_index(self, key: str, kind: Kind) -> None:
        if self._remote and key not in self._indexed:  # in memory there is nothing to index
            with self._ours(write=True):
                self._client.create_payload_index(self._name, key, _SCHEMAS[kind])
            self._indexed.add(key)

    def upsert(self, points: Sequence[Point]) -> None:
        given = [
            models.PointStruct(id=one.id, vector={k: _given(v) for k, v in one.vectors.items()}, payload=one.payload)
            for one in points
        ]
        for start in range(0, len(given), PAGE):
            with self._ours(write=True):
                self._client.upsert(self._name, given[start : start + PAGE], wait=True)

    def update_vectors(self, points: Sequence[Point]) -> None:
        given = [
            models.PointVectors(id=one.id, vector={k: _given(v) for k, v in one.vectors.items()}) for one in points
        ]
        for start in range(0, len(given), PAGE):
            with self._ours(write=True):
                self._client.update_vectors(self._name, given[start : start + PAGE], wait=True)

    def update_payload(self, id: str, payload: Json) -> None:
        with self._ours(write=True):
            self._client.set_payload(self._name, payload, [id], wait=True)

    def delete_vectors(self, filter: Json, names: Sequence[str]) -> None:
        with self._ours(write=True):
            self._client.delete_vectors(
                self._name, list(names), models.FilterSelector(filter=_filter(filter)), wait=True
            )

    def delete(self, filter: Json) -> None:
        with self._ours(write=True):
            self._client.delete(self._name, models.FilterSelector(filter=_filter(filter)), wait=True)

    def nearest(self, searches: Sequence[Nearest], payload: Sequence[str]) -> list[list[Point]]:
        requests = [
            models.QueryRequest(
                query=_given(one.vector),
                using=one.using,
                limit=one.limit,
                filter=_filter(one.filter),
                with_payload=list(payload),
                params=search_params(models, self.settings, exact=one.exact) if self._remote else None,
            )
            for one in searches
        ]
        with self._ours():
            found = self._client.query_batch_points(self._name, requests)
        return [[Point(str(one.id), one.payload or {}, {}, one.score) for one in row.points] for row in found]

    def scroll(self, filter: Json, payload: Sequence[str] | None, vectors: Sequence[str] = ()) -> Iterator[Point]:
        offset: Any = None
        while True:
            with self._ours():
                found, offset = self._client.scroll(
                    self._name,
                    scroll_filter=_filter(filter),
                    limit=PAGE,
                    offset=offset,
                    with_payload=True if payload is None else list(payload),
                    with_vectors=list(vectors) if vectors else False,
                )
            for one in found:
                yield Point(str(one.id), one.payload or {}, one.vector if isinstance(one.vector, dict) else {})
            if offset is None:
                return

    def count(self, filter: Json) -> int:
        with self._ours():
            return int(self._client.count(self._name, count_filter=_filter(filter), exact=True).count)

    def facet(self, key: str, filter: Json) -> dict[str, int]:
        with self._ours():
            found = self._client.facet(self._name, key, facet_filter=_filter(filter), limit=MOST_VALUES, exact=True)
        return {str(hit.value): hit.count for hit in found.hits}

    def copy(self, folder: Path) -> None:
        raise ConfigError(
            f"the collection is kept on {self.kind}, which has snapshots of its own "
            f"(POST /collections/{self._name}/snapshots); what any store reads back is written by: sightline export DIR"
        )

    def compact(self, vectors: Mapping[str, int], tell: Tell) -> None:
        """Have the server rewrite every segment that holds anything deleted, as far as its settings go."""
        if not self._remote:
            return
        with self._ours(write=True):
            before = self._client.get_collection(self._name).config.optimizer_config
            now, later = server_settings.vacuuming(before)
            self._client.update_collection(self._name, optimizers_config=now)
            try:
                started = time.monotonic()
                while (waited := time.monotonic() - started) < VACUUM_S:
                    tell("writing segments anew, on the server", 0, None)
                    told = self._client.get_collection(self._name).status
                    if told == models.CollectionStatus.GREEN and waited >= SETTLE_S:
                        break
                    time.sleep(min(0.2, SETTLE_S))
            finally:
                self._client.update_collection(self._name, optimizers_config=later)

    def remains(self, ids: Sequence[str]) -> Remains:
        if not self._remote:
            return Remains(unseen=("a Qdrant in memory keeps what was deleted in the memory of this process",))
        told = (
            f"what the Qdrant server at {self.place} still has on its disks, of deleted points in segments, logs, "
            f"replicas and snapshots, cannot be seen from here; certain is only a new collection, and this one "
            f"({self._name}) deleted"
        )
        return Remains(unseen=(told,))

    def bytes_disk(self) -> int:
        return 0

    def close(self, *, tidy: bool = True) -> None:
        self._client.close()

    def drop(self) -> None:
        """Delete the collection, if it still belongs to this folder, and close."""
        with contextlib.suppress(OwnedElsewhere), self._errors():
            if self._claim is not None and self._client.collection_exists(self._name):
                self._claim.check(self, write=True)
            self._client.delete_collection(self._name)
        self.close()

    def _connect(self, location: str) -> QdrantClient:
        if not self._remote:
            return QdrantClient(":memory:")
        if not location.startswith(("http://", "https://")):
            raise ConfigError(
                f"a Qdrant server is named by its address, such as http://localhost:6333, not {location!r}"
            )
        key = os.environ.get("QDRANT_API_KEY") or None
        with warnings.catch_warnings():
            if httpx.URL(location).host in ("localhost", "127.0.0.1", "::1"):  # where a key needs no TLS
                warnings.filterwarnings("ignore", "Api key is used with an insecure connection", UserWarning)
            return QdrantClient(url=location, api_key=key, timeout=TIMEOUT_S, check_compatibility=False)

    def _make_collection(self, asked: CollectionSettings) -> None:
        """Have the collection, with what is asked and what was asked before."""
        with self._errors():
            if self._remote:
                self._refuse_old(self._client.info().version)
            kept = CollectionSettings()
            info = self._client.get_collection(self._name) if self._client.collection_exists(self._name) else None
            if info is not None:
                self._indexed = set(info.payload_schema)
                self._make_claim()
                kept = kept_by(self)
            self.settings = asked.over(kept)
            changed = self.settings.changed(kept)
            if info is not None:
                self._change(changed, info.config.params)
            else:
                words = models.SparseVectorParams(modifier=models.Modifier.IDF)
                made = server_settings.creation(self.settings)
                self._client.create_collection(self._name, {}, sparse_vectors_config={WORDS: words}, **made)
                self._make_claim()
            if changed:
                keep(self, self.settings)

    def _make_claim(self) -> None:
        if self._claim is not None:
            self._claim.make(self)

    def _change(self, changed: CollectionSettings, params: models.CollectionParams) -> None:
        if changed.shards not in (None, params.shard_number):
            raise ConfigError(
                f"shards={changed.shards}: the collection {self._name!r} at {self.place} was made with "
                f"{params.shard_number}, and that cannot be changed; index into another collection"
            )
        vectors = list(params.vectors) if isinstance(params.vectors, dict) else []
        if told := server_settings.change(changed, self.settings, vectors):
            self._client.update_collection(self._name, **told)

    def _refuse_old(self, version: str) -> None:
        numbers = [int(digits) for digits in re.findall(r"\d+", version)[:2]]
        if numbers < OLDEST:
            raise ConfigError(f"the Qdrant server at {self.place} is version {version}; 1.18 or later is needed")

    @contextlib.contextmanager
    def _ours(self, *, write: bool = False) -> Iterator[None]:
        """Where the collection still belongs to the folder it was opened for."""
        with self._errors():
            if self._claim is not None:
                self._claim.check(self, write=write)
            yield

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (ApiException, httpx.HTTPError, ValueError, RuntimeError) as exc:
            raise _translated(exc, self.place) from exc


def _translated(exc: Exception, place: str) -> SightlineError:
    if isinstance(exc, ResponseHandlingException):
        if isinstance(exc.source, httpx.TimeoutException):
            return EngineTimeout(f"Qdrant at {place} did not answer within {TIMEOUT_S} s")
        return EngineError(f"Qdrant at {place} cannot be reached: {exc.source}")
    if isinstance(exc, UnexpectedResponse):
        if exc.status_code in (401, 403):
            return ConfigError(f"Qdrant at {place} refuses the key. Set QDRANT_API_KEY to one that it accepts.")
        return EngineError(
            f"Qdrant at {place} answered {exc.status_code}: {exc.content.decode(errors='replace')[:200]}"
        )
    return EngineError(f"Qdrant at {place} failed: {exc}")


def _given(vector: Vector) -> Any:
    return models.SparseVector(indices=vector.indices, values=vector.values) if isinstance(vector, Sparse) else vector


def _filter(data: Json) -> models.Filter:
    """Qdrant's JSON as this client's objects: always a filter, a bare condition wrapped in one."""
    plain = data.keys() <= {"must", "should", "must_not"}
    return models.Filter.model_validate(data if plain else {"must": [data]})
