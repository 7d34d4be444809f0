"""Takes a collection from one encoder to another: a second space beside the first, then one transaction.

Knows the order that keeps it searchable throughout; how parts are embedded again is the indexer's.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager

import indexer
from sightline.errors import InputError
from sightline.passport import PassportControl
from sightline.protocols import Store
from sightline.settings import Settings
from sightline.types import MigrationReport, Progress


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

    A kill after it leaves old vectors behind, which migrating to the same encoder again removes.
    """
    started = time.perf_counter()
    passport = ledger.passport()
    if passport is None:
        raise InputError(f"nothing was indexed in collection {settings.collection!r} yet: there is nothing to migrate")
    encoder = control.other(spec)
    again = indexer.Reembedding(
        store=store, ledger=ledger, encoder=encoder,
        limits=settings.limits, batch_size=settings.batch_size, progress=progress,
    )  # fmt: skip
    adapted = bool(ledger.adapter_state()[0]) and passport.fingerprint != encoder.space.fingerprint
    while True:
        again.run(writing)
        with writing():
            if again.missing():  # added by another process since
                continue
            if passport.fingerprint != encoder.space.fingerprint:
                ledger.migrate(control.issue(encoder))
            control.follow()
            for fingerprint in store.spaces():
                if fingerprint != encoder.space.fingerprint:
                    store.forget_space(fingerprint)
            break
    return MigrationReport(
        passport.space, encoder.space.name, again.texts, again.pictures, again.from_thumbnails,
        tuple(again.lost.values()), adapted, time.perf_counter() - started,
    )  # fmt: skip
