"""How much of a collection's SQLite file was deleted or replaced since it was last compacted, and what of it is left.

Row ids of parts and vectors are never used twice: those handed out less those there are the ones that went. What of
them had gone by the last compaction is on record in a table of one row.
"""

from __future__ import annotations

import sqlite3

from sightline.stores import postings

_TABLE = "CREATE TABLE IF NOT EXISTS compacted (parts INTEGER NOT NULL, vectors INTEGER NOT NULL)"
_COUNTED = ("parts", "vectors")


def removed(connection: sqlite3.Connection) -> int:
    """Parts deleted or replaced since the last compaction, or parts that lost vectors, whichever are more."""
    before = (0, 0)
    if _has(connection, "compacted"):
        before = connection.execute("SELECT parts, vectors FROM compacted").fetchone() or before
    return max(now - then for now, then in zip(gone(connection), before, strict=True))


def gone(connection: sqlite3.Connection) -> tuple[int, int]:
    """Parts and vectors that were ever there and are not now."""
    parts, vectors = (
        connection.execute(
            f"SELECT (SELECT COALESCE(MAX(seq), 0) FROM sqlite_sequence WHERE name = '{table}') "
            f"- (SELECT COUNT(*) FROM {table})"
        ).fetchone()[0]
        for table in _COUNTED
    )
    return parts, vectors


def clean(connection: sqlite3.Connection) -> tuple[int, int]:
    """Write the full-text index anew and forget queries that were handed in; what `mark` is to be told afterwards.

    Handed-in queries are vectors of texts, whose items may be gone.
    """
    postings.rebuild(connection)
    if _has(connection, "probes"):
        connection.execute("DELETE FROM probes")
    return gone(connection)


def mark(connection: sqlite3.Connection, parts: int, vectors: int) -> None:
    """Note that what had gone by then is in no file any more; every process looks anew with its next call."""
    connection.execute(_TABLE)
    connection.execute("DELETE FROM compacted")
    connection.execute("INSERT INTO compacted VALUES (?, ?)", (parts, vectors))
    connection.execute("UPDATE changes SET version = version + 1")


def orphans(connection: sqlite3.Connection) -> list[str]:
    """Rows that belong to nothing, a sentence a table."""
    lost: dict[str, int] = {}
    for table, *_ in connection.execute("PRAGMA foreign_key_check"):
        lost[table] = lost.get(table, 0) + 1
    told = [f"{count:,} rows of the table {table} belong to nothing" for table, count in lost.items()]
    for table in ("indexes", "probes"):
        if _has(connection, table):
            sql = f"SELECT COUNT(*) FROM {table} WHERE fingerprint NOT IN (SELECT fingerprint FROM spaces)"
            if count := connection.execute(sql).fetchone()[0]:
                told.append(f"{count:,} rows of the table {table} are of a space that is gone")
    return told


def _has(connection: sqlite3.Connection, table: str) -> bool:
    found = connection.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", (table,))
    return found.fetchone() is not None
