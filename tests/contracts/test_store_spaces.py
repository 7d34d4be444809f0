"""Several spaces beside each other, one filled while another is searched: on every store."""

from __future__ import annotations

import numpy as np
import pytest

from sightline.errors import InputError
from sightline.protocols import Store
from sightline.stores.qdrant.store import QdrantStore
from sightline.types import PartVectors, Space
from tests.contracts.catalogs import OTHER, SPACE, found, item, pictures, unit
from tests.contracts.conftest import Opener

SHELF = item("mug", ("image-0", "image", None), ("title", "text", "old kettle"), ("fields", "fields", "p: 5"), price=5)


def test_a_part_without_a_vector_in_a_space_is_told(store: Store) -> None:
    rows = unit(2)
    store.upsert([SHELF], [PartVectors("mug#image-0", SPACE, rows[:1])])
    assert store.unembedded(SPACE) == ["mug#title"]
    assert store.unembedded(OTHER) == ["mug#image-0", "mug#title"]
    texts_alone = Space("texts", SPACE.dim, "t" * 64, frozenset({"text"}))
    assert store.unembedded(texts_alone) == ["mug#title"]
    store.add_vectors([PartVectors("mug#title", SPACE, rows[1:])])
    assert store.unembedded(SPACE) == []


def test_a_second_space_is_filled_beside_the_first(store: Store) -> None:
    items, vectors, rows = pictures(6)
    store.upsert(items, vectors)
    before = found(store, rows[2], 6)
    other = unit(6, seed=9, dim=OTHER.dim)
    parts = [one.part_id for one in vectors]
    store.add_vectors([PartVectors(part, OTHER, row[None]) for part, row in zip(parts[:4], other, strict=False)])
    assert store.unembedded(OTHER) == parts[4:]
    assert found(store, rows[2], 6) == before
    assert store.search(OTHER, other[1:2], 1)[0][0].part_id == parts[1]
    assert sorted(store.spaces()) == sorted([SPACE.fingerprint, OTHER.fingerprint])
    assert store.get([items[0].id]) == [items[0]]
    store.forget_space(SPACE.fingerprint)
    assert store.spaces() == [OTHER.fingerprint]
    assert store.search(SPACE, rows[:1], 5) == [[]]
    assert store.known(SPACE, [items[0].parts[0].digest]) == {}
    assert next(hit.part_id for hit in store.search(OTHER, other[1:2], 9)[0]) == parts[1]
    assert store.stats().vectors == 4
    store.forget_space("nobody's")


def test_vectors_added_again_take_the_place_of_those_before(store: Store) -> None:
    items, vectors, _ = pictures(3)
    store.upsert(items, vectors)
    part, rows = vectors[1].part_id, unit(3, seed=5)
    for given in (rows[:1], rows[1:3], rows[:1]):  # one, several, one again
        store.add_vectors([PartVectors(part, SPACE, given)])
        assert store.stats().vectors == 2 + len(given)
        (mine,) = store.known(SPACE, [items[1].parts[0].digest]).values()
        np.testing.assert_allclose(mine, given, atol=1e-6)


def test_vectors_for_parts_that_are_gone_are_passed_over(store: Store) -> None:
    items, vectors, rows = pictures(2)
    store.upsert(items, vectors)
    store.delete([items[0].id])
    store.add_vectors([PartVectors(one.part_id, OTHER, unit(1, dim=OTHER.dim)) for one in vectors])
    assert store.unembedded(OTHER) == []
    assert store.stats().vectors == 2
    assert found(store, rows[0], 5) == [items[1].id]


def test_bad_vectors_are_refused_and_none_is_written(store: Store) -> None:
    items, vectors, _ = pictures(2)
    store.upsert(items, vectors)
    good = PartVectors(vectors[0].part_id, OTHER, unit(1, dim=OTHER.dim))
    for bad, reason in (
        (PartVectors(vectors[1].part_id, OTHER, 3 * unit(1, dim=OTHER.dim)), "length 1"),
        (PartVectors(vectors[1].part_id, OTHER, unit(1, dim=OTHER.dim + 1)), "shape"),
        (good, "twice"),
    ):
        with pytest.raises(InputError, match=reason):
            store.add_vectors([good, bad])
        assert len(store.unembedded(OTHER)) == 2


def beside(store: Store, opener: Opener) -> Store:
    """The same collection as another process has it."""
    return QdrantStore(store._engine) if isinstance(store, QdrantStore) else opener()


def test_a_space_that_another_process_forgot_can_be_filled_again(store: Store, opener: Opener) -> None:
    items, vectors, rows = pictures(5)
    store.upsert(items, vectors)
    assert len(found(store, rows[0])) == 5
    other, there = beside(store, opener), unit(5, seed=9, dim=OTHER.dim)
    other.add_vectors([PartVectors(one.part_id, OTHER, there[i : i + 1]) for i, one in enumerate(vectors)])
    other.forget_space(SPACE.fingerprint)  # as at the end of a migration
    assert store.spaces() == [OTHER.fingerprint]
    assert found(store, rows[0]) == []
    assert len(store.unembedded(SPACE)) == 5
    store.add_vectors(vectors[:3])  # and back again
    store.upsert(items[3:], vectors[3:])
    store.forget_space(OTHER.fingerprint)
    for each in (store, other, beside(store, opener)):
        assert each.spaces() == [SPACE.fingerprint]
        assert each.unembedded(SPACE) == []
        assert len(found(each, rows[0])) == 5
        assert each.stats().vectors == 5
