"""A small shop and a small album, drawn on the spot."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from sightline.engine import Sightline

COLOURS = {"red": (200, 40, 40), "blue": (40, 70, 200), "green": (30, 150, 60), "white": (240, 240, 235)}
KINDS = {"bowl": "A bowl for soup, fired twice.", "cushion": "A soft cushion filled with wool."}


def draw(path: Path, kind: str, colour: tuple[int, int, int], *, shift: int = 0) -> None:
    """A picture of 96 × 96 pixels."""
    image = Image.new("RGB", (96, 96), (205, 200, 190))
    pen = ImageDraw.Draw(image)
    box = (16 + shift, 24, 80 + shift, 80)
    if kind == "bowl":
        pen.pieslice(box, 0, 180, fill=colour)
    else:
        pen.rounded_rectangle(box, 14, fill=colour)
    image.save(path)


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `catalog.jsonl`: eight items of two kinds in four colours, each with two pictures."""
    folder = tmp_path_factory.mktemp("shop")
    rows = []
    for kind, text in KINDS.items():
        for number, (colour, rgb) in enumerate(COLOURS.items()):
            names = [f"{kind}-{colour}-{shift}.png" for shift in (0, 8)]
            for name, shift in zip(names, (0, 8), strict=True):
                draw(folder / name, kind, rgb, shift=shift)
            row = {"id": f"{kind}-{colour}", "title": f"{colour.title()} {kind}", "text": text, "images": names}
            rows.append(row | {"colour": colour, "kind": kind, "price": 10 * (number + 1)})
    (folder / "catalog.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def index(tmp_path_factory: pytest.TempPathFactory, shop: Path) -> Path:
    """The shop's index. Nothing may write to it."""
    folder = tmp_path_factory.mktemp("index")
    with Sightline.open(folder) as opened:
        assert opened.add(shop / "catalog.jsonl").added == 8
    return folder


@pytest.fixture(scope="session")
def album(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `captions.jsonl`: twelve pictures with two captions each, and a split."""
    folder = tmp_path_factory.mktemp("album")
    rows = []
    for shift in (0, 4, 8):
        for colour in ("red", "blue"):
            for kind in KINDS:
                name = f"{kind}-{colour}-{shift}.png"
                draw(folder / name, kind, COLOURS[colour], shift=shift)
                captions = [f"a {colour} {kind} number {shift}", f"one {kind} that is {colour}"]
                rows.append({"image": name, "captions": captions, "split": "dev" if shift else "test"})
    (folder / "captions.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return folder
