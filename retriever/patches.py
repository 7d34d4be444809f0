"""Where in a picture an answer is: how much of a cosine goes when a part of the picture is hidden, cell by cell.

Works with any encoder, which it knows by its protocol; knows nothing of queries, indexes or drawing.

Occlusion (Zeiler and Fergus, ECCV 2014): a window slides over the picture, what it covers is painted in the picture's
mean colour, and all the copies are embedded in one batch. A cell's value is the mean over the windows that cover it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sightline.protocols import Encoder
from sightline.types import Pixels, Vectors

# Chosen with `benchmarks/explain.py`.
GRID = 7  # cells a side
WINDOW = 3  # cells a side, of what is hidden at once


@dataclass(frozen=True, slots=True, eq=False)
class PatchMap:
    """What each cell of a picture does for each of t vectors."""

    falls: NDArray[np.float32]  # (t, GRID, GRID): of the cosine when the cell is hidden; below 0 it was in the way
    cosines: NDArray[np.float32]  # (t,): of the whole picture


def patch_map(pixels: Pixels, encoder: Encoder, sought: Vectors, *, grid: int = GRID, window: int = WINDOW) -> PatchMap:
    """The maps of a picture (height, width, 3) for (t, dim) unit rows, from (grid + window - 1) ** 2 copies of it.

    Raises UnsupportedModality for an encoder of texts alone.
    """
    covers = _covers(grid, window)  # (n, grid, grid)
    copies = [pixels, *(_hidden(pixels, cover) for cover in covers)]
    cosines = encoder.encode_documents([(copy,) for copy in copies]) @ sought.T  # (1 + n, dim) @ (dim, t) -> (1 + n, t)
    falls = cosines[0] - cosines[1:]  # (n, t)
    told = np.tensordot(falls.T, covers.astype(np.float32), axes=1) / covers.sum(axis=0)  # (t, n) x (n, g, g)
    return PatchMap(told.astype(np.float32), cosines[0].astype(np.float32))


def _covers(grid: int, window: int) -> NDArray[np.bool_]:
    """(n, grid, grid): the windows, those that hang over an edge among them, so that every cell is covered equally."""
    starts = range(1 - window, grid)
    cells = np.arange(grid)
    spans = [(start <= cells) & (cells < start + window) for start in starts]
    return np.asarray([np.outer(rows, columns) for rows in spans for columns in spans])


def _hidden(pixels: Pixels, cover: NDArray[np.bool_]) -> Pixels:
    """The picture with the covered cells painted in its mean colour."""
    height, width = pixels.shape[:2]
    grid = len(cover)
    mask = cover[np.ix_(np.arange(height) * grid // height, np.arange(width) * grid // width)]  # (height, width)
    return np.where(mask[..., None], pixels.mean(axis=(0, 1)).astype(np.uint8), pixels)
