"""Where the collections of an index live on disk: named, made and removed, each whole or not at all.

Knows the ledger, by which a folder is known to be a collection; opens a store only to remove what is kept elsewhere.
"""

from __future__ import annotations

import contextlib
import errno
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from shlex import quote
from uuid import uuid4

from indexer.ledger import FILE, Ledger
from sightline import disk, durable
from sightline.errors import ConfigError, NotFound, SightlineError
from sightline.lock import locked
from sightline.passport import store_of
from sightline.stores import is_elsewhere, open_store
from sightline.stores.owned import OwnedElsewhere

LOCK = "write.lock"
_GRAVE = ".deleted-"  # no collection's name begins with a dot
_TRIES = 20  # to open a collection while others take theirs back
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


def make_folder(folder: Path) -> None:
    """Make the folder of a collection. Raises ConfigError."""
    try:
        disk.make_folder(folder)
    except OSError as exc:
        raise ConfigError(f"cannot make the index folder {folder}: {exc.strerror}") from exc


@contextlib.contextmanager
def entering(index: Path, collection: str, *, create: bool) -> Iterator[Ledger]:
    """The ledger of a collection, made with its folder where there is none and `create`.

    Where the block fails it is closed, and what was made goes again. Raises NotFound, ConfigError.
    """
    finish(index, collection)
    with on_trial(index, collection):
        ledger = _ledger(index, collection, create=create)
        try:
            yield ledger
        except BaseException:
            ledger.close()
            raise


@contextlib.contextmanager
def on_trial(index: Path, collection: str) -> Iterator[None]:
    """What is made in this block goes again where it fails: an empty collection, and the folders above it.

    It stays where items are in it, where it was there before, and while another process has it open.
    """
    folder = collection_folder(index, collection)
    absent = [each for each in (folder, *folder.parents) if not each.exists()]
    try:
        yield
    except BaseException:
        if folder in absent:
            with contextlib.suppress(SightlineError, sqlite3.Error, OSError):  # what cannot go stays: it does no harm
                _take_back(folder)
            with contextlib.suppress(OSError):  # others are in it by now
                for each in absent[1:]:
                    each.rmdir()
        raise


def _ledger(index: Path, collection: str, *, create: bool) -> Ledger:
    """A ledger that is at its place: where another process takes an empty collection back, it is made again."""
    folder = collection_folder(index, collection)
    for last in [False] * (_TRIES - 1) + [True]:
        if not is_collection(folder) and not create:
            raise NotFound(_missing(index, collection))
        try:
            make_folder(folder)
            ledger = Ledger(folder)
        except (ConfigError, FileNotFoundError):
            if last or folder.is_dir():
                raise
            continue
        if last or not ledger.replaced():
            break
        ledger.close()
    return ledger


def _take_back(folder: Path) -> None:
    """Remove a collection that is empty and that nobody else has open, with what a server keeps of it."""
    with locked(folder / LOCK, wait_s=0.0):
        if is_collection(folder):
            store = store_of(folder)
            with contextlib.closing(Ledger(folder)) as ledger:
                items = ledger.ids()
            with disk.holding(folder), durable.alone(folder / FILE) as alone:
                if items or not alone:
                    return
                grave = _bury(folder)
        else:
            grave, store = bury(folder), None
        if store is not None and is_elsewhere(store):
            with contextlib.suppress(SightlineError):
                open_store(store, grave, collection=folder.name).drop()
        clear(grave)


def _missing(index: Path, collection: str) -> str:
    others = collection_names(index)
    if others:
        return f"no collection {collection!r} in {index}; it has: {', '.join(others)}"
    return f"no index at {index}. Make one with: sightline index SOURCE --index {quote(str(index))}"


def bury(folder: Path) -> Path:
    """Take a collection out of sight in one step, on disk afterwards; the folder to `clear`. Raises ConfigError."""
    try:
        with disk.holding(folder):
            return _bury(folder)
    except FileNotFoundError as exc:
        raise ConfigError(f"cannot delete {folder}: it is gone") from exc
    except TimeoutError as exc:
        raise ConfigError(f"cannot delete {folder}: {exc.strerror}") from exc


def _bury(folder: Path) -> Path:
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
            with disk.holding(folder):
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
                    with contextlib.suppress(OwnedElsewhere):  # the folder was a copy: what is there is another's
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
