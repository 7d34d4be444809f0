"""Which parts say words, best first: BM25 as SQLite's FTS5 reckons it, to the last bit, from FTS5's own lists.

Does not know filters. FTS5 walks all of a word's list at every query, and looks up the length of each text on it, even
where a few parts are asked for. Here a list is read once, and kept with its scores until the collection changes.
"""

from __future__ import annotations

import json
import math
import sqlite3
import threading
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import lru_cache, reduce
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from sightline.errors import EngineError
from sightline.stores import sqlite
from sightline.stores.database import TOKENIZER
from sightline.stores.words import words_of
from sightline.types import Modality, PartHit

K1, B = 1.2, 0.75  # FTS5's, which cannot be set
LEAST_IDF = 1e-6  # FTS5's, for a word that more than half of all texts say
MOST_KEPT = 4_000_000  # entries of lists, 16 bytes each; the lists that were not asked for the longest go
LEAST_KEPT = 32  # entries that a list counts as beside its own
FEW = 1_000  # items: the texts of so many are found quicker one by one than among all
STALE = 1_000  # texts that were removed may stay among the lengths up to so many, or as many as there are

_LISTS = "CREATE VIRTUAL TABLE IF NOT EXISTS temp.entries USING fts5vocab(main, words, instance)"
_ENTRIES = "FROM temp.entries WHERE term = ?"  # by text, then by place in it
_TEXTS = (
    "SELECT group_concat(id), group_concat(item), group_concat(modality) FROM "
    "(SELECT id, item, modality FROM parts WHERE id > ? AND text IS NOT NULL ORDER BY id)"
)
_LENGTHS = "SELECT group_concat(hex(sz), '') FROM (SELECT sz FROM words_docsize WHERE id > ? ORDER BY id)"
_KINDS: dict[str, int] = {kind: number for number, kind in enumerate(get_args(Modality))}
_DAMAGED = "the full-text index is damaged: it names other texts than there are. Index again."


@dataclass(frozen=True, slots=True)
class Saying:
    """The texts that say a word: their places among all texts, ascending, and the BM25 of each."""

    places: NDArray[np.int64]
    scores: NDArray[np.float64]

    def among(self, places: NDArray[np.int64]) -> NDArray[np.float64]:
        """(n,) the BM25 at each of (n,) places; 0 where the word is not said."""
        at = np.searchsorted(self.places, places)
        there = np.flatnonzero(at < len(self.places))
        there = there[self.places[at[there]] == places[there]]
        scores = np.zeros(len(places))
        scores[there] = self.scores[at[there]]
        return scores


@dataclass(slots=True)
class _Texts:
    """The texts of a collection at one version. Among the rows may be some that are gone, which no list names."""

    version: int
    rows: NDArray[np.int64]  # (n,) ascending
    items: NDArray[np.int64]  # (n,) whose they are
    kinds: NDArray[np.uint8]  # (n,)
    lengths: NDArray[np.int64]  # (n,) tokens
    count: int  # of those that are there
    mean: float  # tokens
    lists: OrderedDict[str, Saying] = field(default_factory=OrderedDict)  # by word, the one asked for last at the end
    kept: int = 0  # entries of these, and `LEAST_KEPT` for each

    def those(
        self, places: NDArray[np.int64], items: NDArray[np.int64] | None, modalities: frozenset[Modality] | None
    ) -> NDArray[np.int64]:
        """Which of these texts are of `items` and `modalities`; None: all."""
        if modalities is not None:
            places = places[np.isin(self.kinds[places], [_KINDS[kind] for kind in modalities])]
        return places if items is None else places[np.isin(self.items[places], items)]


@dataclass(frozen=True, slots=True)
class _Few:
    """The texts of a few items."""

    texts: _Texts
    items: NDArray[np.int64]
    places: NDArray[np.int64]  # (n,) ascending
    parts: list[tuple[str, str, str]]  # n: its id, its item's, what kind it is

    def best(self, lists: Sequence[Saying], k: int, modalities: frozenset[Modality] | None) -> list[PartHit]:
        """The k best of those of these `modalities`, ties by part id."""
        scores = sum((one.among(self.places) for one in lists), np.zeros(len(self.places)))
        hits = [
            PartHit(part, item, score)
            for (part, item, kind), score in zip(self.parts, scores.tolist(), strict=True)
            if score and (modalities is None or kind in modalities)
        ]
        return sorted(hits, key=_by_score)[:k]


