"""What the reranking benchmark counts: a judge that sees gains everything, a blind one nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from tests.extras import needs

needs("pytrec_eval", extra="eval")

from benchmarks import reranking  # noqa: E402
from sightline.encoders import open_encoder  # noqa: E402
from training.mllm import swaps  # noqa: E402


@pytest.fixture(scope="module")
def figures() -> dict[str, dict[str, Any]]:
    drawn = swaps.choose("test", 6)
    said = {swaps.picture(one).tobytes(): swaps.phrase(one.product) for one in drawn}

    def seeing(pictures: Sequence[np.ndarray], texts: Sequence[Sequence[str]]) -> list[np.ndarray]:
        return [np.asarray([float(said.get(seen.tobytes()) == text) for text in own])
                for seen, own in zip(pictures, texts, strict=True)]  # fmt: skip

    def wrong(pictures: Sequence[np.ndarray], texts: Sequence[Sequence[str]]) -> list[np.ndarray]:
        return [1 - own for own in seeing(pictures, texts)]

    encoder = open_encoder("starter", threads=1)
    return {name: reranking.swapped(judge, encoder, 6) for name, judge in (("seeing", seeing), ("wrong", wrong))}


def test_a_judge_that_sees_puts_every_pair_right(figures: dict[str, dict[str, Any]]) -> None:
    assert figures["seeing"]["R@1 of two"]["reranked"]["R@1"].startswith("1.000")
    assert figures["seeing"]["yes/no accuracy"] == 1.0
    assert figures["wrong"]["R@1 of two"]["reranked"]["R@1"].startswith("0.000")
    assert figures["wrong"]["yes/no accuracy"] == 0.0


def test_the_blind_stand_at_chance_and_the_first_order_is_the_encoders(figures: dict[str, dict[str, Any]]) -> None:
    assert {one["R@1 of two"]["blind"] for one in figures.values()} == {0.5}
    assert len({one["R@1 of two"]["first"]["R@1"] for one in figures.values()}) == 1


def test_names_are_said_as_the_shop_says_them() -> None:
    assert reranking.fine_name({"fine": "Granny-Smith", "coarse": "Apple"}) == "a photo of a Granny Smith apple"
    assert reranking.fine_name({"fine": "Banana", "coarse": "Banana"}) == "a photo of a Banana"
    assert reranking.coarse_name({"coarse": "Sour-Milk"}) == "a photo of sour milk"
