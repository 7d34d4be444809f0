"""Puts a snapshot back: copied beside the collection, looked at byte by byte, then in its place in one step.

Knows files; opens a store only to see that nobody else has it open.
"""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

from sightline import disk, places
from sightline.errors import ConfigError, InputError, NotFound, UnreadableSource
from sightline.lock import locked
from sightline.passport import store_of
from sightline.settings import Settings
from sightline.stores import is_elsewhere, open_store
from sightline.transfer.manifest import check_files, digest, inside
from sightline.transfer.reports import Snapshot
from sightline.transfer.snapshots import found, manifest_of, told_of


def restore(index: Path, collection: str, name: str, *, into: str | None = None, force: bool = False) -> Snapshot:
    """Put a snapshot of `collection` back, as itself or as the collection `into`.

    Killed at any moment, the collection is the old or the restored one, whole. Processes that have the old one open are
    told that it is gone. Raises NotFound, UnreadableSource for a damaged snapshot, InputError where a collection is
    there and not `force`, ConfigError while another process writes to it.
    """
    target = Settings.read(index=index, collection=into or collection).collection  # a name that a collection may have
    source = found(index, collection, name)
    folder = places.collection_folder(index, target)
    places.finish(index, target)
    _refuse(folder, force=force)
    manifest = manifest_of(source)
    check_files(source, manifest)
    with places.arriving(folder) as new:
        try:
            for file, entry in manifest["files"].items():
                _copy(source, new, file, entry["sha256"])
            disk.sync_tree(new)
        except OSError as exc:
            raise ConfigError(f"cannot write {new}: {exc.strerror}") from exc
        with locked(folder / places.LOCK) if places.is_collection(folder) else nullcontext():
            _refuse(folder, force=force)
            _refuse_open_elsewhere(folder, target)
            places.replace(folder, new)
    return told_of(source)


def _copy(source: Path, new: Path, file: str, sha256: str) -> None:
    place = new / file
    place.parent.mkdir(parents=True, exist_ok=True)
    disk.copy(inside(source, file), place)
    if digest(place) != sha256:
        raise UnreadableSource(str(source / file), "could not be copied as it is: it was changed meanwhile")


def _refuse(folder: Path, *, force: bool) -> None:
    if not places.is_collection(folder):
        return
    if not force:
        raise InputError(
            f"there is a collection {folder.name!r} already. Nothing was changed: restore beside it with "
            f"--collection NEW, or in its place with --force"
        )
    store = store_of(folder)
    if store is not None and is_elsewhere(store):
        raise InputError(
            f"the collection {folder.name!r} is kept in {store!r}: a snapshot does not replace it. Restore it beside "
            f"that, with --collection NEW"
        )


def _refuse_open_elsewhere(folder: Path, collection: str) -> None:
    """Raise ConfigError where the store allows one process only, and another has it open."""
    if not places.is_collection(folder):
        return
    try:
        store = store_of(folder)
    except NotFound:
        return
    if store == "qdrant":
        open_store(store, folder, collection=collection).close()
