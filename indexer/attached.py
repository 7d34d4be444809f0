"""What hangs on items: the pictures they show with a thumbnail of each, and what of them could not be read.

SQL on the ledger's own tables, in transactions that `indexer.ledger` opens; knows neither files nor the store.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from indexer import register
from sightline.types import Skipped


def show(db: sqlite3.Connection, item: str, pictures: Mapping[str, bytes | None]) -> None:
    """Digest of each picture of an item -> its thumbnail, a JPEG, or None where that is on record already."""
    db.executemany("INSERT OR IGNORE INTO pictures VALUES (?, ?)", [(item, digest) for digest in pictures])
    kept = [(digest, jpeg) for digest, jpeg in pictures.items() if jpeg is not None]
    db.executemany("INSERT OR REPLACE INTO thumbnails VALUES (?, ?)", kept)


def shown(rows: Callable[..., list[tuple[Any, ...]]], after: str, count: int) -> dict[str, list[str]]:
    """Digest -> items that show it, of the first `count` pictures of digests beyond `after`, ascending."""
    sql = (
        "SELECT digest, item FROM pictures WHERE digest IN "
        "(SELECT DISTINCT digest FROM pictures WHERE digest > ? ORDER BY digest LIMIT ?) ORDER BY digest, item"
    )
    found: dict[str, list[str]] = {}
    for digest, item in rows(sql, after, count):
        found.setdefault(digest, []).append(item)
    return found


def note(db: sqlite3.Connection, source: str, skipped: Sequence[Skipped], item: str | None) -> None:
    """What of a source, and of which item where it is one, could not be read."""
    now, reading = time.time(), register.number(db)
    db.executemany(
        "INSERT OR REPLACE INTO skipped (source, label, reason, item, at, seen_in) VALUES (?, ?, ?, ?, ?, ?)",
        [(source, one.source, one.reason, item, now, reading) for one in skipped],
    )


def release(db: sqlite3.Connection, ids: Sequence[str]) -> None:
    """Drop what hangs on items, but for the thumbnails, which others may show: then `sweep`."""
    one_each = [(one,) for one in ids]
    db.execute("CREATE TEMP TABLE IF NOT EXISTS loose (digest TEXT PRIMARY KEY)")
    db.executemany("INSERT OR IGNORE INTO loose SELECT digest FROM pictures WHERE item = ?", one_each)
    db.executemany("DELETE FROM pictures WHERE item = ?", one_each)
    db.executemany("DELETE FROM skipped WHERE item = ?", one_each)


def sweep(db: sqlite3.Connection) -> None:
    """Remove thumbnails of released pictures that no item shows any more."""
    db.execute(
        "DELETE FROM thumbnails WHERE digest IN (SELECT digest FROM loose) "
        "AND digest NOT IN (SELECT digest FROM pictures)"
    )
    db.execute("DELETE FROM loose")
