"""Regions go along: out, in, into another store, into a collection that has others, and embedded again."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

import indexer
from sightline.errors import UnreadableSource
from sightline.transfer import manifest, restore
from sightline.types import Box, Vectors
from tests.soak.shop import Opened
from tests.transfer.collections import opened, sign


@pytest.fixture
def scenes(tmp_path: Path) -> Path:
    folder = tmp_path / "scenes"
    folder.mkdir()
    for number, left in enumerate((40, 180, 330)):
        image = Image.new("RGB", (480, 320), (200, 195, 190))
        ImageDraw.Draw(image).rectangle((left, 100, left + 110, 220), fill=("navy", "darkred", "darkgreen")[number])
        image.save(folder / f"{number}.png")
    return folder


def regions(index: Opened) -> dict[str, tuple[Vectors, tuple[Box, ...]]]:
    with index._store.moment() as seen:
        return {one.item.id: (one.vectors[0].vectors, one.vectors[0].boxes) for one in seen.items()}


def same(one: Opened, other: dict[str, tuple[Vectors, tuple[Box, ...]]]) -> None:
    here = regions(one)
    assert {name: boxes for name, (_, boxes) in here.items()} == {name: boxes for name, (_, boxes) in other.items()}
    for name, (vectors, _) in here.items():
        np.testing.assert_array_equal(vectors, other[name][0])


@pytest.mark.parametrize("format", ["parquet", "jsonl"])
def test_regions_go_from_store_to_store_and_back(tmp_path: Path, scenes: Path, format: str) -> None:
    with opened(tmp_path / "1") as first:
        first.add(scenes, regions="salient")
        before = regions(first)
        assert all(boxes for _, boxes in before.values())
        first.transfer.export(tmp_path / "a", format=format)  # type: ignore[arg-type]
    with opened(tmp_path / "2", "qdrant") as second:
        second.transfer.take_in(tmp_path / "a")
        same(second, before)
        second.transfer.export(tmp_path / "b", format=format)  # type: ignore[arg-type]
    with opened(tmp_path / "3") as third:
        third.transfer.take_in(tmp_path / "b")
        same(third, before)
        assert third.info()["regions"] == {"kind": "salient", "finished": True}
        assert third.add(scenes).regions == 0
        same(third, before)


def test_an_export_without_regions_is_as_it_always_was(tmp_path: Path, scenes: Path) -> None:
    with opened(tmp_path / "1") as first:
        first.add(scenes)
        first.transfer.export(tmp_path / "a", format="jsonl")
    assert "regions" not in json.loads((tmp_path / "a" / manifest.FILE).read_text())
    assert '"box"' not in (tmp_path / "a" / "vectors.jsonl").read_text()


def test_what_has_other_regions_is_said_and_made_one_by_the_next_index(tmp_path: Path, scenes: Path) -> None:
    with opened(tmp_path / "1") as first:
        first.add(scenes, regions="grid")
        first.transfer.export(tmp_path / "a")
    with opened(tmp_path / "2") as second:
        second.add({"id": "own", "image": (scenes / "0.png").read_bytes()}, regions="salient")
        report = second.transfer.take_in(tmp_path / "a")
        assert any("'grid'" in note and "'salient'" in note for note in report.notes)
        assert second.info()["regions"] == {"kind": "salient", "finished": False}
        assert {len(boxes) for _, boxes in regions(second).values()} >= {25}
        second.add({"id": "note", "text": "words"})
        assert second.info()["regions"] == {"kind": "salient", "finished": True}
        assert all(0 < len(boxes) <= 8 for name, (_, boxes) in regions(second).items() if name != "note")


def test_embedded_again_they_have_their_regions_again(tmp_path: Path, scenes: Path) -> None:
    with opened(tmp_path / "1") as first:
        first.add(scenes, regions="salient")
        before = regions(first)
        first.transfer.export(tmp_path / "a", vectors=False)
    with opened(tmp_path / "2") as second:
        second.transfer.take_in(tmp_path / "a", embed=True)
        same(second, before)


def test_a_snapshot_holds_them(tmp_path: Path, scenes: Path) -> None:
    with opened(tmp_path / "1") as first:
        first.add(scenes, regions="salient")
        before = regions(first)
        first.transfer.snapshot("then")
        first.add(scenes, regions="none")
        assert not any(boxes for _, boxes in regions(first).values())
    restore(tmp_path / "1", "default", "then", force=True)
    with opened(tmp_path / "1") as again:
        same(again, before)
        assert again.info()["regions"]["kind"] == "salient"


@pytest.mark.parametrize("wrong", [[0.5, 0, 0.2, 1], [0, 0, 2, 1], None])
def test_boxes_that_make_no_sense_are_refused_by_the_name_of_their_file(
    tmp_path: Path, scenes: Path, wrong: list[float] | None
) -> None:
    with opened(tmp_path / "1") as first:
        first.add(scenes, regions="grid")
        first.transfer.export(tmp_path / "a", format="jsonl")
    path = tmp_path / "a" / "vectors.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    rows[1]["box"] = wrong
    if wrong is None:
        del rows[1]["box"]
    path.write_text("\n".join(map(json.dumps, rows)) + "\n")
    sign(tmp_path / "a")
    with opened(tmp_path / "2") as second, pytest.raises(UnreadableSource, match=r"vectors\.jsonl"):
        second.transfer.take_in(tmp_path / "a")


def test_an_unknown_kind_of_regions_is_refused(tmp_path: Path, scenes: Path) -> None:
    with opened(tmp_path / "1") as first:
        first.add(scenes, regions="grid")
        first.transfer.export(tmp_path / "a")
    told = json.loads((tmp_path / "a" / manifest.FILE).read_text())
    sign(tmp_path / "a", regions=told["regions"] | {"kind": "everywhere"})
    with opened(tmp_path / "2") as second, pytest.raises(UnreadableSource, match="everywhere"):
        second.transfer.take_in(tmp_path / "a")


def test_another_encoder_has_them_too(tmp_path: Path, scenes: Path) -> None:
    with opened(tmp_path / "1") as first:
        first.add(scenes, regions="salient")
        boxes = {name: some for name, (_, some) in regions(first).items()}
        first.migrate("turned")
        assert {name: some for name, (_, some) in regions(first).items()} == boxes
        assert indexer.planned(first._ledger).kind == "salient"
