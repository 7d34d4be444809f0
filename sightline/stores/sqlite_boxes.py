"""Where in their parts stored vectors are of: the boxes of regions, as rows beside the vectors of a `Database`.

The table is made with the first box, so that a file without regions is as it always was. Boxes go with their part, and
with their space.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence

import numpy as np

from sightline.types import Box, PartVectors, Space, Vectors

_TABLE = """
CREATE TABLE IF NOT EXISTS boxes (
    part INTEGER NOT NULL REFERENCES parts ON DELETE CASCADE,
    space INTEGER NOT NULL REFERENCES spaces ON DELETE CASCADE,
    boxes TEXT NOT NULL, PRIMARY KEY (part, space)
) WITHOUT ROWID
"""


def put(connection: sqlite3.Connection, given: Iterable[tuple[int, int, PartVectors]]) -> None:
    """Put down the boxes of (part, space, vectors), in place of those there were."""
    rows = [(part, space, json.dumps(one.boxes) if one.boxes else None) for part, space, one in given]
    if not _is_there(connection):
        if not any(text for _, _, text in rows):
            return
        connection.execute(_TABLE)
    connection.executemany("DELETE FROM boxes WHERE part = ? AND space = ?", [row[:2] for row in rows])
    connection.executemany("INSERT INTO boxes (part, space, boxes) VALUES (?, ?, ?)", [row for row in rows if row[2]])


def by_digest(connection: sqlite3.Connection, space: Space, digests: Sequence[str]) -> dict[str, tuple[Box, ...]]:
    """digest -> boxes, of the first part of that digest that has vectors in this space."""
    if not _is_there(connection):
        return {}
    rows = connection.execute(
        "SELECT digest, boxes FROM parts CROSS JOIN spaces ON fingerprint = ? "
        "LEFT JOIN boxes ON boxes.part = parts.id AND boxes.space = spaces.id "
        "WHERE digest IN (SELECT value FROM json_each(?)) "
        "AND EXISTS (SELECT 1 FROM vectors WHERE part = parts.id AND space = spaces.id) ORDER BY parts.id",
        (space.fingerprint, json.dumps(digests)),
    )
    first: dict[str, str | None] = {}
    for digest, text in rows:
        first.setdefault(digest, text)
    return {digest: boxes_of(text) for digest, text in first.items() if text}


def by_part(connection: sqlite3.Connection, ids: Sequence[str]) -> dict[tuple[str, int], tuple[Box, ...]]:
    """(part id, row of a space) -> boxes, of the parts of some items."""
    if not _is_there(connection):
        return {}
    rows = connection.execute(
        "SELECT parts.key, boxes.space, boxes FROM items CROSS JOIN parts ON parts.item = items.id "
        "CROSS JOIN boxes ON boxes.part = parts.id WHERE items.key IN (SELECT value FROM json_each(?))",
        (json.dumps(ids, ensure_ascii=False),),
    )
    return {(part, space): boxes_of(text) for part, space, text in rows}


def count(connection: sqlite3.Connection, space: Space) -> int:
    """How many parts have regions in a space."""
    if not _is_there(connection):
        return 0
    sql = "SELECT COUNT(*) FROM boxes WHERE space = (SELECT id FROM spaces WHERE fingerprint = ?)"
    return int(connection.execute(sql, (space.fingerprint,)).fetchone()[0])


def sample(connection: sqlite3.Connection, space: Space, most: int) -> list[Vectors]:
    """(m, dim) vectors of each of at most so many parts with regions, from all over the collection."""
    if not _is_there(connection):
        return []
    parts = connection.execute(
        "SELECT part, space FROM boxes WHERE space = (SELECT id FROM spaces WHERE fingerprint = ?) "
        "ORDER BY (part * 2654435761) % 4294967296 LIMIT ?",  # the same ones each time, as if drawn
        (space.fingerprint, most),
    ).fetchall()
    sql = "SELECT vector FROM vectors WHERE part = ? AND space = ? ORDER BY id"
    blobs = [[blob for (blob,) in connection.execute(sql, row)] for row in parts]
    return [np.frombuffer(b"".join(some), "<f4").astype(np.float32).reshape(-1, space.dim) for some in blobs]


def boxes_of(text: str) -> tuple[Box, ...]:
    """Boxes from their JSON."""
    return tuple((x0, y0, x1, y1) for x0, y0, x1, y1 in json.loads(text))


def _is_there(connection: sqlite3.Connection) -> bool:
    return (
        connection.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'boxes'").fetchone() is not None
    )
