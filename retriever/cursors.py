"""Where a page begins: a cursor that knows what was shown, so that no page repeats or loses an item.

Knows hits by their ids only; what order they are in, and which are folded, is decided before.

A cursor holds the marks of all items shown so far rather than the last score: fused scores shift with every item that
is added, so that "all below the last score" would repeat some and skip others. What is added meanwhile and ranks
before what was shown comes first on the next page.
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import hashlib
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from sightline.errors import InputError
from sightline.showing import Show
from sightline.types import Hit, Query

MOST_SHOWN = 100_000  # hits on all pages together: beyond this a caller means to export, not to search
_MARK = 6  # bytes of an item's mark: of 100,000 shown, one in 2.8 billion others is taken for one of them
_CHECK = 6
_HEAD = struct.Struct(">B8s4sII")  # format, request, collection's encoder, hits shown, size of the first page
_FORMAT = 1
_SAYING = "."  # between a cursor and the words it was searched for, where those are not as typed
_LONGER = 2  # times as long as what was typed: no spelling put right is longer, and no door's limit is gone round
_ANOTHER = (
    "this cursor belongs to another search, or to an earlier version: send the words, filter and order it came "
    "with, or search again for the first page"
)
_UNCHANGED = "pass on what a search returned, unchanged, or search again for the first page"
_SAMPLED = 65_536  # values of a picture that tell it from another


def worded(cursor: str, typed: str, searched: str) -> str:
    """A cursor that also says what was searched for in place of what was typed, for the pages after."""
    said = searched.encode()
    check = _digest((cursor, typed, said), _CHECK)
    return f"{cursor}{_SAYING}{base64.urlsafe_b64encode(check + said).decode('ascii')}"


def searched_for(cursor: str, typed: str) -> tuple[str, str | None]:
    """The plain cursor, and what its first page searched for in place of what was typed; None: for just that.

    Raises InputError for one that is no cursor, or that belongs to other words.
    """
    plain, saying, told = cursor.partition(_SAYING)
    if not saying:
        return cursor, None
    raw = _decoded(told)
    check, said = raw[:_CHECK], raw[_CHECK:]
    text = said.decode(errors="replace")
    if check != _digest((plain, typed, said), _CHECK) or len(text) > _LONGER * len(typed):
        raise InputError(_ANOTHER)
    return plain, text


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a ranking a page begins."""

    request: bytes  # what was asked, in 8 bytes
    encoder: bytes  # by whose vectors, in 4
    shown: int = 0  # hits on the pages before
    first: int = 0  # hits asked for on the first page
    seen: frozenset[bytes] = frozenset()  # marks of the items on the pages before, folded ones too

    @classmethod
    def of(cls, show: Show, query: Query, *, asked: Iterable[Any], encoder: str, k: int) -> Self:
        """The place a cursor points at, or the beginning.

        `asked` is whatever else decides the ranking, `encoder` a fingerprint. Raises InputError for a cursor that is
        not one, that belongs to another search, or that is of before the collection was embedded anew.
        """
        lasting = replace(show, cursor="", offset=0, facets=())
        start = cls(_digest((query, lasting, *asked), 8), _digest(encoder, 4), first=k)
        if not show.cursor:
            return start
        place = cls._read(show.cursor)
        if place.encoder != start.encoder:
            raise InputError("this cursor is stale: the collection was embedded anew since, so search again")
        if place.request != start.request:
            raise InputError(_ANOTHER)
        return place

    @classmethod
    def _read(cls, cursor: str) -> Self:
        raw = _decoded(cursor)
        body, check = raw[:-_CHECK], raw[-_CHECK:]
        whole = len(body) >= _HEAD.size and (len(body) - _HEAD.size) % _MARK == 0
        if not whole or check != _digest(body, _CHECK) or body[0] != _FORMAT:
            raise InputError(f"this is no cursor, or a changed one, or an earlier version's: {_UNCHANGED}")
        _, request, encoder, shown, first = _HEAD.unpack_from(body)
        marks = frozenset(body[at : at + _MARK] for at in range(_HEAD.size, len(body), _MARK))
        return cls(request, encoder, shown, first, marks)

    def has(self, item_id: str) -> bool:
        """Whether an item was shown, or folded under one that was, before this page."""
        return bool(self.seen) and _mark(item_id) in self.seen

    def after(self, hits: Sequence[Hit], also: Iterable[str] = ()) -> str:
        """The cursor of the next page, `hits` being this one; `also` are ids that are not to come up again either."""
        marks = self.seen.union(
            (_mark(hit.id) for hit in hits), (_mark(one) for hit in hits for one in hit.folded), map(_mark, also)
        )
        head = _HEAD.pack(_FORMAT, self.request, self.encoder, self.shown + len(hits), self.first)
        body = head + b"".join(sorted(marks))
        return base64.urlsafe_b64encode(body + _digest(body, _CHECK)).decode("ascii")


def _decoded(text: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(text.encode("ascii"))
    except (binascii.Error, ValueError) as exc:
        raise InputError(f"this is no cursor: {_UNCHANGED}") from exc


def _mark(item_id: str) -> bytes:
    return hashlib.blake2b(item_id.encode(), digest_size=_MARK).digest()


def _digest(value: object, size: int) -> bytes:
    """Bytes that say what a value is: no secret, for a cursor opens nothing that its holder could not search for."""
    hasher = hashlib.blake2b(digest_size=size, person=b"sightline")
    for piece in _pieces(value):
        hasher.update(len(piece).to_bytes(8, "big") + piece)
    return hasher.digest()


def _pieces(value: object) -> Iterable[bytes]:
    """A value in bytes, the same for equal values: dataclasses by their fields, arrays by a sample of their values."""
    match value:
        case bytes():
            yield value
        case np.ndarray():
            step = max(1, value.size // _SAMPLED)
            yield repr(value.shape).encode()
            yield np.ascontiguousarray(value.reshape(-1)[::step]).tobytes()
        case tuple() | list():
            yield str(len(value)).encode()
            for one in value:
                yield from _pieces(one)
        case _ if dataclasses.is_dataclass(value):
            yield type(value).__name__.encode()
            for field in dataclasses.fields(value):
                yield from _pieces(getattr(value, field.name))
        case _:
            yield repr(value).encode("utf-8", "surrogatepass")
