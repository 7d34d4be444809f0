"""A vision-language model on this machine that is asked of every hit's picture: does it match the query, yes or no?

Weighs the answers with the order it was given. Knows nothing of indexes, and judges pictures by words only.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import Protocol

from sightline.errors import EngineError, EngineTimeout
from sightline.rerankers.order import PictureOf, first_picture, in_order
from sightline.types import Hit, Pixels, Query

STEP = 8  # pictures between two looks at the clock
SUREST = 1e-6  # nothing is held less likely: floating point knows no surer answer


class Matcher(Protocol):
    """What is asked of a model; `sightline.mllms.local.LocalVision` is one."""

    @property
    def name(self) -> str: ...

    def match(self, text: str, pictures: Sequence[Pixels]) -> list[float]: ...


class YesNoReranker:
    """Re-orders the hits it is given; a hit without a picture keeps its place.

    The odds of a hit are 1 to its rank before any picture is looked at, times the odds of every answer: a model that is
    sure decides alone, one that is not leaves the order as it was.
    """

    def __init__(self, model: Matcher, picture: PictureOf, *, timeout_s: float) -> None:
        """`timeout_s` is for one whole `rerank`; it is held to a few pictures."""
        self._model, self._picture, self._timeout_s = model, picture, timeout_s

    def rerank(self, query: Query, hits: Sequence[Hit]) -> list[Hit]:
        """The same hits, ranks from 1. For the scores see `in_order`.

        A match of unwanted words makes a hit as unlikely as it is sure. Raises EngineTimeout; EngineError for a query
        with a picture or without words, and when the model fails.
        """
        wanted, unwanted = _texts(query)
        if not wanted or any(not isinstance(term.content, str) for term in query.terms):
            raise EngineError(f"{self._model.name} judges pictures by words, and this query is not of words alone")
        until = time.monotonic() + self._timeout_s
        shown = {at: seen for at, hit in enumerate(hits) if (seen := first_picture(hit, self._picture)) is not None}
        fits = {at: -math.log(at + 1) for at in shown}
        for text, sign in [*((text, 1) for text in wanted), *((text, -1) for text in unwanted)]:
            for at, odds in zip(shown, self._asked(text, list(shown.values()), until), strict=True):
                fits[at] += sign * log_odds(odds)
        best_first = iter(sorted(shown, key=lambda at: -fits[at]))  # stable: equals keep their order
        return in_order(hits, [next(best_first) if at in shown else at for at in range(len(hits))])

    def _asked(self, text: str, pictures: Sequence[Pixels], until: float) -> list[float]:
        odds: list[float] = []
        for start in range(0, len(pictures), STEP):
            if time.monotonic() >= until:
                raise EngineTimeout(f"{self._model.name} did not rerank within {self._timeout_s:g} s")
            odds += self._model.match(text, pictures[start : start + STEP])
        return odds


def log_odds(likely: float) -> float:
    """log(p / (1 - p)), kept finite."""
    held = min(max(likely, SUREST), 1 - SUREST)
    return math.log(held / (1 - held))


def _texts(query: Query) -> tuple[list[str], list[str]]:
    """The wanted words as one text, and every unwanted text."""
    unwanted = [term.content for term in query.terms if isinstance(term.content, str) and term.weight < 0]
    return [query.text] if query.text.strip() else [], unwanted
