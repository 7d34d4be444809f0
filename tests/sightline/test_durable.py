"""Files with a write-ahead log: who opens one that another is opening waits instead of failing."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest

from sightline import durable


@pytest.fixture
def held(tmp_path: Path) -> tuple[Path, sqlite3.Connection]:
    """A new file, and a connection that lets nobody else at it."""
    path = tmp_path / "new.db"
    holder = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    holder.execute("BEGIN EXCLUSIVE")
    return path, holder


def test_waits_for_one_who_makes_the_file(held: tuple[Path, sqlite3.Connection]) -> None:
    path, holder = held
    waiting = sqlite3.connect(path, timeout=0, isolation_level=None)
    threading.Timer(0.2, holder.close).start()
    durable.write_ahead(waiting, wait_s=30)
    assert waiting.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    waiting.close()


def test_does_not_wait_for_ever(held: tuple[Path, sqlite3.Connection]) -> None:
    path, holder = held
    waiting = sqlite3.connect(path, timeout=0, isolation_level=None)
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        durable.write_ahead(waiting, wait_s=0.1)
    waiting.close()
    holder.close()


def test_what_fails_otherwise_fails_at_once(tmp_path: Path) -> None:
    path = tmp_path / "no.db"
    path.write_bytes(b"not a database at all" * 100)
    connection = sqlite3.connect(path, isolation_level=None)
    with pytest.raises(sqlite3.DatabaseError, match="not a database"):
        durable.write_ahead(connection, wait_s=30)
    connection.close()


def test_what_is_committed_is_on_disk(tmp_path: Path) -> None:
    connection = durable.connect(tmp_path / "a.db", wait_s=1)
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
    assert connection.execute("PRAGMA fullfsync").fetchone() == (1,)
    connection.close()
