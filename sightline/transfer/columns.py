"""Columns of an export's tables, and what a single cell of each may hold, whoever wrote it.

Knows neither files nor what a table means.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, Literal, TypeAlias

from sightline.filters import fault

Format: TypeAlias = Literal["parquet", "jsonl"]
Kind: TypeAlias = Literal["text", "int", "time", "bool", "json", "bytes", "numbers", "vector"]
Row: TypeAlias = Mapping[str, Any]

FORMATS: tuple[Format, ...] = ("parquet", "jsonl")
MOST_NAME = 65_536  # characters of an id, a path, a URL: what a server takes as one
MOST_TEXT = 32_000_000  # characters of a text: as many as a cell of a catalog may have
LAST_SECOND = 253_402_300_799  # of the year 9999, after which Python has no dates
INTEGERS = range(-(2**63), 2**63)  # what SQLite, Parquet and Qdrant keep exactly


@dataclass(frozen=True, slots=True)
class Column:
    """A column: texts, whole numbers, times (seconds, epoch), booleans, bytes, lists of numbers, JSON, or vectors.

    `dim`: float32s of a vector, numbers that a list has at most. `most`: characters of a text.
    """

    name: str
    kind: Kind = "text"
    required: bool = True
    dim: int = 0
    most: int = MOST_NAME


class Cells:
    """What the cells of a table's rows must be beyond their type, and about what they take."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self._required = [one.name for one in columns if one.required]
        self._texts = [one for one in columns if one.kind == "text"]
        self._text_of = itemgetter(*(one.name for one in self._texts))
        self._times = [one.name for one in columns if one.kind == "time"]
        self._sized = itemgetter(*(one.name for one in columns if one.kind in ("text", "bytes")))
        self._vector_bytes = sum(4 * one.dim for one in columns if one.kind == "vector")

    def fault(self, row: Row) -> str:
        """What is wrong with a row; empty for one that is as it should be."""
        for name in self._required:
            if row[name] is None:
                return f"has no {name!r}"
        for name in self._times:
            if reason := time_fault(row[name]):
                return f"has {reason} in {name!r}"
        joined = "".join(filter(None, self._text_of(row)))  # one look at all of them: most rows are fine
        if len(joined) <= MOST_NAME and not text_fault(joined):
            return ""
        for one in self._texts:
            if reason := text_fault(row[one.name] or "", most=one.most):
                return f"has {reason} in {one.name!r}"
        return ""

    def bytes_of(self, row: Row) -> int:
        """About what a row takes beyond its like: its texts and bytes, its vector."""
        return self._vector_bytes + sum(map(len, filter(None, self._sized(row))))


def text_fault(text: str, *, most: int = MOST_TEXT) -> str:
    """What keeps a text from being stored, shown and compared as any other; empty for one that is fine."""
    if "\0" in text:
        return "a NUL character"
    if len(text) > most:
        return f"{len(text):,} characters, of which it may have {most:,}"
    return "" if text.isascii() else fault(text)


def time_fault(seconds: Any) -> str:
    """What keeps a number from being a moment (seconds, epoch) that a calendar has; empty for one that is."""
    number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
    return "" if number and 0 <= seconds <= LAST_SECOND else "no time between 1970 and 9999"
