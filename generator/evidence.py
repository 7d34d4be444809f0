"""Turns hits into statements: the fields and sentences of an item, each with the words in it and the place to cite.

Does not know the question.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from generator.lexicon import COLOURS, EMPTY
from generator.sentences import Sentence, cells, sentences
from generator.words import Word, name_words, stem, stems, words
from sightline.types import FieldValue, Hit, Item, Locator, Part

_PROSE_CHARS = 80  # a longer value is read as sentences too
_FACT_CHARS = 240  # a longer one is no fact that could be stated whole
_IDENTITY_WORDS = 6  # a value of at most so many words says which item it is (brand, category, colour)
_FIRST_RUN = re.compile(r"[,(:;|/]|\s[-–—]\s|\b(?:for|with|in|by|of|from|and)\b", re.IGNORECASE)
_POINTS_BACK = re.compile(r"(?:\W*\w+){0,3}?\W*\b(?:it|they|them|its|their|those|these|this)\b", re.IGNORECASE)
_COLOUR = re.compile(COLOURS, re.IGNORECASE)
_CALLS_ITSELF = re.compile(
    r"an? (?P<noun>(?:[\w'’-]+ ){0,3}?[\w'’-]+)(?=[,.;:(]| (?:for|with|in|by|of|from|and|that|which|to|on)\b|$)",
    re.IGNORECASE,
)  # "A small tent for one."
_OFF = re.compile(r"\d\s?%\s+off\b|\bhalf price\b|\breduced price\b", re.IGNORECASE)
_CATALOG = re.compile(r"([^/\\]+)\.(?:jsonl|ndjson|json|csv|tsv|parquet)$", re.IGNORECASE)
_NO = frozenset({"false", "no", "nein", "non", "nej", "nee", "nei"})
_NAMING = frozenset(stem(word) for word in ("title", "name", "label", "headline", "caption", "heading"))


@dataclass(frozen=True)
class Statement:
    """One thing an item says: a field, or a sentence of a text. `quote` stands letter for letter in its part's text."""

    part: Part  # its locator narrowed to the field or the sentence
    quote: str
    name: str = ""  # of the field; "" for a sentence
    value: str = ""
    context: frozenset[str] = frozenset()  # stems of the heading it stands under
    before: frozenset[str] = frozenset()  # stems of the sentence before, if this one points back to it ("wax them")
    under: frozenset[str] = frozenset()  # stems of the name of the field whose text it is a sentence of
    naming: bool = False  # it is the item's own title
    header: str = ""  # the row of a table that names the columns, where this is one of its rows

    @property
    def is_fact(self) -> bool:
        return bool(self.name)

    @property
    def denies(self) -> bool:
        """A field that says no: `pet_safe: False`."""
        return self.is_fact and self.value.strip().casefold() in _NO

    @cached_property
    def words(self) -> tuple[Word, ...]:
        return words(self.value if self.is_fact else self.quote)

    @cached_property
    def name_stems(self) -> tuple[str, ...]:
        return tuple(stem(word) for word in name_words(self.name))

    @cached_property
    def stems(self) -> frozenset[str]:
        """Of the value and the field's name, or of the sentence."""
        off = {"discount"} if _OFF.search(self.quote) else frozenset[str]()
        return frozenset(word.stem for word in self.words) | frozenset(self.name_stems) | off

    @property
    def told(self) -> str:
        """The quote as a person reads it: each cell of a table's row with the name of its column."""
        if not self.header:
            return f"“{self.quote}”"
        pairs = zip(cells(self.header), cells(self.quote), strict=False)
        return ", ".join(f"{column} {cell}".strip() for column, cell in pairs if cell)


@dataclass(frozen=True)
class Source:
    """An item as evidence. `rank` is its place among the hits."""

    item: Item
    rank: int
    label: str  # what to call it; "" where only its id is known
    facts: tuple[Statement, ...]
    sentences: tuple[Statement, ...]
    title: Statement | None
    twin: bool = False  # another hit has the same title

    @property
    def called(self) -> str:
        """Its label, with its id where the label alone does not tell it from another; "" without a label."""
        return f"{self.label} ({self.item.id})" if self.label and self.twin else self.label

    @cached_property
    def filed(self) -> frozenset[str]:
        """The noun that its catalog's file is named after: everything in books.parquet is a book."""
        uris = [part.uri for part in self.item.parts if part.modality == "fields" and part.uri]
        named = [found for uri in uris if (found := _CATALOG.search(uri))]
        last = [words(found[1])[-1:] for found in named]
        return frozenset(w.stem for run in last for w in run if not w.is_number and w.stem not in EMPTY)

    @cached_property
    def title_stems(self) -> frozenset[str]:
        return stems(self.label or self.item.id)

    @cached_property
    def identity(self) -> frozenset[str]:
        """Stems of its title, its id and its short field values: the words by which one would ask for it."""
        short = (
            f.stems - frozenset(f.name_stems)
            for f in self.facts
            if len(f.words) <= _IDENTITY_WORDS and not _bare_number(f.value)
        )
        return self.title_stems.union(stems(self.item.id), self.filed, *short)

    @cached_property
    def said(self) -> frozenset[str]:
        """Stems of everything its texts say."""
        return frozenset[str]().union(*(s.stems | s.context for s in self.sentences))

    @cached_property
    def is_document(self) -> bool:
        """A text without fields and pictures: what it says may hold for other items."""
        return not any(not fact.naming for fact in self.facts) and all(p.modality != "image" for p in self.item.parts)

    @cached_property
    def kinds(self) -> frozenset[str]:
        """What it is: the noun its title comes down to, or its first sentence ("A small tent for one."), and the last
        word of each short field ("Boots", "Rain jackets").
        """
        short = [f for f in self.facts if not f.naming and f.words and len(f.words) <= _IDENTITY_WORDS]
        run = list(words(_FIRST_RUN.split(self.label, maxsplit=1)[0]))
        while len(run) > 1 and (len(run[-1].raw) < 3 or run[-1].is_number or _COLOUR.fullmatch(run[-1].raw)):
            run.pop()
        said = [found for s in self.sentences[:1] if (found := _CALLS_ITSELF.match(s.quote))]
        last = [
            *run[-1:],
            *(words(found["noun"])[-1] for found in said),
            *(w for fact in short for w in _last_words(fact.value)),
        ]
        return frozenset(word.stem for word in last)

    @cached_property
    def is_named_by(self) -> frozenset[str]:
        """The stems of its title that carry meaning."""
        return frozenset(s for s in self.title_stems if s not in EMPTY)

    @property
    def statements(self) -> tuple[Statement, ...]:
        return self.facts + self.sentences


