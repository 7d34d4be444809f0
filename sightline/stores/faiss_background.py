"""Builds indexes when they are due: in a thread beside the writer, or within the write where that is asked for.

Does not know how. A process that is killed meanwhile leaves files that no row names, which the next build removes.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from sightline.certificate import Certificate
from sightline.errors import SightlineError
from sightline.stores import faiss_build, faiss_files
from sightline.stores.database import Database
from sightline.stores.faiss_build import Handed, Plan
from sightline.stores.faiss_kinds import kind_named
from sightline.types import PartVectors, Space

log = logging.getLogger("sightline.stores")

LOOK_EVERY = 5000  # vectors written between two looks at whether a build is due; the first write of a process looks


class Background:
    """The builds of one collection in this process, one at a time."""

    def __init__(self, database: Database, folder: Path, plan: Plan) -> None:
        self.problem = ""  # why the last build failed
        self._database, self._folder, self._plan = database, folder, plan
        self._written = LOOK_EVERY
        self._turn = threading.Lock()
        self._thread: threading.Thread | None = None

    @property
    def running(self) -> bool:
        """Whether an index is being built beside the writer."""
        thread = self._thread
        return thread is not None and thread.is_alive()

    def after(self, vectors: Sequence[PartVectors]) -> None:
        """Vectors were written: build what is due."""
        self._written += sum(len(one.vectors) for one in vectors)
        if not vectors or self.running or (self._plan.background and self._written < LOOK_EVERY):
            return
        self._written = 0
        spaces = list({one.space.fingerprint: one.space for one in vectors}.values())
        due = [one for one in spaces if faiss_build.is_due(self._database, self._folder, one, self._plan)]
        if due and self._plan.background:
            self._thread = threading.Thread(target=self._build, args=(due,), name="index build")
            self._thread.start()
        elif due:
            for space in due:
                self.now(space, self._kept(space), None)

    def now(self, space: Space, handed: Handed, kind: str | None) -> list[Certificate]:
        """Build the indexes of one space."""
        plan = self._plan if kind is None else replace(self._plan, kind=kind_named(kind).name)
        with self._turn:
            return faiss_build.build(self._database, self._folder, space, plan, handed)

    def finish(self) -> None:
        """Wait for the build that is under way."""
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _build(self, spaces: list[Space]) -> None:
        try:
            for space in spaces:
                self.now(space, self._kept(space), None)
        except SightlineError as exc:  # a search is as right without the index, only slower
            self.problem = f"the last build failed: {exc}"
            log.warning("%s", self.problem)
        else:
            self.problem = ""

    def _kept(self, space: Space) -> Handed:
        with self._database.reading() as connection:
            return faiss_files.kept_probes(connection, space)
