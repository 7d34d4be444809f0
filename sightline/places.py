"""Where the collections of an index live on disk: named, made and removed, each whole or not at all.

Knows the ledger, by which a folder is known to be a collection; opens a store only to remove what is kept elsewhere.
"""

from __future__ import annotations

import errno
import shutil
from pathlib import Path
from uuid import uuid4

from indexer.ledger import FILE
from sightline import disk
from sightline.errors import ConfigError, SightlineError
from sightline.lock import locked
from sightline.passport import store_of
from sightline.stores import is_elsewhere, open_store

LOCK = "write.lock"
_GRAVE = ".deleted-"  # no collection's name begins with a dot


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


def finish(index: Path, collection: str) -> None:
    """Remove what a killed deletion left, of any collection.

    Where one of this name is kept elsewhere too, it must be gone there first: raises what its store raises when that
    cannot be reached, ConfigError while another process is at it.
    """
    folder = index / "collections"
    for grave in folder.glob(f"{_GRAVE}*") if folder.is_dir() else ():
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
