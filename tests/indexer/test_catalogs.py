"""Catalogs of four kinds give the same rows; a row that cannot be read is named and the rest is read."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

from indexer.catalogs import open_catalog
from indexer.records import Lost, Row

PRODUCTS = [{"id": "1", "title": "Mug", "price": 9.5}, {"id": "2", "title": "Teapot", "price": 30}]


def write(path: Path, data: bytes | str) -> Path:
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


def read(path: Path) -> tuple[list[Row], list[tuple[str, str]]]:
    """The rows, and (where, why) of what is none."""
    entries = list(open_catalog(path)())
    lost = [(one.skipped.source, one.skipped.reason) for one in entries if isinstance(one, Lost)]
    return [one for one in entries if isinstance(one, Row)], lost


def test_json_lines_and_arrays_whatever_the_name_says(tmp_path: Path) -> None:
    lines = "\n".join(map(json.dumps, PRODUCTS))
    array = json.dumps(PRODUCTS, indent=1)
    for name, text in [
        ("a.jsonl", lines),
        ("a.json", array),
        ("b.json", lines),
        ("b.jsonl", array),
        ("c.json", "\n" + array),
    ]:
        for data in (text.encode(), b"\xef\xbb\xbf" + text.encode()):
            rows, lost = read(write(tmp_path / name, data))
            assert [row.values for row in rows] == PRODUCTS
            assert lost == []


def test_bad_lines_are_named_by_number(tmp_path: Path) -> None:
    data = b'{"id": 1}\n\n{"id": 2,}\n[1, 2]\n{"id": "\xff"}\n{"id": 3, "price": NaN}\n' + b"[" * 5000 + b"\n"
    rows, lost = read(write(tmp_path / "a.jsonl", data))
    assert [(row.where, row.values) for row in rows] == [
        ("a.jsonl:1", {"id": 1}),
        ("a.jsonl:6", {"id": 3, "price": None}),
    ]
    assert [where for where, _ in lost] == ["a.jsonl:3", "a.jsonl:4", "a.jsonl:5", "a.jsonl:7"]
    reasons = [reason for _, reason in lost]
    assert "not JSON" in reasons[0]
    assert "not a JSON object" in reasons[1]
    assert "not UTF-8" in reasons[2]


@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.csv", "a.parquet"])
@pytest.mark.parametrize("data", [b"", b"\n", b"\xef\xbb\xbf \n"])
def test_an_empty_file_is_said_to_be_empty(tmp_path: Path, name: str, data: bytes) -> None:
    assert read(write(tmp_path / name, data)) == ([], [(name, "the file is empty")])


@pytest.mark.parametrize(
    ("name", "data"), [("a.json", b"[1, 2"), ("a.parquet", b"PAR1 rubbish"), ("b.parquet", b"rubbish")]
)
def test_a_damaged_file_is_one_row_of_the_report(tmp_path: Path, name: str, data: bytes) -> None:
    rows, lost = read(write(tmp_path / name, data))
    assert rows == []
    assert [where for where, _ in lost] == [name]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_csv_finds_its_separator_and_numbers(tmp_path: Path, separator: str) -> None:
    lines = ["id,price,sku,size,ean", "1,9.50,007,M,4006381333931", "2,30,12,,4006381333948", "3,,13,L,", ",,,,"]
    path = write(tmp_path / "a.csv", "\ufeff" + "\r\n".join(lines).replace(",", separator))
    rows, lost = read(path)
    assert lost == []
    assert [row.values for row in rows][1:] == [
        {"id": "2", "price": "30", "sku": "12", "ean": "4006381333948"},
        {"id": "3", "sku": "13", "size": "L"},
    ]
    assert rows[0].numeric == {"id", "price", "ean"}
    assert rows[2].where == "a.csv:4"


@pytest.mark.parametrize("number", ["0", "-1", "3.25", ".5", "1e6", "-2.5E-3", "100000000000000"])
def test_csv_numbers(tmp_path: Path, number: str) -> None:
    assert "n" in read(write(tmp_path / "a.csv", f"id,n\na,{number}\n"))[0][0].numeric


@pytest.mark.parametrize(
    "word", ["007", "1,5", "12 kg", "1.2.3", "+5", "-", ".", "1e", "NaN", "inf", "0x10", "1234567890123456", "٣"]
)
def test_csv_words(tmp_path: Path, word: str) -> None:
    assert "n" not in read(write(tmp_path / "a.csv", f'id,n\na,"{word}"\nb,5\n'))[0][0].numeric


def test_csv_rows_that_do_not_fit_are_named(tmp_path: Path) -> None:
    data = b'id,title\n1,"two\nlines"\n2,a,b\n3,caf\xe9\n4,\xc3\xa9\n'
    rows, lost = read(write(tmp_path / "a.csv", data))
    assert [row.values for row in rows] == [{"id": "1", "title": "two\nlines"}, {"id": "4", "title": "é"}]
    assert lost == [("a.csv:4", "the row has 3 cells, the header 2"), ("a.csv:5", "not UTF-8 text")]


def test_a_csv_cell_may_hold_a_picture(tmp_path: Path) -> None:
    picture = "data:image/png;base64," + "A" * 1_000_000
    rows, lost = read(write(tmp_path / "a.csv", f'id,image\n1,"{picture}"\n'))
    assert (rows[0].values["image"], lost) == (picture, [])


def test_parquet_with_its_types(tmp_path: Path) -> None:
    table = pyarrow.table({"id": [1, 2], "tags": [["a", "b"], None], "maker": [{"name": "X"}, {"name": "Y"}]})
    table = table.append_column("__index_level_0__", pyarrow.array([0, 1]))
    path = tmp_path / "a.parquet"
    pyarrow.parquet.write_table(table, path)
    rows, lost = read(path)
    assert lost == []
    assert [(row.where, row.values) for row in rows] == [
        ("a.parquet:1", {"id": 1, "tags": ["a", "b"], "maker": {"name": "X"}}),
        ("a.parquet:2", {"id": 2, "tags": None, "maker": {"name": "Y"}}),
    ]
    path.write_bytes(path.read_bytes()[:-20])
    assert read(path)[1] == [("a.parquet", "not a readable Parquet file")]


def test_an_object_around_the_rows_is_opened(tmp_path: Path) -> None:
    wrapped = {"shop": "Harbour", "count": 2, "products": PRODUCTS}
    for text in (json.dumps(wrapped, indent=2), json.dumps(wrapped)):
        rows, lost = read(write(tmp_path / "a.json", text))
        assert ([row.values for row in rows], lost) == (PRODUCTS, [])
    rows, _ = read(write(tmp_path / "b.json", json.dumps({"id": "1", "parts": [{"name": "lid"}]}, indent=2)))
    assert [row.values["id"] for row in rows] == ["1"]


def test_a_broken_line_is_named_by_its_own_number_only(tmp_path: Path) -> None:
    _, lost = read(write(tmp_path / "a.jsonl", '{"id": 1}\n{"id": 2, "title":\n'))
    assert lost == [("a.jsonl:2", "not JSON: expecting value at column 19")]


def test_decimal_commas_are_numbers_where_cells_are_not_cut_at_them(tmp_path: Path) -> None:
    text = "id;preis;gewicht;nummer;stueck\n1;1.249,00;0,350;007;1,299\n2;49,9;1,200;12,5;2,000\n"
    rows, lost = read(write(tmp_path / "a.csv", text))
    assert lost == []
    assert rows[0].numeric >= {"preis", "gewicht"}
    assert not rows[0].numeric & {"nummer", "stueck"}  # a code; and commas that may part thousands
    assert [(row.values["preis"], row.values["gewicht"]) for row in rows] == [("1249.00", "0.350"), ("49.9", "1.200")]
    rows, _ = read(write(tmp_path / "b.csv", 'id,price\n1,"1,50"\n'))
    assert rows[0].values["price"] == "1,50"
    assert not rows[0].numeric & {"price"}
