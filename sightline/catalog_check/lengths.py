"""Texts longer than an encoder reads at once: cut off, or read in pieces. Found by asking it, whatever its tokens are.

Knows an encoder and texts. A text is cut where more words behind it change nothing; it was read in pieces where its
vector lies in the plane of its halves' vectors, which that of a text read at once does not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np

from sightline.encoders.content import split_long
from sightline.protocols import Encoder
from sightline.types import Content, Part

TESTED = 1000  # texts, the longest first: an encoder is asked twice for each, or for halves
ENOUGH = 48  # texts in a row, each shorter than the last, that are read at once: so are the shorter ones
_MORE = " and behind it a zebra plays the trombone in seven snowy cities"
_SAME = 1e-5  # of one number of a vector: what rounding leaves
_IN_PLANE = 1e-4  # distance of a unit vector from a plane. The starter: 1e-7 in pieces, 0.17 and more at once
_SHARE = 0.05  # of the smaller half: where a text is cut, the second half has none
_BATCH = 16
_MEASURED = 8  # texts of which it is found out how many words are read
_SHORT = "red mug"

How: TypeAlias = Literal["at once", "in pieces", "cut"]


@dataclass(frozen=True, slots=True)
class Long:
    """A text that is not read at once. What stands behind a cut is found by words, not by meaning; the vector of a
    text in pieces is their mean, in which one detail of many weighs little."""

    item_id: str
    part_id: str
    words: int

    def to_json(self) -> dict[str, Any]:
        return {"item": self.item_id, "part": self.part_id, "words": self.words}


@dataclass(frozen=True, slots=True)
class Lengths:
    """Texts that are cut and texts in pieces, the longest first. `read`: words of such a text that are read at once."""

    cut: tuple[Long, ...] = ()
    pieces: tuple[Long, ...] = ()
    read: int | None = None  # in the middle
    by: str = ""  # the encoder that reads them, for words to find them
    untested: int = 0  # texts not asked about, though those a little longer were not read at once


def long_texts(parts: Sequence[Part], encoder: Encoder, tell: Callable[[int, int], None]) -> Lengths:
    """Which of these parts the encoder does not read at once."""
    texts: dict[str, list[Part]] = {}
    for part in parts:
        if part.modality == "text" and part.text:
            texts.setdefault(part.text, []).append(part)
    ordered = sorted(texts, key=lambda text: (-len(text), text))
    found: dict[How, list[str]] = {"at once": [], "in pieces": [], "cut": []}
    row = tested = 0
    while tested < min(len(ordered), TESTED) and row < ENOUGH:
        some = ordered[tested : tested + _BATCH]
        for text, how in zip(some, _how(some, encoder), strict=True):
            row = row + 1 if how == "at once" else 0
            found[how].append(text)
        tested += len(some)
        tell(tested, max(tested, min(len(ordered), TESTED)))
    cut, pieces = found["cut"], found["in pieces"]
    if pieces and _in_pieces([_SHORT], encoder)[0]:  # it takes the mean of words: no text is long for it
        pieces = []
    read = [_fewest(text, lambda some, whole=text: _same([some], [whole], encoder)[0]) for text in cut[:_MEASURED]]  # type: ignore[misc]
    if not read:
        read = [_fewest(text, lambda some: _in_pieces([some], encoder)[0]) - 1 for text in pieces[:_MEASURED]]

    def told(some: Sequence[str]) -> tuple[Long, ...]:
        return tuple(Long(part.item_id, part.id, len(text.split())) for text in some for part in texts[text])

    middle = int(np.median(read)) if read else None
    untested = len(ordered) - tested if row < ENOUGH and (cut or pieces) else 0
    return Lengths(told(cut), told(pieces), middle, encoder.space.name, untested)


def _how(texts: Sequence[str], encoder: Encoder) -> list[How]:
    pieces = _in_pieces(texts, encoder)
    left = [text for text, split in zip(texts, pieces, strict=True) if not split]
    cut = iter(_same(left, [text + _MORE for text in left], encoder))
    return ["in pieces" if split else "cut" if next(cut) else "at once" for split in pieces]


def _in_pieces(texts: Sequence[str], encoder: Encoder) -> list[bool]:
    """Which texts have a vector that is a sum of those of their halves."""
    halves = [_halves(text) for text in texts]
    contents: list[Content] = []
    for text, both in zip(texts, halves, strict=True):
        contents += [(text,), *((half,) for half in both)]
    rows = iter(encoder.encode_documents(contents))
    told = []
    for both in halves:
        whole, parts = next(rows), [next(rows) for _ in both]
        if len(parts) < 2:
            told.append(False)
            continue
        plane = np.stack(parts, axis=1)  # (dim, 2)
        shares = np.linalg.lstsq(plane, whole, rcond=None)[0]
        told.append(bool(min(shares) > _SHARE and np.linalg.norm(whole - plane @ shares) <= _IN_PLANE))
    return told


def _halves(text: str) -> list[str]:
    """As an encoder of ours would cut it first."""
    return [half for half, _ in split_long(text, limit=len(text) - 1, count=len)] if len(text) > 1 else [text]


def _fewest(text: str, holds: Callable[[str], bool]) -> int:
    """Of how many words, at least, a beginning must be for something to hold of it that holds of all longer ones."""
    words = text.split(" ")
    low, high = 1, len(words)
    while low < high:
        middle = (low + high) // 2
        if holds(" ".join(words[:middle])):
            high = middle
        else:
            low = middle + 1
    return low


def _same(texts: Sequence[str], others: Sequence[str], encoder: Encoder) -> list[bool]:
    """Which pairs have one vector. Each pair goes in one call, for what is beside a text may change its rounding."""
    contents: list[Content] = [(text,) for pair in zip(texts, others, strict=True) for text in pair]
    if not contents:
        return []
    rows = encoder.encode_documents(contents)
    return [bool(np.abs(a - b).max() <= _SAME) for a, b in zip(rows[::2], rows[1::2], strict=True)]
