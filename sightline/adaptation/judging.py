"""Judges a way of fitting on pairs it did not learn from, and says whether the map may be installed.

Needs no metrics library, for the base install has none: a pair has one right answer, and its nDCG@10 is
1 / log2(1 + place). Knows vectors and pairs only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline.adaptation.fitting import Examples, Ids, fit, flags
from sightline.encoders.adapter import unit
from sightline.types import Modality, Vectors

FOLDS = 5
MOST_PAIRS = 5000  # above it one fold is judged instead of five: there are enough pairs in it
RESAMPLES = 2000  # of the bootstrap
LEAST_GAIN = 0.02  # of nDCG@10: for less it is not worth moving every query
MOST_LOSS = 0.05  # of nDCG@10 on things unseen: more of it must be ruled out by the interval
LEAST_UNITS = 20  # that are held out one by one: from fewer an interval says nothing
SAME = 0.98  # cosine from which two queries for one answer are one question spelt twice
LEAST_KEPT = 0.5  # of the neighbours: below it the map is no small one
_AT_ONCE = 512  # queries ranked at a time


@dataclass(frozen=True, slots=True)
class Gain:
    """nDCG@10 and success@1/10 over `pairs` that were held out, before and after; the 95 % interval of the nDCG gain.

    Paired bootstrap over groups of pairs that share a query or an answer.
    """

    pairs: int
    before: float
    after: float
    low: float
    high: float
    success_1: tuple[float, float]
    success_10: tuple[float, float]
    units: int  # of what was held out together, one by one: spellings of one question are one

    def to_json(self) -> dict[str, Any]:
        return {name: _rounded(value) for name, value in asdict(self).items()}

    def __str__(self) -> str:
        first, ten = (f"{100 * a:.0f} → {100 * b:.0f} %" for a, b in (self.success_1, self.success_10))
        return (
            f"nDCG@10 {self.before:.3f} → {self.after:.3f} ({self.after - self.before:+.3f} "
            f"[{self.low:+.3f}, {self.high:+.3f}]), first {first}, among ten {ten}, {self.pairs:,} pairs held out"
        )


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found out about the queries of one modality, and whether their map goes in.

    `asked_anew`: other queries for answers that were learnt from, where there is more than one query an answer (else it
    is `unseen`'s figure). `unseen`: queries for answers of which nothing was learnt; None where all hang together.
    """

    kind: str  # "text" or "image": what asks
    asked_anew: Gain
    unseen: Gain | None
    kept: float  # share of the ten nearest other queries that still are
    closed: bool = False  # queries ask only for what pairs speak of: what gets worse beside it is no reason

    @property
    def reason(self) -> str | None:
        """Why not, or None."""
        if self.asked_anew.units < LEAST_UNITS:
            return (
                f"only {self.asked_anew.units} pairs say different things: from fewer than {LEAST_UNITS} none is proven"
            )
        if self.asked_anew.low <= 0:
            return "no gain is proven on pairs held out (its interval reaches 0 or below)"
        if self.asked_anew.after - self.asked_anew.before < LEAST_GAIN:
            return f"the gain is below {LEAST_GAIN}: too little to move every query for"
        if spoilt := self._spoilt():
            return f"what no pair speaks of {spoilt} (--closed: nothing else is asked for)"
        if self.kept < LEAST_KEPT:
            return f"only {self.kept:.0%} of the neighbours stay neighbours (at least {LEAST_KEPT:.0%} must)"
        return None

    def _spoilt(self) -> str | None:
        """What becomes of things unseen, where that is a reason against the map: it must be shown to do no harm."""
        if self.closed or self.unseen is None or self.unseen is self.asked_anew:
            return None
        if self.unseen.high < 0 or self.unseen.before - self.unseen.after > LEAST_GAIN:
            return "gets worse"
        return f"may get worse by more than {MOST_LOSS}" if self.unseen.low < -MOST_LOSS else None

    @property
    def good(self) -> bool:
        return self.reason is None

    def to_json(self) -> dict[str, Any]:
        return {
            "asks": self.kind,
            "installed": self.good,
            "reason": self.reason,
            "asked_anew": self.asked_anew.to_json(),
            "unseen": self.unseen.to_json() if self.unseen else None,
            "neighbours_kept": round(self.kept, 3),
        }


@dataclass(frozen=True, slots=True)
class _Pairs:
    """Every pair of a query and a right answer, and how they hang together."""

    query: Ids  # (p,)
    answer: Ids  # (p,)
    once: Ids  # (p,) questions or answers, of which there are more: a pair is held out with all that share it
    group: Ids  # (p,) pairs that share a query or an answer, however far round


