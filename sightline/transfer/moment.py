"""A collection's ledger and store, both as they were at one moment.

Knows that a ledger nobody wrote to while the store's moment was taken is of that moment too: what the two then hold
together is what a power cut would have left, which every opening can go on from.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass

from indexer import Ledger, Passport, RegionPlan, planned
from indexer.carrying import LedgerMoment
from sightline.protocols import Moment, Store

Writing = Callable[[], AbstractContextManager[None]]


@dataclass(frozen=True, slots=True)
class Held:
    """What was looked at, and the passports, the adapter and the regions of that moment."""

    ledger: LedgerMoment
    store: Moment
    passport: Passport | None
    text_passport: Passport | None
    adapter: bytes
    regions: RegionPlan


@contextlib.contextmanager
def held(ledger: Ledger, store: Store, store_spec: str, writing: Writing) -> Iterator[Held]:
    """The collection as it is now, until the block is left.

    On `faiss` nobody waits: writers go on, and one that has been at it for hours hinders nothing. With the other stores
    writers are kept out until the block is left. Raises ConfigError where one is at work then.
    """
    with contextlib.nullcontext() if store_spec == "faiss" else writing():
        while True:
            with ledger.moment() as seen, store.moment() as moment:
                passport, texts, adapter = ledger.passport(), ledger.text_passport(), ledger.adapter()
                regions = planned(ledger)
                if seen.is_latest:
                    yield Held(seen, moment, passport, texts, adapter, regions)
                    return
