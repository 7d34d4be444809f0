"""How the hits of a search are shown, as a caller asks for it, and what is counted beside them.

Knows names and numbers only; `retriever.paging` and `retriever.facets` do what is asked here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sightline.errors import InputError
from sightline.filters import Value


@dataclass(frozen=True, slots=True, kw_only=True)
class Show:
    """The order of the hits, what is folded or held back, which page of them, and which fields are counted.

    Without any of it a search costs nothing more. Raises InputError for what contradicts itself.
    """

    sort: str = ""  # a field, "-" before it for falling: orders the relevant hits, those without the field last
    fold: bool = False  # near-duplicates of a hit go under it, as `Hit.folded`
    diversity: float = 0.0  # 0-1: how much unlikeness to the hits before counts against relevance (MMR)
    diversify: str = ""  # a field: hits beyond `at_most` of one value are pushed back behind the page
    at_most: int = 2
    facets: Sequence[str] = ()  # fields whose values are counted over all items that pass the filter
    offset: int = 0  # hits to skip; of a collection that changes meanwhile, `cursor` repeats and loses nothing
    cursor: str = ""  # `Results.cursor` of the page before

    def __post_init__(self) -> None:
        named = (self.facets,) if isinstance(self.facets, str) else tuple(self.facets)
        object.__setattr__(self, "facets", named)
        if not 0 <= self.diversity <= 1:
            raise InputError(f"diversity is from 0 to 1, not {self.diversity:g}")
        if self.at_most < 1:
            raise InputError(f"at_most is at least 1, not {self.at_most}")
        if self.offset < 0:
            raise InputError(f"offset is at least 0, not {self.offset}")
        if self.offset and self.cursor:
            raise InputError("give an offset or a cursor, not both: a cursor knows where it goes on")
        orders = [name for name in ("sort", "diversity", "diversify") if getattr(self, name)]
        if len(orders) > 1:
            raise InputError(f"{' and '.join(orders)} each decide the order of hits: choose one")

    @property
    def rearranges(self) -> bool:
        """Whether hits are shown otherwise than as they are ranked."""
        return bool(self.sort or self.fold or self.diversity or self.diversify)


@dataclass(frozen=True, slots=True)
class Range:
    """Numbers from `start` up to but not including `end`; None: no border."""

    start: float | None
    end: float | None
    count: int

    def to_json(self) -> dict[str, Any]:
        return {"from": self.start, "to": self.end, "count": self.count}


@dataclass(frozen=True, slots=True)
class Facet:
    """How the items that pass a filter spread over one field: all of them, whether a search shows them or not."""

    field: str
    values: tuple[tuple[Value, int], ...] = ()  # (value, how many items have it), most items first
    more: int = 0  # values there are beyond these
    ranges: tuple[Range, ...] = ()  # instead of values, for numbers of which there are many

    def to_json(self) -> dict[str, Any]:
        values = [{"value": value, "count": count} for value, count in self.values]
        return {
            "field": self.field,
            "values": values,
            "more": self.more,
            "ranges": [one.to_json() for one in self.ranges],
        }
