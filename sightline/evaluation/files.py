"""Opens what a user measures with: rows of JSON, JSONL or CSV, and lines of columns, each with its file and line.

Does not know what the rows mean.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from indexer.catalogs import open_catalog
from indexer.records import Lost, Row
from sightline.errors import InputError
from sightline.types import Skipped


def rows(path: Path) -> Iterator[Row | Skipped]:
    """Rows of a JSONL, JSON, CSV or Parquet file; Skipped for one that cannot be read. Raises InputError."""
    try:
        for row in open_catalog(path)():
            yield row.skipped if isinstance(row, Lost) else row
    except OSError as exc:
        raise unreadable(path, exc) from exc


def lines(path: Path) -> Iterator[tuple[str, str]]:
    """("qrels.tsv:3", the line without its end) for every line that is not blank. Raises InputError."""
    try:
        with path.open("rb") as file:
            for number, raw in enumerate(file, start=1):
                where = f"{path.name}:{number}"
                try:
                    line = raw.decode("utf-8-sig").rstrip("\r\n")
                except UnicodeDecodeError as exc:
                    raise InputError(f"{where}: not UTF-8 text") from exc
                if line.strip():
                    yield where, line
    except OSError as exc:
        raise unreadable(path, exc) from exc


def digest(path: Path) -> str:
    """The SHA-256 of a file, so that a report says what it was measured on. Raises InputError."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as exc:
        raise unreadable(path, exc) from exc


def unreadable(path: Path, exc: OSError) -> InputError:
    """What to say of a file that cannot be opened."""
    if isinstance(exc, FileNotFoundError):
        return InputError(f"{path} does not exist")
    return InputError(f"cannot read {path}: {exc.strerror or exc}")
