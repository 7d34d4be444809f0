"""A row's id, title, text, pictures and fields, from any catalog's own keys."""

from __future__ import annotations

import base64
import datetime
import decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.records import Record, Row
from indexer.rows import check_mapping, record_of
from sightline.errors import InputError, UnreadableSource

FOLDER = Path("/catalogs/shop")


def record(
    values: dict[str, Any], mapping: dict[str, str] | None = None, numeric: frozenset[str] = frozenset()
) -> Record:
    return record_of(Row("c:1", values, numeric), mapping=mapping or {}, folder=FOLDER, uri="u")


def places(values: dict[str, Any], mapping: dict[str, str] | None = None) -> list[Any]:
    return [picture.place for picture in record({"id": "1", **values}, mapping).pictures]


def test_roles_are_found_whatever_their_case_and_the_rest_are_fields() -> None:
    read = record({"ID": 7, "Title": "Mug", "TEXT": "A mug.", "Image": "m.png", "Price": 9.5, "inStock": True})
    assert (read.id, read.title, read.text) == ("7", "Mug", "A mug.")
    assert read.fields == {"title": "Mug", "Price": 9.5, "inStock": True}
    assert [picture.place for picture in read.pictures] == [FOLDER / "m.png"]
    assert read.pictures[0].name == "c:1 m.png"


def test_mapping_reads_any_catalog() -> None:
    mapping = {"id": "Id", "title": "name", "text": "Description", "image": "images/{Id}.webp"}
    read = record({"Id": 12, "Name": "Tent", "Description": "For two.", "Price": 99, "title": "kept"}, mapping)
    assert (read.id, read.title, read.text) == ("12", "Tent", "For two.")
    assert read.fields == {"title": "kept", "Price": 99} or read.fields["Price"] == 99
    assert [picture.place for picture in read.pictures] == [FOLDER / "images/12.webp"]
    assert places({"n": "a"}, {"image": "images/{missing}.webp"}) == []
    assert record({"a": 1, "b": "x"}, {"id": "{a}-{B}"}).id == "1-x"


def test_mapping_knows_five_names() -> None:
    check_mapping({"id": "a", "images": "b"})
    with pytest.raises(InputError, match="not 'price'"):
        check_mapping({"price": "cost"})


@pytest.mark.parametrize("value", [None, "", "  ", [], {}, True, float("nan")])
def test_a_row_without_id_says_so(value: Any) -> None:
    with pytest.raises(UnreadableSource, match="c:1: the row has no 'id': it is empty"):
        record({"id": value, "title": "x"})
    with pytest.raises(UnreadableSource, match="no 'SKU'"):
        record({"id": 1, "title": "x"}, {"id": "SKU"})


@pytest.mark.parametrize(
    ("value", "item_id"), [(7, "7"), (7.0, "7"), ("007", "007"), (" a b ", "a b"), (np.int64(3), "3")]
)
def test_ids_are_texts(value: Any, item_id: str) -> None:
    assert record({"id": value, "title": "x"}).id == item_id


def test_an_id_and_nothing_else_is_no_item() -> None:
    with pytest.raises(UnreadableSource, match=r"nothing else that can be kept \(price: empty"):
        record({"id": "a", "price": float("nan")})
    with pytest.raises(UnreadableSource, match="an id and nothing else"):
        record({"id": 1, "title": None, "image": "", "tags": []})


def test_objects_are_flattened_and_lists_become_tuples() -> None:
    values = {
        "size": {"w": 1, "h": 2, "unit": None},
        "tags": ["red", "", None, "blue"],
        "one": ["x"],
        "variants": [{"sku": "a", "stock": 3}, {"sku": "b", "stock": 0}],
        "none": None,
        "empty": [],
    }
    assert record({"id": 1, **values}).fields == {
        "size.w": 1,
        "size.h": 2,
        "tags": ("red", "blue"),
        "one": ("x",),
        "variants.sku": ("a", "b"),
        "variants.stock": (3, 0),
    }


