"""A Qdrant collection that nobody writes to for a moment: walked item by item, or copied.

Does not know who keeps writers out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TypeAlias

import numpy as np

from sightline.filters import Filter
from sightline.stores.qdrant import points
from sightline.stores.qdrant.points import MANY, Engine, Json, Point, vector_name
from sightline.stores.qdrant.where import any_of, where_json
from sightline.types import PartVectors, Space, Stored

PAGE = 256  # items in memory at a time

Texts: TypeAlias = Callable[[str], Iterable[str]]


class QdrantMoment:
    """What an engine holds; `texts` are the distinct values under a payload key, for filters."""

    def __init__(self, engine: Engine, texts: Texts) -> None:
        self._engine, self._texts = engine, texts

    def items(self, *, where: Filter | None = None, vectors: bool = True) -> Iterator[Stored]:
        """Every item that passes `where`, in the order of its point's id, which is a hash."""
        wanted: Json = {"must": [any_of("kind", ["item"]), where_json(where, self._texts)]}
        spaces = list(self._spaces()) if vectors else []
        heads = self._engine.scroll(wanted, ("item", "digest", "fields"))
        while page := [point.payload for point in islice(heads, PAGE)]:
            yield from self._stored(page, spaces)

    def copy(self, folder: Path) -> None:
        """Copy the engine's files."""
        self._engine.copy(folder)

    def _stored(self, heads: Sequence[Json], spaces: Sequence[Space]) -> Iterator[Stored]:
        parts: dict[str, list[Json]] = {head["item"]: [] for head in heads}
        found: dict[str, list[PartVectors]] = {head["item"]: [] for head in heads}
        ours: Json = {"must": [any_of("kind", ["part"]), any_of("item", list(parts))]}
        names = [vector_name(space.fingerprint) + end for space in spaces for end in ("", MANY)]
        keys = [points.boxes_key(space.fingerprint) for space in spaces]
        for point in self._engine.scroll(ours, (*points.PART_KEYS, *keys), names):
            parts[point.payload["item"]].append(point.payload)
            found[point.payload["item"]] += _vectors(point, spaces)
        for head in heads:
            item = points.item_of(head, parts[head["item"]])
            place = {part.id: number for number, part in enumerate(item.parts)}
            ordered = sorted(found[item.id], key=lambda one: place[one.part_id])
            yield Stored(item, tuple(ordered))

    def _spaces(self) -> Iterator[Space]:
        for point in self._engine.scroll({"must": [any_of("kind", ["space"])]}, ("name", "dim", "fingerprint")):
            yield Space(point.payload["name"], int(point.payload["dim"]), point.payload["fingerprint"])


def _vectors(point: Point, spaces: Sequence[Space]) -> Iterator[PartVectors]:
    """The vectors of one part, a space each."""
    for space in spaces:
        if rows := points.rows_of(point.vectors, space.fingerprint):
            boxes = points.boxes_of(point.payload, space.fingerprint)
            yield PartVectors(point.payload["part"], space, np.asarray(rows, np.float32), boxes)
