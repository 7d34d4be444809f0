"""Whether a reranker is asked of a query, and what its judgements amount to beside the first order.

Knows a reranker by its protocol; nothing of channels, stores or how relevance is told.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Self

from retriever.terms import Terms
from retriever.words import content_words
from sightline.errors import EngineError, EngineTimeout
from sightline.protocols import Reranker
from sightline.reranked import Reranked
from sightline.types import Hit, Query

Kind = Literal["simple", "attributes", "composed", "negated", "pictured"]
KINDS: tuple[Kind, ...] = ("simple", "attributes", "composed", "negated", "pictured")
MANY = 3  # words that name or describe: so many say more than what a thing is called
_NEGATED = re.compile(r"\b(without|no|not|non|except|excluding|neither|nor|never)\b", re.IGNORECASE)
_RELATED = re.compile(
    r"\b(and|or|with|on|in|under|over|above|below|beside|behind|near|between|next to|in front of|left of|right of|"
    r"wearing|holding|carrying|riding)\b",
    re.IGNORECASE,
)


def kind_of(terms: Terms) -> Kind:
    """What a query asks, as far as it matters to whoever reads pictures: by its words and the form of its terms."""
    texts = [term.content for term in terms.wanted if isinstance(term.content, str)]
    if terms.unwanted or any(_NEGATED.search(text) for text in texts):
        return "negated"
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


@dataclass(frozen=True, slots=True)
class Trust:
    """How far a reranker is believed, by kind of query: what its log-odds are multiplied by; 0: it is not asked."""

    weights: Mapping[Kind, float] = field(default_factory=lambda: dict.fromkeys(KINDS, 1.0))
    tuned: bool = False

    def to_json(self) -> dict[str, Any]:
        return {"weights": dict(self.weights), "tuned": self.tuned}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        return cls({kind: float(data["weights"].get(kind, 1.0)) for kind in KINDS}, bool(data["tuned"]))


@dataclass(frozen=True, slots=True)
class Reranking:
    """A reranker, how many hits it may read, and how far it is believed."""

    reranker: Reranker
    depth: int = 20
    trust: Trust = field(default_factory=Trust)
    gated: bool = True  # False: it is asked of every query, and believed at least as it would be untuned

    def rerank(self, query: Query, terms: Terms, hits: Sequence[Hit]) -> Reordered:
        """The hits in the order that both make, or as they were and a sentence that says why."""
        kind = kind_of(terms)
        weight = self.trust.weights[kind] if self.gated else max(self.trust.weights[kind], 1.0)
        how = "tuned here" if self.trust.tuned else "as by default"
        if not weight:
            return Reordered(list(hits), Reranked(self.reranker.name, 0, 0.0, f"not asked of {kind} queries, {how}"))
        head, tail = list(hits[: self.depth]), list(hits[self.depth :])
        unsure = [at for at, hit in enumerate(head) if "id" not in hit.via]  # who is called by name stays in front
        odds: list[float | None] = [None] * len(head)
        try:
            judged = self.reranker.judge(query, [head[at] for at in unsure]) if unsure else []
            if len(judged) != len(unsure) or any(one is not None and not math.isfinite(one) for one in judged):
                raise EngineError(f"{self.reranker.name} did not judge each of the hits it was given")
            for at, one in zip(unsure, judged, strict=True):
                odds[at] = one
        except EngineTimeout:
            return self._failed(hits, "Reranking took too long, so the first order stands.")
        except EngineError as exc:
            return self._failed(hits, f"Reranking failed, so the first order stands: {exc}")
        read = sum(one is not None for one in odds)
        told = Reranked(self.reranker.name, read, weight, f"{kind} query, {how}")
        return Reordered([*_in_order(head, weighed(odds, weight), odds), *tail], told)

    def _failed(self, hits: Sequence[Hit], why: str) -> Reordered:
        return Reordered(list(hits), Reranked(self.reranker.name, 0, 0.0, why), (why,))


@dataclass(frozen=True, slots=True)
class Reordered:
    """What came of asking a reranker."""

    hits: list[Hit]
    told: Reranked
    warnings: tuple[str, ...] = ()


def weighed(odds: Sequence[float | None], weight: float) -> list[int]:
    """Places 0 … n-1 of the hits of the first order, best first, by both; a hit that was not judged keeps its place.

    A hit's odds before it is looked at are taken to be 1 to its rank: log-odds of a judgement are added to their log,
    so that who is sure decides alone, and who is not leaves the order as it was. Equals keep their order.
    """
    judged = [at for at, one in enumerate(odds) if one is not None]
    best_first = iter(sorted(judged, key=lambda at: math.log(at + 1) - weight * (odds[at] or 0.0)))
    return [next(best_first) if one is not None else at for at, one in enumerate(odds)]


def _in_order(hits: Sequence[Hit], order: Sequence[int], odds: Sequence[float | None]) -> list[Hit]:
    """The hits as `order` says, ranks from 1. The scores stay in place and the hits move, so that scores still fall."""
    return [
        replace(
            hits[at], rank=rank, score=hits[rank - 1].score,
            via=hits[at].via if odds[at] is None else (*hits[at].via, "rerank"),
        )
        for rank, at in enumerate(order, start=1)
    ]  # fmt: skip
