"""Which parts of a picture get vectors of their own: the fields of a grid, or what stands out from what is around it.

Knows pixels only. Asked of the same picture twice, it says the same.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sightline import media
from sightline.types import Box, Pixels, RegionKind

SMALLEST = 48  # pixels that a region has each way; what is smaller shows an encoder nothing
FIELDS, FIELD = 5, 1 / 3  # of the grid: 5 x 5 fields of a third of either side, so that each overlaps the next by half
MOST = 8  # regions that stand out, at most
SIDE = 64  # pixels of the small picture that outlines are looked for in
_SIDES = (10, 14, 18, 24, 32, 40)  # of what may stand out, in those pixels
_LONGEST = 1.9  # times as long as wide
_STEP = 2
_AROUND = 0.2  # of the shorter side: how far around an outline there should be less to see
_CALM = 0.05  # of light, added to what is around: else the faintest outline on a blank wall would stand out most
FAINT = 0.015  # of light, that an outline stands out by on its faintest side, or it is none
SAME = 0.35  # of both areas together, that two regions may share


def boxes_of(pixels: Pixels, kind: RegionKind) -> tuple[Box, ...]:
    """The regions of a picture, best first where they are chosen; none that would be smaller than SMALLEST."""
    height, width = pixels.shape[:2]
    if kind == "none" or min(height, width) < SMALLEST / 0.9:
        return ()
    found = _standing_out(pixels) if kind == "salient" else _grid()
    return tuple(
        box for box in found if (box[2] - box[0]) * width >= SMALLEST and (box[3] - box[1]) * height >= SMALLEST
    )[: MOST if kind == "salient" else None]


@cache
def _grid() -> tuple[Box, ...]:
    places = [round(n * (1 - FIELD) / (FIELDS - 1), 6) for n in range(FIELDS)]
    return tuple((x, y, min(1.0, x + FIELD), min(1.0, y + FIELD)) for y in places for x in places)


# -- what stands out ---------------------------------------------------------------------------------------------------


class _Windows(NamedTuple):
    """All places looked at, in pixels of the small picture: (n,) each."""

    left: NDArray[np.int64]
    top: NDArray[np.int64]
    right: NDArray[np.int64]
    bottom: NDArray[np.int64]


def _standing_out(pixels: Pixels) -> list[Box]:
    """Windows with an outline: light or colour changes along all four sides, and less so around them."""
    windows = _windows()
    strength, faintest = _outlines(media.resize(pixels, SIDE, mode="squash", interpolation="bilinear"), windows)
    edges = np.stack(windows, axis=1)
    order = np.argsort(-strength, kind="stable")
    left = order[faintest[order] >= FAINT]
    found: list[Box] = []
    while len(left) and len(found) < 3 * MOST:  # some will be too small
        best = edges[left[0]]
        x0, y0, x1, y1 = (best / SIDE).tolist()
        found.append((x0, y0, x1, y1))
        left = left[_shared(edges[left], best) <= SAME]
    return found


@cache
def _windows() -> _Windows:
    found = [
        (x, y, x + wide, y + high)
        for high in _SIDES
        for wide in _SIDES
        if max(high, wide) <= _LONGEST * min(high, wide)
        for y in range(2, SIDE - high - 1, _STEP)
        for x in range(2, SIDE - wide - 1, _STEP)
    ]
    return _Windows(*np.array(found, np.int64).T)


def _outlines(small: Pixels, at: _Windows) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(n,) how far each window stands out, and (n,) the light that changes along its faintest side."""
    light = small.astype(np.float64) / 255
    across, down = np.zeros((SIDE, SIDE)), np.zeros((SIDE, SIDE))
    across[:, 1:] = np.abs(np.diff(light, axis=1)).mean(axis=2)
    down[1:] = np.abs(np.diff(light, axis=0)).mean(axis=2)
    wide, high = at.right - at.left, at.bottom - at.top
    x_sums, y_sums, sums = _sums(across), _sums(down), _sums(across + down)
    sides = np.stack([
        _inside(x_sums, at.left - 1, at.top, at.left + 2, at.bottom) / high,
        _inside(x_sums, at.right - 1, at.top, at.right + 2, at.bottom) / high,
        _inside(y_sums, at.left, at.top - 1, at.right, at.top + 2) / wide,
        _inside(y_sums, at.left, at.bottom - 1, at.right, at.bottom + 2) / wide,
    ])  # fmt: skip
    margin = np.maximum(2, np.rint(_AROUND * np.minimum(wide, high)).astype(np.int64))
    outer = (
        np.maximum(0, at.left - margin), np.maximum(0, at.top - margin),
        np.minimum(SIDE, at.right + margin), np.minimum(SIDE, at.bottom + margin),
    )  # fmt: skip
    area = (outer[2] - outer[0]) * (outer[3] - outer[1]) - (wide + 2) * (high + 2)
    around = _inside(sums, *outer) - _inside(sums, at.left - 1, at.top - 1, at.right + 1, at.bottom + 1)
    faintest = sides.min(axis=0)
    return (faintest + sides.mean(axis=0)) / (_CALM + around / np.maximum(area, 1)), faintest


def _sums(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """(SIDE + 1, SIDE + 1): the sum of all above and left of a place."""
    return np.pad(values.cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))


def _inside(
    sums: NDArray[np.float64],
    left: NDArray[np.int64],
    top: NDArray[np.int64],
    right: NDArray[np.int64],
    bottom: NDArray[np.int64],
) -> NDArray[np.float64]:
    found: NDArray[np.float64] = sums[bottom, right] - sums[top, right] - sums[bottom, left] + sums[top, left]
    return found


def _shared(boxes: NDArray[np.int64], one: NDArray[np.int64]) -> NDArray[np.float64]:
    """(n,): intersection over union of (n, 4) boxes with one."""
    wide = (np.minimum(boxes[:, 2], one[2]) - np.maximum(boxes[:, 0], one[0])).clip(0)
    high = (np.minimum(boxes[:, 3], one[3]) - np.maximum(boxes[:, 1], one[1])).clip(0)
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    mine = (one[2] - one[0]) * (one[3] - one[1])
    return np.asarray(wide * high / (areas + mine - wide * high), np.float64)
