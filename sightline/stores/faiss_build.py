"""Builds the indexes of one space, measures what they find, and picks a finer kind where that is less than promised.

Does not know who searches meanwhile: vectors are read a few thousand at a time, by row ids that never change.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import faiss
import numpy as np
from numpy.typing import NDArray

from sightline.certificate import MOST_PROBES, PROMISE, SEED, Certificate, Probes, Recall, Truth
from sightline.errors import EngineError
from sightline.stores import faiss_files, sqlite
from sightline.stores.database import Database
from sightline.stores.faiss_built import Built
from sightline.stores.faiss_exact import MODALITIES
from sightline.stores.faiss_files import Record
from sightline.stores.faiss_kinds import BUILD_FROM, KINDS, SAMPLE_A_LIST, Kind, chosen, kind_named, lists, trained
from sightline.types import Modality, PartHit, Space, Vectors

log = logging.getLogger("sightline.stores")

ENGINE = f"faiss {faiss.__version__}"
SAMPLE = 50_000  # vectors that codes are learnt from, at least, where there are so many
_QUERIES: tuple[Modality, ...] = ("text", "image")

Handed = Mapping[Modality, Vectors]  # queries by kind, from whoever knows better ones than the store has
Found = Callable[[Vectors, int, Modality], list[list[PartHit]]]  # queries, k and the kind of part that is searched


@dataclass(frozen=True, slots=True)
class Plan:
    """When a space gets an index, of which kind, and what is promised of it."""

    kind: str | None = None  # None: by size
    build_from: int = BUILD_FROM  # vectors; fewer are searched exactly, in memory
    tail: float = 0.25  # added or removed since the last build, as a share of what was built; more is built again
    promise: float = PROMISE
    background: bool = True  # False: an upsert that makes a build due waits for it


@dataclass(frozen=True, slots=True)
class _Group:
    """The vectors of one kind of part: (3, n) vector id, part, item, ids ascending."""

    modality: Modality
    rows: NDArray[np.int64]
    most: int = field(default=1)  # vectors a part has at most


def is_due(database: Database, folder: Path, space: Space, plan: Plan) -> bool:
    """Whether a space has enough vectors that no sound index covers."""
    with database.reading() as connection:
        n = sqlite.vector_count(connection, space)
        found = faiss_files.records(connection, space.fingerprint)
        if n < plan.build_from or not n:
            return False
        if not found or not all(faiss_files.is_sound(record, folder) for record in found):
            return True
        tail = sqlite.vector_count(connection, space, after=found[0].last)
    built = sum(record.rows for record in found)
    return tail + built - (n - tail) > plan.tail * built


def build(database: Database, folder: Path, space: Space, plan: Plan, handed: Handed) -> list[Certificate]:
    """Build every kind of part's index and put all of them in place at once; what was measured of each.

    Raises EngineError where the files cannot be written, and then nothing changed.
    """
    started = time.monotonic()
    groups, last = _groups(database, space)
    asked = _queries(database, space, groups, handed)
    fresh: list[Record] = []
    try:
        with database.reading() as connection:
            named = {record.file for record in faiss_files.records(connection)}
        faiss_files.sweep(folder, named)  # of the build before the last one; the last one's may still be being opened
        for group in groups:
            log.info("building an index over %d %s vectors of %s", group.rows.shape[1], group.modality, space.name)
            fresh.append(_Build(database, space, group, asked, plan.promise).run(folder, plan.kind, last))
    except OSError as exc:
        raise EngineError(f"cannot write an index in {folder}: {exc.strerror}. Searches stay as they were.") from exc
    with database.writing() as connection:
        faiss_files.replace(connection, space.fingerprint, fresh)
    for record in fresh:
        log.info("%s, in %.1f s", record.certificate.told(), time.monotonic() - started)
    return [record.certificate for record in fresh]


def certify(database: Database, space: Space, plan: Plan, handed: Handed, found: Found) -> list[Certificate]:
    """Measure what the collection's own search finds, tail and all, against a pass over every vector; keep it."""
    groups, _ = _groups(database, space)
    asked = _queries(database, space, groups, handed)
    with database.reading() as connection:
        records = {record.modality: record for record in faiss_files.records(connection, space.fingerprint)}
    told = []
    for group in groups:
        truth = Truth(asked.probes, most=group.most)
        for _, parts, vectors in _stream(database, group.rows[0], space.dim):
            truth.add(parts, vectors)
        recalls = truth.recalls(lambda queries, k, of=group.modality: found(queries, k, of), asked.numbers)  # type: ignore[misc]
        kind = records[group.modality].kind if group.modality in records else "exact"
        told.append(Certificate(ENGINE, kind, group.modality, group.rows.shape[1], plan.promise, recalls))
    if records:
        with database.writing() as connection:
            now = faiss_files.records(connection, space.fingerprint)
            if {one.file for one in now} == {one.file for one in records.values()}:  # no build came between
                measured = {one.parts: one for one in told}
                faiss_files.replace(
                    connection, space.fingerprint,
                    [replace(one, certificate=measured.get(one.modality, one.certificate)) for one in now],
                )  # fmt: skip
    return told


