"""The `faiss` store: vectors live in SQLite; few are searched exactly in memory, many by index files made from them.

Does not know what the vectors mean, nor how an index is built. Writing touches SQLite only; a search first loads what
changed since the last one, by this process or another, so what is searched is what is on disk: new vectors exactly,
beside the index, until a build takes them over.
"""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sightline.certificate import Certificate
from sightline.errors import InputError
from sightline.filters import Filter
from sightline.remains import Remains, Tell, silent
from sightline.stores import faiss_compact, faiss_measure, sqlite, sqlite_boxes, sqlite_remains
from sightline.stores import faiss_files as files
from sightline.stores.chance import winning
from sightline.stores.checks import check_added, check_k, check_upsert, check_vectors
from sightline.stores.database import Database
from sightline.stores.faiss_background import Background
from sightline.stores.faiss_build import Plan
from sightline.stores.faiss_held import Held
from sightline.stores.faiss_kinds import card
from sightline.stores.faiss_measure import Handed, Spoken
from sightline.stores.faiss_measure import silent as nobody
from sightline.stores.faiss_moment import FaissMoment
from sightline.stores.faiss_removed import keep_log
from sightline.stores.gate import Gate
from sightline.stores.passing import Passing
from sightline.stores.sqlite_words import Words
from sightline.types import (
    Aggregate,
    Box,
    FieldSummary,
    Item,
    Modality,
    PartHit,
    PartVectors,
    Space,
    StoreStats,
    Table,
    Vectors,
)

FILE = "items.sqlite"
_QUERIES = ("text", "image")


