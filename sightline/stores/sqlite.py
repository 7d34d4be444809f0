"""Items, fields, parts, vectors and words of one collection as rows of a `Database`: the truth of the `faiss` store.

Does not know FAISS: it hands out vectors by row id, and what changed since a row id.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from sightline.errors import InputError
from sightline.filters import Filter
from sightline.stores import sqlite_boxes
from sightline.stores.aggregates import check_plan, distinct, numbers, ranked
from sightline.stores.where import where_sql
from sightline.types import (
    Aggregate,
    FieldSummary,
    FieldValue,
    Item,
    Locator,
    Part,
    PartVectors,
    Scalar,
    Space,
    Table,
    Vectors,
)

CHUNK = 4096  # vectors read from disk at a time

_MEASURES = {
    "count": "COUNT(DISTINCT items.id)",
    "min": "MIN(f.value)",
    "max": "MAX(f.value)",
    "mean": "AVG(f.value)",
}

VectorRow: TypeAlias = tuple[
    int, int, int, str, str, str, bytes
]  # vector, part, item, modality, part id, item id, float32s


def upsert(connection: sqlite3.Connection, items: Sequence[Item], vectors: Sequence[PartVectors]) -> None:
    """Replace or add items whole. Raises InputError for a part id that another item has."""
    delete(connection, [item.id for item in items])
    _refuse_taken_parts(connection, [part.id for item in items for part in item.parts])
    parts: dict[str, int] = {}
    for item in items:
        parts |= _insert(connection, item)
    spaces = {one.space: _space_row(connection, one.space) for one in vectors}
    connection.executemany(
        "INSERT INTO vectors (space, part, vector) VALUES (?, ?, ?)",
        (
            (spaces[one.space], parts[one.part_id], row.astype("<f4", copy=False).tobytes())
            for one in vectors
            for row in one.vectors
        ),
    )
    sqlite_boxes.put(connection, ((parts[one.part_id], spaces[one.space], one) for one in vectors))
    _changed(connection)


def delete(connection: sqlite3.Connection, ids: Sequence[str]) -> int:
    """Remove items with all that hangs on them; how many there were."""
    found = connection.execute("DELETE FROM items WHERE key IN (SELECT value FROM json_each(?))", (_json(ids),))
    if found.rowcount:
        _changed(connection)
    return found.rowcount


def get(connection: sqlite3.Connection, ids: Sequence[str]) -> list[Item]:
    """The items that exist, in the order asked for."""
    rows = connection.execute(
        "SELECT id, key, digest, fields FROM items WHERE key IN (SELECT value FROM json_each(?))", (_json(ids),)
    ).fetchall()
    parts: dict[int, list[Part]] = {row[0]: [] for row in rows}
    keys = {row[0]: row[1] for row in rows}
    for item, key, modality, digest, uri, text, locator, derived_by in connection.execute(
        "SELECT item, key, modality, digest, uri, text, locator, derived_by FROM parts "
        "WHERE item IN (SELECT value FROM json_each(?)) ORDER BY id",
        (_json(list(parts)),),
    ):
        place = Locator.from_json(json.loads(locator))
        parts[item].append(Part(key, keys[item], modality, digest, uri, text, place, derived_by))
    found = {
        key: Item(key, fields=fields_from_json(fields), parts=tuple(parts[row]), digest=digest)
        for row, key, digest, fields in rows
    }
    return [found[id] for id in ids if id in found]


def known(connection: sqlite3.Connection, space: Space, digests: Sequence[str]) -> dict[str, Vectors]:
    """digest -> (m, dim), from the first part of that digest that has vectors in this space."""
    rows = connection.execute(
        "SELECT digest, part, vector FROM parts CROSS JOIN vectors ON part = parts.id "  # parts first
        "WHERE digest IN (SELECT value FROM json_each(?)) "
        "AND space = (SELECT id FROM spaces WHERE fingerprint = ?) ORDER BY part, vectors.id",
        (_json(digests), space.fingerprint),
    )
    first: dict[str, int] = {}
    found: dict[str, list[bytes]] = {}
    for digest, part, vector in rows:
        if first.setdefault(digest, part) == part:
            found.setdefault(digest, []).append(vector)
    return {digest: vectors_from(blobs, space.dim) for digest, blobs in found.items()}


def unembedded(connection: sqlite3.Connection, space: Space) -> list[str]:
    """Ids of the parts of the space's modalities without a vector in it, ascending."""
    rows = connection.execute(
        "SELECT key FROM parts WHERE modality IN (SELECT value FROM json_each(?)) AND (modality = 'image' OR "
        "text IS NOT NULL) AND NOT EXISTS (SELECT 1 FROM vectors WHERE part = parts.id AND space = "
        "(SELECT id FROM spaces WHERE fingerprint = ?)) ORDER BY key",
        (_json(sorted(space.modalities)), space.fingerprint),
    )
    return [key for (key,) in rows]


