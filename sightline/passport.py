"""What a collection's passport lets in: the store, the encoder and the adapter that built it, and no others.

Knows passports and what was opened; opens nothing itself.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from indexer import Ledger, Passport
from sightline import admission
from sightline.admission import EVERYTHING, TEXTS
from sightline.encoders.adapter import AdaptedEncoder, Adapter
from sightline.errors import ConfigError, InputError, PassportMismatch
from sightline.protocols import Encoder
from sightline.roles import Record, Role
from sightline.stores import place_of
from sightline.texts import TextControl, texts_only

_STORE = "store"  # noted in the ledger
_OF_SERVER = "qdrant_server.json"  # in the folder of a collection that a Qdrant server keeps


class PassportControl:
    """Which encoders, store and adapter a collection is used with: those on record, checked, and no others.

    Safe to share between threads. Another process may build the collection, or change its adapter, at any time.
    """

    def __init__(
        self, ledger: Ledger, folder: Path, *, store: str, encoder: str | None, threads: int | None = None,
        text_encoder: str | None = None, opens: Callable[[str], Encoder] | None = None,
    ) -> None:  # fmt: skip
        """`store` and the encoders are specs; None means the one on record, else the starter, and none for texts.

        `opens` opens a spec; None: any that there is.
        """

        def opened(spec: str) -> Encoder:
            return opens(spec) if opens else admission.opened(spec, threads)

        self._ledger, self._folder, self.store_spec = ledger, folder, place_of(store)
        whole = Record(self._read, ledger.built_by, self._write)
        texts = Record(ledger.text_passport, ledger.texts_by, ledger.set_text_passport)
        self.whole = Role(EVERYTHING, whole, opened, folder, store=self.store_spec, asked=encoder)
        of_texts = Role(
            TEXTS, texts, lambda spec: texts_only(opened(spec)), folder, store=self.store_spec, asked=text_encoder
        )
        self.texts = TextControl(of_texts, self.whole, folder, ledger)
        self.adaptation = Adaptation(ledger, folder)

    @property
    def passport(self) -> Passport | None:
        """What built the collection, or what it was migrated to, also by another process since it was opened.

        Raises PassportMismatch.
        """
        return self.whole.passport

    @property
    def built_by(self) -> tuple[Passport | None, Passport | None]:
        """That and what embedded the texts once more: while they are the same, so are the spaces that are searched."""
        return self.passport, self.texts.role.passport

    @property
    def encoder_spec(self) -> str:
        return self._spec(self.passport)

    @property
    def encoder(self) -> Encoder:
        """The encoder of this collection, its queries through the adapter. Raises PassportMismatch."""
        return self.adaptation.around(self.plain_encoder)

    @property
    def plain_encoder(self) -> Encoder:
        """The encoder without the adapter: what made the stored vectors. Raises PassportMismatch."""
        passport = self.passport  # read once: another process may migrate it at any moment
        found = self.whole.other(self._spec(passport))
        return self.whole.admitted(passport, found, self.texts.role.passport) if passport else found

    @property
    def text_encoder(self) -> Encoder | None:
        """The encoder of texts alone; None where there is none. Raises PassportMismatch, ConfigError."""
        found = self.texts.encoder
        if found and self.passport is None and found.space.fingerprint == self.plain_encoder.space.fingerprint:
            raise self.texts.twice(found.space.name)
        return found

    @property
    def readers(self) -> list[Encoder]:
        """The encoders that take words; that of texts alone, which knows most of what they mean, is the last."""
        every = (self.plain_encoder, self.texts.encoder)
        return [one for one in every if one and "text" in one.space.modalities]

    def beside(self, role: Role) -> Role:
        """The other role here."""
        return self.texts.role if role is self.whole else self.whole

    def _spec(self, passport: Passport | None) -> str:
        return self.whole.asked or (passport.space if passport else "starter")

    def _read(self) -> Passport | None:
        found = self._ledger.passport()
        refuse_other_store(found, self.store_spec, self._folder)
        return found

    def _write(self, passport: Passport) -> None:
        """Put another encoder on record; the adapter, made for the one before, goes."""
        if self._ledger.built_by() != passport.fingerprint:
            self._ledger.migrate(passport)


def store_of(folder: Path) -> str | None:
    """The store a collection is kept in, or was made with; None where that is not on record."""
    if not folder.is_dir():
        return None
    with closing(Ledger(folder)) as ledger:
        passport = ledger.passport()
        return passport.store if passport else ledger.noted(_STORE) or None


def store_to_open(ledger: Ledger, folder: Path, asked: str | None) -> str:
    """The store asked for, else the one on record, or noted when the collection was made, else `faiss`.

    Raises PassportMismatch when the collection is kept elsewhere, ConfigError when it is of a Qdrant server whose
    address is not on record.
    """
    passport = ledger.passport()
    spec = asked or (passport.store if passport else ledger.noted(_STORE))
    if not spec and (folder / _OF_SERVER).exists():
        address = "whose address is not on record: say it with --store qdrant:URL"
        raise ConfigError(f"{folder} is of a Qdrant server {address}")
    refuse_other_store(passport, spec or "faiss", folder)
    return spec or "faiss"


def note_store(ledger: Ledger, spec: str) -> None:
    """Keep which store a collection is made with, until something is added."""
    if ledger.passport() is None and ledger.noted(_STORE) != place_of(spec):
        ledger.note(_STORE, place_of(spec))


def refuse_other_store(passport: Passport | None, spec: str, folder: Path) -> None:
    """Raises PassportMismatch when the collection is kept elsewhere."""
    if passport and place_of(spec) != passport.store:
        raise PassportMismatch(
            f"{folder} keeps its vectors in {passport.store!r}, not {place_of(spec)!r}. "
            f"Open it without --store, or index into another folder or collection."
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
