"""The encoder of texts alone that a collection may have beside its own: which one is on record, and no other.

Words are compared with texts by it. Knows passports and encoders; nothing of what is searched.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path
from shlex import quote

from indexer import Ledger, Passport
from sightline.admission import TEXTS, unnamed
from sightline.errors import ConfigError, MissingExtra, PassportMismatch
from sightline.protocols import Encoder
from sightline.roles import Role
from sightline.types import Content, Space, Vectors

NONE = "none"  # as a spec: no text encoder


class TextsOnly:
    """An encoder of which nothing but texts is asked."""

    def __init__(self, encoder: Encoder) -> None:
        self.plain = encoder
        self._space = replace(encoder.space, modalities=frozenset({"text"}))

    @property
    def space(self) -> Space:
        return self._space

    def encode_documents(self, contents: Sequence[Content]) -> Vectors:
        """As the encoder does: (n, dim) unit rows."""
        return self.plain.encode_documents(contents)

    def encode_queries(self, contents: Sequence[Content], *, instruction: str | None = None) -> Vectors:
        """As the encoder does: (n, dim) unit rows."""
        return self.plain.encode_queries(contents, instruction=instruction)


class Deferred:
    """The encoder on record, which is opened and checked when it is first asked: most searches may never need it."""

    def __init__(self, passport: Passport, opened: Callable[[], Encoder]) -> None:
        self._space = Space(passport.space, passport.dim, passport.fingerprint, frozenset({"text"}), passport.made_of)
        self._opened = opened

    @property
    def space(self) -> Space:
        return self._space

    def encode_documents(self, contents: Sequence[Content]) -> Vectors:
        """As the encoder does: (n, dim) unit rows. Raises what opening it raises."""
        return self._opened().encode_documents(contents)

    def encode_queries(self, contents: Sequence[Content], *, instruction: str | None = None) -> Vectors:
        """As the encoder does: (n, dim) unit rows. Raises what opening it raises."""
        return self._opened().encode_queries(contents, instruction=instruction)


@lru_cache(maxsize=16)
def texts_only(encoder: Encoder) -> Encoder:
    """The encoder for texts alone, the same one every time. Raises ConfigError where it embeds none."""
    if "text" not in encoder.space.modalities:
        raise ConfigError(f"{encoder.space.name!r} embeds no texts, so it cannot be the text encoder")
    return encoder if encoder.space.modalities == {"text"} else TextsOnly(encoder)


class TextControl:
    """The text encoder of one collection. Safe to share between threads; another process may change it at any time."""

    def __init__(self, role: Role, main: Role, folder: Path, ledger: Ledger) -> None:
        """`role` may be asked for "none" too: no text encoder. `main` is that of the encoder of everything."""
        self.role, self._main, self._folder, self._ledger = role, main, folder, ledger
        self._deferred: tuple[Passport, Encoder] | None = None

    @property
    def name(self) -> str | None:
        """What the text encoder on record is called; None where there is none."""
        passport = self.role.passport
        return passport.space if passport else None

    @property
    def encoder(self) -> Encoder | None:
        """The text encoder; None where there is none. What is on record is opened when it is first asked.

        Raises PassportMismatch, ConfigError, MissingExtra.
        """
        passport, kept = self.role.passport, self._deferred
        if passport is None:
            return self._first()
        if kept is None or kept[0] is not passport:
            kept = self._deferred = passport, Deferred(passport, partial(self._opened, passport))
        return kept[1]

    def first(self, encoder: Encoder | None) -> Passport | None:
        """The passport to put on record for what an encoder is about to embed; None where one is, or there is none."""
        passport, asked = self.role.passport, self.role.asked
        if passport and asked and asked != passport.space:
            self._opened(passport)  # another one is refused whether or not there is a text to embed
        return self.role.issue(encoder) if encoder and passport is None else None

    def take_out(self) -> None:
        """From now on there is none, whichever was asked for."""
        self.role.asked = None
        self._ledger.set_text_passport(None)

    def _opened(self, passport: Passport) -> Encoder:
        """The encoder on record, opened and checked."""
        spec = self.role.asked or passport.space
        if spec == NONE:
            raise PassportMismatch(
                f"{self._folder} has the text encoder {passport.space!r}: {unnamed(TEXTS)}, or take it out with "
                f"`sightline migrate {TEXTS} {NONE}`."
            )
        try:
            found = self.role.other(spec)
        except MissingExtra:
            raise
        except ConfigError as exc:
            raise ConfigError(
                f"the text encoder of {self._folder} cannot be opened: {exc}. Go to one that is there with "
                f"`sightline migrate {TEXTS} SPEC`, or to none with `sightline migrate {TEXTS} {NONE}`"
            ) from exc
        return self.role.admitted(passport, found, self._main.passport)

    def _first(self) -> Encoder | None:
        """The one asked for, where nothing is here yet that lacks its vectors."""
        asked, main = self.role.asked, self._main.passport
        if asked in (None, NONE):
            return None
        if main is not None and main.space == asked:
            raise self.twice(asked)
        if main is not None:
            raise PassportMismatch(
                f"{self._folder} was built without a text encoder: {unnamed(TEXTS)}, or embed its texts with "
                f"`sightline migrate {TEXTS} {quote(asked)}`."
            )
        return self.role.other(asked)

    def twice(self, spec: str) -> ConfigError:
        """What to raise where the encoder of everything is named as the text encoder too."""
        return ConfigError(f"{spec!r} embeds everything in {self._folder}, texts too: {unnamed(TEXTS)}")
