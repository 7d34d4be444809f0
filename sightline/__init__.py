"""Sightline finds things in pictures and words, and answers questions with evidence that can be opened.

`Sightline` itself loads on first use (PEP 562), so importing a stage or a noun never loads an engine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sightline.errors import SightlineError
from sightline.types import (
    AddReport,
    Answer,
    Citation,
    Hit,
    Item,
    Locator,
    Part,
    Query,
    Results,
    Term,
)

if TYPE_CHECKING:
    from sightline.engine import Sightline

__version__ = "0.1.0"
__all__ = [
    "AddReport",
    "Answer",
    "Citation",
    "Hit",
    "Item",
    "Locator",
    "Part",
    "Query",
    "Results",
    "Sightline",
    "SightlineError",
    "Term",
]


def __getattr__(name: str) -> Any:
    if name == "Sightline":
        from sightline.engine import Sightline

        return Sightline
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
