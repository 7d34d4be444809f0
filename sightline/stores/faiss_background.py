"""Builds indexes when they are due: in a thread beside the writer, or within the write where that is asked for.

Does not know how. Of several processes one builds, and looks again when it is done. A process that is killed meanwhile
leaves files that no row names, which the next build removes.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from sightline.certificate import Certificate
from sightline.disk import make_folder
from sightline.errors import ConfigError, EngineError, SightlineError
from sightline.lock import locked
from sightline.stores import faiss_build, faiss_files
from sightline.stores.database import Database
from sightline.stores.faiss_build import Plan
from sightline.stores.faiss_kinds import kind_named
from sightline.stores.faiss_measure import Handed
from sightline.types import Space

log = logging.getLogger("sightline.stores")

LOOK_EVERY = 5000  # changes between two looks at whether a build is due; the first change of a process looks
ROUNDS = 8  # builds in a row that what was written meanwhile may ask for
_LOCK = "building"  # beside the files; who holds it builds what is due


class Background:
    """The builds of one collection in this process, one at a time."""

    def __init__(self, database: Database, folder: Path, plan: Plan) -> None:
        self.problem = ""  # why the last build failed
        self._database, self._folder, self._plan = database, folder, plan
        self._unseen = LOOK_EVERY  # changes since the last look
        self._changed: dict[str, Space] = {}  # fingerprint -> space, of what changed since the last look
        self._noting, self._looking, self._turn = threading.Lock(), threading.Lock(), threading.Lock()
        self._thread: threading.Thread | None = None

    @property
    def running(self) -> bool:
        """Whether an index is being built beside the writer."""
        thread = self._thread
        return thread is not None and thread.is_alive()

    def after(self, spaces: Iterable[Space], changes: int) -> None:
        """So many vectors or items of these spaces were written or deleted: build what is due."""
        if not changes:
            return
        with self._noting:
            self._unseen += changes
            self._changed |= {space.fingerprint: space for space in spaces}
        if self.running or (self._plan.background and self._unseen < LOOK_EVERY):
            return
        if self._looking.acquire(blocking=False):  # else another thread looks, and what was noted waits
            try:
                self._look()
            finally:
                self._looking.release()

    def now(self, space: Space, handed: Handed, kind: str | None) -> list[Certificate]:
        """Build the indexes of one space. Raises EngineError while another process builds or compacts."""
        plan = self._plan if kind is None else replace(self._plan, kind=kind_named(kind).name)
        with self._turn, self.alone(wait_s=None) as alone:
            if not alone:
                raise EngineError(f"another process is building an index in {self._folder}, or compacts the collection")
            return faiss_build.build(self._database, self._folder, space, plan, handed)

    def renew(self, space: Space) -> None:
        """Build the indexes of one space anew, or drop them where too few vectors are left."""
        with self._turn:
            faiss_build.renew(self._database, self._folder, space, self._plan, self._kept(space))

    def wait(self) -> None:
        """Wait for the build that is under way."""
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def finish(self) -> None:
        """Wait for the build that is under way, and build what came due since anybody looked."""
        self.wait()
        if self._changed:
            self._build()

    def stop(self) -> None:
        """Wait for the build that is under way, and let nothing more come due."""
        self._changed.clear()
        self.wait()
        self._changed.clear()

    def _look(self) -> None:
        due = self._due()
        if due and self._plan.background:
            self._thread = threading.Thread(target=self._build, args=due, name="index build")
            self._thread.start()
        elif due:
            self._renew(due)

    def _due(self, *also: Space) -> list[Space]:
        """The spaces that need a build, of those that changed since the last look and some others."""
        with self._noting:
            looked = {one.fingerprint: one for one in also} | self._changed
            self._unseen, self._changed = 0, {}
        return [one for one in looked.values() if faiss_build.is_due(self._database, self._folder, one, self._plan)]

    def _build(self, *due: Space) -> None:
        try:
            self._renew(due or self._due())
        except SightlineError as exc:  # a search is as right without the index, only slower
            self.problem = f"the last build failed: {exc}"
            log.warning("%s", self.problem)
        else:
            self.problem = ""

    def _renew(self, due: Sequence[Space]) -> None:
        """Build, and look again whether what was written meanwhile makes another one due."""
        if not due:
            return
        with self.alone() as alone:
            for _ in range(ROUNDS if alone else 0):
                for space in due:
                    self.renew(space)
                due = self._due(*due)

    @contextlib.contextmanager
    def alone(self, *, wait_s: float | None = 0.0) -> Iterator[bool]:
        """Whether no other process is building; none begins until the block is left."""
        with contextlib.ExitStack() as held:
            try:
                make_folder(self._folder)
                held.enter_context(locked(self._folder / _LOCK, wait_s=wait_s))
            except OSError as exc:
                raise EngineError(f"cannot write an index in {self._folder}: {exc.strerror}") from exc
            except ConfigError as exc:
                log.info("no index is built here: %s", exc)
                yield False
            else:
                yield True

    def _kept(self, space: Space) -> Handed:
        with self._database.reading() as connection:
            return faiss_files.kept_probes(connection, space)
