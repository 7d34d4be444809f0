"""A vision-language model on this machine that is asked of every hit's picture: does it match the query, yes or no?

Knows nothing of indexes or of how hits are ordered, and judges pictures by words only.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Protocol

from sightline.errors import EngineError, EngineTimeout
from sightline.rerankers.reading import PictureOf, asked_of, log_odds, pictures_of
from sightline.types import Hit, Pixels, Query

STEP = 8  # pictures between two looks at the clock


class Matcher(Protocol):
    """What is asked of a model; `sightline.mllms.local.LocalVision` is one."""

    @property
    def name(self) -> str: ...

    def match(self, text: str, pictures: Sequence[Pixels]) -> list[float]: ...


class YesNoReranker:
    """Judges hits by their pictures; of a hit without one it says nothing."""

    def __init__(self, model: Matcher, picture: PictureOf, *, timeout_s: float) -> None:
        """`timeout_s` is for all hits of one query; it is held to a few pictures."""
        self._model, self._picture, self._timeout_s = model, picture, timeout_s

    @property
    def name(self) -> str:
        return self._model.name

    @property
    def alone(self) -> bool:
        """Each hit is judged by itself, whatever stands beside it."""
        return True

    def judge(self, query: Query, hits: Sequence[Hit]) -> list[float | None]:
        """By hit the log-odds of yes; a match of unwanted words makes it as unlikely as the model is sure of that.

        Where a region answers, the mean of the two for the picture and for the region; unwanted words are asked about
        the whole picture alone.
        Raises EngineTimeout; EngineError for a query with a picture or without words, and when the model fails.
        """
        asked = asked_of(query)
        if not asked.of_words:
            raise EngineError(f"{self.name} judges pictures by words, and this query is not of words alone")
        until = time.monotonic() + self._timeout_s
        shown = {at: seen for at, hit in enumerate(hits) if (seen := pictures_of(hit, self._picture))}
        fits = dict.fromkeys(shown, 0.0)
        each = [(at, one) for at, seen in shown.items() for one in seen]
        for (at, _), likely in zip(each, self._asked(asked.text, [one for _, one in each], until), strict=True):
            fits[at] += log_odds(likely) / len(shown[at])
        for text in asked.unwanted:
            for at, likely in zip(shown, self._asked(text, [seen[0] for seen in shown.values()], until), strict=True):
                fits[at] -= log_odds(likely)
        return [fits.get(at) for at in range(len(hits))]

    def _asked(self, text: str, pictures: Sequence[Pixels], until: float) -> list[float]:
        odds: list[float] = []
        for start in range(0, len(pictures), STEP):
            if time.monotonic() >= until:
                raise EngineTimeout(f"{self._model.name} did not judge the hits within {self._timeout_s:g} s")
            odds += self._model.match(text, pictures[start : start + STEP])
        return odds
