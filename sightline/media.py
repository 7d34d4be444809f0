"""From encoded pictures to arrays of pixels, and from those to the sizes that encoders and people look at.

Does not know where bytes come from, nor what an encoder does with the pixels; `sightline.pictures` opens them.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from PIL import Image

from sightline import pictures
from sightline.pictures import MAX_PIXELS, WORKING_PIXELS, sniff
from sightline.types import Box, Pixels

__all__ = ["MAX_PIXELS", "WORKING_PIXELS", "clipped", "decode", "resize", "sniff", "thumbnail", "to_jpeg"]


def decode(data: bytes, *, source: str = "", max_pixels: int = MAX_PIXELS) -> Pixels:
    """The first frame, upright, on white, in 8-bit RGB, shrunk to at most about a million pixels.

    `source` names the picture in errors. It is decoded right here: for bytes from strangers there is
    `sightline.decoding`. Raises UnreadableSource with a reason fit to show.
    """
    return np.array(pictures.opened(data, source=source, max_pixels=max_pixels))


def resize(
    pixels: Pixels, size: int, *, mode: Literal["squash", "shortest"], interpolation: Literal["bicubic", "bilinear"]
) -> Pixels:
    """(size, size, 3): "squash" ignores the aspect, "shortest" fits the shorter side and cuts out the centre.

    Pillow's antialiased resampling, rounded and cut as torchvision does: equal to CLIP's own preprocessing.
    """
    method = Image.Resampling.BICUBIC if interpolation == "bicubic" else Image.Resampling.BILINEAR
    if mode == "squash":
        return np.array(Image.fromarray(pixels).resize((size, size), method))
    height, width = pixels.shape[:2]
    short = min(height, width)
    if max(height, width) > 8 * short:  # the rest of a thread-like strip is cut anyway: never blow it up
        top, left = max(0, (height - 8 * short) // 2), max(0, (width - 8 * short) // 2)
        pixels = np.ascontiguousarray(pixels[top : top + 8 * short, left : left + 8 * short])
        height, width = pixels.shape[:2]
    wide, high = int(size * width / short), int(size * height / short)
    resized = Image.fromarray(pixels).resize((wide, high), method)
    left, top = round((wide - size) / 2), round((high - size) / 2)
    return np.array(resized.crop((left, top, left + size, top + size)))


def clipped(pixels: Pixels, box: Box) -> Pixels:
    """The pixels a box touches, one at least: (height, width, 3) -> (rows, columns, 3)."""
    height, width = pixels.shape[:2]
    x0, y0 = min(math.floor(box[0] * width), width - 1), min(math.floor(box[1] * height), height - 1)
    rows = slice(y0, max(math.ceil(box[3] * height), y0 + 1))
    return np.ascontiguousarray(pixels[rows, x0 : max(math.ceil(box[2] * width), x0 + 1)])


def thumbnail(pixels: Pixels, *, side: int = 320) -> bytes:
    """A JPEG whose longer side is at most `side`; a smaller picture keeps its size."""
    return pictures.thumbnail(Image.fromarray(pixels), side=side)


def to_jpeg(pixels: Pixels, *, quality: int = 90) -> bytes:
    """The picture as JPEG bytes."""
    return pictures.to_jpeg(Image.fromarray(pixels), quality=quality)