def judge(
    examples: Examples,
    *,
    rivals: Mapping[Modality, Vectors] | None = None,
    seed: int = 0,
    tell: Callable[[int, int], None] | None = None,
) -> tuple[Gain, Gain | None]:
    """The gain for queries asked anew and for answers never learnt from, by cross-validation; see `Verdict`.

    `rivals` (n, dim) by modality are wrong for every query; answers are ranked among them, and they are never fitted
    on. `tell` is called with (fits done, fits in all).
    """
    pairs = _pairs_of(examples)
    groups, ones = int(pairs.group.max()) + 1, int(pairs.once.max()) + 1
    plans = [pairs.once] if groups == ones or groups < FOLDS else [pairs.once, pairs.group]
    folds = FOLDS if len(pairs.query) <= MOST_PAIRS else 1
    gains = []
    for number, side in enumerate(plans):
        fold = np.random.default_rng(seed).permutation(int(side.max()) + 1)[side] % FOLDS
        before, after, seen, ones_seen = [], [], [], []
        for held in range(folds):
            out = fold == held
            learnt = [pairs.answer[~out & (pairs.query == at)] for at in range(len(examples.queries))]
            made = fit(examples, which=learnt, seed=seed)
            places = _places(examples, pairs.query[out], pairs.answer[out], made, rivals or {})
            before.append(places[0])
            after.append(places[1])
            seen.append(pairs.group[out])
            ones_seen.append(pairs.once[out])
            if tell:
                tell(number * folds + held + 1, len(plans) * folds)
        owner = np.concatenate(seen)
        if len(np.unique(owner)) < LEAST_UNITS:  # nearly all hangs together: groups could not be resampled
            owner = np.concatenate(ones_seen)
        gains.append(_gain(np.concatenate(before), np.concatenate(after), owner, ones, seed))
    if len(plans) == 2:
        return gains[0], gains[1]
    return gains[0], gains[0] if groups == ones else None


def _pairs_of(examples: Examples) -> _Pairs:
    query = np.concatenate([np.full(len(ids), at) for at, ids in enumerate(examples.right)])
    answer = np.concatenate(examples.right)
    queries = np.unique(_questions(examples, query, answer)[query], return_inverse=True)[1]
    answers = np.unique(answer, return_inverse=True)[1]
    once = queries if queries.max() >= answers.max() else answers
    return _Pairs(query, answer, once, _groups(queries, answers))


def _questions(examples: Examples, query: Ids, answer: Ids) -> Ids:
    """(q,) the question of each query, from 0. Those of one spelling, and near copies for one answer, are one.

    Else a near copy of what is held out would be learnt from, and every map would look good on it.
    """
    n = len(examples.queries)
    left, right = [np.arange(n)], [np.arange(n)]
    if examples.spelling is not None:
        left.append(np.arange(n))
        right.append(n + examples.spelling)
    order = np.argsort(answer, kind="stable")
    for asking in np.split(query[order], np.flatnonzero(np.diff(answer[order])) + 1):
        for at in range(0, len(asking), _AT_ONCE):
            some = asking[at : at + _AT_ONCE]
            one, other = np.nonzero(examples.queries[some] @ examples.queries[asking].T >= SAME)
            left.append(some[one])
            right.append(asking[other])
    edges = np.concatenate(left), np.concatenate(right)
    group = _groups(*edges)
    found = np.empty(n, np.int64)
    found[edges[0]] = group
    return found


def _groups(queries: Ids, answers: Ids) -> Ids:
    """Connected components, numbered from 0: every pair takes the least number seen among those it touches."""
    group = np.arange(len(queries))
    while True:
        before = group
        for side in (queries, answers):
            least = np.full(int(side.max()) + 1, len(group))
            np.minimum.at(least, side, group)
            group = least[side]
        if np.array_equal(before, group):
            return np.unique(group, return_inverse=True)[1]


def _places(
    examples: Examples,
    query: Ids,
    answer: Ids,
    made: NDArray[np.float32],
    rivals: Mapping[Modality, Vectors],
) -> tuple[Ids, Ids]:
    """(p,) places from 1 of each held-out answer, without the map and with it; excused answers are not in its way."""
    found = []
    starts = np.flatnonzero(np.diff(examples.owner, prepend=-1))
    textual = np.zeros(len(starts), bool) if examples.textual is None else examples.textual
    for rows in (examples.queries, unit(examples.queries @ made.T)):
        places = np.empty(len(query), np.int64)
        for at in range(0, len(query), _AT_ONCE):
            asked, wanted = query[at : at + _AT_ONCE], answer[at : at + _AT_ONCE]
            scores = np.maximum.reduceat(rows[asked] @ examples.answers.T, starts, axis=1)  # (p, answers)
            own = scores[np.arange(len(asked)), wanted]
            beats = scores >= own[:, None]  # a tie counts against it
            beats[np.arange(len(asked)), wanted] = False
            beats &= ~flags([examples.excused[one] for one in asked], beats.shape[1])
            places[at : at + _AT_ONCE] = 1 + beats.sum(axis=1)
            for modality, others in rivals.items():
                like = textual[wanted] == (modality == "text")  # pictures and texts are never ranked together
                ahead = rows[asked[like]] @ others.T >= own[like, None]  # (p, n)
                places[at : at + _AT_ONCE][like] += ahead.sum(axis=1)
        found.append(places)
    return found[0], found[1]


def _gain(before: Ids, after: Ids, owner: Ids, units: int, seed: int) -> Gain:
    ndcg = [np.where(places <= 10, 1 / np.log2(1.0 + places), 0.0) for places in (before, after)]
    groups = np.unique(owner, return_inverse=True)[1]
    sums, sizes = np.bincount(groups, weights=ndcg[1] - ndcg[0]), np.bincount(groups)
    draws = np.random.default_rng(seed).integers(len(sizes), size=(RESAMPLES, len(sizes)), dtype=np.int32)
    low, high = np.percentile(sums[draws].sum(axis=1) / sizes[draws].sum(axis=1), [2.5, 97.5])
    one, ten = ((float((before <= k).mean()), float((after <= k).mean())) for k in (1, 10))
    return Gain(len(before), float(ndcg[0].mean()), float(ndcg[1].mean()), float(low), float(high), one, ten, units)


def _rounded(value: Any) -> Any:
    if isinstance(value, tuple):
        return [round(one, 4) for one in value]
    return round(value, 4) if isinstance(value, float) else value
