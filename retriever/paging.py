"""From a ranking to one page of it: in the order asked for, copies folded, what was shown before left out.

Knows the order of these steps; how a ranking comes about is handed in as a function.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from retriever.arranging import WINDOW, sorted_by, varied
from retriever.cursors import MOST_SHOWN, Place
from retriever.folding import Folding, Picture
from sightline.protocols import Encoder, Store
from sightline.showing import Show
from sightline.types import Hit

FOLDED_AT_MOST = 1_000  # hits that are looked at to fill one page with hits that are no near-duplicates


@dataclass(frozen=True, slots=True)
class Ranked:
    """The first hits of a ranking."""

    hits: list[Hit]
    more: bool  # whether there may be more
    warnings: tuple[str, ...] = ()
    answered: float | None = None  # 0-1: how probable it is that anything here answers; None: not told
    left_out: bool = False  # for too little relevance, which does not fall with rank alone: more may come behind them


@dataclass(frozen=True, slots=True)
class Page:
    """The hits of one page, what is to be said about them, and where the next begins."""

    hits: tuple[Hit, ...]
    warnings: tuple[str, ...]
    cursor: str | None
    answered: float | None = None


def turned(
    ranked: Callable[[int], Ranked],
    show: Show,
    place: Place,
    *,
    k: int,
    store: Store,
    encoder: Encoder,
    picture: Picture,
) -> Page:
    """The page of k hits that begins at a place, looking no deeper than that takes.

    `ranked` gives the first so many hits, or all there are.
    """
    folding = Folding(store, encoder, picture)
    depth = len(place.seen) + show.offset + k
    depth = max(depth, WINDOW) if show.rearranges else depth
    while True:
        found = ranked(depth)
        order = sorted_by(found.hits, show.sort, store, least=place.first) if show.sort else found.hits
        order = folding.fold(order) if show.fold else order
        order = varied(order, show, place, k=k, store=store, encoder=encoder)
        fresh = [hit for hit in order if not place.has(hit.id)][show.offset :]
        deeper = (show.fold and not show.sort) or found.left_out
        if len(fresh) >= k or not found.more or not deeper or depth >= FOLDED_AT_MOST:
            break
        depth *= 10
    page = [
        replace(hit, rank=rank, folded=tuple(one for one in hit.folded if not place.has(one)))
        for rank, hit in enumerate(fresh[:k], start=place.shown + show.offset + 1)
    ]
    late = [one for hit in order if hit.folded and place.has(hit.id) for one in hit.folded if not place.has(one)]
    told = (f"near-duplicates of hits on the pages before, folded there: {', '.join(late)}",) if late else ()
    follows = bool(page) and (len(fresh) > k or (found.more and not show.sort)) and len(place.seen) + k < MOST_SHOWN
    cursor = place.after([*order[: show.offset], *page], late) if follows else None
    return Page(tuple(page), found.warnings + told, cursor, found.answered)
