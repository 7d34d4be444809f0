"""A shop of simple drawings, in which things can be put wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw

COLOURS = {
    "red": (200, 40, 40), "blue": (40, 70, 200), "green": (30, 150, 60), "yellow": (235, 205, 40),
    "white": (245, 245, 245), "black": (25, 25, 25),
}  # fmt: skip
KINDS = ("bowl", "cushion", "lamp", "plate")


def drawn(kind: str, colour: str, size: int) -> Image.Image:
    """128 × 128 pixels; `size` makes each picture another."""
    image = Image.new("RGB", (128, 128), (205, 200, 190))
    pen = ImageDraw.Draw(image)
    box, fill = (30 - 2 * size, 34, 98 + 2 * size, 100), COLOURS[colour]
    if kind == "bowl":
        pen.pieslice((box[0], 0, box[2], 100), 0, 180, fill=fill)
    elif kind == "cushion":
        pen.rounded_rectangle(box, 14, fill=fill)
    elif kind == "plate":
        pen.ellipse((box[0], 50, box[2], 80), fill=fill)
    else:
        pen.polygon([(64, 20), (box[0], 70), (box[2], 70)], fill=fill)
        pen.rectangle((60, 70, 68, 118), fill=(60, 50, 40))
    return image


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with 72 pictures: every kind in every colour, three times."""
    folder = tmp_path_factory.mktemp("drawings")
    for kind in KINDS:
        for colour in COLOURS:
            for size in range(3):
                drawn(kind, colour, size).save(folder / f"{kind}-{colour}-{size}.png")
    return folder


@pytest.fixture
def rows(pictures: Path) -> list[dict[str, Any]]:
    """The rows of the shop, without a fault."""
    return [
        {
            "id": f"{kind}-{colour}-{size}",
            "title": f"A {colour} {kind}",
            "colour": colour,
            "kind": kind,
            "shelf": f"shelf {(3 * number + size) % 5}",  # no picture shows on which shelf a thing lies
            "image": str(pictures / f"{kind}-{colour}-{size}.png"),
        }
        for number, (kind, colour) in enumerate((kind, colour) for kind in KINDS for colour in COLOURS)
        for size in range(3)
    ]
