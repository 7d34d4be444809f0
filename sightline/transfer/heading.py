"""What the manifest of an export says of it, believed as far as it makes sense: encoders, spaces, counts, and more.

Knows no file but the names of them.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np

from indexer import Passport, RegionPlan
from sightline.transfer.columns import FORMATS, MOST_NAME, Format, text_fault, time_fault
from sightline.types import RegionKind, Space

MOST_DIM = 65_536
MOST_SPACES = 8  # one or two are searched, and one more is there while a migration is under way
MOST_NOTES = 1000  # in what a passport says that its encoder is made of
MOST_PROBES = 256


@dataclass(frozen=True, slots=True)
class Heading:
    """`spaces`: space -> the name of its table. `counts`: table -> its rows. `readings`: source, from when to when."""

    format: Format
    passport: Passport | None
    with_vectors: bool
    counts: Mapping[str, int]
    readings: tuple[tuple[str, float, float], ...]
    spaces: Mapping[Space, str]
    text_passport: Passport | None = None
    regions: RegionPlan | None = None  # None: there are none, and tables without boxes

    @classmethod
    def of(cls, told: Mapping[str, Any], tables: tuple[str, ...]) -> Heading:
        """Of a manifest. `tables`: those there always are. Raises KeyError, TypeError, ValueError, AttributeError."""
        if told["table_format"] not in FORMATS:
            raise ValueError(f"of tables {told['table_format']!r}")
        passport = None if told["passport"] is None else _passport(told["passport"])
        texts = _passport(told["text_passport"]) if "text_passport" in told else None
        if passport and texts and passport.fingerprint == texts.fingerprint:
            raise ValueError("a text encoder that is the encoder")
        counts = {name: _whole(told["counts"][name], f"the count of {name}") for name in (*tables, "vectors")}
        readings = tuple((_text(one), _time(since), _time(until)) for one, since, until in told["readings"])
        spaces = _spaces(told["spaces"], [one for one in (passport, texts) if one])
        regions = _regions(told["regions"]) if "regions" in told else None
        with_vectors = told["vectors"] is True
        return cls(told["table_format"], passport, with_vectors, counts, readings, spaces, texts, regions)


def _regions(told: Mapping[str, Any]) -> RegionPlan:
    if told["kind"] not in get_args(RegionKind):
        raise ValueError(f"regions {str(told['kind'])[:40]!r}")
    return RegionPlan(told["kind"], None if told["after"] is None else _text(told["after"]))


def _spaces(told: Any, passports: Sequence[Passport]) -> dict[Space, str]:
    found: dict[Space, str] = {}
    for one in told:
        space = Space(_text(one["name"]), _dim(one["dim"]), _text(one["fingerprint"]))
        table = _text(one["table"])
        if table.startswith(".") or "/" in table:
            raise ValueError(f"a table {table!r}")
        if len(found) >= MOST_SPACES:
            raise ValueError(f"more than {MOST_SPACES} spaces")
        if space.fingerprint in {known.fingerprint for known in found} or table in found.values():
            raise ValueError(f"the space {space.fingerprint!r}, or its table, twice")
        for passport in passports:
            if passport.fingerprint == space.fingerprint and passport.dim != space.dim:
                raise ValueError(f"vectors of {space.dim} numbers, of an encoder that gives {passport.dim}")
        found[space] = table
    return found


def _passport(told: Mapping[str, Any]) -> Passport:
    try:
        probes = base64.b64decode(told["probes"], validate=True)
    except binascii.Error as exc:
        raise ValueError("probes that are not base64") from exc
    dim = _dim(told["dim"])
    if len(probes) % (4 * dim) or len(probes) > 4 * dim * MOST_PROBES:
        raise ValueError(f"probes of another width than the vectors, or more than {MOST_PROBES}")
    if not np.isfinite(np.frombuffer(probes, "<f4")).all():
        raise ValueError("probes that are not finite numbers")
    made_of, versions = (_notes(told[name]) for name in ("made_of", "versions"))
    space, fingerprint, store, adapter = (_text(told[name]) for name in ("space", "fingerprint", "store", "adapter"))
    return Passport(space, dim, fingerprint, store, adapter, made_of, versions, probes)


def _notes(told: Mapping[str, Any]) -> dict[str, str]:
    if len(told) > MOST_NOTES:
        raise ValueError(f"{len(told):,} notes on what the encoder is made of")
    return {_text(key): _text(value) for key, value in told.items()}


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{str(value)[:40]!r} where there should be a text")
    if reason := text_fault(value, most=MOST_NAME):
        raise ValueError(f"{reason} in {value[:40]!r}")
    return value


def _time(value: Any) -> float:
    if reason := time_fault(value):
        raise ValueError(f"{str(value)[:40]!r}, {reason}")
    return float(value)


def _whole(value: Any, what: str) -> int:
    if type(value) is not int or not 0 <= value < 2**63:
        raise ValueError(f"{what} is {str(value)[:40]!r}")
    return value


def _dim(value: Any) -> int:
    if not 1 <= _whole(value, "the width of a vector") <= MOST_DIM:
        raise ValueError(f"{value} numbers a vector")
    return int(value)
