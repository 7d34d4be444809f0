"""Fits one map for the queries of one modality: what belongs together comes nearer, and neighbours stay neighbours.

Knows vectors and who belongs to whom; nothing of texts, pictures or indexes. numpy only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sightline.encoders.adapter import unit
from sightline.types import Vectors

STEPS = 100  # of Adam, with a cosine to zero
BATCH = 512  # queries a step
ROWS = 2048  # answers a step that they are told apart from
ANCHORS = 1024  # queries whose likeness to each other is kept
TEMPERATURE = 0.5  # in standard deviations of the cosines that the encoder gives, so that it fits every encoder
KEEP = 10.0  # weight of keeping neighbours against bringing pairs together
RATE = 0.016  # of Adam, for the map as a whole: divided by the square root of dim for one number of it
EPSILON = 1e-6  # of Adam: above what rounding leaves of a gradient that is zero

Ids = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Examples:
    """Queries of one modality, answers, and which answers are right.

    An answer has one vector or several (an item with three pictures); the rows of `answers` are ordered by `owner`.
    `excused` are the answers that do not count as wrong, the right ones among them: those of a query with a right
    answer in common, for two pictures of one thing are no mistake for each other.
    """

    queries: Vectors  # (q, dim)
    answers: Vectors  # (r, dim)
    owner: Ids  # (r,) which answer a row belongs to, rising from 0
    right: tuple[Ids, ...]  # q of them: answers
    excused: tuple[Ids, ...]  # q of them
    spelling: Ids | None = None  # (q,) queries of one number are one text but for case, space and punctuation
    textual: NDArray[np.bool_] | None = None  # (answers,) found by texts; None: all by pictures


def fit(examples: Examples, *, which: Sequence[Ids] | None = None, seed: int = 0) -> NDArray[np.float32]:
    """The (dim, dim) map W for which W q / |W q| is nearest to the right answers of q. Equal input, equal numbers.

    `which` leaves out pairs: for each query, those of its right answers to learn from. Loss: softmax over the answers
    in hand, plus KEEP times the divergence of the softmax over other queries (who is like me?) from what it was, in the
    manner of STRUCTURE (Gröger et al. 2025). Starts from the identity, so that nothing learnt is nothing changed.
    """
    rng = np.random.default_rng(seed)
    right = examples.right if which is None else tuple(which)
    asking = np.flatnonzero([len(ids) > 0 for ids in right])
    taught = np.isin(
        examples.owner, np.concatenate([right[at] for at in asking])
    )  # else the unseen would be pushed off
    rows, owner = examples.answers[taught], examples.owner[taught]
    anchors = examples.queries[_some(rng, asking, ANCHORS)]
    spread, likeness = _spread(examples.queries[asking], rows, rng), _spread(anchors, anchors, rng)
    dim = rows.shape[1]
    made = np.eye(dim, dtype=np.float32)
    adam = _Adam(made, RATE / np.sqrt(dim))
    for step in range(STEPS):
        batch = _some(rng, asking, BATCH)
        chosen = _in_hand(rng, owner, [right[at] for at in batch])
        target, allowed = _targets(owner[chosen], batch, right, examples.excused)
        queries = examples.queries[batch]
        mapped = queries @ made.T  # (b, dim) @ (dim, dim)
        lengths = np.linalg.norm(mapped, axis=1, keepdims=True)
        moved = mapped / lengths
        wrong = _softmax(np.where(allowed, moved @ rows[chosen].T / spread, -np.inf)) - target  # (b, rows)
        strayed = _softmax(moved @ anchors.T / likeness) - _softmax(queries @ anchors.T / likeness)  # (b, anchors)
        pull = wrong @ rows[chosen] / spread + KEEP * strayed @ anchors / likeness  # (b, dim)
        pull -= np.sum(pull * moved, axis=1, keepdims=True) * moved  # along the sphere
        adam.step((pull / lengths).T @ queries / len(batch), left=1 - step / STEPS)
    return made


def kept(made: NDArray[np.float32], queries: Vectors, *, seed: int = 0) -> float:
    """Share of each query's nearest other queries (10, or a tenth of them where there are few) that still are."""
    some = queries[_some(np.random.default_rng(seed), np.arange(len(queries)), ANCHORS)]
    k = min(10, max(1, len(some) // 10))
    before, after = some @ some.T, unit(some @ made.T) @ some.T
    nearest = []
    for likeness in (before, after):
        np.fill_diagonal(likeness, -np.inf)
        nearest.append(np.argsort(-likeness, axis=1, kind="stable")[:, :k])
    return float(np.mean([len(set(a) & set(b)) / k for a, b in zip(*nearest, strict=True)]))


class _Adam:
    """Adam on one array, in place; `left` (1 to 0) is how much of the way is left."""

    def __init__(self, made: NDArray[np.float32], rate: float) -> None:
        self._made, self._rate, self._steps = made, rate, 0
        self._mean, self._square = np.zeros_like(made), np.zeros_like(made)

    def step(self, gradient: NDArray[np.float32], *, left: float) -> None:
        self._steps += 1
        self._mean += 0.1 * (gradient - self._mean)
        self._square += 0.01 * (gradient**2 - self._square)
        rate = self._rate * (0.5 - 0.5 * np.cos(np.pi * left))
        mean, square = self._mean / (1 - 0.9**self._steps), self._square / (1 - 0.99**self._steps)
        self._made -= (rate * mean / (np.sqrt(square) + EPSILON)).astype(np.float32)


def _in_hand(rng: np.random.Generator, owner: Ids, right: Sequence[Ids]) -> Ids:
    """Row numbers of the answers of this step: all, or one right answer a query and others by chance."""
    if len(owner) <= ROWS:
        return np.arange(len(owner))
    wanted = np.isin(owner, [rng.choice(ids) for ids in right])
    others = _some(rng, np.flatnonzero(~wanted), max(0, ROWS - int(wanted.sum())))
    return np.union1d(np.flatnonzero(wanted), others)


def _targets(
    owner: Ids, batch: Ids, right: Sequence[Ids], excused: Sequence[Ids]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """(b, rows) shares of the right answers, summing to 1, and who takes part: the right and the plainly wrong."""
    good, pardoned = (flags([sets[at] for at in batch], int(owner[-1]) + 1)[:, owner] for sets in (right, excused))
    return (good / good.sum(axis=1, keepdims=True)).astype(np.float32), good | ~pardoned


def flags(sets: Sequence[Ids], n: int) -> NDArray[np.bool_]:
    """(len(sets), n): whether each of n is in a set; what is n or more is left out."""
    marked = np.zeros((len(sets), n), bool)
    row, one = np.repeat(np.arange(len(sets)), [len(ids) for ids in sets]), np.concatenate(sets)
    marked[row[one < n], one[one < n]] = True
    return marked


def _spread(left: Vectors, right: Vectors, rng: np.random.Generator) -> float:
    """The temperature: TEMPERATURE standard deviations of the cosines between two sets."""
    some = [side[_some(rng, np.arange(len(side)), 500)] for side in (left, right)]
    return max(TEMPERATURE * float(np.std(some[0] @ some[1].T)), 1e-4)


def _some(rng: np.random.Generator, ids: Ids, most: int) -> Ids:
    """All of them in order, or `most` of them drawn."""
    return ids if len(ids) <= most else np.sort(rng.choice(ids, most, replace=False))


def _softmax(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), dtype=np.float32)
