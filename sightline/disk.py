"""Folders that are there after a power cut, once these calls return: what was renamed or made is fsynced by name.

And that stay at their place while somebody opens files in them by name, where whoever moves them asks for that.

Does not know what is in them. SQLite and Qdrant fsync what they write; nobody but us fsyncs the folders around it.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
import stat
import time
from collections.abc import Iterator
from pathlib import Path

HOLD_WAIT_S = 10.0  # files are opened within this; past it whoever would move their folder is told
STAY_WAIT_S = 60.0  # a folder is moved within this, on the slowest disk; past it whoever would open its files is told
_BLOCK = 1 << 16
_held: set[int] = set()  # descriptors of the locks that this process holds, or waits for


def make_folder(folder: Path) -> None:
    """Make a folder and those above it; nothing to do where it is there. Raises OSError."""
    made = [each for each in (folder, *folder.parents) if not each.exists()]
    folder.mkdir(parents=True, exist_ok=True)  # another process may be quicker
    for each in reversed(made):
        sync(each.parent)


def move(here: Path, there: Path) -> None:
    """Rename within one file system: even after a power cut it has one name or the other. Raises OSError."""
    here.rename(there)
    sync(there.parent)
    if here.parent != there.parent:
        sync(here.parent)


@contextlib.contextmanager
def staying(folder: Path) -> Iterator[None]:
    """Nobody who is `holding` moves the folder meanwhile, so that its names mean the same files throughout.

    SQLite finds the log of a file by name when it first reads it: in another folder, that would be another's log.
    Waits STAY_WAIT_S for whoever moves it, then raises TimeoutError. Raises FileNotFoundError where there is none then.
    """
    until = time.monotonic() + STAY_WAIT_S
    while True:
        with _locked(folder, fcntl.LOCK_SH, until, "moving") as inode:
            if folder.stat().st_ino == inode:
                yield
                return


@contextlib.contextmanager
def holding(folder: Path) -> Iterator[None]:
    """Nobody is just opening files of the folder, which may so be moved.

    Waits HOLD_WAIT_S for whoever opens some, then raises TimeoutError. Raises FileNotFoundError where there is none.
    """
    with _locked(folder, fcntl.LOCK_EX, time.monotonic() + HOLD_WAIT_S, "opening"):
        yield


@contextlib.contextmanager
def _locked(folder: Path, how: int, until: float, doing: str) -> Iterator[int]:
    descriptor = os.open(folder, os.O_RDONLY)
    _held.add(descriptor)
    try:
        _wait(descriptor, how, until, doing)
        yield os.fstat(descriptor).st_ino
    finally:
        if descriptor in _held:  # else a child let it go
            _held.discard(descriptor)
            os.close(descriptor)


def _wait(descriptor: int, how: int, until: float, doing: str) -> None:
    """Lock before the clock says `until`. Raises TimeoutError that says what another process is `doing` with it."""
    while True:
        try:
            fcntl.flock(descriptor, how | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            if time.monotonic() > until:
                raise TimeoutError(errno.ETIMEDOUT, f"another process is just {doing} it; try again") from exc
            time.sleep(0.01)
        except OSError:  # a file system without locks
            return
        else:
            return


def _let_go() -> None:
    """In a child: one forked while files are opened would else keep their folder at its place for all its life."""
    while _held:
        os.close(_held.pop())


os.register_at_fork(after_in_child=_let_go)


def copy(here: Path, there: Path) -> None:
    """Copy a file; what is zeros becomes a hole, since some engines lay out files far larger than their content.

    Raises OSError.
    """
    with here.open("rb") as source, there.open("xb") as copied:
        while block := source.read(_BLOCK):
            if block.count(0) == len(block):
                copied.seek(len(block), os.SEEK_CUR)
            else:
                copied.write(block)
        copied.truncate(copied.tell())


def copy_tree(here: Path, there: Path) -> None:
    """Copy a folder with everything in it, each file as `copy` does. Raises OSError."""
    shutil.copytree(here, there, copy_function=lambda one, other: copy(Path(one), Path(other)))


def room(*paths: Path) -> int:
    """Bytes that files, and the files in folders, take on the disk; one that is just being removed takes none."""
    walked = [Path(top) / name for path in paths for top, _, names in os.walk(path) for name in names]
    total = 0
    for path in (*paths, *walked):
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            status = path.stat()
            total += 0 if stat.S_ISDIR(status.st_mode) else 512 * status.st_blocks
    return total


def sync_tree(folder: Path) -> None:
    """Put a folder on disk with everything in it. Raises OSError."""
    for path in (*folder.rglob("*"), folder):
        sync(path)


def sync(path: Path) -> None:
    """Put on disk what was written to a file, or the names in a folder. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        if hasattr(fcntl, "F_FULLFSYNC"):  # macOS: its fsync stops at the cache of the drive
            fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
        else:
            os.fsync(descriptor)
    except OSError as exc:
        if exc.errno not in (errno.EINVAL, errno.ENOTSUP):  # some file systems have no fsync for folders, nor need it
            raise
    finally:
        os.close(descriptor)
