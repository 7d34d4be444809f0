"""What a search looks at in one space: the built indexes, and exactly what came after them; and the gate to change it.

Does not know when to load or to build.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sightline.stores import faiss_files as files
from sightline.stores import sqlite
from sightline.stores.faiss_built import Built
from sightline.stores.faiss_exact import Exact, by_score
from sightline.types import Modality, PartHit, Space, Vectors

log = logging.getLogger("sightline.stores")


class Held:
    """What a search looks at in one space: the built indexes, and exactly what came after them."""

    def __init__(self, space: Space, folder: Path) -> None:
        self.version = -1
        self.problem = ""  # why indexes that are on record are not used
        self._space, self._folder = space, folder
        self._files: tuple[str, ...] = ()
        self._built: list[Built] = []
        self._exact = Exact(space)

    def load(self, connection: sqlite3.Connection, version: int) -> None:
        """Take over what was built, added and removed since the last time."""
        self._open(files.records(connection, self._space.fingerprint))
        self._exact.load(connection)
        held = len(self._exact) + sum(len(one) for one in self._built)
        if held != sqlite.vector_count(connection, self._space):
            there = sqlite.vector_ids(connection, self._space)
            self._exact.keep(there)
            for one in self._built:
                one.keep(there)
        self.version = version

    def search(
        self,
        connection: sqlite3.Connection,
        queries: Vectors,
        k: int,
        items: NDArray[np.int64] | None,
        modalities: frozenset[Modality] | None,
    ) -> list[list[PartHit]]:
        """For each of (q, dim), the k best parts among those of `items` and `modalities`; None: all."""
        found = [self._exact.search(queries, k, items, modalities)]
        found += [
            one.search(connection, queries, k, items)
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
        self._exact = Exact(self._space, after=found[0].last if self._built else 0)


class Gate:
    """Many searches, or one change of what is searched."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._searches = 0

    @contextlib.contextmanager
    def read(self) -> Iterator[None]:
        with self._changed:
            self._searches += 1
        try:
            yield
        finally:
            with self._changed:
                self._searches -= 1
                self._changed.notify_all()

    @contextlib.contextmanager
    def write(self) -> Iterator[None]:
        with self._changed:
            self._changed.wait_for(lambda: self._searches == 0)
            yield
