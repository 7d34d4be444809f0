"""What a search looks at in one space: the built indexes, and exactly what came after them.

Does not know when to load or to build.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sightline.stores import faiss_files as files
from sightline.stores import sqlite, sqlite_boxes
from sightline.stores.chance import SAMPLE, Chance, Which, counted
from sightline.stores.faiss_built import Built
from sightline.stores.faiss_exact import Exact, by_score
from sightline.stores.faiss_removed import removed_after
from sightline.types import Modality, PartHit, Space, Vectors

log = logging.getLogger("sightline.stores")


class Held:
    """What a search looks at in one space: the built indexes, and exactly what came after them."""

    def __init__(self, space: Space, folder: Path) -> None:
        self.version = -1
        self.problem = ""  # why indexes that are on record are not used
        self._space, self._folder = space, folder
        self._removed = 0  # how far the log of removals was followed; from its start for what is opened anew
        self._files: tuple[str, ...] = ()
        self._built: list[Built] = []
        self._exact = Exact(space)
        self._chance: Chance | None = None  # None: there are no regions to speak of
        self._drawn_from = 0  # parts with regions

    def load(self, connection: sqlite3.Connection, version: int) -> None:
        """Take over what was built, added and removed since the last time."""
        self._open(files.records(connection, self._space.fingerprint))
        self._exact.load(connection)
        self._removed, gone = removed_after(connection, self._removed)
        held: list[Exact | Built] = [self._exact, *self._built]
        for one in held:
            one.drop(gone)
        if sum(map(len, held)) != sqlite.vector_count(connection, self._space):
            there = sqlite.vector_ids(connection, self._space)  # the log does not reach so far back
            for one in held:
                one.keep(there)
        self._look_for_regions(connection)
        self.version = version

    def _look_for_regions(self, connection: sqlite3.Connection) -> None:
        """Draw the sample anew where there are many more parts with regions than it was drawn from, or fewer."""
        count = sqlite_boxes.count(connection, self._space)
        if not 0.8 * count <= self._drawn_from <= 1.25 * count:
            sample = sqlite_boxes.sample(connection, self._space, SAMPLE) if count else []
            self._chance, self._drawn_from = Chance.of(sample), count

    def search(
        self,
        connection: sqlite3.Connection,
        queries: Vectors,
        k: int,
        items: NDArray[np.int64] | None,
        modalities: frozenset[Modality] | None,
    ) -> list[list[PartHit]]:
        """For each of (q, dim), the k best parts among those of `items` and `modalities`; None: all.

        Regions count less by what they are nearer by chance.
        """

        def search(which: Which) -> list[list[PartHit]]:
            return self._searched(connection, queries, k, items, modalities, which=which)

        return counted(search, self._chance, queries, k)

    def count_by(self, chance: Chance | None) -> None:
        """Take this for what is nearer by chance, until the next load: what a measure's truth was found by."""
        self._chance = chance

    def less(self, query: Vectors) -> float:
        """What a region's cosine to (1, dim) counts less."""
        return float(self._chance.less(query)[0]) if self._chance else 0.0

    def _searched(
        self,
        connection: sqlite3.Connection,
        queries: Vectors,
        k: int,
        items: NDArray[np.int64] | None,
        modalities: frozenset[Modality] | None,
        *,
        which: Which,
    ) -> list[list[PartHit]]:
        """As `search`, by these vectors of parts alone, and by their cosines as they are."""
        found = [self._exact.search(queries, k, items, modalities, which)]
        found += [
            one.search(connection, queries, k, items, which=which)
            for one in self._built
            if modalities is None or one.modality in modalities
        ]
        if len(found) == 1:
            return found[0]
        return [sorted((hit for hits in row for hit in hits), key=by_score)[:k] for row in zip(*found, strict=True)]

    def _open(self, found: Sequence[files.Record]) -> None:
        """Use these indexes; none of them where one is not whole."""
        names = tuple(record.file for record in found)
        if names == self._files:
            return
        opened = [Built.open(record, self._folder) for record in found]
        self._built = [one for one in opened if one is not None]
        self._files, self.problem = names, ""
        if len(self._built) < len(found):
            self.problem = f"an index file in {self._folder} is missing or damaged: all vectors are searched exactly"
            log.warning("%s until the next build", self.problem)
            self._built = []
        self._removed = 0
        self._exact = Exact(self._space, after=found[0].last if self._built else 0)
