"""Reads a collection for the check: its items, the vectors of their pictures and words, and how pictures are coloured.

Goes through the public door of an index; embeds nothing that is stored.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass

import numpy as np

from indexer import Ledger
from sightline import decoding, media
from sightline.catalog_check.judging import Ids, Matrix
from sightline.engine import Sightline
from sightline.errors import UnreadableSource
from sightline.types import Item, Part, Pixels

_BATCH = 500  # digests asked of the store at a time
_LEVELS = 4  # of red, green and blue each
_GLANCE = 32  # pixels a side: enough to tell how much of a picture has which colour

Tell = Callable[[str, int, int | None], None]


@dataclass(frozen=True, slots=True)
class Shown:
    """A picture of an item."""

    part: Part
    vector: Matrix  # (dim,)


@dataclass(frozen=True, slots=True)
class Entry:
    """An item with what can be compared of it. `words` is what `said` was embedded to: the title, else the text."""

    item: Item
    pictures: tuple[Shown, ...]
    said: str
    words: Matrix | None  # (dim,)


@dataclass(frozen=True, slots=True)
class Catalog:
    """All items, and those of them with pictures whose colours were looked at."""

    entries: tuple[Entry, ...]

    @property
    def shown(self) -> list[Entry]:
        """The items with a picture that was embedded."""
        return [entry for entry in self.entries if entry.pictures]


def read(index: Sightline, tell: Tell, *, vectors: bool = True) -> Catalog:
    """Every item of a collection; without `vectors`, which need the encoder, nothing of it can be compared."""
    with closing(Ledger(index.folder)) as ledger:
        ids = ledger.ids()
    items = []
    for number, item_id in enumerate(ids, start=1):
        items.append(index.get(item_id))
        tell("reading items", number, len(ids))
    digests = list(dict.fromkeys(part.digest for item in items for part in item.parts if part.modality != "fields"))
    known: dict[str, Matrix] = {}
    for at in range(0, len(digests) if vectors else 0, _BATCH):
        known |= index.known(digests[at : at + _BATCH])
        tell("reading vectors", at, len(digests))
    return Catalog(tuple(_entry(item, known) for item in items))


def colours(entries: Sequence[Entry], index: Sightline, tell: Tell) -> Matrix:
    """(n, 64): which share of an item's pictures has which colour, as roots: a product says how alike two are."""
    rows = np.zeros((len(entries), _LEVELS**3), np.float32)
    with closing(Ledger(index.folder)) as ledger:
        for number, entry in enumerate(entries):
            for shown in entry.pictures:
                pixels = _glance(ledger, shown.part)
                if pixels is not None:
                    rows[number] += _colours(pixels) / len(entry.pictures)
            tell("looking at colours", number + 1, len(entries))
    return np.sqrt(rows)


def owners(entries: Sequence[Entry]) -> tuple[Matrix, Ids]:
    """(p, dim) vectors of all pictures in order, and (p,) which entry each belongs to."""
    vectors = [shown.vector for entry in entries for shown in entry.pictures]
    return np.array(vectors, np.float32), np.repeat(np.arange(len(entries)), [len(entry.pictures) for entry in entries])


def _entry(item: Item, vectors: dict[str, Matrix]) -> Entry:
    pictures = tuple(
        Shown(part, vectors[part.digest][0])
        for part in item.parts
        if part.modality == "image" and part.digest in vectors
    )
    texts = [part for part in item.parts if part.modality == "text" and part.digest in vectors]
    telling = [part for part in texts if part.locator.field == "title"] or texts
    said = telling[0].text or "" if telling else ""
    words = np.mean([vectors[part.digest][0] for part in telling], axis=0) if telling else None
    return Entry(item, pictures, said, None if words is None else np.asarray(words / (np.linalg.norm(words) + 1e-9)))


def _glance(ledger: Ledger, part: Part) -> Pixels | None:
    jpeg = ledger.thumbnail(part.digest)
    try:
        pixels = decoding.decode(jpeg, source=part.id) if jpeg else None
    except UnreadableSource:  # a thumbnail of ours that cannot be read tells no colours, and that is all
        return None
    return None if pixels is None else media.resize(pixels, _GLANCE, mode="squash", interpolation="bilinear")


def _colours(pixels: Pixels) -> Matrix:
    """Each pixel counts for the colours around its own by how near they are, so that no edge divides like from like."""
    place = pixels.reshape(-1, 3).astype(np.float32) / 255 * (_LEVELS - 1)
    low = np.minimum(place.astype(np.int64), _LEVELS - 2)
    share = place - low
    found = np.zeros(_LEVELS**3)
    for corner in np.ndindex(2, 2, 2):
        at = low + np.array(corner)
        weight = np.prod(np.where(corner, share, 1 - share), axis=1)
        cells = (at[:, 0] * _LEVELS + at[:, 1]) * _LEVELS + at[:, 2]
        found += np.bincount(cells, weights=weight, minlength=_LEVELS**3)
    return np.asarray(found / len(place), np.float32)
