"""Builds the indexes of one space, measures what they find, and picks a finer kind where that is less than promised.

Does not know who searches meanwhile: vectors are read a few thousand at a time, by row ids that never change.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import faiss
import numpy as np

from sightline.certificate import PROMISE, SEED, Certificate, Recall, Truth
from sightline.errors import ConfigError, EngineError
from sightline.stores import faiss_files, sqlite
from sightline.stores.chance import Which, counted
from sightline.stores.database import Database
from sightline.stores.faiss_built import Built
from sightline.stores.faiss_files import Record
from sightline.stores.faiss_kinds import BUILD_FROM, KINDS, SAMPLE_A_LIST, Kind, chosen, kind_named, lists, trained
from sightline.stores.faiss_measure import (
    Asked,
    Group,
    Handed,
    Spoken,
    asked_of,
    certificate,
    groups_of,
    recalls,
    silent,
    stream,
)
from sightline.types import PartHit, Space, Vectors

log = logging.getLogger("sightline.stores")

PATIENCE = 30  # times that a build waits for other writers as long as an upsert does
SAMPLE = 50_000  # vectors that codes are learnt from, at least, where there are so many


@dataclass(frozen=True, slots=True)
class Plan:
    """When a space gets an index, of which kind, and what is promised of it."""

    kind: str | None = None  # None: by size
    build_from: int = BUILD_FROM  # vectors; fewer are searched exactly, in memory
    tail: float = 0.25  # added or removed since the last build, as a share of what was built; more is built again
    promise: float = PROMISE
    background: bool = True  # False: an upsert that makes a build due waits for it
    spoken: Spoken = silent  # makes text queries where there are no others


def is_due(database: Database, folder: Path, space: Space, plan: Plan) -> bool:
    """Whether a space has enough vectors that no sound index covers, or an index too many that are gone."""
    with database.reading() as connection:
        n = sqlite.vector_count(connection, space)
        found = faiss_files.records(connection, space.fingerprint)
        if not found:
            return n >= max(1, plan.build_from)
        tail = sqlite.vector_count(connection, space, after=found[0].last)
    built = sum(record.rows for record in found)
    gone = built - (n - tail)
    if n < plan.build_from:
        return gone > plan.tail * built  # then it is dropped; what is left is searched exactly
    return tail + gone > plan.tail * built or not all(faiss_files.is_sound(record, folder) for record in found)


def renew(database: Database, folder: Path, space: Space, plan: Plan, handed: Handed) -> list[Certificate]:
    """Build what is due; where too few vectors are left for an index, drop it."""
    with database.reading() as connection:
        n = sqlite.vector_count(connection, space)
    if n >= max(1, plan.build_from):
        return build(database, folder, space, plan, handed)
    with database.writing() as connection:
        faiss_files.replace(connection, space.fingerprint, [])
    return []


def build(database: Database, folder: Path, space: Space, plan: Plan, handed: Handed) -> list[Certificate]:
    """Build every kind of part's index and put all of them in place at once; what was measured of each.

    Raises EngineError where FAISS fails or the files cannot be written, and then nothing changed.
    """
    started = time.monotonic()
    groups, last = groups_of(database, space)
    asked = asked_of(database, space, groups, handed, plan.spoken)
    among = sum(group.rows.shape[1] for group in groups)
    fresh: list[Record] = []
    try:
        _patiently(lambda: _sweep(database, folder))
        with contextlib.ExitStack() as begun:
            for group in groups:
                log.info("building an index over %d %s vectors of %s", group.rows.shape[1], group.modality, space.name)
                name = begun.enter_context(faiss_files.new_files(folder))
                one = _Build(database, space, group, asked, plan.promise, among=among)
                if record := one.run(folder, name, plan.kind, last):
                    fresh.append(record)
            _patiently(lambda: _put(database, folder, space, fresh))
    except OSError as exc:
        raise EngineError(f"cannot write an index in {folder}: {exc.strerror}. Searches stay as they were.") from exc
    except (RuntimeError, ValueError, MemoryError) as exc:
        reason = (str(exc) or type(exc).__name__).splitlines()[-1]
        raise EngineError(f"FAISS cannot build an index in {folder}: {reason}. Searches stay as they were.") from exc
    for record in fresh:
        log.info("%s, in %.1f s", record.certificate.told(), time.monotonic() - started)
    return [record.certificate for record in fresh]


def _patiently(write: Callable[[], None]) -> None:
    """Write once other processes let one: a build of minutes is not lost to a transaction of seconds."""
    for left in reversed(range(PATIENCE)):
        try:
            write()
        except ConfigError:
            if not left:
                raise
        else:
            return


def _sweep(database: Database, folder: Path) -> None:
    """Remove files of the build before the last one; the last one's may still be being opened."""
    with database.writing() as connection:
        faiss_files.sweep(connection, folder)


