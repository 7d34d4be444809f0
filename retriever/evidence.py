"""What a collection holds of what is sought: likenesses and words, item by item, and at best.

Knows a store by its protocol. What it amounts to is `calibration`'s to say.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from retriever.terms import Aim
from retriever.words import ALL, Said
from sightline.filters import And, Filter, HasId
from sightline.protocols import Store
from sightline.types import Like, Modality, Space, Vectors

Source: TypeAlias = Literal["words", "picture", "item"]  # what a vector was made of; the texts of an item are "item"

NAMED: frozenset[Modality] = frozenset({"fields"})  # the part that holds an item's title and fields
LOOKED_AT = 50  # items, of those that say most of the words, whose titles and fields are looked at


@dataclass(frozen=True, slots=True)
class Sought:
    """What parts of one kind were compared with, where that is not words alone."""

    shares: Mapping[Source, float]  # which add up to 1
    vector: NDArray[np.float32] = field(compare=False)  # (dim,), of length 1
    length: float = 1.0  # of the sum of its parts, by their shares: the less they have in common, the shorter


@dataclass(frozen=True, slots=True)
class Evidence:
    """Item by item, as far as it was looked for: no entry is none, or less than that of those that have one."""

    cosines: Mapping[Modality, Mapping[str, float]] = field(default_factory=dict)  # kind of part -> item -> the best
    covers: Mapping[str, float] | None = None  # item -> share of the words it says, 0-1; None: words were not asked
    names: Mapping[str, float] = field(default_factory=dict)  # the same for its title and fields alone
    known: float = 0.0  # share of the words that any item says, 0-1
    sought: Mapping[Modality, Sought] = field(default_factory=dict)  # by kind of part; none: words alone were asked

    @property
    def cover(self) -> float:
        return max((self.covers or {}).values(), default=0.0)

    @property
    def named(self) -> float:
        return max(self.names.values(), default=0.0)

    def best(self, kind: Modality) -> float | None:
        """The highest cosine of any part of a kind; None where there is none."""
        return max(self.cosines.get(kind, {}).values(), default=None)


def likest(
    store: Store,
    space: Space,
    wanted: Vectors,
    kind: Modality,
    *,
    where: Filter | None,
    hidden: Collection[str],
    parts: int = 1,
) -> Mapping[str, float]:
    """The items most like (1, dim) by about so many parts of one kind, and their cosines: one at least, if there is."""
    count = parts + 4 * len(hidden)
    while True:
        (hits,) = store.search(space, wanted, count, where=where, modalities=frozenset({kind}))
        seen = [(hit.item_id, hit.score) for hit in hits if hit.item_id not in hidden]
        if seen or len(hits) < count:
            return best_of_items(seen)
        count *= 8


def of_words(store: Store, said: Said, *, where: Filter | None, hidden: Collection[str] = ()) -> Evidence:
    """What the words of a query are worth, without cosines. `said` is of the same filter."""
    covers = {item: share for item, share in said.covers().items() if item not in hidden}
    first = sorted(covers, key=lambda item: (-covers[item], item))[:LOOKED_AT]
    if not first:
        return Evidence(covers=covers, known=said.known)
    chosen = HasId(tuple(sorted(first)))
    narrowed = chosen if where is None else And((where, chosen))
    by_word = [
        {hit.item_id for hit in store.search_text(word, ALL, where=narrowed, modalities=NAMED)} if items else ()
        for word, items in zip(said.words, said.by_word, strict=True)
    ]
    return Evidence(covers=covers, names=said.covers(by_word), known=said.known)


def sought(aim: Aim, kind: Modality) -> Sought:
    """What an aim at parts of a kind is made of; an item stands for its pictures beside pictures, else its texts."""
    shares: dict[Source, float] = {}
    for term in aim.terms:
        if term.weight > 0:
            source = _source(term.content, kind)
            shares[source] = shares.get(source, 0.0) + term.weight
    total = sum(shares.values())
    weights = np.asarray([max(term.weight, 0.0) for term in aim.terms]) / total
    length = float(np.linalg.norm(weights @ aim.rows))  # (t,) @ (t, dim) -> (dim,)
    return Sought({source: weight / total for source, weight in shares.items()}, aim.wanted[0], max(length, 1e-6))


def _source(content: object, kind: Modality) -> Source:
    if isinstance(content, str):
        return "words"
    return "item" if isinstance(content, Like) and kind == "text" else "picture"


def best_of_items(pairs: Sequence[tuple[str, float]]) -> dict[str, float]:
    """item -> its highest score."""
    best: dict[str, float] = {}
    for item, score in pairs:
        best[item] = max(score, best.get(item, score))
    return best
