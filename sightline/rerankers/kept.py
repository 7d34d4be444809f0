"""Judgements that were made are kept: repeated searches and deeper pages do not ask a model the same again.

Knows a reranker by its protocol, and of a hit what any of them may read. What failed is never kept.
"""

from __future__ import annotations

import hashlib
import math
from collections import OrderedDict
from collections.abc import Sequence
from threading import Lock
from typing import Protocol, runtime_checkable

import numpy as np

from sightline.errors import EngineError
from sightline.protocols import Reranker
from sightline.rerankers.reading import region_of
from sightline.types import Hit, Like, Query

MOST = 10_000  # judgements, or orders of a whole set: some 2 MB where each is of one hit


class Judging(Reranker, Protocol):
    """A reranker that says whether a judgement depends on the hits beside it."""

    @property
    def alone(self) -> bool | None:
        """Whether each hit is judged by itself; None: not known before the first query."""
        ...


@runtime_checkable
class Sparing(Protocol):
    """A reranker that reads no more of the first hits than it may spend on one query."""

    def within(self, query: Query, hits: Sequence[Hit]) -> int:
        """How many of the first hits it would read, if none were known."""
        ...


class Kept:
    """A reranker that remembers its last judgements, by what was asked and what was read. Safe to share."""

    def __init__(self, engine: Judging, *, most: int = MOST) -> None:
        self._engine, self._most = engine, most
        self._kept: OrderedDict[bytes, tuple[float | None, ...]] = OrderedDict()
        self._changing = Lock()

    @property
    def name(self) -> str:
        return self._engine.name

    @property
    def alone(self) -> bool | None:
        return self._engine.alone

    def judge(self, query: Query, hits: Sequence[Hit]) -> list[float | None]:
        """What the engine says, of hits it has not read before for this query only. Raises what the engine raises.

        What the engine may spend on one query is for all of the hits, known ones too: those it is not enough for are
        not read the next time either.
        """
        asked = _asked(query)
        keys = [_key(asked, hit) for hit in hits]
        if not self._engine.alone:
            return self._of_all(query, hits, keys)
        found = {key: known for key in keys if (known := self._known(key)) is not None}
        fresh = {key: hit for key, hit in zip(keys, hits, strict=True) if key not in found}
        if fresh and isinstance(self._engine, Sparing):
            near = set(keys[: self._engine.within(query, hits)])
            found |= {key: (None,) for key in fresh if key not in near}
            fresh = {key: hit for key, hit in fresh.items() if key in near}
        if fresh:
            odds = self._judged(query, list(fresh.values()))
            self._keep_each(list(fresh), odds)
            found |= {key: (one,) for key, one in zip(fresh, odds, strict=True)}
        return [found[key][0] for key in keys]

    def _of_all(self, query: Query, hits: Sequence[Hit], keys: Sequence[bytes]) -> list[float | None]:
        whole = hashlib.sha256(b"".join(keys)).digest()
        known = self._known(whole)
        if known is not None:
            return list(known)
        odds = self._judged(query, hits)
        if self._engine.alone:  # which is known now
            self._keep_each(keys, odds)
        else:
            self._keep(whole, tuple(odds))
        return odds

    def _judged(self, query: Query, hits: Sequence[Hit]) -> list[float | None]:
        odds = self._engine.judge(query, hits)
        if len(odds) != len(hits) or any(one is not None and not math.isfinite(one) for one in odds):
            raise EngineError(f"{self.name} did not judge each of the hits it was given")
        return odds

    def _keep_each(self, keys: Sequence[bytes], odds: Sequence[float | None]) -> None:
        """What is None is asked again: what could not be read now may be there later, and costs nothing."""
        for key, one in zip(keys, odds, strict=True):
            if one is not None:
                self._keep(key, (one,))

    def _keep(self, key: bytes, odds: tuple[float | None, ...]) -> None:
        with self._changing:
            self._kept[key] = odds
            self._kept.move_to_end(key)
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)

    def _known(self, key: bytes) -> tuple[float | None, ...] | None:
        with self._changing:
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._kept.get(key)


def _asked(query: Query) -> bytes:
    """A digest of all that a reranker reads of a query: its terms in order, and which of them are unwanted."""
    told = hashlib.sha256()
    for term in query.terms:
        told.update(str(int(np.sign(term.weight))).encode())
        if isinstance(term.content, np.ndarray):
            told.update(f"picture{term.content.shape}".encode())
            told.update(hashlib.sha256(term.content.tobytes()).digest())
        else:
            kind, said = ("like", term.content.item_id) if isinstance(term.content, Like) else ("words", term.content)
            told.update(f"{kind}{len(said)}:{said}".encode())
    return told.digest()


def _key(asked: bytes, hit: Hit) -> bytes:
    """A digest of the question and of all that a reranker may read of a hit: fields, and the parts by their digests.

    Of a part that answers by a region of it, that region too.
    """
    told = hashlib.sha256(asked)
    told.update(repr(list(hit.item.fields.items())).encode())
    for parts in (hit.parts, hit.item.parts):
        told.update(b"parts")
        told.update("".join(f"|{part.modality} {part.digest}{region_of(hit, part) or ''}" for part in parts).encode())
    return told.digest()
