"""What an explanation is made of: reasons by channel, word and term, what pushed an item back, maps of its picture.

Holds, and writes itself as JSON; how a reason is found is `explaining`'s.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from retriever.calibration import Reason
from retriever.mentions import Mention
from sightline.types import Box, Modality


@dataclass(frozen=True, slots=True)
class ChannelReason:
    """What one channel made of the item."""

    channel: str
    weight: float  # of the channel in this query
    place: int | None = None  # from 1; None: not among those it put forward
    score: float | None = None  # its own: a cosine or a share of the words; in deviations where something is unwanted
    cosine: float | None = None  # of the item's best part to all that is wanted together; None for words
    part: str | None = None  # which part that is
    strength: float = 1.0  # 0-1: how much of the query the item accounts for
    lent: float = 0.0  # weight taken over from the channel that has nothing to see of this item
    added: float = 0.0  # to the fused score: (weight + lent) * strength / (60 + place)
    box: Box | None = None  # the region of the part that is nearest; None: all of it
    encoder: str | None = None  # whose cosine that is; None for words and names


@dataclass(frozen=True, slots=True)
class WordReason:
    """One word of the query, and where the item says it; nowhere: it does not."""

    word: str
    share: float  # 0-1: how much of the query it is
    said: tuple[Mention, ...] = ()
    instead: Mapping[str, str] = field(default_factory=dict)  # fields that such a word is a value of, and the item's


@dataclass(frozen=True, slots=True)
class TermReason:
    """One term of the query for itself, beside the item's best picture and best text."""

    term: Mapping[str, Any]  # its type and what it is; a picture by its size
    weight: float  # below 0: not wanted
    cosines: Mapping[Modality, float] = field(default_factory=dict)  # to the part of each kind that is most like it
    parts: Mapping[Modality, str] = field(default_factory=dict)  # which that is
    added: Mapping[Modality, float] = field(default_factory=dict)  # of a channel's cosine, what this wanted term makes


@dataclass(frozen=True, slots=True)
class Push:
    """What an unwanted term did to the item."""

    term: str
    channel: str | None = None  # None: the item goes behind all others, for it says so in words
    cost: float | None = None  # standard deviations of wanted likeness, in that channel
    said: tuple[Mention, ...] = ()


@dataclass(frozen=True, slots=True)
class TermMap:
    """Where in the item's picture a term, or all that is wanted together, finds what it asks for."""

    term: str  # "" for all that is wanted
    part: str
    cosine: float  # of the whole picture, as it is kept for showing
    gain: float  # by how much the best window alone is above the mean window, in cosine
    fall: float  # by how much the cosine of the whole falls at most when a window is hidden
    values: tuple[tuple[float, ...], ...]  # -1 to 1, rows from the top: above 0 speaks for the term


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a reranker added: log-odds that add up to those that the hits read were ordered by."""

    by: str
    why: str  # it was asked, or not
    first: float | None = None  # of the hit before it was read: its rank and its relevance; None: it was not read
    said: float | None = None  # by the reranker
    weight: float = 0.0  # what that was multiplied by


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why one item is where it is. `sum(channel.added) + sum(adjustments)` is `score`."""

    item: str
    title: str
    rank: int | None  # among the hits shown; None: it is not one of them
    absent: str  # why it is not shown, "" where it is
    score: float | None  # after fusion; None: nothing put it forward
    places: Mapping[str, int]  # its place after "fusion", after a "reranker" where one read it, and as "shown"
    channels: tuple[ChannelReason, ...]
    adjustments: Mapping[str, float]  # to the score: "first" by name, "last" for an unwanted word, "deeper"
    words: tuple[WordReason, ...]
    terms: tuple[TermReason, ...]
    pushed: tuple[Push, ...]
    folded: tuple[str, ...]  # copies that went under it
    relevance: float | None
    relevance_of: tuple[Reason, ...]  # what adds up to its log-odds
    answered: float | None  # the probability that anything here answers
    answered_of: tuple[Reason, ...]
    bar: float | None  # below it nothing is shown
    reranked: Judgement | None = None  # None: no reranker was named
    warnings: tuple[str, ...] = ()
    maps: tuple[TermMap, ...] = ()
    trace: Mapping[str, Any] = field(default_factory=dict)  # what asks the same again

    def to_json(self) -> dict[str, Any]:
        """Everything but the trace, which holds the pictures of the query."""
        return {name: _json(getattr(self, name)) for name in self.__dataclass_fields__ if name != "trace"}


def _json(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 6)
    if isinstance(value, Mapping):
        return {key: _json(one) for key, one in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_json(one) for one in value]
    if isinstance(value, Mention):
        return value.to_json()
    if hasattr(value, "__dataclass_fields__"):
        return {name: _json(getattr(value, name)) for name in value.__dataclass_fields__}
    return value
