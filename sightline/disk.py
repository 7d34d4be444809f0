"""Folders that are there after a power cut, once these calls return: what was renamed or made is fsynced by name.

Does not know what is in them. SQLite and Qdrant fsync what they write; nobody but us fsyncs the folders around it.
"""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path


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
