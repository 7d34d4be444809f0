"""Facets: how the items that pass a filter spread over the values of a field, counted by the store.

Knows a store by its protocol; knows nothing of queries, hits or ranks, for none of them is counted.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from sightline.filters import And, Compare, Exists, Filter, resolve
from sightline.protocols import Store
from sightline.showing import Facet, Range
from sightline.types import Aggregate

VALUES = 20  # a facet lists at most
NUMBERS = 12  # different numbers beyond which ranges are told instead
RANGES = 5


def facets(store: Store, names: Sequence[str], where: Filter | None) -> tuple[Facet, ...]:
    """One facet a field, over all items that pass `where`, or all there are.

    Counted are items, exactly, and whether or not a search finds them: to a vector every item is somewhat like every
    query, so that "the items that match" is the filter's to say. An item with several values counts at each of them.
    A condition of `where` on the very field counts like any other. Raises InputError for a field that no item has.
    """
    fields = store.fields()
    numeric = {one.name for one in fields if one.numeric}
    found = []
    for name in names:
        resolved = resolve(Exists(name), fields)
        assert isinstance(resolved, Exists)
        field = resolved.field
        rows = store.aggregate(Aggregate("count", by=field), where=where).rows
        counts = [(value, int(count)) for value, count in rows if value is not None]
        if field in numeric and len(counts) > NUMBERS:
            numbers = [(float(value), count) for value, count in counts if not isinstance(value, str)]
            found.append(Facet(field, ranges=_ranges(store, field, numbers, where)))
        else:
            found.append(Facet(field, tuple(counts[:VALUES]), max(0, len(counts) - VALUES)))
    return tuple(found)


def _ranges(store: Store, field: str, numbers: Sequence[tuple[float, int]], where: Filter | None) -> tuple[Range, ...]:
    """Ranges of about as many items each, between round numbers, each counted as a filter for it would count."""
    borders: list[float | None] = [None, *_borders(numbers), None]
    ranges = []
    for start, end in pairwise(borders):
        above = () if start is None else (Compare(field, ">=", start),)
        below = () if end is None else (Compare(field, "<", end),)
        inside = And((*above, *below, *(() if where is None else (where,))))
        ranges.append(Range(start, end, int(store.aggregate(Aggregate("count"), where=inside).rows[0][1])))
    return tuple(one for one in ranges if one.count)


def _borders(numbers: Sequence[tuple[float, int]]) -> list[float]:
    """Rising round numbers that cut (number, count) into about `RANGES` equal shares."""
    ordered = sorted(numbers)
    total = sum(count for _, count in ordered)
    passed, shares = 0, 1
    borders: list[float] = []
    for number, count in ordered:
        passed += count
        if shares < RANGES and passed * RANGES >= total * shares:
            borders.append(number)
            shares = passed * RANGES // total + 1
    rounded = dict.fromkeys(_rounded(border, spread=ordered[-1][0] - ordered[0][0]) for border in borders)
    return sorted(border for border in rounded if ordered[0][0] < border <= ordered[-1][0])


def _rounded(number: float, *, spread: float) -> float:
    """To a multiple of 1, 2 or 5 times a power of ten that is at most a fifth of the number, and of the spread."""
    most = min(abs(number), spread) / 5
    if not most:
        return number
    power = 10.0 ** math.floor(math.log10(most))
    step = next(one * power for one in (5, 2, 1) if one * power <= most * (1 + 1e-9))
    return round(round(number / step) * step, 12)
