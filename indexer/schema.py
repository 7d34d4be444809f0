"""The tables of a ledger, and how those of older ledgers become them.

Runs inside one transaction of `indexer.ledger`; does not know what the rows are for.
"""

from __future__ import annotations

import sqlite3

VERSION = 3
# Readings are numbered, since a clock may be set back: `first_in` and `last_in` are the number of the reading in which
# an item was first seen and last changed, `absent` that of the one which first missed it (0: it is there), `seen_in`
# that of a skip. 0 is before all numbers; so a row that is put in without a number is older than all that have one.
_TABLES = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS items (
    id TEXT PRIMARY KEY, source TEXT NOT NULL, digest TEXT NOT NULL, stamp TEXT NOT NULL, at REAL NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS items_by_source ON items (source);
CREATE TABLE IF NOT EXISTS skipped (
    source TEXT NOT NULL, label TEXT NOT NULL, reason TEXT NOT NULL, item TEXT, at REAL NOT NULL,
    PRIMARY KEY (source, label)
);
CREATE INDEX IF NOT EXISTS skipped_by_item ON skipped (item);
CREATE TABLE IF NOT EXISTS thumbnails (digest TEXT PRIMARY KEY, jpeg BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS pictures (
    item TEXT NOT NULL, digest TEXT NOT NULL, PRIMARY KEY (item, digest)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS pictures_by_digest ON pictures (digest);
CREATE TABLE IF NOT EXISTS seen (
    item TEXT PRIMARY KEY, source TEXT NOT NULL, label TEXT NOT NULL, place TEXT NOT NULL, content TEXT NOT NULL,
    outcome TEXT NOT NULL, was TEXT NOT NULL, absent INTEGER NOT NULL, first_at REAL NOT NULL, at REAL NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS seen_by_content ON seen (content) WHERE content <> '';
CREATE INDEX IF NOT EXISTS seen_by_source ON seen (source);
CREATE TABLE IF NOT EXISTS events (item TEXT NOT NULL, at REAL NOT NULL, outcome TEXT NOT NULL, was TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS events_by_item ON events (item, at);
CREATE TABLE IF NOT EXISTS readings (source TEXT PRIMARY KEY, since REAL NOT NULL, until REAL NOT NULL) WITHOUT ROWID;
"""
_NUMBERS = (("seen", "first_in"), ("seen", "last_in"), ("readings", "number"), ("skipped", "seen_in"))
# Format 1 knew items by source and digest only. What it lacks is filled in as each is read once more.
_FROM_1 = """
INSERT OR IGNORE INTO seen (item, source, label, place, content, outcome, was, absent, first_at, at)
    SELECT id, source, '', '', '', 'added', '', 0, at, at FROM items;
INSERT INTO events SELECT id, at, 'added', '' FROM items WHERE id NOT IN (SELECT item FROM events);
UPDATE items SET stamp = '';
"""
# Format 2 knew times only: what came after the end of a reading gets a higher number than it.
_FROM_2 = """
CREATE INDEX readings_by_until ON readings (until);
UPDATE seen SET
    first_in = 1 + coalesce((SELECT number FROM readings WHERE until < first_at ORDER BY until DESC LIMIT 1), 0),
    last_in = 1 + coalesce((SELECT number FROM readings WHERE until < seen.at ORDER BY until DESC LIMIT 1), 0);
DROP INDEX readings_by_until;
INSERT OR REPLACE INTO meta SELECT 'readings', count(*) + 1 FROM readings;
"""


def bring_up(db: sqlite3.Connection) -> None:
    """Make the tables, or make those of an older ledger what they are today."""
    version = db.execute("PRAGMA user_version").fetchone()[0]  # again: another may have been quicker
    if version >= VERSION:
        return
    _run(db, _TABLES)
    for table, column in _NUMBERS:
        if column not in {row[1] for row in db.execute(f"PRAGMA table_info({table})")}:
            db.execute(f"ALTER TABLE {table} ADD COLUMN {column} INTEGER NOT NULL DEFAULT 0")
    if version == 1:
        _run(db, _FROM_1)
    if version > 0:
        ended = db.execute("SELECT source FROM readings ORDER BY until, source").fetchall()
        numbered = [(number, source) for number, (source,) in enumerate(ended, 1)]
        db.executemany("UPDATE readings SET number = ? WHERE source = ?", numbered)
        _run(db, _FROM_2)
    db.execute(f"PRAGMA user_version = {VERSION}")


def _run(db: sqlite3.Connection, script: str) -> None:
    """Statement by statement: `executescript` would end the transaction first."""
    for statement in script.split(";"):
        if statement.strip():
            db.execute(statement)
