"""Regions of pictures: which are chosen, and that a collection's pictures all have those that were asked for last."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

import indexer
from indexer import regioning
from indexer.regions import FIELDS, MOST, SMALLEST, boxes_of
from sightline.decoding import DEFAULT
from sightline.errors import EngineError, InputError
from sightline.media import clipped
from sightline.types import Box, RegionKind, Space, Vectors
from tests.indexer.grid import GridEncoder
from tests.indexer.indexing import Collection

WALL = (200, 195, 190)


def scene(*things: tuple[int, int, int, int], size: tuple[int, int] = (480, 320), colour: str = "navy") -> Image.Image:
    """A wall with rectangles on it, in pixels."""
    image = Image.new("RGB", size, WALL)
    for thing in things:
        ImageDraw.Draw(image).rectangle(thing, fill=colour)
    return image


def overlap(one: Box, other: Box) -> float:
    wide = max(0.0, min(one[2], other[2]) - max(one[0], other[0]))
    high = max(0.0, min(one[3], other[3]) - max(one[1], other[1]))
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other))
    return wide * high / (areas - wide * high)


@pytest.fixture
def scenes(tmp_path: Path) -> Path:
    """Three pictures with a thing at another place, and one too small for regions."""
    folder = tmp_path / "scenes"
    folder.mkdir()
    for number, left in enumerate((40, 180, 330)):
        scene((left, 100, left + 110, 220), colour=("navy", "darkred", "darkgreen")[number]).save(
            folder / f"{number}.png"
        )
    scene((5, 5, 20, 20), size=(40, 40)).save(folder / "tiny.png")
    return folder


# -- which regions -----------------------------------------------------------------------------------------------------


def test_what_stands_out_is_found_wherever_it_is() -> None:
    things = ((40, 60, 150, 170), (300, 180, 430, 280))
    found = boxes_of(np.asarray(scene(*things)), "salient")
    assert 0 < len(found) <= MOST
    for x0, y0, x1, y1 in things:
        truth = (x0 / 480, y0 / 320, x1 / 480, y1 / 320)
        assert max(overlap(box, truth) for box in found) > 0.6


def test_a_blank_wall_has_nothing_that_stands_out() -> None:
    assert boxes_of(np.asarray(scene()), "salient") == ()


def test_a_grid_covers_all_of_a_picture_and_overlaps() -> None:
    fields = boxes_of(np.zeros((320, 480, 3), np.uint8), "grid")
    assert len(fields) == FIELDS**2 == len(set(fields))
    places = np.linspace(0.001, 0.999, 40)
    covered = [sum(x0 <= x <= x1 and y0 <= y <= y1 for x0, y0, x1, y1 in fields) for x in places for y in places]
    assert min(covered) >= 1
    assert np.mean(covered) > 2


@pytest.mark.parametrize("kind", ["grid", "salient"])
@pytest.mark.parametrize("size", [(1, 1), (3000, 2), (40, 40), (60, 60), (100, 500), (500, 100), (160, 160)])
def test_no_region_is_too_small_to_show_anything(kind: RegionKind, size: tuple[int, int]) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    for box in boxes_of(noise, kind):
        assert min(clipped(noise, box).shape[:2]) >= SMALLEST
        assert 0 <= box[0] < box[2] <= 1
        assert 0 <= box[1] < box[3] <= 1


def test_the_same_picture_has_the_same_regions() -> None:
    noise = np.random.default_rng(1).integers(0, 256, (300, 400, 3), dtype=np.uint8)
    for kind in ("grid", "salient"):
        assert boxes_of(noise, kind) == boxes_of(noise.copy(), kind)  # type: ignore[arg-type]
    assert boxes_of(noise, "none") == ()


def test_a_box_is_cut_out_whole() -> None:
    pixels = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
    np.testing.assert_array_equal(clipped(pixels, (0.0, 0.0, 1.0, 1.0)), pixels)
    np.testing.assert_array_equal(clipped(pixels, (0.4, 0.3, 0.6, 0.6)), pixels[1:3, 2:4])  # outwards to whole pixels


# -- in a collection ---------------------------------------------------------------------------------------------------


def parts(collection: Collection) -> dict[str, tuple[Vectors, tuple[Box, ...]]]:
    """Item id -> the vectors of its first part, and its boxes."""
    with collection.store.moment() as seen:
        return {one.item.id: (one.vectors[0].vectors, one.vectors[0].boxes) for one in seen.items()}


def agrees(collection: Collection, folder: Path, kind: RegionKind) -> None:
    """Every stored vector is the encoder's own of the picture, or of what the box holds."""
    encoder = GridEncoder()
    for name, (vectors, boxes) in parts(collection).items():
        pixels = np.asarray(Image.open(folder / name).convert("RGB"))
        assert boxes == boxes_of(pixels, kind)
        truth = encoder.encode_documents([(pixels,), *((clipped(pixels, box),) for box in boxes)])
        np.testing.assert_allclose(vectors, truth, atol=1e-6)


def test_regions_are_embedded_with_their_pictures(collection: Collection, scenes: Path) -> None:
    report = collection.add(scenes, regions="grid", batch_size=4)
    assert (report.added, report.images, report.regions) == (4, 4, 3 * FIELDS**2)
    agrees(collection, scenes, "grid")
    assert collection.embedded == report.images + report.regions


