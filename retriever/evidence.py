"""What a collection holds of what is sought: likenesses and words, item by item, and at best.

Knows a store by its protocol. What it amounts to is `calibration`'s to say.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from retriever.synonyms import others, stem
from retriever.terms import Aim, Source
from retriever.words import ALL, Said, content_words
from sightline.filters import And, Filter, HasId
from sightline.protocols import Store
from sightline.types import Modality, Space, Vectors

Value: TypeAlias = tuple[str, frozenset[str]]  # the name of a field, and the stems of its words
Fields: TypeAlias = Callable[[Sequence[str]], Mapping[str, Mapping[str, Any]]]

NAMED: frozenset[Modality] = frozenset({"fields"})  # the part that holds an item's title and fields
ALL_OF_IT = 0.999
SHOWN = 4  # items that say a word: enough to see in which field it stands
MOST_IN_A_VALUE, LONGEST_VALUE = 3, 60  # words, characters
# Words of values that exclude no other.
_OPEN = """
adult adults all any assorted both combined different diverse either every everyone everything free generic misc
miscellaneous mixed mixture multi multicolor multicolored multicolour multicoloured multiple multipurpose n/a na none
null one other others picture see several standard tbd unisex universal unknown unspecified various
"""
OPEN = frozenset(_OPEN.split())
NEAR = 0.9  # of the best share, that is as good
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
    denied: Mapping[str, float] = field(default_factory=dict)  # the same of words that its fields say otherwise
    values: frozenset[Value] = frozenset()  # of fields of items here, that the query names
    sought: Mapping[Modality, Sought] = field(default_factory=dict)  # by kind of part; none: words alone were asked

    @property
    def cover(self) -> float:
        return max((self.covers or {}).values(), default=0.0)

    @property
    def named(self) -> float:
        return max(self.names.values(), default=0.0)

    @property
    def contradicted(self) -> float:
        """0-1: how much of the words is said otherwise by all the items that say most of them."""
        covers, cover = self.covers or {}, self.cover
        return min((self.denied.get(item, 0.0) for item, share in covers.items() if share >= NEAR * cover), default=0.0)

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


def of_words(
    store: Store, said: Said, *, where: Filter | None, hidden: Collection[str] = (), fields: Fields | None = None
) -> Evidence:
    """What the words of a query are worth, without cosines. `said` is of the same filter.

    `fields` tells the fields of items by id; without it the store is asked.
    """
    covers = {item: share for item, share in said.covers().items() if item not in hidden}
    first = sorted(covers, key=lambda item: (-covers[item], item))[:LOOKED_AT]
    if not first:
        return Evidence(covers=covers, known=said.known)
    chosen = HasId(tuple(sorted(first)))
    narrowed = chosen if where is None else And((where, chosen))
    named = [
        {hit.item_id for hit in store.search_text(" ".join((word, *other)), ALL, where=narrowed, modalities=NAMED)}
        if items
        else set()
        for word, other, items in zip(said.words, others(said.words), said.by_word, strict=True)
    ]
    lacking = {item: [item not in items for items in said.by_word] for item in first if covers[item] < ALL_OF_IT}
    values: frozenset[Value] = frozenset()
    denied: dict[str, float] = {}
    if len(said.words) > 1 and lacking:  # of one word alone nothing is found that does not say it
        shown = [item for items in said.by_word for item in sorted(items)[:SHOWN]]  # whose field it may be a value of
        told = (fields or _fields_of(store))([*lacking, *shown])
        plain = frozenset(map(stem, said.words))
        values = frozenset(value for own in told.values() for value in _values(own) if value[1] <= plain)
        denied = {item: _denied(said, lacks, told.get(item, {}), values) for item, lacks in lacking.items()}
    return Evidence(covers=covers, names=said.covers(named), known=said.known, denied=denied, values=values)


def _fields_of(store: Store) -> Fields:
    return lambda ids: {item.id: item.fields for item in store.get(list(dict.fromkeys(ids)))}


def _denied(said: Said, lacks: Sequence[bool], fields: Mapping[str, Any], values: Collection[Value]) -> float:
    """0-1: how much of a query an item does not say, where a field has another value instead.

    Who asks for a red mug is not answered by one of the colour blue.
    """
    own = dict(_values(fields))
    named: frozenset[str] = frozenset().union(*(words for name, words in values if own.get(name, words) != words))
    return said.share([lack and stem(word) in named for lack, word in zip(lacks, said.words, strict=True)])


def otherwise(fields: Mapping[str, Any], values: Collection[Value], word: str) -> dict[str, str]:
    """The fields that have another value than one of `values` that a word is of, and which they have.

    Fields of one short value count: no lists, no titles, nothing that leaves open what it is, as "unknown" and "all".
    """
    own = dict(_values(fields))
    named = {name for name, words in values if stem(word) in words and own.get(name, words) != words}
    return {name: str(fields[name]) for name in sorted(named)}


def _values(fields: Mapping[str, Any]) -> Iterator[Value]:
    """The fields of one value of a few words that excludes others, but for titles, and the stems of these words."""
    for name, value in fields.items():
        short = name != "title" and isinstance(value, str) and len(value) <= LONGEST_VALUE
        if short and (words := _excluding(value)):
            yield name, words


@lru_cache(maxsize=10_000)
def _excluding(value: str) -> frozenset[str]:
    """The stems of a value's words; none where they are many, or leave open what it is."""
    if not 0 < len(value.split()) <= MOST_IN_A_VALUE:
        return frozenset()
    words = re.findall(r"\w+(?:['’-]\w+)*", value.casefold())
    told = any(any(map(str.isalpha, word)) for word in words) and OPEN.isdisjoint([*words, value.casefold()])
    return frozenset(map(stem, content_words(value))) if told else frozenset()


def sought(aim: Aim) -> Sought:
    """What an aim is made of."""
    shares: dict[Source, float] = {}
    for term, source in zip(aim.terms, aim.sources, strict=True):
        if term.weight > 0:
            shares[source] = shares.get(source, 0.0) + term.weight
    total = sum(shares.values())
    weights = np.asarray([max(term.weight, 0.0) for term in aim.terms]) / total
    length = float(np.linalg.norm(weights @ aim.rows))  # (t,) @ (t, dim) -> (dim,)
    return Sought({source: weight / total for source, weight in shares.items()}, aim.wanted[0], max(length, 1e-6))


def best_of_items(pairs: Sequence[tuple[str, float]]) -> dict[str, float]:
    """item -> its highest score."""
    best: dict[str, float] = {}
    for item, score in pairs:
        best[item] = max(score, best.get(item, score))
    return best
