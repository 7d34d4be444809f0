"""The adapter in an export: looked at by the headers of its arrays before any of them is made.

Knows how numpy writes arrays into a zip; what an adapter is, `sightline.encoders.adapter` knows.
"""

from __future__ import annotations

import json
import struct
import zipfile
from io import BytesIO
from typing import Any

import numpy as np

from indexer import Passport
from sightline.encoders.adapter import Adapter
from sightline.errors import ConfigError
from sightline.transfer.columns import text_fault

MAPS = ("text.npy", "image.npy")
FACTS = "facts.npy"
MOST_FACTS_BYTES = 1_000_000  # with what a zip adds
MOST_BYTES = 512_000_000  # which two maps of 8,000 numbers a vector have
# What numpy, zipfile and json raise of bytes from anywhere
_UNREADABLE = (ConfigError, ValueError, KeyError, OSError, EOFError, RuntimeError, struct.error, zipfile.BadZipFile)


def most_bytes(passport: Passport) -> int:
    """How large the file of an adapter of this encoder is at most."""
    return min(MOST_BYTES, len(MAPS) * 4 * passport.dim**2 + MOST_FACTS_BYTES)


def adapter_of(data: bytes, passport: Passport) -> Adapter:
    """The adapter in these bytes. Raises ValueError unless it is the one that the passport names."""
    if len(data) > most_bytes(passport):
        raise ValueError(f"has {len(data):,} bytes, of which an adapter of this encoder has {most_bytes(passport):,}")
    try:
        _look(data, passport.dim)
        adapter = Adapter.from_bytes(data)
        facts = json.dumps(adapter.facts, ensure_ascii=False, allow_nan=False)
    except _UNREADABLE as exc:
        raise ValueError(f"is no adapter: {str(exc).partition(chr(10))[0]}") from exc
    if not isinstance(adapter.facts, dict) or text_fault(facts):
        raise ValueError("is no adapter: what is told of it makes no sense")
    if (adapter.encoder, adapter.digest) != (passport.fingerprint, passport.adapter):
        raise ValueError("is another adapter than the passport names, or of another encoder")
    return adapter


def _look(data: bytes, dim: int) -> None:
    """Raise ValueError unless it holds maps of this width and some facts, unpacked: then it takes what it has bytes."""
    with zipfile.ZipFile(BytesIO(data)) as file:
        members = file.infolist()
        names = [one.filename for one in members]
        if FACTS not in names or len(names) > len({*names} & {FACTS, *MAPS}):
            raise ValueError(f"it holds {', '.join(map(repr, names[:4])) or 'nothing'}")
        for one in members:
            if one.compress_type != zipfile.ZIP_STORED:
                raise ValueError(f"{one.filename!r} in it is packed")
            with file.open(one) as member:
                shape, kind = _header(member)
            if one.filename == FACTS:
                right = kind == np.uint8 and len(shape) == 1 and shape[0] <= MOST_FACTS_BYTES
            else:
                right = kind == np.float32 and shape == (dim, dim)
            if not right:
                raise ValueError(f"{one.filename!r} in it is an array of {shape} {kind}")


def _header(member: Any) -> tuple[tuple[int, ...], np.dtype[Any]]:
    version = np.lib.format.read_magic(member)
    read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}.get(version)
    if read is None:
        raise ValueError("an array in it is of a format that is not read")
    shape, _, kind = read(member)
    return shape, kind
