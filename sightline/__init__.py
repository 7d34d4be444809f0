"""Sightline finds things in pictures and words, and answers questions with evidence that can be opened.

Every name loads on first use (PEP 562): importing a stage never loads an engine, and a decoder's process no arrays.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sightline.algebra import image, like, text
    from sightline.conversing import Conversation, Turn
    from sightline.engine import Sightline
    from sightline.errors import SightlineError
    from sightline.showing import Show
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

__version__ = "0.1.0"
__all__ = [
    "AddReport",
    "Answer",
    "Citation",
    "Conversation",
    "Hit",
    "Item",
    "Locator",
    "Part",
    "Query",
    "Results",
    "Show",
    "Sightline",
    "SightlineError",
    "Term",
    "Turn",
    "image",
    "like",
    "text",
]


_HOMES = {
    "Conversation": "sightline.conversing",
    "Show": "sightline.showing",
    "Sightline": "sightline.engine",
    "SightlineError": "sightline.errors",
    "Turn": "sightline.conversing",
} | dict.fromkeys(("image", "like", "text"), "sightline.algebra")


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(_HOMES.get(name, "sightline.types")), name)
    globals()[name] = found
    return found
