"""What a write and a deletion cost the next search: what they changed, never the collection."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from sightline.errors import EngineError
from sightline.filters import parse
from sightline.lock import locked
from sightline.stores import faiss_build, faiss_removed, sqlite
from sightline.stores.faiss import FaissStore
from sightline.stores.faiss_build import Plan
from sightline.types import Item, PartVectors, Vectors
from tests.contracts.catalogs import SPACE, found, item, pictures, unit

N = 3000
NEVER = Plan(build_from=10**9)  # builds when told to, and then only


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A collection of N pictures without an index."""
    items, vectors, _ = pictures(N, fields=[{"row": i} for i in range(N)])
    store = FaissStore(tmp_path, plan=NEVER)
    store.upsert(items, vectors)
    store.close()
    return tmp_path


@pytest.fixture
def store(folder: Path) -> Iterator[FaissStore]:
    opened = FaissStore(folder, plan=NEVER)
    yield opened
    opened.close()


def _new(name: str, row: Vectors) -> tuple[list[Item], list[PartVectors]]:
    made = item(name, ("image-0", "image", None))
    return [made], [PartVectors(made.parts[0].id, SPACE, row)]


def test_a_write_is_found_by_reading_no_more_than_what_it_wrote(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = FaissStore(folder, plan=Plan(build_from=N // 2, background=False))  # a build would be on the path
    reader, fresh, rows = FaissStore(folder, plan=NEVER), unit(20, seed=8), unit(N)
    writer.build(SPACE)
    assert found(writer, fresh[0], 1) == found(reader, fresh[0], 1)
    read: list[int] = []
    after, every, build = sqlite.vectors_after, sqlite.vector_ids, faiss_build.build
    monkeypatch.setattr(sqlite, "vectors_after", lambda *of: (read.append(len(rows)) or rows for rows in after(*of)))
    monkeypatch.setattr(sqlite, "vector_ids", lambda *of: read.append(N) or every(*of))
    monkeypatch.setattr(faiss_build, "build", lambda *of: read.append(N) or build(*of))
    for n, row in enumerate(fresh):  # the first write of a process looks whether a build is due
        writer.upsert(*_new(f"new-{n}", row[None]))
        assert found(reader, row, 1) == found(writer, row, 1) == [f"new-{n}"]
        writer.upsert(*_new(f"item-{n:03d}", row[None]))  # another vector of an item that the index has
        assert found(reader, row, 2) == found(writer, row, 2) == [f"item-{n:03d}", f"new-{n}"]
        assert writer.delete([f"new-{n}", f"item-{n + 1000}"]) == 2  # one beside the index, and one of it
        assert found(reader, row, 1) == found(writer, row, 1) == [f"item-{n:03d}"]
        assert found(reader, rows[n + 1000], 1) == found(writer, rows[n + 1000], 1) != [f"item-{n + 1000}"]
    assert read == [1] * 80  # two vectors a round, by two stores: no build, and no look through all row ids
    reader.close()
    writer.close()


@pytest.mark.parametrize("built", [True, False])
def test_what_is_gone_stays_so_where_the_log_does_not_reach(store: FaissStore, folder: Path, built: bool) -> None:
    if built:
        store.build(SPACE)
    rows, reader = unit(N), FaissStore(folder, plan=NEVER)
    assert found(reader, rows[5], 1) == ["item-005"]
    with contextlib.closing(sqlite3.connect(folder / "items.sqlite")) as other:  # a writer that keeps no log
        other.execute("DROP TRIGGER vector_removed")
        other.execute("PRAGMA foreign_keys = ON")
        other.execute("DELETE FROM items WHERE key = 'item-005'")
        other.execute("UPDATE changes SET version = version + 1")
        other.commit()
    assert found(reader, rows[5], 1) == found(store, rows[5], 1) != ["item-005"]
    store.delete(["item-006"])
    assert found(reader, rows[6], 1) == found(store, rows[6], 1) != ["item-006"]
    again = FaissStore(folder, plan=NEVER)
    assert {hit.item_id for hit in again.search(SPACE, rows[:1], 10, where=parse("row < 9"))[0]} == {
        f"item-{n:03d}" for n in range(9) if n not in (5, 6)
    }
    again.close()
    reader.close()


def test_the_log_of_removals_stays_short(tmp_path: Path) -> None:
    store, rows = FaissStore(tmp_path, plan=NEVER), unit(2)
    with store._database.writing() as connection:
        faiss_removed.keep_log(connection)
        connection.execute("INSERT INTO removed VALUES (?, 0), (?, 0)", (1, faiss_removed.KEPT))
    store.upsert(*_new("a", rows[:1]))
    assert found(store, rows[0], 1) == ["a"]
    store.upsert(*_new("a", rows[1:]))
    with store._database.reading() as connection:
        last, gone = faiss_removed.removed_after(connection, 0)
    assert (last, gone.tolist()) == (faiss_removed.KEPT + 1, [0, 1])  # the first was forgotten
    store.close()


def test_nothing_is_compacted_while_another_process_builds(store: FaissStore, folder: Path) -> None:
    store.build(SPACE)  # what another reads of the vectors meanwhile would come back with its index
    store.delete(["item-007"])
    with locked(folder / "indexes" / "building"):
        with pytest.raises(EngineError, match="another process is building"):
            store.compact()
        with pytest.raises(EngineError, match="another process is building"):
            store.build(SPACE)
    assert store.remains().left
    store.compact()
    assert not store.remains().left
