"""One writer at a time on a folder, across processes.

Does not know what is written; readers need no lock.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

from sightline.errors import ConfigError, NotFound

LOCK_WAIT_S = 2.0  # another writer's batch is usually done within this; past it the caller is told
_held: set[int] = set()  # descriptors of the locks that this process holds


class Locked(ConfigError):
    """Another process is writing; `holder` is its number."""

    def __init__(self, folder: Path, holder: str) -> None:
        super().__init__(
            f"{folder} is being written by another process (pid {holder}). "
            f"Nothing was changed; try again when it is done."
        )
        self.holder = holder


@contextlib.contextmanager
def patiently(writing: Callable[[], AbstractContextManager[None]], tell: Callable[[str], None]) -> Iterator[None]:
    """Enter `writing` however long another process holds it; `tell` hears now and then which one that is."""
    with contextlib.ExitStack() as entered:
        while True:
            try:
                entered.enter_context(writing())
                break
            except Locked as exc:
                tell(exc.holder)
        yield


@contextlib.contextmanager
def locked(path: Path, *, wait_s: float | None = None) -> Iterator[None]:
    """Hold an advisory lock on `path`; it names its holder's process, for which it waits LOCK_WAIT_S or `wait_s`.

    Raises Locked when another holds it, ConfigError when the folder cannot be written, NotFound when it is gone.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except FileNotFoundError as exc:
        raise NotFound(f"{path.parent} is gone: another process deleted the collection") from exc
    except OSError as exc:
        raise ConfigError(f"cannot write in {path.parent}: {exc.strerror}") from exc
    _held.add(descriptor)
    try:
        _wait(descriptor, path.parent, LOCK_WAIT_S if wait_s is None else wait_s)
        with contextlib.suppress(OSError):  # on a full disk the lock holds without the name of its holder
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield
    finally:
        _held.discard(descriptor)
        os.close(descriptor)


def _let_go() -> None:
    """In a child: without this, a worker forked while a lock is held would hold it on when its parent is killed."""
    while _held:
        os.close(_held.pop())


os.register_at_fork(after_in_child=_let_go)


def _wait(descriptor: int, folder: Path, wait_s: float) -> None:
    deadline = time.monotonic() + wait_s
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            if time.monotonic() > deadline:
                holder = os.pread(descriptor, 32, 0).decode().strip() or "unknown"
                raise Locked(folder, holder) from exc
            time.sleep(0.05)
        except OSError as exc:
            raise ConfigError(f"cannot lock {folder}: {exc.strerror}") from exc
        else:
            return
