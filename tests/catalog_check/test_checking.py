"""A look at a whole catalog: faults put into a drawn shop are found and named, a shop without faults has none."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sightline import Sightline
from sightline.catalog_check import check
from sightline.catalog_check.checking import _may_be_there
from sightline.catalog_check.reading import _colours
from tests.indexer.indexing import write_rows

Rows = list[dict[str, Any]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index that the tests of this file share, so that each picture is embedded once."""
    return tmp_path_factory.mktemp("shared")


def looked_at(folder: Path, rows: Rows) -> Any:
    with Sightline.open(folder / "index", threads=1) as index:
        index.add(write_rows(folder / "shop.jsonl", *rows), prune=True)
        return check(index)


def at(rows: Rows, item: str) -> dict[str, Any]:
    return next(row for row in rows if row["id"] == item)


def test_a_shop_without_faults_is_clean(folder: Path, rows: Rows) -> None:
    report = looked_at(folder, rows)
    assert (report.clean, report.items, report.suspects) == (True, 72, ())
    noticed = {one.about: one.noticed for one in report.compared}
    assert noticed.keys() == {"title", "colour", "kind", "shelf", "colour in the title"}
    assert min(noticed["colour"], noticed["title"]) > 0.7
    assert noticed["shelf"] < 0.1


def test_swapped_pictures_are_named_with_both_scores(folder: Path, rows: Rows) -> None:
    left, right = at(rows, "bowl-red-1"), at(rows, "lamp-blue-2")
    left["image"], right["image"] = right["image"], left["image"]
    report = looked_at(folder, rows)
    assert not report.clean
    assert {suspect.item_id for suspect in report.suspects[:2]} == {"bowl-red-1", "lamp-blue-2"}
    told = {one.about: one for one in report.suspects[0].disagreements}
    assert told["colour"].better_score > told["colour"].score
    assert {one.suspicion >= 0.5 for suspect in report.suspects[:2] for one in suspect.disagreements} == {True}
    data = report.to_json()["suspects"][0]
    assert data["suspicion"] == data["disagreements"][0]["suspicion"]
    assert {"about", "says", "score", "better", "better_score", "suspicion"} <= data["disagreements"][0].keys()


def test_a_title_of_another_colour_is_found(folder: Path, rows: Rows) -> None:
    at(rows, "cushion-green-0")["title"] = "A red cushion"
    report = looked_at(folder, rows)
    suspect = report.suspects[0]
    assert suspect.item_id == "cushion-green-0"
    told = {one.about: (one.says, one.better) for one in suspect.disagreements}
    assert told["colour in the title"] == ("red", "green")


def test_a_field_of_another_value_is_found(folder: Path, rows: Rows) -> None:
    at(rows, "plate-black-2")["colour"] = "white"
    report = looked_at(folder, rows)
    assert report.suspects[0].item_id == "plate-black-2"
    assert [(one.about, one.says, one.better) for one in report.suspects[0].disagreements][:1] == [
        ("colour", "white", "black")
    ]


def test_what_is_missing_and_what_is_there_twice(tmp_path: Path, rows: Rows, pictures: Path) -> None:
    some = rows[:30]
    lost = tmp_path / "lost.png"
    lost.write_bytes((pictures / "bowl-red-0.png").read_bytes())
    some[0]["image"] = str(lost)
    some[1]["image"] = str(tmp_path / "never.png")
    del some[2]["image"]
    some.append(some[5] | {"title": "A second one"})
    with Sightline.open(tmp_path / "index", threads=1) as index:
        index.add(write_rows(tmp_path / "shop.jsonl", *some))
        lost.unlink()
        report = check(index)
    missing = {(one.item_id, one.reason.split(";")[0].split(",")[0]) for one in report.missing}
    assert missing == {
        (some[0]["id"], "the file is no longer there"),
        (some[1]["id"], "there is no such file"),
        (some[2]["id"], "it has no picture"),
    }
    assert [one.reason for one in report.duplicate_ids] == [f"the id {some[5]['id']!r} is already that of shop.jsonl:6"]
    assert not report.clean


def test_what_is_in_an_archive_is_missing_when_the_archive_is(tmp_path: Path, pictures: Path) -> None:
    with zipfile.ZipFile(tmp_path / "shop.zip", "w") as archive:
        archive.write(pictures / "bowl-red-0.png", "shelf/bowl.png")
    with Sightline.open(tmp_path / "index", threads=1) as index:
        index.add(tmp_path / "shop.zip")
        assert check(index).missing == ()
        (tmp_path / "shop.zip").unlink()
        (missing,) = check(index).missing
    assert missing.item_id == "shelf/bowl.png"


def test_what_cannot_be_looked_at_is_not_said_to_be_missing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    there = {str(tmp_path / "file"): True, str(tmp_path / "no"): False, str(tmp_path / "file" / "in"): False}
    cannot = {str(tmp_path / ("x" * 5000)): True, "\0": True}  # as a folder that may not be opened
    assert {place: _may_be_there(place) for place in (there | cannot)} == there | cannot


def test_a_catalog_too_small_to_compare_says_so(tmp_path: Path, rows: Rows) -> None:
    with Sightline.open(tmp_path / "index", threads=1) as index:
        index.add(write_rows(tmp_path / "shop.jsonl", *rows[:5]))
        report = check(index)
    assert report.notes == ("5 items have a picture; from 20 on they are compared with their words",)
    assert report.compared == ()


def test_an_empty_collection_is_clean(tmp_path: Path) -> None:
    with Sightline.open(tmp_path / "index", threads=1) as index:
        assert check(index).clean


def test_colours_of_a_glance_add_up_and_move_smoothly() -> None:
    grey = np.full((4, 4, 3), 85, np.uint8)
    assert _colours(grey).sum() == pytest.approx(1)
    assert _colours(grey).max() == pytest.approx(1)  # just on a level
    near = np.abs(_colours(np.full((4, 4, 3), 126, np.uint8)) - _colours(np.full((4, 4, 3), 129, np.uint8)))
    assert near.sum() < 0.3
