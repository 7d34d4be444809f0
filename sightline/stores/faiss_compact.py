"""Compaction of a `faiss` collection: index files without the dead, words and rows written anew, old files gone.

Does not know who writes: nobody may meanwhile. Each step is a transaction or a file of a new name, and the note that
all is done comes last, so after a kill what is left is still known to be left.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

import numpy as np

from sightline import vacuum
from sightline.errors import ConfigError, EngineError
from sightline.remains import Remains, Tell
from sightline.stores import faiss_files as files
from sightline.stores import postings, sqlite, sqlite_remains
from sightline.stores.database import Database
from sightline.stores.faiss_background import Background
from sightline.types import Space


def compact(database: Database, folder: Path, builds: Background, tell: Tell) -> None:
    """Remove for good what was deleted or replaced. Raises EngineError where room is lacking."""
    builds.wait()
    with builds.alone() as alone:  # else what another process has read of it comes into an index that lands afterwards
        if not alone:
            raise EngineError(
                f"another process is building an index in {folder}. Nothing was changed; compact again when it is done."
            )
        _compact(database, folder, builds, tell)


def _compact(database: Database, folder: Path, builds: Background, tell: Tell) -> None:
    with database.reading() as connection:
        stale = [space for space in sqlite.spaces(connection) if _is_stale(connection, folder, space)]
    for done, space in enumerate(stale):
        tell("building indexes anew", done, len(stale))
        builds.renew(space)
    tell("writing the full-text index anew", 0, None)
    with database.writing() as connection:
        gone = sqlite_remains.clean(connection)
    tell("writing the rows anew", 0, None)
    database.rewrite()
    try:
        with database.writing() as connection:
            files.sweep(connection, folder, unfinished=True)
            sqlite_remains.mark(connection, *gone)
    except OSError as exc:
        raise EngineError(f"cannot remove old index files in {folder}: {exc.strerror}") from exc
    database.empty_log()


def remains(database: Database, folder: Path) -> Remains:
    """What deleted and replaced things have left behind, and what was looked at."""
    wrong, unseen = "", tuple[str, ...]()
    try:
        with database.writing() as connection:  # the full-text index checks itself in a write transaction only
            wrong = postings.check(connection)
    except ConfigError as exc:
        unseen = (f"the full-text index could not check itself: {exc}",)
    with database.reading() as connection:
        removed = sqlite_remains.removed(connection)
        struck = postings.struck_out(connection)
        left = sqlite_remains.orphans(connection)
        records = files.records(connection)
        left += [told for record in records if (told := _dead(connection, folder, record))]
        pages, log = vacuum.slack(connection, database.path)
    if removed:
        left.append(f"{removed:,} parts were deleted or replaced since the last compaction")
    if struck:
        left.append(f"the full-text index keeps {struck:,} words of texts that are gone")
    if wrong:
        left.append(f"the full-text index is damaged: {wrong}")
    named = {record.file for record in records}
    loose = sorted(path.name for path in folder.glob("*.*") if path.stem not in named)
    if loose and removed:  # of the build before, they cover what is there, and what has gone since
        left.append(f"{len(loose)} files in {folder} belong to no index: {', '.join(loose[:3])}")
    facts = (f"{database.path.name}: {pages:,} free pages, {log:,} bytes of log", f"{len(records)} indexes looked at")
    return Remains(tuple(left), unseen, facts)


def _is_stale(connection: sqlite3.Connection, folder: Path, space: Space) -> bool:
    return any(_dead(connection, folder, record) for record in files.records(connection, space.fingerprint))


def _dead(connection: sqlite3.Connection, folder: Path, record: files.Record) -> str:
    """How many rows of an index are of vectors that are gone; "" where none is."""
    if not files.is_sound(record, folder):
        return f"the index {record.file} is missing or damaged"
    covered = np.load(record.files(folder)[1], mmap_mode="r")[0]
    there = sqlite.vector_ids(connection, Space("", record.dim, record.fingerprint))
    dead = int((~np.isin(covered, there, assume_unique=True)).sum())
    return f"the index {record.file} of {record.modality} parts covers {dead:,} vectors that are gone" if dead else ""
