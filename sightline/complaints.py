"""Pydantic's complaints about values from outside, in words of ours: "is a whole number, not 'many'".

Knows kinds of complaints; not which setting or key the value was given for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

SHOWN = 40  # characters of a wrong value that are shown

_WHOLE, _NUMBER, _TRUTH, _TEXT = "is a whole number", "is a number", "is true or false", "is a text"
_SAID = {
    "int_parsing": _WHOLE, "int_type": _WHOLE, "int_from_float": _WHOLE, "int_parsing_size": _WHOLE,
    "float_parsing": _NUMBER, "float_type": _NUMBER, "finite_number": "is a finite number",
    "bool_parsing": _TRUTH, "bool_type": _TRUTH, "string_type": _TEXT, "path_type": "is a path",
    "list_type": "is a list", "dict_type": "is an object", "model_type": "is an object",
    "model_attributes_type": "is an object", "literal_error": "is {expected}", "enum": "is {expected}",
    "union_tag_invalid": "has a {discriminator} that is one of {expected_tags}",
    "union_tag_not_found": "lacks its {discriminator}",
    "greater_than": "is greater than {gt:g}", "greater_than_equal": "is at least {ge:g}",
    "less_than": "is less than {lt:g}", "less_than_equal": "is at most {le:g}",
    "string_too_long": "has at most {max_length} characters",
    "string_too_short": "has at least {min_length} characters",
    "too_long": "holds at most {max_length}", "too_short": "holds at least {min_length}",
    "string_pattern_mismatch": "is written as {pattern} says",
    "missing": "is missing", "extra_forbidden": "is not known",
}  # fmt: skip
_BARE = frozenset({"missing", "extra_forbidden", "too_long", "too_short", "string_too_long", "union_tag_not_found"})


def complaint(error: Mapping[str, Any], *, secret: bool = False) -> str:
    """What is wrong, to go behind the name of what it is wrong with; `secret`: the value is not shown."""
    said = _SAID.get(error["type"])
    if said is None:
        return f"cannot be taken: {str(error['msg']).removeprefix('Value error, ')}"
    value = error.get("input")
    shown = secret or error["type"] in _BARE or not isinstance(value, str | int | float)
    written = repr(value)
    instead = "" if shown else f", not {written if len(written) <= SHOWN else written[:SHOWN] + '…'}"
    return said.format(**error.get("ctx", {})) + instead
