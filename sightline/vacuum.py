"""Rewrites a SQLite file without what was deleted from it: readers of any process go on meanwhile.

Does not know what is in the file. VACUUM is one transaction: killed at any moment, the file is the old or the new one.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from pathlib import Path

from sightline import durable
from sightline.errors import EngineError

PATIENCE_S = 30.0  # searches take milliseconds; a reader that holds on for so long is stuck or stopped
SPARE_BYTES = 8_000_000
_TEMPORARY = ("SQLITE_TMPDIR", "TMPDIR")  # where SQLite looks for room, in its order; then these
_FOLDERS = ("/var/tmp", "/usr/tmp", "/tmp")


def vacuum(path: Path) -> None:
    """Write the file anew from what is in it, and empty its log.

    Needs once its size free beside it and once where temporary files go. Raises EngineError where there is less or
    where a reader does not let go, sqlite3.Error.
    """
    connection = durable.connect(path, wait_s=PATIENCE_S)
    try:
        empty_log(connection, path)
        _refuse_narrow(connection, path)
        connection.execute("VACUUM")
        empty_log(connection, path)
    finally:
        connection.close()


def empty_log(connection: sqlite3.Connection, path: Path) -> None:
    """Put what is in the log into the file and cut the log to nothing. Raises EngineError where a reader holds on."""
    deadline = time.monotonic() + PATIENCE_S
    while connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:  # 1: somebody reads what it replaces
        if time.monotonic() > deadline:
            raise EngineError(
                f"{path} has been read for {PATIENCE_S:.0f} s without a pause, so its log still holds deleted things. "
                "Nothing is lost; compact again when that process is done."
            )
        time.sleep(0.02)


def slack(connection: sqlite3.Connection, path: Path) -> tuple[int, int]:
    """Pages of the file that hold nothing any more, and bytes in its log."""
    log = path.with_name(path.name + "-wal")
    return connection.execute("PRAGMA freelist_count").fetchone()[0], log.stat().st_size if log.exists() else 0


def _refuse_narrow(connection: sqlite3.Connection, path: Path) -> None:
    pages, free, size = (
        connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
    )
    needed: dict[Path, int] = {}
    for folder in (path.parent, _temporary()):
        needed[folder] = needed.get(folder, SPARE_BYTES) + (pages - free) * size
    by_disk: dict[int, tuple[Path, int]] = {}
    for folder, count in needed.items():
        disk = folder.stat().st_dev
        by_disk[disk] = (folder, by_disk.get(disk, (folder, 0))[1] + count)
    for folder, count in by_disk.values():
        there = shutil.disk_usage(folder).free
        if there < count:
            raise EngineError(
                f"to compact {path} takes {_mb(count)} free in {folder}, and there are {_mb(there)}. Nothing was "
                "changed. SQLITE_TMPDIR names another folder for temporary files."
            )


def _temporary() -> Path:
    for name in (*filter(None, map(os.environ.get, _TEMPORARY)), *_FOLDERS):
        folder = Path(name)
        if folder.is_dir() and os.access(folder, os.W_OK | os.X_OK):
            return folder
    return Path.cwd()


def _mb(count: int) -> str:
    return f"{count / 1e6:,.0f} MB"
