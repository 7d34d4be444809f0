"""A compact copy of an embedded Qdrant's folder put in its place: what is in it was written as it is now, nothing else.

Does not know how points are read or written. Qdrant keeps what was deleted or replaced in its log and its segments, and
its own optimizer leaves much of it there; so all of it is left behind.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path

from sightline import scanning
from sightline.disk import move
from sightline.errors import ConfigError
from sightline.lock import Locked, locked
from sightline.remains import Remains
from sightline.stores.qdrant.points import point_id

LOCK = "qdrant.lock"
_ENDS = ("fields", "image-0", "text-0")  # of the parts that nearly every item has


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """As long as a folder is open, no other process opens it. Raises ConfigError."""
    with contextlib.ExitStack() as held:
        try:
            held.enter_context(locked(folder.parent / LOCK))
        except Locked as exc:
            where = "this process already" if exc.holder == str(os.getpid()) else f"another process (pid {exc.holder})"
            raise ConfigError(
                f"{folder.parent} is open in {where}: an embedded Qdrant serves one process at a time. Nothing was "
                "changed."
            ) from exc
        yield


def recover(folder: Path) -> None:
    """End the change that a process was killed in: the old folder is as right as the new one, and surely whole."""
    if not folder.exists() and _old(folder).exists():
        move(_old(folder), folder)
    for left in (_old(folder), fresh(folder)):
        shutil.rmtree(left, ignore_errors=True)


def fresh(folder: Path) -> Path:
    """Where the copy is made."""
    return folder.with_name(folder.name + ".compact")


def change_over(folder: Path) -> None:
    """Put the copy in the folder's place. Nobody has either open. Raises OSError, and then `recover` puts it right."""
    move(folder, _old(folder))
    move(fresh(folder), folder)


def clear(folder: Path) -> None:
    """Remove the folder that was replaced."""
    shutil.rmtree(_old(folder))


def remains(folder: Path, ids: Sequence[str]) -> Remains:
    """What is left beside the folder, and in which of its files the points of some items are still named."""
    left = [f"{path} is left of a compaction" for path in (_old(folder), fresh(folder)) if path.exists()]
    files = list(scanning.files_in(folder))
    for item in ids:
        named = [uuid.UUID(one).bytes for one in _points(item)]
        if found := scanning.holders(files, named):
            places = ", ".join(str(path.relative_to(folder.parent)) for path in found[:3])
            left.append(f"{len(found)} files name the points of {item!r}: {places}")
    return Remains(tuple(left), facts=(f"{folder.name}: {len(files):,} files",))


def _points(item: str) -> list[str]:
    return [point_id("item", item), *(point_id("part", f"{item}#{end}") for end in _ENDS)]


def _old(folder: Path) -> Path:
    return folder.with_name(folder.name + ".old")
