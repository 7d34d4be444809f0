"""What a collection holds more than once: equal items, equal picture files, and pictures that look alike.

A picture is like another, or like its mirror image, where `sightline.lookalikes` says so of both their kinds of proof.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from indexer import Ledger
from sightline import decoding
from sightline.catalog_check.judging import Matrix
from sightline.catalog_check.reading import Tell
from sightline.engine import Sightline
from sightline.errors import UnreadableSource
from sightline.lookalikes import BITS_APART, Hashes, hashes_of, least_cosine

_BLOCK = 1024

Words = NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Group:
    """Items that are, or show, the same. The first of `items` was seen first where they are equal."""

    kind: Literal["equal items", "equal pictures", "alike pictures"]
    items: tuple[str, ...]
    pictures: tuple[str, ...] = ()  # digests
    cosine: float | None = None  # of the two that are least alike of those joined
    bits: int | None = None  # in which their hashes differ

    def to_json(self) -> dict[str, Any]:
        told = {
            "kind": self.kind,
            "items": list(self.items),
            "pictures": list(self.pictures),
            "cosine": None if self.cosine is None else round(self.cosine, 4),
            "bits_apart": self.bits,
        }
        return {key: value for key, value in told.items() if value not in (None, [])}


def duplicates(index: Sightline, *, tell: Tell = lambda what, done, total: None) -> list[Group]:
    """Every group of two or more items that are equal, share a picture file, or show pictures that look alike.

    Raises PassportMismatch when another encoder built the index.
    """
    with closing(Ledger(index.folder)) as ledger:
        equal = [Group("equal items", tuple(items)) for items in ledger.register.equals()]
        owners: dict[str, list[str]] = {}
        for digest, item in ledger.register.pictures():
            owners.setdefault(digest, []).append(item)
        digests = sorted(owners)
        hashes = [_hashes_of(ledger, digest) for digest in _told(digests, "looking at pictures", tell)]
    together = {frozenset(group.items) for group in equal}
    shared = [
        Group("equal pictures", tuple(items), (digest,))
        for digest, items in owners.items()
        if len(items) > 1 and not any(set(items) <= whole for whole in together)
    ]
    hashed = {digest: found for digest, found in zip(digests, hashes, strict=True) if found is not None}
    alike = _alike(hashed, index, owners, tell) if "image" in index.plain_encoder.space.modalities else []
    return [*equal, *shared, *alike]


def close_pairs(hashes: Words, others: Words | None = None, *, apart: int = BITS_APART) -> list[tuple[int, int, int]]:
    """(i, j, bits) for every i < j where hash i and hash j (of `others`, where given) differ in at most `apart` bits.

    Compares all with all, in blocks.
    """
    others = hashes if others is None else others
    found = []
    for at in range(0, len(hashes), _BLOCK):
        block = hashes[at : at + _BLOCK, None] ^ others[None, at:]  # (b, n - at)
        bits = _ones(block)
        rows, columns = np.nonzero(bits <= apart)
        later = columns > rows
        found += [
            (at + int(row), at + int(column), int(bits[row, column]))
            for row, column in zip(rows[later], columns[later], strict=True)
        ]
    return found


def _alike(
    hashed: Mapping[str, Hashes], index: Sightline, owners: Mapping[str, Sequence[str]], tell: Tell
) -> list[Group]:
    digests = list(hashed)
    tell("comparing pictures with each other", 0, None)
    both = np.array([hashed[digest] for digest in digests], np.uint64).reshape(-1, 2)
    pairs = {(left, right): bits for left, right, bits in close_pairs(both[:, 0], both[:, 1])}
    for left, right, bits in close_pairs(both[:, 0]):
        pairs[left, right] = min(bits, pairs.get((left, right), bits))
    wanted = sorted({digests[at] for pair in pairs for at in pair})
    vectors: dict[str, Matrix] = {}
    for at in range(0, len(wanted), 500):
        vectors |= {digest: rows[0] for digest, rows in index.known(wanted[at : at + 500]).items()}
    links = []
    for (left, right), bits in pairs.items():
        a, b = digests[left], digests[right]
        cosine = float(vectors[a] @ vectors[b]) if a in vectors and b in vectors else -1.0
        if cosine >= least_cosine(bits):
            links.append((a, b, bits, cosine))
    groups = []
    for joined in _joined((a, b) for a, b, _, _ in links):
        inside = [(bits, cosine) for a, _, bits, cosine in links if a in joined]
        items = tuple(sorted({item for digest in joined for item in owners[digest]}))
        if len(items) > 1:
            groups.append(
                Group(
                    "alike pictures", items, tuple(sorted(joined)),
                    cosine=min(cosine for _, cosine in inside), bits=max(bits for bits, _ in inside),
                )
            )  # fmt: skip
    return sorted(groups, key=lambda group: group.items)


def _joined(pairs: Iterable[tuple[str, str]]) -> list[set[str]]:
    """What hangs together."""
    home: dict[str, set[str]] = {}
    for a, b in pairs:
        one, other = home.get(a, {a}), home.get(b, {b})
        if one is not other:
            one |= other
        home |= dict.fromkeys(one, one)
    return list({id(group): group for group in home.values()}.values())


def _hashes_of(ledger: Ledger, digest: str) -> Hashes | None:
    jpeg = ledger.thumbnail(digest)
    try:
        return hashes_of(decoding.decode(jpeg, source=digest)) if jpeg else None
    except UnreadableSource:  # a thumbnail that cannot be read shows nothing that could be the same
        return None


def _ones(words: Words) -> NDArray[np.uint8]:
    """How many bits are set in each word: sums of pairs, of fours, of eights (Hacker's Delight, 5-1)."""
    one, three, fifteen = (np.uint64(value) for value in (0x5555555555555555, 0x3333333333333333, 0x0F0F0F0F0F0F0F0F))
    words = words - ((words >> np.uint64(1)) & one)
    words = (words & three) + ((words >> np.uint64(2)) & three)
    words = (words + (words >> np.uint64(4))) & fifteen
    return np.asarray((words * np.uint64(0x0101010101010101)) >> np.uint64(56), np.uint8)


def _told(digests: Sequence[str], doing: str, tell: Callable[[str, int, int | None], None]) -> Iterable[str]:
    for number, digest in enumerate(digests, start=1):
        yield digest
        tell(doing, number, len(digests))
