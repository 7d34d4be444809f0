"""An order of many hits from orders of a few: what one reply says, and how replies about windows make one order.

Knows nothing of models, hits or what is shown of them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence

from sightline.errors import EngineError

WINDOW = 20  # hits, each with a picture, in one call: as in RankGPT (Sun et al. 2023), and some 12,000 tokens here
STRIDE = 10  # hits that the next window goes forward: the best ten of the back always meet the front
LISTED = 3.0  # times log(place): an order weighs three times as much as the first order does
REPLY_CHARS = 2000  # a reply that is longer is not in the form asked for, whatever follows

_THOUGHT = re.compile(r"\s*<think>.*?(</think>\s*|$)", re.DOTALL)
_ORDER = re.compile(r"\[\d+\](?:\s*>\s*\[\d+\])*\s*\.?")


def windows(count: int) -> Iterator[tuple[int, int]]:
    """[start, end) of each window over so many hits, from the back to the front; one where they fit into one."""
    end = count
    while end > WINDOW:
        yield end - WINDOW, end
        end -= STRIDE
    yield 0, end


def ordered(count: int, ask: Callable[[Sequence[int]], list[int]]) -> list[int]:
    """Places 0 … count-1, best first: `ask` says in which order the places of a window belong, as indices into it."""
    order = list(range(count))
    for start, end in windows(count):
        shown = order[start:end]
        order[start:end] = [shown[at] for at in ask(shown)]
    return order


def odds_of(order: Sequence[int]) -> list[float]:
    """By place what falls with its position in the order as log-odds would: equal steps nowhere, ties nowhere."""
    odds = [0.0] * len(order)
    for position, at in enumerate(order):
        odds[at] = -LISTED * math.log(position + 1)
    return odds


def parse_order(reply: str, count: int, *, by: str) -> list[int]:
    """Places 0 … count-1 from a reply like "[3] > [1]"; numbers left out follow in their first order.

    Anything else, a number out of range, or one named twice, is an EngineError that names `by`.
    """
    said = spoken(reply).strip()
    if not _ORDER.fullmatch(said):
        raise EngineError(f"{by} gave no order of the hits")
    named = [int(number) - 1 for number in re.findall(r"\d+", said)]
    if len(set(named)) != len(named) or not all(0 <= at < count for at in named):
        raise EngineError(f"{by} gave an order of other hits than it was shown")
    return named + [at for at in range(count) if at not in set(named)]


def spoken(reply: str) -> str:
    """The reply without what a thinking model says to itself first."""
    return _THOUGHT.sub("", reply, count=1) if reply.lstrip().startswith("<think>") else reply
