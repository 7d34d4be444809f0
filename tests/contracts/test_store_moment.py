"""A collection is walked item by item with its vectors, and copied, as it was at one moment: on every store."""

from __future__ import annotations

import threading
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from sightline.errors import ConfigError
from sightline.filters import parse
from sightline.protocols import Store
from sightline.stores import open_store
from sightline.types import Item, PartVectors, Stored
from tests.contracts.catalogs import EVERYTHING, OTHER, SPACE, found, pictures, unit
from tests.contracts.conftest import Opener


def walked(store: Store, **how: object) -> dict[str, Stored]:
    """Id -> what a walk tells of it; each id comes once."""
    with store.moment() as moment:
        told = list(moment.items(**how))  # type: ignore[arg-type]
    assert len({one.item.id for one in told}) == len(told)
    return {one.item.id: one for one in told}


def test_every_item_comes_once_with_all_its_vectors_bit_for_bit(store: Store) -> None:
    items, vectors, rows = pictures(700)  # more than two pages
    store.upsert(items, vectors)
    told = walked(store)
    assert {name: one.item for name, one in told.items()} == {one.id: one for one in items}
    for item, row in zip(items, rows, strict=True):
        (mine,) = told[item.id].vectors
        assert (mine.part_id, mine.space) == (item.parts[0].id, SPACE)
        assert mine.vectors.dtype == np.float32
        assert mine.vectors.tobytes() == row[None].tobytes()


def test_several_vectors_and_several_spaces_come_in_their_order(store: Store) -> None:
    parts = [part.id for part in EVERYTHING.parts]
    given = [
        PartVectors(parts[0], SPACE, unit(3, seed=1)),
        PartVectors(parts[1], SPACE, unit(1, seed=2)),
        PartVectors(parts[1], OTHER, unit(2, dim=OTHER.dim, seed=3)),
    ]
    store.upsert([EVERYTHING, Item("alone")], given)
    told = walked(store)
    assert told["alone"] == Stored(Item("alone"))
    assert told[EVERYTHING.id].item == EVERYTHING
    by_place = {(one.part_id, one.space.fingerprint): one.vectors.tobytes() for one in told[EVERYTHING.id].vectors}
    assert by_place == {(one.part_id, one.space.fingerprint): one.vectors.tobytes() for one in given}
    assert walked(store, vectors=False)[EVERYTHING.id] == Stored(EVERYTHING)


def test_a_filter_applies(store: Store) -> None:
    items, vectors, _ = pictures(6, fields=[{"price": n, "kind": "abc"[n % 3]} for n in range(6)])
    store.upsert(items, vectors)
    assert sorted(walked(store, where=parse("price >= 4"))) == ["item-004", "item-005"]
    assert sorted(walked(store, where=parse("kind < b"))) == ["item-000", "item-003"]
    assert walked(store, where=parse("price > 9")) == {}


def test_what_is_written_meanwhile_is_not_seen(opener: Opener) -> None:
    store = opener()
    items, vectors, _ = pictures(600)
    store.upsert(items, vectors)
    with store.moment() as moment:
        walk = moment.items()
        told = list(islice(walk, 10))
        writer = threading.Thread(target=lambda: store.delete([one.id for one in items[300:]]))
        writer.start()
        if opener.spec.startswith("faiss"):
            writer.join()
            assert store.stats().items == 300
        told += walk
    writer.join()
    assert sorted(one.item.id for one in told) == [one.id for one in items]
    assert store.stats().items == 300


def test_a_copy_is_the_collection_as_it_was(kept: Opener, tmp_path: Path) -> None:
    store = kept()
    items, vectors, rows = pictures(40)
    store.upsert(items, vectors)
    before, kind = walked(store), store.stats().kind
    with store.moment() as moment:
        if "http" in kept.spec:
            with pytest.raises(ConfigError, match="snapshots of its own"):
                moment.copy(tmp_path)
            return
        moment.copy(tmp_path)
    store.delete([items[3].id])
    copy = open_store(kept.spec.partition(" ")[0], tmp_path, collection="copy")
    again = walked(copy)
    assert {name: one.item for name, one in again.items()} == {name: one.item for name, one in before.items()}
    assert [again[name].vectors[0].vectors.tobytes() for name in before] == [
        one.vectors[0].vectors.tobytes() for one in before.values()
    ]
    assert found(copy, rows[3], 1) == [items[3].id]
    assert copy.stats().kind == kind  # the index came along, and is sound
    copy.upsert(items[:1], vectors[:1])
    copy.close()
