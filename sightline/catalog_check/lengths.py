"""Texts of which an encoder reads only the beginning: found by asking it, whatever its tokens are.

Knows an encoder and texts. A text is cut where more words behind it change nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sightline.protocols import Encoder
from sightline.types import Content, Part

TESTED = 1000  # texts, the longest first: an encoder is asked twice for each
ENOUGH = 48  # texts in a row, each shorter than the last, that are read whole: so are the shorter ones
_MORE = " and behind it a zebra plays the trombone in seven snowy cities"
_SAME = 1e-5  # of one number of a vector: what rounding leaves
_BATCH = 16
_MEASURED = 8  # texts of which it is found out how many words are read


@dataclass(frozen=True, slots=True)
class Cut:
    """A text that is not read to its end: what stands behind is found by words, not by meaning."""

    item_id: str
    part_id: str
    words: int

    def to_json(self) -> dict[str, Any]:
        return {"item": self.item_id, "part": self.part_id, "words": self.words}


@dataclass(frozen=True, slots=True)
class Lengths:
    """Texts that are cut, the longest first. `read` is how many words of such a text are read, in the middle."""

    cut: tuple[Cut, ...] = ()
    read: int | None = None
    untested: int = 0  # texts not asked about, though those a little longer were cut


def cut_texts(parts: Sequence[Part], encoder: Encoder, tell: Callable[[int, int], None]) -> Lengths:
    """Which of these parts the encoder reads only in part."""
    texts: dict[str, list[Part]] = {}
    for part in parts:
        if part.modality == "text" and part.text:
            texts.setdefault(part.text, []).append(part)
    ordered = sorted(texts, key=lambda text: (-len(text), text))
    cut: list[str] = []
    whole = tested = 0
    while tested < min(len(ordered), TESTED) and whole < ENOUGH:
        some = ordered[tested : tested + _BATCH]
        for text, is_cut in zip(some, _cut(some, [text + _MORE for text in some], encoder), strict=True):
            whole = 0 if is_cut else whole + 1
            if is_cut:
                cut.append(text)
        tested += len(some)
        tell(tested, max(tested, min(len(ordered), TESTED)))
    found = tuple(Cut(part.item_id, part.id, len(text.split())) for text in cut for part in texts[text])
    untested = len(ordered) - tested if whole < ENOUGH else 0
    return Lengths(found, _read(cut[:_MEASURED], encoder), untested)


def _read(texts: Sequence[str], encoder: Encoder) -> int | None:
    """The median of how many words a text may be shortened to without a change."""
    counts = []
    for text in texts:
        words = text.split(" ")
        low, high = 1, len(words)  # the fewest that give the same vector as all of them are in between
        while low < high:
            middle = (low + high) // 2
            if _cut([" ".join(words[:middle])], [text], encoder)[0]:
                high = middle
            else:
                low = middle + 1
        counts.append(low)
    return int(np.median(counts)) if counts else None


def _cut(texts: Sequence[str], others: Sequence[str], encoder: Encoder) -> list[bool]:
    """Which pairs have one vector. Each pair goes in one call, for what is beside a text may change its rounding."""
    contents: list[Content] = [(text,) for pair in zip(texts, others, strict=True) for text in pair]
    rows = encoder.encode_documents(contents)
    return [bool(np.abs(a - b).max() <= _SAME) for a, b in zip(rows[::2], rows[1::2], strict=True)]
