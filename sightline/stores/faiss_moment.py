"""A `faiss` collection as it was at one moment: walked item by item, or copied file by file, while others write.

Knows one SQLite connection whose read transaction is open, and nothing of what is searched.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from sightline.disk import sync, sync_tree
from sightline.errors import EngineError
from sightline.filters import Filter
from sightline.stores import faiss_files as files
from sightline.stores import sqlite, sqlite_boxes
from sightline.stores.where import where_sql
from sightline.types import Item, PartVectors, Space, Stored

PAGE = 256  # items in memory at a time


class FaissMoment:
    """What `connection` sees, from now until its transaction ends; `indexes` is the folder of the index files."""

    def __init__(self, connection: sqlite3.Connection, indexes: Path) -> None:
        self._connection, self._indexes = connection, indexes
        sqlite.version(connection)  # only the first read fixes the moment
        self._file = Path(connection.execute("PRAGMA database_list").fetchone()[2])

    def items(self, *, where: Filter | None = None, vectors: bool = True) -> Iterator[Stored]:
        """Every item that passes `where`, ids ascending."""
        condition, values = where_sql(where)
        rows = self._connection.execute(f"SELECT items.key FROM items WHERE {condition} ORDER BY items.key", values)
        while page := rows.fetchmany(PAGE):
            found = sqlite.get(self._connection, [key for (key,) in page])
            by_part = self._vectors(found) if vectors else {}
            for item in found:
                yield Stored(item, tuple(one for part in item.parts for one in by_part.get(part.id, ())))

    def copy(self, folder: Path) -> None:
        """Copy the database by SQLite's own backup, and the index files that it names, where they are still there."""
        copy_database(self._connection, folder / self._file.name)
        try:
            (folder / files.FOLDER).mkdir()
            for record in files.records(self._connection):
                for path in record.files(self._indexes):
                    with contextlib.suppress(FileNotFoundError):  # a newer index took its place: it is built again
                        shutil.copyfile(path, folder / files.FOLDER / path.name)
            sync_tree(folder)
        except OSError as exc:
            raise EngineError(f"cannot copy {self._indexes} to {folder}: {exc.strerror}") from exc

    def _vectors(self, items: Sequence[Item]) -> dict[str, list[PartVectors]]:
        """Part id -> its vectors, a space each."""
        known = self._connection.execute("SELECT id, name, dim, fingerprint FROM spaces")
        spaces = {row: Space(name, dim, fingerprint) for row, name, dim, fingerprint in known}
        blobs: dict[tuple[str, int], list[bytes]] = {}
        wanted = json.dumps([item.id for item in items], ensure_ascii=False)
        for part, space, blob in self._connection.execute(
            "SELECT parts.key, space, vector FROM items CROSS JOIN parts ON parts.item = items.id "
            "CROSS JOIN vectors ON part = parts.id WHERE items.key IN (SELECT value FROM json_each(?)) "
            "ORDER BY space, vectors.id",
            (wanted,),
        ):
            blobs.setdefault((part, space), []).append(blob)
        boxes = sqlite_boxes.by_part(self._connection, [item.id for item in items])
        found: dict[str, list[PartVectors]] = {}
        for (part, space), rows in blobs.items():
            made = sqlite.vectors_from(rows, spaces[space].dim).astype(np.float32, copy=False)
            found.setdefault(part, []).append(PartVectors(part, spaces[space], made, boxes.get((part, space), ())))
        return found


def copy_database(connection: sqlite3.Connection, path: Path) -> None:
    """Write what a connection sees into a new file, on disk when this returns. Raises EngineError, sqlite3.Error."""
    copied = sqlite3.connect(path)
    try:
        connection.backup(copied)
    finally:
        copied.close()
    try:
        sync(path)
    except OSError as exc:
        raise EngineError(f"cannot write {path}: {exc.strerror}") from exc
