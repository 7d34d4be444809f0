"""One SQLite file: its layout, connections for many threads, transactions, and its errors as ours.

Does not know what the rows mean. One writer at a time; readers of any process see a commit on their next call.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

from sightline import durable, vacuum
from sightline.disk import make_folder, room, staying
from sightline.errors import ConfigError, EngineError, NotFound, SightlineError

SCHEMA_VERSION = 1
BUSY_WAIT_S = 2.0  # another writer's transaction is done within this; past it the caller is told

TOKENIZER = "porter unicode61 remove_diacritics 2"  # what FTS5 takes for words, and for the same word

_SCHEMA = f"""
CREATE TABLE items (id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, digest TEXT NOT NULL, fields TEXT NOT NULL);
CREATE TABLE fields (
    item INTEGER NOT NULL REFERENCES items ON DELETE CASCADE,
    name TEXT NOT NULL, kind TEXT NOT NULL, value NOT NULL, written TEXT  -- a text before it was casefolded
);
CREATE INDEX fields_by_value ON fields (name, kind, value, item);
CREATE INDEX fields_by_item ON fields (item, name, kind, value);
CREATE TABLE parts (
    id INTEGER PRIMARY KEY AUTOINCREMENT, item INTEGER NOT NULL REFERENCES items ON DELETE CASCADE,
    key TEXT NOT NULL UNIQUE, modality TEXT NOT NULL, digest TEXT NOT NULL, uri TEXT, text TEXT,
    locator TEXT NOT NULL, derived_by TEXT
);
CREATE INDEX parts_by_item ON parts (item);
CREATE INDEX parts_by_digest ON parts (digest);
CREATE TABLE spaces (
    id INTEGER PRIMARY KEY, fingerprint TEXT NOT NULL UNIQUE, name TEXT NOT NULL, dim INTEGER NOT NULL
);
CREATE TABLE vectors (  -- ids are never used twice, so a reader that knows the largest one can load what is new
    id INTEGER PRIMARY KEY AUTOINCREMENT, space INTEGER NOT NULL REFERENCES spaces,
    part INTEGER NOT NULL REFERENCES parts ON DELETE CASCADE, vector BLOB NOT NULL  -- float32, little-endian
);
CREATE INDEX vectors_by_space ON vectors (space);
CREATE INDEX vectors_by_part ON vectors (part);
CREATE VIRTUAL TABLE words USING fts5 (
    text, content = 'parts', content_rowid = 'id', tokenize = "{TOKENIZER}"
);
CREATE TRIGGER words_of_new_part AFTER INSERT ON parts WHEN new.text IS NOT NULL BEGIN
    INSERT INTO words (rowid, text) VALUES (new.id, new.text);
END;
CREATE TRIGGER words_of_old_part AFTER DELETE ON parts WHEN old.text IS NOT NULL BEGIN
    INSERT INTO words (words, rowid, text) VALUES ('delete', old.id, old.text);
