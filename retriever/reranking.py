"""Whether a reranker is asked of a query, and what its judgements amount to beside the first order.

Knows a reranker by its protocol; nothing of channels, stores or how relevance is told.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Self

from retriever.terms import Terms
from retriever.words import content_words
from sightline.errors import EngineError, EngineTimeout
from sightline.protocols import Reranker
from sightline.reranked import Reranked
from sightline.types import Hit, Query

Seen = Callable[[Sequence[Hit]], Sequence[Hit]]  # hits as whoever reads them is to see them
Kind = Literal["simple", "attributes", "composed", "negated", "pictured", "clear"]
KINDS: tuple[Kind, ...] = ("simple", "attributes", "composed", "negated", "pictured", "clear")
CLEAR = math.log(4)  # log-odds that the first hit has before the second: read again, those lost as much as they gained
UNSURE = 0.5  # how much of its weight a reranker has where no relevance is told
SUREST = 1e-4  # a relevance beyond it, or beyond 1 minus it, is held to be it
_ASKED: Mapping[Kind, str] = {
    "simple": "a thing is named", "attributes": "a thing is described", "composed": "several things are put together",
    "negated": "something is not wanted", "pictured": "a picture is shown", "clear": "the first hit leads clearly",
}  # fmt: skip
MANY = 3  # words that name or describe: so many say more than what a thing is called
_NEGATED = re.compile(r"\b(without|no|not|non|except|excluding|neither|nor|never)\b", re.IGNORECASE)
_RELATED = re.compile(
    r"\b(and|or|with|on|in|under|over|above|below|beside|behind|near|between|next to|in front of|left of|right of|"
    r"wearing|holding|carrying|riding)\b",
    re.IGNORECASE,
)


def kind_of(terms: Terms, relevances: Sequence[float | None] = ()) -> Kind:
    """What a query asks, as far as it matters to whoever reads pictures: by its words and the form of its terms.

    "clear" where the first of the hits, whose relevances these are, leads so far that there is little to be decided.
    """
    texts = [term.content for term in terms.wanted if isinstance(term.content, str)]
    if terms.unwanted or any(_NEGATED.search(text) for text in texts):
        return "negated"
    first = priors(relevances[:2])
    if len(first) > 1 and first[0] - first[1] > CLEAR:
        return "clear"
    if terms.text_share < 1:
        return "pictured"
    if len(terms.wanted) > 1 or any(_relates(text) for text in texts):
        return "composed"
    return "attributes" if len(content_words(terms.text)) >= MANY else "simple"


def _relates(text: str) -> bool:
    """Whether it says of two things how they stand to each other: words on both sides of "and", "on", "with" …"""
    return any(
        content_words(text[: found.start()]) and content_words(text[found.end() :]) for found in _RELATED.finditer(text)
    )


BY_DEFAULT: Mapping[Kind, float] = {kind: 0.0 if kind == "clear" else 1.0 for kind in KINDS}


@dataclass(frozen=True, slots=True)
class Trust:
    """How far a reranker is believed, by kind of query: what its log-odds are multiplied by; 0: it is not asked.

    It is believed half as much where hits have no relevance: nobody knows then how sure the first order is.
    """

    weights: Mapping[Kind, float] = field(default_factory=lambda: dict(BY_DEFAULT))
    tuned: bool = False

    def to_json(self) -> dict[str, Any]:
        return {"weights": dict(self.weights), "tuned": self.tuned}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        return cls({kind: float(data["weights"].get(kind, BY_DEFAULT[kind])) for kind in KINDS}, bool(data["tuned"]))


@dataclass(frozen=True, slots=True)
class Reranking:
    """A reranker, how many hits it may read, and how far it is believed."""

    reranker: Reranker
    depth: int = 20
    trust: Trust = field(default_factory=Trust)
    gated: bool = True  # False: it is asked of every query, and believed at least as it would be untuned

    def rerank(self, query: Query, terms: Terms, hits: Sequence[Hit], *, seen: Seen = tuple) -> Reordered:
        """The hits in the order that both make, or as they were and a sentence that says why.

        Asked, it reads them as `seen` gives them: with the regions that answer.
        """
        kind = kind_of(terms, [hit.relevance for hit in hits[:2]])
        weight = self.trust.weights[kind] if self.gated else max(self.trust.weights[kind], 1.0)
        how = "as tuned here" if self.trust.tuned else "by default"
        if not weight:
            return Reordered(list(hits), self.unasked(f"{_ASKED[kind]}, {how}; ungated it reads them all"))
        head, tail = list(hits[: self.depth]), list(hits[self.depth :])
        try:
            odds = self.judged(query, seen(head))
        except EngineTimeout:
            return self._failed(hits, "Reranking took too long, so the first order stands.")
        except EngineError as exc:
            return self._failed(hits, f"Reranking failed, so the first order stands: {exc}")
        read = sum(one is not None for one in odds)
        relevances = [hit.relevance for hit in head]
        order = weighed(odds, relevances, weight)
        told = Reranked(self.reranker.name, read, _held(weight, relevances), f"{_ASKED[kind]}, {how}")
        judged = {hit.id: one for hit, one in zip(head, odds, strict=True) if one is not None}
        return Reordered([*_in_order(head, order, odds), *tail], told, judged=judged)

    def unasked(self, why: str) -> Reranked:
        """What is told where it is not asked."""
        return Reranked(self.reranker.name, 0, 0.0, why)

    def judged(self, query: Query, hits: Sequence[Hit]) -> list[float | None]:
        """By hit the log-odds that it is meant; None also for who is called by name, and so stays in front.

        Raises EngineError, EngineTimeout.
        """
        unsure = [at for at, hit in enumerate(hits) if "id" not in hit.via]
        judged = self.reranker.judge(query, [hits[at] for at in unsure]) if unsure else []
        if len(judged) != len(unsure) or any(one is not None and not math.isfinite(one) for one in judged):
            raise EngineError(f"{self.reranker.name} did not judge each of the hits it was given")
        by_place = dict(zip(unsure, judged, strict=True))
        return [by_place.get(at) for at in range(len(hits))]

    def _failed(self, hits: Sequence[Hit], why: str) -> Reordered:
        return Reordered(list(hits), self.unasked(why), (why,))


@dataclass(frozen=True, slots=True)
class Reordered:
    """What came of asking a reranker."""

    hits: list[Hit]
    told: Reranked
    warnings: tuple[str, ...] = ()
    judged: Mapping[str, float] = field(default_factory=dict)  # id -> log-odds, of those that were judged


def priors(relevances: Sequence[float | None]) -> list[float]:
    """(n,): the log-odds of the hits of a first order, before a reranker looks: 1 to the rank, times their relevance's.

    Those alone where no relevance is told.
    """
    return [-math.log(rank) + (0.0 if one is None else _log_odds(one)) for rank, one in enumerate(relevances, start=1)]


def weighed(odds: Sequence[float | None], relevances: Sequence[float | None], weight: float) -> list[int]:
    """Places 0 … n-1 of the hits of the first order, best first, by both; a hit that was not judged keeps its place.

    Log-odds of who judged apart add up: who is sure decides alone, and who is not leaves the order as it was. Equals
    keep their order.
    """
    weight, first = _held(weight, relevances), priors(relevances)
    judged = [at for at, one in enumerate(odds) if one is not None]
    best_first = iter(sorted(judged, key=lambda at: -(first[at] + weight * (odds[at] or 0.0))))
    return [next(best_first) if one is not None else at for at, one in enumerate(odds)]


def _held(weight: float, relevances: Sequence[float | None]) -> float:
    return weight * (UNSURE if None in relevances else 1.0)


def _log_odds(likely: float) -> float:
    held = min(max(likely, SUREST), 1 - SUREST)
    return math.log(held / (1 - held))


def _in_order(hits: Sequence[Hit], order: Sequence[int], odds: Sequence[float | None]) -> list[Hit]:
    """The hits as `order` says, ranks from 1. The scores stay in place and the hits move, so that scores still fall."""
    return [
        replace(
            hits[at], rank=rank, score=hits[rank - 1].score,
            via=hits[at].via if odds[at] is None else (*hits[at].via, "rerank"),
        )
        for rank, at in enumerate(order, start=1)
    ]  # fmt: skip
