"""Takes a collection from one encoder to another: a second space beside the first, then one transaction.

Knows the order that keeps it searchable throughout, how far it is, and how it is given up; how parts are embedded again
is the indexer's.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

import indexer
from sightline.errors import EngineError, InputError, UnsupportedModality
from sightline.lock import patiently
from sightline.passport import PassportControl
from sightline.protocols import Store
from sightline.settings import Settings
from sightline.types import MigrationReport, Modality, Progress, Space

Writing = Callable[[], AbstractContextManager[None]]
_NOTE = "migration"  # in the ledger, from before the first vector until after the last is dropped
_KINDS: frozenset[Modality] = frozenset({"image", "text"})


@dataclass(frozen=True, slots=True)
class Halfway:
    """Vectors beside those that are searched: of a migration that has not ended, or that a kill kept from tidying up.

    `to` is the encoder's spec, "" for what a kill left; of `parts` that it embeds, `done` have their vectors.
    """

    to: str
    done: int
    parts: int

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def halfway(store: Store, ledger: indexer.Ledger) -> Halfway | None:
    """How far a migration is that has not ended; None where there is none. Looks at every part where there is one."""
    noted, passport = _noted(ledger), ledger.passport()
    if passport is None or not (noted or set(store.spaces()) - {passport.fingerprint}):
        return None
    now = Space(passport.space, passport.dim, passport.fingerprint, _KINDS)
    space = Space(noted["to"], noted["dim"], noted["fingerprint"], frozenset(noted["modalities"])) if noted else now
    parts = _lacking(store, replace(space, fingerprint=""))
    there = parts - _lacking(store, space)
    return Halfway(noted["to"], there, parts) if noted else Halfway("", store.stats().vectors - there, parts)


def give_up(store: Store, ledger: indexer.Ledger, *, writing: Writing) -> Halfway | None:
    """Drop what a migration has embedded so far, whole; what it was, None where there was none.

    Killed at any moment, it is there to be given up or gone on with. A process that is at it stops with an error.
    """
    with writing():
        found, built_by = halfway(store, ledger), ledger.built_by()
        if found is not None:
            for one in store.spaces():
                if one != built_by:
                    store.forget_space(one)
            ledger.note(_NOTE, "")  # last: what a kill leaves is still on record
    return found


def migrate(
    control: PassportControl,
    store: Store,
    ledger: indexer.Ledger,
    settings: Settings,
    spec: str,
    *,
    writing: Writing,
    progress: Callable[[Progress], None] | None,
) -> MigrationReport:
    """Embed, change over, then drop the old vectors; a kill before the change leaves the old encoder serving.

    A kill after it leaves old vectors behind, which migrating to the same encoder again removes. To the encoder on
    record, where it no longer gives the vectors it gave, it is a migration like any other. Waits for other writers.
    Raises InputError while one to another encoder has not ended, EngineError where somebody gives this one up.
    """
    started = time.perf_counter()
    passport = ledger.passport()
    if passport is None:
        raise InputError(f"nothing was indexed in collection {settings.collection!r} yet: there is nothing to migrate")
    encoder = control.successor(spec, passport)
    fingerprint = encoder.space.fingerprint
    _refuse_to_lose(store, passport, encoder.space)
    issued = control.issue(encoder)
    again = indexer.Reembedding(
        store=store, ledger=ledger, encoder=encoder,
        limits=settings.limits, batch_size=settings.batch_size, regions=indexer.planned(ledger).kind, progress=progress,
    )  # fmt: skip
    patient = _Writing(partial(patiently, writing, again.wait), ledger, spec, encoder.space)
    with patient():
        pass  # on record before the first vector
    while True:
        again.run(patient)
        with patient():
            if again.missing():  # added by another process since
                continue
            ledger.doubt({part_id.rpartition("#")[0] for part_id in again.lost})  # the next `add` looks again
            adapted = bool(ledger.adapter_state()[0]) and ledger.built_by() != fingerprint
            control.follow()  # before the passport says another: threads of this process ask meanwhile
            if ledger.built_by() != fingerprint:
                ledger.migrate(issued)
            for other in store.spaces():
                if other != fingerprint:
                    store.forget_space(other)
            ledger.note(_NOTE, "")
            break
    return MigrationReport(
        passport.space, encoder.space.name, again.texts, again.pictures, again.from_thumbnails.total(),
        tuple(again.lost.values()), adapted, time.perf_counter() - started, dict(again.from_thumbnails),
    )  # fmt: skip


class _Writing:
    """Keeps other writers out, and sees each time that nobody has given this migration up."""

    def __init__(self, writing: Writing, ledger: indexer.Ledger, spec: str, to: Space) -> None:
        self._writing, self._ledger, self._spec, self._to = writing, ledger, spec, to
        self._begun = False

    @contextmanager
    def __call__(self) -> Iterator[None]:
        with self._writing():
            if self._ledger.built_by() != self._to.fingerprint:
                self._be_on_record(_noted(self._ledger))
            yield

    def _be_on_record(self, noted: dict[str, Any] | None) -> None:
        """Raises InputError where another migration is on record, EngineError where this one no longer is."""
        if noted is None or noted["fingerprint"] != self._to.fingerprint:
            if self._begun:
                raise EngineError("another process gave this migration up; nothing of it is left")
            if noted is not None:
                raise InputError(
                    f"a migration to {noted['to']} has not ended: `sightline migrate --encoder {noted['to']}` goes on "
                    f"with it, `sightline migrate --cancel` gives it up"
                )
            to = self._to
            told = {"to": self._spec, "dim": to.dim, "fingerprint": to.fingerprint}
            self._ledger.note(_NOTE, json.dumps(told | {"modalities": sorted(to.modalities)}))
        self._begun = True


def _noted(ledger: indexer.Ledger) -> dict[str, Any] | None:
    """What is on record of a migration that has not ended."""
    told: dict[str, Any] = json.loads(ledger.noted(_NOTE) or "{}")
    if not told or told["fingerprint"] == ledger.built_by():  # killed after the change, before it was tidied up
        return None
    return told


def _lacking(store: Store, space: Space) -> int:
    """How many parts have no vector in a space; all that could have one, for the space of fingerprint ""."""
    return len(store.unembedded(space))


def _refuse_to_lose(store: Store, passport: indexer.Passport, to: Space) -> None:
    """Raises UnsupportedModality where parts have vectors now and are of a kind that the new encoder does not embed."""
    for kind in sorted(_KINDS - to.modalities):
        now = Space(passport.space, passport.dim, passport.fingerprint, frozenset({kind}))
        nowhere = replace(now, fingerprint="")
        count = _lacking(store, nowhere) - _lacking(store, now)
        if count > 0:
            raise UnsupportedModality(
                f"{to.name!r} embeds no {'pictures' if kind == 'image' else 'texts'}: {count:,} of them would lose "
                f"their vectors and be found no more by what they show. Nothing was changed: take an encoder of both, "
                f"or index into another collection (--collection)"
            )
