"""An encoder whose vectors are kept under another fingerprint than its own.

That is one it had before more was taken into it, or a new one, where a collection holds its earlier answers under its
own. Knows no collection, and not why.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

from sightline.protocols import Encoder
from sightline.types import Content, Space, Vectors

EDITION_OF = "edition of"  # in `made_of`: the encoder's own fingerprint


class Edition:
    """The encoder as it is, in a space of another fingerprint."""

    def __init__(self, encoder: Encoder, fingerprint: str) -> None:
        own = encoder.space
        self._encoder = encoder
        self._space = replace(
            own, fingerprint=fingerprint, formerly=(), made_of={**own.made_of, EDITION_OF: own.fingerprint}
        )

    @property
    def space(self) -> Space:
        return self._space

    @property
    def plain(self) -> Encoder:
        """The encoder under its own fingerprint."""
        return self._encoder

    def encode_documents(self, contents: Sequence[Content]) -> Vectors:
        """As the encoder does: (n, dim) unit rows."""
        return self._encoder.encode_documents(contents)

    def encode_queries(self, contents: Sequence[Content], *, instruction: str | None = None) -> Vectors:
        """As the encoder does: (n, dim) unit rows."""
        return self._encoder.encode_queries(contents, instruction=instruction)


@lru_cache(maxsize=16)
def under(encoder: Encoder, fingerprint: str) -> Encoder:
    """The encoder with its vectors under this fingerprint, itself where that is its own; the same one every time."""
    return encoder if encoder.space.fingerprint == fingerprint else Edition(encoder, fingerprint)


def of_answers(encoder: Encoder, answers: Vectors) -> Encoder:
    """The encoder under a fingerprint that belongs to it and to what it answers now."""
    taken = hashlib.sha256(encoder.space.fingerprint.encode() + answers.astype("<f4").tobytes())
    return under(encoder, taken.hexdigest())