class Words:
    """The words of one collection's texts. Safe to share between threads, each with a connection of its own."""

    def __init__(self) -> None:
        self._texts: _Texts | None = None
        self._few: _Few | None = None
        self._lock = threading.Lock()

    def forget(self) -> None:
        """Give back all memory."""
        with self._lock:
            self._texts = self._few = None

    def search(
        self,
        connection: sqlite3.Connection,
        text: str,
        k: int,
        items: NDArray[np.int64] | None,
        modalities: frozenset[Modality] | None,
    ) -> list[PartHit]:
        """The k parts of highest BM25 for any of the words, among those of `items` (row ids) and `modalities`.

        Ties by part id; None: all.
        """
        texts = self._current(connection)
        lists = [self._saying(connection, texts, word) for word in words_of(text)]
        if items is not None and len(items) <= FEW:
            return self._few_parts(connection, texts, items).best(lists, k, modalities)
        scores = np.zeros(len(texts.rows))
        for one in lists:
            scores[one.places] += one.scores  # word after word, as FTS5 adds them up
        found = texts.those(np.flatnonzero(scores), items, modalities)
        return _best(connection, texts.rows[found], scores[found], k)

    def _current(self, connection: sqlite3.Connection) -> _Texts:
        """The texts as the connection sees them."""
        version = sqlite.version(connection)
        with self._lock:
            texts = self._texts
            if texts is not None and texts.version == version:
                return texts
            fresh = _read(connection, version, texts)
            if texts is None or texts.version < version:
                self._texts = fresh
            return fresh

    def _few_parts(self, connection: sqlite3.Connection, texts: _Texts, items: NDArray[np.int64]) -> _Few:
        """The texts of some items; those asked for last are kept, for they are asked for word by word."""
        few = self._few
        if few is None or few.texts is not texts or few.items is not items:
            few = self._few = _read_few(connection, texts, items)
        return few

    def _saying(self, connection: sqlite3.Connection, texts: _Texts, word: str) -> Saying:
        """Who says a word; read where it was not asked for of late."""
        with self._lock:
            if word in texts.lists:
                texts.lists.move_to_end(word)
                return texts.lists[word]
        read = _weighed(texts, _occurrences(connection, tokens(word)))
        with self._lock:
            if word not in texts.lists:  # or another thread has read it meanwhile
                texts.lists[word] = read
                texts.kept += LEAST_KEPT + len(read.places)
            while texts.kept > MOST_KEPT:
                texts.kept -= LEAST_KEPT + len(texts.lists.popitem(last=False)[1].places)
        return read


@lru_cache(maxsize=4096)
def tokens(word: str) -> tuple[str, ...]:
    """What FTS5 makes of a word: its stem, or several where it has marks that FTS5 takes for the end of a word."""
    with closing(sqlite3.connect(":memory:")) as scratch:
        scratch.execute(f'CREATE VIRTUAL TABLE said USING fts5 (text, tokenize = "{TOKENIZER}")')
        scratch.execute("CREATE VIRTUAL TABLE entries USING fts5vocab(said, instance)")
        scratch.execute("INSERT INTO said VALUES (?)", (word,))
        return tuple(term for (term,) in scratch.execute("SELECT term FROM entries ORDER BY offset"))


def _read(connection: sqlite3.Connection, version: int, before: _Texts | None) -> _Texts:
    """All texts, or those added since `before`: row ids are never used twice, and a text never changes."""
    (totals,) = connection.execute("SELECT block FROM words_data WHERE id = 1").fetchone()
    count, tokens = _varints(totals).tolist() or (0, 0)
    if before is None or before.version > version or len(before.rows) > 2 * count + STALE:
        none = np.zeros(0, np.int64)
        before = _Texts(-1, none, none, none.astype(np.uint8), none, 0, 0.0)
    last = int(before.rows.max(initial=-1))
    rows, items, kinds = connection.execute(_TEXTS, (last,)).fetchone()
    (lengths,) = connection.execute(_LENGTHS, (last,)).fetchone()
    fresh = _Texts(
        version,
        np.append(before.rows, sqlite.integers(rows)),
        np.append(before.items, sqlite.integers(items)),
        np.append(before.kinds, np.array([_KINDS[kind] for kind in kinds.split(",")] if kinds else [], np.uint8)),
        np.append(before.lengths, _varints(bytes.fromhex(lengths or ""))),
        count,
        tokens / count if count else 0.0,
    )
    if len(fresh.rows) != len(fresh.lengths):
        raise EngineError(_DAMAGED)
    return fresh


