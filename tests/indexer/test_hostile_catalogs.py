"""Catalogs and archives that are damaged, or made to be: rows are lost and named, the rest is read, nothing faults."""

from __future__ import annotations

import io
import json
import random
from contextlib import suppress
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

from indexer.archives import Member
from indexer.readers import open_sources
from indexer.records import IndexOptions, Lost, Record
from sightline.errors import UnreadableSource
from sightline.types import Skipped
from tests.indexer.test_archives import taped, zipped
from tests.indexer.test_hostile import WAYS, spoilt

ROWS = [{"id": f"a{number}", "title": f"<p>T {number}</p>", "price": number * 1.5} for number in range(30)]
KINDS = ("csv", "json", "jsonl", "parquet", "tar", "tsv", "zip")


def _seed(kind: str, folder: Path) -> bytes:
    if kind in ("tar", "zip"):
        make = taped if kind == "tar" else zipped
        texts = {f"folder/{number}.md": b"# Title\n\nSome words.\n" * 9 for number in range(6)}
        return make(folder / f"seed.{kind}", texts).read_bytes()
    if kind == "parquet":
        out = io.BytesIO()
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(ROWS), out, row_group_size=7, use_dictionary=False)
        return out.getvalue()
    if kind == "json":
        return json.dumps(ROWS).encode()
    if kind == "jsonl":
        return "\n".join(json.dumps(row) for row in ROWS).encode()
    between = "," if kind == "csv" else "\t"
    return "\n".join(between.join(map(str, row)) for row in (ROWS[0], *(row.values() for row in ROWS))).encode()


def _entries(path: Path) -> list[Record | Skipped | Lost]:
    return [entry for source in open_sources([path], IndexOptions()) for entry in source.read()]


@pytest.mark.parametrize("kind", KINDS)
def test_spoilt_catalogs_and_archives_give_rows_and_reasons(kind: str, tmp_path: Path) -> None:
    seed, path = _seed(kind, tmp_path), tmp_path / f"odd.{kind}"
    chance = random.Random(kind)
    for turn in range(200):
        data = spoilt(seed, turn % WAYS, chance)
        path.write_bytes(spoilt(data, chance.randrange(WAYS), chance) if turn % 2 and len(data) > 9 else data)
        for entry in _entries(path):
            assert isinstance(entry, Record | Skipped | Lost)
            if isinstance(entry, Record) and isinstance(entry.document, Member):
                with suppress(UnreadableSource):
                    entry.document.read(source="x", cap=1_000_000)


def test_of_a_parquet_file_only_the_rows_that_cannot_be_read_are_lost(tmp_path: Path) -> None:
    offsets = pyarrow.array([0, 3, 6, 9], pyarrow.int32()).buffers()[1]
    names = pyarrow.Array.from_buffers(pyarrow.string(), 3, [None, offsets, pyarrow.py_buffer(b"one\xff\xfe\xfdtwo")])
    days = pyarrow.array([0, 0, 2**50], pyarrow.int64()).cast(pyarrow.timestamp("ms"))
    path = tmp_path / "odd.parquet"
    pyarrow.parquet.write_table(pyarrow.table({"id": ["a", "b", "c"], "title": names, "on": days}), path)
    told = _entries(path)
    assert [entry.id for entry in told if isinstance(entry, Record)] == ["a"]
    assert [entry.skipped.source for entry in told if isinstance(entry, Lost)] == ["odd.parquet:2", "odd.parquet:3"]


@pytest.mark.parametrize(
    ("name", "content", "ids"),
    [
        ("long.jsonl", b'{"id": "a", "n": ' + b"9" * 5000 + b'}\n{"id": "b", "title": "t"}', ["b"]),
        ("deep.jsonl", b'{"a":' * 100_000 + b'\n{"id": "b", "title": "t"}', ["b"]),
        ("odd.tsv", b"id\ttitle\tprice\na\tt\t\x1e5.5\nb\tt\t6\n", ["a", "b"]),
        ("open.jsonl", b'{"id": "a", "title": "<p>' + b"<![" * 9 + b'"}', ["a"]),
    ],
)
def test_rows_made_to_break_a_reader_break_none(name: str, content: bytes, ids: list[str], tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    assert [entry.id for entry in _entries(tmp_path / name) if isinstance(entry, Record)] == ids
