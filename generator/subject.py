"""Finds which items a question is about: every word that names the subject must be accounted for, or nothing is found.

Does not know what is asked of them; a statement that answers is handed in.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from generator.evidence import Source, Statement
from generator.lexicon import alike
from generator.question import Question, Wanted
from generator.words import Word, fold, name_words, nearest, stem, words

Group = tuple[Wanted, ...]
_UNIVERSAL = re.compile(
    r"\b(?:all|any|every|each) (?:\w+ ){0,2}?(?:items?|products?|orders?|purchases?|articles?|goods"
    r"|things?|pieces?)\b"
    r"|\b(?:everything|anything)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Finding:
    """A statement that answers, and how surely it is about what was asked."""

    source: Source
    statement: Statement
    strength: float  # how plainly it states what is asked (support.py)
    direct: int  # words of the subject that the title or the statement itself carries
    titled: int  # ... that the title carries
    strict: bool  # no word was found in the item's other sentences only
    bridged: bool = False  # a general document, applied to an item that the question names


def mend(question: Question, sources: Sequence[Source]) -> Question:
    """The question with small slips in names put right, where no item has the word as it was written."""
    own = {s for source in sources for s in source.identity}
    known = own | {s for source in sources for s in source.said}
    known |= {s for source in sources for fact in source.facts for s in fact.stems}
    names = {fold(word.raw) for source in sources for word in _naming_words(source)}
    fields = {fold(word) for source in sources for fact in source.facts for word in name_words(fact.name)}

    def joined(group: Group) -> Group:
        """Two words that the items write as one: "back pack"."""
        for place, (one, two) in enumerate(pairwise(group)):
            both = fold(one.raw + two.raw)
            if {both, f"{both}s", both.removesuffix("s")} & names and not (
                alike(one.stem) & own and alike(two.stem) & own
            ):
                return joined((*group[:place], replace(two, stem=stem(both), raw=both), *group[place + 2 :]))
        return group

    def mended(word: Wanted) -> Wanted:
        if alike(word.stem) & known or word.raw[0].isdigit():
            return word
        close = nearest(fold(word.raw), names) or _slip(fold(word.raw), fields)
        return replace(word, stem=stem(close)) if close else word

    def asked(word: str) -> str:
        close = None if alike(word) & known else _slip(word, fields)
        return stem(close) if close else word

    groups = tuple(tuple(mended(word) for word in joined(group)) for group in question.subjects)
    asks = tuple(replace(ask, words=frozenset(map(asked, ask.words))) for ask in question.asks)
    return replace(question, asks=asks, subjects=groups, words=tuple(word for group in groups for word in group))


def _slip(word: str, names: set[str]) -> str | None:
    """The field's name that a word is a slip of; one that ends otherwise is another word (publisher, published)."""
    close = nearest(word, names)
    if close is None or sorted(close) == sorted(word):
        return close
    begun = min(len(close), len(word)) - 2
    return close if close[:begun] != word[:begun] else None


def _naming_words(source: Source) -> Iterator[Word]:
    yield from words(source.label)
    for fact in source.facts:
        if len(fact.words) <= 3:
            yield from fact.words


def carried(group: Group, stems_: frozenset[str]) -> int:
    """How many words of the group are among the stems."""
    return sum(bool(alike(word.stem) & stems_) for word in group)


def missing(group: Group, source: Source, statement: Statement | None, *, lenient: bool) -> Group:
    """The words that neither the item's identity nor the statement accounts for.

    `lenient`: a word that only describes ("waterproof" boots) may stand in the item's other sentences.
    """
    own = source.identity
    if statement is not None:
        own |= statement.stems | statement.context | (statement.before if source.is_document else frozenset())
    loose = source.said if lenient and not source.is_document else frozenset()
    return tuple(
        word
        for word in group
        if not alike(word.stem) & own and (word.head or word.proper or not alike(word.stem) & loose)
    )


def about(
    group: Group, source: Source, statement: Statement, strength: float, everywhere: Sequence[Source], *, lenient: bool,
    broad: bool = False,
) -> Finding | None:  # fmt: skip
    """The finding if the statement is about the group, else None. `broad`: advice on a part of the subject will do."""
    left = missing(group, source, statement, lenient=lenient)
    bridged = bool(left)
    if bridged and not (
        source.is_document and _applies(group, left, statement, everywhere, asked=lenient, broad=broad)
    ):
        return None
    own = source.title_stems | statement.stems | statement.context
    direct = carried(group, own)
    if group and not direct and not bridged and not carried(group, source.identity):
        return None
    strict = bridged or not missing(group, source, statement, lenient=False)
    return Finding(source, statement, strength, direct, carried(group, source.title_stems), strict, bridged)


def _applies(
    group: Group, left: Group, statement: Statement, everywhere: Sequence[Source], *, asked: bool, broad: bool
) -> bool:
    """Whether what a general document says holds for the item that the missing words name.

    `asked`: the statement is known to state what is asked; otherwise it must say more than the item's name.
    """
    for item in everywhere:
        if item.is_document or carried(left, item.identity) < len(left):
            continue
        kin = [
            w
            for w in group
            if w not in left and alike(w.stem) & item.title_stems & (statement.stems | statement.context)
        ]
        told = any(alike(w.stem) & statement.stems and not alike(w.stem) & item.title_stems for w in group)
        if (asked or told) and (_UNIVERSAL.search(statement.quote) or any(broad or word.noun for word in kin)):
            return True
    return False


def choose(findings: Sequence[Finding], group: Group) -> list[Finding]:
    """The findings about what was most surely meant: of a family, the member that is named in full."""
    if not findings:
        return []
    rank = max((not f.bridged, f.strict, f.direct) for f in findings)
    best = [f for f in findings if (not f.bridged, f.strict, f.direct) == rank]
    titled = max(f.titled for f in best)
    best = [f for f in best if f.titled == titled]
    stems_ = frozenset[str]().union(*(alike(word.stem) for word in group))
    whole = [f for f in best if f.source.is_named_by and f.source.is_named_by <= stems_]
    return whole or best
