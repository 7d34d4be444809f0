"""What a collection's passport lets in: the store, the encoder and the adapter that built it, and no others.

Knows passports and what was opened; opens nothing itself.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from contextlib import closing
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from indexer import Ledger, Passport
from sightline import probes
from sightline.encoders import open_encoder
from sightline.encoders.adapter import AdaptedEncoder, Adapter
from sightline.encoders.edition import EDITION_OF, Edition, of_answers, under
from sightline.errors import ConfigError, InputError, PassportMismatch
from sightline.protocols import Encoder
from sightline.stores import place_of
from sightline.types import DEVICE, Space, Vectors
from sightline.versions import versions

_STORE = "store"  # noted in the ledger
_OF_SERVER = "qdrant_server.json"  # in the folder of a collection that a Qdrant server keeps
ENCODERS = 8  # kept open in a process, the last used: each takes tens of megabytes and more
_NAMED = 4  # differences told in one message
_NO_DIFFERENCE = frozenset({EDITION_OF, DEVICE})  # in `made_of`, but not what the vectors are made by


@lru_cache(maxsize=ENCODERS)
def _opened(spec: str, threads: int | None) -> Encoder:
    """One loaded encoder a process, however many collections use it."""
    return open_encoder(spec, threads=threads)


@lru_cache(maxsize=ENCODERS)
def _probed(encoder: Encoder) -> Vectors:
    """(16, dim): what an encoder answers to the probes, asked once a process."""
    return probes.answers(encoder)


class PassportControl:
    """Which encoder, store and adapter a collection is used with: those on record, checked, and no others.

    Safe to share between threads. Another process may build the collection, or change its adapter, at any time.
    """

    def __init__(self, ledger: Ledger, folder: Path, *, store: str, encoder: str | None, threads: int | None) -> None:
        """`store` and `encoder` are specs; `encoder` None means the one on record, or the starter."""
        self._ledger, self._folder, self.store_spec = ledger, folder, place_of(store)
        self._asked, self._threads = encoder, threads
        self._built_by: Passport | None = None  # read from the ledger until there is one
        self._checked: tuple[Passport, Encoder] | None = None
        self.adaptation = Adaptation(ledger, folder)

    @property
    def passport(self) -> Passport | None:
        """What built the collection, or what it was migrated to, also by another process since it was opened.

        Raises PassportMismatch.
        """
        if self._built_by is None or self._built_by.fingerprint != self._ledger.built_by():
            found = self._ledger.passport()
            refuse_other_store(found, self.store_spec, self._folder)
            self._built_by = found
        return self._built_by

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
        opened = _opened(self._spec(passport), self._threads)
        if passport is None:
            return opened
        if self._checked != (passport, opened):
            self._admit(passport, opened)
            self._checked = (passport, opened)
        return under(opened, passport.fingerprint)

    def other(self, spec: str) -> Encoder:
        """Another encoder, under its own fingerprint. Raises ConfigError, MissingExtra."""
        return _opened(spec, self._threads)

    def matching(self, spec: str, passport: Passport) -> Encoder:
        """Another encoder, under the fingerprint in a passport where that is one of its own.

        Raises ConfigError, MissingExtra.
        """
        opened = self.other(spec)
        return under(opened, passport.fingerprint) if _is_of(passport, opened.space) else opened

    def successor(self, spec: str, passport: Passport) -> Encoder:
        """The encoder to migrate to from the one on record: of a new fingerprint where its vectors are other ones.

        Raises ConfigError, MissingExtra.
        """
        opened = self.other(spec)
        if not _is_of(passport, opened.space):
            return opened
        try:
            self._admit(passport, opened)
        except PassportMismatch:
            taken = passport.fingerprint == opened.space.fingerprint
            return of_answers(opened, _probed(opened)) if taken else opened
        return under(opened, passport.fingerprint)

    def follow(self) -> None:
        """From now on use the encoder on record, whichever was asked for."""
        self._asked = None

    def issue(self, encoder: Encoder) -> Passport:
        """The passport of what an encoder builds here."""
        plain = encoder.plain if isinstance(encoder, Edition) else encoder
        space, kept = encoder.space, _probed(plain).astype("<f4").tobytes()
        return Passport.of(space, store=self.store_spec, versions=versions([space.name]), probes=kept)

    def _spec(self, passport: Passport | None) -> str:
        return self._asked or (passport.space if passport else "starter")

    def _admit(self, passport: Passport, opened: Encoder) -> None:
        """Raises PassportMismatch unless this encoder built the collection and still answers as it did."""
        refuse_other_encoder(passport, opened.space, self._folder)
        if passport.probes:
            refuse_other_answers(passport, _probed(opened), opened.space, self._folder)


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


def refuse_other_encoder(passport: Passport | None, space: Space, folder: Path) -> None:
    """Raises PassportMismatch when another encoder built the collection."""
    if passport and not (_is_of(passport, space) and _agree(passport.made_of, space.made_of)):
        same = passport.space == space.name  # then the weights or the preprocessing changed under the name
        told = _differences(passport.made_of, space.made_of) if passport.dim == space.dim else []
        raise PassportMismatch(
            f"{folder} was built with {passport.space!r} ({passport.dim} numbers a vector, "
            f"fingerprint {passport.fingerprint[:12]}), not {'this ' * same}{space.name!r} "
            f"({space.dim}, {space.fingerprint[:12]}). {'What differs: ' + '; '.join(told) + '. ' if told else ''}"
            f"Their vectors cannot be compared: {'' if same else 'open it without --encoder, or '}"
            f"embed everything again with `sightline migrate --encoder {space.name}`."
        )


def refuse_other_answers(passport: Passport, now: Vectors, space: Space, folder: Path) -> None:
    """Raises PassportMismatch when the encoder answers the probes otherwise than when the collection was built."""
    before = np.frombuffer(passport.probes, "<f4").reshape(-1, passport.dim)
    found = probes.differences(before, now, least=probes.least(passport.made_of, space.made_of))
    if found:
        packages = versions([passport.space])
        told = [f"{name} {packages.get(name, 'missing')}, then {then}" for name, then in passport.versions.items()
                if packages.get(name) != then]  # fmt: skip
        raise PassportMismatch(
            f"{folder} was built with {passport.space!r}, which no longer gives the same vectors: "
            f"{'; '.join(found[:_NAMED])}{f'; and {len(found) - _NAMED} more' if len(found) > _NAMED else ''}. "
            f"{'What changed since: ' + '; '.join(told) + '. ' if told else ''}"
            f"Bring that back, or embed everything again with `sightline migrate --encoder {passport.space}`."
        )


def _is_of(passport: Passport, space: Space) -> bool:
    """Whether the fingerprint on record is the encoder's, was its when less went into one, or is of its answers."""
    own = {space.fingerprint, *space.formerly}
    return passport.fingerprint in own or passport.made_of.get(EDITION_OF) in own


def _agree(before: Mapping[str, str], now: Mapping[str, str]) -> bool:
    """Whether what both tell of is equal: an older passport tells of less."""
    return all(before[name] == now[name] for name in (before.keys() & now.keys()) - _NO_DIFFERENCE)


def _differences(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """What the fingerprints were taken of and is not equal, named: at most `_NAMED`, and how many more."""
    names = [name for name in sorted({*before, *now} - _NO_DIFFERENCE) if before.get(name) != now.get(name)]
    if not before or not now:
        return []
    told = [f"{name} is {now.get(name, 'not there')}, was {before.get(name, 'not there')}" for name in names[:_NAMED]]
    return [*told, f"and {len(names) - _NAMED} more"] if len(names) > _NAMED else told


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
