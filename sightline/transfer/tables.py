"""Tables of an export as files, Parquet or JSONL: written a page at a time and read back row by row, in their order.

Knows columns and their types, and not what they mean. A file that does not hold what its columns say is refused by
name.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal, Protocol, TypeAlias

import numpy as np

from sightline.errors import UnreadableSource

Format: TypeAlias = Literal["parquet", "jsonl"]
Kind: TypeAlias = Literal["text", "int", "float", "bool", "json", "bytes", "numbers", "vector"]
Row: TypeAlias = Mapping[str, Any]

FORMATS: tuple[Format, ...] = ("parquet", "jsonl")
MOST_LINE_BYTES = 256_000_000  # of one row of JSONL
MOST_GROUP_BYTES = 4_000_000_000  # of one row group of Parquet, which is read at once
READ_ROWS = 512


@dataclass(frozen=True, slots=True)
class Column:
    """A column: texts, numbers, booleans, bytes, lists of numbers, any JSON, or vectors of `dim` float32s."""

    name: str
    kind: Kind = "text"
    required: bool = True
    dim: int = 0


class TableWriter(Protocol):
    """A table on its way into a file."""

    def write(self, rows: Sequence[Row]) -> None: ...

    def close(self) -> None: ...


def write_table(path: Path, columns: Sequence[Column], format: Format) -> TableWriter:
    """Begin a new file. Raises OSError, also later."""
    return _ParquetWriter(path, columns) if format == "parquet" else _JsonWriter(path, columns)


def read_table(path: Path, columns: Sequence[Column], format: Format) -> Iterator[Row]:
    """The rows of a file; vectors as (dim,) float32. Raises UnreadableSource, also in the middle."""
    rows = _parquet_rows(path, columns) if format == "parquet" else _json_rows(path, columns)
    required = [column.name for column in columns if column.required]
    try:
        for number, row in enumerate(rows, start=1):
            for name in required:
                if row[name] is None:
                    raise UnreadableSource(path.name, f"row {number:,} has no {name!r}")
            yield row
    except OSError as exc:
        raise UnreadableSource(path.name, f"cannot be read: {exc.strerror or exc}") from exc


# -- JSONL -------------------------------------------------------------------------------------------------------------


class _JsonWriter:
    def __init__(self, path: Path, columns: Sequence[Column]) -> None:
        self._file: BinaryIO = path.open("xb")
        self._columns = columns

    def write(self, rows: Sequence[Row]) -> None:
        for row in rows:
            cells = (
                f"{json.dumps(column.name)}: {_to_json(row[column.name], column)}"
                for column in self._columns
                if row.get(column.name) is not None
            )
            self._file.write(f"{{{', '.join(cells)}}}\n".encode())

    def close(self) -> None:
        self._file.close()


def _to_json(value: Any, column: Column) -> str:
    if column.kind == "vector":
        return _vector_to_json(value)
    if column.kind == "bytes":
        value = base64.b64encode(value).decode()
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _vector_to_json(row: Any) -> str:
    """Nine digits name a float32 exactly; JSON would read a minus zero of no digits after the point as plain zero."""
    if np.signbit(row[row == 0]).any():
        return json.dumps(row.tolist())
    return "[" + ", ".join(["%.9g"] * len(row)) % tuple(row.tolist()) + "]"


def _json_rows(path: Path, columns: Sequence[Column]) -> Iterator[Row]:
    number = 0
    with path.open("rb") as file:
        while line := file.readline(MOST_LINE_BYTES + 1):
            number += 1
            where = f"row {number:,}"
            if len(line) > MOST_LINE_BYTES:
                raise UnreadableSource(path.name, f"{where} is longer than {MOST_LINE_BYTES / 1e6:,.0f} MB")
            try:
                told = json.loads(line, parse_constant=_refuse_constant)
            except (ValueError, RecursionError) as exc:
                raise UnreadableSource(path.name, f"{where} is not JSON") from exc
            if not isinstance(told, dict):
                raise UnreadableSource(path.name, f"{where} is not a JSON object")
            try:
                yield {column.name: _from_json(told.get(column.name), column) for column in columns}
            except ValueError as exc:
                raise UnreadableSource(path.name, f"{where}: {exc}") from exc


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _from_json(value: Any, column: Column) -> Any:  # noqa: PLR0911 - one return a kind
    """A cell as its column holds it. Raises ValueError."""
    wrong = f"{column.name!r} is not {_CALLED[column.kind]}"
    if value is None or column.kind == "json":
        return value
    match column.kind, value:
        case "text", str():
            return value
        case "bool", bool():
            return value
        case "int", int() if not isinstance(value, bool):
            return value
        case "float", int() | float() if not isinstance(value, bool):
            return float(value)
        case "bytes", str():
            try:
                return base64.b64decode(value, validate=True)
            except binascii.Error as exc:
                raise ValueError(wrong) from exc
        case "numbers", list() if all(isinstance(one, int | float) and not isinstance(one, bool) for one in value):
            return [float(one) for one in value]
        case "vector", list() if len(value) == column.dim:
            return _vector(value, column)
    raise ValueError(wrong + (f" of {column.dim} numbers" if column.kind == "vector" else ""))


def _vector(values: list[Any], column: Column) -> Any:
    if not set(map(type, values)) <= {float, int}:
        raise ValueError(f"{column.name!r} holds something else than numbers")
    with np.errstate(over="ignore"):
        return np.array(values, np.float64).astype(np.float32)


_CALLED: dict[Kind, str] = {
    "text": "a text", "int": "a whole number", "float": "a number", "bool": "true or false", "bytes": "base64",
    "numbers": "a list of numbers", "vector": "a vector", "json": "JSON",
}  # fmt: skip


# -- Parquet -----------------------------------------------------------------------------------------------------------


class _ParquetWriter:
    """Every `write` is a row group."""

    def __init__(self, path: Path, columns: Sequence[Column]) -> None:
        import pyarrow.parquet

        self._schema, self._columns = _schema(columns), columns
        dense = any(column.kind == "vector" for column in columns)  # which nothing makes smaller
        self._writer = pyarrow.parquet.ParquetWriter(
            path, self._schema, compression="none" if dense else "zstd", use_dictionary=not dense
        )

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
        "text": pa.string(), "json": pa.string(), "int": pa.int64(), "float": pa.float64(), "bool": pa.bool_(),
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


def _parquet_rows(path: Path, columns: Sequence[Column]) -> Iterator[Row]:
    import pyarrow
    import pyarrow.parquet

    try:
        with pyarrow.parquet.ParquetFile(path, pre_buffer=False) as file:  # else all of it ends up in memory
            _refuse_other_columns(path, file, columns)
            for batch in file.iter_batches(batch_size=READ_ROWS, use_threads=False):
                cells = [_cells(batch.column(one.name), one, path) for one in columns]
                for values in zip(*cells, strict=True):
                    yield dict(zip((one.name for one in columns), values, strict=True))
    except pyarrow.ArrowException as exc:
        raise UnreadableSource(path.name, f"not a whole Parquet file: {str(exc).splitlines()[0]}") from exc
    except UnicodeDecodeError as exc:
        raise UnreadableSource(path.name, "a text is not UTF-8") from exc


def _refuse_other_columns(path: Path, file: Any, columns: Sequence[Column]) -> None:
    for field in _schema(columns):
        at = file.schema_arrow.get_field_index(field.name)
        if at < 0 or file.schema_arrow.field(at).type != field.type:
            found = "is not there" if at < 0 else f"holds {file.schema_arrow.field(at).type}"
            raise UnreadableSource(path.name, f"the column {field.name!r} {found}; it should hold {field.type}")
    for number in range(file.metadata.num_row_groups):
        if file.metadata.row_group(number).total_byte_size > MOST_GROUP_BYTES:
            raise UnreadableSource(path.name, f"a row group is larger than {MOST_GROUP_BYTES / 1e9:,.0f} GB")


def _cells(array: Any, column: Column, path: Path) -> Sequence[Any]:
    """One column of a page, as Python has it."""
    if column.kind == "vector":
        values = array.flatten()
        if array.null_count or values.null_count:
            raise UnreadableSource(path.name, "a vector is missing, or a number of one")
        rows: Sequence[Any] = values.to_numpy().reshape(-1, column.dim)
        return rows
    found: list[Any] = array.to_pylist()
    if column.kind == "json":
        try:
            return [None if one is None else json.loads(one, parse_constant=_refuse_constant) for one in found]
        except (ValueError, RecursionError) as exc:
            raise UnreadableSource(path.name, f"the column {column.name!r} holds something else than JSON") from exc
    if column.kind == "numbers" and any(one is not None and None in one for one in found):
        raise UnreadableSource(path.name, f"the column {column.name!r} holds a list with a gap")
    return found
