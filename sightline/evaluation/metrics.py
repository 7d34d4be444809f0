"""Retrieval metrics by trec_eval (package pytrec-eval-terrier), their bootstrap intervals, and paired differences.

Defines no metric of its own; knows ids, not items.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from sightline.errors import InputError, MissingExtra

Judged: TypeAlias = Mapping[str, Mapping[str, int] | Collection[str]]  # query -> relevant ids, perhaps with grades >= 1
Values: TypeAlias = Mapping[str, NDArray[np.float64]]  # measure -> one value a query, in one order of queries

CUT = {"success": "success", "recall": "recall", "precision": "P", "ndcg": "ndcg_cut"}  # ours -> trec_eval's
WHOLE = {"mrr": "recip_rank", "map": "map"}  # over the whole ranking
RESAMPLES = 2000  # of the bootstrap
_AT_A_TIME = 100  # resamples held in memory


@dataclass(frozen=True, slots=True)
class Score:
    """A mean over queries with its 95 % bootstrap interval."""

    mean: float
    low: float
    high: float
    n: int  # queries

    def __str__(self) -> str:
        return f"{self.mean:.3f} [{self.low:.3f}, {self.high:.3f}]"


@dataclass(frozen=True, slots=True)
class Difference(Score):
    """The mean over queries of (second - first), with its 95 % paired bootstrap interval."""

    @property
    def real(self) -> bool:
        """Whether the interval leaves out 0."""
        return self.low > 0 or self.high < 0


def score(
    ranked: Mapping[str, Sequence[str]], judged: Judged, measures: Sequence[str], *, seed: int = 0
) -> dict[str, Score]:
    """Each of `measures` over all judged queries: `by_query`, then `mean`."""
    return mean(by_query(ranked, judged, measures), seed=seed)


def by_query(
    ranked: Mapping[str, Sequence[str]], judged: Judged, measures: Sequence[str]
) -> dict[str, NDArray[np.float64]]:
    """measure -> (q,) values, one a judged query, in their order.

    Measures: "success@5", "recall@10", "precision@10", "ndcg@10", "mrr", "map". `ranked` holds ids best first; a judged
    query without a ranking counts as 0. success@k is what image-text benchmarks call R@k: 1 with a right answer among
    the first k. mrr and map see no further than the ranking given.
    Raises InputError for an unknown measure or nothing judged, MissingExtra without the package.
    """
    if not judged:
        raise InputError("no query is judged: there is nothing to measure")
    named = {measure: _trec_name(measure) for measure in measures}
    try:
        from pytrec_eval import RelevanceEvaluator
    except ImportError as exc:
        raise MissingExtra("pytrec-eval-terrier", "eval") from exc
    grades = {query: dict(ids) if isinstance(ids, Mapping) else dict.fromkeys(ids, 1) for query, ids in judged.items()}
    evaluator = RelevanceEvaluator(grades, {name for name, _ in named.values()})
    # trec_eval orders by score and breaks ties by id: give it falling scores, so that the order is ours.
    falling = {
        query: {item: float(len(ids) - place) for place, item in enumerate(ids)} for query, ids in ranked.items()
    }
    found = evaluator.evaluate(falling)
    return {
        measure: np.asarray([found.get(query, {}).get(key, 0.0) for query in judged], dtype=np.float64)
        for measure, (_, key) in named.items()
    }


def mean(values: Values, *, groups: Sequence[str] | None = None, seed: int = 0) -> dict[str, Score]:
    """Each measure's mean over queries. Queries of one group (the captions of one photo) are drawn together."""
    return {
        name: Score(float(values[name].mean()), low, high, len(values[name]))
        for name, (low, high) in _intervals(values, groups, seed).items()
    }


def compared(
    first: Values, second: Values, *, groups: Sequence[str] | None = None, seed: int = 0
) -> dict[str, Difference]:
    """Each measure's mean of (second - first) over the same queries, resampled in pairs."""
    gained = {name: second[name] - first[name] for name in first}
    return {
        name: Difference(float(gained[name].mean()), low, high, len(gained[name]))
        for name, (low, high) in _intervals(gained, groups, seed).items()
    }


def _trec_name(measure: str) -> tuple[str, str]:
    """What to ask trec_eval for, and the key under which it answers: "ndcg@10" -> ("ndcg_cut.10", "ndcg_cut_10")."""
    if measure in WHOLE:
        return WHOLE[measure], WHOLE[measure]
    name, _, cut = measure.partition("@")
    if name not in CUT or not cut.isdigit() or int(cut) < 1:
        raise InputError(
            f"unknown measure {measure!r}: name one of {', '.join(CUT)} with a depth, as in ndcg@10, "
            f"or one of {', '.join(WHOLE)}"
        )
    return f"{CUT[name]}.{int(cut)}", f"{CUT[name]}_{int(cut)}"


def _intervals(values: Values, groups: Sequence[str] | None, seed: int) -> dict[str, tuple[float, float]]:
    """The 2.5th and 97.5th percentile of the mean when groups are drawn anew, with the same draws for every measure."""
    rows = np.stack(list(values.values()), axis=1)  # (q, m)
    named = range(len(rows)) if groups is None else groups
    places = {group: at for at, group in enumerate(dict.fromkeys(named))}  # by appearance: names do not matter
    owner = np.asarray([places[group] for group in named])
    sizes = np.bincount(owner)  # (g,)
    sums = np.zeros((len(sizes), rows.shape[1]))
    np.add.at(sums, owner, rows)
    rng = np.random.default_rng(seed)
    means = []
    for _ in range(0, RESAMPLES, _AT_A_TIME):
        draws = rng.integers(len(sizes), size=(_AT_A_TIME, len(sizes)), dtype=np.int32)
        times = np.stack([np.bincount(draw, minlength=len(sizes)) for draw in draws]).astype(np.float64)  # (r, g)
        means.append(times @ sums / (times @ sizes)[:, None])  # (r, g) @ (g, m) -> (r, m)
    low, high = np.percentile(np.concatenate(means), [2.5, 97.5], axis=0)
    return {name: (float(low[at]), float(high[at])) for at, name in enumerate(values)}
