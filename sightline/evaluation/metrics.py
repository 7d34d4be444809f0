"""Retrieval metrics with confidence intervals, computed by trec_eval (package pytrec-eval-terrier).

Defines no metric of its own; knows ids, not items.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from sightline.errors import InputError, MissingExtra

Judged: TypeAlias = Mapping[str, Mapping[str, int] | Collection[str]]  # query -> relevant ids, perhaps with grades >= 1

NAMES = {"success": "success", "recall": "recall", "precision": "P", "ndcg": "ndcg_cut"}  # ours -> trec_eval's
RESAMPLES = 2000  # of the bootstrap


@dataclass(frozen=True, slots=True)
class Score:
    """A mean over queries with its 95 % bootstrap interval."""

    mean: float
    low: float
    high: float
    n: int  # queries

    def __str__(self) -> str:
        return f"{self.mean:.3f} [{self.low:.3f}, {self.high:.3f}]"


def score(ranked: Mapping[str, Sequence[str]], judged: Judged, measures: Sequence[str]) -> dict[str, Score]:
    """Each of `measures` ("success@5", "recall@10", "precision@10", "ndcg@10") over all judged queries.

    `ranked` holds ids best first. A judged query without a ranking counts as 0. success@k is what image-text
    benchmarks call R@k: the share of queries with a right answer among the first k.
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
    by_query = evaluator.evaluate(falling)
    return {
        measure: _mean([by_query.get(query, {}).get(key, 0.0) for query in judged])
        for measure, (_, key) in named.items()
    }


def _trec_name(measure: str) -> tuple[str, str]:
    """What to ask trec_eval for, and the key under which it answers: "ndcg@10" -> ("ndcg_cut.10", "ndcg_cut_10")."""
    name, _, cut = measure.partition("@")
    if name not in NAMES or not cut.isdigit() or int(cut) < 1:
        raise InputError(f"unknown measure {measure!r}: name one of {', '.join(NAMES)} with a depth, as in ndcg@10")
    return f"{NAMES[name]}.{int(cut)}", f"{NAMES[name]}_{int(cut)}"


def _mean(values: Sequence[float]) -> Score:
    scores = np.asarray(values, dtype=np.float64)
    draws = np.random.default_rng(0).integers(len(scores), size=(RESAMPLES, len(scores)), dtype=np.int32)
    low, high = np.percentile(scores[draws].mean(axis=1), [2.5, 97.5])
    return Score(float(scores.mean()), float(low), float(high), len(scores))