def add_vectors(connection: sqlite3.Connection, vectors: Sequence[PartVectors]) -> None:
    """Put vectors of parts that are there in place of those they have in the same space."""
    spaces = {one.space: _space_row(connection, one.space) for one in vectors}
    for one in vectors:
        row = connection.execute("SELECT id FROM parts WHERE key = ?", (one.part_id,)).fetchone()
        if row is None:
            continue
        connection.execute("DELETE FROM vectors WHERE part = ? AND space = ?", (row[0], spaces[one.space]))
        connection.executemany(
            "INSERT INTO vectors (space, part, vector) VALUES (?, ?, ?)",
            ((spaces[one.space], row[0], vector.astype("<f4", copy=False).tobytes()) for vector in one.vectors),
        )
        sqlite_boxes.put(connection, [(row[0], spaces[one.space], one)])
    _changed(connection)


def spaces(connection: sqlite3.Connection) -> list[Space]:
    """The spaces that vectors were written in; what their encoders can embed is not on record."""
    rows = connection.execute("SELECT name, dim, fingerprint FROM spaces ORDER BY id")
    return [Space(name, dim, fingerprint) for name, dim, fingerprint in rows]


def forget_space(connection: sqlite3.Connection, fingerprint: str) -> None:
    """Remove a space with its vectors."""
    connection.execute(
        "DELETE FROM vectors WHERE space = (SELECT id FROM spaces WHERE fingerprint = ?)", (fingerprint,)
    )
    connection.execute("DELETE FROM spaces WHERE fingerprint = ?", (fingerprint,))
    _changed(connection)


def texts(connection: sqlite3.Connection, k: int) -> Iterator[str]:
    """What the k newest parts say that have a text."""
    rows = connection.execute("SELECT text FROM parts WHERE text IS NOT NULL ORDER BY id DESC LIMIT ?", (k,))
    return (text for (text,) in rows)


def fields(connection: sqlite3.Connection) -> list[FieldSummary]:
    """Every field any item has, by name."""
    rows = connection.execute(
        "SELECT name, COUNT(DISTINCT item), GROUP_CONCAT(DISTINCT kind) FROM fields GROUP BY name ORDER BY name"
    )
    return [FieldSummary(name, count, numbers(kinds.split(","))) for name, count, kinds in rows]


def aggregate(connection: sqlite3.Connection, plan: Aggregate, where: Filter | None) -> Table:
    """Rows of (group, value) over the items that pass `where`."""
    check_plan(plan)
    condition, values = where_sql(where)
    joins, names = "", []
    if plan.field is not None:
        only = "" if plan.op == "count" else "AND f.kind = 'number'"
        joins += f"JOIN fields f ON f.item = items.id AND f.name = ? {only} "
        names.append(plan.field)
    if plan.by is not None:
        joins += "JOIN fields g ON g.item = items.id AND g.name = ? "
        names.append(plan.by)
    group = "NULL, NULL, NULL" if plan.by is None else "g.kind, g.value, MIN(g.written)"
    rows = connection.execute(
        f"SELECT {group}, {_MEASURES[plan.op]} FROM items {joins} WHERE {condition} "
        + ("" if plan.by is None else "GROUP BY g.kind, g.value"),
        (*names, *values),
    )
    return ranked((_label(*of), float(found)) for *of, found in rows if found is not None)


