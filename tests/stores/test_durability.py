"""Killed writers, full disks, second writers and readers in other processes, with real processes."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from sightline.errors import ConfigError, EngineError
from sightline.filters import Compare
from sightline.stores import open_store
from tests.stores.writer import SPACE, numbered

ROOT = Path(__file__).parents[2]
WRITER = Path(__file__).parent / "writer.py"


@contextlib.contextmanager
def writer(spec: str, folder: Path, first: int, count: int, *limits: int) -> Iterator[subprocess.Popen[str]]:
    arguments = [sys.executable, str(WRITER), spec, str(folder), str(first), str(count), *map(str, limits)]
    with subprocess.Popen(arguments, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def lines(process: subprocess.Popen[str], count: int) -> list[str]:
    assert process.stdout
    return [process.stdout.readline().strip() for _ in range(count)]


def check_whole(spec: str, folder: Path, safe: int) -> int:
    """Every item told to be safe is there and whole; how many there are."""
    store = open_store(spec, folder, collection="written")
    stats = store.stats()
    assert stats.items >= safe
    assert (stats.parts, stats.vectors) == (4 * stats.items, 3 * stats.items)
    ids = [f"item-{i:05d}" for i in range(stats.items)]
    assert [item.fields["number"] for item in store.get(ids)] == list(range(stats.items))
    for i in (0, safe - 1):
        (item,), vectors = numbered(i)
        assert store.search(SPACE, vectors[2].vectors, 1)[0][0].part_id == f"{item.id}#image-2"
        assert store.search(SPACE, vectors[2].vectors, 9, where=Compare("number", "=", i))[0][2].item_id == item.id
        assert [hit.item_id for hit in store.search_text(f"{i}", 3)] == [item.id]
    store.close()
    return stats.items


@pytest.mark.parametrize("spec", ["faiss", "qdrant"])
def test_what_was_acknowledged_survives_a_kill(spec: str, tmp_path: Path) -> None:
    there = 0
    for _ in range(3):
        with writer(spec, tmp_path, there, 10_000) as process:
            safe = int(lines(process, 25)[-1]) + 1
            process.send_signal(signal.SIGKILL)
            process.wait()
            assert process.stdout
            safe += len(process.stdout.read().splitlines())  # told between the last line read and the kill
        there = check_whole(spec, tmp_path, safe)


def test_a_full_disk_is_told_and_leaves_nothing_half_written(tmp_path: Path) -> None:
    with writer("faiss", tmp_path, 0, 10_000, 400_000) as process:
        assert process.stdout
        told = []
        for line in process.stdout:
            told.append(line.strip())
            if not line.strip().isdigit():
                break
    assert told[-1].startswith(f"EngineError: cannot write or read in {tmp_path} (full or failing disk?). Nothing was")
    assert check_whole("faiss", tmp_path, len(told) - 1) == len(told) - 1
    store = open_store("faiss", tmp_path, collection="written")
    store.upsert(*numbered(len(told) - 1))  # there is room again
    store.close()
    check_whole("faiss", tmp_path, len(told))


def test_an_embedded_qdrant_stops_before_the_disk_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = open_store("qdrant", tmp_path, collection="written")
    store.upsert(*numbered(0))
    monkeypatch.setattr("sightline.stores.qdrant.edge.SPARE_BYTES", 2**62)
    with pytest.raises(EngineError, match=f"the disk of {tmp_path} is full"):
        store.upsert(*numbered(1))
    assert store.stats().items == 1
    with pytest.raises(EngineError, match="is full"):
        open_store("qdrant", tmp_path / "other", collection="written")
    monkeypatch.undo()
    store.upsert(*numbered(1))  # there is room again
    store.close()
    assert check_whole("qdrant", tmp_path, 2) == 2


def test_readers_see_what_another_process_committed(tmp_path: Path) -> None:
    reader = open_store("faiss", tmp_path, collection="written")
    _, vectors = numbered(4)
    assert reader.search(SPACE, vectors[0].vectors, 1) == [[]]
    with writer("faiss", tmp_path, 0, 5) as process:
        lines(process, 5)
        assert reader.search(SPACE, vectors[0].vectors, 1)[0][0].item_id == "item-00004"
        assert reader.delete(["item-00004"]) == 1  # the writer is idle: this process may write
        assert len(reader.search(SPACE, vectors[0].vectors, 99)[0]) == 12
    reader.close()


def test_a_second_writer_is_refused_by_name(tmp_path: Path) -> None:
    store = open_store("faiss", tmp_path, collection="written")
    other = sqlite3.connect(tmp_path / "items.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(ConfigError, match="is being written by another process") as caught:
        store.upsert(*numbered(0))
    assert str(tmp_path) in str(caught.value)
    assert store.get(["item-00000"]) == []  # reading goes on meanwhile
    other.execute("ROLLBACK")
    other.close()
    store.upsert(*numbered(0))
    assert store.stats().items == 1
    store.close()


def test_an_embedded_qdrant_is_open_in_one_process_at_a_time(tmp_path: Path) -> None:
    store = open_store("qdrant", tmp_path, collection="written")
    store.upsert(*numbered(0))
    (tmp_path / "qdrant.compact").mkdir()  # a compaction is under way
    before = state_of(tmp_path)
    with writer("qdrant", tmp_path, 0, 1) as process:
        (told,) = lines(process, 1)
    assert told == (
        f"ConfigError: {tmp_path} is open in another process (pid {os.getpid()}): an embedded Qdrant serves one "
        "process at a time. Nothing was changed."
    )
    assert state_of(tmp_path) == before  # Qdrant's own lock comes after it has cut its journals
    store.upsert(*numbered(1))
    store.close()


def state_of(folder: Path) -> dict[str, tuple[int, int, int]]:
    """What would show that somebody wrote in a folder."""
    files = [(path, path.stat()) for path in folder.rglob("*")]
    return {str(path): (stat.st_ino, stat.st_size, stat.st_mtime_ns) for path, stat in files}


def test_a_qdrant_that_was_killed_while_it_was_made_is_made_again(tmp_path: Path) -> None:
    (tmp_path / "qdrant.new" / "wal").mkdir(parents=True)
    store = open_store("qdrant", tmp_path, collection="written")
    store.upsert(*numbered(0))
    store.close()
    assert check_whole("qdrant", tmp_path, 1) == 1


def test_a_damaged_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "items.sqlite").write_bytes(b"not a database" * 1000)
    with pytest.raises(EngineError, match="is damaged"):
        open_store("faiss", tmp_path, collection="written")


def test_a_later_layout_is_told(tmp_path: Path) -> None:
    open_store("faiss", tmp_path, collection="written").close()
    connection = sqlite3.connect(tmp_path / "items.sqlite")
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(ConfigError, match="another version"):
        open_store("faiss", tmp_path, collection="written")


@pytest.mark.parametrize("spec", ["faiss", "qdrant"])
def test_a_folder_that_cannot_be_made_is_told(spec: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ConfigError, match=r"cannot use the folder .*: Not a directory"):
        open_store(spec, tmp_path / "file" / "index", collection="written")


def test_the_vectors_in_memory_follow_every_kind_of_change(tmp_path: Path) -> None:
    """Random writes, each followed by a search that is compared with a store opened afresh."""
    rng = np.random.default_rng(5)
    store = open_store("faiss", tmp_path, collection="written")
    for _ in range(12):
        for i in rng.choice(20, size=3, replace=False):
            store.upsert(*numbered(int(i)))
        store.delete([f"item-{i:05d}" for i in rng.choice(20, size=2, replace=False)])
        query = numbered(int(rng.integers(20)))[1][0].vectors
        fresh = open_store("faiss", tmp_path, collection="written")
        assert store.search(SPACE, query, 50) == fresh.search(SPACE, query, 50)
        fresh.close()
    store.close()
