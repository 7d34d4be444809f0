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

ENDS = (  # of sentences, and of clauses
    re.compile(r"(?<=[.!?…])\s+|(?<=[。！？])|\n+"),  # noqa: RUF001
    re.compile(r"(?<=[,;:])\s+|(?<=[、，；：])|\s+[-–—]\s+"),  # noqa: RUF001
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


def split(text: str, *, most: int, count: Callable[[str], int]) -> list[str]:
    """A text as its sentences; one of more than `most` tokens as its clauses, and such a clause cut between words.

    Sentences that would fit together are not joined: a vector each finds more than one vector of as many as fit
    (docs/queries.md). Only white space at the cuts is lost.
    """
    return [piece for start, end in _fitting(text, 0, len(text), 0, most, count) if (piece := text[start:end].strip())]


def _fitting(
    text: str, start: int, end: int, level: int, most: int, count: Callable[[str], int]
) -> Iterator[tuple[int, int]]:
    """Spans of a part of the text, in order, each of at most `most` tokens or a single character."""
    if level and (end - start < 2 or count(text[start:end]) <= most):
        yield start, end
        return
    if level < len(ENDS):
        cuts = [start, *(found.end() for found in ENDS[level].finditer(text, start, end)), end]
    else:  # between words, else anywhere
        middle = (start + end) // 2
        space = text.rfind(" ", start + 1, middle)
        cuts = [start, middle if space < 0 else space + 1, end]
    for a, b in pairwise(cuts):
        if b > a:
            yield from _fitting(text, a, b, min(level + 1, len(ENDS)), most, count)
