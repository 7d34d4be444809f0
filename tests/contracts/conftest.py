"""Stores of every kind, opened in a folder of their own and removed in the end."""

from __future__ import annotations

import os
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from sightline.protocols import Store
from sightline.stores import open_store
from sightline.stores.faiss import FaissStore
from sightline.stores.faiss_build import Plan

URL = os.environ.get("QDRANT_URL")  # a real server joins the suite where there is one
SERVER = [pytest.param(f"qdrant:{URL}", marks=pytest.mark.network, id="server")] if URL else []
KINDS = [f"faiss {kind}" for kind in ("flat", "int8", "int4", "hnsw", "ivf-int8", "ivf-int4")]
KEPT = ["faiss", *KINDS, "qdrant", *SERVER]
ALL = [*KEPT, "qdrant::memory:"]


class Opener:
    """Opens stores of one kind, and removes them in the end."""

    def __init__(self, spec: str, folder: Path) -> None:
        self.spec, self._folder = spec, folder
        self._run = uuid.uuid4().hex[:8]  # a server is shared with others
        self._opened: list[tuple[str, Store]] = []

    def __call__(self, collection: str = "default") -> Store:
        store = self._open(self._folder / collection, self._named(collection))
        self._opened.append((collection, store))
        return store

    def _named(self, collection: str) -> str:
        return f"test-{self._run}-{collection}"

    def _open(self, folder: Path, name: str) -> Store:
        spec, _, kind = self.spec.partition(" ")
        if kind:  # an index from the first vector on, and beside it what came since
            return FaissStore(folder, plan=Plan(kind, build_from=1, background=False, promise=1.0))
        return open_store(spec, folder, collection=name)

    def finish(self) -> None:
        for _, store in self._opened:
            store.close()
        if "http" in self.spec:  # by a fresh connection, for a test may have closed its own
            for collection in {collection for collection, _ in self._opened}:
                self._open(self._folder / collection, self._named(collection)).drop()


@pytest.fixture(scope="module")
def memory() -> Iterator[Path]:
    """A folder in memory where the system has one: what is tested here is not the disk."""
    shm = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=shm if os.access(shm, os.W_OK) else None) as folder:
        yield Path(folder)


@pytest.fixture(autouse=True)
def codes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have every built index search by its codes, though each of these catalogs is small enough to score whole."""
    monkeypatch.setattr("sightline.stores.faiss_built.FEW", 0)


@pytest.fixture(params=ALL)
def opener(request: pytest.FixtureRequest, memory: Path) -> Iterator[Opener]:
    made = Opener(request.param, memory / uuid.uuid4().hex)
    yield made
    made.finish()


@pytest.fixture
def store(opener: Opener) -> Store:
    return opener()


@pytest.fixture(params=KEPT)
def kept(request: pytest.FixtureRequest, memory: Path) -> Iterator[Opener]:
    made = Opener(request.param, memory / uuid.uuid4().hex)
    yield made
    made.finish()
