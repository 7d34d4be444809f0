"""Checks a sentence of a chat model against the evidence: its markers resolve, its numbers and words stand there.

What fails is dropped with a warning; never raises on any text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from generator.compose import Unit
from generator.concepts import CONCEPTS
from generator.evidence import Statement
from generator.lexicon import EMPTY, alike
from generator.packing import Block
from generator.question import Wanted, read
from generator.words import digits_of, fold, nearest, numbers, words
from sightline.types import Part

_MARKER = re.compile(
    r"[\[【]\s*((?:(?:evidence|source|item)?\s*\^?#?\d{1,4}[\s,;]*)+)(?:†[^\]】]*)?[\]】]", re.IGNORECASE
)
_STRAY = re.compile(r"\[[^\]\n]{0,12}\]|【[^】\n]{0,24}】|\[\^?\d*$")
_CURRENCY = re.compile(
    r"(?P<before>US\$|[€$£¥₹])\s?(?=\d)|(?<=\d)\s?(?P<after>[€£¥₹]|EUR|USD|GBP|CHF|euros?|dollars?|pounds)(?!\w)",
    re.IGNORECASE,
)
_SAME_CURRENCY = {
    "us$": "$",
    "usd": "$",
    "dollar": "$",
    "dollars": "$",
    "eur": "€",
    "euro": "€",
    "euros": "€",
    "gbp": "£",
    "pounds": "£",
}
_TIES, _BORNE_OUT, _SEEN = (
    0.6,
    0.4,
    0.15,
)  # share of a sentence's words that must stand in: an untold source, a told one, one with a picture
_DENIAL = re.compile(r"\b(?:no|not|none|nothing|neither|never|cannot|without|only)\b|n't\b", re.IGNORECASE)
_CONCEPT_WORDS = frozenset[str]().union(*(concept.words | concept.units for concept in CONCEPTS))
_QUOTED = 3  # statements cited for one marker


@dataclass(frozen=True, slots=True)
class Checked:
    """A sentence that may be emitted, or None, and what was mended or why it was dropped."""

    unit: Unit | None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Asked:
    """The question as far as a check needs it: its content words, and those that name what it is about."""

    content: frozenset[str]
    subject: tuple[Wanted, ...]

    @classmethod
    def of(cls, question: str) -> Asked:
        found = [word for clause in read(question) for word in clause.words]
        return cls(_content(question), tuple(word for word in found if word.head or word.proper or word.noun))


def check(sentence: str, asked: Asked, blocks: Sequence[Block]) -> Checked:
    """The sentence with evidence in place of its markers, if the evidence bears it out."""
    by_number = {block.number: block for block in blocks}
    claimed = [int(n) for found in _MARKER.findall(sentence) for n in re.findall(r"\d+", found)]
    body = _bare(sentence)
    if not any(char.isalnum() for char in body):
        return Checked(None)
    warnings = [
        f"Removed the marker [{n}], which names no evidence." for n in dict.fromkeys(claimed) if n not in by_number
    ]
    cited = [by_number[n] for n in dict.fromkeys(claimed) if n in by_number]
    if not cited:
        cited = _tied(body, blocks)
        if not cited:
            return Checked(None, (*warnings, f"Dropped a sentence that no evidence supports: {_short(body)}"))
    body, mended = _currency(body, cited)
    if mended is None:
        return Checked(
            None, (*warnings, f"Dropped a sentence with a currency its evidence does not state: {_short(body)}")
        )
    warnings += mended
    strange = _strange_numbers(body, cited)
    if strange:
        return Checked(
            None,
            (*warnings, f"Dropped a sentence with {', '.join(sorted(strange))}, not in its evidence: {_short(body)}"),
        )
    borne = [block for block in cited if _borne_out(body, asked, block) and _about(body, asked, block)]
    if not borne or _strange_numbers(body, borne):
        return Checked(None, (*warnings, f"Dropped a sentence that its evidence does not bear out: {_short(body)}"))
    evidence = tuple(dict.fromkeys(place for block in borne for place in _places(body, block)))
    text = body.rstrip(".!?… ")
    return Checked(Unit(text, evidence, body[len(text) :].strip()[:1]), tuple(warnings))


def _bare(sentence: str) -> str:
    """The sentence without markers, list signs and emphasis."""
    text = _STRAY.sub("", _MARKER.sub("", sentence)).replace("**", "").replace("__", "")
    text = re.sub(r"^\s*(?:[-*•#>]+|\d{1,2}[.)])\s+", "", text)
    return re.sub(r"\s+([.,;:!?])", r"\1", " ".join(text.split()))


def _short(text: str) -> str:
    return text if len(text) <= 80 else f"{text[:79]}…"


def _content(text: str) -> frozenset[str]:
    return frozenset(
        w.stem for w in words(text) if not w.is_number and w.stem not in EMPTY and fold(w.raw) not in EMPTY
    )


def _share(body: str, block: Block) -> float:
    content = _content(body)
    return sum(bool(alike(word) & block.stems) for word in content) / len(content) if content else 0.0


def _tied(body: str, blocks: Sequence[Block]) -> list[Block]:
    """The block that a sentence without a marker rests on: most of its words and all its numbers stand there."""
    fits = [
        (share, block.number, block)
        for block in blocks
        if (share := _share(body, block)) >= _TIES and not _strange_numbers(body, [block])
    ]
    return [max(fits, key=lambda entry: entry[:2])[2]] if fits else []


def _strange_numbers(body: str, cited: Sequence[Block]) -> frozenset[str]:
    """Numbers of the sentence that none of the evidence states; "one" is a pronoun as often as a number."""
    seen = any(block.picture is not None for block in cited)
    said = digits_of(body) if seen else (numbers(body) - ({"1"} - digits_of(body))) | digits_of(body)
    return said - frozenset[str]().union(*(block.numbers for block in cited))


def _currency(body: str, cited: Sequence[Block]) -> tuple[str, list[str] | None]:
    """An invented currency is taken off where the evidence states none; None where it states another."""
    told = {_coin(found) for block in cited for found in _CURRENCY.finditer(block.text)}
    told |= {_SAME_CURRENCY.get(name, name) for block in cited for s in block.shown for name in s.name_stems}
    strange = {_coin(found) for found in _CURRENCY.finditer(body)} - told
    if not strange:
        return body, []
    if told & {"$", "€", "£", "¥", "₹", "chf"}:
        return body, None
    return _CURRENCY.sub("", body), ["Took off a currency that the evidence does not state."]


def _coin(found: re.Match[str]) -> str:
    name = (found.group("before") or found.group("after")).casefold()
    return _SAME_CURRENCY.get(name, name)


def _borne_out(body: str, asked: Asked, block: Block) -> bool:
    content = _content(body)
    if not content - asked.content:  # "Yes, it is [1]."
        known = sum(bool(alike(word) & block.stems) for word in asked.content)
        needed = len(asked.content) * (0.5 if block.picture is not None else 1.0)
        return bool(content & block.stems) or bool(digits_of(body) & block.numbers) or 0 < needed <= known
    return _share(body, block) >= (_SEEN if block.picture is not None else _BORNE_OUT)


def _about(body: str, asked: Asked, block: Block) -> bool:
    """A claim about what was asked about needs evidence about it: a snowboard's price is not the canoe's."""
    figures = bool(digits_of(body))
    if _DENIAL.search(body) or (block.picture is not None and not figures):
        return True
    content = _content(body)
    named = [word for word in asked.subject if alike(word.stem) & content and word.stem not in _CONCEPT_WORDS]
    if not content & block.source.title_stems and figures:
        named = list(asked.subject)  # "It costs 399": "it" is what was asked about
    return all(alike(word.stem) & block.stems or nearest(fold(word.raw), _raw(block)) for word in named)


def _raw(block: Block) -> frozenset[str]:
    return frozenset(fold(word.raw) for word in words(block.text))


def _places(body: str, block: Block) -> list[tuple[Part, str | None]]:
    """The statements of the block that the sentence rests on; its picture where the words do not suffice."""
    content, left = _content(body), numbers(body) & block.numbers
    chosen: list[Statement] = []
    rest = {word for word in content if alike(word) & block.stems}
    telling = {word for word in rest if not alike(word) & block.source.title_stems}
    rest = telling if telling or left else rest
    while len(chosen) < _QUOTED and (rest or left):
        best = max(block.shown, key=lambda s: _gain(s, rest, left), default=None)
        if best is None or best in chosen or not _worthwhile(best, rest, left):
            break
        chosen.append(best)
        rest = {word for word in rest if not alike(word) & best.stems}
        left -= numbers(best.quote)
    places: list[tuple[Part, str | None]] = [(statement.part, statement.quote) for statement in chosen]
    if block.picture_part is not None and (not places or (content and _share(body, block) < _BORNE_OUT)):
        places.append((block.picture_part, None))
    return places or [(statement.part, statement.quote) for statement in block.shown[:1]]


def _gain(statement: Statement, rest: set[str], left: frozenset[str]) -> float:
    found = sum(bool(alike(word) & statement.stems) for word in rest)
    return found + 3 * len(numbers(statement.quote) & left) - 0.01 * len(statement.words) - 0.5 * statement.naming


def _worthwhile(statement: Statement, rest: set[str], left: frozenset[str]) -> bool:
    """Whether it states a number or a word that no other statement did."""
    found = sum(bool(alike(word) & statement.stems) for word in rest)
    return bool(numbers(statement.quote) & left) or found >= 1
