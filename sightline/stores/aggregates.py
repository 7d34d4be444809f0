"""Counting, minimum, maximum and mean over items' fields: the checks, the order of rows, and plain evaluation.

Does not know where the items are kept. An item's equal values count once; a text group goes by its least spelling.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from statistics import fmean
from typing import Literal, TypeAlias

from sightline.errors import InputError
from sightline.filters import Value, values_of
from sightline.types import Aggregate, FieldValue, Scalar, Table

Key: TypeAlias = tuple[str, str | int | float]

_REDUCE: dict[str, Callable[[Sequence[float]], float]] = {
    "min": min,
    "max": max,
    "mean": fmean,
}


def stored(value: Value) -> Key:
    """(kind, value) as stores keep and compare it: texts casefolded, booleans as 0 and 1, numbers in 64 bits."""
    if isinstance(value, bool):
        return "bool", int(value)
    if isinstance(value, str):
        return "text", value.casefold()
    return "number", value if isinstance(value, float) or -(2**63) <= value < 2**63 else float(value)


def distinct(fields: Mapping[str, FieldValue], name: str) -> dict[Key, Value]:
    """One field's values without repetition: stored form -> as written first."""
    found: dict[Key, Value] = {}
    for value in values_of(fields, name):
        found.setdefault(stored(value), value)
    return found


def check_plan(plan: Aggregate) -> None:
    """Raise InputError where `min`, `max` or `mean` lacks the field it is of."""
    if plan.field is None and plan.op != "count":
        raise InputError(f"{plan.op} needs the field it is of")


def ranked(rows: Iterable[tuple[Scalar | None, float]]) -> Table:
    """Rows in the order every store returns: largest value first, then by group."""
    return Table(tuple(sorted(rows, key=lambda row: (-row[1], str(row[0])))))


def numbers(kinds: Collection[str]) -> Literal["all", "some", "none"]:
    """What of a field's values are numbers, by the kinds of values it has."""
    if "number" not in kinds:
        return "none"
    return "all" if len(set(kinds)) == 1 else "some"


def evaluate(plan: Aggregate, items: Iterable[Mapping[str, FieldValue]]) -> Table:
    """The table of a plan over the fields of the items that passed its filter."""
    check_plan(plan)
    measured: dict[Key | None, list[float]] = {}
    labels: dict[Key | None, Value] = {}
    for fields in items:
        values = [1.0] if plan.op == "count" else []
        if plan.field is not None:
            there = distinct(fields, plan.field)
            values = values[: len(there)] or [float(value) for kind, value in there if kind == "number"]
        for key, written in distinct(fields, plan.by).items() if plan.by is not None else [(None, None)]:
            measured.setdefault(key, []).extend(values)
            if written is not None:
                labels[key] = min(written, str(labels.get(key, written))) if isinstance(written, str) else written
    if plan.op == "count":
        rows = {key: float(len(values)) for key, values in measured.items()}
        if plan.by is None:
            rows.setdefault(None, 0.0)
    else:
        rows = {key: _REDUCE[plan.op](values) for key, values in measured.items() if values}
    return ranked((labels.get(key), value) for key, value in rows.items())
