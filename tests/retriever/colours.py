"""A tiny encoder that really sees colour and shape: quick, exact, and with CLIP's modality gap."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sightline.types import Content, Modality, Pixels, Space, Vectors

SEEN = ("red", "green", "blue", "tall", "wide")
GAP = {"image": 0, "text": 1}  # two further axes keep pictures and texts apart, as in CLIP


class ColourEncoder:
    """One space for pictures and words that knows red, green, blue, tall and wide, modality gap included."""

    def __init__(self, modalities: frozenset[Modality] = frozenset({"image", "text"})) -> None:
        self.space = Space("colours", len(SEEN) + len(GAP), "0" * 64, modalities)

    def encode_documents(self, contents: Sequence[Content]) -> Vectors:
        rows = np.asarray([self._row(content[0]) for content in contents], dtype=np.float32)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)  # type: ignore[no-any-return]

    def encode_queries(self, contents: Sequence[Content], *, instruction: str | None = None) -> Vectors:
        return self.encode_documents(contents)

    def _row(self, content: str | Pixels) -> list[float]:
        kind: Modality = "text" if isinstance(content, str) else "image"
        assert kind in self.space.modalities
        if isinstance(content, str):
            words = content.casefold().split()
            seen = [float(words.count(word)) for word in SEEN]
        else:
            height, width = content.shape[:2]
            seen = [*(content.reshape(-1, 3).mean(axis=0) / 255), float(height > width), float(width > height)]
        gap = [0.0, 0.0]
        gap[GAP[kind]] = 1.5
        return [*seen, *gap]


def picture(*words: str) -> Pixels:
    """A plain picture of what the words say: one colour, one shape."""
    height, width = (9, 6) if "tall" in words else (6, 9) if "wide" in words else (6, 6)
    colour = [255 * (name in words) for name in SEEN[:3]]
    return np.full((height, width, 3), colour, dtype=np.uint8)
