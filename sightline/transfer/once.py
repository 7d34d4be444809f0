"""Which names were seen before, without holding them in memory: a temporary SQLite file that nobody else sees.

Does not know what the names are of.
"""

from __future__ import annotations

import sqlite3
from typing import Self


class Once:
    """A set of texts on disk, gone when it is left."""

    def __enter__(self) -> Self:
        self._db = sqlite3.connect("", isolation_level=None)  # "": a file of its own, removed when closed
        self._db.execute("PRAGMA synchronous = OFF")
        self._db.execute("PRAGMA journal_mode = OFF")
        self._db.execute("PRAGMA cache_size = -16384")  # 16 MB; past it, disk
        self._db.execute("CREATE TABLE seen (name TEXT PRIMARY KEY) WITHOUT ROWID")
        self._db.execute("BEGIN")
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    def add(self, name: str) -> bool:
        """Whether it is here for the first time."""
        return self._db.execute("INSERT OR IGNORE INTO seen VALUES (?)", (name,)).rowcount > 0
