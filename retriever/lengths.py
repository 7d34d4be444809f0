"""Queries longer than an encoder reads at once: cut where sentences and clauses end, each piece with its share.

Knows an encoder by what it tells of its tokens; nothing of vectors, stores or languages.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise

from retriever.terms import Terms
from sightline.protocols import Encoder, Tokens
from sightline.types import Term

MOST_PIECES = 32  # of one text: as many vectors are made and weighed
ENDS = (  # of sentences, and of clauses
    re.compile(r"(?<=[.!?…])\s+|(?<=[。！？])|\n+"),
    re.compile(r"(?<=[,;:])\s+|(?<=[、，；：])|\s+[-–—]\s+"),
)


def reading(encoder: Encoder) -> Tokens | None:
    """What the encoder, or the one inside an adapter, tells of its tokens; None where it tells nothing."""
    plain = getattr(encoder, "plain", encoder)
    return plain if isinstance(plain, Tokens) else None


def fitted(terms: Terms, encoder: Encoder) -> tuple[Terms, tuple[str, ...]]:
    """The terms, each wanted text that is longer than the encoder reads as several, and a sentence that says so.

    The pieces share the text's weight by their tokens. Unwanted texts stay whole, for an item that says all of one goes
    behind all others; the encoder reads them in windows.
    """
    tokens = reading(encoder)
    if tokens is None or "text" not in encoder.space.modalities or (most := tokens.most_tokens) is None:
        return terms, ()
    texts = [term.content for term in (*terms.wanted, *terms.unwanted) if isinstance(term.content, str)]
    counts = {text: count for text in texts if (count := tokens.count_tokens(text)) > most}
    if not counts:
        return terms, ()
    wanted = tuple(piece for term in terms.wanted for piece in _pieces(term, most, tokens.count_tokens, counts))
    told = f"The query is longer than {encoder.space.name} reads at once ({max(counts.values())} tokens, it reads "
    return Terms(wanted, terms.unwanted), (f"{told}{most}), so it was searched in several pieces together.",)


def _pieces(term: Term, most: int, count: Callable[[str], int], counts: dict[str, int]) -> Iterator[Term]:
    if not isinstance(term.content, str) or term.content not in counts:
        yield term
        return
    pieces = [(piece, count(piece)) for piece in split(term.content, most=most, count=count)]
    whole = sum(tokens for _, tokens in pieces)
    for piece, tokens in pieces:
        yield replace(term, content=piece, weight=term.weight * tokens / whole)


def split(text: str, *, most: int, count: Callable[[str], int], at_most: int = MOST_PIECES) -> list[str]:
    """A text as its sentences; one of more than `most` tokens as its clauses, and such a clause cut between words.

    Sentences that would fit together are not joined: a vector each finds more than one vector of as many as fit
    (docs/queries.md). Only where there are more than `at_most` are neighbours joined that fit together, and where that
    is not enough all the rest is the last piece, which is longer. Only white space at the cuts is lost.
    """

    def fits(some: str) -> bool:
        return len(some) < 2 or count(some) <= most

    spans = [(start, end) for start, end in _fitting(text, (0, len(text)), 0, fits) if text[start:end].strip()]
    before = 0
    while len(spans) > at_most and len(spans) != before:
        before, spans = len(spans), _joined(text, spans, fits)
    if len(spans) > at_most:
        spans = [*spans[: at_most - 1], (spans[at_most - 1][0], spans[-1][1])]
    return [text[start:end].strip() for start, end in spans]


def _joined(text: str, spans: list[tuple[int, int]], fits: Callable[[str], bool]) -> list[tuple[int, int]]:
    """The spans, each joined with the next where both fit together and neither was joined just now."""
    made: list[tuple[int, int]] = []
    single = False  # whether the last one made is as it was
    for start, end in spans:
        single = not (single and fits(text[made[-1][0] : end].strip()))
        if single:
            made.append((start, end))
        else:
            made[-1] = (made[-1][0], end)
    return made


def _fitting(text: str, span: tuple[int, int], level: int, fits: Callable[[str], bool]) -> Iterator[tuple[int, int]]:
    """Spans of a span of the text, in order, each of which fits; none is joined with another."""
    start, end = span
    if level and fits(text[start:end]):
        yield span
        return
    if level < len(ENDS):
        cuts = [start, *(found.end() for found in ENDS[level].finditer(text, start, end)), end]
    else:  # between words, else anywhere
        middle = (start + end) // 2
        space = text.rfind(" ", start + 1, middle)
        cuts = [start, middle if space < 0 else space + 1, end]
    for piece in pairwise(cuts):
        if piece[1] > piece[0]:
            yield from _fitting(text, piece, min(level + 1, len(ENDS)), fits)
