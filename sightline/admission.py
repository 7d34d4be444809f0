"""Whether an encoder is the one on record: by name, weights and settings, and by what it answers to the probes.

Opens each encoder once a process. Knows passports; where they are kept, and what follows, is the caller's.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from shlex import quote

import numpy as np

from indexer import Passport
from sightline import probes
from sightline.encoders import open_encoder
from sightline.encoders.edition import EDITION_OF, Edition, of_answers, under
from sightline.errors import PassportMismatch
from sightline.protocols import Encoder
from sightline.types import DEVICE, Space, Vectors
from sightline.versions import versions

ENCODERS = 8  # kept open in a process, the last used: each takes tens of megabytes and more
_NAMED = 4  # differences told in one message
EVERYTHING, TEXTS = "--encoder", "--text-encoder"  # the options that name an encoder
_SAID = {  # by such an option: what the encoder did, what is to be done, how it is not named
    EVERYTHING: ("was built with", "embed everything again", "open it without --encoder and unset SIGHTLINE_ENCODER"),
    TEXTS: (
        "has the text encoder", "embed its texts again", "leave --text-encoder out and unset SIGHTLINE_TEXT_ENCODER"
    ),
}  # fmt: skip
_NO_DIFFERENCE = frozenset({EDITION_OF, DEVICE})  # in `made_of`, but not what the vectors are made by


@lru_cache(maxsize=ENCODERS)
def opened(spec: str, threads: int | None) -> Encoder:
    """One loaded encoder a process, however many collections use it."""
    return open_encoder(spec, threads=threads)


@lru_cache(maxsize=ENCODERS)
def probed(encoder: Encoder) -> Vectors:
    """(16, dim): what an encoder answers to the probes, asked once a process."""
    return probes.answers(encoder)


def issued(encoder: Encoder, store: str) -> Passport:
    """The passport of what an encoder builds in a store."""
    plain = encoder.plain if isinstance(encoder, Edition) else encoder
    space, kept = encoder.space, probed(plain).astype("<f4").tobytes()
    return Passport.of(space, store=store, versions=versions([space.name]), probes=kept)


def admit(passport: Passport, encoder: Encoder, folder: Path, option: str = EVERYTHING) -> None:
    """Raises PassportMismatch unless this encoder built what is in the folder, and still answers as it did.

    `option` is the one that names such an encoder on the command line.
    """
    refuse_other_encoder(passport, encoder.space, folder, option)
    if passport.probes:
        refuse_other_answers(passport, probed(encoder), encoder.space, folder, option)


def successor(encoder: Encoder, passport: Passport, folder: Path) -> Encoder:
    """The encoder to migrate to from the one on record: of a new fingerprint where its vectors are other ones."""
    if not is_of(passport, encoder.space):
        return encoder
    try:
        admit(passport, encoder, folder)
    except PassportMismatch:
        taken = passport.fingerprint == encoder.space.fingerprint
        return of_answers(encoder, probed(encoder)) if taken else encoder
    return under(encoder, passport.fingerprint)


def refuse_other_encoder(passport: Passport | None, space: Space, folder: Path, option: str = EVERYTHING) -> None:
    """Raises PassportMismatch when another encoder built the collection."""
    if passport and not (is_of(passport, space) and _agree(passport.made_of, space.made_of)):
        same = passport.space == space.name  # then the weights or the preprocessing changed under the name
        told = _differences(passport.made_of, space.made_of) if passport.dim == space.dim else []
        did, again, without = _SAID[option]
        raise PassportMismatch(
            f"{folder} {did} {passport.space!r} ({passport.dim} numbers a vector, "
            f"fingerprint {passport.fingerprint[:12]}), not {'this ' * same}{space.name!r} "
            f"({space.dim}, {space.fingerprint[:12]}). {'What differs: ' + '; '.join(told) + '. ' if told else ''}"
            f"Their vectors cannot be compared: {'' if same else f'{without}, or '}"
            f"{again} with `sightline migrate {option} {quote(space.name)}`."
        )


def refuse_other_answers(
    passport: Passport, now: Vectors, space: Space, folder: Path, option: str = EVERYTHING
) -> None:
    """Raises PassportMismatch when the encoder answers the probes otherwise than when the collection was built."""
    before = np.frombuffer(passport.probes, "<f4").reshape(-1, passport.dim)
    found = probes.differences(before, now, least=probes.least(passport.made_of, space.made_of))
    if found:
        packages = versions([passport.space])
        did, again, _ = _SAID[option]
        told = [f"{name} {packages.get(name, 'missing')}, then {then}" for name, then in passport.versions.items()
                if packages.get(name) != then]  # fmt: skip
        raise PassportMismatch(
            f"{folder} {did} {passport.space!r}, which no longer gives the same vectors: "
            f"{'; '.join(found[:_NAMED])}{f'; and {len(found) - _NAMED} more' if len(found) > _NAMED else ''}. "
            f"{'What changed since: ' + '; '.join(told) + '. ' if told else ''}"
            f"Bring that back, or {again} with `sightline migrate {option} {quote(passport.space)}`."
        )


def misnamed(folder: Path, passport: Passport, beside: Passport, option: str) -> str:
    """What to say where an option names the encoder that has the other role, of which `beside` is on record."""
    did, has = _SAID[option][0], _SAID[EVERYTHING if option == TEXTS else TEXTS][0]
    return f"{folder} {did} {passport.space!r}, and {has} {beside.space!r}: {unnamed(option)}."


def taken(folder: Path, spec: str, option: str) -> str:
    """What to say where an encoder is to have a role, and has the other one."""
    if option == TEXTS:
        out = f"`sightline migrate {TEXTS} none` takes one out"
        return f"{spec!r} embeds everything in {folder}, texts too: a text encoder is another one beside it ({out})"
    return f"{spec!r} is the text encoder of {folder}: first `sightline migrate {TEXTS} none`"


def unnamed(option: str) -> str:
    """How an encoder is not named."""
    return _SAID[option][2]


def is_of(passport: Passport, space: Space) -> bool:
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
