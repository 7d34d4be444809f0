"""What the fit learns, what it leaves alone, and that it does the same thing twice."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sightline.adaptation import fitting
from sightline.adaptation.fitting import Examples, fit, kept
from sightline.adaptation.judging import judge
from sightline.adaptation.pairs import _excused
from sightline.encoders.adapter import unit
from tests.adaptation.planted import DIM, planted, unrelated


def test_equal_pairs_and_seed_give_equal_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    examples = planted(20, each=4)
    monkeypatch.setattr(fitting, "BATCH", 32)  # chance plays a part
    first = fit(examples, seed=3)
    np.testing.assert_array_equal(first, fit(examples, seed=3))
    assert np.abs(first - fit(examples, seed=4)).max() > 1e-4


def test_where_there_is_one_answer_there_is_nothing_to_learn() -> None:
    examples = planted(1, each=40)
    np.testing.assert_allclose(fit(examples), np.eye(DIM), atol=0.03)  # rounding, and no more


def test_what_is_left_out_is_not_learnt_from() -> None:
    examples = planted()
    some = [ids if at < 60 else ids[:0] for at, ids in enumerate(examples.right)]
    spoilt = replace(examples, queries=np.concatenate([examples.queries[:60], unrelated(60).queries]))
    np.testing.assert_array_equal(fit(examples, which=some), fit(spoilt, which=some))


@pytest.mark.parametrize("seed", range(3))
def test_neighbours_stay_neighbours(seed: int) -> None:
    examples = unrelated(200, seed=seed)
    made = fit(examples)
    assert kept(made, examples.queries) >= 0.6
    assert kept(np.eye(DIM, dtype=np.float32), examples.queries) == 1.0


def test_keeping_neighbours_is_what_keeps_them(monkeypatch: pytest.MonkeyPatch) -> None:
    examples = planted(60, turn=1.0)
    with_it = kept(fit(examples), examples.queries)
    monkeypatch.setattr(fitting, "KEEP", 0.0)
    assert kept(fit(examples), examples.queries) < with_it - 0.05


def test_many_answers_are_learnt_from_a_part_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fitting, "ROWS", 64)
    monkeypatch.setattr(fitting, "BATCH", 32)
    examples = planted(200, each=3, turn=1.0)
    gain, _ = judge(examples)
    assert gain.low > 0


def test_answers_of_queries_with_an_answer_in_common_are_no_mistakes() -> None:
    right = [np.array([0, 1]), np.array([1, 2]), np.array([3]), np.array([3, 4])]
    sort = np.array(["image", "image", "image", "image", "image", "text"])
    found = [ids.tolist() for ids in _excused(right, sort)]
    assert found == [[0, 1, 2, 5], [0, 1, 2, 5], [3, 4, 5], [3, 4, 5]]


def test_a_right_answer_never_counts_against_its_twin() -> None:
    """Two pictures of one product, one label: pulling one nearer must not push the other off."""
    rng = np.random.default_rng(1)
    answers = unit(rng.standard_normal((40, DIM)).astype(np.float32))
    queries = unit(rng.standard_normal((20, DIM)).astype(np.float32))
    right = tuple(np.array([2 * at]) for at in range(20))
    twins = tuple(np.array([2 * at, 2 * at + 1]) for at in range(20))
    one = Examples(queries, answers, np.arange(40), right, right)
    excused = replace(one, right=twins, excused=twins)
    some = [ids[:1] for ids in twins]
    rows = [fit(one), fit(excused, which=some)]
    np.testing.assert_array_equal(rows[0], rows[1])  # the twin is in neither fit: it was not taught
    assert np.abs(fit(excused) - rows[0]).max() > 1e-3
