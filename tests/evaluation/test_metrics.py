"""Metrics against values by hand and against pytrec_eval asked directly; intervals against what they claim."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest

from tests.extras import needs

needs("pytrec_eval", extra="eval")

import pytrec_eval  # noqa: E402

from sightline.errors import InputError  # noqa: E402
from sightline.evaluation.metrics import by_query, compared, mean, score  # noqa: E402
from sightline.evaluation.report import MEASURES  # noqa: E402

TREC = {
    "success@1": "success_1",
    "success@5": "success_5",
    "success@10": "success_10",
    "recall@10": "recall_10",
    "precision@10": "P_10",
    "mrr": "recip_rank",
    "ndcg@10": "ndcg_cut_10",
    "map": "map",
}


def test_values_by_hand() -> None:
    ranked = {"boots": ["a", "b", "c", "d"], "tents": ["x", "y"]}
    judged = {"boots": {"b": 1, "d": 2}, "tents": {"y"}}
    got = score(ranked, judged, ["success@1", "success@2", "recall@2", "precision@2", "ndcg@4", "mrr", "map"])
    assert got["success@1"].mean == 0
    assert got["success@2"].mean == 1
    assert got["recall@2"].mean == pytest.approx((0.5 + 1) / 2)
    assert got["precision@2"].mean == pytest.approx(0.5)
    gained, best = 1 / math.log2(3) + 2 / math.log2(5), 2 + 1 / math.log2(3)
    assert got["ndcg@4"].mean == pytest.approx((gained / best + 1 / math.log2(3)) / 2)
    assert got["mrr"].mean == pytest.approx(0.5)
    assert got["map"].mean == pytest.approx(((1 / 2 + 2 / 4) / 2 + 1 / 2) / 2)
    assert got["ndcg@4"].n == 2


def test_every_measure_of_a_report_is_that_of_pytrec_eval() -> None:
    draw = random.Random(7)
    items = [f"d{n}" for n in range(60)]
    judged, ranked = {}, {}
    for n in range(200):
        judged[f"q{n}"] = {item: draw.choice((1, 1, 2, 3)) for item in draw.sample(items, draw.randint(1, 15))}
        ranked[f"q{n}"] = draw.sample(items, draw.randint(0, 40))
    scores = {query: {item: 1 / (1 + at) for at, item in enumerate(ids)} for query, ids in ranked.items()}
    asked = {"success.1,5,10", "recall.10", "P.10", "recip_rank", "ndcg_cut.10", "map"}
    direct = pytrec_eval.RelevanceEvaluator(judged, asked).evaluate(scores)
    ours = by_query(ranked, judged, MEASURES)
    assert set(TREC) == set(MEASURES)
    for measure, values in ours.items():
        wanted = [direct.get(query, {}).get(TREC[measure], 0.0) for query in judged]
        assert np.abs(values - wanted).max() < 1e-6
        assert mean(ours)[measure].mean == pytest.approx(float(np.mean(wanted)), abs=1e-6)


def test_the_order_given_is_the_order_scored_whatever_the_ids() -> None:
    for ids in (["z", "a"], ["a", "z"]):
        assert score({"q": ids}, {"q": {ids[0]}}, ["success@1"])["success@1"].mean == 1


def test_a_query_without_a_ranking_counts_as_nothing_found() -> None:
    got = score(
        {"found": ["a"], "empty": []}, {"found": {"a"}, "empty": {"a"}, "gone": {"a"}, "lost": {"a"}}, ["success@5"]
    )
    assert got["success@5"].mean == 0.25


def test_the_interval_holds_the_mean_and_narrows_with_more_queries() -> None:
    few, many = (
        score(
            {f"q{n}": ["a" if n % 2 else "b"] for n in range(count)},
            {f"q{n}": {"a"} for n in range(count)},
            ["success@1"],
        )
        for count in (20, 2000)
    )
    for got in (few["success@1"], many["success@1"]):
        assert got.low <= got.mean == 0.5 <= got.high
    assert many["success@1"].high - many["success@1"].low < 0.2 * (few["success@1"].high - few["success@1"].low)


def test_the_interval_of_a_share_is_that_of_the_binomial() -> None:
    values = {"success@1": np.repeat([1.0, 0.0], [300, 700])}
    got = mean(values)["success@1"]
    half = 1.96 * math.sqrt(0.3 * 0.7 / 1000)
    assert got.low == pytest.approx(0.3 - half, abs=0.004)
    assert got.high == pytest.approx(0.3 + half, abs=0.004)


def test_queries_of_one_group_are_no_more_than_one_draw() -> None:
    values = {"success@1": np.repeat([1.0, 0.0] * 50, 5)}  # 100 photos, five captions each, all right or all wrong
    groups = [f"photo-{n // 5}" for n in range(500)]
    alone, grouped = mean(values)["success@1"], mean(values, groups=groups)["success@1"]
    assert grouped.mean == alone.mean == 0.5
    assert (grouped.high - grouped.low) / (alone.high - alone.low) == pytest.approx(math.sqrt(5), rel=0.15)


def test_a_difference_is_told_by_pairs_where_means_alone_could_not() -> None:
    rng = np.random.default_rng(1)
    hard = rng.uniform(size=200)  # queries differ much more than the settings do
    first, second = {"mrr": hard * 0.9}, {"mrr": hard * 0.9 + 0.02}
    change = compared(first, second)["mrr"]
    assert change.real
    assert change.mean == pytest.approx(0.02)
    apart = (mean(first)["mrr"], mean(second)["mrr"])
    assert apart[0].high > apart[1].low  # the two intervals overlap


def test_a_difference_of_noise_is_not_told_real() -> None:
    rng = np.random.default_rng(2)
    verdicts = [
        compared({"m": rng.integers(2, size=80).astype(float)}, {"m": rng.integers(2, size=80).astype(float)})["m"].real
        for _ in range(60)
    ]
    assert sum(verdicts) <= 9  # 5 % of 60 are 3; nine or fewer in 99.8 % of cases


@pytest.mark.parametrize("measure", ["rbp", "hits@5", "ndcg@0", "ndcg@ten", "map@10"])
def test_an_unknown_measure_is_refused(measure: str) -> None:
    with pytest.raises(InputError, match="unknown measure"):
        score({"q": ["a"]}, {"q": {"a"}}, [measure])


def test_nothing_judged_is_refused() -> None:
    with pytest.raises(InputError, match="nothing to measure"):
        score({}, {}, ["ndcg@10"])
