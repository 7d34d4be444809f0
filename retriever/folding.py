"""Near-duplicates of a hit go under it: copies of the item, and items whose pictures show the same.

Knows a store for vectors and a function for pictures; what looks the same is for `sightline.lookalikes` to say.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import numpy as np

from sightline.lookalikes import COSINE, Hashes, alike, hashes_of
from sightline.protocols import Encoder, Store
from sightline.types import Hit, Item, Part, Pixels, Vectors

KEPT = 50_000  # hashes of pictures, some 10 MB: what was looked at once need not be opened by the next search
WORDS = 0.5  # of all words of two items whose pictures look alike, the share that both must say

Picture: TypeAlias = Callable[[Part], Pixels | None]

_HASHES: dict[str, Hashes | None] = {}  # by digest: a digest says what a picture is, in whatever collection


@dataclass(slots=True)
class Folding:
    """One search's folding. Pictures are opened only where vectors say that they may be alike."""

    store: Store
    encoder: Encoder
    picture: Picture
    _vectors: dict[str, Vectors] = field(default_factory=dict)  # digest -> (dim,), of the whole picture

    def fold(self, hits: Sequence[Hit]) -> list[Hit]:
        """The hits that are not near-duplicates of one before them, each with the ids of those that are.

        A hit goes under the first of which it is a near-duplicate: an item all of whose parts are equal, or one that
        shows all of its pictures and, where both have texts, shares more than half of their words. So a placeholder
        does not fold different products together.
        """
        digests = {part.digest for hit in hits for part in _pictures(hit.item)} - self._vectors.keys()
        known = self.store.known(self.encoder.space, sorted(digests))
        self._vectors |= {digest: rows[0] for digest, rows in known.items()}
        heads = _Heads(self.encoder.space.dim)
        for hit in hits:
            rows = [self._vectors[part.digest] for part in _pictures(hit.item) if part.digest in self._vectors]
            under = (at for at in heads.near(hit, rows) if self._is_copy(hit.item, heads.hits[at].item))
            heads.put(hit, rows, next(under, None))
        return [replace(hit, folded=tuple(folded)) for hit, folded in zip(heads.hits, heads.folded, strict=True)]

    def _is_copy(self, item: Item, of: Item) -> bool:
        if _parts(item) == _parts(of):
            return True
        pictures, others = _pictures(item), _pictures(of)
        if not pictures or not others or not _say_the_same(item, of):
            return False
        return all(any(self._alike(one, other) for other in others) for one in pictures)

    def _alike(self, one: Part, other: Part) -> bool:
        if one.digest == other.digest:
            return True
        if one.digest not in self._vectors or other.digest not in self._vectors:
            return False
        cosine = float(self._vectors[one.digest] @ self._vectors[other.digest])
        if cosine < COSINE:
            return False
        left, right = self._hashes_of(one), self._hashes_of(other)
        return left is not None and right is not None and alike(left, right, cosine)

    def _hashes_of(self, part: Part) -> Hashes | None:
        if part.digest in _HASHES:
            return _HASHES[part.digest]
        pixels = self.picture(part)
        if pixels is None:
            return None
        if len(_HASHES) >= KEPT:
            _HASHES.clear()
        return _HASHES.setdefault(part.digest, hashes_of(pixels))


class _Heads:
    """The hits that others may go under, found again by what they hold."""

    def __init__(self, dim: int) -> None:
        self.hits: list[Hit] = []
        self.folded: list[list[str]] = []
        self._holding: dict[str, list[int]] = {}  # digest -> heads
        self._rows: Vectors = np.zeros((0, dim), np.float32)
        self._owners: list[int] = []  # head of each row

    def near(self, hit: Hit, rows: Sequence[Vectors]) -> list[int]:
        """The heads that hold an equal part or a picture of a near vector, the first first."""
        equal = {at for digest in _parts(hit.item) for at in self._holding.get(digest, ())}
        if rows and self._owners:
            close = (np.stack(rows) @ self._rows.T >= COSINE).any(axis=0)  # (m, dim) @ (dim, r) -> (r,)
            equal.update(self._owners[at] for at in np.flatnonzero(close))
        return sorted(equal)

    def put(self, hit: Hit, rows: Sequence[Vectors], under: int | None) -> None:
        if under is not None:
            self.folded[under].append(hit.id)
            return
        at = len(self.hits)
        self.hits.append(hit)
        self.folded.append([])
        for digest in _parts(hit.item):
            self._holding.setdefault(digest, []).append(at)
        if rows:
            self._rows = np.concatenate([self._rows, np.stack(rows)])
            self._owners += [at] * len(rows)


def _pictures(item: Item) -> list[Part]:
    return [part for part in item.parts if part.modality == "image" and part.derived_by is None]


def _parts(item: Item) -> frozenset[str]:
    """What an item holds, by digest."""
    return frozenset(part.digest for part in item.parts)


def _say_the_same(one: Item, other: Item) -> bool:
    left, right = _words(one), _words(other)
    return not left or not right or len(left & right) > WORDS * len(left | right)


def _words(item: Item) -> frozenset[str]:
    """The words of the texts that came with an item; what was read from its pictures says nothing new."""
    texts = (part.text for part in item.parts if part.modality == "text" and part.derived_by is None and part.text)
    return frozenset(word for text in texts for word in re.findall(r"\w+", text.casefold()))
