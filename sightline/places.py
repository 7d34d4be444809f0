"""Where the collections of an index live on disk: named, made and removed, each whole or not at all.

Knows the ledger, by which a folder is known to be a collection; opens a store only to remove what is kept elsewhere.
"""

from __future__ import annotations

import contextlib
import errno
import shutil
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

from indexer.ledger import FILE
from sightline import disk
from sightline.errors import ConfigError, NotFound, SightlineError
from sightline.lock import locked
from sightline.passport import store_of
from sightline.stores import is_elsewhere, open_store

LOCK = "write.lock"
_GRAVE = ".deleted-"  # no collection's name begins with a dot
_OLD, _NEW = ".replaced-", ".restored-"  # of one replacement both end alike


def collection_folder(index: Path, collection: str) -> Path:
    """Where one collection lives. Each has a folder of its own, so nothing can cross between them."""
    return index / "collections" / collection


def is_collection(folder: Path) -> bool:
    """Whether a collection is there: a folder with a ledger."""
    return (folder / FILE).is_file()


def collection_names(index: Path) -> list[str]:
    """The collections in an index folder, sorted; none when the folder is not there."""
    folder = index / "collections"
    names = [each.name for each in folder.iterdir() if is_collection(each)] if folder.is_dir() else []
    return sorted(name for name in names if not name.startswith("."))


def missing(index: Path, collection: str) -> str:
    """What to say of a collection that is not there."""
    if others := collection_names(index):
        return f"no collection {collection!r} in {index}; it has: {', '.join(others)}"
    return f"no index at {index}. Make one with: sightline index SOURCE --index {index}"


def make_folder(folder: Path) -> None:
    """Make the folder of a collection. Raises ConfigError."""
    try:
        disk.make_folder(folder)
    except OSError as exc:
        raise ConfigError(f"cannot make the index folder {folder}: {exc.strerror}") from exc


def bury(folder: Path) -> Path:
    """Take a collection out of sight in one step, on disk afterwards; the folder to `clear`. Raises ConfigError."""
    grave = folder.with_name(f"{_GRAVE}{folder.name}-{uuid4().hex}")
    try:
        disk.move(folder, grave)
    except OSError as exc:
        raise ConfigError(f"cannot delete {folder}: {exc.strerror}") from exc
    return grave


def clear(grave: Path) -> None:
    """Remove what is left of a buried collection. Raises ConfigError where a file of it cannot be removed."""
    try:
        shutil.rmtree(grave)
    except OSError as exc:
        if exc.errno not in (errno.ENOENT, errno.ENOTEMPTY):  # else another process removes it at the same time
            raise ConfigError(f"cannot delete {grave}: {exc.strerror}") from exc


@contextlib.contextmanager
def arriving(folder: Path) -> Iterator[Path]:
    """An empty folder beside a collection's, to be filled and to `replace` it; gone when the block ends.

    Nobody else writes to it, wherever it is by then, until the block is left. Raises ConfigError.
    """
    new = folder.with_name(f"{_NEW}{folder.name}-{uuid4().hex}")
    make_folder(new)
    try:
        with locked(new / LOCK):
            yield new
    finally:
        shutil.rmtree(new, ignore_errors=True)


def replace(folder: Path, new: Path) -> None:
    """Put a filled folder in a collection's place, on disk afterwards: whenever killed, one of them is there, whole.

    Stopped by anything but a kill, the old one is back, or the new one is there. Whoever calls this holds the lock of
    the old one, if there is one. Raises ConfigError.
    """
    old = new.with_name(new.name.replace(_NEW, _OLD, 1))
    try:
        if folder.exists():
            disk.move(folder, old)
        _put(new, folder)  # killed before this, the next `open` does it
    except BaseException as exc:
        if old.exists() and new.exists():
            _put(old, folder)
        if isinstance(exc, OSError):
            raise ConfigError(f"cannot put a collection at {folder}: {exc.strerror}") from exc
        raise
    if old.exists():
        clear(old)


def _put(here: Path, folder: Path) -> None:
    """Move a collection to its place. Whoever made an empty one there meanwhile is told that it is gone.

    Raises OSError.
    """
    while True:
        try:
            disk.move(here, folder)
        except OSError as exc:
            if exc.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
            with contextlib.suppress(NotFound), locked(folder / LOCK):
                clear(bury(folder))
        else:
            return


def finish(index: Path, collection: str) -> None:
    """Go on with what a killed deletion or replacement left, of any collection.

    Where one of this name is kept elsewhere too, it must be gone there first: raises what its store raises when that
    cannot be reached, ConfigError while another process is at it.
    """
    folder = index / "collections"
    if not folder.is_dir():
        return
    _finish_replacing(folder, collection)
    for grave in folder.glob(f"{_GRAVE}*"):
        name = grave.name.removeprefix(_GRAVE).rpartition("-")[0]
        must = False
        try:
            store = store_of(grave) if is_collection(grave) else None
            elsewhere = store is not None and is_elsewhere(store)
            must = elsewhere and name == collection
            with locked(grave / LOCK, wait_s=None if must else 0.0):
                if store is not None and elsewhere:
                    open_store(store, grave, collection=name).drop()
                clear(grave)
        except SightlineError:
            if must and grave.is_dir():
                raise


def _finish_replacing(folder: Path, collection: str) -> None:
    """Put collections in place whose old one was moved away already; others that were to come go."""
    for old in folder.glob(f"{_OLD}*"):
        new, name = old.with_name(old.name.replace(_OLD, _NEW, 1)), old.name.removeprefix(_OLD).rpartition("-")[0]
        must = name == collection
        try:
            with locked(old / LOCK, wait_s=None if must else 0.0):
                if new.is_dir():
                    _put(new, folder / name)
                elif not (folder / name).exists():  # what was to replace it was never put there
                    disk.move(old, folder / name)
                    continue
                clear(old)
        except SightlineError:
            if must and not (folder / name).exists():
                raise
    for new in folder.glob(f"{_NEW}*"):
        if not new.with_name(new.name.replace(_NEW, _OLD, 1)).exists():
            with contextlib.suppress(SightlineError), locked(new / LOCK, wait_s=0.0):
                clear(new)
