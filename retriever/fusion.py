"""Fusion by rank: several ranked lists of parts become one ranked list of items.

Knows nothing of similarities, stores or models: only places in lists.

Weighted Reciprocal Rank Fusion (Cormack, Clarke and Buettcher, SIGIR 2009): an item scores the sum over channels of
weight * strength / (RRF_K + place). Places are compared, never scores, because a cosine between two texts is always
above one between a text and a picture (the modality gap) and BM25 is neither.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

# Chosen with `benchmarks/retrieval.py` on its judged queries, nDCG@10 outdoor / sample catalog. Words at 1, 2, 4 beside
# clip and dense at 1: 0.84 / 0.67, 0.86 / 0.71, 0.86 / 0.70; with an untrained encoder 0.75 / 0.46 and 0.81 / 0.58 at 1
# and 2. RRF_K from 10 to 60, or clip at half, differ by less than the confidence intervals: the paper's 60 stands.
RRF_K = 60
TEXT_WEIGHTS: Mapping[str, float] = {"clip": 1.0, "dense": 1.0, "words": 2.0}
# Where texts have an encoder of their own it knows more of them than both others. With all-MiniLM-L6-v2, nDCG@10 of
# seven slices of `benchmarks/slices.py` (everyday queries of sample and outdoor catalog apart), dense at 1, 2, 3, 4:
# 0.892 (0.84, 0.85), 0.894 (0.84, 0.86), 0.896 (0.86, 0.88), 0.895 (0.87, 0.89); the starter alone 0.870 (0.77, 0.84).
WORDED_WEIGHTS: Mapping[str, float] = {**TEXT_WEIGHTS, "dense": 3.0}
# For a picture, the best of the items that have texts only comes in after about six of those that have pictures.
PICTURE_WEIGHTS: Mapping[str, float] = {"clip": 1.0, "dense": 0.45, "words": 0.0}
# An item is compared picture with picture and text with text. More like this in the sample catalog, the first
# two of the same kind: 0.78 with both alike, 0.75 with dense at 0.45, 0.59 and 0.73 with pictures and texts alone.
LIKE_WEIGHTS: Mapping[str, float] = {"clip": 1.0, "dense": 1.0, "words": 0.0}
FIRST, LAST = "first", "last"  # in what a score is made of: what puts an item before, or behind, all others
PEERS: Mapping[str, str] = {"clip": "dense", "dense": "clip"}  # channels that ask the same of another modality


@dataclass(frozen=True, slots=True)
class Vote:
    """One part in a channel's list, best first."""

    part_id: str
    item_id: str
    score: float  # the channel's own; used for one thing only: equal scores share a place
    strength: float = 1.0  # 0-1: how much of the query the part accounts for
    costs: tuple[float, ...] = ()  # what each unwanted term took off the score


@dataclass(frozen=True, slots=True)
class Fused:
    """An item after fusion."""

    item_id: str
    score: float
    part_scores: Mapping[str, float]  # part id -> what the part alone would score, for the parts that were found
    places: Mapping[str, int]  # channel -> the item's place in it, from 1
    shares: Mapping[str, float]  # what the score is the sum of, in order: by channel, then FIRST and LAST

    @property
    def parts(self) -> tuple[str, ...]:
        """Ids of the parts that were found, best first, ties by id."""
        return tuple(sorted(self.part_scores, key=lambda part: (-self.part_scores[part], part)))


def weights_for(text_share: float, like_share: float = 0.0, *, worded: bool = False) -> dict[str, float]:
    """Channel weights for a query whose wanted terms are text by one share (0-1), items by another, else a picture.

    `worded`: texts are compared with by an encoder of their own.
    """
    shares = (
        (WORDED_WEIGHTS if worded else TEXT_WEIGHTS, text_share),
        (LIKE_WEIGHTS, like_share),
        (PICTURE_WEIGHTS, 1 - text_share - like_share),
    )
    return {name: sum(share * weights[name] for weights, share in shares) for name in TEXT_WEIGHTS}


def fuse(
    rankings: Mapping[str, Sequence[Vote]],
    weights: Mapping[str, float],
    *,
    without: Mapping[str, frozenset[str]] | None = None,
    first: frozenset[str] = frozenset(),
    last: frozenset[str] = frozenset(),
) -> list[Fused]:
    """All items of all lists, highest score first, ties by id.

    `without` names, by channel, the items that have no part the channel could see: there they take the place they have
    in its peer, so that a product without a picture is not behind for lack of one; `lent` says at which weight.
    Items in `first` go before, items in `last` behind all others, each group in its own order.
    """
    shares: dict[str, dict[str, float]] = {item_id: {} for item_id in first}
    part_scores: dict[str, dict[str, float]] = {item_id: {} for item_id in first}
    places: dict[str, dict[str, int]] = {item_id: {} for item_id in first}
    for channel in sorted(rankings):  # sorted: sums of floats do not depend on the order of channels
        peer = PEERS.get(channel, "")
        lent_to = (without or {}).get(peer, frozenset())
        more = lent(peer, weights) if peer else 0.0
        for vote, part_place, item_place in _placed(rankings[channel]):
            item_id = vote.item_id
            vote_of_part = weights[channel] * vote.strength / (RRF_K + part_place)
            parts = part_scores.setdefault(item_id, {})
            parts[vote.part_id] = parts.get(vote.part_id, 0.0) + vote_of_part
            if item_place:
                places.setdefault(item_id, {})[channel] = item_place
                weight = weights[channel] + (more if item_id in lent_to else 0.0)
                shares.setdefault(item_id, {})[channel] = weight * vote.strength / (RRF_K + item_place)
    for item_id in first:
        shares[item_id][FIRST] = 1.0
    for item_id in last & shares.keys():
        shares[item_id][LAST] = -1.0
    fused = [
        Fused(item_id, sum(made_of.values()), part_scores[item_id], places[item_id], made_of)
        for item_id, made_of in shares.items()
    ]
    return sorted(fused, key=lambda one: (-one.score, one.item_id))


def lent(lacking: str, weights: Mapping[str, float]) -> float:
    """The weight at which an item that a vector channel cannot see takes its place in the other one.

    One without texts counts as if they were found where its pictures are; one without pictures at the lower of both
    weights, for to a picture texts are hardly like.
    """
    both = weights.get(lacking, 0.0), weights.get(PEERS[lacking], 0.0)
    return both[0] if lacking == "dense" else min(both)


def _placed(votes: Sequence[Vote]) -> Iterator[tuple[Vote, int, int]]:
    """Each vote with its part's place and, where it is its item's best, the item's place (else 0).

    Equal scores share a place, 1 1 3: of two equal pictures neither is behind for its id.
    """
    seen: set[str] = set()
    part_place = item_place = 0
    part_score = item_score = None
    for at, vote in enumerate(votes, start=1):
        if vote.score != part_score:
            part_place, part_score = at, vote.score
        if vote.item_id in seen:
            yield vote, part_place, 0
            continue
        seen.add(vote.item_id)
        if vote.score != item_score:
            item_place, item_score = len(seen), vote.score
        yield vote, part_place, item_place
