"""When a collection is compacted, and in which order: the ledger forgets first, the store notes last that all is done.

Does not know how a file is written anew; that is the store's, and the ledger's.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import TypeAlias

import indexer
from sightline import places, proving, scanning
from sightline.errors import SightlineError
from sightline.protocols import Store
from sightline.proving import Proof
from sightline.remains import CompactReport, Tell, silent
from sightline.settings import Settings
from sightline.transfer.snapshots import snapshots
from sightline.types import StoreStats

log = logging.getLogger("sightline.compacting")

SHARE = 0.25  # of all parts ever stored since the last compaction, deleted or replaced
LEAST_BYTES = 32_000_000  # less room is not worth a rewrite
MOST_BYTES = 1_000_000_000  # larger collections take minutes: when, the operator says
LOOK_EVERY_S = 60.0  # while a process writes on
TELL_EVERY_S = 0.2  # while somebody waits for one
LOG_AFTER_S = 2.0  # of waiting that nobody else is told of

Writing: TypeAlias = Callable[[], AbstractContextManager[None]]


class Compactions:
    """The compactions of one open collection: when asked for, and by itself after writing where it is worth it."""

    def __init__(self, store: Store, ledger: indexer.Ledger, settings: Settings, writing: Writing) -> None:
        self._store, self._ledger, self._settings, self._writing = store, ledger, settings, writing
        self._looked = -LOOK_EVERY_S
        self._stopped = False
        self._at_it = threading.Event()
        self._thread: threading.Thread | None = None

    def now(self, tell: Tell = silent) -> CompactReport:
        """Remove for good what was deleted or replaced; where nothing was, nothing is written.

        Raises EngineError where the disk has too little room.
        """
        started = time.perf_counter()
        with self._writing():
            before = self._store.stats()
            bytes_before = before.bytes_disk + self._ledger.bytes_disk()
            tell("looking for what was deleted or replaced", 0, None)
            lost = proving.begun(self._store, self._ledger)
            seen, told = self._store.remains(), self._ledger.remains()
            stored = bool(lost or before.removed or seen.left)
            needed, forgotten = stored or bool(told.left) or self._ledger.is_loose(), 0
            if needed:
                tell("clearing the ledger", 0, None)
                self._ledger.forget(lost)
                forgotten = self._ledger.compact()
            if stored:
                seen = self._store.compact(tell=tell)
            bytes_after = self._store.stats().bytes_disk + self._ledger.bytes_disk()
            self._looked = time.monotonic()
        older = tuple(one.name for one in snapshots(self._settings.index, self._settings.collection))
        took = time.perf_counter() - started
        return CompactReport(before.removed, forgotten, bytes_before, bytes_after, seen.unseen, older, took, needed)

    def proof(self, gone: Sequence[str] = (), tell: Tell = silent) -> Proof:
        """What is left of deleted things; the ids in `gone` are looked for in every byte of every file."""
        return proving.proof(self._store, self._ledger, self._settings, gone=gone, tell=tell)

    def after(self) -> None:
        """Something was written: see whether it is time, beside the writer."""
        now, looking = time.monotonic(), self._thread is not None and self._thread.is_alive()
        if not self._settings.auto_compact or looking or now < self._looked + LOOK_EVERY_S:
            return
        if self._stopped or self._ledger.replaced():
            return
        self._looked = now
        self._thread = threading.Thread(target=self._look, name="compaction")
        self._thread.start()

    def stop(self) -> None:
        """Never again, since there will be nothing to compact; waits for what is under way."""
        self._stopped = True
        self.finish()

    def finish(self, tell: Tell | None = None) -> None:
        """Wait for what is under way; `tell` hears now and then that it is, else the log, once and if it goes on."""
        due = time.monotonic() + LOG_AFTER_S
        while self._thread is not None and self._thread.is_alive():
            self._thread.join(TELL_EVERY_S)
            if self._at_it.is_set() and tell:
                tell("removing for good what was deleted", 0, None)
            elif self._at_it.is_set() and time.monotonic() >= due:
                due = math.inf
                log.warning("waiting until what was deleted is gone for good (auto_compact=False leaves it to compact)")

    def _look(self) -> None:
        try:
            if LEAST_BYTES <= self._bytes_disk() <= MOST_BYTES and is_due(self._store.stats()):
                self._at_it.set()
                report = self.now()
                log.info("compacted by itself: %d parts removed for good in %.1f s", report.removed, report.seconds)
        except (SightlineError, OSError) as exc:  # nothing is lost, and it is tried again later
            log.warning("not compacted: %s", exc)
        finally:
            self._at_it.clear()

    def _bytes_disk(self) -> int:
        """What all files of the collection here take: quicker to tell than how much of them is dead."""
        folder = places.collection_folder(self._settings.index, self._settings.collection)
        return sum(map(scanning.bytes_disk, scanning.files_in(folder)))


def share(stats: StoreStats) -> float:
    """How much of what is kept was deleted or replaced, as far as it can be told without looking."""
    return stats.removed / (stats.removed + stats.parts) if stats.removed else 0.0


def is_due(stats: StoreStats) -> bool:
    """Whether a compaction gives back enough to be worth it."""
    dead = share(stats)
    return dead >= SHARE and stats.bytes_disk * dead >= LEAST_BYTES
