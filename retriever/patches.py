"""Where in a picture an answer is: a window slides over it, and what each window shows by itself is compared.

Works with any encoder, which it knows by its protocol; knows nothing of queries, indexes or drawing.

The other way round, hiding what the window covers and taking the fall of the cosine (Zeiler and Fergus, ECCV 2014),
finds the right one of two products far less often (docs/explain.md): what is left still shows most of everything.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from sightline.protocols import Encoder
from sightline.types import Pixels, Vectors

Way: TypeAlias = Literal["shown", "hidden"]

# Chosen with `benchmarks/explain.py`.
GRID = 7  # cells a side
WINDOW = 3  # cells a side


@dataclass(frozen=True, slots=True, eq=False)
class PatchMap:
    """What each cell of a picture does for each of t vectors."""

    gains: NDArray[np.float32]  # (t, GRID, GRID): cosine above that of the mean window, over the windows that cover it
    cosines: NDArray[np.float32]  # (t,): of the whole picture


def patch_map(
    pixels: Pixels, encoder: Encoder, sought: Vectors, *, grid: int = GRID, window: int = WINDOW, way: Way = "shown"
) -> PatchMap:
    """The maps of a picture (height, width, 3) for (t, dim) unit rows, from (grid - window + 1) ** 2 + 1 pictures.

    With the way "hidden" a window is painted in the picture's mean colour instead, and what its cell gains is the fall
    of the cosine. Raises UnsupportedModality for an encoder of texts alone.
    """
    starts = [(top, left) for top in range(grid - window + 1) for left in range(grid - window + 1)]
    boxes = [_box(pixels, top, left, grid, window) for top, left in starts]
    seen = _shown if way == "shown" else _hidden
    pictures = [pixels, *(seen(pixels, box) for box in boxes)]
    cosines = encoder.encode_documents([(one,) for one in pictures]) @ sought.T  # (1 + n, dim) @ (dim, t) -> (1 + n, t)
    gains = cosines[1:] - cosines[1:].mean(axis=0) if way == "shown" else cosines[0] - cosines[1:]  # (n, t)
    total, count = np.zeros((sought.shape[0], grid, grid)), np.zeros((grid, grid))
    for (top, left), gain in zip(starts, gains, strict=True):
        total[:, top : top + window, left : left + window] += gain[:, None, None]
        count[top : top + window, left : left + window] += 1
    return PatchMap((total / count).astype(np.float32), cosines[0].astype(np.float32))


def _box(pixels: Pixels, top: int, left: int, grid: int, window: int) -> tuple[slice, slice]:
    """The rows and columns of a window, one pixel at least."""
    height, width = pixels.shape[:2]
    rows = slice(top * height // grid, max(1, -(-(top + window) * height // grid)))
    return rows, slice(left * width // grid, max(1, -(-(left + window) * width // grid)))


def _shown(pixels: Pixels, box: tuple[slice, slice]) -> Pixels:
    return np.ascontiguousarray(pixels[box])


def _hidden(pixels: Pixels, box: tuple[slice, slice]) -> Pixels:
    painted = pixels.copy()
    painted[box] = pixels.mean(axis=(0, 1)).astype(np.uint8)
    return painted
