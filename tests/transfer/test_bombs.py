"""Exports of a few kilobytes that would take gigabytes to read are refused before anything of the kind is made."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sightline.errors import UnreadableSource
from sightline.transfer import jsonl, manifest, pages, parquet, reading, tables, thrift
from tests.soak.shop import Opened
from tests.transfer.collections import edit, refused, sign

MB = 1_000_000


@pytest.fixture
def export(tmp_path: Path, filled: Opened) -> Path:
    filled.transfer.export(tmp_path / "out")
    return tmp_path / "out"


@pytest.fixture
def lines(tmp_path: Path, filled: Opened) -> Path:
    """An export as JSONL."""
    filled.transfer.export(tmp_path / "lines", format="jsonl")
    return tmp_path / "lines"


# -- Parquet -----------------------------------------------------------------------------------------------------------


def changed(export: Path, column: str, values: Any, *, rows: int = 0, **how: Any) -> int:
    """Write the parts anew with other values in a column, the first row so many times; the size of the file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = export / "parts.parquet"
    table = pq.read_table(path)
    if rows:
        row = table.slice(0, 1).to_pylist()[0]
        table = pa.Table.from_pylist([dict(row, part=f"{row['item']}#{at}") for at in range(rows)], schema=table.schema)
    at = table.schema.get_field_index(column)
    pq.write_table(table.set_column(at, column, values), path, compression="zstd", store_schema=False, **how)
    sign(export)
    return path.stat().st_size


def test_a_text_that_stands_in_every_row_is_not_written_out_in_every_row(export: Path, filled: Opened) -> None:
    import pyarrow as pa

    rows = 400
    text = pa.DictionaryArray.from_arrays(pa.array([0] * rows, pa.int32()), pa.array(["x" * (10 * MB)]))
    size = changed(export, "text", text, rows=rows, use_dictionary=["text"], dictionary_pagesize_limit=20 * MB)
    assert size < 10_000
    before = pa.default_memory_pool().max_memory()
    refused(filled, export, UnreadableSource, r"parts.parquet: rows 1 to \d+: .* more than 512 MB.*Nothing was written")
    assert pa.default_memory_pool().max_memory() < max(before, 500 * MB)  # 4 GB, had it been read 400 rows at a time


