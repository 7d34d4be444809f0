"""What the items that a query names are like: their stored vectors, and that they are no hits themselves.

Knows a store by its protocol; knows nothing of channels or ranks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from retriever.terms import KINDS, Likeness, Terms, unit
from sightline.errors import InputError, NotFound
from sightline.protocols import Encoder, Store
from sightline.types import Item, Modality, Query, Space


def likenesses(terms: Terms, store: Store, encoder: Encoder, texts: Encoder | None = None) -> dict[str, Likeness]:
    """For each item that the terms name, what its stored vectors say; of one without any, what its words say.

    `texts` is the encoder of texts alone, where the collection has one.
    Raises NotFound for an item that is not there, InputError for one that has neither.
    """
    items = {item.id: item for item in store.get(terms.items)} if terms.items else {}
    for item_id in terms.items:
        if item_id not in items:
            raise NotFound(f"there is no item {item_id!r} to compare with")
    return {item_id: _likeness(item, store, encoder, texts) for item_id, item in items.items()}


def vectors_of(item: Item, store: Store, space: Space) -> dict[Modality, NDArray[np.float32]]:
    """(dim,): one unit vector for an item's pictures, each whole, and one for its texts, of those that have vectors."""
    digests = {kind: [part.digest for part in item.parts if part.modality == kind] for kind in KINDS}
    known = store.known(space, [digest for some in digests.values() for digest in some])
    found: Mapping[Modality, Sequence[NDArray[np.float32]]] = {
        kind: [known[digest][0] for digest in some if digest in known] for kind, some in digests.items()
    }
    return {kind: unit(np.mean(rows, axis=0)[None])[0] for kind, rows in found.items() if rows}  # (n, dim) -> (dim,)


def _likeness(item: Item, store: Store, encoder: Encoder, texts: Encoder | None) -> Likeness:
    vectors = vectors_of(item, store, encoder.space)
    worded = vectors_of(item, store, texts.space).get("text") if texts else None
    if vectors or worded is not None:
        return Likeness(vectors, worded)
    written = " ".join(part.text for part in item.parts if part.text)
    able = [one for one in (encoder, texts) if one and "text" in one.space.modalities]
    if not written or not able:
        raise InputError(f"item {item.id!r} has no picture and no text to compare with")
    made = {one: one.encode_queries([(written,)])[0] for one in able}
    return Likeness({"text": made[encoder]} if encoder in made else {}, made[texts] if texts else None)


def hiding(query: Query, terms: Terms) -> Query:
    """The query, what hits are to be like, or unlike, and what was disliked among the items that it excludes."""
    return replace(query, exclude=tuple(dict.fromkeys((*query.exclude, *terms.items, *query.disliked))))
