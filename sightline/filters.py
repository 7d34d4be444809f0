"""Filters on fields: one small tree, read from the `--where` language or from Qdrant's JSON, checked and evaluated.

Does not know how a store runs it: a store translates the tree, and `matches` is the truth it is tested against.

Meaning: names and strings compare without regard to case (Unicode casefold); a number never equals a string;
a field with several values matches when any one does; an item without the field matches no comparison, not even `!=`.
`Not` is the plain complement.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

Value: TypeAlias = str | int | float | bool
Op: TypeAlias = Literal["=", "!=", "<", "<=", ">", ">="]


@dataclass(frozen=True, slots=True)
class Compare:
    """`field op value`. `!=` needs the field to be there and none of its values to be equal."""

    field: str
    op: Op
    value: Value


@dataclass(frozen=True, slots=True)
class Among:
    """`field in (values)`."""

    field: str
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Exists:
    """`exists field`: the item has at least one value there."""

    field: str


@dataclass(frozen=True, slots=True)
class HasId:
    """The item's id is one of these (case matters: an id is an id)."""

    ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class And:
    filters: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class Or:
    filters: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class Not:
    filter: Filter


Filter: TypeAlias = Compare | Among | Exists | HasId | And | Or | Not


def same(a: Any, b: Any) -> bool:
    """Equality as filters mean it: strings without case, numbers by value, booleans only with booleans."""
    if isinstance(a, bool) or isinstance(b, bool):
        return isinstance(a, bool) and isinstance(b, bool) and a == b
    if isinstance(a, str) and isinstance(b, str):
        return a.casefold() == b.casefold()
    if isinstance(a, int | float) and isinstance(b, int | float):
        return a == b
    return False
