"""What a collection's passport lets in: the store, the encoder and the adapter that built it, and no others.

Knows passports and what was opened; opens nothing itself.
"""

from __future__ import annotations

import threading
from contextlib import closing
from pathlib import Path
from typing import Any

from indexer import Ledger, Passport
from sightline.encoders.adapter import AdaptedEncoder, Adapter
from sightline.errors import ConfigError, InputError, PassportMismatch
from sightline.protocols import Encoder
from sightline.types import Space


def store_of(folder: Path) -> str | None:
    """The store a collection is kept in; None where nothing was added yet or there is no collection."""
    if not folder.is_dir():
        return None
    with closing(Ledger(folder)) as ledger:
        passport = ledger.passport()
    return passport.store if passport else None


def refuse_other_store(passport: Passport | None, spec: str, folder: Path) -> None:
    """Raises PassportMismatch when the collection is kept elsewhere."""
    if passport and spec != passport.store:
        raise PassportMismatch(
            f"{folder} keeps its vectors in {passport.store!r}, not {spec!r}. "
            f"Open it without --store, or index into another folder or collection."
        )


def refuse_other_encoder(passport: Passport | None, space: Space, folder: Path) -> None:
    """Raises PassportMismatch when another encoder built the collection."""
    if passport and passport.fingerprint != space.fingerprint:
        same = passport.space == space.name  # then the weights or the preprocessing changed under the name
        raise PassportMismatch(
            f"{folder} was built with {passport.space!r} ({passport.dim} numbers a vector, "
            f"fingerprint {passport.fingerprint[:12]}), not {'this ' * same}{space.name!r} "
            f"({space.dim}, {space.fingerprint[:12]}). Their vectors cannot be compared: "
            f"{'' if same else 'open it without --encoder, or '}index again into another collection (--collection)."
        )


class Adaptation:
    """The adapter of a collection, kept with its passport: read again when another process changes it."""

    def __init__(self, ledger: Ledger, folder: Path) -> None:
        self._ledger, self._folder = ledger, folder
        self._reading = threading.Lock()
        self._state: tuple[str, int] = ("", 0)  # digest, bytes
        self._adapter: Adapter | None = None
        self._made: AdaptedEncoder | None = None

    def adapter(self) -> Adapter | None:
        """What is installed. Raises PassportMismatch where it is not what the passport says."""
        with self._reading:
            state = self._ledger.adapter_state()
            while state != self._state:
                try:
                    read = self._read(*state)
                except PassportMismatch:
                    before, state = state, self._ledger.adapter_state()
                    if before == state:
                        raise
                    continue  # another process changed it between two looks
                self._adapter, self._made, self._state = read, None, state
            return self._adapter

    def around(self, encoder: Encoder) -> Encoder:
        """The encoder through the adapter; itself where there is none. Raises PassportMismatch."""
        adapter = self.adapter()
        if adapter is None:
            return encoder
        made = self._made
        if made is None or made.plain is not encoder or made.adapter is not adapter:
            try:
                made = self._made = AdaptedEncoder(encoder, adapter)
            except ConfigError as exc:
                raise self._mismatch(f"its adapter {adapter.digest[:12]} does not belong to it: {exc}") from exc
        return made

    def told(self) -> dict[str, Any] | None:
        """What `info` shows of it; also of one that cannot be used, for an index is there to be looked at."""
        try:
            adapter = self.adapter()
        except PassportMismatch as exc:
            return {"digest": self._ledger.adapter_state()[0], "problem": str(exc)}
        return {"digest": adapter.digest, "maps": sorted(adapter.maps), **adapter.facts} if adapter else None

    def install(self, adapter: Adapter | None) -> bool:
        """Put an adapter in place of the one there was, in one transaction; None takes it out. Whether that changed it.

        Raises InputError where nothing was indexed yet, PassportMismatch for an adapter of another encoder.
        """
        passport = self._ledger.passport()
        if passport is None and adapter is not None:
            raise InputError(f"nothing was indexed in {self._folder} yet: index first, then adapt")
        if passport and adapter and adapter.encoder != passport.fingerprint:
            fingerprints = f"{adapter.encoder[:12]}, the collection was built with {passport.fingerprint[:12]}"
            raise self._mismatch(f"the adapter was fitted on an encoder of fingerprint {fingerprints}")
        before = self._ledger.adapter_state()
        digest = adapter.digest if adapter else ""
        self._ledger.set_adapter(digest, adapter.to_bytes() if adapter else b"")
        return before != self._ledger.adapter_state()

    def _read(self, digest: str, size: int) -> Adapter | None:
        if not digest and not size:
            return None
        if not digest or not size:
            lost = "has an adapter its passport does not know" if size else f"is without its adapter {digest[:12]}"
            raise self._mismatch(lost)
        try:
            adapter = Adapter.from_bytes(self._ledger.adapter())
        except ConfigError as exc:
            raise self._mismatch(f"has a damaged adapter: {exc}") from exc
        if adapter.digest != digest:
            raise self._mismatch(f"has the adapter {adapter.digest[:12]}, its passport says {digest[:12]}")
        return adapter

    def _mismatch(self, reason: str) -> PassportMismatch:
        again = "`sightline adapt --remove` goes back to the encoder alone, `sightline adapt --pairs` makes a new one"
        return PassportMismatch(f"{self._folder}: {reason}. {again}.")
