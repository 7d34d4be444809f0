"""Which `--map` options are proposed for a catalog whose rows lack a title, a text or a picture."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from indexer.proposals import proposed
from indexer.records import Record, Row
from indexer.rows import record_of
from tests.indexer.indexing import Collection

STORY = "A long story about a thing that somebody may want to buy, if they read it to the end."


def records(rows: list[dict[str, Any]], mapping: dict[str, str] | None = None) -> list[Record]:
    read = [Row(f"c:{number}", row) for number, row in enumerate(rows)]
    return [record_of(row, mapping=mapping or {}, folder=Path("/x"), uri=None) for row in read]


@pytest.mark.parametrize(
    ("row", "says"),
    [
        (
            {"productName": "Mug", "desc": "x", "photo": "a/b.JPG"},
            "--map title=productName --map text=desc --map image=photo",
        ),
        (
            {"Bezeichnung": "Becher", "bild": "b.png", "info": STORY},
            "--map title=Bezeichnung --map text=info --map image=bild",
        ),
        ({"Product name": "Mug", "title": ""}, '--map title="Product name"'),
        ({"url": "https://x.example/p/1.webp?w=300"}, "--map image=url"),
    ],
)
def test_options_are_proposed(row: dict[str, Any], says: str) -> None:
    [said] = proposed(records([{"id": str(n), **row} for n in range(3)]), {})
    assert said.endswith(f"try: {says}")


@pytest.mark.parametrize(
    "row",
    [
        {"title": "Mug", "text": "Holds tea.", "image": "a.png", "name": "Mug", "photo": "b.png"},
        {"colour": "red", "price": 3, "size": "M"},
        {"name": 7, "images": ["a.png"]},
        {"unnamed": "x", "rename_me": "y"},
    ],
)
def test_nothing_is_proposed_without_a_reason(row: dict[str, Any]) -> None:
    assert proposed(records([{"id": "1", **row}]), {}) == []


def test_a_mapped_key_that_no_row_has_is_said() -> None:
    mapping = {"title": "Nmae"}
    assert proposed(records([{"id": "1", "colour": "red"}], mapping), mapping) == [
        "no row has what --map title=Nmae names"
    ]


def test_the_report_of_a_catalog_carries_the_proposal(collection: Collection, tmp_path: Path) -> None:
    (tmp_path / "c.json").write_text(json.dumps([{"id": 7, "name": "Tent", "description": "Dry."}]))
    report = collection.add(tmp_path / "c.json")
    assert report.notes == (
        f"{tmp_path / 'c.json'}: its rows have no title and no text; try: --map title=name --map text=description",
    )
    assert report.to_json()["notes"] == list(report.notes)
