"""Snapshots: copies of a collection's files as they were at one moment, beside the index, each with a manifest.

Knows where they are kept and what is told of them; how files are copied is the store's and the ledger's.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from indexer import Ledger
from indexer.ledger import FILE as LEDGER
from sightline.errors import InputError, NotFound, UnreadableSource
from sightline.protocols import Store
from sightline.scanning import bytes_disk
from sightline.transfer.folders import appearing, disappear, sweep
from sightline.transfer.manifest import FILE, inside, read_manifest, write_manifest
from sightline.transfer.moment import Writing, held
from sightline.transfer.reports import Snapshot
from sightline.versions import versions

KIND, VERSION = "sightline-snapshot", 1
FOLDER = "snapshots"
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")


def snapshot(
    index: Path,
    collection: str,
    *,
    ledger: Ledger,
    store: Store,
    store_spec: str,
    writing: Writing,
    name: str | None = None,
) -> Snapshot:
    """Copy a collection as it is now; others read meanwhile, and write where the store is `faiss`.

    Without a name it gets the time. Raises InputError for a name that is taken, ConfigError where it cannot be written
    or the store keeps its files elsewhere.
    """
    made_at = datetime.now(UTC)
    place = folder_of(index, collection, made_at.strftime("%Y-%m-%dT%H-%M-%S-%fZ") if name is None else name)
    if place.exists():
        raise InputError(f"there is a snapshot {place.name!r} of {collection!r} already: {place}")
    sweep(place.parent)
    with held(ledger, store, store_spec, writing) as seen, appearing(place) as made:
        seen.store.copy(made)
        seen.ledger.copy(made / LEDGER)
        passport = seen.passport
        told: dict[str, Any] = {
            "name": place.name, "collection": collection, "made_at": made_at.isoformat(timespec="milliseconds"),
            "items": seen.ledger.count(), "store": store_spec, "encoder": passport.space if passport else "",
            "versions": versions([passport.space, store_spec] if passport else [store_spec]),
        }  # fmt: skip
        files = [path for path in made.rglob("*") if path.is_file() and path != made / "lock"]
        write_manifest(made, KIND, VERSION, told, files)
    return told_of(place)


def snapshots(index: Path, collection: str) -> list[Snapshot]:
    """What there is of a collection, oldest first; also of one that was deleted since."""
    folder = index / FOLDER / collection
    places = [each for each in folder.iterdir() if not each.name.startswith(".")] if folder.is_dir() else []
    return sorted(map(told_of, places), key=lambda one: (one.made_at, one.name))


def told_of(place: Path) -> Snapshot:
    """What the manifest of a snapshot says; one that has none, or a damaged one, has a `problem`."""
    try:
        manifest = read_manifest(place, KIND, VERSION)
        size = sum(bytes_disk(inside(place, name)) for name in manifest["files"])
        told: dict[str, Any] = {
            key: manifest.get(key) for key in ("collection", "made_at", "items", "store", "encoder")
        }
        if any(not isinstance(value, int if key == "items" else str) for key, value in told.items()):
            raise InputError(f"{place / FILE} makes no sense: it does not say of what it is a snapshot")
        return Snapshot(place.name, bytes=size, **told)
    except InputError as exc:
        return Snapshot(place.name, place.parent.name, "", 0, 0, "", "", problem=str(exc))


def remove_snapshot(index: Path, collection: str, name: str) -> None:
    """Delete a snapshot, whole or not at all. Raises NotFound."""
    place = found(index, collection, name)
    disappear(place)
    sweep(place.parent)


def owner_of(index: Path, name: str, preferred: str | None = None) -> str:
    """The collection that has a snapshot of this name: the `preferred` one, else the only one. Raises NotFound.

    Raises InputError where several have one and none is preferred.
    """
    folder = index / FOLDER
    owners = sorted(each.name for each in folder.iterdir() if (each / name).is_dir()) if folder.is_dir() else []
    if preferred in owners:
        return str(preferred)
    if len(owners) > 1:
        raise InputError(
            f"several collections have a snapshot {name!r}: {', '.join(owners)}. Say which by --collection"
        )
    if not owners or not _NAME.fullmatch(name):
        raise NotFound(f"no snapshot {name!r} in {index}; `sightline snapshot --list` shows those of a collection")
    return owners[0]


def found(index: Path, collection: str, name: str) -> Path:
    """Where a snapshot is. Raises NotFound, naming those there are."""
    place = folder_of(index, collection, name)
    if not place.is_dir():
        there = ", ".join(one.name for one in snapshots(index, collection)) or "none"
        raise NotFound(f"no snapshot {name!r} of collection {collection!r} in {index}; there are: {there}")
    return place


def folder_of(index: Path, collection: str, name: str) -> Path:
    """Where a snapshot of this name is kept. Raises InputError for a name that cannot be one."""
    if not _NAME.fullmatch(name):
        raise InputError(f"a snapshot's name is made of letters, digits, '-', '_' and '.', at most 64, not {name!r}")
    return index / FOLDER / collection / name


def manifest_of(place: Path) -> dict[str, Any]:
    """The manifest of a snapshot. Raises UnreadableSource."""
    try:
        return read_manifest(place, KIND, VERSION)
    except UnreadableSource:
        raise
    except InputError as exc:
        raise UnreadableSource(str(place), "it has no manifest") from exc
