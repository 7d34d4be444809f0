"""Filters on fields as one small tree, checked against the fields there are, and evaluated.

Does not know how a filter was written or how a store runs it: `matches` is the truth a store is tested against.

Meaning: strings compare without regard to case (Unicode casefold), numbers by value, and a number never equals a
string; `<` orders numbers with numbers and casefolded strings with strings, so ISO dates sort right. A field with
several values matches when any one does. An item without the field matches no comparison, not even `!=`.
`Not` is the plain complement. Field names are exact once `resolve` has mapped them to the stored ones.
"""

from __future__ import annotations

import difflib
import math
import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias

from sightline.errors import InputError

Value: TypeAlias = str | int | float | bool
Op: TypeAlias = Literal["=", "!=", "<", "<=", ">", ">="]

MAX_CONDITIONS = 1000  # a filter with more is refused where it enters: no store could run it in reasonable time
MAX_DEPTH = 50  # brackets inside brackets

_ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


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
    """All of them; none given: everything."""

    filters: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """Any of them; none given: nothing."""

    filters: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """Exactly the items that `filter` does not match."""

    filter: Filter


Filter: TypeAlias = Compare | Among | Exists | HasId | And | Or | Not


class Known(Protocol):
    """What is known of a field, such as `types.FieldSummary`: its name, and how many of its values are numbers."""

    @property
    def name(self) -> str: ...

    @property
    def numbers(self) -> Literal["all", "some", "none"]: ...


def fault(value: Value) -> str:
    """What keeps a value from being stored and compared; empty for one that is fine."""
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            return "characters that are not valid Unicode"
        return ""
    try:
        return "" if math.isfinite(value) else "a number that is not finite"
    except OverflowError:
        return "a number that is too large"


def same(a: Any, b: Any) -> bool:
    """Equality as filters mean it: strings without case, numbers by value, booleans only with booleans."""
    if isinstance(a, bool) or isinstance(b, bool):
        return isinstance(a, bool) and isinstance(b, bool) and a == b
    if isinstance(a, str) and isinstance(b, str):
        return a.casefold() == b.casefold()
    if isinstance(a, int | float) and isinstance(b, int | float):
        return a == b
    return False


def ordered(a: Any, op: str, b: Any) -> bool:
    """`a op b` for one of `< <= > >=`: numbers with numbers, casefolded strings with strings, booleans never."""
    if isinstance(a, bool) or isinstance(b, bool):
        return False
    if isinstance(a, str) and isinstance(b, str):
        return _ORDER[op](a.casefold(), b.casefold())
    if isinstance(a, int | float) and isinstance(b, int | float):
        return _ORDER[op](a, b)
    return False


def values_of(fields: Mapping[str, Any], name: str) -> tuple[Value, ...]:
    """The values of one field, always as a tuple; empty when the item does not have it."""
    value = fields.get(name, ())
    return tuple(value) if isinstance(value, tuple | list) else (value,)


def matches(filter: Filter, item_id: str, fields: Mapping[str, Any]) -> bool:  # noqa: PLR0911 - one return a node
    """Whether an item with this id and these fields passes the filter."""
    match filter:
        case And(parts):
            return all(matches(part, item_id, fields) for part in parts)
        case Or(parts):
            return any(matches(part, item_id, fields) for part in parts)
        case Not(part):
            return not matches(part, item_id, fields)
        case HasId(ids):
            return item_id in ids
        case Exists(name):
            return bool(values_of(fields, name))
        case Among(name, wanted):
            return any(same(value, one) for value in values_of(fields, name) for one in wanted)
        case Compare(name, "=", wanted):
            return any(same(value, wanted) for value in values_of(fields, name))
        case Compare(name, "!=", wanted):
            values = values_of(fields, name)
            return bool(values) and not any(same(value, wanted) for value in values)
        case Compare(name, op, wanted):
            return any(ordered(value, op, wanted) for value in values_of(fields, name))


def resolve(filter: Filter, known: Iterable[Known]) -> Filter:
    """The same filter with every field name as stored; names differing only in case are mapped.

    Raises InputError for a field that no item has, naming the nearest, for one that fits two stored names, and for a
    comparison that nothing can pass because it sets numbers against a field of texts, or texts against numbers.
    """
    return _resolved(filter, {field.name: field.numbers for field in known})


def _resolved(filter: Filter, known: Mapping[str, str]) -> Filter:  # noqa: PLR0911 - one return a node
    match filter:
        case And(parts):
            return And(tuple(_resolved(part, known) for part in parts))
        case Or(parts):
            return Or(tuple(_resolved(part, known) for part in parts))
        case Not(part):
            return Not(_resolved(part, known))
        case Compare(name, op, value):
            stored = _stored_name(name, sorted(known))
            if op != "!=":
                _refuse_other_kind(stored, known[stored], op, (value,))
            return Compare(stored, op, value)
        case Among(name, values):
            stored = _stored_name(name, sorted(known))
            _refuse_other_kind(stored, known[stored], "in", values)
            return Among(stored, values)
        case Exists(name):
            return Exists(_stored_name(name, sorted(known)))
        case HasId():
            return filter


def _refuse_other_kind(name: str, numbers: str, op: str, values: tuple[Value, ...]) -> None:
    """Raise InputError where a field has texts only and all values are numbers, or the other way round."""
    given = {"number" if isinstance(v, int | float) else "text" for v in values if not isinstance(v, bool)}
    if len(given) != 1 or numbers == "some" or any(isinstance(v, bool) for v in values):
        return
    kind, shown = given.pop(), ", ".join(f"{v:g}" if isinstance(v, int | float) else repr(v) for v in values[:3])
    if kind == "number" and numbers == "none":
        mend = 'index it as numbers, as 89.99 and not "$89.99"'
        if op in ("=", "in"):
            quoted = '("…")' if op == "in" else '"…"'
            mend += f", or write the text in quotes: {name} {op} {quoted}"
        raise InputError(f"the field {name!r} holds texts here, and no text is {op} the number {shown}: {mend}")
    if kind == "text" and numbers == "all":
        raise InputError(f"the field {name!r} holds numbers here, and no number is {op} the text {shown}")


def _stored_name(name: str, names: list[str]) -> str:
    if name in names:
        return name
    folded = {stored: stored.casefold() for stored in names}
    found = [stored for stored in names if folded[stored] == name.casefold()]
    if len(found) == 1:
        return found[0]
    if found:
        raise InputError(f"the field {name!r} could be {' or '.join(map(repr, found))}: write one of them exactly")
    if not names:
        raise InputError(f"no item has a field {name!r}: the items here have no fields at all")
    near = difflib.get_close_matches(name.casefold(), folded.values(), n=1, cutoff=0.5)
    if near:
        meant = next(stored for stored in names if folded[stored] == near[0])
        raise InputError(f"no item has a field {name!r}. Did you mean {meant!r}?")
    listed = ", ".join(names[:20]) + (", …" if len(names) > 20 else "")
    raise InputError(f"no item has a field {name!r}. The fields are: {listed}")
