"""Puts an answer together: units of text, each with its evidence, numbered in order of first use.

Does not know where a unit came from; a bracketed number that stands in quoted text is defused, so every `[n]` resolves.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from generator.concepts import BY_NAME
from generator.evidence import Source, Statement
from generator.words import name_words, stem
from sightline.types import Citation, Part

NOTHING = "Nothing in this collection answers that."
_BRACKETED = re.compile(r"\[(\s*\^?\d[\d\s,;–-]*)\]")
_CODES = frozenset({"eur", "usd", "gbp", "chf", "jpy", "sek", "nok", "dkk", "pln", "czk", "cad", "aud", "inr", "cny"})
_MEASURES = "kg g mg lb lbs oz l ml cl mm cm dm m km inch ft days months years lumens celsius"
_UNITS = {unit: unit for unit in _MEASURES.split()} | {"w": "W", "v": "V", "mah": "mAh"}  # as they are written


@dataclass(frozen=True, slots=True)
class Unit:
    """A checked sentence: `text` without markers, the evidence it rests on, and how it ends after the markers."""

    text: str
    evidence: tuple[tuple[Part, str | None], ...] = ()
    end: str = ""


@dataclass
class Composer:
    """Numbers the evidence of one answer."""

    citations: list[Citation] = field(default_factory=list)
    text: str = ""

    def add(self, unit: Unit) -> Iterator[str | Citation]:
        """The unit as it is appended to the text, then the citations that are new."""
        new: list[Citation] = []
        markers: list[int] = []
        for part, quote in unit.evidence:
            known = next(
                (
                    c
                    for c in self.citations
                    if c.part.id == part.id and c.part.locator == part.locator and c.quote == quote
                ),
                None,
            )
            if known is None:
                known = Citation(len(self.citations) + 1, part, quote)
                self.citations.append(known)
                new.append(known)
            if known.marker not in markers:
                markers.append(known.marker)
        shown = defused(unit.text) + "".join([" ", *(f"[{n}]" for n in markers)] if markers else []) + unit.end
        piece = f"{' ' if self.text else ''}{shown}"
        self.text += piece
        yield piece
        yield from new


def defused(text: str) -> str:
    """One line, in which no bracketed number can be taken for a marker."""
    return _BRACKETED.sub(r"(\1)", " ".join(text.split()))


def stated(source: Source, statement: Statement) -> Unit:
    """A fact as `Title: price 109.99 [1].`, a sentence as `Title: “…” [1]`, a title as `Title [1].`"""
    lead = f"{source.called}: " if source.label else ""
    evidence: tuple[tuple[Part, str | None], ...] = ((statement.part, statement.quote),)
    if statement.naming:
        return Unit(source.called or statement.value, evidence, ".")
    if statement.is_fact:
        known = source.item.fields.get(statement.name)
        told = readable(statement.name, ("no", "yes")[known] if isinstance(known, bool) else statement.value)
        coin = _currency_of(source, statement)
        if coin:
            told, evidence = f"{told} {coin.value}", (*evidence, (coin.part, coin.quote))
        return Unit(f"{lead}{told}", evidence, ".")
    return Unit(f"{lead}{statement.told}", evidence, "." if statement.header else "")


def _currency_of(source: Source, fact: Statement) -> Statement | None:
    """The field that says in which currency a bare price is."""
    bare = fact.value.replace(".", "").replace(",", "").isdigit()
    if not bare or not frozenset(fact.name_stems) & BY_NAME["money"].words or frozenset(fact.name_stems) & _CODES:
        return None
    return next((other for other in source.facts if other.value.casefold() in _CODES or other.value in "€$£¥₹"), None)


def named(source: Source) -> Unit | None:
    """The item by its title, or by the first thing it says where it has none."""
    statement = source.title or next(iter(source.statements), None)
    if statement is None:
        picture = next((part for part in source.item.parts if part.modality == "image"), None)
        return Unit(source.item.id, ((picture, None),), ".") if picture else None
    return stated(source, statement)


def readable(name: str, value: str) -> str:
    """`cost_eur`, `109.99` -> `cost 109.99 EUR`; the value is never changed."""
    spoken = name_words(name)
    last = stem(spoken[-1]) if len(spoken) > 1 else ""
    if last in _CODES or (spoken[-1:] and spoken[-1].casefold() in _UNITS and len(spoken) > 1):
        unit = last.upper() if last in _CODES else _UNITS[spoken[-1].casefold()]
        spoken = spoken[:-1]
        value = value if unit.casefold() in value.casefold() else f"{value} {unit}"
    shown = [word.casefold() if len(spoken) > 1 and not word.isupper() else word for word in spoken]
    return f"{' '.join(shown)} {value}".strip()


def abstention(nearest: Iterable[str]) -> str:
    """The refusal, and what was found nearest, if anything was close."""
    labels = [defused(label) for label in nearest]
    return f"{NOTHING} Nearest: {'; '.join(labels)}." if labels else NOTHING
