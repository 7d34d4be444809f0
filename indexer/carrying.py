"""What a ledger knows, as it was at one moment and on its way from one collection into another.

SQL on the ledger's own tables; knows neither the store nor how anything is written down on the way.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from indexer.register import Became, Event

_CLAIMED = """
SELECT items.id, items.source, items.digest, stamp, label, place, content, outcome, was, absent, first_at, seen.at
FROM items JOIN seen ON seen.item = items.id WHERE items.id IN (SELECT value FROM json_each(?))
"""


@dataclass(frozen=True, slots=True)
class Unread:
    """A source that could not be indexed: its owner, what reports call it, why, of which item it was to be part."""

    source: str
    label: str
    reason: str
    item_id: str | None
    at: float


@dataclass(frozen=True, slots=True)
class Carried:
    """An item on record: who owns it, what it was made of, and what happened to it. Names as in the ledger's tables."""

    item_id: str
    source: str
    digest: str
    stamp: str
    label: str = ""
    place: str = ""
    content: str = ""
    outcome: Became = "added"
    was: str = ""
    absent: bool = False
    first_at: float = 0.0
    at: float = 0.0
    history: tuple[Event, ...] = ()

    def __post_init__(self) -> None:
        if self.outcome not in get_args(Became):
            raise ValueError(f"{self.outcome!r} is no outcome")


class LedgerMoment:
    """A ledger as it was when this was made; `close` it. Raises sqlite3.Error."""

    def __init__(self, path: Path) -> None:
        self._watch, self._seen = (sqlite3.connect(path, timeout=30, isolation_level=None) for _ in range(2))
        self._before = self._changes()
        self._seen.execute("BEGIN")
        self._seen.execute("SELECT 1 FROM meta LIMIT 1").fetchall()  # only the first read fixes the moment

    def close(self) -> None:
        self._seen.close()
        self._watch.close()

    @property
    def is_latest(self) -> bool:
        """Whether nothing was written since: then whatever else was looked at meanwhile is of the same moment."""
        return self._changes() == self._before

    def carried(self, ids: Sequence[str]) -> dict[str, Carried]:
        """Item id -> what is on record of it, for those of which anything is."""
        wanted = json.dumps(list(ids), ensure_ascii=False)
        history: dict[str, list[Event]] = {}
        sql = "SELECT item, at, outcome, was FROM events WHERE item IN (SELECT value FROM json_each(?)) ORDER BY rowid"
        for item, at, outcome, was in self._seen.execute(sql, (wanted,)):
            history.setdefault(item, []).append(Event(at, outcome, was))
        found = {}
        for row in self._seen.execute(_CLAIMED, (wanted,)):
            told: dict[str, Any] = dict(zip(Carried.__slots__, row, strict=False))  # all but its history
            told |= {"absent": bool(told["absent"]), "history": tuple(history.get(row[0], ()))}
            found[row[0]] = Carried(**told)
        return found

    def thumbnails(self, digests: Sequence[str]) -> dict[str, bytes]:
        """Digest -> JPEG, for those there are."""
        sql = "SELECT digest, jpeg FROM thumbnails WHERE digest IN (SELECT value FROM json_each(?))"
        return {digest: bytes(jpeg) for digest, jpeg in self._seen.execute(sql, (json.dumps(list(digests)),))}

    def unread(self) -> Iterator[Unread]:
        """What could not be indexed, by source."""
        sql = "SELECT source, label, reason, item, at FROM skipped ORDER BY source, label"
        return (Unread(*row) for row in self._seen.execute(sql))

    def count(self) -> int:
        """How many items are on record without a doubt."""
        return int(self._seen.execute("SELECT count(*) FROM items WHERE digest <> ''").fetchone()[0])

    def readings(self) -> list[tuple[str, float, float]]:
        """Source, and from when to when (seconds, epoch) it was last read to its end."""
        return list(self._seen.execute("SELECT source, since, until FROM readings ORDER BY source"))

    def copy(self, path: Path) -> None:
        """Write it into a new file."""
        copied = sqlite3.connect(path)
        try:
            self._seen.backup(copied)
        finally:
            copied.close()

    def _changes(self) -> int:
        return int(self._watch.execute("PRAGMA data_version").fetchone()[0])


# -- writing: inside a transaction of the ledger -----------------------------------------------------------------------


def enter(db: sqlite3.Connection, carried: Iterable[Carried]) -> None:
    """Put these on record, with all that happened to them, in place of what was there of them."""
    for one in carried:
        db.execute("DELETE FROM events WHERE item = ?", (one.item_id,))
        db.execute(
            "INSERT OR REPLACE INTO items VALUES (?, ?, ?, ?, ?)",
            (one.item_id, one.source, one.digest, one.stamp, one.at),
        )
        row: tuple[Any, ...] = (
            one.item_id, one.source, one.label, one.place, one.content, one.outcome, one.was, int(one.absent),
            one.first_at, one.at,
        )  # fmt: skip
        sql = "INSERT OR REPLACE INTO seen (item, source, label, place, content, outcome, was, absent, first_at, at) "
        db.execute(sql + "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
        db.executemany(
            "INSERT INTO events VALUES (?, ?, ?, ?)",
            [(one.item_id, event.at, event.outcome, event.was) for event in one.history],
        )


def enter_sources(
    db: sqlite3.Connection, readings: Iterable[tuple[str, float, float]], unread: Iterable[Unread]
) -> None:
    """Note when sources were read and what of them could not be, where nothing newer is on record."""
    db.executemany("INSERT OR IGNORE INTO readings (source, since, until) VALUES (?, ?, ?)", list(readings))
    db.executemany(
        "INSERT OR IGNORE INTO skipped (source, label, reason, item, at) VALUES (?, ?, ?, ?, ?)",
        [(one.source, one.label, one.reason, one.item_id, one.at) for one in unread],
    )
