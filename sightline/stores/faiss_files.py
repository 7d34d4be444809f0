"""Index files of a collection and the rows of SQLite that name them: a file that no row names is nobody's.

Does not know what is in a file. A row is written after its files are on disk, and no name is used twice, so a database
that was restored from an earlier day finds no file, not a wrong one. Deleting the folder of the files is always safe.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import sqlite3
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sightline.certificate import Certificate
from sightline.disk import make_folder, move, sync
from sightline.types import Modality, Space, Vectors

FOLDER = "indexes"
_BLOCK, _BLOCKS = 65_536, 64  # bytes and number of the pieces of a file that are compared when it is opened
_NEW = "new-"
_ABANDONED_S = 24 * 3600.0  # a file that was begun so long ago is of a build that was killed

_TABLES = (
    """CREATE TABLE IF NOT EXISTS indexes (
        fingerprint TEXT NOT NULL, modality TEXT NOT NULL, file TEXT NOT NULL, dim INTEGER NOT NULL,
        last INTEGER NOT NULL, rows INTEGER NOT NULL, most INTEGER NOT NULL, bytes INTEGER NOT NULL,
        digest TEXT NOT NULL, kind TEXT NOT NULL, why TEXT NOT NULL, effort INTEGER NOT NULL,
        certificate TEXT NOT NULL, PRIMARY KEY (fingerprint, modality)
    ) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS probes (
        fingerprint TEXT NOT NULL, modality TEXT NOT NULL, vectors BLOB NOT NULL, PRIMARY KEY (fingerprint, modality)
    ) WITHOUT ROWID""",
)


@dataclass(frozen=True, slots=True)
class Record:
    """One index over the vectors of one kind of part in one space, up to and with the vector id `last`."""

    fingerprint: str
    modality: Modality
    file: str  # without its ending: .faiss is the index, .npy the vector, part and item of each of its rows
    dim: int
    last: int
    rows: int
    most: int  # vectors a part has at most
    bytes: int
    digest: str
    kind: str
    why: str
    effort: int
    certificate: Certificate

    def files(self, folder: Path) -> tuple[Path, Path]:
        return folder / f"{self.file}.faiss", folder / f"{self.file}.npy"


def records(connection: sqlite3.Connection, fingerprint: str | None = None) -> list[Record]:
    """What is built, of one space or of all."""
    if not _has(connection, "indexes"):
        return []
    rows = connection.execute(
        "SELECT * FROM indexes WHERE ? IS NULL OR fingerprint = ? ORDER BY fingerprint, modality",
        (fingerprint, fingerprint),
    )
    named: list[dict[str, Any]] = [dict(zip(Record.__slots__, row, strict=True)) for row in rows]
    return [Record(**one | {"certificate": Certificate.from_json(json.loads(one["certificate"]))}) for one in named]


def replace(connection: sqlite3.Connection, fingerprint: str, fresh: list[Record]) -> None:
    """Make these the indexes of a space, in the transaction of `connection`."""
    for table in _TABLES:
        connection.execute(table)
    connection.execute("DELETE FROM indexes WHERE fingerprint = ?", (fingerprint,))
    connection.execute("UPDATE changes SET version = version + 1")  # readers look at what is built when this moves
    for one in fresh:
        values = [getattr(one, name) for name in Record.__slots__[:-1]]
        certificate = json.dumps(one.certificate.to_json())
        connection.execute(f"INSERT INTO indexes VALUES ({', '.join('?' * 13)})", (*values, certificate))


def keep_probes(connection: sqlite3.Connection, space: Space, modality: Modality, vectors: Vectors) -> None:
    """Remember queries that were handed in, for the next build."""
    for table in _TABLES:
        connection.execute(table)
    blob = np.ascontiguousarray(vectors, "<f4").tobytes()
    connection.execute("INSERT OR REPLACE INTO probes VALUES (?, ?, ?)", (space.fingerprint, modality, blob))


def kept_probes(connection: sqlite3.Connection, space: Space) -> dict[Modality, Vectors]:
    """(q, dim) queries that were handed in, by kind."""
    if not _has(connection, "probes"):
        return {}
    rows = connection.execute("SELECT modality, vectors FROM probes WHERE fingerprint = ?", (space.fingerprint,))
    return {kind: np.frombuffer(blob, "<f4").astype(np.float32).reshape(-1, space.dim) for kind, blob in rows}


def forget(connection: sqlite3.Connection, fingerprint: str) -> None:
    """Remove what is kept of a space that is gone."""
    for table in ("indexes", "probes"):
        if _has(connection, table):
            connection.execute(f"DELETE FROM {table} WHERE fingerprint = ?", (fingerprint,))


@contextlib.contextmanager
def new_files(folder: Path) -> Iterator[str]:
    """A name that no file had before, to write `begun(folder, name)` of; what is not put in place is removed.

    Raises OSError.
    """
    make_folder(folder)
    name = uuid.uuid4().hex
    try:
        yield name
    finally:
        for path in begun(folder, name):
            path.unlink(missing_ok=True)


def begun(folder: Path, name: str) -> tuple[Path, Path]:
    """Where `.faiss` and `.npy` are written, until a row names them."""
    return folder / f"{_NEW}{name}.faiss", folder / f"{_NEW}{name}.npy"


def finished(folder: Path, name: str) -> tuple[int, str]:
    """Put both files on disk, under the names they are written by; their bytes and digest. Raises OSError."""
    paths = begun(folder, name)
    for path in paths:
        sync(path)
    return sum(path.stat().st_size for path in paths), digest(*paths)


def put(record: Record, folder: Path) -> None:
    """Move finished files to their final place, in the transaction that names them: nobody sweeps meanwhile.

    Raises OSError.
    """
    for path, place in zip(begun(folder, record.file), record.files(folder), strict=True):
        move(path, place)


def sweep(connection: sqlite3.Connection, folder: Path, *, unfinished: bool = False) -> None:
    """Remove files that no row names, those that are being written only where `unfinished` is given; in a write.

    A process that has one open goes on reading it; one that is writing it fails to put it in place.
    """
    named = {record.file for record in records(connection)}
    for path in folder.glob("*.*"):
        new = path.name.startswith(_NEW) and not unfinished
        if path.stem not in named and not (new and time.time() - path.stat().st_mtime < _ABANDONED_S):
            path.unlink(missing_ok=True)


def remove(gone: list[Record], folder: Path) -> None:
    """Remove the files of indexes that no row names any more."""
    for record in gone:
        for path in record.files(folder):
            with contextlib.suppress(OSError):  # what stays, the next build removes
                path.unlink(missing_ok=True)


def digest(*paths: Path) -> str:
    """SHA-256 over 4 MB of each file, evenly from all of it, and its size: a torn or foreign file has another.

    What rots between those blocks hides neighbours and cannot make up any: every score is of a vector in SQLite.
    """
    told = hashlib.sha256()
    for path in paths:
        size = path.stat().st_size
        told.update(f"{size};".encode())
        with path.open("rb") as file:
            for at in np.linspace(0, max(0, size - _BLOCK), _BLOCKS).astype(np.int64).tolist():
                file.seek(at)
                told.update(file.read(_BLOCK))
    return told.hexdigest()


def is_sound(record: Record, folder: Path) -> bool:
    """Whether the files of a record are there and whole."""
    try:
        return digest(*record.files(folder)) == record.digest
    except OSError:
        return False


def _has(connection: sqlite3.Connection, table: str) -> bool:
    found = connection.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", (table,))
    return found.fetchone() is not None
