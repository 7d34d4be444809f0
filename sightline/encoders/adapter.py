"""A small map on top of any encoder's queries: kept as bytes, known by a digest, applied by an encoder around another.

Stored vectors stay as they are: <A q, B x> = <B'A q, x>, so what a linear map of the documents could do, a map of the
query does. Does not know how a map is fitted or where it is kept.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from sightline.errors import ConfigError, EngineError
from sightline.protocols import Encoder
from sightline.types import Content, Modality, Space, Vectors

_FORMAT = 1
_FACTS = "facts"  # the one array of the file that is no map


@dataclass(frozen=True, slots=True, eq=False)
class Adapter:
    """One (dim, dim) map for each modality that was adapted; the others stay as they are.

    `encoder` is the fingerprint of the space it was fitted in, `facts` what is told of it (pairs, figures, seed).
    """

    encoder: str
    maps: Mapping[Modality, NDArray[np.float32]]
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """Hex SHA-256 over the encoder and the maps: other numbers, another digest."""
        told = {kind: [list(made.shape), hashlib.sha256(_raw(made)).hexdigest()] for kind, made in self.maps.items()}
        return hashlib.sha256(json.dumps([_FORMAT, self.encoder, told], sort_keys=True).encode()).hexdigest()

    def to_bytes(self) -> bytes:
        """Everything, exactly; equal adapters give equal bytes."""
        facts = {"format": _FORMAT, "encoder": self.encoder, "facts": self.facts}
        text = np.frombuffer(json.dumps(facts, sort_keys=True).encode(), dtype=np.uint8)
        file = io.BytesIO()
        np.savez(file, allow_pickle=False, **{_FACTS: text}, **{kind: self.maps[kind] for kind in sorted(self.maps)})
        return file.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Raises ConfigError for bytes that are no adapter."""
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
            told = json.loads(arrays.pop(_FACTS).tobytes())
            encoder, facts, written = told["encoder"], told["facts"], told["format"]
        except (ValueError, KeyError, TypeError, OSError, EOFError, zipfile.BadZipFile) as exc:
            raise ConfigError(f"these are not the bytes of an adapter: {exc}") from exc
        if written != _FORMAT:
            raise ConfigError(f"the adapter has format {written}, this Sightline reads {_FORMAT}")
        wrong = [kind for kind, made in arrays.items() if kind not in ("text", "image") or not _is_map(made)]
        if wrong:
            raise ConfigError(f"the adapter's map for {wrong[0]!r} is not a square of finite float32 numbers")
        return cls(encoder, arrays, facts)


class AdaptedEncoder:
    """An encoder whose queries go through an adapter; its documents, and its space, stay those of the encoder."""

    def __init__(self, encoder: Encoder, adapter: Adapter) -> None:
        """Raises ConfigError when the adapter was fitted on another encoder."""
        space = encoder.space
        if adapter.encoder != space.fingerprint or any(len(made) != space.dim for made in adapter.maps.values()):
            raise ConfigError(
                f"the adapter was fitted on an encoder of fingerprint {adapter.encoder[:12]}, "
                f"not on {space.name!r} ({space.fingerprint[:12]})"
            )
        self._encoder, self._adapter = encoder, adapter

    @property
    def space(self) -> Space:
        return self._encoder.space

    @property
    def plain(self) -> Encoder:
        """The encoder without the adapter."""
        return self._encoder

    @property
    def adapter(self) -> Adapter:
        """The adapter around it."""
        return self._adapter

    def encode_documents(self, contents: Sequence[Content]) -> Vectors:
        """As the encoder does: (n, dim) unit rows."""
        return self._encoder.encode_documents(contents)

    def encode_queries(self, contents: Sequence[Content], *, instruction: str | None = None) -> Vectors:
        """(n, dim) unit rows: each piece through the map of its modality; of several pieces the normalised mean."""
        if all(len(content) == 1 for content in contents):
            return self._mapped([content[0] for content in contents], contents, instruction)
        if not all(contents):
            return self._encoder.encode_queries(contents, instruction=instruction)  # it says what is wrong with them
        pieces = [piece for content in contents for piece in content]
        rows = self._mapped(pieces, [(piece,) for piece in pieces], instruction)
        starts = np.cumsum([0, *(len(content) for content in contents[:-1])], dtype=np.intp)
        return unit(np.add.reduceat(rows, starts, axis=0))  # (pieces, dim) -> (n, dim)

    def _mapped(self, pieces: Sequence[Any], contents: Sequence[Content], instruction: str | None) -> Vectors:
        rows = self._encoder.encode_queries(contents, instruction=instruction)
        kinds = np.asarray(["text" if isinstance(piece, str) else "image" for piece in pieces])
        for kind, made in self._adapter.maps.items():
            if (chosen := kinds == kind).any():
                rows[chosen] = apply(made, rows[chosen])
        return rows


def apply(made: NDArray[np.float32], rows: Vectors) -> Vectors:
    """(n, dim) unit rows through a (dim, dim) map, unit rows again; every row alone, so a batch equals its rows."""
    return unit(np.einsum("ij,nj->ni", made, rows, optimize=False))


def unit(rows: NDArray[np.float32]) -> Vectors:
    """The same directions at length 1. Raises EngineError where there is none."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    if not (lengths > 0).all():
        raise EngineError("a query vector lost its direction in the adapter")
    return np.asarray(rows / lengths, dtype=np.float32)


def _is_map(made: NDArray[Any]) -> bool:
    square = made.ndim == 2 and made.shape[0] == made.shape[1]
    return square and made.dtype == np.float32 and bool(np.isfinite(made).all())


def _raw(made: NDArray[np.float32]) -> bytes:
    return np.ascontiguousarray(made).tobytes()
