"""A filter as a piece of SQL over the tables of `stores.sqlite`, values only ever as parameters.

Does not run it; `filters.matches` is the meaning it is tested against.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TypeAlias

from sightline.filters import Among, And, Compare, Exists, Filter, HasId, Not, Or, Value
from sightline.stores.aggregates import stored

Sql: TypeAlias = tuple[str, tuple[str | int | float, ...]]  # a condition on `items.id`, and its parameters


def where_sql(filter: Filter | None) -> Sql:  # noqa: PLR0911 - one return a node
    """The condition that holds for exactly the items that pass `filter`."""
    match filter:
        case None:
            return "1", ()
        case And(parts):
            return _joined("AND", [where_sql(part) for part in parts]) if parts else ("1", ())
        case Or(parts):
            return _joined("OR", [where_sql(part) for part in parts]) if parts else ("0", ())
        case Not(part):
            sql, values = where_sql(part)
            return f"NOT {sql}", values
        case HasId(ids):
            return "items.key IN (SELECT value FROM json_each(?))", (json.dumps(ids),)
        case Exists(name):
            return "items.id IN (SELECT item FROM fields WHERE name = ?)", (name,)
        case Among(name, wanted):
            return _joined("OR", [_compared(name, "=", one) for one in wanted]) if wanted else ("0", ())
        case Compare(name, "!=", wanted):
            there, (field,) = where_sql(Exists(name))
            equal, values = _compared(name, "=", wanted)
            return f"({there} AND NOT {equal})", (field, *values)
        case Compare(name, op, wanted):
            return _compared(name, op, wanted)


def _compared(name: str, op: str, value: Value) -> Sql:
    kind, kept = stored(value)
    if kind == "bool" and op != "=":
        return "0", ()
    return f"items.id IN (SELECT item FROM fields WHERE name = ? AND kind = ? AND value {op} ?)", (name, kind, kept)


def _joined(word: str, parts: Sequence[Sql]) -> Sql:
    """Halves of halves, since SQLite limits how deep an expression may be, not how wide."""
    if len(parts) == 1:
        return parts[0]
    (left, left_values), (right, right_values) = (
        _joined(word, half) for half in (parts[: len(parts) // 2], parts[len(parts) // 2 :])
    )
    return f"({left} {word} {right})", left_values + right_values
