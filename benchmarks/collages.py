"""Synthetic collages with exact truth: labelled pictures pasted onto photos of other things at known boxes, by seed.

Photos are pasted as soft ovals and drawn products cut out, so that no straight edge tells where they are. Only pictures
that the starter was not trained on are taken, each at most once. Knows pixels and labels; embeds and indexes nothing.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sightline import media
from sightline.types import Pixels
from training.renderer import render, sample_product, silhouette
from training.starter.sources import Picture, read

Box: TypeAlias = tuple[float, float, float, float]  # x0, y0, x1, y1 in 0-1
Kind: TypeAlias = Literal["photos", "products"]

SIZE = (640, 480)  # pixels, of a collage
SIDES = {"small": (0.22, 0.34), "large": (0.42, 0.56)}  # longer side of what is pasted, as a share of the height
COUNT = {"small": (2, 3, 4), "large": (2, 2, 2)}
PHOTOS = ("grocery", "clothing", "imagenette")
_LABEL = {"grocery": "coarse", "clothing": "label", "imagenette": "label"}
FEWEST = 4  # pictures of a label, or it is no query
EACH = 20  # pictures of a label at most
MARGIN = 0.01  # between two of them, and to the edge
FEATHER = 0.15  # of an oval's radius, over which it fades
FIRST_SEED, DRAWN = 5_000_000, 900  # of drawn products, none of which was trained on
DRAWN_SIDE = 160  # pixels


@dataclass(frozen=True, slots=True)
class Piece:
    """What is pasted: (height, width, 3), and how much of each pixel is seen, (height, width) in 0-1."""

    label: str
    pixels: Pixels
    mask: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Pasted:
    """What was pasted, and where."""

    label: str
    box: Box


@dataclass(frozen=True, slots=True)
class Collage:
    """A picture and what it shows."""

    id: str
    pixels: Pixels
    pasted: tuple[Pasted, ...]

    @property
    def labels(self) -> frozenset[str]:
        return frozenset(one.label for one in self.pasted)


def collages(data: Path, kind: Kind, size: str, count: int, *, seed: int = 0) -> list[Collage]:
    """`count` collages, or as many as there are pieces for, of two to four pieces of different labels each."""
    chance = random.Random(f"{kind}-{size}-{seed}")
    left = {label: chance.sample(some, min(len(some), EACH)) for label, some in pieces(data, kind).items()}
    behind = [raw for one, raw in read(data, ("flickr8k",)) if one.split == "val"]
    made = []
    while len(made) < count:
        wanted = chance.choice(COUNT[size])
        able = [label for label, some in left.items() if some]
        if len(able) < wanted:
            break
        behind_it = Image.fromarray(media.decode(chance.choice(behind)))
        canvas = behind_it.resize(SIZE, Image.Resampling.BICUBIC)
        pasted: list[Pasted] = []
        for label in chance.sample(able, wanted):
            box = _placed(chance, left[label][-1], SIDES[size], [one.box for one in pasted])
            if box:
                _paste(canvas, left[label].pop(), box)
                pasted.append(Pasted(label, box))
        made.append(Collage(f"{kind}-{size}-{len(made):04}", np.asarray(canvas), tuple(pasted)))
    return made


def pieces(data: Path, kind: Kind) -> Mapping[str, list[Piece]]:
    """Label -> pieces of it, of the labels that have enough."""
    found: dict[str, list[Piece]] = {}
    if kind == "products":
        for seed in range(FIRST_SEED, FIRST_SEED + DRAWN):
            piece = _cut_out(seed)
            found.setdefault(piece.label, []).append(piece)
    else:
        for picture, raw in read(data, PHOTOS):
            if picture.split == "val" and (label := name_of(picture)):
                pixels = media.decode(raw)
                found.setdefault(label, []).append(Piece(label, pixels, _oval(*pixels.shape[:2])))
    return {label: some for label, some in sorted(found.items()) if len(some) >= FEWEST}


def name_of(picture: Picture) -> str:
    """A label as people say it; "" for none, or for one that names nothing."""
    told = picture.labels.get(_LABEL.get(picture.source, "")) or ""
    spaced = str(told).replace("-", " ").replace("_", " ").lower()
    return "" if spaced in ("other", "skip", "not sure") else spaced


def _cut_out(seed: int) -> Piece:
    """A drawn product without its scene."""
    product = sample_product(seed)
    pixels = np.asarray(render(product, seed=seed, size=DRAWN_SIDE))
    mask = np.asarray(silhouette(product, seed=seed), np.float64)
    mask = np.asarray(Image.fromarray((mask * 255).astype(np.uint8)).resize(pixels.shape[1::-1])) / 255
    rows, columns = (np.flatnonzero(mask.max(axis=axis) > 0.5) for axis in (1, 0))
    inside = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    return Piece(product.kind, np.ascontiguousarray(pixels[inside]), mask[inside])


def _oval(height: int, width: int) -> NDArray[np.float64]:
    y, x = (np.abs(np.linspace(-1, 1, side)) for side in (height, width))
    radius = (y[:, None] ** 4 + x[None, :] ** 4) ** 0.25  # rounder than a rectangle, fuller than an ellipse
    return np.asarray(np.clip((1 - radius) / FEATHER, 0, 1))


def _placed(chance: random.Random, piece: Piece, sides: tuple[float, float], taken: Sequence[Box]) -> Box | None:
    """A free place for a piece; None where none was found."""
    height, width = piece.mask.shape
    longest = chance.uniform(*sides) * SIZE[1]
    w, h = (longest * side / max(height, width) / whole for side, whole in zip((width, height), SIZE, strict=True))
    for _ in range(200):
        x, y = chance.uniform(MARGIN, 1 - MARGIN - w), chance.uniform(MARGIN, 1 - MARGIN - h)
        box = (x, y, x + w, y + h)
        if all(_apart(box, other) for other in taken):
            return box
    return None


def _apart(one: Box, other: Box) -> bool:
    return (
        one[0] > other[2] + MARGIN
        or other[0] > one[2] + MARGIN
        or one[1] > other[3] + MARGIN
        or other[1] > one[3] + MARGIN
    )


def _paste(canvas: Image.Image, piece: Piece, box: Box) -> None:
    left, top, right, bottom = (round(value * SIZE[n % 2]) for n, value in enumerate(box))
    size = right - left, bottom - top
    seen = Image.fromarray((piece.mask * 255).astype(np.uint8)).resize(size, Image.Resampling.BICUBIC)
    canvas.paste(Image.fromarray(piece.pixels).resize(size, Image.Resampling.BICUBIC), (left, top), seen)
