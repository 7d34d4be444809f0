"""Whose vectors an import takes over: the encoders a collection is to have, settled before anything is written.

Knows passports and encoders; neither rows nor stores.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from shlex import quote

import numpy as np

from indexer import Passport
from sightline import probes
from sightline.admission import TEXTS, refuse_other_encoder
from sightline.errors import ConfigError, InputError, PassportMismatch, SightlineError
from sightline.passport import PassportControl
from sightline.protocols import Encoder
from sightline.texts import NONE, TextControl
from sightline.transfer.reading import Export

_OTHERWISE = f"embed everything again, with --embed, or do without a text encoder, with {TEXTS} {NONE}"


# -- the encoder of everything -----------------------------------------------------------------------------------------


def own_encoder(export: Export, control: PassportControl, asked: str | None) -> Encoder:
    """The encoder that embeds again: the collection's, else the one asked for, else the export's."""
    if control.passport is not None:
        return control.plain_encoder
    made = export.passport
    return control.whole.other(asked or (made.space if made else "starter"))


def comparable(export: Export) -> Passport:
    """The passport of an export whose vectors can be compared with others at all. Raises InputError."""
    made = export.passport
    if made is None:
        raise InputError(f"{export.folder} does not say which encoder made it: embed it again, with --embed")
    if not export.with_vectors:
        raise InputError(f"{export.folder} was made without vectors: embed everything again, with --embed")
    if not any(made.probes):
        raise InputError(
            f"{export.folder} does not say what its encoder answered to the probes, so that nobody can tell "
            f"whether it gives the same vectors here. Nothing was written: embed everything again, with --embed"
        )
    return made


def adopted(made: Passport, control: PassportControl, asked: str | None, folder: Path) -> Passport:
    """The export's passport as an empty collection has it, once its encoder gives the vectors that it gave.

    Raises ConfigError, PassportMismatch.
    """
    spec = asked or made.space
    try:
        mine = control.whole.issue(control.whole.matching(spec, made))
    except SightlineError as exc:
        raise ConfigError(
            f"the vectors of {folder} were made by {made.space!r}, and {spec!r} cannot be opened here: "
            f"{exc}. Embed everything again by another encoder: --embed --encoder SPEC"
        ) from exc
    refuse_others(made, mine, folder)
    try:
        refuse_other_encoder(made, control.whole.other(spec).space, folder)
    except PassportMismatch as exc:
        raise PassportMismatch(
            f"{folder} tells other things of {made.space!r} than are so here. Nothing was written: "
            f"embed everything again, with --embed"
        ) from exc
    return replace(made, space=mine.space, store=mine.store, adapter="")


def refuse_others(made: Passport, here: Passport, folder: Path) -> None:
    """Raise PassportMismatch unless both say the same encoder, and it gave the same answers."""
    if not _same(made, here):
        raise PassportMismatch(
            f"{folder} holds vectors of {made.space!r} ({made.dim} numbers a vector, fingerprint "
            f"{made.fingerprint[:12]}), this collection those of {here.space!r} ({here.dim}, "
            f"{here.fingerprint[:12]}). They cannot be compared. Nothing was written: take another collection "
            f"(--collection), or embed the export again for this one, with --embed"
        )
    if found := _changed(made, here):
        raise PassportMismatch(
            f"{folder} holds vectors of {made.space!r}, which gives others here: {found}. Nothing "
            f"was written: embed everything again, with --embed"
        )


# -- that of texts -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TextAgreement:
    """The text encoder that the collection has from now on, and its passport; None: none.

    `left_out` are the fingerprints of spaces of which no vectors of the export go in; `note` says so to people.
    """

    encoder: Encoder | None = None
    passport: Passport | None = None
    left_out: frozenset[str] = frozenset()
    note: str = ""


def texts_as_here(texts: TextControl, theirs: Passport | None) -> TextAgreement:
    """For a collection that holds something: its own. Raises PassportMismatch, ConfigError, MissingExtra."""
    encoder, here = texts.encoder, texts.role.passport
    if encoder is None or here is None:
        return _without(theirs, "there is none here", later=True)
    if theirs is None:
        return _embedding(encoder, here, None, "the export has no text encoder")
    reason = _difference(theirs, here)
    return _embedding(encoder, here, theirs, reason) if reason else TextAgreement(encoder, here)


def texts_anew(
    texts: TextControl, theirs: Passport | None, asked: str | None, main: Passport, *, embed: bool, folder: Path
) -> TextAgreement:
    """For an empty collection of the encoder `main`: the one asked for, else the export's, else the one on record.

    Vectors are taken over where it is the export's and gives the answers that it gave. Raises ConfigError where it
    cannot be opened here, or is `main`, and PassportMismatch where it gives other answers.
    """
    here = texts.role.passport
    spec = asked or (theirs.space if theirs else here.space if here else NONE)
    if spec == NONE:
        return _without(theirs, f"{TEXTS} is {NONE}", later=True)
    encoder = _opened(texts, spec, None if embed else theirs, folder, own=bool(theirs) and not asked)
    if encoder.space.fingerprint == main.fingerprint:
        if asked:
            raise ConfigError(f"{spec!r} embeds everything here: its texts are compared by it without {TEXTS}")
        return _without(theirs, f"{spec!r} embeds everything here")
    mine = texts.role.issue(encoder)
    if embed or theirs is None:
        return _embedding(encoder, mine, theirs, "the export has no text encoder")
    if asked and not _same(theirs, mine):
        return _embedding(encoder, mine, theirs, _difference(theirs, mine))
    reason = _difference(theirs, mine)
    try:
        refuse_other_encoder(theirs, texts.role.other(spec).space, folder)
    except PassportMismatch:
        reason = reason or f"the export tells other things of {theirs.space!r} than are so here"
    if reason:
        raise PassportMismatch(
            f"the texts of {folder} have vectors of a text encoder that is another one here: {reason}. "
            f"Nothing was written: {_OTHERWISE}"
        )
    return TextAgreement(encoder, replace(theirs, space=mine.space, store=mine.store, adapter=""))


def _opened(texts: TextControl, spec: str, theirs: Passport | None, folder: Path, *, own: bool) -> Encoder:
    """A text encoder, under the fingerprint in the export's passport where that is one of its own.

    `own`: it is the export that names it.
    """
    try:
        return texts.role.matching(spec, theirs) if theirs else texts.role.other(spec)
    except SightlineError as exc:
        if not own:
            raise
        raise ConfigError(
            f"the texts of {folder} have vectors of the text encoder {spec!r}, which cannot be opened here: {exc}. "
            f"Nothing was written: say where it is, with {TEXTS} SPEC, or do without one, with {TEXTS} {NONE}"
        ) from exc


def _without(theirs: Passport | None, why: str, *, later: bool = False) -> TextAgreement:
    """No text encoder; `later`: it can be had all the same."""
    if theirs is None:
        return TextAgreement()
    why += f"; `sightline migrate {TEXTS} {quote(theirs.space)}` embeds them by it, where it can be opened" * later
    note = f"vectors that the text encoder {theirs.space!r} gave the texts of the export were left out: {why}"
    return TextAgreement(None, None, frozenset({theirs.fingerprint}), note)


def _embedding(encoder: Encoder, here: Passport, theirs: Passport | None, why: str) -> TextAgreement:
    """Texts are embedded by an encoder: nothing that an export has of its space, or of another's, goes in."""
    left_out = frozenset(one.fingerprint for one in (here, theirs) if one)
    return TextAgreement(encoder, here, left_out, f"texts were embedded by the text encoder {here.space!r}: {why}")


# -- two passports -----------------------------------------------------------------------------------------------------


def _difference(made: Passport, here: Passport) -> str:
    """Why the vectors of the text encoder of an export are not those of one here; "" where they are."""
    if not _same(made, here):
        return (
            f"the export has vectors of {made.space!r} ({made.dim} numbers a vector, fingerprint "
            f"{made.fingerprint[:12]}), which cannot be compared with those of {here.space!r} ({here.dim}, "
            f"{here.fingerprint[:12]})"
        )
    if not any(made.probes):
        return f"the export does not say what {made.space!r} answered to the probes"
    found = _changed(made, here)
    return found and f"{made.space!r} gives others here: {found}"


def _same(made: Passport, here: Passport) -> bool:
    return (made.fingerprint, made.dim) == (here.fingerprint, here.dim)


def _changed(made: Passport, here: Passport) -> str:
    """The first answer to a probe that is another one; "" where all are the same."""
    then, now = (np.frombuffer(one.probes, "<f4").reshape(-1, one.dim) for one in (made, here))
    return next(iter(probes.differences(then, now, least=probes.least(made.made_of, here.made_of))), "")
