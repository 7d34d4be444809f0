"""When two pictures show the same: a hash of coarse light and dark, and a vector, must both say so.

Knows pixels and numbers only; where either comes from, and what becomes of what is alike, is the caller's.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sightline import media
from sightline.types import Pixels

BITS_APART = 10  # of 63: re-encoded, resized, brighter and hardly cropped pictures are below, different ones above
COSINE = 0.95  # of vectors, where hashes are equal
COSINE_A_BIT = 0.003  # more for each bit: what looks less alike must mean the more alike
_SIDE = 32
_KEPT = 8
_FLAT = 2.0  # grey levels: a picture with less contrast has no light and dark to go by


class Hashes(NamedTuple):
    """Of a picture, and of its mirror image."""

    upright: int
    mirrored: int


def perceptual_hash(pixels: Pixels) -> int | None:
    """63 bits: which of the lowest frequencies of a picture's light are above their median; None for a flat picture.

    The discrete cosine transform of 32 x 32 greys, without the constant (Zauner 2010, "Implementation and benchmarking
    of perceptual image hash functions").
    """
    hashes = hashes_of(pixels)
    return None if hashes is None else hashes.upright


def hashes_of(pixels: Pixels) -> Hashes | None:
    """The perceptual hashes of a picture and of its mirror image; None for a flat one."""
    small = media.resize(pixels, _SIDE, mode="squash", interpolation="bilinear").astype(np.float64)
    grey = small @ np.array([0.299, 0.587, 0.114])  # (32, 32)
    if grey.std() < _FLAT:
        return None
    steps = np.arange(_SIDE)
    waves = np.cos(np.pi / _SIDE * (steps + 0.5) * np.arange(_KEPT)[:, None])  # (8, 32)
    low = waves @ grey @ waves.T  # (8, 32) @ (32, 32) @ (32, 8) -> (8, 8)
    mirrored = low * np.where(np.arange(_KEPT) % 2, -1, 1)  # odd waves from left to right change sign
    return Hashes(_bits(low), _bits(mirrored))


def _bits(low: NDArray[np.float64]) -> int:
    values = low.ravel()[1:]  # without the constant: 63
    above = values > np.sort(values)[len(values) // 2]
    return int(sum(1 << place for place in np.flatnonzero(above).tolist()))


def least_cosine(bits: int) -> float:
    """How near the vectors of two pictures must be whose hashes differ in so many bits."""
    return COSINE + COSINE_A_BIT * bits


def alike(one: Hashes, other: Hashes, cosine: float) -> bool:
    """Whether two pictures, or one and the other's mirror image, show the same."""
    bits = min((one.upright ^ other.upright).bit_count(), (one.upright ^ other.mirrored).bit_count())
    return bits <= BITS_APART and cosine >= least_cosine(bits)
