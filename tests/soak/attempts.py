"""One operation in a process of its own, killed with SIGKILL at a line of ours or at a moment by the clock.

Does not know what is right afterwards. A line is exact and falls between two calls; the clock also hits inside SQLite,
FAISS and Qdrant, in the middle of a write or an fsync.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from types import FrameType
from typing import Any

import indexer
import sightline
from tests.soak.operations import OPERATIONS
from tests.soak.shop import BATCH, Opened, Shop

# A fork of a process that has imported everything costs milliseconds; a fresh interpreter seconds.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["tests.soak.verdicts", "sightline.stores.faiss", "sightline.stores.qdrant.edge"])
OURS = tuple(str(Path(str(package.__file__)).parent) for package in (sightline, indexer))
PATIENCE_S = 120.0


@dataclass(frozen=True, slots=True)
class Task:
    """An operation on the collection in `index`. `die_at` counts lines of ours from the start; None: it is let be."""

    shop: Shop
    index: Path
    store: str
    operation: str
    gone: list[str]
    die_at: int | None = None
    count: bool = False


@dataclass(frozen=True, slots=True)
class Fate:
    """How an attempt ended. `began` and `done` are what it said before it was dead."""

    began: bool
    done: bool
    lines: tuple[int, int] = (0, 0)  # run by the time it began, and in all; where they were counted
    seconds: float = 0.0  # from where it began


def attempt(task: Task, *, kill_after_s: float | None = None) -> Fate:
    """Run a task; kill it so many seconds after the collection is open, unless it is done before."""
    here, there = PROCESSES.Pipe(duplex=False)
    process = PROCESSES.Process(target=_attempt, args=(task, there))
    process.start()
    there.close()
    told: dict[str, int] = {}
    began = heard = time.monotonic()
    with contextlib.suppress(EOFError):
        while "done" not in told:
            limit = PATIENCE_S if kill_after_s is None or not told else began + kill_after_s - time.monotonic()
            if here not in wait([here, process.sentinel], max(0.0, limit)):
                break
            what, line = here.recv()
            told[what], heard = line, time.monotonic()
            began = heard if what == "began" else began
    process.kill()  # at its moment, or as soon as it has said that it is done; or it died by itself
    process.join()
    with contextlib.suppress(EOFError):
        while here.poll():  # what it could still say
            told.update([here.recv()])
    here.close()
    if process.exitcode not in (0, -signal.SIGKILL):
        raise AssertionError(f"{task.operation} failed by itself, with exit status {process.exitcode}")
    return Fate("began" in told, "done" in told, (told.get("began", 0), told.get("done", 0)), heard - began)


def opened(shop: Shop, index: Path, store: str, *, create: bool = True) -> Opened:
    """The collection, as an attempt and a verdict open it."""
    return Opened.open(index, store=store, batch_size=BATCH, create=create)


def _attempt(task: Task, said: Connection) -> None:
    lines = _Lines(task.die_at)
    if task.die_at is not None or task.count:
        threading.settrace(lines)
        sys.settrace(lines)
    index = opened(task.shop, task.index, task.store)
    said.send(("began", lines.run))
    OPERATIONS[task.operation].run(index, task.shop, task.gone)
    said.send(("done", lines.run))
    sys.settrace(None)
    threading.settrace(None)  # type: ignore[arg-type]
    index.close()


class _Lines:
    """Counts the lines of ours that are run, by any thread, and kills this process at one of them."""

    def __init__(self, die_at: int | None) -> None:
        self.run = 0
        self._die_at = die_at

    def __call__(self, frame: FrameType, _event: str, _argument: Any) -> Any:
        return self._line if frame.f_code.co_filename.startswith(OURS) else None

    def _line(self, _frame: FrameType, event: str, _argument: Any) -> Any:
        if event == "line":
            self.run += 1
            if self.run == self._die_at:
                os.kill(os.getpid(), signal.SIGKILL)
        return self._line