def _occurrences(connection: sqlite3.Connection, tokens: Sequence[str]) -> NDArray[np.int64]:
    """Row ids of the texts that have these tokens one after another, ascending, each as often as it has them."""
    connection.execute(_LISTS)
    if len(tokens) == 1:
        return sqlite.integers(*connection.execute(f"SELECT group_concat(doc) {_ENTRIES}", tokens).fetchone())
    begins: list[NDArray[np.int64]] = []
    for at, token in enumerate(tokens):
        both = connection.execute(f"SELECT group_concat(doc), group_concat(offset) {_ENTRIES}", (token,)).fetchone()
        docs, offsets = map(sqlite.integers, both)
        begins.append((docs << 32) + offsets - at)
    return reduce(np.intersect1d, begins) >> 32 if begins else np.zeros(0, np.int64)


def _weighed(texts: _Texts, occurrences: NDArray[np.int64]) -> Saying:
    """The BM25 of each text that says a word, by FTS5's formula, in the order in which it does its sums."""
    rows, times = np.unique(occurrences, return_counts=True)
    places = np.searchsorted(texts.rows, rows)
    if not np.array_equal(texts.rows.take(places, mode="clip"), rows):
        raise EngineError(_DAMAGED)
    share = (texts.count - len(rows) + 0.5) / (len(rows) + 0.5)
    idf = math.log(share) if share > 1 else LEAST_IDF
    often = times.astype(np.float64)
    length = K1 * (1 - B + B * texts.lengths[places] / texts.mean)
    return Saying(places, idf * ((often * (K1 + 1.0)) / (often + length)))


def _read_few(connection: sqlite3.Connection, texts: _Texts, items: NDArray[np.int64]) -> _Few:
    found = connection.execute(
        "SELECT parts.id, parts.key, items.key, modality FROM json_each(?) AS one "
        "CROSS JOIN items ON items.id = one.value CROSS JOIN parts ON item = items.id "
        "WHERE text IS NOT NULL ORDER BY parts.id",
        (json.dumps(items.tolist()),),
    ).fetchall()
    places = np.searchsorted(texts.rows, np.array([row[0] for row in found], np.int64))
    return _Few(texts, items, places, [row[1:] for row in found])


def _best(
    connection: sqlite3.Connection, rows: NDArray[np.int64], scores: NDArray[np.float64], k: int
) -> list[PartHit]:
    """The k best of parts by row ids (n,) and scores (n,), ties by part id: all that tie with the last are named."""
    least = -np.partition(-scores, k - 1)[k - 1] if k < len(scores) else 0.0
    first = scores >= least
    score_of = dict(zip(rows[first].tolist(), scores[first].tolist(), strict=True))
    names = sqlite.part_keys(connection, score_of)
    return sorted((PartHit(*names[row], score) for row, score in score_of.items()), key=_by_score)[:k]


def _by_score(hit: PartHit) -> tuple[float, str]:
    return -hit.score, hit.part_id


def _varints(data: bytes) -> NDArray[np.int64]:
    """Numbers as SQLite writes them, one after another: seven bits a byte, the high ones first."""
    parts = np.frombuffer(data, np.uint8).astype(np.int64)
    ends = np.flatnonzero(parts < 128)
    begins = np.append(0, ends[:-1] + 1)[: len(ends)]
    values = parts[ends]
    for back in range(1, int((ends - begins).max(initial=0)) + 1):
        longer = ends - back >= begins
        values[longer] |= (parts[ends[longer] - back] & 127) << (7 * back)
    return values
