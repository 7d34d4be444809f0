"""Tables of an export as lines of JSON: vectors as lists of numbers, bytes as base64.

Knows what a line and a cell may take, and not what they mean.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from sightline.errors import UnreadableSource
from sightline.transfer.columns import INTEGERS, Column, Kind, Row

MOST_LINE_BYTES = 64_000_000  # of one row
MOST_VALUES = 1_000_000  # of one row, or of a manifest: each takes up to 100 bytes of memory for two on disk

_TEXT = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*(?:"|\Z)', re.DOTALL)  # looks at every character once, whatever they are
_CALLED: dict[Kind, str] = {
    "text": "a text", "int": "a whole number of 64 bits", "time": "a number", "bool": "true or false",
    "bytes": "base64", "numbers": "a list of numbers", "vector": "a vector", "json": "JSON",
}  # fmt: skip


class JsonWriter:
    """A table on its way into a file. Raises OSError."""

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


def json_rows(path: Path, columns: Sequence[Column]) -> Iterator[Row]:
    """The rows of a file, every cell of the kind that its column says. Raises UnreadableSource, OSError."""
    number = 0
    with path.open("rb") as file:
        while line := file.readline(MOST_LINE_BYTES + 1):
            number += 1
            try:
                if len(line) > MOST_LINE_BYTES:
                    raise ValueError(f"is longer than {MOST_LINE_BYTES / 1e6:,.0f} MB")
                told = parsed(line)
                if not isinstance(told, dict):
                    raise ValueError("is not a JSON object")
                row = {column.name: _from_json(told.get(column.name), column) for column in columns}
            except ValueError as exc:
                raise UnreadableSource(path.name, f"row {number:,} {exc}") from exc
            yield row


def parsed(data: bytes | str) -> Any:
    """What JSON says. Raises ValueError for what is none, or takes far more memory than its length would tell."""
    try:
        text = data if isinstance(data, str) else data.decode()
        if _values(text) > MOST_VALUES:
            raise _TooMany
        return json.loads(text, parse_constant=_refuse_constant)
    except _TooMany as exc:
        raise ValueError(f"holds more than {MOST_VALUES:,} values") from exc
    except (ValueError, RecursionError) as exc:
        raise ValueError("is not JSON") from exc


class _TooMany(Exception):
    """More values than anybody writes into one row."""


def _values(text: str) -> int:
    """At least as many as there are values, and close to it where they are many."""
    if len(text) <= 2 * MOST_VALUES or (signs := _signs(text)) <= MOST_VALUES:
        return 0
    texts = 0
    for found in _TEXT.finditer(text):  # commas within texts are no sign of values
        texts += 1
        signs -= _signs(found.group())
        if texts > MOST_VALUES or signs <= MOST_VALUES:
            break
    return max(texts, signs)


def _signs(text: str) -> int:
    return text.count(",") + text.count("[") + text.count("{")


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _from_json(value: Any, column: Column) -> Any:  # noqa: PLR0911 - one return a kind
    """A cell as its column holds it. Raises ValueError."""
    if value is None or column.kind == "json":
        return value
    match column.kind, value:
        case "text", str():
            return value
        case "bool", bool():
            return value
        case "int", int() if not isinstance(value, bool) and value in INTEGERS:
            return value
        case "time", int() | float() if not isinstance(value, bool):
            return value
        case "bytes", str():
            try:
                return base64.b64decode(value, validate=True)
            except ValueError as exc:
                raise ValueError(_wrong(column)) from exc
        case "numbers", list() if len(value) <= column.dim and all(map(_is_number, value)):
            return [float(one) for one in value]
        case "vector", list() if len(value) == column.dim:
            return _vector(value, column)
    raise ValueError(_wrong(column))


def _wrong(column: Column) -> str:
    many = {"vector": f" of {column.dim} numbers", "numbers": f", at most {column.dim}"}
    return f"has a value of {column.name!r} that is not {_CALLED[column.kind]}{many.get(column.kind, '')}"


def _is_number(value: Any) -> bool:
    return isinstance(value, float) or (isinstance(value, int) and not isinstance(value, bool) and value in INTEGERS)


def _vector(values: list[Any], column: Column) -> Any:
    if not set(map(type, values)) <= {float, int}:
        raise ValueError(f"has a value of {column.name!r} with something else than numbers")
    with np.errstate(over="ignore"):
        try:
            return np.array(values, np.float64).astype(np.float32)
        except OverflowError as exc:  # a whole number of hundreds of digits
            raise ValueError(f"has a value of {column.name!r} with a number that is too large") from exc
