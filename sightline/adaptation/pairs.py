"""Reads pairs (who asks this should find that) and makes vectors of them, taking from the index what it has already.

Knows rows, files and items; nothing of how a map is fitted. A row that cannot be used is reported, with its line.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Callable, Mapping, Sequence, Set
from contextlib import closing
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from indexer import Ledger
from indexer.catalogs import open_catalog
from indexer.records import Lost, Row
from sightline import decoding
from sightline.adaptation.fitting import Examples, Ids
from sightline.engine import Sightline
from sightline.errors import InputError, NotFound, UnreadableSource
from sightline.types import Content, Skipped, Vectors

TEXTS = ("text", "caption", "label", "query")  # the first of them that a row has asks
FOUND = ("image", "item", "passage")  # a picture file, the id of an item, a text
_BATCH = 64  # contents an encoder is given at a time

Kind = Literal["text", "image"]
Tell = Callable[[str, int, int | None], None]
Key = tuple[str, str]  # what sort of thing, and its digest or id: equal things are one


@dataclass(frozen=True, slots=True)
class Pairs:
    """What was read: examples by what asks, how many pairs each has, and the rows left out."""

    examples: Mapping[Kind, Examples]
    counts: Mapping[Kind, int]
    items: Set[str]  # ids of those that should be found
    repeated: int  # rows that say what an earlier one said
    skipped: tuple[Skipped, ...]


@dataclass(slots=True)
class _Side:
    """The distinct things on one side of the pairs. Few pictures wait at a time: pixels take memory."""

    encode: Callable[[Sequence[Content]], Vectors]
    vectors: dict[Key, Vectors] = field(default_factory=dict)  # (m, dim) each
    waiting: dict[Key, Content] = field(default_factory=dict)

    def __contains__(self, key: Key) -> bool:
        return key in self.vectors or key in self.waiting

    def add(self, key: Key, content: Content) -> None:
        self.waiting[key] = content
        if sum(one[0] == "image" for one in self.waiting) >= _BATCH:
            self.embed()

    def embed(self, tell: Callable[[int, int], None] | None = None) -> None:
        """Make vectors of what waits: pictures and texts apart, for they go through different towers."""
        keys, done = sorted(self.waiting, key=lambda key: key[0]), 0
        for sort in ("image", "text"):
            same = [key for key in keys if key[0] == sort]
            for at in range(0, len(same), _BATCH):
                batch = same[at : at + _BATCH]
                rows = self.encode([self.waiting.pop(key) for key in batch])
                self.vectors |= {key: rows[number : number + 1] for number, key in enumerate(batch)}
                done += len(batch)
                if tell:
                    tell(done, len(keys))


def read_pairs(paths: Sequence[Path], index: Sightline, *, tell: Tell) -> Pairs:
    """Pairs of every file, embedded with the index's encoder without its adapter.

    A row asks by `text` (or `caption`, `label`, `query`) or by `query_image`, and names what should be found: `image`
    (a file), `item` (an id of the index) or `passage` (a text). Paths are relative to the file. Raises InputError when
    no row can be used.
    """
    reading = _Reading(index, tell)
    for path in paths:
        reading.file(path)
    return reading.pairs(paths)


class _Reading:
    """One reading: what was met so far."""

    def __init__(self, index: Sightline, tell: Tell) -> None:
        self.index, self.tell = index, tell
        self.encoder = index.plain_encoder
        self.able = self.encoder.space.modalities
        queries = self.encoder.encode_queries
        self.asks: dict[Kind, _Side] = {"text": _Side(queries), "image": _Side(queries)}
        self.finds = _Side(self.encoder.encode_documents)
        self.right: dict[Kind, dict[Key, dict[Key, None]]] = {"text": {}, "image": {}}
        self.spelt: dict[Key, str] = {}  # what asks, without what spellings differ in
        self.textual: set[Key] = set()  # what is found by texts
        self.skipped: list[Skipped] = []
        self.rows = self.repeated = 0

    def file(self, path: Path) -> None:
        try:
            rows = open_catalog(path)()
            for row in rows:
                self.rows += 1
                self.tell("reading pairs", self.rows, None)
                if isinstance(row, Lost):
                    self.skipped.append(row.skipped)
                    continue
                try:
                    self._row(row, path.parent)
                except (InputError, NotFound) as exc:
                    reason = exc.reason if isinstance(exc, UnreadableSource) else str(exc)
                    self.skipped.append(Skipped(row.where, reason))
        except OSError as exc:
            raise InputError(f"cannot read the pairs in {path}: {exc.strerror or exc}") from exc

    def pairs(self, paths: Sequence[Path]) -> Pairs:
        if not any(self.right.values()):
            first = f"; the first, {self.skipped[0].source}: {self.skipped[0].reason}" if self.skipped else ""
            names = ", ".join(path.name for path in paths)
            raise InputError(f"no row of {names} is a usable pair ({len(self.skipped):,} were left out{first})")
        self.finds.embed(partial(self.tell, "embedding what should be found"))
        for kind, side in self.asks.items():
            side.embed(partial(self.tell, f"embedding each {kind} that asks"))
        made = {
            kind: _examples(self.right[kind], side.vectors, self.finds.vectors, self.spelt, self.textual)
            for kind, side in self.asks.items()
            if self.right[kind]
        }
        counts = {kind: sum(map(len, self.right[kind].values())) for kind in made}
        items = {key[1] for key in self.finds.vectors if key[0] == "item"}
        return Pairs(made, counts, items, self.repeated, tuple(self.skipped))

    # -- one row -----------------------------------------------------------------------------------------------------

    def _row(self, row: Row, folder: Path) -> None:
        kind, key = self._asking(row.values, folder)
        found = self._found(row.values, folder)
        if kind == "image" and (key == found or (found[0] == "item" and key[1] in self._pictures_of(found[1]))):
            raise InputError("the picture asks for itself")
        answers = self.right[kind].setdefault(key, {})
        self.repeated += found in answers
        answers[found] = None

    def _asking(self, values: Mapping[str, Any], folder: Path) -> tuple[Kind, Key]:
        text = next((values[key] for key in TEXTS if values.get(key) not in (None, "")), None)
        picture = values.get("query_image")
        if (text is None) == (not picture):
            both = (
                "both a text and a query_image" if picture else f"neither a text ({', '.join(TEXTS)}) nor query_image"
            )
            raise InputError(f"the row asks by {both}; it must have one of them")
        if picture:
            return "image", self._picture(folder, picture, "query_image", self.asks["image"])
        key = self._text(text, "text", self.asks["text"])
        self.spelt.setdefault(key, _plain(str(text)))
        return "text", key

    def _found(self, values: Mapping[str, Any], folder: Path) -> Key:
        named = [key for key in FOUND if values.get(key) not in (None, "")]
        if len(named) != 1:
            has = f"{' and '.join(named)} at once" if named else f"none of {', '.join(FOUND)}"
            raise InputError(f"the row must name one thing that should be found; it has {has}")
        value = values[named[0]]
        if named[0] == "item":
            return self._item(str(value))
        if named[0] == "passage":
            key = self._text(value, "passage", self.finds)
            self.textual.add(key)
            return key
        return self._picture(folder, value, "image", self.finds)

    def _item(self, item_id: str) -> Key:
        """An item is found by its pictures, where it has any that the encoder sees; else by its texts."""
        key = ("item", item_id)
        if key not in self.finds:
            parts = self.index.get(item_id).parts
            pictures = [part.digest for part in parts if part.modality == "image" and "image" in self.able]
            texts = [part.digest for part in parts if part.modality == "text" and "text" in self.able]
            rows = list(self.index.known(list(dict.fromkeys(pictures or texts))).values())
            if not rows:
                raise InputError(f"item {item_id!r} has nothing that the encoder {self.encoder.space.name!r} embeds")
            self.finds.vectors[key] = np.concatenate([some[:1] for some in rows])  # the wholes: regions are others
            if not pictures:
                self.textual.add(key)
        return key

    @cached_property
    def _owners(self) -> Mapping[str, str]:
        """Digest of a picture -> the item that shows it; "" where several do."""
        with closing(Ledger(self.index.folder)) as ledger:
            ids = ledger.ids()
        found: dict[str, str] = {}
        for number, item_id in enumerate(ids, start=1):
            self.tell("looking through the index's pictures", number, len(ids))
            for digest in self._pictures_of(item_id):
                found[digest] = "" if digest in found else item_id
        return found

    def _pictures_of(self, item_id: str) -> set[str]:
        """Digests of what an item shows."""
        return {part.digest for part in self.index.get(item_id).parts if part.modality == "image"}

    def _text(self, value: Any, name: str, side: _Side) -> Key:
        if "text" not in self.able:
            raise InputError(f"the encoder {self.encoder.space.name!r} embeds no texts")
        words = " ".join(value.split()) if isinstance(value, str) else ""
        if not words:
            raise InputError(f"{name} must be words, not {value!r}")
        key = ("text", _digest(words.encode()))
        if key not in side:
            side.add(key, (words,))
        return key

    def _picture(self, folder: Path, value: Any, name: str, side: _Side) -> Key:
        """A picture that one item shows is found as that item is; one that several show is not embedded again."""
        if "image" not in self.able:
            raise InputError(f"the encoder {self.encoder.space.name!r} embeds no pictures")
        if not isinstance(value, str):
            raise InputError(f"{name} must be the path of a picture, not {value!r}")
        try:
            data = (folder / value).read_bytes()
        except (OSError, ValueError) as exc:
            raise InputError(f"cannot read {value}: {getattr(exc, 'strerror', None) or exc}") from exc
        key = ("image", _digest(data))
        if side is self.finds and (item_id := self._owners.get(key[1])):
            return self._item(item_id)
        if key not in side:
            stored = self.index.known([key[1]]) if side is self.finds else {}
            if stored:
                side.vectors[key] = stored[key[1]][:1]
            else:
                side.add(key, (decoding.decode(data, source=value, limits=self.index.settings.limits),))
        return key


def _examples(
    right: Mapping[Key, Mapping[Key, None]],
    asked: Mapping[Key, Vectors],
    found: Mapping[Key, Vectors],
    spelt: Mapping[Key, str],
    textual: Set[Key],
) -> Examples:
    """Everything as arrays. Answers are numbered as they are met."""
    number: dict[Key, int] = {}
    for answers in right.values():
        for key in answers:
            number.setdefault(key, len(number))
    own = [np.asarray([number[key] for key in answers], np.int64) for answers in right.values()]
    return Examples(
        queries=np.concatenate([asked[key] for key in right]),
        answers=np.concatenate([found[key] for key in number]),
        owner=np.repeat(np.arange(len(number)), [len(found[key]) for key in number]),
        right=tuple(own),
        excused=_excused(own, np.asarray([key in textual for key in number])),
        spelling=np.unique([spelt.get(key, key[1]) for key in right], return_inverse=True)[1],
        textual=np.asarray([key in textual for key in number]),
    )


def _excused(right: Sequence[Ids], sort: NDArray[np.bool_]) -> tuple[Ids, ...]:
    """For each query: the right answers of all queries it has a right answer in common with, and what is of another
    sort than its own (pictures lie elsewhere than texts, and are never ranked together)."""
    asked_by: list[list[int]] = [[] for _ in sort]
    for query, answers in enumerate(right):
        for answer in answers:
            asked_by[answer].append(query)
    circles: dict[tuple[int, ...], Ids] = {}  # those who ask for an answer -> all they should find
    for queries in map(tuple, asked_by):
        if queries and queries not in circles:
            circles[queries] = np.unique(np.concatenate([right[query] for query in queries]))
    of_sort = {one: np.flatnonzero(sort == one) for one in np.unique(sort)}
    found = []
    for answers in right:
        near = {tuple(asked_by[answer]) for answer in answers}
        others = [ids for one, ids in of_sort.items() if one not in sort[answers]]
        found.append(np.unique(np.concatenate([*(circles[queries] for queries in near), *others])))
    return tuple(found)


def _plain(text: str) -> str:
    """What is left of a text without case, space and punctuation; all of it where nothing is."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return "".join(one for one in folded if unicodedata.category(one)[0] not in "PZC") or folded


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
