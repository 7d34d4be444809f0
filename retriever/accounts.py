"""What one search did, kept while it is done, for whoever asks why an item is where it is.

Holds what it is told and decides nothing; what it amounts to is `explaining`'s to say.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from retriever.evidence import Evidence
from retriever.fusion import Fused, Vote
from retriever.terms import Aim, Terms
from retriever.words import Said
from sightline.reranked import Reranked
from sightline.types import Hit, Modality, Query, Term


@dataclass(frozen=True, slots=True)
class Asked:
    """What was looked for, and how much each channel counts."""

    query: Query
    terms: Terms
    weights: Mapping[str, float]
    aims: Mapping[Modality, Aim]
    also: tuple[Term, ...] = ()  # what a chat model made of the words, sought beside them


@dataclass(frozen=True, slots=True)
class Pool:
    """What the channels put forward at one depth, and what fusion made of it."""

    rankings: Mapping[str, Sequence[Vote]]
    fused: Sequence[Fused]
    hits: list[str] = field(default_factory=list)  # ids of those that came out of it first


@dataclass(slots=True)
class Account:
    """Filled by one search; where that looked deeper a second time, by the last look."""

    asked: Asked | None = None
    pools: list[Pool] = field(default_factory=list)  # the smallest first
    said: Said | None = None  # None: words were not asked
    evidence: Evidence | None = None  # None: relevance was not told
    answered: float | None = None
    bar: float | None = None  # what `answered` must reach
    reranked: Reranked | None = None  # None: no reranker was named, or there was nothing for it to read
    judged: Mapping[str, float] = field(default_factory=dict)  # id -> the reranker's log-odds, of hits it judged
    fusion: tuple[Hit, ...] = ()  # the hits in the order of fusion
    ranking: tuple[Hit, ...] = ()  # the same after a reranker, and with those of too little relevance left out
    took_ms: dict[str, float] = field(default_factory=dict)  # by stage, in the order they began

    @contextmanager
    def timing(self, stage: str) -> Iterator[None]:
        """Add the time of a block to what a stage took."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.took_ms[stage] = self.took_ms.get(stage, 0.0) + (time.perf_counter() - started) * 1000
