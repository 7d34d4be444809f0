"""Finds files and bytes in them, whatever the files are.

Does not know formats: what a file has compressed, cut in two or encrypted is not found.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

_BLOCK = 1 << 20
_AROUND = 512  # bytes told on either side


def files_in(folder: Path) -> Iterator[Path]:
    """Every file in a folder and those below it."""
    return (path for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink())


def bytes_disk(path: Path) -> int:
    """What a file takes on disk, its holes apart; nothing where it is gone."""
    try:
        return 512 * path.stat().st_blocks
    except FileNotFoundError:
        return 0


def places(path: Path, wanted: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """Where a file holds some bytes: the place, and up to 512 bytes before and after. A file that is gone has none."""
    try:
        with path.open("rb") as file:
            for start, stop in _written(file.fileno()):
                for at in _found(file.fileno(), wanted, start, stop):
                    before = os.pread(file.fileno(), min(at, _AROUND), max(0, at - _AROUND))
                    yield at, before, os.pread(file.fileno(), _AROUND, at + len(wanted))
    except FileNotFoundError:
        return


def _found(descriptor: int, wanted: bytes, start: int, stop: int) -> Iterator[int]:
    """Read, not mapped: another process may cut the file meanwhile, which ends a process that has it mapped."""
    for at in range(start, stop, _BLOCK):
        block = os.pread(descriptor, min(_BLOCK + len(wanted) - 1, stop - at), at)
        found = block.find(wanted)
        while found >= 0:
            yield at + found
            found = block.find(wanted, found + 1)


def _written(descriptor: int) -> Iterator[tuple[int, int]]:
    """Where a file has been written: what it only reserves, as databases do, is zeros."""
    at = 0
    while True:
        try:
            start = os.lseek(descriptor, at, os.SEEK_DATA)
            at = os.lseek(descriptor, start, os.SEEK_HOLE)
        except OSError:  # nothing after this
            return
        yield start, at


def holders(paths: Iterable[Path], wanted: Iterable[bytes]) -> list[Path]:
    """The files that hold any of these bytes."""
    each = list(wanted)
    return [path for path in paths if any(next(places(path, one), None) for one in each)]


def forms(text: str) -> list[bytes]:
    """A text as a file may hold it: as UTF-8, and as JSON writes it."""
    spelt = [text, json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]]
    return list(dict.fromkeys(one.encode("utf-8", "surrogatepass") for one in spelt))
