"""Takes a collection from one encoder to another, or its texts alone: a space more beside those there, then a change.

Knows the order that keeps it searchable throughout, how far it is, and how it is given up; how parts are embedded again
is the indexer's.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

import numpy as np

import indexer
from sightline.admission import EVERYTHING, TEXTS
from sightline.errors import EngineError, InputError, UnsupportedModality
from sightline.lock import patiently
from sightline.passport import PassportControl
from sightline.probes import differences
from sightline.protocols import Encoder, Store
from sightline.roles import Role
from sightline.settings import Settings
from sightline.texts import NONE
from sightline.types import MigrationReport, Modality, Progress, Space

Writing = Callable[[], AbstractContextManager[None]]
_NOTE = "migration"  # in the ledger, from before the first vector until after the last is dropped
_KINDS: frozenset[Modality] = frozenset({"image", "text"})


@dataclass(frozen=True, slots=True)
class Halfway:
    """Vectors beside those that are searched: of a migration that has not ended, or that a kill kept from tidying up.

    `to` is the encoder's spec, "" for what a kill left; of `parts` that it embeds, `done` have their vectors. `option`
    names it on the command line.
    """

    to: str
    done: int
    parts: int
    option: str = EVERYTHING

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Target:
    """Where a migration goes: to an encoder of everything, or to one of texts alone; None: to no such one."""

    control: PassportControl
    role: Role  # of everything here, or of texts
    spec: str
    encoder: Encoder | None
    before: str  # the spec on record

    @property
    def texts(self) -> bool:
        return self.role is not self.control.whole

    @property
    def passport(self) -> indexer.Passport:
        """What goes on record with the change."""
        assert self.encoder is not None
        return self.role.issue(self.encoder)

    def on_record(self) -> bool:
        """Whether it is the one on record already. Raises ConfigError where it has the other role by now."""
        assert self.encoder is not None
        fingerprint = self.encoder.space.fingerprint
        beside = self.control.beside(self.role)
        if fingerprint == beside.fingerprint:
            self.role.refuse_taken(self.spec, beside.passport)
        return fingerprint == self.role.fingerprint


def target(control: PassportControl, encoder: str | None, text_encoder: str | None) -> Target:
    """Where the spec of one of the two leads from what is on record.

    Raises InputError unless just one is named and something is indexed, ConfigError for an encoder that is not there.
    """
    if (encoder is None) == (text_encoder is None):
        raise InputError("name the encoder to migrate to, or the text encoder: one of the two")
    if control.passport is None:
        raise InputError("nothing was indexed in this collection yet: there is nothing to migrate")
    role = control.whole if text_encoder is None else control.texts.role
    spec, here = encoder or text_encoder or "", role.passport
    before = here.space if here else NONE
    if role is not control.whole and spec == NONE:
        return Target(control, role, spec, None, before)
    return Target(control, role, spec, role.successor(spec), before)


def halfway(store: Store, ledger: indexer.Ledger) -> Halfway | None:
    """How far a migration is that has not ended; None where there is none. Looks at every part where there is one."""
    noted, passport, texts = _noted(ledger), ledger.passport(), ledger.text_passport()
    if passport is None or not (noted or set(store.spaces()) - _in_use(ledger)):
        return None
    now = Space(passport.space, passport.dim, passport.fingerprint, _KINDS)
    if noted:
        space = Space(noted["to"], noted["dim"], noted["fingerprint"], frozenset(noted["modalities"]))
        parts = _lacking(store, replace(space, fingerprint=""))
        return Halfway(noted["to"], parts - _lacking(store, space), parts, noted.get("option", EVERYTHING))
    used = [now, *([Space(texts.space, texts.dim, texts.fingerprint, frozenset({"text"}))] if texts else [])]
    there = sum(_lacking(store, replace(space, fingerprint="")) - _lacking(store, space) for space in used)
    return Halfway("", store.stats().vectors - there, _lacking(store, replace(now, fingerprint="")))


def give_up(store: Store, ledger: indexer.Ledger, *, writing: Writing) -> Halfway | None:
    """Drop what a migration has embedded so far, whole; what it was, None where there was none.

    Killed at any moment, it is there to be given up or gone on with. A process that is at it stops with an error.
    """
    with writing():
        found = halfway(store, ledger)
        if found is not None:
            _tidy(store, ledger)
    return found


def migrate(
    to: Target,
    store: Store,
    ledger: indexer.Ledger,
    settings: Settings,
    *,
    writing: Writing,
    progress: Callable[[Progress], None] | None,
) -> MigrationReport:
    """Embed, change over, then drop the old vectors; a kill before the change leaves the old encoder serving.

    A kill after it leaves old vectors behind, which migrating to the same encoder again removes. To the encoder on
    record, where it no longer gives the vectors it gave, it is a migration like any other. Waits for other writers.
    Raises InputError while one to another encoder has not ended, EngineError where somebody gives this one up.
    """
    started, passport = time.perf_counter(), ledger.passport()
    assert passport is not None
    if to.encoder is None:
        with patiently(writing, lambda _: None):
            if noted := _noted(ledger):
                raise _unfinished(noted)
            texts = ledger.text_passport()
            if texts is None:
                raise InputError("there is no text encoder here that could be taken out")
            _refuse_to_lose_texts(store, texts, passport)
            to.control.texts.take_out()
            _tidy(store, ledger)
        return MigrationReport(to.before, NONE, 0, 0, 0, (), False, time.perf_counter() - started, {})
    space = to.encoder.space
    if not to.texts:
        worded: frozenset[Modality] = frozenset({"text"} if ledger.texts_by() else ())
        left = space.modalities | worded
        _refuse_to_lose(store, passport, left, space.name)
    to.role.refuse_taken(to.spec, to.control.beside(to.role).passport)
    again = indexer.Reembedding(
        store=store, ledger=ledger, encoder=to.encoder, limits=settings.limits, batch_size=settings.batch_size,
        regions="none" if to.texts else indexer.planned(ledger).kind, progress=progress,
    )  # fmt: skip
    patient = _Writing(partial(patiently, writing, again.wait), store, ledger, to)
    with patient():
        pass  # on record before the first vector
    while True:
        again.run(patient)
        with patient():
            if again.missing():  # added by another process since
                continue
            ledger.doubt({part_id.rpartition("#")[0] for part_id in again.lost})  # the next `add` looks again
            adapted = not to.texts and bool(ledger.adapter_state()[0]) and ledger.built_by() != space.fingerprint
            to.role.put(to.passport)
            _tidy(store, ledger)
            break
    return MigrationReport(
        to.before, space.name, again.texts, again.pictures, again.from_thumbnails.total(),
        tuple(again.lost.values()), adapted, time.perf_counter() - started, dict(again.from_thumbnails),
    )  # fmt: skip


def _in_use(ledger: indexer.Ledger) -> set[str]:
    """Fingerprints of the spaces that are searched."""
    return {ledger.built_by(), ledger.texts_by()} - {""}


def _tidy(store: Store, ledger: indexer.Ledger) -> None:
    """Drop the vectors that are not searched, whole."""
    used = _in_use(ledger)
    for one in store.spaces():
        if one not in used:
            store.forget_space(one)
    ledger.note(_NOTE, "")  # last: what a kill leaves is still on record


class _Writing:
    """Keeps other writers out, and sees each time that nobody has given this migration up."""

    def __init__(self, writing: Writing, store: Store, ledger: indexer.Ledger, target: Target) -> None:
        assert target.encoder is not None
        self._writing, self._store, self._ledger = writing, store, ledger
        self._target, self._to = target, target.encoder.space
        self._answers = target.passport.probes
        self._begun = False

    @contextmanager
    def __call__(self) -> Iterator[None]:
        with self._writing():
            if not self._target.on_record():
                self._be_on_record(_noted(self._ledger))
            yield

    def _be_on_record(self, noted: dict[str, Any] | None) -> None:
        """Raises InputError where another migration is on record, EngineError where this one no longer is."""
        to, target = self._to, self._target
        own = noted is not None and _role(noted) == (to.fingerprint, target.role.option)
        if not own and self._begun:
            raise EngineError("another process gave this migration up; nothing of it is left")
        if not own and noted is not None:
            raise _unfinished(noted)
        if not self._begun and not (noted and self._answers_as(noted)):
            if to.fingerprint in self._store.spaces():  # left by a kill, or answered otherwise then
                self._store.forget_space(to.fingerprint)
            told = {"to": target.spec, "option": target.role.option, "dim": to.dim, "fingerprint": to.fingerprint}
            probes = base64.b64encode(self._answers).decode()
            self._ledger.note(_NOTE, json.dumps(told | {"modalities": sorted(to.modalities), "probes": probes}))
        self._begun = True

    def _answers_as(self, noted: Mapping[str, Any]) -> bool:
        """Whether the encoder answers as when its first vectors were written; an older note does not say."""
        then, now = (
            np.frombuffer(one, "<f4").reshape(-1, self._to.dim)
            for one in (base64.b64decode(noted.get("probes", "")), self._answers)
        )
        return not differences(then, now)


def _role(noted: Mapping[str, Any]) -> tuple[str, str]:
    """Of which encoder a migration that has not ended writes vectors, and what it is to be."""
    return noted["fingerprint"], noted.get("option", EVERYTHING)


def _unfinished(noted: dict[str, Any]) -> InputError:
    return InputError(
        f"a migration to {noted['to']} has not ended: `sightline migrate {_role(noted)[1]} "
        f"{noted['to']}` goes on with it, `sightline migrate --cancel` gives it up"
    )


def _noted(ledger: indexer.Ledger) -> dict[str, Any] | None:
    """What is on record of a migration that has not ended."""
    told: dict[str, Any] = json.loads(ledger.noted(_NOTE) or "{}")
    used = ((ledger.built_by(), EVERYTHING), (ledger.texts_by(), TEXTS))
    if not told or _role(told) in used:  # killed after the change, before it was tidied up
        return None
    return told


def _lacking(store: Store, space: Space) -> int:
    """How many parts have no vector in a space; all that could have one, for the space of fingerprint ""."""
    return len(store.unembedded(space))


def _refuse_to_lose(store: Store, now: indexer.Passport, left: frozenset[Modality], by: str) -> None:
    """Raises UnsupportedModality where parts have vectors by `now` and are of a kind that nobody is left to embed."""
    for kind in sorted(_KINDS - left):
        if count := _embedded(store, now, kind):
            raise _losing(by, kind, count)


def _refuse_to_lose_texts(store: Store, texts: indexer.Passport, whole: indexer.Passport) -> None:
    """The same of texts, where the encoder of everything embedded none of them; it is not opened to be asked."""
    count = _embedded(store, texts, "text")
    if count and not _embedded(store, whole, "text"):
        raise _losing(whole.space, "text", count)


def _embedded(store: Store, by: indexer.Passport, kind: Modality) -> int:
    """How many parts of a kind have a vector by an encoder."""
    space = Space(by.space, by.dim, by.fingerprint, frozenset({kind}))
    return _lacking(store, replace(space, fingerprint="")) - _lacking(store, space)


def _losing(by: str, kind: Modality, count: int) -> UnsupportedModality:
    return UnsupportedModality(
        f"{by!r} embeds no {'pictures' if kind == 'image' else 'texts'}: {count:,} of them would lose "
        f"their vectors and be found no more by what they show. Nothing was changed: take an encoder of both, "
        f"or index into another collection (--collection)"
    )
