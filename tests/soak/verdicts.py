"""What must hold after a kill, looked at by a fresh process that then does the operation again.

Does not know when or how the process was killed. Every sentence in `CHECKS` is one assertion here; how often each was
made is counted.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from sightline.engine import Sightline
from sightline.places import collection_folder
from sightline.types import AddReport, Aggregate
from tests.soak.attempts import PATIENCE_S, PROCESSES, Connection, opened
from tests.soak.operations import OPERATIONS, gone
from tests.soak.shop import BATCH, VERSIONS, Opened, Rows, Shop, Truth, name, word

CHECKS = {
    "file": "each SQLite file passes integrity_check, foreign_key_check and the full-text index's own check",
    "kept": "what was acknowledged before is there, equal to an undisturbed index in every part, text and vector",
    "whole": "what was not acknowledged is whole or absent: all of the old row or all of the new one",
    "found": "each row there is found once by its picture and once by its word; no other version's word finds anything",
    "counts": "items, parts and vectors are exactly those of the rows there: no duplicate, no leftover",
    "ledger": "the ledger claims nothing that the store does not hold in just that version",
    "batch": "at most one batch is in the store without the ledger's acknowledgement",
    "withdrawn": "rows taken from the catalog after the kill go with a prune, written or not, acknowledged or not",
    "again": "done again, the operation does only what was missing, embeds nothing a second time, and gives the truth",
    "thumbnails": "the thumbnails are exactly those of the pictures shown",
    "gone": "compacted again, no store and no ledger has anything left of what was deleted or replaced",
    "idle": "a third time there is nothing to do",
    "dropped": "a dropped collection is there whole or not at all, and no file of it is left once it was opened again",
}


@dataclass
class Verdict:
    """What was checked, how often, and what did not hold."""

    checked: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    written: int = 0  # changed rows that were in the store when it was killed
    changed: int = 0  # rows the operation was about

    def hold(self, check: str, holds: bool, said: object) -> None:
        """Note one assertion."""
        assert check in CHECKS
        self.checked[check] += 1
        if not holds:
            self.problems.append(f"{check}: {said}")


@dataclass(frozen=True, slots=True)
class Case:
    """What is judged: the rows before the killed operation and those it was to leave; None: no collection."""

    shop: Shop
    truth: Mapping[tuple[int, int], Truth]
    index: Path
    store: str
    operation: str
    before: Rows
    after: Rows | None
    done: bool  # whether it was acknowledged before it died
    withdrawn: bool = False  # whether the rows it was about are first taken from the catalog


def judge(case: Case) -> Verdict:
    """Look at what a kill left, do the operation again, look again; in a process of its own."""
    here, there = PROCESSES.Pipe(duplex=False)
    process = PROCESSES.Process(target=_judge, args=(case, there))
    process.start()
    there.close()
    try:
        if not here.poll(PATIENCE_S):
            raise TimeoutError
        verdict = here.recv()
    except (EOFError, TimeoutError) as exc:
        process.kill()
        raise AssertionError(f"after a kill in {case.operation}, looking at {case.index} died or hung") from exc
    finally:
        process.join()
        here.close()
    assert isinstance(verdict, Verdict)
    return verdict


def look(case: Case) -> Verdict:
    """Look at what was left, no more; in this process."""
    verdict = Verdict()
    if case.after is None:
        _kept_or_gone(case, verdict)
    else:
        with opened(case.shop, case.index, case.store) as index:
            _seen(case, index, verdict, case.after)
    return verdict


def _judge(case: Case, said: Connection) -> None:
    verdict = Verdict()
    if case.after is None:
        _dropped(case, verdict)
    else:
        _changed(case, case.after, verdict)
    said.send(verdict)


def _changed(case: Case, after: Rows, verdict: Verdict) -> None:
    with opened(case.shop, case.index, case.store) as index:
        there, known = _seen(case, index, verdict, after), _known(case, index)
        touched = {number for number in {**case.before, **after} if case.before.get(number) != after.get(number)}
        written = {number for number in touched if there.get(number) == after.get(number)}
        unknown = {number for number in written if number in after and known.get(number) != after[number]}
        verdict.written, verdict.changed = len(written), len(touched)
        verdict.hold("batch", len(unknown) <= BATCH, sorted(unknown))
        if case.withdrawn:
            _withdrawn(case, index, after, touched, verdict)
            written = set()
        report = OPERATIONS[case.operation].run(index, case.shop, gone(case.before, after))
        missing = [case.truth[number, after[number]].pictures for number in (touched - written) & after.keys()]
        most = len(set().union(*missing))
        verdict.hold("again", not isinstance(report, AddReport) or report.images <= most, (report, most))
        if case.operation == "migrate":
            verdict.hold("again", index.plain_encoder.space.name == case.shop.encoder, index.plain_encoder.space)
        if case.operation == "compact":
            left = index.compactions.proof().remains.left
            verdict.hold("gone", not left, left)
        _exact(case, index, after, verdict)
        report = index.add(case.shop.catalog, prune=True)
        idle = (report.added, report.updated, report.deleted, report.images, report.unchanged)
        verdict.hold("idle", idle == (0, 0, 0, 0, len(after)), report)
    _files(case, verdict)


def _withdrawn(case: Case, index: Opened, after: Rows, touched: set[int], verdict: Verdict) -> None:
    """The catalog no longer has the rows the operation was about: whatever the kill left of them, a prune removes."""
    left = {number: version for number, version in case.before.items() if number not in touched}
    left = left or dict(list(after.items())[:1])  # a catalog without a row is taken for a torn one
    case.shop.write(left)
    index.add(case.shop.catalog, prune=True)
    seen = Verdict()
    _exact(case, index, left, seen)
    verdict.hold("withdrawn", not seen.problems, seen.problems)
    case.shop.write(after)


def _dropped(case: Case, verdict: Verdict) -> None:
    folder = collection_folder(case.index, "default")
    verdict.changed = 1
    if _kept_or_gone(case, verdict):
        Sightline.drop(case.index, "default")
    else:
        verdict.written = 1
    verdict.hold("dropped", not Sightline.collections(case.index), "listed after it was dropped")
    with opened(case.shop, case.index, case.store) as index:
        verdict.hold("dropped", index.info()["items"] == 0, "a new one of its name is not empty")
    left = sorted(path.name for path in folder.parent.iterdir())
    verdict.hold("dropped", left == ["default"], left)


def _kept_or_gone(case: Case, verdict: Verdict) -> bool:
    """Whether a collection that was to be dropped is still there: whole, then."""
    names = Sightline.collections(case.index)
    verdict.hold("dropped", names in ([], ["default"]) and not (case.done and names), names)
    if names:
        with opened(case.shop, case.index, case.store, create=False) as index:
            _exact(case, index, case.before, verdict)
    return bool(names)


def _seen(case: Case, index: Opened, verdict: Verdict, after: Rows) -> dict[int, int]:
    """number -> version of what is in the store, each row judged."""
    there: dict[int, int] = {}
    everything = range(max((*case.before, *after), default=0) + 1)
    for item in index._store.get([name(number) for number in everything]):
        number, version = (int(item.fields[key]) for key in ("number", "version"))  # type: ignore[call-overload]
        there[number] = version
        verdict.hold("whole", item == case.truth[number, version].item, item)
    for number in everything:
        old, new = case.before.get(number), after.get(number)
        check = "kept" if old == new or case.done else "whole"
        allowed = {new} if case.done else {old, new}
        verdict.hold(check, there.get(number) in allowed, (name(number), there.get(number), allowed))
    _searched(case, index, there, verdict, under_way=not case.done)
    for number, version in _known(case, index).items():
        verdict.hold("ledger", there.get(number) == version, (name(number), version, there.get(number)))
    return there


def _searched(case: Case, index: Opened, there: Rows, verdict: Verdict, *, under_way: bool = False) -> None:
    """Counts, vectors, pictures and words of the rows there."""
    store, space = index._store, index.plain_encoder.space
    truths = [case.truth[number, version] for number, version in there.items()]
    stats = store.stats()
    parts = [part for truth in truths for part in truth.item.parts]
    embedded = [part for part in parts if part.modality in space.modalities]
    most = 2 if under_way and case.operation == "migrate" else 1  # spaces a part may be embedded in meanwhile
    right = (stats.items, stats.parts) == (len(truths), len(parts))
    right &= len(embedded) <= stats.vectors <= most * len(embedded)
    verdict.hold("counts", right, (stats, len(truths), len(parts), len(embedded)))
    counted = store.aggregate(Aggregate("count")).rows
    verdict.hold("counts", counted[0][1] == len(truths), counted)
    vectors = store.known(space, sorted({part.digest for part in embedded}))
    for truth in truths:
        same = all(np.allclose(vectors[digest], rows, atol=1e-6) for digest, rows in truth.of(space).items())
        verdict.hold("kept", same, f"other vectors of {truth.item.id}")
    if not embedded:
        return
    query = next(iter(truths[0].of(space).values()))[:1]
    hits = [hit.part_id for hit in store.search(space, query, len(parts) + 1)[0]]
    verdict.hold("found", sorted(hits) == sorted(part.id for part in embedded), hits)
    for number, version in {**case.before, **(case.after or {}), **there}.items():
        found = {hit.item_id for hit in store.search_text(word(number, version), 5)}
        right = {name(number)} if there.get(number) == version else set()
        verdict.hold("found", found == right, (number, version, found))


def _exact(case: Case, index: Opened, rows: Rows, verdict: Verdict) -> None:
    """The collection is what an undisturbed one would be, its thumbnails too."""
    there = {}
    for item in index._store.get([name(number) for number in range(max(rows, default=0) + 1)]):
        number, version = (int(item.fields[key]) for key in ("number", "version"))  # type: ignore[call-overload]
        there[number] = version
        verdict.hold("again", item == case.truth[number, version].item, item)
    verdict.hold("again", there == dict(rows) == _known(case, index), (there, rows))
    _searched(case, index, there, verdict)
    shown = set().union(*(case.truth[number, version].pictures for number, version in rows.items()))
    kept = {digest for (digest,) in index._ledger._rows("SELECT digest FROM thumbnails")}
    verdict.hold("thumbnails", kept == shown, (len(kept), len(shown)))


def _known(case: Case, index: Opened) -> dict[int, int]:
    """number -> version of what the ledger claims; -1 for a digest that no version has."""
    found = {}
    for item_id, digest in index._ledger._rows("SELECT id, digest FROM items WHERE digest <> ''"):
        number = int(item_id.rpartition("-")[2])
        versions = {case.truth[number, version].item.digest: version for version in range(VERSIONS)}
        found[number] = versions.get(digest, -1)
    return found


def _files(case: Case, verdict: Verdict) -> None:
    """Every SQLite file, and the full-text index in it, is sound."""
    for path in sorted(collection_folder(case.index, "default").glob("*")):
        if path.suffix not in (".db", ".sqlite"):
            continue
        with closing(sqlite3.connect(path)) as connection:
            try:
                said = [*connection.execute("PRAGMA integrity_check"), *connection.execute("PRAGMA foreign_key_check")]
                if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'words'").fetchone():
                    connection.execute("INSERT INTO words (words, rank) VALUES ('integrity-check', 0)")
            except sqlite3.DatabaseError as exc:
                said = [(str(exc),)]
            verdict.hold("file", said == [("ok",)], (path.name, said))