def test_a_group_of_rows_that_unpacks_to_more_than_memory_is_refused_before_it_is_read(
    export: Path, filled: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pyarrow as pa

    changed(export, "text", pa.array(["x" * MB] * 50), rows=50, use_dictionary=False)
    monkeypatch.setattr(parquet, "MOST_GROUP_BYTES", 40 * MB)
    monkeypatch.setattr("pyarrow.parquet.ParquetFile.iter_batches", pytest.fail)
    refused(filled, export, UnreadableSource, r"parts.parquet: group 1 of its rows unpacks to 50,\d{3},\d{3} bytes")


def test_tables_that_together_take_more_than_memory_are_refused(
    export: Path, filled: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "MOST_HELD_BYTES", 1000)
    refused(filled, export, UnreadableSource, "side by side takes .* more than 1,000")


def test_a_file_that_unpacks_to_hundreds_of_times_its_size_is_refused(
    export: Path, filled: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pyarrow as pa

    changed(export, "uri", pa.array(["x" * 60_000] * 6))
    filled.transfer.take_in(export)
    monkeypatch.setattr(parquet, "FREE_BYTES", 100_000)
    monkeypatch.setattr(parquet, "TIMES", 20)
    refused(filled, export, UnreadableSource, "parts.parquet: rows 1 to 6 .*unpack to: 20 times as much")


def test_lists_longer_than_any_place_and_delta_codes_are_refused(export: Path, filled: Opened) -> None:
    import pyarrow as pa

    changed(export, "box", pa.array([[0.5] * 100_000] * 6, pa.list_(pa.float64())))
    refused(filled, export, UnreadableSource, "a column has 600,000 values in 6 rows")
    how = {"use_dictionary": False, "column_encoding": {"uri": "DELTA_BYTE_ARRAY"}}
    changed(export, "box", pa.nulls(6, pa.list_(pa.float64())), **how)
    refused(filled, export, UnreadableSource, "parts.parquet: .*only plain pages and dictionaries are read")


@pytest.mark.parametrize("version", ["1.0", "2.0"])
@pytest.mark.parametrize("codec", ["none", "zstd", "snappy", "gzip"])
def test_pages_are_found_where_arrow_finds_them(tmp_path: Path, version: str, codec: str) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    drawn = random.Random(7)
    texts = [drawn.choice(["red", "x" * drawn.randrange(3000), None]) for _ in range(3000)]
    lists = [drawn.choice([None, [], [1.0, 2.0]]) for _ in range(3000)]
    table = pa.table({"text": texts, "numbers": pa.array(lists, pa.list_(pa.float64())), "other": range(3000)})
    path = tmp_path / "x.parquet"
    pq.write_table(table, path, data_page_version=version, compression=codec, row_group_size=700, data_page_size=20_000)
    found = pages.groups(path, {"text": (1, 1), "numbers": (1, 2)})
    told = pq.ParquetFile(path).metadata
    assert [group.rows for group in found] == [700, 700, 700, 700, 200]
    for number, group in enumerate(found):
        columns = [told.row_group(number).column(at) for at in range(2)]
        whole = sum(column.total_uncompressed_size for column in columns)
        assert 0.9 * whole <= group.bytes_unpacked <= whole  # which counts the headers, too
        assert group.bytes_dictionary > 0


def test_a_footer_or_a_header_that_makes_no_sense_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    for data in (b"", b"PAR1", b"PAR1" + b"\xff\xff\xff\x7fPAR1", b"x" * 50 + (20).to_bytes(4, "little") + b"PAR1"):
        path.write_bytes(data)
        with pytest.raises(pages.PageFault, match="not a whole Parquet file"):
            pages.groups(path, {})
    deep = b"\x1c" * 50
    wide = b"\x19\xfc" + b"\xff" * 8 + b"\x7f"
    for data in (deep, wide, b"\x15" + b"\xff" * 11, b"\x1b\x01"):
        with pytest.raises((IndexError, thrift.ThriftFault)):
            thrift.Compact(data).structure({1: {}})


def a_page(*, kind: int, unpacked: int, values: int, encoding: int = 0) -> bytes:
    """The header of a page without data, in Thrift's compact protocol."""

    def i32(number: int, step: int = 1) -> bytes:
        number, told = number << 1, [step << 4 | 5]
        while number > 127:
            told.append(number & 127 | 128)
            number >>= 7
        return bytes([*told, number])

    header = {0: 5, 2: 7, 3: 8}[kind]
    told = i32(values) + i32(encoding, 1 if header < 8 else 3) + b"\0"
    return i32(kind) + i32(unpacked) + i32(0) + bytes([header - 3 << 4 | 12]) + told + b"\0"


@pytest.mark.parametrize(
    ("header", "right"),
    [
        (a_page(kind=2, unpacked=4000, values=1000), True),
        (a_page(kind=2, unpacked=4000, values=2**30), False),  # for whose places alone 16 GB would be made
        (a_page(kind=2, unpacked=4000, values=10, encoding=8), False),
        (a_page(kind=0, unpacked=4000, values=2**30, encoding=8), True),  # that is for the number of rows to tell
        (a_page(kind=0, unpacked=4000, values=10, encoding=7), False),
        (a_page(kind=3, unpacked=4000, values=10, encoding=8), True),
        (a_page(kind=3, unpacked=4000, values=10, encoding=6), False),
        (b"\x15\0\x15\x7f\x15\0\0", False),
        (b"", False),
    ],
)
def test_a_page_is_what_its_header_says_or_refused(tmp_path: Path, header: bytes, right: bool) -> None:
    path = tmp_path / "x"
    path.write_bytes(header)
    column = thrift.Structure({(6, 9): 0, (6, 7): len(header) or 1})
    with path.open("rb") as file:
        if right:
            assert len(list(pages._pages(file, column))) == 1
        else:
            with pytest.raises(pages.PageFault):
                list(pages._pages(file, column))


FUZZ = """
import random, sys
from pathlib import Path
from sightline.errors import UnreadableSource
from sightline.transfer import rows, tables

columns = {"items": rows.ITEMS, "parts": rows.PARTS, "ledger": rows.LEDGER, "thumbnails": rows.THUMBNAILS}
columns["vectors"] = rows.vector_columns(49)
source, drawn, told = Path(sys.argv[1]), random.Random(int(sys.argv[2])), {"whole": 0, "refused": 0}
for _ in range(400):
    name = drawn.choice(list(columns))
    data = bytearray((source / f"{name}.parquet").read_bytes())
    for _ in range(drawn.choice([1, 1, 2])):
        data[drawn.randrange(4, len(data) - 8)] = drawn.choice([0, 0x7F, 0x80, 0xFF, drawn.randrange(256)])
    path = source / "x.parquet"
    path.write_bytes(data)
    try:
        list(tables.read_table(path, columns[name], "parquet"))
        told["whole"] += 1
    except UnreadableSource:
        told["refused"] += 1
print(told["whole"], told["refused"])
"""


def test_whatever_byte_of_a_table_is_changed_it_is_read_or_refused_by_name(export: Path) -> None:
    done = subprocess.run([sys.executable, "-c", FUZZ, str(export), "11"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    whole, refusals = map(int, done.stdout.split())
    assert min(whole, refusals) > 50


# -- JSON --------------------------------------------------------------------------------------------------------------


def test_a_line_of_more_values_than_anybody_writes_is_refused(
    lines: Path, filled: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jsonl, "MOST_VALUES", 5000)
    edit(lines, "items", lambda rows: rows[1].update(fields={"a": ["x, y [z] {0}"] * 900}))
    filled.transfer.take_in(lines)
    for many in ([{}] * 6000, [[]] * 6000, ["x"] * 6000, [1] * 6000, {str(n): 1 for n in range(6000)}):
        edit(lines, "items", lambda rows, many=many: rows[1].update(fields=many))
        refused(filled, lines, UnreadableSource, "items.jsonl: row 2 holds more than 5,000 values. Nothing was written")


def test_texts_full_of_commas_are_no_values_and_looking_takes_no_longer_than_the_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(jsonl, "MOST_VALUES", 100)
    for text in ("," * 5000, '\\",[' * 900, "{}" * 900, '",' * 300):
        assert jsonl.parsed(json.dumps([text])) == [text]
    started = time.perf_counter()
    for line in ('"' + '\\"' * 500_000 + "," * 200, '"\\' * 500_000 + "," * 200):
        with pytest.raises(ValueError, match="is not JSON"):
            jsonl.parsed(line)
    assert time.perf_counter() - started < 5


def test_a_manifest_of_more_values_than_anybody_writes_is_refused(
    export: Path, filled: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jsonl, "MOST_VALUES", 5000)
    sign(export, readings=[[]] * 6000)
    refused(filled, export, UnreadableSource, f"{manifest.FILE}: holds more than 5,000 values")


# -- one item, and memory that is not there ----------------------------------------------------------------------------


@pytest.mark.parametrize("format", ["parquet", "jsonl"])
def test_an_item_that_takes_more_than_memory_is_refused(
    tmp_path: Path, filled: Opened, format: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled.transfer.export(tmp_path / "out", format=format)  # type: ignore[arg-type]
    for most, culprit in ((150, "parts"), (190, "vectors"), (500, "thumbnails")):
        monkeypatch.setattr(reading, "MOST_ITEM_BYTES", most)
        refused(filled, tmp_path / "out", UnreadableSource, f"{culprit}.{format}: row 1: .*takes more than 0 MB in one")


@pytest.mark.parametrize("format", ["parquet", "jsonl"])
def test_want_of_memory_is_told_by_file(
    tmp_path: Path, filled: Opened, format: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wanting(*_: object) -> Iterator[Any]:
        raise MemoryError
        yield

    filled.transfer.export(tmp_path / "out", format=format)  # type: ignore[arg-type]
    monkeypatch.setattr(tables, "parquet_rows" if format == "parquet" else "json_rows", wanting)
    refused(filled, tmp_path / "out", UnreadableSource, rf"\.{format}: reading it takes more memory than there is")
