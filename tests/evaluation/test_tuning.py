"""Bars by judged queries that show something: each picture hides itself, and loses its answers once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sightline.engine import Sightline
from sightline.errors import InputError
from sightline.evaluation.cases import Case
from sightline.evaluation.tuning import FEWEST, _Asked, _bar, tune

SAMPLE = Path(__file__).parents[2] / "service" / "sample" / "catalog.jsonl"


@pytest.fixture(scope="module")
def rows() -> list[dict[str, str]]:
    """Twenty-seven things of nine kinds, with their first pictures alone."""
    every = [json.loads(line) for line in SAMPLE.read_text().splitlines()]
    kinds = list(dict.fromkeys(row["kind"] for row in every))[3:48:5]
    some = [row for row in every if row["kind"] in kinds]
    return [{"id": row["id"], "kind": row["kind"], "image": str(SAMPLE.parent / row["images"][0])} for row in some]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, str]]) -> Path:
    folder = tmp_path_factory.mktemp("shop")
    with Sightline.open(folder) as index:
        index.add(*({"id": row["id"], "image": row["image"]} for row in rows))
    return folder


def case(row: dict[str, str], rows: list[dict[str, str]], *, own: bool) -> Case:
    alike = {one["id"]: 1 for one in rows if one["kind"] == row["kind"] and one is not row}
    return Case(row["id"], alike, image=Path(row["image"]), own=row["id"] if own else "")


def test_pictures_have_a_bar_of_their_own(shop: Path, rows: list[dict[str, str]]) -> None:
    with Sightline.open(shop) as index:
        tuned = tune(index, [case(row, rows, own=True) for row in rows])
        (bar,) = tuned.bars
        assert (bar.manner, bar.queries, tuned.left_out) == ("picture", len(rows), 0)
        assert len(rows) >= FEWEST
        assert bar.empty_before is not None
        assert bar.why or bar.after != bar.before
        found = index.calibrations.set_least({"picture": 0.99})
        assert found.bar("picture") == 0.99
        picture = Path(rows[0]["image"])
        assert index.search(picture).answered == 1.0
        assert index.search(picture, exclude=[rows[0]["id"]]).no_match


def test_a_picture_that_finds_itself_is_never_absent(shop: Path, rows: list[dict[str, str]]) -> None:
    with Sightline.open(shop) as index:
        hidden, found = (tune(index, [case(row, rows, own=own) for row in rows]).bars[0] for own in (True, False))
        assert hidden.empty is not None
        assert found.empty == 0.0


def test_what_cannot_be_asked_is_left_out(shop: Path, rows: list[dict[str, str]], tmp_path: Path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")
    with Sightline.open(shop) as index, pytest.raises(InputError, match="no query can be used"):
        tune(index, [Case("x", {rows[0]["id"]: 1}, image=broken), Case("y", {}, text="mug")])


def test_a_bar_that_is_left_says_in_points_of_the_same_figure_what_a_higher_one_loses() -> None:
    asked = [_Asked(there=0.5 if at == 0 else 0.9, recall=1.0, gone=0.8) for at in range(25)]
    bar = _bar("name", asked, 0.3)
    assert (bar.before, bar.after, bar.lost) == (0.3, 0.3, 0.0)
    assert "a higher one loses 4.0 points of R@10 on queries held out, where 3.0 are the most" in bar.why


def test_of_bars_that_keep_out_as_much_the_middle_is_taken() -> None:
    """Exact titles are told 0.98 and more: a bar at 0.98 would hide all that is asked for in other words."""
    asked = [_Asked(there=0.99, recall=1.0, gone=0.2 + 0.01 * (at % 5)) for at in range(25)]
    bar = _bar("name", asked, 0.4)
    assert bar.after == pytest.approx((0.26 + 0.98) / 2)
    assert (bar.empty, bar.lost) == (1.0, 0.0)
