"""Keeps the rows a filter lets through, before anything is indexed.

Knows the filter language and rows; nothing of what they are for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from sightline import filters
from sightline.errors import InputError
from sightline.types import FieldSummary, FieldValue

Thing = TypeVar("Thing")


def chosen(things: Sequence[tuple[Thing, str, Mapping[str, Any]]], where: str) -> list[Thing]:
    """The things whose (id, fields) pass `where`; "": all. Raises InputError for an unknown field, or if none does."""
    if not where:
        return [thing for thing, _, _ in things]
    plain = [(thing, key, _plain(fields)) for thing, key, fields in things]
    names = {name for _, _, fields in plain for name in fields}
    known = [FieldSummary(name, 1, "some") for name in sorted(names)]
    asked = filters.resolve(filters.parse(where), known)
    kept = [thing for thing, key, fields in plain if filters.matches(asked, key, fields)]
    if things and not kept:
        raise InputError(f"nothing passes --where {where!r}")
    return kept


def _plain(fields: Mapping[str, Any]) -> dict[str, FieldValue]:
    """The fields a filter can look at; lists as tuples."""
    listed = {name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()}
    return {
        name: value
        for name, value in listed.items()
        if isinstance(value, str | int | float) or (isinstance(value, tuple) and all(map(_scalar, value)))
    }


def _scalar(value: object) -> bool:
    return isinstance(value, str | int | float)
