"""A filter in Qdrant's JSON, over the searchable form of fields that `points` describes.

Does not run it; `filters.matches` is the meaning it is tested against. Qdrant orders numbers only: which texts are
before or after another is asked of the engine, by `texts`, as the list of the field's distinct values. Its numbers are
64-bit floats: whole numbers beyond 2**53 are compared as such, where the `faiss` store tells them apart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from sightline.filters import Among, And, Compare, Exists, Filter, HasId, Not, Or, Value, ordered
from sightline.stores.aggregates import stored
from sightline.stores.qdrant.points import Json, field_key, kept_text

_RANGE = {"<": "lt", "<=": "lte", ">": "gt", ">=": "gte"}
NOTHING: Json = {"has_id": []}
EVERYTHING: Json = {"must_not": [NOTHING]}

Texts = Callable[[str], Iterable[str]]  # the distinct casefolded texts under a payload key


def where_json(filter: Filter | None, texts: Texts) -> Json:  # noqa: PLR0911 - one return a node
    """The condition that holds for exactly the items, and the parts of the items, that pass `filter`."""
    match filter:
        case None:
            return EVERYTHING
        case And(parts):
            return {"must": [where_json(part, texts) for part in parts]} if parts else EVERYTHING
        case Or(parts):
            return {"should": [where_json(part, texts) for part in parts]} if parts else NOTHING
        case Not(part):
            return {"must_not": [where_json(part, texts)]}
        case HasId(ids):
            return any_of("item", ids)
        case Exists(name):
            return any_of("names", [name])
        case Among(name, values):
            return {"should": [_equal(name, value) for value in values]} if values else NOTHING
        case Compare(name, "=", value):
            return _equal(name, value)
        case Compare(name, "!=", value):
            return {"must": [any_of("names", [name])], "must_not": [_equal(name, value)]}
        case Compare(name, op, value):
            return _in_order(name, op, value, texts)


def any_of(key: str, values: Iterable[str]) -> Json:
    """The payload has one of these texts under `key`."""
    return {"key": key, "match": {"any": list(values)}}


def _equal(name: str, value: Value) -> Json:
    kind, kept = stored(value)
    key = field_key(kind, name)
    if kind == "number":
        return {"key": key, "range": {"gte": float(kept), "lte": float(kept)}}
    return {"key": key, "match": {"value": kept_text(kept)}}


def _in_order(name: str, op: str, value: Value, texts: Texts) -> Json:
    kind, kept = stored(value)
    key = field_key(kind, name)
    if kind == "number":
        return {"key": key, "range": {_RANGE[op]: float(kept)}}
    return any_of(key, [text for text in texts(key) if ordered(text, op, value)]) if kind == "text" else NOTHING
