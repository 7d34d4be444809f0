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
from sightline.errors import ConfigError, MissingExtra, PassportMismatch
from sightline.protocols import Encoder
from sightline.roles import Role
from sightline.types import Content, Space, Vectors

NONE = "none"  # as a spec: no text encoder
OPTION = "--text-encoder"
_UNNAMED = f"leave {OPTION} out and unset SIGHTLINE_TEXT_ENCODER"


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


class TextControl(Role):
    """The text encoder of one collection. Safe to share between threads; another process may change it at any time."""

    option = OPTION

    def __init__(
        self, ledger: Ledger, folder: Path, *, store: str, asked: str | None, threads: int | None, beside: Role
    ) -> None:
        """`asked` is a spec, "none" for no text encoder; None means the one on record. `beside` embeds everything."""
        super().__init__(ledger, folder, store=store, asked=asked, threads=threads)
        self.beside = beside
        self._on_record: tuple[Passport, Encoder] | None = None

    @property
    def passport(self) -> Passport | None:
        """What embedded the texts that are here; None where nothing did."""
        kept = self._recorded()
        return kept[0] if kept else None

    @property
    def fingerprint(self) -> str:
        return self._ledger.texts_by()

    @property
    def name(self) -> str | None:
        """What the text encoder on record is called; None where there is none."""
        passport = self.passport
        return passport.space if passport else None

    @property
    def encoder(self) -> Encoder | None:
        """The text encoder; None where there is none. What is on record is opened when it is first asked.

        Raises PassportMismatch, ConfigError, MissingExtra.
        """
        kept = self._recorded()
        return kept[1] if kept else self._first()

    def other(self, spec: str) -> Encoder:
        return texts_only(super().other(spec))

    def first(self, encoder: Encoder | None) -> Passport | None:
        """The passport to put on record for what an encoder is about to embed; None where one is, or there is none."""
        kept = self._recorded()
        if kept and self._asked and self._asked != kept[0].space:
            self._reopened(kept[0])  # another one is refused whether or not there is a text to embed
        return self.issue(encoder) if encoder and kept is None else None

    def put(self, passport: Passport | None) -> None:
        """As every role does; None: there is none from now on."""
        self._asked = self._on_record = None
        self._ledger.set_text_passport(passport)

    def taken(self, spec: str) -> str:
        return f"{spec!r} embeds everything here already, texts too: {OPTION} is for another one beside it"

    def _recorded(self) -> tuple[Passport, Encoder] | None:
        """What is on record, read again where another process changed it, and its encoder."""
        kept, now = self._on_record, self.fingerprint
        if not now:
            return None
        if kept is None or kept[0].fingerprint != now:
            passport = self._ledger.text_passport()
            kept = self._on_record = (
                (passport, Deferred(passport, partial(self._reopened, passport))) if passport else None
            )
        return kept

    def _reopened(self, passport: Passport) -> Encoder:
        """The encoder on record, opened and checked."""
        spec = self._asked or passport.space
        if spec == NONE:
            raise PassportMismatch(
                f"{self._folder} has the text encoder {passport.space!r}: {_UNNAMED}, or take it out with "
                f"`sightline migrate {OPTION} {NONE}`."
            )
        try:
            return self._admitted(passport, spec)
        except MissingExtra:
            raise
        except ConfigError as exc:
            raise ConfigError(
                f"the text encoder of {self._folder} cannot be opened: {exc}. Go to one that is there with "
                f"`sightline migrate {OPTION} SPEC`, or to none with `sightline migrate {OPTION} {NONE}`"
            ) from exc

    def _first(self) -> Encoder | None:
        """The one asked for, where nothing is here yet that lacks its vectors."""
        if self._asked in (None, NONE):
            return None
        main = self.beside.passport
        if main is not None and main.space == self._asked:
            raise ConfigError(self.taken(self._asked))
        if main is not None:
            raise PassportMismatch(
                f"{self._folder} was built without a text encoder: {_UNNAMED}, or embed its texts with "
                f"`sightline migrate {OPTION} {quote(self._asked)}`."
            )
        return self.other(self._asked)
