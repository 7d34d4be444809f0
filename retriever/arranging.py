"""The order hits are shown in, where it is not their rank: sorted by a field, unlike each other, or few of a kind.

Takes hits in their ranked order and returns the same hits; knows a store for their vectors only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from retriever.cursors import Place
from sightline.filters import Exists, Value, resolve, values_of
from sightline.protocols import Encoder, Store
from sightline.showing import Show
from sightline.types import Hit, Part

WINDOW = 100  # ranked hits that are looked at to fold, to sort and to be made diverse
RELEVANT = 0.05  # of the best hit's relevance: what is less likely is not sorted before what was meant
NEAR = 0.5  # of the best hit's score, where no relevance is told


def field_of(store: Store, name: str) -> str:
    """A field's name as it is stored. Raises InputError, naming the nearest, for one that no item has."""
    resolved = resolve(Exists(name), store.fields())
    assert isinstance(resolved, Exists)
    return resolved.field


def sorted_by(hits: Sequence[Hit], sort: str, store: Store, *, least: int) -> list[Hit]:
    """The relevant hits by a field's value ("-" before it: falling), ties by rank, those without the field last.

    Every item is somewhat like every query, and the cheapest of all is seldom what was meant: relevant are, of the
    first `WINDOW`, those that score at least half as much as the best and are of a twentieth of its relevance at least;
    where none is told, those and the first `least`. Numbers go before texts, texts without regard to case; of several
    values the one that comes first counts.
    """
    falling = sort.startswith("-") and not any(one.name == sort for one in store.fields())
    field = field_of(store, sort[1:] if falling else sort)
    kept = _relevant(hits[: max(WINDOW, least)], least)
    keys = {hit.id: sorted(map(_ordinal, values_of(hit.item.fields, field))) for hit in kept}
    with_it = [hit for hit in kept if keys[hit.id]]
    with_it.sort(key=lambda hit: keys[hit.id][-1 if falling else 0], reverse=falling)  # stable either way
    return with_it + [hit for hit in kept if not keys[hit.id]]


def varied(hits: Sequence[Hit], show: Show, place: Place, *, k: int, store: Store, encoder: Encoder) -> list[Hit]:
    """The hits unlike each other, or few of one kind on a page, where that is asked for; else as they are.

    Where relevance is told, that is done among those of a twentieth of the best at least, and all others follow:
    nothing is so much unlike mugs as what is no mug.
    """
    if not (show.diversity or show.diversify):
        return list(hits)
    told = [1.0 if hit.relevance is None else hit.relevance for hit in hits]
    relevant = {hit.id for hit, share in zip(hits, told, strict=True) if share >= RELEVANT * max(told, default=0.0)}
    kept, rest = [hit for hit in hits if hit.id in relevant], [hit for hit in hits if hit.id not in relevant]
    if show.diversity:
        return _diverse(kept, show.diversity, store, encoder) + rest
    field = field_of(store, show.diversify)
    before = [hit for hit in hits if place.has(hit.id)]
    fresh = [hit for hit in kept if not place.has(hit.id)]
    return before + _spread(fresh, field, k=k, at_most=show.at_most) + [hit for hit in rest if not place.has(hit.id)]


def _relevant(hits: Sequence[Hit], least: int) -> list[Hit]:
    # an item named by the query scores 1 more than its places say, one that says an unwanted text 1 less
    scores = [hit.score - 1 if hit.score > 1 else hit.score for hit in hits]
    if max(scores, default=0.0) < 0:  # every hit says what is not wanted: then none is behind the others for it
        scores = [score + 1 for score in scores]
    near = [score >= NEAR * max(scores) for score in scores]  # what is unwanted is far behind, and yet may be relevant
    told = [hit.relevance for hit in hits if hit.relevance is not None]
    if len(told) < len(hits):
        return [hit for at, hit in enumerate(hits) if at < least or near[at]]
    return [hit for at, hit in enumerate(hits) if near[at] and told[at] >= RELEVANT * max(told)]


def _ordinal(value: Value) -> tuple[int, float, str]:
    return (1, 0.0, value.casefold()) if isinstance(value, str) else (0, float(value), "")


def _diverse(hits: Sequence[Hit], diversity: float, store: Store, encoder: Encoder) -> list[Hit]:
    """Maximal marginal relevance (Carbonell and Goldstein, SIGIR 1998) over the first `WINDOW` hits.

    Next comes the hit of greatest (1 - diversity) * relevance - diversity * likeness to the most similar one before.
    Relevance falls evenly with rank from 1 to 0. Likeness is the cosine of stored vectors, those of the pictures where
    there are any, stretched so that the least alike of these hits have 0: a cosine means little absolutely.
    """
    head = list(hits[:WINDOW])
    likeness = _likeness(head, store, encoder)  # (n, n)
    relevance = 1 - np.arange(len(head)) / max(1, len(head) - 1)
    nearest = np.zeros(len(head))
    left, order = np.ones(len(head), bool), []
    for _ in head:
        gain = np.where(left, (1 - diversity) * relevance - diversity * nearest, -np.inf)
        best = int(gain.argmax())
        order.append(head[best])
        left[best] = False
        nearest = np.maximum(nearest, likeness[best])
    return order + list(hits[WINDOW:])


def _likeness(hits: Sequence[Hit], store: Store, encoder: Encoder) -> NDArray[np.float64]:
    """(n, n), 0-1: how alike hits are by the part that stands for each; pictures and texts are not alike at all."""
    shown = [_standing(hit) for hit in hits]
    known = store.known(encoder.space, sorted({part.digest for part in shown if part}))
    likeness = np.zeros((len(hits), len(hits)))
    for kind in ("image", "text"):
        at = [n for n, part in enumerate(shown) if part and part.modality == kind and part.digest in known]
        if not at:
            continue
        rows = np.stack([known[part.digest][0] for n in at if (part := shown[n])]).astype(np.float64)  # (m, dim)
        cosine = rows @ rows.T  # (m, dim) @ (dim, m) -> (m, m)
        least = float(cosine.min())
        likeness[np.ix_(at, at)] = (cosine - least) / (1 - least) if least < 1 else 1.0
    return likeness.clip(0, 1)


def _standing(hit: Hit) -> Part | None:
    """The part that stands for a hit: its best picture, else any, else its best text."""
    parts = (*hit.parts, *hit.item.parts)
    pictures = (part for part in parts if part.modality == "image")
    return next(pictures, None) or next((part for part in parts if part.modality == "text"), None)


def _spread(hits: Sequence[Hit], field: str, *, k: int, at_most: int) -> list[Hit]:
    """Pages of k with at most so many hits of one value each, as far as there are others; a missing value is no value.

    What is held back stands first among the rest, so that it comes with the next page and nothing is dropped.
    """
    rest, order = list(hits), []
    while rest:
        page, rest = _page(rest, k, at_most, lambda hit: values_of(hit.item.fields, field))
        order += page
    return order


def _page(
    hits: Sequence[Hit], k: int, at_most: int, values: Callable[[Hit], Iterable[Value]]
) -> tuple[list[Hit], list[Hit]]:
    page: list[Hit] = []
    back: list[Hit] = []
    held: Counter[tuple[int, float, str]] = Counter()
    for at, hit in enumerate(hits):
        if len(page) == k:
            return page, back + list(hits[at:])
        keys = set(map(_ordinal, values(hit)))
        if any(held[key] >= at_most for key in keys):
            back.append(hit)
            continue
        held.update(keys)
        page.append(hit)
    short = k - len(page)
    return page + back[:short], back[short:]
