"""What an encoder is to a collection: it embeds everything in it, or its texts once more. No other has its role then.

Knows passports and encoders; nothing of what is searched. Which of the two it is, `passport` and `texts` say.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path

from indexer import Ledger, Passport
from sightline import admission
from sightline.admission import admit, is_of, issued
from sightline.encoders.edition import under
from sightline.errors import ConfigError, PassportMismatch
from sightline.protocols import Encoder


class Role(ABC):
    """The part that one encoder of a collection has, and which encoder has it."""

    option: str  # names such an encoder on the command line
    beside: Role  # the other one here

    def __init__(self, ledger: Ledger, folder: Path, *, store: str, asked: str | None, threads: int | None) -> None:
        """`asked` is a spec; None means the one on record."""
        self._ledger, self._folder, self.store_spec = ledger, folder, store
        self._asked, self._threads = asked, threads
        self._checked: tuple[Passport, Encoder] | None = None

    @property
    @abstractmethod
    def passport(self) -> Passport | None:
        """What is on record; None where nothing is."""

    @property
    @abstractmethod
    def fingerprint(self) -> str:
        """The one on record, "" where there is none: cheap to ask."""

    @abstractmethod
    def put(self, passport: Passport) -> None:
        """Put another on record, in one transaction; from now on use that, whichever was asked for."""

    @abstractmethod
    def taken(self, spec: str) -> str:
        """What to say of an encoder that has the other role here."""

    def other(self, spec: str) -> Encoder:
        """Another encoder, under its own fingerprint. Raises ConfigError, MissingExtra."""
        return admission.opened(spec, self._threads)

    def matching(self, spec: str, passport: Passport) -> Encoder:
        """Another encoder, under the fingerprint in a passport where that is one of its own.

        Raises ConfigError, MissingExtra.
        """
        found = self.other(spec)
        return under(found, passport.fingerprint) if is_of(passport, found.space) else found

    def successor(self, spec: str) -> Encoder:
        """The encoder to migrate to: of a new fingerprint where its vectors are other ones than those on record.

        Raises ConfigError, MissingExtra.
        """
        found, passport = self.other(spec), self.passport
        return admission.successor(found, passport, self._folder) if passport else found

    def issue(self, encoder: Encoder) -> Passport:
        """The passport of what an encoder embeds here."""
        return issued(encoder, self.store_spec)

    def refuse_taken(self, spec: str) -> None:
        """Raises ConfigError where an encoder has the other role here."""
        there = self.beside.passport
        if there and is_of(there, self.other(spec).space):
            raise ConfigError(self.taken(spec))

    def _admitted(self, passport: Passport, spec: str) -> Encoder:
        """The encoder of a spec, opened, where it is the one on record. Raises PassportMismatch, else as `other`."""
        found = self.other(spec)
        if self._checked != (passport, found):
            there = self.beside.passport
            if there and is_of(there, found.space) and not is_of(passport, found.space):
                raise PassportMismatch(self.taken(spec))
            admit(passport, found, self._folder, self.option)
            self._checked = (passport, found)
        return under(found, passport.fingerprint)
