"""Cuts a text into sentences, each with its exact span, so that a quote is the source's own characters.

Knows a little Markdown (headings, lists, tables are not run together); does not know what a sentence says.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_ABBREVIATED = (
    "e.g i.e etc approx ca dr mr mrs ms prof st vs no nr fig vol inc ltd co dept est max min incl excl z.b bzw cf"
)
_ABBREVIATIONS = frozenset(_ABBREVIATED.split())
_END = re.compile(r"[.!?…]+[\"'”’)\]]*(?=\s)|[。！？]+")
_MARKER = re.compile(r"[ \t]*(?:(?:[-*+•>]|\d{1,3}[.)]|\|)[ \t]+|\|)*")
_HEADING = re.compile(r"[ \t]*#{1,6}[ \t]+")
_STARTS_BLOCK = re.compile(r"[ \t]*(?:#{1,6}[ \t]|[-*+•>][ \t]|\d{1,3}[.)][ \t]|\||```|---|===)")
_RULE = re.compile(r"[\s|:=\-*_`#]*")
_UNDERLINED = re.compile(r"[ \t]*\r?\n[ \t]*\|?[ \t]*:?-+:?[ \t]*\|")  # the rule below the header of a table
_SHORT_LINE = 60  # characters; a shorter line that is followed by a capital is a line of its own, not wrapped prose


@dataclass(frozen=True, slots=True)
class Sentence:
    """`text[start:end]` of what was cut; `heading` is the heading it stands under, "" without one."""

    text: str
    start: int
    end: int
    heading: str = ""
    header: tuple[int, int] | None = None  # of a table row: where the row that names its columns stands


def sentences(text: str, heading: str = "") -> list[Sentence]:
    """The sentences of a text in order, headings apart: they are carried by what follows them.

    `heading`: the one the text begins under.
    """
    found: list[Sentence] = []
    columns: tuple[int, int] | None = None
    for start, end in _blocks(text):
        if not _is_row(text, start, end):
            columns = None
        elif columns is None and _UNDERLINED.match(text, end):
            columns = next(iter(_trimmed(text, start, end)), None)
            continue
        mark = _HEADING.match(text, start, end)
        if mark:
            heading = text[mark.end() : end].strip().rstrip("#").strip()
            continue
        marker = _MARKER.match(text, start, end)
        begin = marker.end() if marker else start
        cut = [next(iter(_trimmed(text, begin, end)), (begin, begin))] if columns else _cut(text, begin, end)
        found += [Sentence(text[a:b], a, b, heading, columns) for a, b in cut if a < b]
    return found


def cells(row: str) -> list[str]:
    """The cells of a table row."""
    return [cell.strip() for cell in row.strip().strip("|").split("|")]


def _is_row(text: str, start: int, end: int) -> bool:
    return text[start:end].lstrip().startswith("|")


def _blocks(text: str) -> Iterator[tuple[int, int]]:
    """Spans of paragraphs, list points, table rows and headings."""
    open_at: int | None = None
    last_end = 0
    last_line = ""
    position = 0
    for line in text.splitlines(keepends=True):
        start, position = position, position + len(line)
        bare = line.strip()
        blank = not bare or _RULE.fullmatch(bare) is not None
        if open_at is not None and (blank or _breaks(last_line, line)):
            yield open_at, last_end
            open_at = None
        if not blank:
            open_at = start if open_at is None else open_at
            last_end, last_line = start + len(line.rstrip()), line
    if open_at is not None:
        yield open_at, last_end


def _breaks(line: str, following: str) -> bool:
    if _STARTS_BLOCK.match(following) or _HEADING.match(line) or line.lstrip().startswith("|"):
        return True
    first = following.lstrip()[:1]
    return len(line.rstrip()) < _SHORT_LINE and (first.isupper() or first.isdigit())


def _cut(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    for match in _END.finditer(text, start, end):
        if match.end() < end and not _ends_here(text, start, match):
            continue
        yield from _trimmed(text, start, match.end())
        start = match.end()
    yield from _trimmed(text, start, end)


def _ends_here(text: str, start: int, match: re.Match[str]) -> bool:
    if match.group().startswith(".") and abbreviated(text[start : match.start()]):
        return False
    return not text[match.end() :].lstrip()[:1].islower()


def abbreviated(before: str) -> bool:
    """Whether the full stop after this text belongs to its last word ("approx", "e.g", an initial, a list number)."""
    tail = before.rsplit(None, 1)
    last = tail[-1].lstrip("(\"'“") if tail else ""
    initial = len(last) == 1 and last.isupper()
    return last.casefold() in _ABBREVIATIONS or initial or (last.isdigit() and last == before.strip())


def _trimmed(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    while start < end and text[start].isspace():
        start += 1
    while end > start and (text[end - 1].isspace() or text[end - 1] == "|"):
        end -= 1
    if any(char.isalnum() for char in text[start:end]):
        yield start, end
