"""The algebra of a query: its terms checked, embedded, and made one aim for the vector channels.

Knows an encoder by its protocol and nothing of stores, words or ranks.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from sightline.errors import InputError, UnsupportedModality
from sightline.protocols import Encoder
from sightline.types import Modality, Query, Term, Vectors


@dataclass(frozen=True, slots=True)
class Aim:
    """Where the vector channels look, and what they keep away from."""

    wanted: Vectors  # (1, dim)
    unwanted: Vectors  # (m, dim), m >= 0
    penalties: tuple[float, ...]  # m of them, > 0


@dataclass(frozen=True, slots=True)
class Terms:
    """The terms of a query that mean something: no blank text, no weight of zero."""

    wanted: tuple[Term, ...]  # at least one
    unwanted: tuple[Term, ...]

    @property
    def text(self) -> str:
        """The wanted words, in order."""
        return " ".join(term.content for term in self.wanted if isinstance(term.content, str))

    @property
    def text_share(self) -> float:
        """How much of the wanted weight is text, 0-1: 1 for words alone, 0 for a picture alone."""
        total = sum(term.weight for term in self.wanted)
        return sum(term.weight for term in self.wanted if isinstance(term.content, str)) / total

    @property
    def unwanted_texts(self) -> tuple[str, ...]:
        return tuple(term.content for term in self.unwanted if isinstance(term.content, str))


def read(query: Query) -> Terms:
    """Sort out the terms. Raises InputError for an empty query, one that only refuses, or a weight not finite."""
    if not all(math.isfinite(term.weight) for term in query.terms):
        raise InputError("the weight of a query term must be a finite number")
    meant = [t for t in query.terms if t.weight and not (isinstance(t.content, str) and not t.content.strip())]
    terms = Terms(tuple(t for t in meant if t.weight > 0), tuple(t for t in meant if t.weight < 0))
    if not meant:
        raise InputError("empty query: give words, a picture, or both")
    if not terms.wanted:
        raise InputError("the query only says what is not wanted: add what is")
    return terms


def aim(terms: Terms, encoder: Encoder) -> tuple[Aim | None, tuple[str, ...]]:
    """One aim from all the terms the encoder can embed, and a warning for each kind it cannot.

    The wanted terms are a weighted sum of unit vectors; the unwanted are kept apart, for what they have in common with
    the wanted ones ("red jacket" as against "jacket") must not be taken away. None when no wanted term can be embedded.
    """
    able = encoder.space.modalities
    usable = [term for term in (*terms.wanted, *terms.unwanted) if modality(term) in able]
    left_out = sorted({modality(term) for term in (*terms.wanted, *terms.unwanted)} - able)
    warnings = tuple(f"the encoder {encoder.space.name} cannot embed {_plural(kind)}" for kind in left_out)
    if not any(term.weight > 0 for term in usable):
        return None, warnings
    rows = encoder.encode_queries([(term.content,) for term in usable])  # (len(usable), dim)
    weights = np.asarray([term.weight for term in usable], dtype=np.float32)
    wanted = _unit((weights.clip(min=0) @ rows)[None])  # (t,) @ (t, dim) -> (1, dim)
    if not wanted.any():
        raise InputError("the terms of the query cancel each other out")
    return Aim(wanted, rows[weights < 0], tuple(float(-weight) for weight in weights if weight < 0)), warnings


def modality(term: Term) -> Modality:
    """What a term is made of."""
    return "text" if isinstance(term.content, str) else "image"


def unsupported(
    terms: Terms, encoder: Encoder, target: str | None, *, only: Collection[str] = ()
) -> UnsupportedModality:
    """The error for a query that no channel can serve, or none of the `only` ones that were asked."""
    asked = " and ".join(sorted({_plural(modality(term)) for term in terms.wanted}))
    among = f" among {_plural(target)}" if target else ""
    who = f"the channel {' or '.join(sorted(only))}" if only else f"the encoder {encoder.space.name}"
    return UnsupportedModality(f"{who} cannot look for {asked}{among}")


def _plural(kind: str) -> str:
    return {"image": "pictures", "text": "text"}[kind]


def _unit(rows: Vectors) -> Vectors:
    """Rows of length 1; a row of zeros stays one."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return (rows / np.where(lengths == 0, 1, lengths)).astype(np.float32)
