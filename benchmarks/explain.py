"""Whether the map of an explanation points at what the query names, and not only looks good.

Two pictures side by side on grey, the query naming one of them: does the peak lie on its side, and how much of what is
above zero? By chance half. And one product in a scene: does the peak lie on the product, and how much, beside the share
of the picture that it takes. Products are drawn from seeds that the starter was not trained on and the maps were not
chosen by; photos are grocery val, which it was not trained on either.

    python -m benchmarks.explain --data DIR [--encoder SPEC] [--only TASK ...] [--out benchmarks/results]
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.report import run
from benchmarks.showing import _photos
from retriever.patches import GRID, HIDDEN, SHOWN, patch_map
from sightline.encoders import open_encoder
from sightline.protocols import Encoder
from sightline.types import Content, Pixels, Vectors
from training.renderer import Product, render, sample_product, silhouette

Figures = dict[str, Any]
Field = NDArray[np.float64]
WAYS: Mapping[str, tuple[Sequence[int], Sequence[int]]] = {
    "both": (SHOWN, HIDDEN),
    "shown alone": (SHOWN, ()),
    "hidden alone": ((), HIDDEN),
}
FIRST_SEED = 3_000_000
PICTURES = 40
SIDE = 160  # pixels, of each of two pictures
DRAWS = 2_000  # of the bootstrap, over pictures


def products(data: Path, encoder: str, work: Path) -> Figures:
    """Two drawn products of different kinds, side by side."""
    drawn = _drawn(2 * PICTURES)
    pairs = [((_square(a), a.kind), (_square(b), b.kind)) for a, b in zip(drawn[::2], drawn[1::2], strict=True)]
    return _sides(pairs, open_encoder(encoder))


def photos(data: Path, encoder: str, work: Path) -> Figures:
    """Two photos of a shop's shelves, of different groups of goods, side by side."""
    found = sorted(_photos(data, work).values())
    chance = random.Random(0)
    pairs = []
    while len(pairs) < PICTURES:
        (one, _, group), (other, _, another) = chance.sample(found, 2)
        if group != another:
            pairs.append(((_opened(one), group), (_opened(other), another)))
    return _sides(pairs, open_encoder(encoder))


def alone(data: Path, encoder: str, work: Path) -> Figures:
    """One drawn product in its scene."""
    opened = open_encoder(encoder)
    found: dict[str, list[tuple[float, float]]] = {way: [] for way in WAYS}
    taken = []
    for one in _drawn(PICTURES):
        pixels = np.asarray(render(one, seed=one.seed))
        there = _shares(silhouette(one, seed=one.seed))
        taken.append(float(there.mean()))
        for way, (values,) in _maps(pixels, [one.kind], opened):
            positive = values.clip(0)
            found[way].append((float(there.flat[values.argmax()]), float((positive * there).sum() / positive.sum())))
    return {"pictures": PICTURES, "chance": round(float(np.mean(taken)), 3), **_told(found, per_picture=1)}


def _sides(pairs: Sequence[tuple[tuple[Pixels, str], tuple[Pixels, str]]], encoder: Encoder) -> Figures:
    found: dict[str, list[tuple[float, float]]] = {way: [] for way in WAYS}
    across = (np.arange(GRID) + 0.5) / GRID - 0.5  # of each column, from the middle
    for (left, name), (right, other) in pairs:
        canvas = np.full((2 * SIDE, 2 * SIDE, 3), 128, np.uint8)
        canvas[SIDE // 2 : -SIDE // 2] = np.concatenate([left, right], axis=1)
        for way, maps in _maps(canvas, [name, other], encoder):
            for values, side in zip(maps, (-1, 1), strict=True):
                mass = values.clip(0).sum(axis=0)  # (GRID,): by column
                mine, whole = mass[across * side > 0].sum(), mass[across != 0].sum()
                at = across[int(values.argmax()) % GRID] * side
                found[way].append((0.5 if at == 0 else float(at > 0), float(mine / whole) if whole else 0.5))
    return {"pictures": len(pairs), "chance": 0.5, **_told(found, per_picture=2)}


def _maps(pixels: Pixels, texts: Sequence[str], encoder: Encoder) -> Iterator[tuple[str, NDArray[np.float32]]]:
    sought = encoder.encode_queries([(text,) for text in texts])
    once = _Once(encoder)
    for way, (shown, hidden) in WAYS.items():
        yield way, patch_map(pixels, once, sought, shown=shown, hidden=hidden).values


class _Once:
    """An encoder that embeds a picture once, for three ways ask for the same ones."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder, self.space = encoder, encoder.space
        self._known: dict[bytes, Vectors] = {}

    def encode_documents(self, contents: Sequence[Content]) -> Vectors:
        keys = [repr(content[0].shape).encode() + content[0].tobytes() for content in contents]  # type: ignore[union-attr]
        new = {key: content for key, content in zip(keys, contents, strict=True) if key not in self._known}
        if new:
            self._known |= dict(zip(new, self._encoder.encode_documents(list(new.values())), strict=True))
        return np.stack([self._known[key] for key in keys])

    def encode_queries(self, contents: Sequence[Content], *, instruction: str | None = None) -> Vectors:
        return self._encoder.encode_queries(contents, instruction=instruction)


def _told(found: Mapping[str, Sequence[tuple[float, float]]], *, per_picture: int) -> Figures:
    """Means with 95 % intervals, by the bootstrap over pictures."""
    figures: Figures = {}
    for way, rows in found.items():
        values = np.asarray(rows).reshape(-1, per_picture, 2).mean(axis=1)  # (pictures, 2)
        draws = np.random.default_rng(0).integers(len(values), size=(DRAWS, len(values)))
        low, high = np.percentile(values[draws].mean(axis=1), (2.5, 97.5), axis=0)
        rounded = [[round(float(one), 3) for one in row] for row in (values.mean(axis=0), low, high)]
        figures[way] = {
            name: {"mean": rounded[0][at], "interval": [rounded[1][at], rounded[2][at]]}
            for at, name in enumerate(("peak on it", "share of what is above zero"))
        }
    return figures


def _drawn(count: int) -> list[Product]:
    """Products, each of another kind than the one before."""
    found: list[Product] = []
    seed = FIRST_SEED
    while len(found) < count:
        one = sample_product(seed)
        seed += 1
        if not found or found[-1].kind != one.kind:
            found.append(one)
    return found


def _square(product: Product) -> Pixels:
    return np.asarray(render(product, seed=product.seed, size=SIDE))


def _opened(path: str) -> Pixels:
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB").resize((SIDE, SIDE)))


def _shares(there: NDArray[Any]) -> Field:
    """(GRID, GRID): how much of each cell a silhouette takes, 0-1."""
    small = Image.fromarray(np.asarray(there, np.float32)).resize((GRID, GRID), Image.Resampling.BOX)
    return np.asarray(small, np.float64)


TASKS: Mapping[str, Callable[[Path, str, Path], Figures]] = {"products": products, "photos": photos, "alone": alone}

if __name__ == "__main__":
    run("explain", __doc__, TASKS)
