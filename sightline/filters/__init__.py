"""Filters on fields: one small tree, read from the `--where` language or from Qdrant's JSON, checked and evaluated.

Does not know how a store runs it: a store translates the tree, and `matches` is the truth it is tested against.
"""

from sightline.filters.language import parse, to_expression
from sightline.filters.qdrant_json import from_qdrant
from sightline.filters.tree import (
    Among,
    And,
    Compare,
    Exists,
    Filter,
    HasId,
    Not,
    Op,
    Or,
    Value,
    fault,
    matches,
    ordered,
    resolve,
    same,
    values_of,
)

__all__ = [
    "Among",
    "And",
    "Compare",
    "Exists",
    "Filter",
    "HasId",
    "Not",
    "Op",
    "Or",
    "Value",
    "fault",
    "from_qdrant",
    "matches",
    "ordered",
    "parse",
    "resolve",
    "same",
    "to_expression",
    "values_of",
]