def test_nothing_says_regions_and_there_are_none(collection: Collection, scenes: Path) -> None:
    assert collection.add(scenes).regions == 0
    agrees(collection, scenes, "none")


def test_what_was_asked_for_once_holds_for_what_comes_later(collection: Collection, scenes: Path) -> None:
    collection.add(scenes, regions="salient")
    scene((100, 100, 220, 220), colour="purple").save(scenes / "late.png")
    report = collection.add(scenes)
    assert report.added == 1
    assert report.regions > 0
    agrees(collection, scenes, "salient")


def test_other_regions_are_embedded_of_all_pictures_and_the_wholes_are_not(
    collection: Collection, scenes: Path
) -> None:
    collection.add(scenes)
    other = scenes.parent / "other"
    other.mkdir()
    scene((30, 30, 160, 160), colour="olive").save(other / "new.png")
    before = collection.embedded
    report = collection.add(other, regions="salient")
    assert report.added == 1
    assert collection.embedded - before == 1 + report.regions
    assert any("salient" in note and "4 of them" in note for note in report.notes)
    for name in ("0.png", "1.png", "2.png", "tiny.png"):
        (other / name).write_bytes((scenes / name).read_bytes())  # to compare with: nobody indexes these
    agrees(collection, other, "salient")
    report = collection.add({"id": "note", "text": "words alone"}, regions="grid")
    collection.delete("note")
    agrees(collection, other, "grid")
    before = collection.embedded
    report = collection.add(scenes, regions="none")
    assert (report.regions, collection.embedded) == (0, before)
    agrees(collection, other, "none")
    assert regioning.planned(collection.ledger) == indexer.RegionPlan()


def test_equal_pictures_have_equal_regions_and_are_embedded_once(collection: Collection, scenes: Path) -> None:
    (scenes / "copy.png").write_bytes((scenes / "0.png").read_bytes())
    report = collection.add(scenes, regions="grid")
    assert report.regions == 3 * FIELDS**2
    agrees(collection, scenes, "grid")
    before = collection.embedded
    collection.add(scenes, regions="salient")
    once = [boxes for name, (_, boxes) in parts(collection).items() if name != "copy.png"]
    assert collection.embedded - before == sum(map(len, once))
    agrees(collection, scenes, "salient")


def test_a_picture_whose_file_is_gone_has_regions_of_its_thumbnail(collection: Collection, scenes: Path) -> None:
    collection.add(scenes)
    (scenes / "0.png").unlink()
    report = collection.add({"id": "note", "text": "words alone"}, regions="grid")
    assert len(parts(collection)["0.png"][1]) == FIELDS**2
    assert any("thumbnails of 320 px" in note for note in report.notes)


class Failing(GridEncoder):
    """Fails after some contents."""

    left = 40

    def encode_documents(self, contents: Any) -> Vectors:
        self.left -= len(contents)
        if self.left < 0:
            raise EngineError("out of memory")
        return super().encode_documents(contents)


def test_a_change_that_was_cut_off_goes_on_by_itself(
    collection: Collection, scenes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(regioning, "PAGE", 1)
    collection.add(scenes)
    working, collection.encoder = collection.encoder, Failing()
    with pytest.raises(EngineError, match="memory"):
        collection.add(scenes, regions="grid", batch_size=5)
    halfway = regioning.planned(collection.ledger)
    assert halfway.kind == "grid"
    assert halfway.after
    assert {len(boxes) for _, boxes in parts(collection).values()} == {0, FIELDS**2}
    collection.encoder = working
    before = collection.embedded
    report = collection.add(scenes)  # nobody says it again
    assert 0 < collection.embedded - before == report.regions < 3 * FIELDS**2
    agrees(collection, scenes, "grid")
    assert regioning.planned(collection.ledger).is_done


def test_texts_and_encoders_of_texts_have_no_regions(collection: Collection, scenes: Path) -> None:
    collection.encoder = GridEncoder(frozenset({"text"}))
    report = collection.add({"id": "a", "text": "words", "image": str(scenes / "0.png")}, regions="grid")
    assert report.regions == 0
    assert regioning.planned(collection.ledger) == indexer.RegionPlan()


def test_unknown_regions_are_refused(collection: Collection, scenes: Path) -> None:
    with pytest.raises(InputError, match="none, grid, salient"):
        collection.add(scenes, regions="everywhere")
    assert regioning.planned(collection.ledger) == indexer.RegionPlan()


def test_migrating_embeds_regions_too(collection: Collection, scenes: Path) -> None:
    collection.add(scenes, regions="salient")
    boxes = {name: some for name, (_, some) in parts(collection).items()}

    class Other(GridEncoder):
        def __init__(self) -> None:
            super().__init__()
            self.space = Space("other", self.space.dim, "8" * 64, self.space.modalities)

    again = indexer.Reembedding(
        store=collection.store, ledger=collection.ledger, encoder=Other(), limits=DEFAULT, batch_size=3,
        regions="salient",
    )  # fmt: skip
    again.run(nullcontext)
    assert again.pictures == 4
    collection.store.forget_space(GridEncoder().space.fingerprint)
    assert {name: some for name, (_, some) in parts(collection).items()} == boxes
