"""Where in its pictures a hit answers: the box of the region that is nearest to what is sought.

Knows a store by its protocol.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from retriever.terms import Aim
from sightline.protocols import Store
from sightline.types import Box, Hit, Locator, Modality, Part


def located(hits: Sequence[Hit], aims: Mapping[Modality, Aim], store: Store) -> tuple[Hit, ...]:
    """The hits, their pictures with the box that answers best; one that answers best as a whole has none."""
    if "image" not in aims:
        return tuple(hits)
    found = best_boxes([part for hit in hits for part in hit.parts], aims["image"], store)
    if not found:
        return tuple(hits)
    return tuple(
        replace(
            hit, parts=tuple(replace(part, locator=_within(part.locator, found.get(part.id))) for part in hit.parts)
        )
        for hit in hits
    )


def best_boxes(parts: Sequence[Part], aim: Aim, store: Store) -> dict[str, Box]:
    """Part id -> the box of the region by which it scores; not there: it scores by the whole picture."""
    digests = sorted({part.digest for part in parts if part.modality == "image"})
    found = store.places(aim.space, aim.wanted, digests) if digests else {}
    return {part.id: found[part.digest] for part in parts if part.digest in found}


def _within(place: Locator, box: Box | None) -> Locator:
    """A place narrowed to a box, which is in 0-1 of what the place holds."""
    if box is None:
        return place
    x0, y0, x1, y1 = place.box or (0.0, 0.0, 1.0, 1.0)
    wide, high = x1 - x0, y1 - y0
    return replace(place, box=(x0 + box[0] * wide, y0 + box[1] * high, x0 + box[2] * wide, y0 + box[3] * high))