def counts(connection: sqlite3.Connection) -> tuple[int, int, int, int]:
    """Items, parts, vectors, and bytes of all vectors."""
    items, parts = (connection.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0] for table in ("items", "parts"))
    spaces = connection.execute(
        "SELECT dim, (SELECT COUNT(*) FROM vectors WHERE space = spaces.id) FROM spaces"
    ).fetchall()
    return items, parts, sum(n for _, n in spaces), sum(4 * dim * n for dim, n in spaces)


# -- what the in-memory index asks ------------------------------------------------------------------------------------


def version(connection: sqlite3.Connection) -> int:
    """A number that grows with every write."""
    return int(connection.execute("SELECT version FROM changes").fetchone()[0])


def passing(connection: sqlite3.Connection, condition: str, values: Sequence[str | int | float]) -> NDArray[np.int64]:
    """Row ids of the items that pass a condition of `where_sql`."""
    joined = connection.execute(f"SELECT group_concat(items.id) FROM items WHERE {condition}", values).fetchone()
    return integers(*joined)


def integers(joined: str | None) -> NDArray[np.int64]:
    """Whole numbers that SQLite has put into one text, which takes it a fifth of the time of as many rows."""
    return np.fromstring(joined or "", np.int64, sep=",")


def refuse_other_dim(connection: sqlite3.Connection, space: Space) -> None:
    """Raise InputError where vectors of this space are there and have another width."""
    row = connection.execute("SELECT dim FROM spaces WHERE fingerprint = ?", (space.fingerprint,)).fetchone()
    if row and row[0] != space.dim:
        raise InputError(f"vectors of {space.name!r} have {row[0]} numbers here, not {space.dim}")


def vector_ids(connection: sqlite3.Connection, space: Space) -> NDArray[np.int64]:
    """Row ids of all vectors of a space, ascending."""
    sql = "SELECT id FROM vectors WHERE space = (SELECT id FROM spaces WHERE fingerprint = ?) ORDER BY id"
    return _integers(connection.execute(sql, (space.fingerprint,)))


def vectors_after(connection: sqlite3.Connection, space: Space, last: int) -> Iterator[list[VectorRow]]:
    """Vectors of a space with a row id beyond `last`, ascending, some thousands at a time."""
    rows = connection.execute(
        "SELECT vectors.id, part, item, modality, parts.key, items.key, vector FROM vectors "
        "JOIN parts ON parts.id = part JOIN items ON items.id = item "
        "WHERE space = (SELECT id FROM spaces WHERE fingerprint = ?) AND vectors.id > ? ORDER BY vectors.id",
        (space.fingerprint, last),
    )
    while chunk := rows.fetchmany(CHUNK):
        yield chunk


def vector_count(connection: sqlite3.Connection, space: Space, *, after: int = 0) -> int:
    """How many vectors a space has, of row ids beyond `after`."""
    sql = "SELECT COUNT(*) FROM vectors WHERE space = (SELECT id FROM spaces WHERE fingerprint = ?) AND id > ?"
    return int(connection.execute(sql, (space.fingerprint, after)).fetchone()[0])


def vector_rows(connection: sqlite3.Connection, space: Space) -> Iterator[list[tuple[int, int, int, str]]]:
    """(vector, part, item, modality) of all vectors of a space by row ids ascending, some thousands at a time."""
    rows = connection.execute(
        "SELECT vectors.id, part, item, modality FROM vectors JOIN parts ON parts.id = part "
        "WHERE space = (SELECT id FROM spaces WHERE fingerprint = ?) ORDER BY vectors.id",
        (space.fingerprint,),
    )
    while chunk := rows.fetchmany(CHUNK):
        yield chunk


def vectors_of(
    connection: sqlite3.Connection, ids: NDArray[np.int64], dim: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], Vectors]:
    """Row ids, parts and (n, dim) vectors of those of some row ids that are still there, ascending."""
    rows = connection.execute(
        "SELECT id, part, vector FROM vectors WHERE id IN (SELECT value FROM json_each(?)) ORDER BY id",
        (_json(ids.tolist()),),
    ).fetchall()
    found = np.array([row[:2] for row in rows], np.int64).reshape(-1, 2)
    return found[:, 0], found[:, 1], vectors_from((row[2] for row in rows), dim)


