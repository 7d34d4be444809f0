"""Tables of an export as files, Parquet or JSONL: written a page at a time and read back row by row, in their order.

Knows columns and their types, and not what they mean. A file that does not hold what its columns say is refused by
name.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from sightline.errors import UnreadableSource
from sightline.transfer.columns import Cells, Column, Format, Row
from sightline.transfer.jsonl import MOST_LINE_BYTES, JsonWriter, json_rows
from sightline.transfer.parquet import ParquetWriter, bytes_at_once, parquet_rows


class TableWriter(Protocol):
    """A table on its way into a file."""

    def write(self, rows: Sequence[Row]) -> None: ...

    def close(self) -> None: ...


def write_table(path: Path, columns: Sequence[Column], format: Format) -> TableWriter:
    """Begin a new file. Raises OSError, also later."""
    return ParquetWriter(path, columns) if format == "parquet" else JsonWriter(path, columns)


def read_table(path: Path, columns: Sequence[Column], format: Format) -> Iterator[Row]:
    """The rows of a file; vectors as (dim,) float32. Raises UnreadableSource, naming the row, also in the middle."""
    cells = Cells(columns)
    try:
        rows = parquet_rows(path, columns) if format == "parquet" else json_rows(path, columns)
        for number, row in enumerate(rows, start=1):
            if reason := cells.fault(row):
                raise UnreadableSource(path.name, f"row {number:,} {reason}")
            yield row
    except OSError as exc:
        raise UnreadableSource(path.name, f"cannot be read: {exc.strerror or exc}") from exc
    except MemoryError as exc:
        raise UnreadableSource(path.name, "reading it takes more memory than there is") from exc


def bytes_held(path: Path, columns: Sequence[Column], format: Format) -> int:
    """What reading a file holds in memory at once, about, and at most. Raises UnreadableSource."""
    try:
        return bytes_at_once(path, columns) if format == "parquet" else min(path.stat().st_size, MOST_LINE_BYTES)
    except OSError as exc:
        raise UnreadableSource(path.name, f"cannot be read: {exc.strerror or exc}") from exc