def test_values_of_other_types_become_what_a_store_can_hold() -> None:
    values = {
        "cost": decimal.Decimal("9.90"),
        "count": decimal.Decimal("12"),
        "day": datetime.date(2024, 5, 1),
        "rate": np.float32(0.5),
        "huge": 10**30,
        "raw": b"bytes",
        "endless": float("inf"),
        "half": "a\ud800b\0",
    }
    assert record({"id": 1, **values}).fields == {
        "cost": 9.9,
        "count": 12,
        "day": "2024-05-01",
        "rate": 0.5,
        "huge": str(10**30),
        "half": "a?b",
    }


def test_numbers_of_a_csv_are_numbers_in_fields_and_texts_elsewhere() -> None:
    read = record(
        {"id": "1.0", "title": "2001", "year": "2001", "w": "1.5"}, numeric=frozenset({"id", "title", "year", "w"})
    )
    assert (read.id, read.title) == ("1.0", "2001")
    assert read.fields == {"title": "2001", "year": 2001, "w": 1.5}


def test_several_texts_are_paragraphs() -> None:
    assert record({"id": 1, "text": ["One.", None, "Two."]}).text == "One.\n\nTwo."


PIXEL = base64.b64encode(b"\x89PNG bytes").decode()


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ({"images": ["a.png", "b/c.png", "a.png", None, ""]}, [FOLDER / "a.png", FOLDER / "b/c.png"]),
        ({"image": "a.png", "images": ["b.png"]}, [FOLDER / "a.png", FOLDER / "b.png"]),
        ({"images": "a.png|b.png"}, [FOLDER / "a.png", FOLDER / "b.png"]),
        ({"images": "a.png; b.png, c.png"}, [FOLDER / "a.png", FOLDER / "b.png", FOLDER / "c.png"]),
        ({"images": '["a.png", "b.png"]'}, [FOLDER / "a.png", FOLDER / "b.png"]),
        ({"image": "one, two; three.png"}, [FOLDER / "one, two; three.png"]),
        ({"images": "https://x.org/w_1,h_2/a.png|https://x.org/b"}, ["https://x.org/w_1,h_2/a.png", "https://x.org/b"]),
        ({"images": "http://x.org/a.png, http://x.org/b.png"}, ["http://x.org/a.png", "http://x.org/b.png"]),
        ({"image": "/abs/a.png"}, [Path("/abs/a.png")]),
        ({"image": f"data:image/png;base64,{PIXEL}"}, [b"\x89PNG bytes"]),
        ({"images": f"data:image/png;base64,{PIXEL}"}, [b"\x89PNG bytes"]),
        ({"image": b"\x89PNG"}, [b"\x89PNG"]),
        ({"image": {"bytes": b"\x89PNG", "path": None}}, [b"\x89PNG"]),
        ({"image": {"bytes": None, "path": "a.png"}}, [FOLDER / "a.png"]),
        ({"image": Path("a.png")}, [FOLDER / "a.png"]),
    ],
)
def test_pictures_in_every_spelling(values: dict[str, Any], found: list[Any]) -> None:
    assert places(values) == found


@pytest.mark.parametrize(
    "value", [5, {"caption": "x"}, "data:image/png;base64,###", "data:image/png,raw", "data:;base64,A"]
)
def test_what_is_no_picture_is_named_and_the_row_is_kept(value: Any) -> None:
    read = record({"id": 1, "title": "x", "images": ["a.png", value]})
    assert len(read.pictures) == 1
    assert [skipped.source for skipped in read.skipped] == ["c:1 image 1"]


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9) | st.binary(max_size=4)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
)


@given(st.dictionaries(st.text(max_size=6), values, max_size=6))
def test_any_row_gives_fields_a_store_takes(row: dict[str, Any]) -> None:
    fields = record({**row, "id": "x", "title": "t"}).fields
    for name, value in fields.items():
        assert name.encode()
        for one in value if isinstance(value, tuple) else (value,):
            assert isinstance(one, str | int | float)
            assert not isinstance(one, str) or one.encode() or one == ""
            assert not isinstance(one, float) or np.isfinite(one)