def _put(database: Database, folder: Path, space: Space, fresh: list[Record]) -> None:
    """Move the files to their place and name them, in one transaction: another process' build cannot come between."""
    with database.writing() as connection:
        if space.fingerprint not in {one.fingerprint for one in sqlite.spaces(connection)}:
            fresh.clear()  # it was forgotten meanwhile
        for record in fresh:
            faiss_files.put(record, folder)
        faiss_files.replace(connection, space.fingerprint, fresh)


class _Build:
    """The build of one index: over the vectors of one kind of part in one space."""

    def __init__(
        self, database: Database, space: Space, group: Group, asked: Asked, promise: float, *, among: int
    ) -> None:
        self._database, self._space, self._group = database, space, group
        self._asked, self._promise, self._among = asked, promise, among
        self._truth: Truth | None = None  # found once, in the first pass, whatever is built then

    def run(self, folder: Path, name: str, wanted: str | None, last: int) -> Record | None:
        """The coarsest kind, from the one wanted on, that finds what is promised, on disk but not in place yet.

        None where every vector is gone by now.
        """
        group, n = self._group, self._group.rows.shape[1]
        kind, why = (kind_named(wanted), "asked for") if wanted else chosen(n)
        while True:
            index = self._filled(kind)
            if index is None:
                return None
            effort, measured = self._measured(index, kind)
            found = certificate(self._space, group, kind.name, self._promise, measured, among=self._among)
            if found.holds is not False:
                break
            if kind.finer is None:
                raise EngineError(f"exact search itself finds too little, which cannot be: {found.told()}")
            log.warning("%s: a finer kind is built", found.told())
            worst = min(measured, key=lambda one: one.recall)
            why = f"{kind.name} found {worst.recall:.4f} for {worst.queries} queries, {self._promise} is promised"
            kind = KINDS[kind.finer]
        index_file, rows_file = faiss_files.begun(folder, name)
        _write(index, index_file)
        np.save(rows_file, group.rows)
        size, digest = faiss_files.finished(folder, name)
        return Record(
            self._space.fingerprint, group.modality, name, self._space.dim, last, n, group.most, size, digest,
            kind.name, why, effort, found,
        )  # fmt: skip

    def _filled(self, kind: Kind) -> faiss.Index | None:
        """An index of all vectors; the first one's pass also finds the truth. None where none is left."""
        group, dim = self._group, self._space.dim
        sample = _sample(self._database, group, kind, dim)
        if not len(sample):
            return None
        index = trained(kind, group.rows.shape[1], sample)
        truth = None if self._truth else self._asked.truth(group.most)
        for wanted, ids, parts, vectors in stream(self._database, group.rows[0], dim):
            whole = vectors
            if len(ids) < len(wanted):  # rows of the index are those of the group: zeros for what is gone
                whole = np.zeros((len(wanted), dim), np.float32)
                whole[np.searchsorted(wanted, ids)] = vectors
            index.add(whole)
            if truth:
                truth.add(ids, parts, vectors, group.regions(ids))
        self._truth = self._truth or truth
        return index

    def _measured(self, index: faiss.Index, kind: Kind) -> tuple[int, tuple[Recall, ...]]:
        """The least effort that finds what is promised, or the most there is, and what it finds."""
        group, truth = self._group, self._truth
        built = Built(index, group.rows, kind=kind, effort=kind.effort[0], modality=group.modality, most=group.most)
        assert truth is not None
        measured: tuple[Recall, ...] = ()
        effort = kind.effort[0]
        for effort in kind.effort:
            with self._database.reading() as connection:

                def search(queries: Vectors, k: int, effort: int = effort) -> list[list[PartHit]]:
                    def some(which: Which) -> list[list[PartHit]]:
                        return built.search(connection, queries, k, effort=effort, which=which)

                    return counted(some, self._asked.chance, queries, k)

                measured = recalls(connection, truth, self._asked, search)
            if all(one.recall >= self._promise for one in measured):
                break
        return effort, measured


def _write(index: faiss.Index, path: Path) -> None:
    try:
        faiss.write_index(index, str(path))
    except RuntimeError as exc:
        reason = str(exc).splitlines()[0]
        raise EngineError(f"cannot write the index {path}: {reason}. Searches stay as they were.") from exc


def _sample(database: Database, group: Group, kind: Kind, dim: int) -> Vectors:
    """Vectors to learn codes and lists from, the same ones each time."""
    ids = group.rows[0]
    most = max(SAMPLE, SAMPLE_A_LIST * lists(len(ids))) if "IVF" in kind.factory(len(ids)) else SAMPLE
    if len(ids) > most:
        ids = np.sort(np.random.default_rng(SEED).choice(ids, most, replace=False))
    sample, at = np.empty((len(ids), dim), np.float32), 0  # filled in place: hundreds of megabytes are not held twice
    for *_, vectors in stream(database, ids, dim):
        sample[at : at + len(vectors)] = vectors
        at += len(vectors)
    return sample[:at]
