"""Tables of an export as Parquet: read a page at a time, and only once it is known what that takes.

Knows what a group of rows may take, and not what they mean.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sightline.errors import UnreadableSource
from sightline.transfer import pages
from sightline.transfer.columns import Column, Row
from sightline.transfer.jsonl import parsed

READ_ROWS = 512  # at a time, and fewer where they are large
MOST_GROUP_BYTES = 512_000_000  # unpacked, of one group of rows
MOST_READ_BYTES = 128_000_000  # unpacked, of the rows read at a time, were each to hold all of every dictionary
TIMES, FREE_BYTES = 200, 1_000_000_000  # a file may unpack to so many times its size, and to so much in any case


class ParquetWriter:
    """A table on its way into a file, every `write` a row group. Raises OSError."""

    def __init__(self, path: Path, columns: Sequence[Column]) -> None:
        import pyarrow.parquet

        self._schema, self._columns = _schema(columns), columns
        packed = not any(column.kind == "vector" for column in columns)  # which nothing makes smaller
        self._writer = pyarrow.parquet.ParquetWriter(
            path, self._schema, compression="zstd" if packed else "none",
            use_dictionary=[column.name for column in columns if packed and column.kind != "bytes"],
        )  # fmt: skip

    def write(self, rows: Sequence[Row]) -> None:
        import pyarrow

        if rows:
            arrays = [_array([row.get(one.name) for row in rows], one, self._schema) for one in self._columns]
            self._writer.write_table(pyarrow.Table.from_arrays(arrays, schema=self._schema))

    def close(self) -> None:
        self._writer.close()


def _schema(columns: Sequence[Column]) -> Any:
    import pyarrow as pa

    types = {
        "text": pa.string(), "json": pa.string(), "int": pa.int64(), "time": pa.float64(), "bool": pa.bool_(),
        "bytes": pa.binary(), "numbers": pa.list_(pa.float64()),
    }  # fmt: skip
    return pa.schema(
        [(one.name, pa.list_(pa.float32(), one.dim) if one.kind == "vector" else types[one.kind]) for one in columns]
    )


def _array(values: list[Any], column: Column, schema: Any) -> Any:
    import pyarrow as pa

    if column.kind == "vector":
        return pa.FixedSizeListArray.from_arrays(pa.array(np.concatenate(values)), column.dim)
    if column.kind == "json":
        values = [None if one is None else json.dumps(one, ensure_ascii=False, allow_nan=False) for one in values]
    return pa.array(values, schema.field(column.name).type)


def parquet_rows(path: Path, columns: Sequence[Column]) -> Iterator[Row]:
    """The rows of a file, every cell of the kind that its column says. Raises UnreadableSource, OSError."""
    import pyarrow

    names = [one.name for one in columns]
    most_bytes = max(FREE_BYTES, TIMES * path.stat().st_size)
    done = 0
    try:
        for batch in _batches(path, columns):
            most_bytes -= batch.nbytes
            where = f"rows {done + 1:,} to {done + batch.num_rows:,}"
            if most_bytes < 0:
                raise UnreadableSource(
                    path.name, f"{where} are beyond what a file of its size may unpack to: {TIMES} times as much"
                )
            try:
                cells = [_cells(batch.column(one.name), one) for one in columns]
            except ValueError as exc:
                raise UnreadableSource(path.name, f"{where}: {exc}") from exc
            for values in zip(*cells, strict=True):
                yield dict(zip(names, values, strict=True))
            done += batch.num_rows
    except UnicodeDecodeError as exc:
        raise UnreadableSource(path.name, "not a whole Parquet file: a name in it is not UTF-8") from exc
    except pyarrow.ArrowException as exc:
        reason = "it takes more memory than there is" if isinstance(exc, MemoryError) else str(exc).partition("\n")[0]
        raise UnreadableSource(path.name, f"not a whole Parquet file: {reason}") from exc


def _batches(path: Path, columns: Sequence[Column]) -> Iterator[Any]:
    """What Arrow reads of a file, a few rows at a time."""
    import pyarrow.parquet

    found = _groups(path, columns)
    with pyarrow.parquet.ParquetFile(path, pre_buffer=False) as file:  # else all of it ends up in memory
        _refuse_other_columns(path, file, columns)
        for number, group in enumerate(found):
            row_bytes = group.bytes_dictionary + group.bytes_unpacked // max(1, group.rows)
            yield from file.iter_batches(
                batch_size=max(1, min(READ_ROWS, MOST_READ_BYTES // max(1, row_bytes))),
                row_groups=[number], columns=[one.name for one in columns], use_threads=False,
            )  # fmt: skip


def bytes_at_once(path: Path, columns: Sequence[Column]) -> int:
    """What the largest group of rows of a file unpacks to. Raises UnreadableSource, OSError."""
    return max((group.bytes_unpacked for group in _groups(path, columns)), default=0)


def _groups(path: Path, columns: Sequence[Column]) -> list[pages.Group]:
    try:
        found = pages.groups(path, _widths(columns))
    except pages.PageFault as exc:
        raise UnreadableSource(path.name, str(exc)) from exc
    for number, group in enumerate(found, start=1):
        if group.bytes_unpacked > MOST_GROUP_BYTES:
            told = f"group {number:,} of its rows unpacks to {group.bytes_unpacked:,} bytes"
            raise UnreadableSource(path.name, f"{told}, of which it may have {MOST_GROUP_BYTES:,}")
    return found


def _widths(columns: Sequence[Column]) -> Mapping[str, tuple[int, int]]:
    """Column -> how many values a row of it has, at least and at most."""
    least = {one.name: one.dim if one.kind == "vector" else 1 for one in columns}  # an empty list is on record, too
    return {one.name: (least[one.name], max(1, one.dim)) for one in columns}


def _refuse_other_columns(path: Path, file: Any, columns: Sequence[Column]) -> None:
    for field in _schema(columns):
        at = file.schema_arrow.get_field_index(field.name)
        if at < 0 or file.schema_arrow.field(at).type != field.type:
            found = "is not there" if at < 0 else f"holds {file.schema_arrow.field(at).type}"
            raise UnreadableSource(path.name, f"the column {field.name!r} {found}; it should hold {field.type}")


def _cells(array: Any, column: Column) -> Sequence[Any]:
    """One column of a page, as Python has it. Raises ValueError."""
    if column.kind == "vector":
        values = array.flatten()
        if array.null_count or values.null_count:
            raise ValueError("a vector is missing, or a number of one")
        rows: Sequence[Any] = values.to_numpy().reshape(-1, column.dim)
        return rows
    try:
        found: list[Any] = array.to_pylist()
    except UnicodeDecodeError as exc:
        raise ValueError(f"{column.name!r} holds a text that is not UTF-8") from exc
    if column.kind == "json":
        try:
            return [None if one is None else parsed(one) for one in found]
        except ValueError as exc:
            raise ValueError(f"a value of {column.name!r} {exc}") from exc
    if column.kind == "numbers" and any(one is not None and None in one for one in found):
        raise ValueError(f"{column.name!r} holds a list with a gap")
    return found
