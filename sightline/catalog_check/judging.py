"""How well pictures and words fit, in units of the catalog itself, and how sure it is that two do not belong together.

Knows vectors, values and who belongs to whom; nothing of items, texts or indexes. numpy only.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float32]
Ids = NDArray[np.int64]

PRIOR = 0.02  # of items whose picture is not theirs, before looking
ROUNDS = 3  # of finding out what right looks like: more change hardly anything
LISTED = 0.3  # suspicion from which an item is listed
RIDGE = 1e-3  # a fit's penalty, for each item it learns from; features have unit length on average
ALIKE = 0.95  # cosine, of texts from which the mean of all was taken: above it they say the same
NAMED = 0.2  # weight of what the encoder thinks of a value's name, beside what other items with that value look like
_BLOCK = 1024  # rows of scores in memory at a time


@dataclass(frozen=True, slots=True)
class Calibration:
    """Margins of what is on record, and of pairs put together at random: what a wrong picture looks like here."""

    right: tuple[float, float]  # middle and spread of the margins on record, of which few are wrong
    wrong: tuple[float, float]  # of pictures given another item's words

    @classmethod
    def of(cls, recorded: Matrix, planted: Matrix) -> Calibration:
        """Medians, and spreads of the sides that lean towards the other.

        What is suspected counts the less for what right looks like, round by round (expectation and maximisation): so
        many wrong pairs on record do not hide each other.
        """
        wrong = _middle(planted, np.ones(len(planted)), above=False)
        found = cls(_middle(recorded, np.ones(len(recorded)), above=True), wrong)
        for _ in range(ROUNDS):
            found = cls(_middle(recorded, 1 - found.suspicion(recorded), above=True), wrong)
        return found

    def suspicion(self, margins: Matrix) -> Matrix:
        """Probability, 0-1, that a pair is wrong, by two normal curves and PRIOR; a larger margin is never less so."""
        (right, spread), (wrong, width) = self.right, self.wrong
        if not len(margins) or wrong <= right:  # pairs at random fit as well as those on record: nothing can be told
            return np.zeros(len(margins), np.float32)
        at = np.linspace(right, max(wrong, float(margins.max())), 512)
        told = math.log(PRIOR / (1 - PRIOR)) + math.log(spread / width)
        odds = told + ((at - right) / spread) ** 2 / 2 - ((at - wrong) / width) ** 2 / 2
        rising = np.maximum.accumulate(1 / (1 + np.exp(-np.clip(odds, -60, 60))))
        return np.asarray(np.interp(margins, at, rising, left=0.0), np.float32)


@dataclass(frozen=True, slots=True)
class Fit:
    """How every row (a picture, an item) fits its own words, and what would fit better."""

    own: Matrix  # (r,) in standard deviations over all pictures with all words
    best: Matrix  # (r,) of the best other words
    other: Ids  # (r,) which those are
    margin: Matrix  # (r,) how much better others fit
    suspicion: Matrix  # (r,) 0-1
    noticed: float  # share of planted mistakes whose suspicion is LISTED at least


def fit_texts(
    pictures: Matrix,
    owner: Ids,
    texts: Matrix,
    *,
    seed: int,
    tell: Callable[[int, int], None] = lambda done, total: None,
) -> Fit:
    """Pictures (p, dim) against the texts (n, dim) of their items; `owner` (p,) says whose picture it is.

    Two scores are added, each in its own standard deviations: the encoder's cosine, without what a picture has in
    common with all texts and a text with all pictures; and the likeness of the text to the one that a ridge regression
    expects of the picture, fitted on all items but this one. A margin is the mean of the best other text for this
    picture and the best other picture for this text, less their own score. Texts that say the same are no others.
    """
    left, right = _sides(pictures, owner, texts)
    centred = _unit(texts - texts.mean(0))
    own = np.einsum("pd,pd->p", left, right[owner])  # (p,)
    best, other = np.empty(len(left), np.float32), np.empty(len(left), np.int64)
    nearest = np.full(len(texts), -np.inf, np.float32)  # (n,) the best picture of another item
    for at in range(0, len(left), _BLOCK):
        rows = slice(at, at + _BLOCK)
        scores = left[rows] @ right.T  # (b, d) @ (d, n) -> (b, n)
        scores[centred[owner[rows]] @ centred.T > ALIKE] = -np.inf
        scores[np.arange(len(scores)), owner[rows]] = -np.inf
        other[rows], best[rows] = scores.argmax(1), scores.max(1)
        np.maximum(nearest, scores.max(0), out=nearest)
        tell(min(at + _BLOCK, len(left)), len(left))
    ownest = np.full(len(texts), -np.inf, np.float32)
    np.maximum.at(ownest, owner, own)
    drawn = np.random.default_rng(seed).integers(1, len(texts), len(left))
    wrong = (owner + drawn) % len(texts)  # (p,) the words of another item
    wrong = np.where(np.einsum("pd,pd->p", centred[owner], centred[wrong]) > ALIKE, -1, wrong)
    recorded = _margin(own, best, nearest[owner])
    planted = _margin(
        np.einsum("pd,pd->p", left, right[wrong]), np.maximum(best, own), np.maximum(nearest, ownest)[wrong]
    )[wrong >= 0]
    return _judged(own, best, other, recorded, planted)


def fit_values(features: Matrix, values: NDArray[np.bool_], named: Matrix | None, *, seed: int) -> Fit:
    """Items (n, f) against the values (n, v) they have, one at least; `named` (n, v): the encoder's score of the names.

    What is expected of an item is a ridge regression's on all others.
    """
    target = values / values.sum(1, keepdims=True)
    scores = left_out(features, target.astype(np.float32))  # (n, v)
    if named is not None:
        scores = scores + NAMED * named / named.std()
    scores = (scores / scores.std()).astype(np.float32)
    count = np.arange(len(scores))
    own = np.where(values, scores, -np.inf).max(1)
    others = np.where(values, -np.inf, scores)
    best, other = others.max(1), others.argmax(1)
    drawn = np.random.default_rng(seed).random(scores.shape)
    wrong = np.where(values, -1.0, drawn).argmax(1)  # (n,) a value that the item has not
    taken = scores.copy()
    taken[count, wrong] = -np.inf
    planted = taken.max(1) - scores[count, wrong]
    return _judged(own, best, other, best - own, planted)


def left_out(features: Matrix, target: Matrix, asked: Matrix | None = None, owner: Ids | None = None) -> Matrix:
    """What a ridge regression expects of each row when it has learnt from all rows but that one, in closed form.

    `asked` (p, f) are other features of the rows `owner` (p,), by default the rows themselves. Allen's PRESS (1974):
    leaving row i out takes A x_i (y_i - ŷ_i) / (1 - h_i) from the map, A being the inverse of the regularised moments.
    """
    x = np.hstack([features, np.ones((len(features), 1), np.float32)]).astype(np.float64)
    inverse = np.linalg.inv(x.T @ x + RIDGE * len(x) * np.eye(x.shape[1]))
    found = inverse @ (x.T @ target)  # (f, t)
    gone = x @ inverse  # (n, f)
    leverage = np.einsum("nf,nf->n", gone, x)
    change = (target - x @ found) / (1 - leverage)[:, None]  # (n, t)
    if asked is None or owner is None:
        return np.asarray(x @ found - leverage[:, None] * change, np.float32)
    z = np.hstack([asked, np.ones((len(asked), 1), np.float32)]).astype(np.float64)
    share = np.einsum("pf,pf->p", z, gone[owner])
    return np.asarray(z @ found - share[:, None] * change[owner], np.float32)


def scaled(rows: Matrix) -> Matrix:
    """Rows around zero, of unit length on average."""
    centred = rows - rows.mean(0)
    return np.asarray(centred / (np.sqrt((centred**2).sum(1).mean()) + 1e-9), np.float32)


def centred_scores(pictures: Matrix, texts: Matrix) -> Matrix:
    """(p, n) cosines, less what a picture has in common with all texts and a text with all pictures, evenly spread."""
    left, right = _evened(pictures, texts)
    return left @ right.T


def _sides(pictures: Matrix, owner: Ids, texts: Matrix) -> tuple[Matrix, Matrix]:
    """Vectors of pictures and of texts whose products are the scores: both kinds side by side, in one product."""
    means = np.zeros_like(texts)
    np.add.at(means, owner, pictures)
    means /= np.maximum(np.bincount(owner, minlength=len(texts)), 1)[:, None]
    around, spread = means.mean(0), np.sqrt(((means - means.mean(0)) ** 2).sum(1).mean()) + 1e-9
    expected = left_out((means - around) / spread, texts - texts.mean(0), (pictures - around) / spread, owner)
    first = _evened(pictures, texts)
    second = _evened(_unit(expected), _unit(texts - texts.mean(0)))
    return np.hstack([first[0] / _spread(*first), second[0] / _spread(*second)]) / np.sqrt(
        2, dtype=np.float32
    ), np.hstack([first[1], second[1]])


def _evened(left: Matrix, right: Matrix) -> tuple[Matrix, Matrix]:
    """Both around zero, each row divided by the root of the spread of its scores: centring the vectors centres the
    scores, for <a - A, b - B> = <a, b> - <a, B> - <A, b> + <A, B>."""
    a, b = left - left.mean(0), right - right.mean(0)
    rows = np.sqrt(np.einsum("pd,de,pe->p", a, b.T @ b / len(b), a, optimize=True))
    columns = np.sqrt(np.einsum("nd,de,ne->n", b, a.T @ a / len(a), b, optimize=True))
    return a / np.sqrt(rows + 1e-9)[:, None], b / np.sqrt(columns + 1e-9)[:, None]


def _spread(a: Matrix, b: Matrix) -> float:
    """Standard deviation of all products of the rows of both."""
    return float(np.sqrt(np.trace((a.T @ a / len(a)) @ (b.T @ b / len(b))))) + 1e-9


def _margin(own: Matrix, best: Matrix, nearest: Matrix) -> Matrix:
    known = np.where(np.isfinite(nearest), nearest, best)
    return np.asarray(np.where(np.isfinite(best), (best + known) / 2 - own, -own), np.float32)


def _judged(own: Matrix, best: Matrix, other: Ids, recorded: Matrix, planted: Matrix) -> Fit:
    calibration = Calibration.of(recorded, planted)
    noticed = float((calibration.suspicion(planted) >= LISTED).mean()) if len(planted) else 0.0
    return Fit(own, best, other, recorded, calibration.suspicion(recorded), noticed)


def _middle(margins: Matrix, weights: NDArray[Any], *, above: bool) -> tuple[float, float]:
    """Median, and the deviation of the normal curve that a tenth lies as far above (or below) of."""
    if not len(margins):
        return 0.0, 1.0
    middle, far = _quantile(margins, weights, 0.5), _quantile(margins, weights, 0.9 if above else 0.1)
    return middle, max(abs(far - middle) / 1.2816, 1e-3)


def _quantile(values: Matrix, weights: NDArray[Any], share: float) -> float:
    """The value below which this share of the weight lies, each value in the middle of its own."""
    order = np.argsort(values)
    weight = weights[order].astype(np.float64)
    return float(np.interp(share * weight.sum(), np.cumsum(weight) - weight / 2, values[order]))


def _unit(rows: Any) -> Matrix:
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9), np.float32)
