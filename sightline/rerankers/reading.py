"""What every reranker does alike: find the pictures and the words of a hit, tell what a query asks, and say how sure an
answer is.

Knows nothing of models or of what becomes of the answers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain

import numpy as np
from PIL import Image

from sightline.media import clipped
from sightline.types import Box, FieldValue, Hit, Part, Pixels, Query

PictureOf = Callable[[Part], Pixels | None]  # the pixels of an image part, None where there are none
SIDE = 512  # pixels: no reranker is shown a longer side. Some 300 tokens; hits come as thumbnails and are smaller
SUREST = 1e-6  # nothing is held less likely: floating point knows no surer answer


@dataclass(frozen=True, slots=True)
class Asked:
    """What is wanted and what is not, as a reranker reads it: words as one text, and pictures no larger than `SIDE`."""

    text: str
    pictures: tuple[Pixels, ...]
    unwanted: tuple[str, ...]  # texts
    unwanted_pictures: tuple[Pixels, ...]

    @property
    def of_words(self) -> bool:
        """Whether there are wanted words, and no pictures at all."""
        return bool(self.text.strip()) and not self.pictures and not self.unwanted_pictures


def asked_of(query: Query) -> Asked:
    """What a query asks. Items that it is to be like are left out: no reranker knows them."""
    against = [term.content for term in query.terms if term.weight < 0]
    return Asked(
        query.text,
        tuple(shrunk(one) for one in query.pictures),
        tuple(one for one in against if isinstance(one, str)),
        tuple(shrunk(one) for one in against if isinstance(one, np.ndarray)),
    )


def pictures_of(hit: Hit, picture: PictureOf) -> tuple[Pixels, ...]:
    """The hit's best part that is a picture, else its item's first, and where a region of it answers what that holds.

    None is larger than `SIDE`; () where there is no picture.
    """
    for part in (*hit.parts, *hit.item.parts):
        pixels = picture(part) if part.modality == "image" else None
        if pixels is not None:
            box = region_of(hit, part)
            return (shrunk(pixels),) if box is None else (shrunk(pixels), shrunk(clipped(pixels, box)))
    return ()


def region_of(hit: Hit, part: Part) -> Box | None:
    """Where a part of a hit answers, in 0-1 of what the part itself holds; None: all of it does."""
    box = part.locator.box
    own = next((one.locator.box for one in hit.item.parts if one.id == part.id), None) if box else None
    if box is None or box == own:
        return None
    x0, y0, x1, y1 = own or (0.0, 0.0, 1.0, 1.0)
    within = (
        (box[0] - x0) / (x1 - x0),
        (box[1] - y0) / (y1 - y0),
        (box[2] - x0) / (x1 - x0),
        (box[3] - y0) / (y1 - y0),
    )
    left, top, right, bottom = (min(max(edge, 0.0), 1.0) for edge in within)
    return left, top, right, bottom


def shrunk(pixels: Pixels) -> Pixels:
    """The picture itself, or a smaller one where a side is longer than `SIDE`."""
    if max(pixels.shape[:2]) <= SIDE:
        return pixels
    image = Image.fromarray(pixels)
    image.thumbnail((SIDE, SIDE))
    return np.asarray(image)


def words_of(hit: Hit, *, chars: int) -> str:
    """Title, fields, the passages that matched and then the others, cut after so many characters; "" has no words.

    An id is no word: where the title is missing, it is left out.
    """
    found: list[str] = []
    room = chars
    for line in _lines(hit):
        if room <= 0:
            break
        found.append(line[:room])
        room -= len(line) + 1
    return "\n".join(found)


def _lines(hit: Hit) -> Iterator[str]:
    fields = hit.item.fields
    if title := fields.get("title"):
        yield _value(title)
    yield from (f"{name}: {_value(value)}" for name, value in fields.items() if name != "title")
    seen: set[str] = set()
    for part in chain(hit.parts, hit.item.parts):  # one after the other: a document may have thousands
        if part.modality == "text" and part.text and part.id not in seen:
            seen.add(part.id)
            yield part.text


def _value(value: FieldValue) -> str:
    return ", ".join(str(one) for one in value) if isinstance(value, tuple) else str(value)


def log_odds(likely: float) -> float:
    """log(p / (1 - p)), kept finite."""
    held = min(max(likely, SUREST), 1 - SUREST)
    return math.log(held / (1 - held))
