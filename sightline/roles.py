"""What an encoder is to a collection: it embeds everything in it, or its texts once more. Each is on record.

Knows passports and encoders; nothing of what is searched. `passport` and `texts` say which of the two it is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from indexer import Passport
from sightline import admission
from sightline.admission import admit, is_of, issued
from sightline.encoders.edition import under
from sightline.errors import ConfigError, PassportMismatch
from sightline.protocols import Encoder


@dataclass(frozen=True, slots=True)
class Record:
    """Where the passport of a role is kept."""

    read: Callable[[], Passport | None]
    fingerprint: Callable[[], str]  # "" where there is none: cheap to ask
    write: Callable[[Passport], None]  # in place of the one there was, in one transaction


class Role:
    """The part that one encoder of a collection has, and which encoder has it.

    Safe to share between threads. Another process may change the record at any time.
    """

    def __init__(
        self,
        option: str,
        record: Record,
        opens: Callable[[str], Encoder],
        folder: Path,
        *,
        store: str,
        asked: str | None,
    ) -> None:
        """`option` names such an encoder on the command line; `asked` is a spec, or None for the one on record."""
        self.option, self.asked, self._record, self._opens = option, asked, record, opens
        self._folder, self._store = folder, store
        self._kept: Passport | None = None  # as it was read last
        self._checked: tuple[Passport, Encoder] | None = None

    @property
    def passport(self) -> Passport | None:
        """What is on record, read again where another process changed it; None where nothing is."""
        now = self._record.fingerprint()
        if not now:
            return None
        if self._kept is None or self._kept.fingerprint != now:
            self._kept = self._record.read()
        return self._kept

    @property
    def fingerprint(self) -> str:
        """The one on record, "" where there is none: cheap to ask."""
        return self._record.fingerprint()

    def other(self, spec: str) -> Encoder:
        """Another encoder, under its own fingerprint. Raises ConfigError, MissingExtra."""
        return self._opens(spec)

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
        return issued(encoder, self._store)

    def put(self, passport: Passport) -> None:
        """Put an encoder on record, in place of the one there was; from now on use it, whichever was asked for."""
        if self.fingerprint not in ("", passport.fingerprint):
            self.asked = None  # before the record says another: threads of this process ask meanwhile
        self._record.write(passport)
        self._kept = None
        kept = self.passport
        self.asked = None if kept and kept.space == passport.space else passport.space  # the same, elsewhere by now

    def admitted(self, passport: Passport, found: Encoder, beside: Passport | None) -> Encoder:
        """An opened encoder as the one on record; `beside`: what is on record of the other role.

        Raises PassportMismatch.
        """
        if self._checked != (passport, found):
            if self.asked and beside and is_of(beside, found.space) and not is_of(passport, found.space):
                raise PassportMismatch(admission.misnamed(self._folder, passport, beside, self.option))
            admit(passport, found, self._folder, self.option)
            self._checked = (passport, found)
        return under(found, passport.fingerprint)

    def refuse_taken(self, spec: str, beside: Passport | None) -> None:
        """Raises ConfigError where an encoder has the other role, of which `beside` is on record."""
        if beside and is_of(beside, self.other(spec).space):
            raise ConfigError(admission.taken(self._folder, spec, self.option))
