"""A small encoder that really looks (mean colours on a grid, hashed words) and counts its work."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np
from PIL import Image

from sightline.types import Content, Modality, Pixels, Space, Vectors

SIDE = 4
DIM = SIDE * SIDE * 3 + 1


class GridEncoder:
    """One space of 49 numbers. `embedded` has a row for every content it was ever asked for."""

    def __init__(self, modalities: frozenset[Modality] = frozenset({"image", "text"})) -> None:
        self.space = Space("grid", DIM, "9" * 64, modalities)
        self.embedded: list[Modality] = []

    def encode_documents(self, contents: Sequence[Content]) -> Vectors:
        self.embedded += ["text" if isinstance(content[0], str) else "image" for content in contents]
        assert set(self.embedded) <= self.space.modalities
        rows = np.asarray([self._row(content[0]) for content in contents], dtype=np.float32)
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        return rows

    def encode_queries(self, contents: Sequence[Content], *, instruction: str | None = None) -> Vectors:
        return self.encode_documents(contents)

    def _row(self, content: str | Pixels) -> list[float]:
        if isinstance(content, str):
            row = [0.0] * DIM
            for word in content.casefold().split():
                row[zlib.crc32(word.encode()) % (DIM - 1)] += 1.0
            return [*row[:-1], 0.5]
        small = Image.fromarray(content).resize((SIDE, SIDE), Image.Resampling.BOX)
        return [*(float(value) / 255 for value in np.asarray(small).ravel()), 0.5]
