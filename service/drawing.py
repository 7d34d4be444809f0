"""A patch map drawn over its picture, or as a see-through layer to lay over it.

Knows values from -1 to 1 and pixels; knows nothing of searches.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sightline.types import Pixels

# Two ramps in OKLab (L, a, b; Ottosson 2020), lighter with every step, so that brighter is more to every eye and in
# grey: what is more like the query goes from violet over red to yellow, what is less from night blue to ice.
FOR = ((0.35, 0.09, -0.11), (0.55, 0.19, 0.02), (0.75, 0.11, 0.13), (0.93, -0.02, 0.17))
AGAINST = ((0.30, 0.00, -0.10), (0.50, -0.03, -0.13), (0.70, -0.06, -0.10), (0.88, -0.05, -0.04))
CLEAR = 0.12  # of the largest value: less is left unpainted
COVER = 0.72  # how opaque the largest value is
FINER = 8  # times the cells, the pixels a side of a layer; whoever stretches it smooths the rest
_TO_CUBES = (
    (1.0, 0.3963377774, 0.2158037573),
    (1.0, -0.1055613458, -0.0638541728),
    (1.0, -0.0894841775, -1.2914855480),
)
_TO_RGB = (
    (4.0767416621, -3.3077115913, 0.2309699292),
    (-1.2684380046, 2.6097574011, -0.3413193965),
    (-0.0041960863, -0.7034186147, 1.7076147010),
)


def overlay(values: Sequence[Sequence[float]], width: int, height: int) -> Image.Image:
    """The map as an RGBA picture of that size: nothing where nothing is told, else the colour of the value."""
    grid = Image.fromarray(np.asarray(values, np.float32))
    smooth = np.asarray(grid.resize((width, height), Image.Resampling.BICUBIC)).clip(-1, 1)  # (height, width)
    size = np.abs(smooth)
    colours = np.where((smooth > 0)[..., None], _coloured(size, FOR), _coloured(size, AGAINST))  # (height, width, 3)
    cover = COVER * ((size - CLEAR) / (1 - CLEAR)).clip(0, 1) ** 0.7
    return Image.fromarray(np.dstack([colours, np.rint(255 * cover).astype(np.uint8)]))


def drawn(pixels: Pixels, values: Sequence[Sequence[float]]) -> bytes:
    """A PNG of the picture (height, width, 3) with the map over it; the picture greyed a little so that it is seen."""
    height, width = pixels.shape[:2]
    grey = pixels.mean(axis=2, keepdims=True)
    dulled = np.rint(0.45 * pixels + 0.55 * grey).astype(np.uint8)
    under = Image.fromarray(dulled).convert("RGBA")
    return png(Image.alpha_composite(under, overlay(values, width, height)).convert("RGB"))


def layer(values: Sequence[Sequence[float]]) -> str:
    """The map as a small see-through PNG in a data URI, to be stretched over the picture."""
    rows, columns = np.asarray(values).shape
    return "data:image/png;base64," + base64.b64encode(png(overlay(values, FINER * columns, FINER * rows))).decode()


def png(picture: Image.Image) -> bytes:
    """A picture as PNG bytes."""
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _coloured(share: NDArray[np.float32], ramp: Sequence[tuple[float, float, float]]) -> NDArray[np.uint8]:
    """(…) from 0 to 1 -> (…, 3) sRGB, along the ramp."""
    at, anchors = np.linspace(0, 1, len(ramp)), np.asarray(ramp)
    lab = np.stack([np.interp(share, at, anchors[:, axis]) for axis in range(3)], axis=-1)
    linear = ((lab @ np.asarray(_TO_CUBES).T) ** 3 @ np.asarray(_TO_RGB).T).clip(0, 1)
    gamma = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    painted: NDArray[np.uint8] = np.rint(255 * gamma).astype(np.uint8)
    return painted