END;
CREATE TABLE changes (version INTEGER NOT NULL);
INSERT INTO changes VALUES (0);
PRAGMA user_version = {SCHEMA_VERSION};
"""


class Database:
    """One SQLite file, safe to share between threads: each transaction borrows a connection of its own."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._idle: list[sqlite3.Connection] | None = []  # None once closed
        self._lending = threading.Lock()  # a connection is idle or one thread's: SQLite falls over one closed in use
        self._writing = threading.Lock()  # threads of this process wait in turn; another process is refused
        with self._translating(), self._entering():
            make_folder(path.parent)
            self._inode = self._make_schema()  # of no other file while a connection is open

    def close(self) -> None:
        """Release the file; transactions after this raise EngineError."""
        with self._lending:
            idle, self._idle = self._idle, None
        for connection in idle or ():
            connection.close()

    def drop(self) -> None:
        """Delete the file with everything in it."""
        self.close()
        for path in self._files():
            path.unlink(missing_ok=True)

    def bytes_disk(self) -> int:
        """Size of the file and its write-ahead log."""
        return room(*self._files())

    def rewrite(self) -> None:
        """Write the file anew without what was deleted, its log empty. Raises EngineError where room is lacking."""
        try:
            with self._writing, self._translating():
                vacuum.vacuum(self.path)
        except OSError as exc:
            raise EngineError(f"cannot write {self.path} anew: {exc.strerror or exc}. Nothing was changed.") from exc

    def empty_log(self) -> None:
        """Put what is in the log into the file, and leave the log empty."""
        with self._writing, self._translating():
            with self._entering():
                connection = self._connect()
            try:
                vacuum.empty_log(connection, self.path)
            finally:
                connection.close()

    @contextlib.contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection in a read transaction: everything asked of it sees the same moment."""
        with self._transaction("BEGIN") as connection:
            yield connection

    @contextlib.contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A connection in a write transaction: on disk when the block ends, undone when it raises."""
        with self._writing, self._transaction("BEGIN IMMEDIATE") as connection:
            yield connection

    @contextlib.contextmanager
    def _transaction(self, begin: str) -> Iterator[sqlite3.Connection]:
        with self._translating():
            connection = self._borrow()
            try:
                connection.execute(begin)
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                connection.close()  # which undoes what was begun
                raise
            self._give_back(connection)

    def _give_back(self, connection: sqlite3.Connection) -> None:
        with self._lending:
            if self._idle is not None:
                self._idle.append(connection)
                return
        connection.close()

    def _connect(self) -> sqlite3.Connection:
        """A connection that has its log. Raises FileNotFoundError where the folder is gone."""
        with staying(self.path.parent):
            return self._opened()

    def _opened(self) -> sqlite3.Connection:
        connection = durable.connect(self.path, wait_s=BUSY_WAIT_S)
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA user_version").fetchone()  # reads it, which opens the log
        return connection

    def _borrow(self) -> sqlite3.Connection:
        """A connection to the same file. Raises NotFound where that has left its place, EngineError once closed."""
        if self._idle is None:
            raise EngineError(f"the store in {self.path.parent} is closed")
        if self._place() == self._inode:  # SQLite would make a file where there is none
            with self._lending:
                if self._idle:
                    return self._idle.pop()
            with self._entering(), contextlib.suppress(FileNotFoundError):
                connection = self._connect()
                if self._place() == self._inode:
                    return connection
                connection.close()
        raise NotFound(f"{self.path.parent} is gone: another process deleted or replaced the collection")

    def _place(self) -> int | None:
        """Which file is at the path."""
        try:
            return self.path.stat().st_ino
        except FileNotFoundError:
            return None

    def _make_schema(self) -> int | None:
        """Make what is not there yet; which file it is in."""
        with staying(self.path.parent):
            connection = self._opened()
            if new := connection.execute("PRAGMA user_version").fetchone()[0] == 0:
                connection.execute("PRAGMA page_size = 8192")  # three vectors of 2 KB a page instead of one
                durable.write_ahead(connection, wait_s=BUSY_WAIT_S)
            inode = self._place()
        try:
            if new:
                connection.execute("BEGIN IMMEDIATE")
                if connection.execute("PRAGMA user_version").fetchone()[0] == 0:  # no other process was quicker
                    for statement in _statements(_SCHEMA):
                        connection.execute(statement)
                connection.execute("COMMIT")
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            if version != SCHEMA_VERSION:
                raise ConfigError(f"{self.path} was written by another version of Sightline (layout {version})")
        except BaseException:
            connection.close()
            raise
        self._give_back(connection)
        return inode

    def _files(self) -> list[Path]:
        return [self.path, *(self.path.with_name(self.path.name + end) for end in ("-wal", "-shm"))]

    @contextlib.contextmanager
    def _translating(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as exc:
            raise _translated(exc, self.path.parent) from exc

    @contextlib.contextmanager
    def _entering(self) -> Iterator[None]:
        """Opening files of the folder: where it is gone, or may not be entered, that is a ConfigError."""
        try:
            yield
        except OSError as exc:
            raise ConfigError(f"cannot use the folder {self.path.parent}: {exc.strerror}") from exc


def _statements(script: str) -> Iterator[str]:
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def _translated(exc: sqlite3.Error, folder: Path) -> SightlineError:
    match getattr(exc, "sqlite_errorname", "").split("_")[:2]:
        case ["SQLITE", "BUSY" | "LOCKED"]:
            return ConfigError(f"{folder} is being written by another process. Nothing was changed; try again later.")
        case ["SQLITE", "FULL"]:
            return EngineError(f"the disk of {folder} is full. Nothing was changed.")
        case ["SQLITE", "IOERR"]:
            return EngineError(f"cannot write or read in {folder} (full or failing disk?). Nothing was changed: {exc}")
        case ["SQLITE", "CANTOPEN" | "READONLY" | "PERM" | "AUTH"]:
            return ConfigError(f"cannot open the index in {folder} for writing: {exc}")
        case ["SQLITE", "NOTADB" | "CORRUPT"]:
            return EngineError(f"the index in {folder} is damaged: {exc}. Index again into another folder.")
        case _:
            return EngineError(f"the index in {folder} failed: {exc}")
