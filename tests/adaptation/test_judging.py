"""The gate: it lets in what helps, nothing that chance made, and nothing that spoils the rest."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sightline.adaptation.fitting import Examples, fit, kept
from sightline.adaptation.judging import Gain, Verdict, _groups, _places, judge
from sightline.encoders.adapter import unit
from tests.adaptation.planted import DIM, planted, unrelated

GAIN = Gain(100, 0.5, 0.6, 0.02, 0.2, (0.4, 0.5), (0.8, 0.9), 100)


def test_a_turned_space_is_turned_back() -> None:
    gain, unseen = judge(planted(turn=1.0))
    assert unseen is gain  # one query an answer: whatever is held out was never seen
    assert gain.after > gain.before + 0.05
    assert gain.low > 0


@pytest.mark.parametrize("seed", range(4))
def test_pairs_by_chance_are_refused(seed: int) -> None:
    gain, unseen = judge(unrelated(seed=seed), seed=seed)
    assert not Verdict("text", gain, unseen, kept=1.0).good


def spelt(noise: float, *, numbered: bool = False) -> Examples:
    """60 questions and 60 answers without any relation; every question in three spellings."""
    rng = np.random.default_rng(5)
    asked, answers = (unit(rng.normal(size=(60, 48)).astype(np.float32)) for _ in range(2))
    queries = unit(np.repeat(asked, 3, axis=0) + rng.normal(size=(180, 48)).astype(np.float32) * np.float32(noise))
    meant = np.repeat(np.arange(60), 3)
    right = tuple(np.asarray([one]) for one in meant)
    return Examples(queries, answers, np.arange(60), right, right, meant if numbered else None)


@pytest.mark.parametrize("noise", [0.01, 0.02, 0.06])
def test_spellings_of_one_question_prove_nothing(noise: float) -> None:
    examples = spelt(noise)
    gain, unseen = judge(examples)
    assert not Verdict("text", gain, unseen, kept(fit(examples), examples.queries)).good
    if noise == 0.01:  # every copy is nearer than SAME
        assert unseen is gain
        assert gain.units == 60


def test_texts_that_are_spelt_alike_are_held_out_together() -> None:
    gain, unseen = judge(spelt(0.06, numbered=True))
    assert gain.units == 60
    assert unseen is gain
    assert gain.low <= 0


def test_the_rest_of_the_index_is_in_the_way_but_not_fitted_on() -> None:
    examples = planted(40, turn=1.0)
    rng = np.random.default_rng(0)
    others = unit(rng.standard_normal((500, DIM)).astype(np.float32))
    plain, _ = judge(examples)
    crowded, _ = judge(examples, rivals={"image": others})
    assert crowded.before < plain.before
    assert crowded.after < plain.after
    assert judge(examples, rivals={"text": others})[0] == plain  # answers here are pictures


def test_both_ways_of_holding_out_are_judged_where_answers_have_several_queries() -> None:
    told: list[tuple[int, int]] = []
    gain, unseen = judge(planted(30, each=5, turn=1.0), tell=lambda done, total: told.append((done, total)))
    assert unseen is not None
    assert unseen is not gain
    assert gain.pairs == unseen.pairs == 150
    assert told == [(n, 10) for n in range(1, 11)]


def test_what_is_reported_is_reported_again() -> None:
    examples = planted(20, each=2)
    assert judge(examples, seed=5) == judge(examples, seed=5)


@pytest.mark.parametrize(
    ("verdict", "reason"),
    [
        (Verdict("text", GAIN, None, 0.9), None),
        (Verdict("text", replace(GAIN, low=0.0), None, 0.9), "no gain is proven"),
        (Verdict("text", replace(GAIN, low=-0.1), GAIN, 0.9), "no gain is proven"),
        (Verdict("text", GAIN, replace(GAIN, low=-0.2, high=-0.01), 0.9), "no pair speaks of"),
        (Verdict("text", GAIN, replace(GAIN, low=-0.2, high=-0.01), 0.9, closed=True), None),
        (Verdict("text", GAIN, replace(GAIN, after=0.47, low=-0.1, high=0.01), 0.9), "no pair speaks of gets worse"),
        (Verdict("text", GAIN, replace(GAIN, after=0.49, low=-0.06, high=0.04), 0.9), "by more than 0.05"),
        (Verdict("text", GAIN, replace(GAIN, after=0.49, low=-0.06, high=0.04), 0.9, closed=True), None),
        (Verdict("text", GAIN, replace(GAIN, after=0.493, low=-0.035, high=0.02), 0.9), None),
        (Verdict("text", replace(GAIN, units=19), None, 0.9), "only 19 pairs say different things"),
        (Verdict("text", replace(GAIN, after=0.51, low=0.001, high=0.02), None, 0.9), "the gain is below 0.02"),
        (Verdict("text", GAIN, GAIN, 0.49), "neighbours stay neighbours"),
    ],
)
def test_reasons(verdict: Verdict, reason: str | None) -> None:
    assert verdict.good is (reason is None)
    assert reason is None or reason in (verdict.reason or "")
    assert verdict.to_json()["installed"] is verdict.good


def test_groups_are_what_hangs_together() -> None:
    queries = np.array([0, 0, 1, 2, 3, 4, 5])
    answers = np.array([0, 1, 1, 2, 3, 3, 4])
    assert _groups(queries, answers).tolist() == [0, 0, 0, 1, 2, 2, 3]
    chain = np.arange(50)
    assert set(_groups(np.repeat(chain, 2)[1:], np.repeat(chain, 2)[:-1]).tolist()) == {0}


def test_places_are_those_of_a_plain_sort() -> None:
    rng = np.random.default_rng(2)
    queries, answers = (unit(rng.standard_normal((n, DIM)).astype(np.float32)) for n in (7, 30))
    owner = np.sort(rng.permutation(np.r_[np.arange(12), rng.integers(0, 12, 18)]))
    right = tuple(rng.choice(12, 2, replace=False) for _ in range(7))
    examples = Examples(queries, answers, owner, right, right)
    query, answer = np.repeat(np.arange(7), 2), np.concatenate(right)
    before, after = _places(examples, query, answer, np.eye(DIM, dtype=np.float32), {})
    np.testing.assert_array_equal(before, after)
    for asked, wanted, place in zip(query, answer, before, strict=True):
        best = [max(float(queries[asked] @ row) for row in answers[owner == one]) for one in range(12)]
        others = [score for one, score in enumerate(best) if one not in right[asked]]
        assert place == 1 + sum(score >= best[wanted] for score in others)


def test_ties_count_against() -> None:
    rows = np.tile(np.eye(1, DIM, dtype=np.float32), (5, 1))
    right = (np.array([3]),)
    before, _ = _places(Examples(rows[:1], rows, np.arange(5), right, right), right[0] * 0, right[0], np.eye(DIM), {})  # type: ignore[arg-type]
    assert before.tolist() == [5]