def sources(hits: Sequence[Hit]) -> list[Source]:
    """The hits as evidence, in their order."""
    found = [source(hit.item, hit.rank) for hit in hits]
    labels = Counter(one.label.casefold() for one in found)
    return [replace(one, twin=True) if labels[one.label.casefold()] > 1 else one for one in found]


def source(item: Item, rank: int) -> Source:
    """One item as evidence."""
    written = next((part for part in item.parts if part.modality == "fields"), None)
    facts: list[Statement] = []
    prose: list[Statement] = []
    for name, value in item.fields.items():
        for statement in _of_field(name, value, written):
            (facts if statement.is_fact else prose).append(statement)
    heading = ""
    for part in item.parts:
        if part.modality == "text" and part.text and part.locator.field is None:
            pieces = sentences(part.text, heading)
            prose += [
                _of_passage(part, part.text, piece, last) for last, piece in zip([None, *pieces], pieces, strict=False)
            ]
            heading = pieces[-1].heading if pieces else heading
    title = _title(item, facts)
    kept = tuple(replace(fact, naming=True) if title and fact.name == title.name else fact for fact in facts)
    return Source(item, rank, _label(item, title), kept, _once(prose), title)


def _last_words(value: str) -> Iterator[Word]:
    """Of each of several values: "rain jackets, hats" -> jackets, hats."""
    return (words(piece)[-1] for piece in value.split(",") if words(piece))


def _bare_number(value: str) -> bool:
    return all(char.isdigit() or char in " .,+-€$£¥%" for char in value)


def _label(item: Item, title: Statement | None) -> str:
    named = item.fields.get("title")
    return str(named) if named else title.value if title else ""


def _title(item: Item, facts: Sequence[Statement]) -> Statement | None:
    """The statement that names the item: its `title` part, or the field that reads like a name."""
    for part in item.parts:
        if part.modality == "text" and part.locator.field is not None and part.text:
            return Statement(part, part.text, part.locator.field, part.text, naming=True)
    named = [fact for fact in facts if fact.name_stems and fact.name_stems[-1] in _NAMING]
    return replace(min(named, key=lambda fact: len(fact.name_stems)), naming=True) if named else None


def _of_field(name: str, value: FieldValue, written: Part | None) -> Iterator[Statement]:
    line = _line(name, value, written)
    if written is None or line is None:
        return
    part = replace(written, locator=Locator(field=name))
    stated = line[len(name) + 1 :].strip()
    cut = sentences(stated)
    if len(stated) > _PROSE_CHARS or len(cut) > 1:
        under = frozenset(stem(word) for word in name_words(name))
        yield from (Statement(part, piece.text, context=stems(piece.heading), under=under) for piece in cut)
    if stated and len(stated) <= _FACT_CHARS:
        yield Statement(part, line, name, stated)


def _line(name: str, value: FieldValue, written: Part | None) -> str | None:
    """`name: value` as it stands in the fields part; a text of several lines is taken whole."""
    text = (written.text or "") if written else ""
    start = 0 if text.startswith(f"{name}:") else text.find(f"\n{name}:") + 1
    if not text.startswith(f"{name}:", start):
        return None
    whole = f"{name}: {value}"
    if isinstance(value, str) and text.startswith(whole, start):
        return whole.rstrip()
    end = text.find("\n", start)
    return text[start : end if end >= 0 else len(text)].rstrip()


def _of_passage(part: Part, text: str, piece: Sentence, last: Sentence | None) -> Statement:
    offset = part.locator.chars[0] if part.locator.chars else 0
    locator = replace(part.locator, chars=(offset + piece.start, offset + piece.end))
    before = stems(last.text) if last and _POINTS_BACK.match(piece.text) else frozenset[str]()
    header = text[slice(*piece.header)] if piece.header else ""
    context = stems(f"{piece.heading} {header}")
    return Statement(replace(part, locator=locator), piece.text, context=context, before=before, header=header)


def _once(statements: Sequence[Statement]) -> tuple[Statement, ...]:
    """Passages may overlap: each stretch of the source counts once, the longest reading of it."""
    kept: dict[tuple[object, ...], Statement] = {}
    for statement in statements:
        chars = statement.part.locator.chars
        where = (statement.part.uri, chars[0]) if chars else (statement.part.id, 0)
        key = (*where, statement.quote[:12])
        if key not in kept or len(kept[key].quote) < len(statement.quote):
            kept[key] = statement
    return tuple(kept.values())
