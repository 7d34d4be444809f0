"""Opens SQLite files such that what was committed is on disk, and readers and a writer go on beside each other.

Does not know what is in them, but whether anybody else has them open.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path


def connect(path: Path, *, wait_s: float) -> sqlite3.Connection:
    """A connection for any thread, in autocommit, which waits up to `wait_s` for another's lock."""
    connection = sqlite3.connect(path, timeout=wait_s, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA fullfsync = ON")  # macOS: past the cache of the drive
    return connection


def write_ahead(connection: sqlite3.Connection, *, wait_s: float) -> None:
    """Let the file have a write-ahead log. Raises sqlite3.OperationalError while another uses it, after `wait_s`."""
    until = time.monotonic() + wait_s
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL").fetchone()
            return
        except sqlite3.OperationalError as exc:  # two that do this at once: SQLite lets one fail and does not wait
            if exc.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
        time.sleep(0.005)


@contextlib.contextmanager
def alone(path: Path) -> Iterator[bool]:
    """Whether nobody else has a file with a write-ahead log open; then whoever opens it waits until the block is left.

    The log is off meanwhile. Raises sqlite3.Error.
    """
    with contextlib.closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as connection:
        try:
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            connection.execute("PRAGMA journal_mode = DELETE").fetchall()  # refused while there is another connection
            connection.execute("BEGIN EXCLUSIVE")
            connection.execute("ROLLBACK")  # the lock stays until the connection is closed
        except sqlite3.OperationalError as exc:
            if exc.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                raise
            yield False
            return
        inode = path.stat().st_ino
        yield True
        if path.exists() and path.stat().st_ino == inode:  # else it was moved away, and the log is another's
            connection.execute("PRAGMA journal_mode = WAL").fetchall()
