"""Every kind of product the shop can hold, read from `kinds.toml`: materials, patterns, forms, place and words.
It knows nothing of pixels; the drawing of a kind is in `shapes`."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["KINDS", "Form", "Kind"]


@dataclass(frozen=True, slots=True)
class Form:
    """A variant of a kind: the word before its noun and the phrase after it."""

    key: str = ""
    before: str = ""
    after: str = ""


@dataclass(frozen=True, slots=True)
class Kind:
    """What can be said and varied about a kind. `trim` is the part in a second colour ("" if it has none).

    `setting` is where it is seen: stand, floor, outdoor, lay, wall or ceiling. `neutral` is the colour and material
    of the trim where no second colour is chosen; `period` the pattern's size; `price` a range in euros.
    """

    name: str
    category: str
    setting: str
    materials: tuple[str, ...]
    words: tuple[str, ...]
    price: tuple[int, int]
    openings: tuple[str, ...]
    facts: tuple[str, ...]
    care: tuple[str, ...] = ()
    colours: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()
    forms: tuple[Form, ...] = (Form(),)
    trim: str = ""
    neutral: tuple[str, str] = ("", "")
    shape: str = ""
    unit: str = ""
    flips: bool = True
    zoom: float = 1.0
    period: float = 0.28


def _kind(name: str, table: dict[str, Any]) -> Kind:
    values: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in table.items()}
    if "forms" in values:
        values["forms"] = tuple(Form(*form) for form in values["forms"])
    return Kind(name=name, **values)


def _read() -> dict[str, Kind]:
    with Path(__file__).with_name("kinds.toml").open("rb") as file:
        return {name: _kind(name, table) for name, table in tomllib.load(file).items()}


KINDS: dict[str, Kind] = _read()
