"""What became of every source ever seen: added, unchanged, updated, moved, a duplicate, missing, skipped or deleted.

SQL on the ledger's own database, in transactions that `indexer.ledger` opens; knows neither files nor the store.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import groupby, islice
from operator import itemgetter
from typing import Any, Literal, TypeAlias, get_args

Became: TypeAlias = Literal[
    "added", "unchanged", "updated", "moved", "duplicate", "missing", "unfinished", "skipped", "deleted"
]
OUTCOMES: tuple[Became, ...] = get_args(Became)
EVENTS_KEPT = 32  # of one item: the first and the latest; a price that changes all day fills no disk
_PAGE = 5000  # items read at a time
_NEVER = ("deleted", "unfinished")  # outcomes of what the store has not, or not yet, acknowledged
Rows: TypeAlias = Callable[..., list[tuple[Any, ...]]]

_ALIKE = """
WITH alike AS (
    SELECT item, first_value(item) OVER (PARTITION BY content ORDER BY first_at, item) AS original
    FROM seen WHERE content <> '' AND outcome <> 'deleted'
)
"""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to an item at a moment (seconds, epoch). `was` is its place or id before, of a move."""

    at: float
    outcome: str
    was: str = ""


@dataclass(frozen=True, slots=True)
class Seen:
    """A source ever seen and what became of it. `of` is the item it equals, or the place or id it had before."""

    source: str  # as reports call it: a file, a row of a catalog
    outcome: Became
    item_id: str | None = None
    owner: str = ""  # the folder, file or catalog it was found in
    of: str = ""
    reason: str = ""
    first_at: float = 0.0
    at: float = 0.0  # of the last change
    history: tuple[Event, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """One line of the export; keys without a value are left out. Times are UTC."""
        told: dict[str, Any] = {
            "source": self.source,
            "outcome": self.outcome,
            "item": self.item_id,
            "owner": self.owner,
            "of": self.of,
            "reason": self.reason,
            "first": _utc(self.first_at),
            "changed": _utc(self.at),
            "history": [
                {"at": _utc(one.at), "outcome": one.outcome, **({"was": one.was} if one.was else {})}
                for one in self.history
            ],
        }
        return {key: value for key, value in told.items() if value}


@dataclass(frozen=True, slots=True)
class Copy:
    """One of several items that hold the same. The numbers are those of readings."""

    item: str
    source: str
    place: str
    absent: int  # since which it is missing; 0: it is there
    first_in: int  # in which it was first seen
    until: int  # up to which it is known to have been there, or to be missing


# -- writing: inside a transaction of the ledger -----------------------------------------------------------------------


def number(db: sqlite3.Connection) -> int:
    """Of the reading under way, or of the one to come."""
    row = db.execute("SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'readings'").fetchone()
    return int(row[0]) if row else 1


def turn(db: sqlite3.Connection) -> None:
    """Whatever happens from here on has a higher number than what happened before."""
    db.execute("INSERT OR REPLACE INTO meta VALUES ('readings', ?)", (str(number(db) + 1),))


def begin(db: sqlite3.Connection, item: str, source: str, now: float, *, label: str, place: str) -> bool:
    """An item about to come into the store; False for one that was acknowledged before and not deleted since."""
    row = db.execute("SELECT outcome FROM seen WHERE item = ?", (item,)).fetchone()
    if row is not None and row[0] not in _NEVER:
        return False
    sql = """
        INSERT INTO seen (item, source, label, place, content, outcome, was, absent, first_at, at)
        VALUES (?, ?, ?, ?, '', 'unfinished', '', 0, ?, ?) ON CONFLICT (item) DO UPDATE SET
        source = excluded.source, label = excluded.label, place = excluded.place, outcome = excluded.outcome
    """
    db.execute(sql, (item, source, label, place, now, now))
    return True


def enter(
    db: sqlite3.Connection, item: str, source: str, digest: str, now: float, *, label: str, place: str, content: str
) -> None:
    """An item the store has acknowledged; to be called before the row of `items` is written anew.

    `place` is the file it was read from, "" for a row of a catalog; `content` what it holds, wherever it is.
    """
    reading = number(db)
    sql = """
        SELECT seen.outcome, seen.content, seen.source, seen.label, seen.place, items.digest
        FROM seen LEFT JOIN items ON items.id = seen.item WHERE seen.item = ?
    """
    before = db.execute(sql, (item,)).fetchone()
    if before is None or before[0] in _NEVER:
        _happened(db, item, now, "added")
        sql = """
            INSERT OR REPLACE INTO seen
            (item, source, label, place, content, outcome, was, absent, first_at, at, first_in, last_in)
            VALUES (?, ?, ?, ?, ?, 'added', '', 0, ?, ?, ?, ?)
        """
        db.execute(sql, (item, source, label, place, content, now, now, reading, reading))
        return
    _, held, owner, called, at, had = before
    db.execute(
        "UPDATE seen SET source = ?, label = ?, place = ?, content = ?, absent = 0 WHERE item = ?",
        (source, label, place, content, item),
    )
    elsewhere = owner != source or bool(at and at != place)
    moved = elsewhere and bool(held) and held == content
    if moved or had != digest:
        outcome, was = ("moved", at or called) if moved else ("updated", "")
        sql = "UPDATE seen SET outcome = ?, was = ?, at = ?, last_in = ? WHERE item = ?"
        db.execute(sql, (outcome, was, now, reading, item))
        _happened(db, item, now, outcome, was)


def leave(db: sqlite3.Connection, ids: Iterable[str], now: float) -> None:
    """Items the store no longer has: that they were there is remembered, what they were is not."""
    for item in ids:
        sql = (
            "UPDATE seen SET outcome = 'deleted', was = '', content = '', place = '', absent = 0, at = ? WHERE item = ?"
        )
        if db.execute(sql, (now, item)).rowcount:
            _happened(db, item, now, "deleted")


def follow(db: sqlite3.Connection, moves: Mapping[str, str], now: float) -> None:
    """Old id -> new id of items that moved: the new one takes over what happened to the old one, which is no more."""
    reading = number(db)
    for old, new in moves.items():
        sql = """
            UPDATE seen SET outcome = 'moved', was = ?, at = ?, last_in = ?,
            (first_at, first_in) = (SELECT first_at, first_in FROM seen WHERE item = ?) WHERE item = ?
        """
        db.execute(sql, (old, now, reading, old, new))
        db.execute("DELETE FROM events WHERE item = ? AND outcome = 'added'", (new,))
        db.execute("UPDATE events SET item = ? WHERE item = ?", (new, old))
        db.execute("DELETE FROM seen WHERE item = ?", (old,))
        _happened(db, new, now, "moved", old)


def close_reading(db: sqlite3.Connection, source: str, since: float, until: float, *, absent: Sequence[str]) -> None:
    """A source was read to its end; `absent` are items of it that it no longer holds."""
    reading = number(db)
    sql = "INSERT OR REPLACE INTO readings (source, since, until, number) VALUES (?, ?, ?, ?)"
    db.execute(sql, (source, since, until, reading))
    back = "UPDATE seen SET absent = 0 WHERE source = ? AND absent AND item NOT IN (SELECT value FROM json_each(?))"
    db.execute(back, (source, json.dumps(absent)))
    sql = "UPDATE seen SET absent = ? WHERE item = ? AND NOT absent"
    db.executemany(sql, [(reading, item) for item in absent])
    turn(db)


def purge(db: sqlite3.Connection) -> None:
    """Forget that deleted items were ever there."""
    db.execute("DELETE FROM events WHERE item IN (SELECT item FROM seen WHERE outcome = 'deleted')")
    db.execute("DELETE FROM seen WHERE outcome = 'deleted'")


def _happened(db: sqlite3.Connection, item: str, now: float, outcome: str, was: str = "") -> None:
    db.execute("INSERT INTO events VALUES (?, ?, ?, ?)", (item, now, outcome, was))
    if outcome == "added":
        return
    surplus = """DELETE FROM events WHERE rowid IN (
        SELECT rowid FROM events WHERE item = ?1 AND rowid > (SELECT min(rowid) FROM events WHERE item = ?1)
        ORDER BY rowid DESC LIMIT -1 OFFSET ?2)"""
    db.execute(surplus, (item, EVENTS_KEPT - 1))


# -- reading -----------------------------------------------------------------------------------------------------------


class Register:
    """What a ledger knows of every source; `rows` runs an SQL query on it."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def sources(self) -> Iterator[Seen]:
        """Every source ever seen, by owner, then by item; at the end of each owner's what of it was skipped.

        One that was read once and cannot be read now is skipped, and its item is the one that is still there.
        """
        unread: dict[str, dict[str, Seen]] = {}
        for owner, label, reason, item, at in self._rows("SELECT source, label, reason, item, at FROM skipped"):
            unread.setdefault(owner, {})[label] = Seen(label, "skipped", item, owner, reason=reason, at=at)
        left = sorted(unread, reverse=True)
        for seen, place in self._items():
            while left and left[-1] < seen.owner:
                yield from _in_order(unread.pop(left.pop()))
            now = unread.get(seen.owner, {}).get(seen.source) if place else None  # a row's line may be another's by now
            if now is None:
                yield seen
            else:
                told = replace(now, item_id=seen.item_id, first_at=seen.first_at, history=seen.history)
                unread[seen.owner][seen.source] = told
        while left:
            yield from _in_order(unread.pop(left.pop()))

    def _items(self) -> Iterator[tuple[Seen, str]]:
        """Every item ever seen, by owner and id, with its file. Read in pages: a catalog may have millions."""
        originals: dict[str, str] = dict(self._rows(_ALIKE + "SELECT item, original FROM alike WHERE item <> original"))
        sql = """
            SELECT seen.item, seen.source, label, place, seen.outcome, was, absent, first_at, seen.at, items.digest,
                   CASE WHEN last_in AND number THEN last_in < number ELSE seen.at < coalesce(since, 0) END
            FROM seen LEFT JOIN items ON items.id = seen.item LEFT JOIN readings ON readings.source = seen.source
            WHERE (seen.source, seen.item) > (?, ?) ORDER BY seen.source, seen.item LIMIT ?
        """
        last = ("", "")
        while page := self._rows(sql, *last, _PAGE):
            history = self._history([row[0] for row in page])
            for item, owner, label, place, outcome, was, absent, first, at, digest, before in page:
                became = _became(outcome, digest, absent=absent, duplicate=item in originals, before=before)
                of = originals[item] if became == "duplicate" else was if became == "moved" else ""
                told = tuple(history.get(item, ()))
                yield Seen(label or item, became, item, owner, of, "", first, at, told), place
            last = page[-1][1], page[-1][0]

    def _history(self, items: Sequence[str]) -> dict[str, list[Event]]:
        sql = """
            SELECT item, at, outcome, was FROM events
            WHERE item IN (SELECT value FROM json_each(?)) ORDER BY item, rowid
        """
        history: dict[str, list[Event]] = {}
        for item, at, outcome, was in self._rows(sql, json.dumps(items)):
            history.setdefault(item, []).append(Event(at, outcome, was))
        return history

    def missing(self, source: str) -> set[str]:
        """Items of a source that it no longer held when it was last read whole."""
        return {item for (item,) in self._rows("SELECT item FROM seen WHERE source = ? AND absent", source)}

    def equals(self) -> list[list[str]]:
        """Groups of two or more items that hold the same, the one seen first in front."""
        sql = _ALIKE + "SELECT original, item FROM alike JOIN seen USING (item) ORDER BY original, first_at, item"
        return _groups(self._rows(sql))

    def copies(self, items: Iterable[str]) -> Iterator[list[Copy]]:
        """For each content of these items, all that hold it where they are two or more, the one seen first in front."""
        contents: set[str] = set()
        for page in _pages(items):
            sql = "SELECT DISTINCT content FROM seen WHERE item IN (SELECT value FROM json_each(?)) AND content <> ''"
            contents.update(content for (content,) in self._rows(sql, json.dumps(page)))
        sql = """
            SELECT content, item, seen.source, place, absent, first_in, max(coalesce(number, 0), last_in)
            FROM seen LEFT JOIN readings ON readings.source = seen.source
            WHERE content IN (SELECT value FROM json_each(?)) AND content <> '' AND outcome <> 'deleted'
            ORDER BY content, first_in, first_at, item
        """
        for page in _pages(sorted(contents)):
            for _, rows in groupby(self._rows(sql, json.dumps(page)), key=itemgetter(0)):
                alike = [Copy(*row[1:]) for row in rows]
                if len(alike) > 1:
                    yield alike

    def unfinished(self) -> list[str]:
        """Items whose change was begun and not acknowledged, sorted."""
        return [item for (item,) in self._rows("SELECT id FROM items WHERE digest = '' ORDER BY id")]

    def pictures(self) -> list[tuple[str, str]]:
        """Digest and item of every picture an item shows, sorted."""
        return [(digest, item) for digest, item in self._rows("SELECT digest, item FROM pictures ORDER BY 1, 2")]


def _pages(things: Iterable[str]) -> Iterator[list[str]]:
    left = iter(things)
    while page := list(islice(left, _PAGE)):
        yield page


def _in_order(unread: Mapping[str, Seen]) -> list[Seen]:
    return sorted(unread.values(), key=lambda one: (one.item_id or "", one.source))


def _became(outcome: Became, digest: str | None, *, absent: int, duplicate: bool, before: int) -> Became:
    """`before`: nothing happened to it in the last reading of its source."""
    if outcome == "deleted":
        return outcome
    if not digest:
        return "unfinished"
    if absent:
        return "missing"
    if duplicate:
        return "duplicate"
    return "unchanged" if before else outcome


def _groups(pairs: Iterable[tuple[str, str]]) -> list[list[str]]:
    groups: dict[str, list[str]] = {}
    for key, item in pairs:
        groups.setdefault(key, []).append(item)
    return [group for group in groups.values() if len(group) > 1]


def _utc(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds") if at else ""
