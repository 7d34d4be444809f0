"""The full-text index as it lies on disk: written anew from the texts that are there, or read page by page.

Reads FTS5's own tables, because its queries pass over what a deletion merely struck out. The layout is that of
https://sqlite.org/src/file/ext/fts5/fts5_index.c, "On-disk format", with positions kept.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

_SEGMENT = 1 << 37  # a page's row id is its segment times this, and its number; a set bit 36 marks pages of row ids
_SKIPS = 1 << 36
_HEAD = 4  # bytes before the content of a page


def rebuild(connection: sqlite3.Connection) -> None:
    """Write the index anew: struck-out words are not in it any more."""
    connection.execute("INSERT INTO words (words) VALUES ('delete-all')")
    connection.execute("INSERT INTO words (rowid, text) SELECT id, text FROM parts WHERE text IS NOT NULL ORDER BY id")
    connection.execute("INSERT INTO words (words) VALUES ('optimize')")


def check(connection: sqlite3.Connection) -> str:
    """What is wrong with the index by its own account; "" where nothing is. Needs a write transaction."""
    try:
        connection.execute("INSERT INTO words (words, rank) VALUES ('integrity-check', 0)")
    except sqlite3.DatabaseError as exc:
        return str(exc)
    return ""


def struck_out(connection: sqlite3.Connection) -> int:
    """How many words the index still keeps of texts that are no longer there."""
    there = {row for (row,) in connection.execute("SELECT id FROM parts WHERE text IS NOT NULL")}
    sizes = connection.execute("SELECT COUNT(*) FROM words_docsize WHERE id NOT IN (SELECT id FROM parts)")
    return sum(row not in there or removed for row, removed in postings(connection)) + int(sizes.fetchone()[0])


def postings(connection: sqlite3.Connection) -> Iterator[tuple[int, bool]]:
    """(row id, whether it is struck out) of every entry of every word, also those that a query passes over."""
    pages = connection.execute("SELECT id, block FROM words_data WHERE id >= ? ORDER BY id", (_SEGMENT,))
    segment, left, row = -1, 0, 0  # `left`: bytes of positions that go on in the next page
    for number, page in pages:
        if number & _SKIPS:
            continue
        if number // _SEGMENT != segment:
            segment, left, row = number // _SEGMENT, 0, 0
        end = int.from_bytes(page[2:4], "big")
        terms = _terms(page, end)
        first = min(terms, default=end)
        fresh, at = True, _HEAD
        while at < end:
            if at in terms:
                at = _after_term(page, at, first=at == first)
                row, fresh, left = 0, True, 0
                continue
            if left:
                step = min(left, end - at)
                at, left = at + step, left - step
                continue
            delta, at = _varint(page, at)
            row, fresh = (delta, False) if fresh else (row + delta, False)
            size, at = _varint(page, at)
            left = size >> 1
            yield row, bool(size & 1)


def _terms(page: bytes, end: int) -> set[int]:
    """Where in a page words begin."""
    found: set[int] = set()
    place, at = 0, end
    while at < len(page):
        delta, at = _varint(page, at)
        place += delta
        found.add(place)
    return found


def _after_term(page: bytes, at: int, *, first: bool) -> int:
    if not first:
        _, at = _varint(page, at)  # letters it shares with the one before
    length, at = _varint(page, at)
    return at + length


def _varint(page: bytes, at: int) -> tuple[int, int]:
    """A number as SQLite writes it, and where it ends."""
    value = 0
    for count in range(9):
        byte = page[at + count]
        if count == 8:
            return value << 8 | byte, at + 9
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, at + count + 1
    raise AssertionError("a number has at most nine bytes")