class FaissStore:
    """One collection in `path`. Safe to share between threads; searches run side by side.

    Memory holds one float32 copy of the vectors that no index covers, of every space that was searched, and who says
    the words asked for of late; index files are mapped, and the system reads and drops their pages as it needs to.
    """

    def __init__(self, path: Path, *, plan: Plan | None = None) -> None:
        self._database = Database(path / FILE)
        self._folder = path / files.FOLDER
        self._speaker: Spoken = nobody
        self._plan = replace(plan or Plan(), spoken=self._spoken)
        self._builds = Background(self._database, self._folder, self._plan)
        self._spaces: dict[str, Held] = {}
        self._passed, self._words = Passing(), Words()
        self._fields: tuple[int, list[FieldSummary]] | None = None  # version, what it had
        self._gate = Gate()

    def upsert(self, items: Sequence[Item], vectors: Sequence[PartVectors]) -> None:
        """Write items whole, in one transaction that is on disk when this returns."""
        check_upsert(items, vectors)
        with self._database.writing() as connection:
            keep_log(connection)
            sqlite.upsert(connection, items, vectors)
        self._changed(vectors)

    def delete(self, ids: Sequence[str]) -> int:
        """Remove items by id; how many there were."""
        with self._database.writing() as connection:
            keep_log(connection)
            count = sqlite.delete(connection, ids)
            spaces = sqlite.spaces(connection)
        self._builds.after(spaces, count)
        return count

    def get(self, ids: Sequence[str]) -> list[Item]:
        """The items that exist, in the order asked for."""
        with self._database.reading() as connection:
            return sqlite.get(connection, ids)

    def known(self, space: Space, digests: Sequence[str]) -> dict[str, Vectors]:
        """digest -> (m, dim): vectors already stored for equal content."""
        with self._database.reading() as connection:
            return sqlite.known(connection, space, digests)

    def boxes(self, space: Space, digests: Sequence[str]) -> dict[str, tuple[Box, ...]]:
        """digest -> where in the part its vectors after the first are of."""
        with self._database.reading() as connection:
            return sqlite_boxes.by_digest(connection, space, digests)

    def places(self, space: Space, query: Vectors, digests: Sequence[str]) -> dict[str, Box]:
        """digest -> the box of the region by which its part scores for (1, dim)."""
        check_vectors(space, query)
        with self._database.reading() as connection:
            boxes = sqlite_boxes.by_digest(connection, space, digests)
            if not boxes:
                return {}
            less = self._current(connection, space).less(query)
            return winning(sqlite.known(connection, space, list(boxes)), boxes, query[0], less)

    def unembedded(self, space: Space) -> list[str]:
        """Ids of the parts of the space's modalities that have no vector in it, ascending."""
        with self._database.reading() as connection:
            return sqlite.unembedded(connection, space)

    def add_vectors(self, vectors: Sequence[PartVectors]) -> None:
        """Give parts that are there vectors in one more space; all or nothing."""
        check_added(vectors)
        with self._database.writing() as connection:
            keep_log(connection)
            sqlite.add_vectors(connection, vectors)
        self._changed(vectors)

    def spaces(self) -> list[str]:
        """Fingerprints of the spaces that vectors were written in."""
        with self._database.reading() as connection:
            return [space.fingerprint for space in sqlite.spaces(connection)]

    def forget_space(self, fingerprint: str) -> None:
        """Remove all vectors of a space, its index files too; other processes drop what they hold as they notice."""
        with self._database.writing() as connection:
            gone = files.records(connection, fingerprint)
            sqlite.forget_space(connection, fingerprint)
            files.forget(connection, fingerprint)
        with self._gate.write():
            self._spaces.pop(fingerprint, None)
        files.remove(gone, self._folder)

    def search(
        self,
        space: Space,
        vectors: Vectors,
        k: int,
        *,
        where: Filter | None = None,
        modalities: frozenset[Modality] | None = None,
    ) -> list[list[PartHit]]:
        """For each row of (q, dim), the k parts of highest cosine, best first, ties by part id."""
        check_k(k)
        check_vectors(space, vectors)
        while True:
            with self._database.reading() as connection:
                held, version = self._current(connection, space), sqlite.version(connection)
                items = None if where is None else self._passing(connection, where)
                with self._gate.read():
                    if held.version == version:  # else a writer came between, and `items` may number other items by now
                        return held.search(connection, vectors, k, items, modalities)

    def search_text(
        self,
        text: str,
        k: int,
        *,
        where: Filter | None = None,
        modalities: frozenset[Modality] | None = None,
    ) -> list[PartHit]:
        """The k parts with the highest BM25 for any word of `text`; English stems, accents folded."""
        check_k(k)
        with self._database.reading() as connection:
            items = None if where is None else self._passing(connection, where)
            return self._words.search(connection, text, k, items, modalities)

    def texts(self, k: int) -> Iterator[str]:
        """What the k newest parts say that have a text."""
        check_k(k)
        with self._database.reading() as connection:
            yield from sqlite.texts(connection, k)

    def fields(self) -> list[FieldSummary]:
        """Every field any item has, by name."""
        with self._database.reading() as connection:
            version, known = sqlite.version(connection), self._fields
            if known is None or known[0] != version:  # every filtered search asks, and counting takes its time
                known = self._fields = version, sqlite.fields(connection)
            return list(known[1])

    def aggregate(self, plan: Aggregate, *, where: Filter | None = None) -> Table:
        """Count, minimum, maximum or mean over the items that pass `where`, grouped or whole."""
        with self._database.reading() as connection:
            return sqlite.aggregate(connection, plan, where)

    @contextlib.contextmanager
    def moment(self) -> Iterator[FaissMoment]:
        """The collection as it is now, until the block is left; others may write meanwhile."""
        with self._database.reading() as connection:
            yield FaissMoment(connection, self._folder)

    def stats(self) -> StoreStats:
        """Size of the collection; `bytes_memory` is what its vectors take once all spaces were searched."""
        with self._database.reading() as connection:
            items, parts, vectors, plain = sqlite.counts(connection)
            built = files.records(connection)
            removed = sqlite_remains.removed(connection)
        covered = sum(4 * record.dim * record.rows for record in built)
        mapped = sum(record.bytes for record in built)
        return StoreStats(
            items, parts, vectors, max(0, plain - covered) + mapped, self._database.bytes_disk() + mapped,
            _kind(built, self._plan), bytes_mapped=mapped, why=self._why(built, vectors), removed=removed,
        )  # fmt: skip

    def build(self, space: Space, probes: Handed | None = None, *, kind: str | None = None) -> list[Certificate]:
        """Build the indexes of a space now and put them in place; what was measured of each kind of part's.

        `probes`: (q, dim) queries by kind ("text", "image") to measure by; they are kept for later builds. `kind`: None
        chooses by size. A kind that finds less than promised gives way to a finer one. Raises ConfigError, EngineError.
        """
        return self._builds.now(space, self._handed(space, probes), kind)

    def verify(self, space: Space, probes: Handed | None = None) -> list[Certificate]:
        """Measure recall@10 of the searches this store answers against a pass over every vector, by kind of query.

        `probes` as for `build`; without them stored vectors are asked, and a kind of query that has none is not
        measured. What is found is kept with the index.
        """
        handed = self._handed(space, probes)
        return faiss_measure.certify(
            self._database, self._folder, space, handed, promised=self._plan.promise, spoken=self._spoken
        )

    def ask_by(self, spoken: Spoken) -> None:
        """Who makes text queries to measure by, where none were handed in and no texts are stored; on any thread."""
        self._speaker = spoken

    def certificates(self) -> list[Certificate]:
        """What was last measured of each index, by `build` or `verify`; none where all vectors are searched exactly.

        Each says how many vectors its space had then, of every kind of part, and how many it has `now`.
        """
        with self._database.reading() as connection:
            now = {one.fingerprint: sqlite.vector_count(connection, one) for one in sqlite.spaces(connection)}
            return [replace(one.certificate, now=now.get(one.fingerprint)) for one in files.records(connection)]

    def compact(self, *, tell: Tell = silent) -> Remains:
        """Remove for good what was deleted or replaced: from rows, words, index files, and memory."""
        faiss_compact.compact(self._database, self._folder, self._builds, tell)
        fresh = self._fresh()
        with self._gate.write():
            self._spaces = fresh
        self._passed.clear()
        self._words.forget()
        self._fields = None
        return Remains()

    def remains(self, ids: Sequence[str] = ()) -> Remains:
        """What deleted and replaced things have left behind. Ids are written as they are: there are no other forms."""
        return faiss_compact.remains(self._database, self._folder)

    def close(self, *, tidy: bool = True) -> None:
        """Release files and memory. What was written is already on disk; an index that is due is built if `tidy`."""
        self._builds.finish() if tidy else self._builds.stop()
        self._database.close()
        self._spaces.clear()

    def drop(self) -> None:
        """Delete the collection's file with everything in it, and close."""
        self._builds.wait()
        self._spaces.clear()
        self._database.drop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _fresh(self) -> dict[str, Held]:
        """What is searched, loaded anew beside what is in memory, so that no search waits for it."""
        fresh = {}
        with self._database.reading() as connection:
            version = sqlite.version(connection)
            for space in sqlite.spaces(connection):
                if space.fingerprint in self._spaces:
                    held = fresh[space.fingerprint] = Held(space, self._folder)
                    held.load(connection, version)
        return fresh

    def _current(self, connection: sqlite3.Connection, space: Space) -> Held:
        """The vectors of a space, no older than what `connection` sees. Raises InputError for another dim."""
        sqlite.refuse_other_dim(connection, space)
        version = sqlite.version(connection)
        held = self._spaces.get(space.fingerprint)
        if held is None or held.version < version:
            with self._gate.write():
                held = self._spaces.pop(space.fingerprint, None) or Held(space, self._folder)
                if held.version < version:  # no other thread was quicker
                    held.load(connection, version)
                    self._forget_all_but(sqlite.spaces(connection))
                self._spaces[space.fingerprint] = held  # only what was loaded whole is kept
        return held

    def _forget_all_but(self, spaces: Sequence[Space]) -> None:
        """Give back the memory of spaces that are gone, by whichever process. No search may be under way."""
        there = {space.fingerprint for space in spaces}
        for fingerprint in self._spaces.keys() - there:
            del self._spaces[fingerprint]

    def _changed(self, vectors: Sequence[PartVectors]) -> None:
        """Vectors were written: build what is due."""
        spaces = {one.space.fingerprint: one.space for one in vectors}
        self._builds.after(spaces.values(), sum(len(one.vectors) for one in vectors))

    def _spoken(self, space: Space) -> Vectors | None:
        """Text queries of whoever makes them by now."""
        return self._speaker(space)

    def _handed(self, space: Space, probes: Handed | None) -> Handed:
        """Queries to measure by: those given, which are kept, and those that were given before."""
        for kind, vectors in (probes or {}).items():
            if kind not in _QUERIES:
                raise InputError(f"queries are of the kinds {' and '.join(_QUERIES)}, not {kind!r}")
            check_vectors(space, vectors, what=f"the {kind} queries")
        with self._database.reading() as connection:
            kept = files.kept_probes(connection, space)
        if probes:
            with self._database.writing() as connection:
                for kind, vectors in probes.items():
                    files.keep_probes(connection, space, kind, vectors)
        return {**kept, **(probes or {})}

    def _why(self, built: Sequence[files.Record], vectors: int) -> str:
        """Why the index is of its kind."""
        problems = [held.problem for held in self._spaces.values() if held.problem]
        if problems or self._builds.problem:
            return "; ".join([*problems, *([self._builds.problem] if self._builds.problem else [])])
        if built:
            return "; ".join(dict.fromkeys(f"{record.modality}: {record.why}" for record in built))
        if self._builds.running:
            return "an index is being built; until it is there, all vectors are searched exactly"
        return f"{vectors:,} vectors are all compared; an index is built from {self._plan.build_from:,} of one space on"

    def _passing(self, connection: sqlite3.Connection, where: Filter) -> NDArray[np.int64]:
        """Row ids of the items that pass a filter."""
        return self._passed.of(connection, where)


def _kind(built: Sequence[files.Record], plan: Plan) -> str:
    """What is searched, for people."""
    where = f", {card()}" if card() else ""
    if not built:
        return f"exact (IndexFlatIP){where}"
    each = ", ".join(dict.fromkeys(f"{record.kind} ({record.bytes / record.rows:,.0f} B a vector)" for record in built))
    return f"{each}, mapped, scores from stored vectors; newer vectors exact{where}"