def there(connection: sqlite3.Connection, ids: NDArray[np.int64]) -> NDArray[np.int64]:
    """Those of some row ids of vectors that are still there, ascending."""
    sql = "SELECT id FROM vectors WHERE id IN (SELECT value FROM json_each(?)) ORDER BY id"
    return _integers(connection.execute(sql, (_json(ids.tolist()),)))


def part_keys(connection: sqlite3.Connection, parts: Iterable[int]) -> dict[int, tuple[str, str]]:
    """Row id of a part -> its id, and its item's."""
    rows = connection.execute(
        "SELECT parts.id, parts.key, items.key FROM parts JOIN items ON items.id = item "
        "WHERE parts.id IN (SELECT value FROM json_each(?))",
        (_json(list(parts)),),
    )
    return {row: (part, item) for row, part, item in rows}


def vectors_from(blobs: Iterable[bytes], dim: int) -> Vectors:
    """(n, dim) from stored rows."""
    return np.frombuffer(b"".join(blobs), "<f4").astype(np.float32).reshape(-1, dim)


# -- rows -------------------------------------------------------------------------------------------------------------


def fields_to_json(fields: dict[str, FieldValue]) -> str:
    """Fields as one JSON object; several values as a list."""
    return json.dumps(fields, ensure_ascii=False)


def fields_from_json(text: str) -> dict[str, FieldValue]:
    """Fields from their JSON object."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in json.loads(text).items()}


def _insert(connection: sqlite3.Connection, item: Item) -> dict[str, int]:
    """Write one item; part id -> row id."""
    row = connection.execute(
        "INSERT INTO items (key, digest, fields) VALUES (?, ?, ?)",
        (item.id, item.digest, fields_to_json(dict(item.fields))),
    ).lastrowid
    connection.executemany(
        "INSERT INTO fields (item, name, kind, value, written) VALUES (?, ?, ?, ?, ?)",
        (
            (row, name, kind, value, written if kind == "text" else None)
            for name in item.fields
            for (kind, value), written in distinct(item.fields, name).items()
        ),
    )
    found: dict[str, int] = {}
    for part in item.parts:
        locator = _json(part.locator.to_json())
        columns = (row, part.id, part.modality, part.digest, part.uri, part.text, locator, part.derived_by)
        found[part.id] = connection.execute(
            "INSERT INTO parts (item, key, modality, digest, uri, text, locator, derived_by) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING id",
            columns,
        ).fetchone()[0]
    return found


def _space_row(connection: sqlite3.Connection, space: Space) -> int:
    connection.execute(
        "INSERT INTO spaces (fingerprint, name, dim) VALUES (?, ?, ?) ON CONFLICT (fingerprint) DO NOTHING",
        (space.fingerprint, space.name, space.dim),
    )
    refuse_other_dim(connection, space)
    row = connection.execute("SELECT id FROM spaces WHERE fingerprint = ?", (space.fingerprint,)).fetchone()
    return int(row[0])


def _refuse_taken_parts(connection: sqlite3.Connection, keys: Sequence[str]) -> None:
    taken = connection.execute(
        "SELECT parts.key, items.key FROM parts JOIN items ON items.id = item "
        "WHERE parts.key IN (SELECT value FROM json_each(?)) LIMIT 1",
        (_json(keys),),
    ).fetchone()
    if taken:
        raise InputError(f"the part id {taken[0]!r} belongs to item {taken[1]!r} already")


def _changed(connection: sqlite3.Connection) -> None:
    connection.execute("UPDATE changes SET version = version + 1")


def _label(kind: str | None, value: float | str | None, written: str | None) -> Scalar | None:
    return written if kind == "text" else bool(value) if kind == "bool" else value


def _integers(rows: Iterable[tuple[int]]) -> NDArray[np.int64]:
    return np.fromiter((value for (value,) in rows), np.int64)


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
