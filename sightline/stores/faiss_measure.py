"""What a search of one space finds, measured against a pass over every stored vector: the certificates of `faiss`.

Does not know how an index is built. Others may write meanwhile: a vector counts where it is there when it is searched.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import faiss
import numpy as np
from numpy.typing import NDArray

from sightline.certificate import MOST_PROBES, SEED, Certificate, Probes, Recall, Search, Truth
from sightline.errors import SightlineError
from sightline.stores import faiss_files, sqlite, sqlite_boxes
from sightline.stores.chance import SAMPLE, Chance
from sightline.stores.database import Database
from sightline.stores.faiss_exact import MODALITIES
from sightline.stores.faiss_held import Held
from sightline.types import Modality, Space, Vectors

log = logging.getLogger("sightline.stores")

ENGINE = f"faiss {faiss.__version__}"
_QUERIES: tuple[Modality, ...] = ("text", "image")

Handed = Mapping[Modality, Vectors]  # queries by kind, from whoever knows better ones than the store has
Spoken = Callable[[Space], Vectors | None]  # (q, dim) text queries in a space, from whoever can make them


@dataclass(frozen=True, slots=True)
class Group:
    """The vectors of one kind of part: (3, n) vector id, part, item, ids ascending."""

    modality: Modality
    rows: NDArray[np.int64]
    most: int  # vectors a part has at most

    def regions(self, ids: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which of some of its vector ids are not their part's first."""
        later = np.diff(self.rows[1], prepend=-1) == 0
        return np.asarray(later[np.searchsorted(self.rows[0], ids)])


@dataclass(frozen=True, slots=True)
class Asked:
    """Queries by kind, the row id of each part that one was taken from, and what is nearer to them by chance."""

    probes: dict[Modality, Probes]
    numbers: dict[str, int]
    chance: Chance | None = None

    def truth(self, most: int) -> Truth:
        """What exact search finds, once it is given the vectors; parts have `most` at most."""
        less = {kind: self.chance.less(one.vectors) for kind, one in self.probes.items()} if self.chance else {}
        return Truth(self.probes, most=most, less=less)


def groups_of(database: Database, space: Space) -> tuple[list[Group], int]:
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
        found.append(Group(MODALITIES[number], mine, int(np.unique(mine[1], return_counts=True)[1].max())))
    return found, int(rows[0].max())


def stream(
    database: Database, ids: NDArray[np.int64], dim: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], Vectors]]:
    """Some thousands of ids at a time, then those that are still there: ids, parts and (n, dim) vectors."""
    for start in range(0, len(ids), sqlite.CHUNK):
        wanted = ids[start : start + sqlite.CHUNK]
        with database.reading() as connection:
            yield wanted, *sqlite.vectors_of(connection, wanted, dim)


def silent(space: Space) -> None:
    """Nobody makes text queries."""


def asked_of(database: Database, space: Space, groups: list[Group], handed: Handed, spoken: Spoken) -> Asked:
    """Queries that were handed in; else stored vectors, each without its own part; else texts that somebody makes.

    A kind of query that has none of these is left out.
    """
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
        elif kind == "text" and groups and (made := _spoken(space, spoken)) is not None:
            probes[kind] = Probes.of(made)
    with database.reading() as connection:
        chance = Chance.of(sqlite_boxes.sample(connection, space, SAMPLE))
    return Asked(probes, numbers, chance)


def _spoken(space: Space, spoken: Spoken) -> Vectors | None:
    try:
        return spoken(space)
    except SightlineError as exc:  # the certificate says that texts were not asked
        log.warning("no text queries to measure %s by: %s", space.name, exc)
        return None


def recalls(connection: sqlite3.Connection, truth: Truth, asked: Asked, search: Search) -> tuple[Recall, ...]:
    """What `search` finds of what is still there; both look at the moment of `connection`."""
    ids = truth.ids
    truth.forget(ids[~np.isin(ids, sqlite.there(connection, ids), assume_unique=True)])
    return truth.recalls(search, asked.numbers)


def certificate(
    space: Space, group: Group, kind: str, promised: float, measured: tuple[Recall, ...], *, among: int
) -> Certificate:
    """What was measured of one kind of part; `kind` "exact" where no index was searched."""
    asks = tuple(kind for kind in _QUERIES if kind in space.modalities)
    return Certificate(
        ENGINE, kind, group.modality, group.rows.shape[1], promised, measured,
        exact=kind == "exact", asks=asks, among=among, space=space.name,
    )  # fmt: skip


def certify(
    database: Database, folder: Path, space: Space, handed: Handed, *, promised: float, spoken: Spoken
) -> list[Certificate]:
    """Measure what a search finds, tail and all; keep it with the indexes there are.

    Looks at the collection as a process does that opens it now: what no index covers is read into memory once more.
    """
    groups, last = groups_of(database, space)
    asked = asked_of(database, space, groups, handed, spoken)
    truths = {group.modality: asked.truth(group.most) for group in groups}
    for group in groups:
        for _, ids, parts, vectors in stream(database, group.rows[0], space.dim):
            truths[group.modality].add(ids, parts, vectors, group.regions(ids))
    held = Held(space, folder)
    told = []
    with database.reading() as connection:  # one moment for all that follows, so that nothing can come between
        held.load(connection, sqlite.version(connection))
        held.count_by(asked.chance)
        records = {record.modality: record for record in faiss_files.records(connection, space.fingerprint)}
        _catch_up(connection, space, truths, asked, last)
        among = sqlite.vector_count(connection, space)
        for group in groups:
            only = frozenset({group.modality})
            measured = recalls(
                connection, truths[group.modality], asked,
                lambda queries, k, only=only: held.search(connection, queries, k, None, only),  # type: ignore[misc]
            )  # fmt: skip
            kind = records[group.modality].kind if group.modality in records and not held.problem else "exact"
            told.append(certificate(space, group, kind, promised, measured, among=among))
    if records:
        _keep(database, space, {record.file for record in records.values()}, told)
    return told


def _catch_up(
    connection: sqlite3.Connection, space: Space, truths: Mapping[Modality, Truth], asked: Asked, last: int
) -> None:
    """Look at what came after the vector id `last`, too; a part may have been written again under its old name."""
    before = -1  # the last part seen: it may lie on both sides of a page
    for chunk in sqlite.vectors_after(connection, space, last):
        later = np.diff([row[1] for row in chunk], prepend=before) == 0
        before = chunk[-1][1]
        for modality, truth in truths.items():
            at = [n for n, row in enumerate(chunk) if row[3] == modality]
            if at:
                numbers = np.array([chunk[n][:2] for n in at], np.int64)
                vectors = sqlite.vectors_from((chunk[n][6] for n in at), space.dim)
                truth.add(numbers[:, 0], numbers[:, 1], vectors, later[at])
        asked.numbers.update((key, part) for _, part, _, _, key, *_ in chunk if key in asked.numbers)


def _keep(database: Database, space: Space, files: set[str], told: list[Certificate]) -> None:
    measured = {one.parts: one for one in told}
    with database.writing() as connection:
        now = faiss_files.records(connection, space.fingerprint)
        if {one.file for one in now} == files:  # no build came between
            kept = [replace(one, certificate=measured.get(one.modality, one.certificate)) for one in now]
            faiss_files.replace(connection, space.fingerprint, kept)
