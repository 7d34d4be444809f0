"""Where an item says a word: in its title, in a field, in a passage, and how it is written there.

Whether it says it is the store's word, which stems; the spelling is then looked for in what the part holds.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from retriever.words import ALL, SAID
from sightline.filters import HasId, values_of
from sightline.protocols import Store
from sightline.types import Item, Part

ALIKE = 3  # letters in common at the beginning, at least, for one written word to be a form of another


@dataclass(frozen=True, slots=True)
class Mention:
    """One part that says a word."""

    part_id: str
    place: Literal["title", "field", "passage"]
    field: str | None = None  # which one, where it is a field
    written: str | None = None  # how it is spelt there: "boots" for "boot"; None: in no one word

    def to_json(self) -> dict[str, Any]:
        return {"part": self.part_id, "in": self.place, "field": self.field, "written": self.written}


def mentions(store: Store, item: Item, word: str, instead: Iterable[str] = ()) -> tuple[Mention, ...]:
    """The parts of an item that say a word, or any piece of one with a hyphen, the best first; none where it does not.

    Where none does, those that say one of the words `instead`. A title is told once, though it stands among the fields
    too.
    """
    found = _mentions(store, item, word)
    others = (some for other in sorted(instead) if (some := _mentions(store, item, other)))
    return found or next(others, ())


def _mentions(store: Store, item: Item, word: str) -> tuple[Mention, ...]:
    found = store.search_text(word, ALL, where=HasId((item.id,)), modalities=SAID)
    parts = {part.id: part for part in item.parts}
    told = dict.fromkeys(_mention(item, parts[hit.part_id], word) for hit in found if hit.part_id in parts)
    titled = any(one.place == "title" for one in told)
    return tuple(one for one in told if not (titled and one.place == "field" and one.field == "title"))


def _mention(item: Item, part: Part, word: str) -> Mention:
    if part.modality == "fields":
        by_field = {
            name: _written(word, " ".join(str(value) for value in values_of(item.fields, name))) for name in item.fields
        }
        near = {name: written for name, written in by_field.items() if written}
        name = max(near, key=lambda one: (_common(word, near[one] or ""), one != "title"), default=None)
        return Mention(part.id, "field", name, near[name] if name else None)
    place: Literal["title", "passage"] = "title" if part.locator.field == "title" else "passage"
    return Mention(part.id, place, None, _written(word, part.text or ""))


def _written(word: str, text: str) -> str | None:
    """The word of a text that begins most like another; None where none is a form of it."""
    best = max(re.findall(r"\w+", text), key=lambda one: _common(word, one), default="")
    return best if _common(word, best) > 0 else None


def _common(word: str, written: str) -> float:
    """0-1: how much of two words is a common beginning, by the best piece of a word with a hyphen; 0: no forms of one.

    Letters alone: case and accents are put aside.
    """
    return max((_share(piece, _plain(written)) for piece in re.findall(r"\w+", _plain(word))), default=0.0)


def _share(one: str, other: str) -> float:
    same = next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    return same / max(len(one), len(other)) if same >= min(ALIKE, len(one)) and same else 0.0


def _plain(text: str) -> str:
    letters = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in letters if not unicodedata.combining(letter))