class _Build:
    """The build of one index: over the vectors of one kind of part in one space."""

    def __init__(self, database: Database, space: Space, group: _Group, asked: _Queries, promise: float) -> None:
        self._database, self._space, self._group = database, space, group
        self._asked, self._promise = asked, promise
        self._truth: Truth | None = None  # found once, in the first pass, whatever is built then

    def run(self, folder: Path, wanted: str | None, last: int) -> Record:
        """The coarsest kind, from the one wanted on, that finds what is promised, written to disk."""
        group, n = self._group, self._group.rows.shape[1]
        kind, why = (kind_named(wanted), "asked for") if wanted else chosen(n)
        while True:
            index = self._filled(kind)
            effort, recalls = self._measured(index, kind)
            certificate = Certificate(ENGINE, kind.name, group.modality, n, self._promise, recalls)
            if certificate.holds:
                break
            if kind.finer is None:
                raise EngineError(f"exact search itself finds too little, which cannot be: {certificate.told()}")
            log.warning("%s: a finer kind is built", certificate.told())
            worst = min(recalls, key=lambda one: one.recall)
            why = f"{kind.name} found {worst.recall:.3f} for {worst.queries} queries, {self._promise} is promised"
            kind = KINDS[kind.finer]
        with faiss_files.new_files(folder) as (path, put):
            _write(index, path.with_suffix(".faiss"))
            np.save(path.with_suffix(".npy"), group.rows)
            file, size, digest = put()
        return Record(
            self._space.fingerprint, group.modality, file, self._space.dim, last, n, group.most, size, digest,
            kind.name, why, effort, certificate,
        )  # fmt: skip

    def _filled(self, kind: Kind) -> faiss.Index:
        """An index of all vectors; the first one's pass also finds the truth."""
        group, dim = self._group, self._space.dim
        index = trained(kind, group.rows.shape[1], _sample(self._database, group, kind, dim))
        truth = None if self._truth else Truth(self._asked.probes, most=group.most)
        for whole, parts, vectors in _stream(self._database, group.rows[0], dim):
            index.add(whole)
            if truth:
                truth.add(parts, vectors)
        self._truth = self._truth or truth
        return index

    def _measured(self, index: faiss.Index, kind: Kind) -> tuple[int, tuple[Recall, ...]]:
        """The least effort that finds what is promised, or the most there is, and what it finds."""
        group = self._group
        built = Built(index, group.rows, kind=kind, effort=kind.effort[0], modality=group.modality, most=group.most)
        assert self._truth is not None
        recalls: tuple[Recall, ...] = ()
        effort = kind.effort[0]
        for effort in kind.effort:

            def search(queries: Vectors, k: int, effort: int = effort) -> list[list[PartHit]]:
                with self._database.reading() as connection:
                    return built.search(connection, queries, k, effort=effort)

            recalls = self._truth.recalls(search, self._asked.numbers)
            if all(one.recall >= self._promise for one in recalls):
                break
        return effort, recalls


