"""What every reranker does alike: find a hit's picture, and put hits into a new order.

Knows nothing of models or of how an order is found.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from sightline.types import Hit, Part, Pixels

PictureOf = Callable[[Part], Pixels | None]  # the pixels of an image part, None where there are none


def first_picture(hit: Hit, picture: PictureOf) -> Pixels | None:
    """The hit's best part that is a picture, else its item's first; None where it has none."""
    parts = (part for part in (*hit.parts, *hit.item.parts) if part.modality == "image")
    return next((pixels for part in parts if (pixels := picture(part)) is not None), None)


def in_order(hits: Sequence[Hit], order: Sequence[int]) -> list[Hit]:
    """The hits as `order` (their places, best first) says, ranks from 1, "rerank" among their channels.

    The scores stay in place and the hits move, so that they still fall with the rank and stay above the scores of hits
    that were not given.
    """
    scores = sorted((hit.score for hit in hits), reverse=True)
    return [
        replace(hits[at], rank=rank, score=score, via=tuple(dict.fromkeys((*hits[at].via, "rerank"))))
        for rank, (at, score) in enumerate(zip(order, scores, strict=True), 1)
    ]
