"""Reads a file whole, if it is one and not too large; a pipe, a device or a file without end holds nobody up.

Does not know what is in it.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from sightline.errors import UnreadableSource

MAX_BYTES = 256_000_000


def read(path: Path, *, source: str, cap: int = MAX_BYTES, start: int = 0, size: int | None = None) -> bytes:
    """All of a file, or at most `size` bytes of it from `start` on.

    Raises UnreadableSource, which calls it `source`, when it is absent, empty, no regular file, cut shorter meanwhile,
    or would give more than `cap` bytes.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # asked first, for to open a device may do something
            raise UnreadableSource(source, "not a regular file")
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # nor may a pipe put in its place hold us up
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise UnreadableSource(source, "not a regular file")
            wanted = status.st_size if size is None else size
            if wanted > cap:
                raise UnreadableSource(source, too_large(wanted, cap))
            if not status.st_size:
                raise UnreadableSource(source, "the file is empty")
            file.seek(start)
            data = file.read(cap if size is None else size)
    except FileNotFoundError as exc:
        raise UnreadableSource(source, "there is no such file") from exc
    except OSError as exc:
        raise UnreadableSource(source, f"cannot be opened: {exc.strerror}") from exc
    except ValueError as exc:  # a NUL in the path
        raise UnreadableSource(source, "not a path") from exc
    if size is None and len(data) < wanted:
        raise UnreadableSource(source, "it was changed while it was read")
    return data


def too_large(size: int, cap: int) -> str:
    """The reason why a file of `size` bytes is not read."""
    return f"too large: {size / 1e6:,.0f} MB, more than the {cap / 1e6:,.0f} MB read"
