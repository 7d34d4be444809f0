"""Reads the measures in a question: bounds ("under 100"), superlatives ("cheapest"), comparatives ("lighter than").

Does not know what is measured; works on folded text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from generator.concepts import BY_NAME, CONCEPTS, Concept
from generator.words import parse_number, words

_NUMBER = r"(?P<{0}>(?:€|\$|£|¥)?\s?\d+(?:[.,]\d+)*)"
_UNIT = r"\s?(?P<unit>[a-z€$£%]+)?"
_BELOW = (
    r"(?:less than|fewer than|cheaper than|lower than|lighter than|smaller than|shorter than"
    r"|under|below|at most|up to|no more than|maximum of|max|within)"
)
_ABOVE = (
    r"(?:more than|greater than|higher than|heavier than|larger than|longer than|dearer than"
    r"|over|above|at least|minimum of|min|starting at)"
)
_AROUND = r"(?: a budget of| of| the price of)?\s"
_BOUND = re.compile(
    rf"\bbetween {_NUMBER.format('low')}{_UNIT} and {_NUMBER.format('high')}(?P<unit2>\s?[a-z€$£%]+)?"
    rf"|\b(?P<below>{_BELOW}){_AROUND}{_NUMBER.format('most')}(?P<unit3>\s?[a-z€$£%]+)?"
    rf"|\b(?P<above>{_ABOVE}){_AROUND}{_NUMBER.format('least')}(?P<unit4>\s?[a-z€$£%]+)?"
)
_EXTREMES: tuple[tuple[str, str, Literal["min", "max"]], ...] = (
    (
        r"cheapest|least expensive|lowest[- ]priced?|most affordable|costs? (?:the )?least|least costly"
        r"|lowest (?:cost|price)",
        "money",
        "min",
    ),
    (
        r"most expensive|priciest|costs? (?:the )?most|dearest|costliest|highest[- ]priced?|most costly|highest price",
        "money",
        "max",
    ),
    (r"lightest|least heavy|lowest weight", "weight", "min"),
    (r"heaviest|highest weight", "weight", "max"),
    (r"longest", "length", "max"),
    (r"shortest", "length", "min"),
    (r"tallest", "height", "max"),
    (r"widest", "width", "max"),
    (r"biggest|largest|roomiest|highest capacity|largest capacity", "capacity", "max"),
    (r"smallest|lowest capacity", "capacity", "min"),
)
_COMPARATIVES: tuple[tuple[str, str], ...] = (
    (r"cheaper|more expensive|less expensive|costs? (?:more|less)|pricier|dearer|better value", "money"),
    (r"lighter|heavier|weighs? (?:more|less)", "weight"),
    (r"longer", "length"),
    (r"taller|higher", "height"),
    (r"bigger|larger|smaller|roomier|holds? more", "capacity"),
)
WHICH_OF = re.compile(r"^(?:which|what)(?: (?:one|\w+))? (?:is|are)?[^,:]*?[,:]")


@dataclass(frozen=True, slots=True)
class Bound:
    """`least <= value <= most` of a concept (strict where the asker said so)."""

    concept: Concept
    least: float | None = None
    most: float | None = None
    strict: bool = False

    def holds(self, value: float) -> bool:
        if self.strict:
            return (self.least is None or value > self.least) and (self.most is None or value < self.most)
        return (self.least is None or value >= self.least) and (self.most is None or value <= self.most)


def read_bound(plain: str) -> Bound | None:
    """The bound a question sets; of money, unless a unit or a word says otherwise."""
    match = _BOUND.search(plain)
    if match is None:
        return None
    got = match.groupdict()
    unit = next((got[key].strip() for key in ("unit", "unit2", "unit3", "unit4") if got.get(key)), "")
    by_unit = next((concept for concept in CONCEPTS if unit and unit in concept.units), None)
    concept = by_unit or next(
        (c for c in CONCEPTS if c.name in ("weight", "capacity", "length", "height") and c.asks and names(c, plain)),
        BY_NAME["money"],
    )
    low, high = (parse_number(got[a] or got[b] or "") for a, b in (("low", "least"), ("high", "most")))
    word = got["below"] or got["above"] or ""
    strict = (word.endswith("than") and "no more" not in word) or word in ("under", "below", "over", "above")
    return Bound(concept, low, high, strict)


def names(concept: Concept, plain: str) -> bool:
    return any(word.stem in concept.words for word in words(plain))


def extreme_span(plain: str) -> re.Match[str] | None:
    """Where the superlative stands."""
    return re.search(r"\b(?:" + "|".join(pattern for pattern, _, _ in _EXTREMES) + r")\b", plain)


def read_extreme(plain: str) -> tuple[Concept, Literal["min", "max"]] | None:
    """The concept that is to be smallest or largest."""
    for pattern, name, way in _EXTREMES:
        if re.search(rf"\b(?:{pattern})\b", plain):
            return BY_NAME[name], way
    return None


def read_compared(plain: str) -> tuple[Concept, tuple[int, int]] | None:
    """The concept by which things are compared, and where the question says so."""
    for pattern, name in _COMPARATIVES:
        match = re.search(rf"\b(?:{pattern})\b", plain)
        if match and re.search(r"\b(?:or|than|and|versus|vs)\b|^(?:which|what)\b", plain):
            return BY_NAME[name], match.span()
    return None


def bound_span(plain: str) -> re.Match[str] | None:
    """Where the bound stands."""
    return _BOUND.search(plain)
