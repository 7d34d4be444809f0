"""Reads catalogs, row by row: JSONL, a JSON array, CSV, Parquet. What it is, is told by content before name.

Does not know what a row's keys mean. A row that cannot be read is reported and the reading goes on.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, TypeAlias

from indexer.records import Lost, Row
from sightline.types import Skipped

if TYPE_CHECKING:
    import pyarrow

SUFFIXES = frozenset({".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet"})
Rows: TypeAlias = Callable[[], Iterator[Row | Lost]]

_NUMBER = re.compile(r"-?(?:0|[1-9]\d{0,14})?(?:(?<=\d)|(?=\.\d))(?:\.\d{1,15})?(?:[eE][+-]?\d{1,2})?")
_COMMA_NUMBER = re.compile(
    r"-?(?:\d{1,3}(?:\.\d{3})+|0|[1-9]\d{0,14})(?:,\d{1,15})?"
)  # as where ; stands between cells
_BOM = b"\xef\xbb\xbf"
_CELL_CHARS = 32_000_000  # a cell may hold a whole picture as a data URI; the csv module's own limit is 131,072
_PARQUET_ROWS = 1024  # read at a time
_PANDAS = "__index_level_"  # columns that pandas adds for itself


def open_catalog(path: Path) -> Rows:
    """A function that reads the rows of a catalog from the start, as often as it is called. Raises OSError."""
    with path.open("rb") as file:
        head = file.read(4096)
    start = head.removeprefix(_BOM).lstrip()[:1]
    if not start and path.stat().st_size <= len(head):
        return lambda: iter([_lost(path.name, "the file is empty")])
    if head.startswith(b"PAR1") or path.suffix.lower() == ".parquet":
        return lambda: _parquet(path)
    if start == b"[" and path.suffix.lower() not in (".csv", ".tsv"):
        return lambda: _json_array(path)
    if start == b"{" and path.suffix.lower() == ".json":
        return lambda: _json_object(path)
    if start == b"{" or path.suffix.lower() in (".jsonl", ".ndjson", ".json"):
        return lambda: _json_lines(path)
    return _csv(path)


def _lost(where: str, reason: str) -> Lost:
    return Lost(Skipped(where, reason))


# -- JSON --------------------------------------------------------------------------------------------------------------


def _json_lines(path: Path) -> Iterator[Row | Lost]:
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if line.removeprefix(_BOM).strip():
                where = f"{path.name}:{number}"
                values, reason = _parsed(line.removeprefix(_BOM).rstrip(), line=False)
                yield _row(where, values) if reason is None else _lost(where, reason)


def _json_array(path: Path) -> Iterator[Row | Lost]:
    values, reason = _parsed(path.read_bytes().removeprefix(_BOM))
    if reason is not None:
        yield _lost(path.name, reason)
        return
    for number, value in enumerate(values, start=1):
        yield _row(f"{path.name}:{number}", value)


def _json_object(path: Path) -> Iterator[Row | Lost]:
    """One object: the rows are its only list of objects ({"products": [...]}), else it is the only row; else lines."""
    values, reason = _parsed(path.read_bytes().removeprefix(_BOM))
    if reason is not None:
        yield from _json_lines(path)
        return
    lists = [value for value in values.values() if isinstance(value, list) and value and isinstance(value[0], dict)]
    wrapped = len(lists) == 1 and not any(key.casefold() == "id" for key in values)
    for number, value in enumerate(lists[0] if wrapped else [values], start=1):
        yield _row(f"{path.name}:{number}", value)


def _row(where: str, values: Any) -> Row | Lost:
    return Row(where, values) if isinstance(values, dict) else _lost(where, "the row is not a JSON object")


def _parsed(data: bytes, *, line: bool = True) -> tuple[Any, str | None]:
    """(value, None), or (None, why it cannot be read). NaN and Infinity, which JSON does not have, read as null."""
    try:
        return json.loads(data.decode("utf-8"), parse_constant=lambda _: None), None
    except UnicodeDecodeError:
        return None, "not UTF-8 text"
    except json.JSONDecodeError as exc:
        place = f"line {exc.lineno}, column {exc.colno}" if line else f"column {exc.colno}"
        return None, f"not JSON: {exc.msg.lower()} at {place}"
    except RecursionError:
        return None, "not readable JSON: nested too deeply"
    except ValueError:
        return None, "not readable JSON: a number has thousands of digits"


# -- CSV ---------------------------------------------------------------------------------------------------------------


def _csv(path: Path) -> Rows:
    """Find the separator and the columns of numbers once; then read."""
    csv.field_size_limit(max(csv.field_size_limit(), _CELL_CHARS))
    with _text(path) as file:
        first = file.readline()
    separator = max(",;\t|", key=first.count)
    numeric, commas = _numeric_columns(path, separator)
    return lambda: _csv_rows(path, separator, numeric, commas)


def _csv_rows(path: Path, separator: str, numeric: frozenset[str], commas: frozenset[str]) -> Iterator[Row | Lost]:
    with _text(path) as file:
        reader = csv.reader(file, delimiter=separator)
        header: list[str] | None = None
        while True:
            where = f"{path.name}:{reader.line_num + 1}"
            try:
                cells = next(reader, None)
            except csv.Error as exc:
                yield _lost(where, f"not CSV: {exc}")
                continue
            if cells is None:
                return
            if header is None:
                header = _header(cells)
            elif any(cell.strip() for cell in cells):
                yield _csv_row(where, header, cells, numeric, commas)


def _csv_row(
    where: str, header: list[str], cells: list[str], numeric: frozenset[str], commas: frozenset[str]
) -> Row | Lost:
    if len(cells) > len(header):
        return _lost(where, f"the row has {len(cells)} cells, the header {len(header)}")
    if any("\udc80" <= sign <= "\udcff" for cell in cells for sign in cell):
        return _lost(where, "not UTF-8 text")
    values = {name: cell for name, cell in zip(header, cells, strict=False) if cell.strip()}
    values |= {name: cell.replace(".", "").replace(",", ".") for name, cell in values.items() if name in commas}
    return Row(where, values, numeric | commas)


def _numeric_columns(path: Path, separator: str) -> tuple[frozenset[str], frozenset[str]]:
    """Columns whose every non-empty cell is a number, and those where it is one with a decimal comma (1.249,90).

    "007" is none, nor is one of more than 15 digits. Commas count where cells are not cut at them, and not where
    every one could part thousands ("1,299").
    """
    header: list[str] = []
    filled: set[str] = set()
    texts: set[str] = set()
    no_comma_numbers: set[str] = set()
    decimal: set[str] = set()
    with _text(path) as file:
        reader = csv.reader(file, delimiter=separator)
        while True:
            try:
                cells = next(reader, None)
            except csv.Error:
                continue
            if cells is None:
                commas = (filled & texts & decimal) - no_comma_numbers if separator != "," else set[str]()
                return frozenset(filled - texts), frozenset(commas)
            if not header:
                header = _header(cells)
                continue
            for name, cell in zip(header, cells, strict=False):
                if value := cell.strip():
                    filled.add(name)
                    if not _NUMBER.fullmatch(value):
                        texts.add(name)
                    if not _COMMA_NUMBER.fullmatch(value):
                        no_comma_numbers.add(name)
                    elif "," in value and (len(value.rpartition(",")[2]) != 3 or value.lstrip("-").startswith("0,")):
                        decimal.add(name)


def _header(cells: list[str]) -> list[str]:
    return [cell.strip() or f"column {number}" for number, cell in enumerate(cells, start=1)]


def _text(path: Path) -> TextIO:
    return path.open(encoding="utf-8-sig", errors="surrogateescape", newline="")


# -- Parquet -----------------------------------------------------------------------------------------------------------


def _parquet(path: Path) -> Iterator[Row | Lost]:
    import pyarrow
    import pyarrow.parquet

    number = 0
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=_PARQUET_ROWS):
                for values in _values(batch):
                    number += 1
                    where = f"{path.name}:{number}"
                    if values is None:
                        yield _lost(where, "a value of it cannot be read: not UTF-8 text, or out of range")
                    else:
                        yield Row(where, {k: v for k, v in values.items() if not k.startswith(_PANDAS)})
    except (pyarrow.ArrowException, OSError):
        what = f"the Parquet file is damaged after row {number}" if number else "not a readable Parquet file"
        yield _lost(path.name, what)


def _values(batch: pyarrow.RecordBatch) -> Iterator[dict[str, Any] | None]:
    """The rows of a batch, None for one whose bytes are not what their column says."""
    try:
        rows: list[dict[str, Any] | None] = batch.to_pylist()
    except (ValueError, OverflowError):
        rows = [_value(batch.slice(at, 1)) for at in range(batch.num_rows)]
    yield from rows


def _value(row: pyarrow.RecordBatch) -> dict[str, Any] | None:
    try:
        return row.to_pylist()[0]  # type: ignore[no-any-return]
    except (ValueError, OverflowError):
        return None
