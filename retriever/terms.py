"""The algebra of a query: its terms checked, embedded, and made one aim for the vector channels.

Knows an encoder by its protocol and nothing of stores, words or ranks.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from retriever.words import content_words
from sightline.errors import InputError, UnsupportedModality
from sightline.protocols import Encoder
from sightline.types import Like, Modality, Pixels, Query, Space, Term, Vectors

Source: TypeAlias = Literal["words", "picture", "item"]  # what a vector was made of; the texts of an item are "item"

KINDS: tuple[Modality, ...] = ("image", "text")  # of parts that have vectors


@dataclass(frozen=True, slots=True, eq=False)
class Likeness:
    """What an item is like: one unit vector (dim,) for its pictures and one for its texts, of those it has."""

    vectors: Mapping[Modality, NDArray[np.float32]]
    worded: NDArray[np.float32] | None = None  # (dim,) of its texts as the text encoder has them

    def beside(self, kind: Modality) -> NDArray[np.float32]:
        """(dim,): the vector to compare with parts of a kind."""
        return self.vectors[kind] if kind in self.vectors else next(iter(self.vectors.values()))


@dataclass(frozen=True, slots=True)
class Refusal:
    """How one unwanted term is to be kept away."""

    weight: float  # > 0
    one_word: bool = False  # a single word, which names one thing
    said: bool = False  # items of the collection say it in words
    comparable: bool = False  # it and all that is wanted are texts: their likenesses to a part are of one scale


@dataclass(frozen=True, slots=True)
class Aim:
    """Where a vector channel looks, and what it keeps away from."""

    space: Space
    wanted: Vectors  # (1, dim)
    unwanted: Vectors  # (m, dim), m >= 0
    refusals: tuple[Refusal, ...]  # m of them
    terms: tuple[Term, ...] = ()  # t of them: all that have a vector
    rows: Vectors = field(default_factory=lambda: np.zeros((0, 0), np.float32))  # (t, dim), one a term
    sources: tuple[Source, ...] = ()  # t of them: what each row was made of


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
        return self._share(str)

    @property
    def like_share(self) -> float:
        """How much of the wanted weight is items, 0-1."""
        return self._share(Like)

    @property
    def picture_share(self) -> float:
        """How much of the wanted weight is pictures, 0-1."""
        return self._share(np.ndarray)

    @property
    def items(self) -> tuple[str, ...]:
        """Ids of the items that something is to be like, or unlike."""
        terms = (*self.wanted, *self.unwanted)
        return tuple(dict.fromkeys(term.content.item_id for term in terms if isinstance(term.content, Like)))

    def _share(self, kind: type) -> float:
        total = sum(term.weight for term in self.wanted)
        return sum(term.weight for term in self.wanted if isinstance(term.content, kind)) / total

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
    if all(_plainly(term) in {_plainly(one) for one in terms.unwanted} - {None} for term in terms.wanted):
        raise InputError("the terms of the query cancel each other out: all that is wanted is not wanted either")
    return terms


def emphasis(query: Query) -> dict[str, float]:
    """word -> 0-1: how much each wanted word counts beside those of the text that is wanted most."""
    texts = [(term.content, term.weight) for term in read(query).wanted if isinstance(term.content, str)]
    most = max((weight for _, weight in texts), default=1.0)
    shares: dict[str, float] = {}
    for text, weight in texts:
        shares.update({word: max(weight / most, shares.get(word, 0.0)) for word in content_words(text)})
    return shares


def aim(
    terms: Terms,
    encoder: Encoder,
    likenesses: Mapping[str, Likeness] | None = None,
    *,
    texts: Encoder | None = None,
    said: Collection[str] = (),
    also: Sequence[Term] = (),
) -> tuple[Mapping[Modality, Aim], tuple[str, ...]]:
    """An aim for each kind of part from all the terms that have a vector, and a warning for each kind that has none.

    What is wanted in words, or by items that have texts, is compared with texts by the encoder `texts`, where there is
    one; unwanted pictures then have no say beside them. Everything else goes by `encoder`; where that takes no texts,
    what is worded goes by `texts` all the same.

    The wanted terms are a weighted sum of unit vectors; the unwanted are kept apart, for what they have in common with
    the wanted ones ("red jacket" as against "jacket") must not be taken away. No aim when no wanted term has a vector.
    `likenesses` holds every item that is named, by id: beside pictures its pictures stand for it, beside texts its
    texts, and what there is where it has one of them only. `said` are the unwanted texts that some item says; `also` is
    wanted too, though the query does not say it.
    """
    known = likenesses or {}
    every = (*terms.wanted, *terms.unwanted, *also)
    by_words = all(_is_worded(term, known) for term in every if term.weight > 0)
    beside_texts = texts if texts and (by_words or "text" not in encoder.space.modalities) else encoder
    readers: dict[Modality, Encoder] = {"image": encoder, "text": beside_texts}
    able = frozenset[Modality]().union(*(reader.space.modalities for reader in readers.values()))
    left_out = sorted({modality(term) for term in every if not isinstance(term.content, Like)} - able)
    warnings = tuple(f"the encoder {encoder.space.name} cannot embed {_plural(kind)}" for kind in left_out)
    aims: dict[Modality, Aim] = {}
    for reader in dict.fromkeys(readers.values()):
        worded = reader is not encoder
        usable = [
            term
            for term in every
            if (_is_worded(term, known) if worded else _embeddable(term, reader.space.modalities, known))
        ]
        if any(term.weight > 0 for term in usable):
            rows = _embedded(usable, terms.text, reader, known, worded=worded)
            kinds = [kind for kind, one in readers.items() if one is reader]
            aims.update(_aims(usable, rows, terms, reader.space, kinds, said=said))
    return aims, warnings


def _embedded(
    usable: Sequence[Term], wanted: str, encoder: Encoder, known: Mapping[str, Likeness], *, worded: bool
) -> list[NDArray[np.float32] | Likeness]:
    """For each term (dim,), or what its item is like where that depends on what it is compared with."""
    pieces = [apart(term, wanted) for term in usable]
    fresh = [(piece,) for piece in pieces if not isinstance(piece, Like)]
    encoded = iter(encoder.encode_queries(fresh) if fresh else ())
    found: list[NDArray[np.float32] | Likeness] = []
    for piece in pieces:
        alike = known[piece.item_id] if isinstance(piece, Like) else None
        found.append(next(encoded) if alike is None else alike.worded if worded and alike.worded is not None else alike)
    return found


def _aims(
    usable: Sequence[Term],
    found: Sequence[NDArray[np.float32] | Likeness],
    terms: Terms,
    space: Space,
    kinds: Sequence[Modality],
    *,
    said: Collection[str],
) -> dict[Modality, Aim]:
    """An aim at parts of each of the kinds, in one space."""
    weights = np.asarray([term.weight for term in usable], dtype=np.float32)
    pieces = [apart(term, terms.text) for term in usable]
    refusals = tuple(
        Refusal(
            weight=-term.weight,
            one_word=isinstance(piece, str) and len(content_words(piece)) == 1,
            said=isinstance(term.content, str) and term.content in said,
            comparable=isinstance(piece, str) and terms.text_share == 1,
        )
        for term, piece in zip(usable, pieces, strict=True)
        if term.weight < 0
    )
    aims: dict[Modality, Aim] = {}
    for kind in kinds:
        rows = np.stack([one.beside(kind) if isinstance(one, Likeness) else one for one in found])  # (t, dim)
        wanted = unit((weights.clip(min=0) @ rows)[None])  # (t,) @ (t, dim) -> (1, dim)
        if not wanted.any():
            raise InputError("the terms of the query cancel each other out")
        sources = tuple(_source(term, one, kind) for term, one in zip(usable, found, strict=True))
        aims[kind] = Aim(space, wanted, rows[weights < 0], refusals, tuple(usable), rows, sources)
    return aims


def _source(term: Term, found: NDArray[np.float32] | Likeness, kind: Modality) -> Source:
    """What the vector of a term was made of, beside parts of a kind: an item's pictures, where it has no texts."""
    if isinstance(term.content, str):
        return "words"
    worded = isinstance(term.content, Like) and kind == "text"
    return "item" if worded and not (isinstance(found, Likeness) and "text" not in found.vectors) else "picture"


