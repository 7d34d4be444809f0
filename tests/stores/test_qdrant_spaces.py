"""Spaces of one Qdrant collection that several processes write: each a store of its own over one engine."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sightline.stores.qdrant.client import ClientEngine
from sightline.stores.qdrant.points import vector_name
from sightline.stores.qdrant.settings import CollectionSettings
from sightline.stores.qdrant.store import QdrantStore
from sightline.types import PartVectors
from tests.contracts.catalogs import OTHER, SPACE, pictures, unit


class Killed(BaseException):
    """Stands for the death of a process."""


@pytest.fixture
def engine() -> Iterator[ClientEngine]:
    made = ClientEngine(":memory:", "c", CollectionSettings())
    yield made
    made.close()


def killed(*_: object) -> None:
    raise Killed


def fill_other(store: QdrantStore, n: int) -> None:
    rows = unit(n, seed=5, dim=OTHER.dim)
    store.add_vectors([PartVectors(one.part_id, OTHER, rows[i : i + 1]) for i, one in enumerate(pictures(n)[1])])


@pytest.mark.parametrize("at", ["delete", "delete_vectors"])
def test_a_space_half_forgotten_is_still_told_and_forgotten_later(
    engine: ClientEngine, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    items, vectors, _ = pictures(5)
    store = QdrantStore(engine)
    store.upsert(items, vectors)
    fill_other(store, 5)
    with monkeypatch.context() as patched:
        patched.setattr(engine, at, killed)
        with pytest.raises(Killed):
            store.forget_space(SPACE.fingerprint)
    again = QdrantStore(engine)
    assert SPACE.fingerprint in again.spaces()
    for fingerprint in again.spaces():
        if fingerprint != OTHER.fingerprint:
            again.forget_space(fingerprint)
    assert again.spaces() == [OTHER.fingerprint]
    assert engine.count({"must": [{"has_vector": vector_name(SPACE.fingerprint)}]}) == 0
    assert again.stats().vectors == 5


def test_vectors_that_no_space_tells_of_are_removed_when_asked_by_name(engine: ClientEngine) -> None:
    """What an earlier version left behind when it was killed."""
    items, vectors, _ = pictures(3)
    store = QdrantStore(engine)
    store.upsert(items, vectors)
    engine.delete({"must": [{"key": "kind", "match": {"value": "space"}}]})
    store.forget_space(SPACE.fingerprint)
    assert engine.count({"must": [{"has_vector": vector_name(SPACE.fingerprint)}]}) == 0


def test_a_certificate_says_when_it_is_of_other_vectors_than_there_are(engine: ClientEngine) -> None:
    items, vectors, _ = pictures(40)
    store = QdrantStore(engine)
    store.upsert(items[:30], vectors[:30])
    assert store.verify(SPACE)[0].holds is True
    assert [one.now for one in store.certificates()] == [30]
    store.upsert(items[30:], vectors[30:])
    assert store.certificates()[0].told().endswith("when there were 30 vectors of the encoder, now 40")
