"""Folders that are there whole or not at all: filled beside their place, put on disk, moved there in one step.

Does not know what is put into them. What a kill leaves beside a place, the next to write there removes.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

from sightline import disk
from sightline.errors import ConfigError, SightlineError
from sightline.lock import locked

_LOCK = "lock"


@contextlib.contextmanager
def appearing(place: Path, *, replace: bool = False) -> Iterator[Path]:
    """A new folder that moves to `place` when the block ends well, and goes when it raises.

    `replace`: instead of a folder that is there, which goes only then. Raises ConfigError where it cannot be written.
    """
    with _refusing(place):
        disk.make_folder(place.parent)
        _sweep(place)
        made = _beside(place, "new")
        made.mkdir()
    try:
        with locked(made / _LOCK), _refusing(place):
            yield made
            (made / _LOCK).unlink()
            disk.sync_tree(made)
            _put(made, place, replace)
    except BaseException:
        shutil.rmtree(made, ignore_errors=True)
        raise


def _put(made: Path, place: Path, replace: bool) -> None:
    if not (replace and place.exists()):
        disk.move(made, place)
        return
    old = _beside(place, "old")
    disk.move(place, old)
    try:
        disk.move(made, place)
    except BaseException:
        if not place.exists():
            disk.move(old, place)
        raise
    shutil.rmtree(old, ignore_errors=True)


def disappear(place: Path) -> None:
    """Remove a folder: gone in one step, its files then. Raises ConfigError."""
    gone = _beside(place, "new")
    with _refusing(place):
        disk.move(place, gone)
    shutil.rmtree(gone, ignore_errors=True)  # what is left, the next `sweep` removes


def sweep(folder: Path, names: str = "*") -> None:
    """Remove what killed processes left in a folder of places of these names: what nobody holds."""
    for left in folder.glob(f".{names}.new-*"):
        with contextlib.suppress(SightlineError), locked(left / _LOCK, wait_s=0.0):
            shutil.rmtree(left, ignore_errors=True)


def _sweep(place: Path) -> None:
    sweep(place.parent, _escaped(place.name))
    for left in place.parent.glob(f".{_escaped(place.name)}.old-*"):
        if place.exists():
            shutil.rmtree(left, ignore_errors=True)


def _beside(place: Path, what: str) -> Path:
    return place.with_name(f".{place.name}.{what}-{uuid4().hex}")


def _escaped(name: str) -> str:
    return "".join(f"[{one}]" if one in "*?[" else one for one in name)


@contextlib.contextmanager
def _refusing(place: Path) -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        raise ConfigError(f"cannot write {place}: {exc.strerror or exc}") from exc