def apart(term: Term, wanted: str) -> str | Pixels | Like:
    """What to embed of a term: of an unwanted text, the words that the wanted ones do not say, for of jackets "red
    jacket" is "red". A text that says nothing else stays whole: of red dresses, "dress" means no dress at all.
    """
    if term.weight > 0 or not isinstance(term.content, str):
        return term.content
    shared = {_singular(word) for word in content_words(wanted)}
    kept = [word for word in term.content.split() if not shared.issuperset(map(_singular, content_words(word)))]
    return " ".join(kept) or term.content


def _plainly(term: Term) -> str | Like | None:
    """A text by its words, an item; None for a picture."""
    if isinstance(term.content, str):
        return " ".join(term.content.casefold().split())
    return term.content if isinstance(term.content, Like) else None


def _singular(word: str) -> str:
    return word.removesuffix("s")


def _is_worded(term: Term, known: Mapping[str, Likeness]) -> bool:
    """Whether a term is made of words, and so can be put to an encoder of texts alone."""
    if isinstance(term.content, Like):
        return known[term.content.item_id].worded is not None
    return isinstance(term.content, str)


def _embeddable(term: Term, able: Collection[Modality], known: Mapping[str, Likeness]) -> bool:
    if isinstance(term.content, Like):
        return bool(known[term.content.item_id].vectors)
    return modality(term) in able


def modality(term: Term) -> Modality:
    """What a term is made of; an item counts as its pictures."""
    return "text" if isinstance(term.content, str) else "image"


def unsupported(
    terms: Terms, encoder: Encoder, target: str | None, *, only: Collection[str] = ()
) -> UnsupportedModality:
    """The error for a query that no channel can serve, or none of the `only` ones that were asked."""
    asked = " and ".join(sorted({_called(term) for term in terms.wanted}))
    among = f" among {_plural(target)}" if target else ""
    who = f"the channel {' or '.join(sorted(only))}" if only else f"the encoder {encoder.space.name}"
    return UnsupportedModality(f"{who} cannot look for {asked}{among}")


def _called(term: Term) -> str:
    return "what an item is like" if isinstance(term.content, Like) else _plural(modality(term))


def _plural(kind: str) -> str:
    return {"image": "pictures", "text": "text"}[kind]


def unit(rows: Vectors) -> Vectors:
    """Rows of length 1; a row of zeros stays one."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return (rows / np.where(lengths == 0, 1, lengths)).astype(np.float32)
