"""What every reranker does alike: find a hit's picture, and tell how sure an answer is.

Knows nothing of models or of what becomes of the answers.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from sightline.types import Hit, Part, Pixels

PictureOf = Callable[[Part], Pixels | None]  # the pixels of an image part, None where there are none
SUREST = 1e-6  # nothing is held less likely: floating point knows no surer answer


def first_picture(hit: Hit, picture: PictureOf) -> Pixels | None:
    """The hit's best part that is a picture, else its item's first; None where it has none."""
    parts = (part for part in (*hit.parts, *hit.item.parts) if part.modality == "image")
    return next((pixels for part in parts if (pixels := picture(part)) is not None), None)


def log_odds(likely: float) -> float:
    """log(p / (1 - p)), kept finite."""
    held = min(max(likely, SUREST), 1 - SUREST)
    return math.log(held / (1 - held))
