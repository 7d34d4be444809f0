"""Compaction, on every store that keeps files: nothing that is there changes, and nothing is left of what went."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Mapping
from pathlib import Path
from random import Random

import numpy as np
import pytest

from sightline import scanning
from sightline.protocols import Store
from sightline.stores.database import Database
from sightline.types import Aggregate, Item, PartVectors
from tests.contracts.catalogs import OTHER, SPACE, found, item, pictures, unit
from tests.contracts.conftest import Opener

FILES = ["faiss", "faiss int8", "qdrant"]
MANY = 12  # items of one step


def _row(number: int, version: int) -> tuple[Item, list[PartVectors]]:
    """An item with a picture and two texts, words and fields that no other version has."""
    made = item(
        f"row-{number:02d}",
        ("image-0", "image", None),
        ("text-0", "text", f"zq{number}x{version}q tells them apart, as do common words"),
        ("fields", "fields", f"title: tq{number}x{version}t"),
        digest=f"{version}",
        title=f"tq{number}x{version}t",
        price=number + version / 10,
        **({f"only{number}": "once"} if version % 3 == 2 else {}),
    )
    rows = unit(3, seed=number * 100 + version)
    return made, [
        PartVectors(made.parts[0].id, SPACE, rows[: 1 + version % 2]),
        PartVectors(made.parts[1].id, SPACE, rows[2:]),
    ]


def _write(store: Store, rows: Mapping[int, int]) -> None:
    made = [_row(number, version) for number, version in rows.items()]
    store.upsert([one for one, _ in made], [vector for _, vectors in made for vector in vectors])


def _same(store: Store, fresh: Store, everything: list[str]) -> None:
    """Both answer alike to whatever is asked."""
    assert store.get(everything) == fresh.get(everything)
    assert store.fields() == fresh.fields()
    assert (store.stats().items, store.stats().parts) == (fresh.stats().items, fresh.stats().parts)
    assert store.stats().vectors == fresh.stats().vectors
    for plan in (Aggregate("count"), Aggregate("mean", "price")):
        assert dict(store.aggregate(plan).rows) == pytest.approx(dict(fresh.aggregate(plan).rows))
    queries = unit(5, seed=77)
    for left, right in zip(store.search(SPACE, queries, 200), fresh.search(SPACE, queries, 200), strict=True):
        assert [hit.part_id for hit in left] == [hit.part_id for hit in right]
        assert np.allclose([hit.score for hit in left], [hit.score for hit in right], atol=1e-5)
    for text in ("common words", "apart", "tells"):
        right = {hit.part_id: hit.score for hit in fresh.search_text(text, 200)}
        assert {hit.part_id: hit.score for hit in store.search_text(text, 200)} == pytest.approx(right, abs=1e-4)


@pytest.mark.parametrize("opener", FILES, indirect=True)
@pytest.mark.parametrize("seed", range(3))
def test_after_any_row_of_changes_it_is_as_an_index_of_what_is_left(opener: Opener, seed: int) -> None:
    rng, store, rows = Random(seed), opener(), dict[int, int]()
    everything = [f"row-{number:02d}" for number in range(30)]
    for step in range(8):
        match rng.choice(["add", "update", "delete", "compact"]) if step else "add":
            case "add":
                some = {number: 0 for number in rng.sample(range(30), MANY) if number not in rows}
                _write(store, some)
                rows |= some
            case "update":
                some = {number: rows[number] + 1 for number in rng.sample(sorted(rows), min(5, len(rows)))}
                _write(store, some)
                rows |= some
            case "delete":
                some = rng.sample(sorted(rows), len(rows) // 3)
                assert store.delete([f"row-{number:02d}" for number in some]) == len(some)
                rows = {number: version for number, version in rows.items() if number not in some}
            case "compact":
                store.compact()
    store.compact()
    assert store.remains().left == ()
    fresh = opener("fresh")
    _write(fresh, rows)
    _same(store, fresh, everything)


@pytest.fixture
def plain_sqlite(monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite as most are built: what is deleted is not overwritten."""
    connect = Database._connect

    def plain(database: Database) -> sqlite3.Connection:
        connection = connect(database)
        connection.execute("PRAGMA secure_delete = OFF")
        return connection

    monkeypatch.setattr(Database, "_connect", plain)


@pytest.mark.usefixtures("plain_sqlite")
@pytest.mark.parametrize("opener", FILES, indirect=True)
def test_no_byte_of_it_is_left_in_any_file(opener: Opener) -> None:
    store, folder = opener(), opener._folder / "default"
    _write(store, dict.fromkeys(range(30), 0))
    store.search(SPACE, unit(1), 3)
    _write(store, dict.fromkeys(range(4), 2))  # replaced, with a field of their own
    _write(store, dict.fromkeys(range(4), 3))
    gone = [f"row-{number:02d}" for number in range(10, 14)]
    store.delete(gone)
    words = ["zq3x0q", "zq12x0q", "only3", "zq3x2q", "tq12x0t", "tq3x2t"]

    def held() -> set[str]:
        files = list(scanning.files_in(folder))
        return {one for one in (*gone, *words) if scanning.holders(files, scanning.forms(one))}

    assert len(held()) > len(gone)  # else nothing would be shown by what follows
    before = store.remains(gone)
    assert before.left
    store.compact()
    assert held() == set()
    assert store.remains(gone).left == ()
    assert scanning.holders(scanning.files_in(folder), [b"row-21"])  # what is there is found, and would be


