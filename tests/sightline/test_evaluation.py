"""Metrics against values worked out by hand."""

from __future__ import annotations

import math

import pytest

pytest.importorskip("pytrec_eval", reason="needs the extra 'eval'")

from sightline.errors import InputError
from sightline.evaluation import score


def test_values_by_hand() -> None:
    ranked = {"boots": ["a", "b", "c", "d"], "tents": ["x", "y"]}
    judged = {"boots": {"b": 1, "d": 2}, "tents": {"y"}}
    got = score(ranked, judged, ["success@1", "success@2", "recall@2", "precision@2", "ndcg@4"])
    assert got["success@1"].mean == 0
    assert got["success@2"].mean == 1
    assert got["recall@2"].mean == pytest.approx((0.5 + 1) / 2)
    assert got["precision@2"].mean == pytest.approx(0.5)
    gained, best = 1 / math.log2(3) + 2 / math.log2(5), 2 + 1 / math.log2(3)
    assert got["ndcg@4"].mean == pytest.approx((gained / best + 1 / math.log2(3)) / 2)
    assert got["ndcg@4"].n == 2


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


@pytest.mark.parametrize("measure", ["map", "hits@5", "ndcg@0", "ndcg@ten"])
def test_an_unknown_measure_is_refused(measure: str) -> None:
    with pytest.raises(InputError, match="unknown measure"):
        score({"q": ["a"]}, {"q": {"a"}}, [measure])


def test_nothing_judged_is_refused() -> None:
    with pytest.raises(InputError, match="nothing to measure"):
        score({}, {}, ["ndcg@10"])
