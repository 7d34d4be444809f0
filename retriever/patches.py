"""Where in a picture an answer is: what windows of it show by themselves, and what goes when they are hidden.

Works with any encoder, which it knows by its protocol; knows nothing of queries, indexes or drawing.

Either way alone goes wrong (docs/explain.md). A thing that fills the picture is not seen in any piece of it, but is
missed where it is hidden (occlusion: Zeiler and Fergus, ECCV 2014); beside another thing it is hardly missed, for a
cosine of the whole falls as much when the other is hidden, but it is seen in its own piece.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sightline.protocols import Encoder
from sightline.types import Pixels, Vectors

GRID = 7  # cells a side
# Sides of the windows in cells, chosen on drawn products with `benchmarks/explain.py`, whose figures are of others.
SHOWN, HIDDEN = (3, 4), (2,)


@dataclass(frozen=True, slots=True, eq=False)
class PatchMap:
    """What each cell of a picture does for each of t vectors."""

    values: NDArray[np.float32]  # (t, GRID, GRID), -1 to 1: both ways together, each divided by its largest
    cosines: NDArray[np.float32]  # (t,): of the whole picture
    gains: NDArray[np.float32]  # (t,): by how much the best window alone is above the mean window, in cosine
    falls: NDArray[np.float32]  # (t,): by how much the cosine of the whole falls at most when a window is hidden


def patch_map(
    pixels: Pixels,
    encoder: Encoder,
    sought: Vectors,
    *,
    shown: Sequence[int] = SHOWN,
    hidden: Sequence[int] = HIDDEN,
) -> PatchMap:
    """The maps of a picture (height, width, 3) for (t, dim) unit rows; embeds 77 cuts and copies of it, in one batch.

    Raises UnsupportedModality for an encoder of texts alone.
    """
    alone, away = _windows(shown), _windows(hidden)
    pictures = [pixels, *(_cut(pixels, one) for one in alone), *(_painted(pixels, one) for one in away)]
    cosines = encoder.encode_documents([(one,) for one in pictures]) @ sought.T  # (1 + n, dim) @ (dim, t) -> (1 + n, t)
    whole, rest, without = cosines[0], cosines[1 : 1 + len(alone)], cosines[1 + len(alone) :]
    gains = rest - rest.mean(axis=0) if alone else rest  # (n, t): above 0 is more like it than the mean window
    falls = whole - without  # (m, t): above 0 is missed
    both = _scaled(_cells(alone, gains)) + _scaled(_cells(away, falls))  # (t, GRID, GRID)
    most = (one.max(axis=0, initial=0.0).astype(np.float32) for one in (gains, falls))
    return PatchMap(_scaled(both).astype(np.float32), whole.astype(np.float32), *most)


_Window = tuple[int, int, int]  # side, top, left, in cells


def _windows(sides: Sequence[int]) -> list[_Window]:
    return [(side, top, left) for side in sides for top in range(GRID - side + 1) for left in range(GRID - side + 1)]


def _cells(windows: Sequence[_Window], values: NDArray[np.float32]) -> NDArray[np.float64]:
    """(t, GRID, GRID): for each cell the mean of (n, t) values over the windows that cover it."""
    total, count = np.zeros((values.shape[1], GRID, GRID)), np.zeros((GRID, GRID))
    for (side, top, left), value in zip(windows, values, strict=True):
        total[:, top : top + side, left : left + side] += value[:, None, None]
        count[top : top + side, left : left + side] += 1
    means: NDArray[np.float64] = total / count.clip(min=1)
    return means


def _scaled(maps: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each (GRID, GRID) divided by its largest, signs kept; one of nothing stays so."""
    most = np.abs(maps).max(axis=(1, 2), keepdims=True)
    scaled: NDArray[np.float64] = np.divide(maps, most, out=np.zeros_like(maps), where=most > 0)
    return scaled


def _box(pixels: Pixels, window: _Window) -> tuple[slice, slice]:
    """The rows and columns that a window touches."""
    (height, width), (side, top, left) = pixels.shape[:2], window
    rows = slice(top * height // GRID, -(-(top + side) * height // GRID))
    return rows, slice(left * width // GRID, -(-(left + side) * width // GRID))


def _cut(pixels: Pixels, window: _Window) -> Pixels:
    return np.ascontiguousarray(pixels[_box(pixels, window)])


def _painted(pixels: Pixels, window: _Window) -> Pixels:
    """The picture with a window in its mean colour."""
    painted = pixels.copy()
    painted[_box(pixels, window)] = pixels.mean(axis=(0, 1)).astype(np.uint8)
    return painted