@pytest.mark.parametrize("opener", FILES, indirect=True)
def test_what_a_space_left_behind_goes_too(opener: Opener) -> None:
    store = opener()
    items, vectors, rows = pictures(20)
    store.upsert(items, vectors)
    other = unit(20, seed=9, dim=OTHER.dim)
    store.add_vectors([PartVectors(one.part_id, OTHER, row[None]) for one, row in zip(vectors, other, strict=True)])
    planted = rows[7].astype("<f4").tobytes()
    folder = opener._folder / "default"
    assert scanning.holders(scanning.files_in(folder), [planted])
    store.forget_space(SPACE.fingerprint)
    assert store.stats().removed
    store.compact()
    assert not scanning.holders(scanning.files_in(folder), [planted])
    assert store.stats().removed == 0
    assert store.spaces() == [OTHER.fingerprint]
    assert store.search(OTHER, other[3:4], 1)[0][0].part_id == vectors[3].part_id


def test_it_is_counted_what_went(kept: Opener) -> None:
    store = kept()
    items, vectors, _ = pictures(12)
    store.upsert(items, vectors)
    assert store.stats().removed == 0
    assert store.remains().left == ()
    store.upsert(items[:2], vectors[:2])
    first = store.stats().removed
    assert first >= 2
    store.delete([items[5].id, "nobody"])
    assert store.stats().removed > first
    assert store.remains().left
    store.close()
    again = kept()
    assert again.stats().removed > first
    again.compact()
    assert again.stats().removed == 0
    again.delete([])
    again.upsert([], [])
    assert again.remains().left == ()


def test_it_may_be_empty_and_compacted_twice(opener: Opener) -> None:
    store = opener()
    store.compact()
    items, vectors, rows = pictures(4)
    store.upsert(items, vectors)
    store.delete([one.id for one in items])
    store.compact()
    assert store.search_text("anything", 3) == []
    store.upsert(items, vectors)
    store.compact()
    store.compact()
    assert found(store, rows[2], 1) == [items[2].id]


@pytest.mark.parametrize("opener", FILES, indirect=True)
def test_searches_go_on_meanwhile(opener: Opener) -> None:
    store = opener()
    items, vectors, rows = pictures(200)
    store.upsert(items, vectors)
    store.delete([one.id for one in items[150:]])
    wrong: list[object] = []
    done = threading.Event()

    def search() -> None:
        while not done.is_set():
            try:
                hits = found(store, rows[3], 3)
                wrong.extend([] if hits[0] == items[3].id and len(hits) == 3 else [hits])
            except Exception as exc:  # noqa: BLE001 - whatever it is, it is what this test is for
                wrong.append(exc)

    threads = [threading.Thread(target=search) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(3):
            store.compact()
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert wrong == []


@pytest.mark.parametrize("opener", FILES, indirect=True)
def test_it_says_how_far_it_is(opener: Opener) -> None:
    store = opener()
    items, vectors, _ = pictures(8)
    store.upsert(items, vectors)
    store.delete([items[0].id])
    told: list[str] = []
    store.compact(tell=lambda what, done, total: told.append(what))
    assert told
    assert all(what.startswith(("writing", "building")) for what in told)


@pytest.mark.parametrize("opener", ["qdrant::memory:"], indirect=True)
def test_what_cannot_be_seen_is_said(opener: Opener) -> None:
    store = opener()
    items, vectors, _ = pictures(4)
    store.upsert(items, vectors)
    store.delete([items[0].id])
    assert "memory of this process" in store.compact().unseen[0]
    assert store.remains().left == ()


def test_the_next_search_does_not_wait_for_what_was_loaded_before(memory: Path) -> None:
    from sightline.stores.faiss import FaissStore

    store = FaissStore(memory / "one")
    items, vectors, rows = pictures(30)
    store.upsert(items, vectors)
    found(store, rows[4], 1)
    store.delete([items[4].id])
    store.compact()
    held = store._spaces[SPACE.fingerprint]
    assert len(held._exact) == 29
    assert found(store, rows[5], 1) == [items[5].id]
    assert store._spaces[SPACE.fingerprint] is held
    store.close()


def test_files_of_an_earlier_index_are_left_once_something_has_gone(memory: Path) -> None:
    from sightline.stores.faiss import FaissStore

    store, earlier = FaissStore(memory / "three"), memory / "three" / "indexes" / "0123.npy"
    items, vectors, _ = pictures(8)
    store.upsert(items, vectors)
    earlier.parent.mkdir(exist_ok=True)
    earlier.write_bytes(b"of vectors that are there")
    assert store.remains().left == ()
    store.delete([items[4].id])
    assert any("belong to no index: 0123.npy" in one for one in store.remains().left)
    store.compact()
    assert store.remains().left == ()
    assert not earlier.exists()
    store.close()


def test_a_reader_elsewhere_sees_no_more_of_it(memory: Path) -> None:
    from sightline.stores.faiss import FaissStore

    folder = memory / "two"
    writer, reader = FaissStore(folder), FaissStore(folder)
    items, vectors, rows = pictures(30)
    writer.upsert(items, vectors)
    assert found(reader, rows[4], 1) == [items[4].id]
    writer.delete([items[4].id])
    writer.compact()
    assert items[4].id not in found(reader, rows[4], 30)
    assert len(found(reader, rows[4], 30)) == 29
    assert reader.fields() == writer.fields()
    reader.close()
    writer.close()
