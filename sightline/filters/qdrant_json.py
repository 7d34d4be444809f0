"""Qdrant's JSON filters (`must`, `should`, `must_not`) to a filter of ours.

Does not know which fields exist, nor any Qdrant library.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from sightline.errors import InputError
from sightline.filters.tree import (
    MAX_CONDITIONS,
    MAX_DEPTH,
    Among,
    And,
    Compare,
    Exists,
    Filter,
    HasId,
    Not,
    Op,
    Or,
    fault,
)

_CLAUSES = ("must", "should", "must_not", "min_should")
_RANGE: dict[str, Op] = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}


def from_qdrant(data: Mapping[str, Any]) -> Filter:
    """Read `{"must": [{"key": "price", "range": {"lt": 50}}], …}`, clauses nested to any reasonable depth.

    `must_not` passes items without the field; `except` does not. Nulls are not stored, so `is_null` means `is_empty`.
    Raises InputError naming the place and what is accepted there.
    """
    return _Reader().condition(data, "filter", 0)


class _Reader:
    """One reading; counts conditions so that a huge filter is refused where it enters."""

    def __init__(self) -> None:
        self._count = 0

    def condition(self, data: Any, place: str, depth: int) -> Filter:
        """A condition, or a whole filter in its place."""
        self._count += 1
        if self._count > MAX_CONDITIONS:
            raise InputError(f"the filter has more than {MAX_CONDITIONS} conditions")
        if depth > MAX_DEPTH:
            raise InputError(f"the filter is nested more than {MAX_DEPTH} levels deep")
        if not isinstance(data, Mapping):
            _refuse(place, f"expected an object, found {data!r}")
        if "key" in data:
            return _field_condition(data, place)
        if len(data) == 1:
            name, value = next(iter(data.items()))
            if name == "has_id":
                return HasId(tuple(str(one) for one in _list(value, f"{place}.has_id")))
            if name in ("is_empty", "is_null"):
                return Not(Exists(_key(value, f"{place}.{name}")))
        return self._clauses(data, place, depth)

    def _clauses(self, data: Mapping[str, Any], place: str, depth: int) -> Filter:
        for name in data:
            if name not in _CLAUSES:
                _refuse(place, f"unknown key {name!r}; known are {', '.join(_CLAUSES)}, key, has_id, is_empty, is_null")
        parts: list[Filter] = list(self._many(data, "must", place, depth))
        if should := self._many(data, "should", place, depth):
            parts.append(Or(should))
        parts += [Not(part) for part in self._many(data, "must_not", place, depth)]
        if data.get("min_should") is not None:
            parts.append(self._at_least(data["min_should"], f"{place}.min_should", depth))
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def _many(self, data: Mapping[str, Any], name: str, place: str, depth: int) -> tuple[Filter, ...]:
        given = data.get(name)
        if given is None:
            return ()
        if isinstance(given, Mapping):
            return (self.condition(given, f"{place}.{name}", depth + 1),)
        listed = _list(given, f"{place}.{name}")
        return tuple(self.condition(one, f"{place}.{name}[{i}]", depth + 1) for i, one in enumerate(listed))

    def _at_least(self, data: Any, place: str, depth: int) -> Filter:
        if not isinstance(data, Mapping) or set(data) != {"conditions", "min_count"}:
            _refuse(place, "expected an object with conditions and min_count")
        count = data["min_count"]
        if not isinstance(count, int) or isinstance(count, bool):
            _refuse(f"{place}.min_count", f"expected a whole number, found {count!r}")
        parts = self._many(data, "conditions", place, depth)
        if count <= 0:
            return And(())
        if math.comb(len(parts), count) * count > MAX_CONDITIONS:
            _refuse(place, f"{count} of {len(parts)} conditions are too many combinations")
        return Or(tuple(And(some) for some in itertools.combinations(parts, count)))


def _field_condition(data: Mapping[str, Any], place: str) -> Filter:
    field = data["key"]
    if not isinstance(field, str) or not field:
        _refuse(f"{place}.key", f"expected a field's name, found {field!r}")
    field = field.removesuffix("[]")
    found: list[Filter] = []
    for name, value in data.items():
        if name == "key" or value is None:
            continue
        if name not in _CONDITIONS:
            _refuse(place, f"unknown condition {name!r} on {field!r}; known are {', '.join(_CONDITIONS)}")
        found.append(_CONDITIONS[name](field, value, f"{place}.{name}"))
    if not found:
        _refuse(place, f"{field!r} needs one of {', '.join(_CONDITIONS)}")
    return found[0] if len(found) == 1 else And(tuple(found))


def _match(field: str, data: Any, place: str) -> Filter:
    if not isinstance(data, Mapping) or len(data) != 1:
        _refuse(place, "expected an object with one of value, any, except")
    name, value = next(iter(data.items()))
    if name not in ("value", "any", "except"):
        hint = " (to find words inside a text, search for them)" if name in ("text", "text_any", "phrase") else ""
        _refuse(place, f"unknown key {name!r}; known are value, any, except{hint}")
    if name == "value":
        return Compare(field, "=", _scalar(value, f"{place}.value"))
    among = Among(field, _scalars(value, f"{place}.{name}"))
    return among if name == "any" else And((Exists(field), Not(among)))


def _range(field: str, data: Any, place: str) -> Filter:
    if not isinstance(data, Mapping) or not data:
        _refuse(place, "expected an object with some of gt, gte, lt, lte")
    found: list[Filter] = []
    for name, value in data.items():
        if name not in _RANGE:
            _refuse(place, f"unknown key {name!r}; known are {', '.join(_RANGE)}")
        if value is not None:
            found.append(Compare(field, _RANGE[name], _scalar(value, f"{place}.{name}")))
    return found[0] if len(found) == 1 else And(tuple(found))


def _absent(field: str, data: Any, place: str) -> Filter:
    if not isinstance(data, bool):
        _refuse(place, f"expected true or false, found {data!r}")
    return Not(Exists(field)) if data else Exists(field)


_CONDITIONS: dict[str, Callable[[str, Any, str], Filter]] = {
    "match": _match,
    "range": _range,
    "is_empty": _absent,
    "is_null": _absent,
}


def _key(data: Any, place: str) -> str:
    if not isinstance(data, Mapping) or set(data) != {"key"} or not isinstance(data["key"], str):
        _refuse(place, 'expected an object such as {"key": "price"}')
    return str(data["key"]).removesuffix("[]")


def _list(data: Any, place: str) -> list[Any]:
    if not isinstance(data, list | tuple):
        _refuse(place, f"expected a list, found {data!r}")
    return list(data)


def _scalars(data: Any, place: str) -> tuple[str | int | float | bool, ...]:
    return tuple(_scalar(one, f"{place}[{i}]") for i, one in enumerate(_list(data, place)))


def _scalar(data: Any, place: str) -> str | int | float | bool:
    if not isinstance(data, str | int | float):
        _refuse(place, f"expected a text, a number, true or false, found {data!r}")
    if reason := fault(data):
        _refuse(place, f"expected a text, a number, true or false, found {reason}")
    return data


def _refuse(place: str, what: str) -> NoReturn:
    raise InputError(f"cannot read {place}: {what}")
