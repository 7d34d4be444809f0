"""Splits a text into passages that can be found and cited, each an exact span of it.

Does not know files, fields or models: text in, spans out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

ENOUGH = 60  # words: a passage of this many ends with its paragraph
MOST = 120  # words: a paragraph longer than this is cut between sentences
LONGEST = 240  # words: a sentence longer than this is cut between words

# None of these may take longer than in proportion to the text, whatever it is: a file of a stranger is cut, too.
# One CJK sign counts as a word: those scripts put no spaces between them.
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[^\W\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+")
_SENTENCE_END = re.compile(r"(?<![.!?…])[.!?…]+[\"'”’)\]]*\s+(?=[^\s\da-zß-öø-ÿ])|[。！？]+[」』）]*\s*")
_PARAGRAPH_END = re.compile(r"\n[ \t\r]*\n\s*")
_HEADING = re.compile(r"^ {0,3}#{1,6}[ \t]+(\S.*)$|^(?=\S)(.+)\n(?:=+|-{3,})[ \t\r]*$", re.MULTILINE)
_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,}).*?(?:^ {0,3}\1|\Z)", re.MULTILINE | re.DOTALL)
_FRONT_MATTER = re.compile(r"\A---[ \t\r]*\n(?:.*?\n)?---[ \t\r]*(?:\n|\Z)", re.DOTALL)
_FRONT_TITLE = re.compile(r"^title:(.*\S.*)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Passage:
    """`text[start:end]` of the text it was cut from."""

    start: int
    end: int
    text: str


def split(text: str, *, markdown: bool = False) -> list[Passage]:
    """Passages in reading order, none overlapping, together every word of the text (but for Markdown's front matter).

    About 60 to 120 words each, whole paragraphs or at least whole sentences where they are not longer than that. In
    Markdown a heading starts a passage and stays with what follows it.
    """
    passages: list[Passage] = []
    for start, end in _sections(text, markdown):
        passages.extend(_passages(text, start, end))
    return passages


def title(text: str) -> str:
    """The title in the front matter of a Markdown text, else its first heading; empty when it has neither."""
    front = _FRONT_MATTER.match(text)
    if front and (named := _FRONT_TITLE.search(front.group())):
        return _unquoted(named.group(1).strip())
    found = next(_headings(text), None)
    if found is None:
        return ""
    if found.group(1) is None:
        return found.group(2).strip()
    line = found.group(1).strip()
    return line.rstrip("#").rstrip() or line


def _unquoted(value: str) -> str:
    opened = value[1:] if value[0] in "'\"" and len(value) > 1 else value
    return (opened[:-1] if opened[-1] in "'\"" and len(opened) > 1 else opened).strip()


def _headings(text: str) -> Iterator[re.Match[str]]:
    """Headings outside front matter and fenced code."""
    begin = _body(text)
    fences = _FENCE.finditer(text, begin)
    fence = next(fences, None)
    for found in _HEADING.finditer(text, begin):
        while fence is not None and fence.end() <= found.start():
            fence = next(fences, None)
        if fence is None or found.start() < fence.start():
            yield found


def _body(text: str) -> int:
    """Where a Markdown text begins behind its front matter."""
    front = _FRONT_MATTER.match(text)
    return front.end() if front else 0


def _sections(text: str, markdown: bool) -> Iterator[tuple[int, int]]:
    """Spans from one heading to the next; a heading with nothing below it goes with the next one."""
    begin = since = _body(text) if markdown else 0  # since: the end of the last heading, if all before it are headings
    for found in _headings(text) if markdown else ():
        start, end = found.span()
        if text[since:start].strip():
            yield begin, start
            begin = start
        since = end
    yield begin, len(text)


def _passages(text: str, start: int, end: int) -> Iterator[Passage]:
    """Pack the pieces of one section until there is enough."""
    open_at, words = start, 0
    for piece_start, piece_end, ends_paragraph in _pieces(text, start, end):
        size = _count(text, piece_start, piece_end)
        if words and words + size > MOST:
            yield from _trimmed(text, open_at, piece_start)
            open_at, words = piece_start, 0
        words += size
        if ends_paragraph and words >= ENOUGH:
            yield from _trimmed(text, open_at, piece_end)
            open_at, words = piece_end, 0
    yield from _trimmed(text, open_at, end)


def _pieces(text: str, start: int, end: int) -> Iterator[tuple[int, int, bool]]:
    """Paragraphs, the sentences of long ones, the words of endless ones: (start, end, whether a paragraph ends)."""
    for first, last in _cut(_PARAGRAPH_END, text, start, end):
        if _count(text, first, last) <= MOST:
            yield first, last, True
            continue
        for from_, to in _cut(_SENTENCE_END, text, first, last):
            if _count(text, from_, to) <= LONGEST:
                yield from_, to, to == last
                continue
            words = [found.start() for found in _WORD.finditer(text, from_, to)]
            edges = [from_, *words[MOST::MOST], to]
            for a, b in pairwise(edges):
                yield a, b, b == last


def _cut(pattern: re.Pattern[str], text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    for found in pattern.finditer(text, start, end):
        if start < found.end() < end:
            yield start, found.end()
            start = found.end()
    yield start, end


def _count(text: str, start: int, end: int) -> int:
    return sum(1 for _ in _WORD.finditer(text, start, end))


def _trimmed(text: str, start: int, end: int) -> Iterator[Passage]:
    """The passage without the white space around it; none when it has no word."""
    whole = text[start:end]
    inner = whole.strip()
    if _WORD.search(inner):
        at = start + whole.index(inner[0])
        yield Passage(at, at + len(inner), inner)
