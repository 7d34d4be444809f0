"""Takes a collection from one encoder to another: a second space beside the first, then one transaction.

Knows the order that keeps it searchable throughout; how parts are embedded again is the indexer's.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial

import indexer
from sightline.errors import InputError, UnsupportedModality
from sightline.lock import patiently
from sightline.passport import PassportControl
from sightline.protocols import Store
from sightline.settings import Settings
from sightline.types import MigrationReport, Modality, Progress, Space


def migrate(
    control: PassportControl,
    store: Store,
    ledger: indexer.Ledger,
    settings: Settings,
    spec: str,
    *,
    writing: Callable[[], AbstractContextManager[None]],
    progress: Callable[[Progress], None] | None,
) -> MigrationReport:
    """Embed, change over, then drop the old vectors; a kill before the change leaves the old encoder serving.

    A kill after it leaves old vectors behind, which migrating to the same encoder again removes. To the encoder on
    record, where it no longer gives the vectors it gave, it is a migration like any other. Waits for other writers.
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
        limits=settings.limits, batch_size=settings.batch_size, progress=progress,
    )  # fmt: skip
    patient = partial(patiently, writing, again.wait)
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
            break
    return MigrationReport(
        passport.space, encoder.space.name, again.texts, again.pictures, again.from_thumbnails.total(),
        tuple(again.lost.values()), adapted, time.perf_counter() - started, dict(again.from_thumbnails),
    )  # fmt: skip


def _refuse_to_lose(store: Store, passport: indexer.Passport, to: Space) -> None:
    """Raises UnsupportedModality where parts have vectors now and are of a kind that the new encoder does not embed."""
    kinds: frozenset[Modality] = frozenset({"image", "text"})
    for kind in sorted(kinds - to.modalities):
        now = Space(passport.space, passport.dim, passport.fingerprint, frozenset({kind}))
        nowhere = replace(now, fingerprint="")
        count = len(store.unembedded(nowhere)) - len(store.unembedded(now))
        if count > 0:
            raise UnsupportedModality(
                f"{to.name!r} embeds no {'pictures' if kind == 'image' else 'texts'}: {count:,} of them would lose "
                f"their vectors and be found no more by what they show. Nothing was changed: take an encoder of both, "
                f"or index into another collection (--collection)"
            )