@dataclass(frozen=True, slots=True)
class _Queries:
    """Queries by kind, and the row id of each part that one was taken from."""

    probes: dict[Modality, Probes]
    numbers: dict[str, int]


def _write(index: faiss.Index, path: Path) -> None:
    try:
        faiss.write_index(index, str(path))
    except RuntimeError as exc:
        reason = str(exc).splitlines()[0]
        raise EngineError(f"cannot write the index {path}: {reason}. Searches stay as they were.") from exc


def _groups(database: Database, space: Space) -> tuple[list[_Group], int]:
    """All vectors of a space by kind of part, and the largest vector id."""
    pieces: list[NDArray[np.int64]] = []
    with database.reading() as connection:
        pieces.extend(
            np.array([(*row, MODALITIES.index(modality)) for *row, modality in chunk], np.int64).T
            for chunk in sqlite.vector_rows(connection, space)
        )
    if not pieces:
        return [], 0
    rows = np.concatenate(pieces, axis=1)
    found = []
    for number in np.unique(rows[3]).tolist():
        mine = np.ascontiguousarray(rows[:3, rows[3] == number])
        found.append(_Group(MODALITIES[number], mine, int(np.unique(mine[1], return_counts=True)[1].max())))
    return found, int(rows[0].max())


def _stream(
    database: Database, ids: NDArray[np.int64], dim: int
) -> Iterator[tuple[Vectors, NDArray[np.int64], Vectors]]:
    """(n, dim) for every id, zeros where it is gone by now, then parts and vectors of those that are there."""
    for start in range(0, len(ids), sqlite.CHUNK):
        wanted = ids[start : start + sqlite.CHUNK]
        with database.reading() as connection:
            there, parts, vectors = sqlite.vectors_of(connection, wanted, dim)
        whole = vectors
        if len(there) < len(wanted):
            whole = np.zeros((len(wanted), dim), np.float32)
            whole[np.searchsorted(wanted, there)] = vectors
        yield whole, parts, vectors


def _sample(database: Database, group: _Group, kind: Kind, dim: int) -> Vectors:
    """Vectors to learn codes and lists from, the same ones each time."""
    ids = group.rows[0]
    most = max(SAMPLE, SAMPLE_A_LIST * lists(len(ids))) if "IVF" in kind.factory(len(ids)) else SAMPLE
    if len(ids) > most:
        ids = np.sort(np.random.default_rng(SEED).choice(ids, most, replace=False))
    sample, at = np.empty((len(ids), dim), np.float32), 0  # filled in place: hundreds of megabytes are not held twice
    for _, _, vectors in _stream(database, ids, dim):
        sample[at : at + len(vectors)] = vectors
        at += len(vectors)
    return sample[:at]


def _queries(database: Database, space: Space, groups: list[_Group], handed: Handed) -> _Queries:
    """Queries that were handed in; else stored vectors, each without its own part. A kind with neither is left out."""
    probes: dict[Modality, Probes] = {}
    numbers: dict[str, int] = {}
    by_kind = {group.modality: group for group in groups}
    for kind in _QUERIES:
        if kind in handed and len(handed[kind]):
            probes[kind] = Probes.of(handed[kind])
        elif kind in by_kind:
            ids = by_kind[kind].rows[0]
            chosen_ids = np.sort(np.random.default_rng(SEED).choice(ids, min(len(ids), MOST_PROBES), replace=False))
            with database.reading() as connection:
                _, parts, vectors = sqlite.vectors_of(connection, chosen_ids, space.dim)
                keys = sqlite.part_keys(connection, parts.tolist())
            probes[kind] = Probes(vectors, tuple(keys[part][0] for part in parts.tolist()))
            numbers |= {keys[part][0]: part for part in parts.tolist()}
    return _Queries(probes, numbers)
