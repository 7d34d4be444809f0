"""From evidence to probability: what raises it, what lowers it, and that it is what a library would fit."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retriever.background import Background, background_of
from retriever.calibration import (
    LEAST,
    Calibration,
    Prior,
    error,
    features,
    fit,
    gap_features,
    manner,
    priors,
    sight_of,
)
from retriever.evidence import Evidence
from sightline.errors import InputError
from sightline.types import Modality

BACKGROUND = Background({"image": (0.1, 0.1), "text": (0.1, 0.1)}, {"image": 0.2, "text": 0.3}, (0.2, 0.0))


def seen(image: float, text: float, cover: float = 0.0, named: float = 0.0, known: float = 0.0) -> Evidence:
    return Evidence({"image": {"a": image}, "text": {"a": text}}, {"a": cover}, {"a": named}, known)


def shipped() -> Calibration:
    answers, hits = priors()
    return Calibration(
        "k",
        BACKGROUND,
        {sight: tuple(one.mean) for sight, one in answers.items()},
        {sight: tuple(one.mean) for sight, one in hits.items()},
    )


def test_the_more_speaks_for_it_the_likelier_an_answer() -> None:
    told = shipped()
    nothing, like, said, named = (
        told.answered(one) for one in (seen(0.2, 0.2), seen(0.6, 0.8), seen(0.6, 0.8, 1, 0, 1), seen(0.6, 0.8, 1, 1, 1))
    )
    assert nothing is not None
    assert like is not None
    assert said is not None
    assert named is not None
    assert nothing < 0.1 < like < 0.5 < said < named


@pytest.mark.parametrize("sight", ["image", "image words", "text words", "image text words"])
def test_every_sight_has_coefficients_of_its_width(sight: str) -> None:
    kinds = [kind for kind in ("image", "text") if kind in sight]
    evidence = Evidence({kind: {"a": 0.5} for kind in kinds}, {"a": 1.0} if "words" in sight else None)  # type: ignore[misc]
    answers, hits = priors()
    assert sight_of(evidence) == sight
    assert len(features(evidence, BACKGROUND)) == len(answers[sight].mean) == len(answers[sight].precision)
    assert len(gap_features(evidence, BACKGROUND, 0.5, "a", 1)) == len(hits[sight].mean)


def test_what_cannot_be_judged_is_not_judged() -> None:
    assert shipped().answered(Evidence({}, {"a": 1.0})) is None
    assert shipped().answered(Evidence()) is None


def test_where_nobody_speaks_silence_is_no_evidence() -> None:
    mute = Calibration("k", BACKGROUND, shipped().weights, shipped().gaps, described="none")
    silent, unasked = Evidence({"image": {"a": 0.5}}, {}), Evidence({"image": {"a": 0.5}})
    assert mute.answered(silent) == shipped().answered(unasked)


def test_hits_that_fall_behind_are_less_relevant() -> None:
    evidence = Evidence(
        {"image": {"a": 0.7, "b": 0.4}, "text": {"a": 0.7, "b": 0.4}}, {"a": 1.0, "b": 0.5}, {"a": 1.0}, 1.0
    )
    first, second, unseen = shipped().relevance(evidence, ["a", "b", "c"])
    assert first > 0.5 > second > unseen


def test_an_item_without_a_picture_is_not_behind_for_that() -> None:
    evidence = Evidence({"image": {"a": 0.7}, "text": {"a": 0.7, "b": 0.7}}, {"a": 1.0, "b": 1.0}, {}, 1.0)
    rows = [gap_features(evidence, BACKGROUND, 0.9, item, 1) for item in ("a", "b")]
    np.testing.assert_allclose(rows[0], rows[1])


def test_fits_what_scikit_learn_fits() -> None:
    linear = pytest.importorskip("sklearn.linear_model")
    random = np.random.default_rng(4)
    x = np.hstack([np.ones((300, 1)), random.normal(size=(300, 3))])
    y = random.random(300) < 1 / (1 + np.exp(-(x @ np.array([0.3, 1.5, -0.8, 0.0]))))
    share = random.random(300) + 0.1
    ours = fit(list(x), y.tolist(), share.tolist(), Prior(np.zeros(4), np.eye(4)))
    theirs = linear.LogisticRegression(C=1.0, fit_intercept=False, tol=1e-10, max_iter=10_000)
    np.testing.assert_allclose(ours, theirs.fit(x, y, sample_weight=share).coef_[0], atol=1e-5)


def test_without_rows_the_prior_stands_and_with_many_it_gives_way() -> None:
    prior = Prior(np.array([1.0, -2.0]), np.eye(2))
    assert fit([], [], [], prior) == (1.0, -2.0)
    rows = [np.array([1.0, float(n % 2)]) for n in range(400)]
    weights = fit(rows, [n % 2 == 1 for n in range(400)], [1.0] * 400, prior)
    assert weights[1] > 2


def test_rows_of_another_width_are_refused() -> None:
    with pytest.raises(InputError, match="3 features for a prior of 2"):
        fit([np.ones(3)], [True], [1.0], Prior(np.zeros(2), np.eye(2)))


def test_survives_being_written_down_and_another_version_does_not() -> None:
    made = Calibration(
        "k", BACKGROUND, {"image": (1.0, 2.0)}, {}, described="some", items=3, queries=4, told={"absent": 2}
    )
    assert Calibration.from_json(made.to_json()) == made
    assert Calibration.from_json(json.dumps(json.loads(made.to_json()) | {"version": 0})) is None


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("red wine glass", "name"),
        ("a submarine", "name"),
        ("SKU-1234", "name"),
        ("something to read by in bed", "description"),
        ("knife for vegetables", "description"),
        ("large green wooden garden bench", "description"),
    ],
)
def test_how_a_text_is_put(text: str, kind: str) -> None:
    assert manner(text) == kind


def test_who_describes_is_believed_sooner_than_who_names() -> None:
    assert LEAST["description"] < LEAST["name"] < 0.5


def test_expected_calibration_error() -> None:
    assert error([0.75] * 4, [True, True, True, False]) == pytest.approx(0)
    assert error([0.95, 0.95, 0.05, 0.05], [True, True, True, True]) == pytest.approx((0.05 + 0.95) / 2)


@given(st.lists(st.floats(-1, 1, width=32), max_size=30))
def test_a_background_is_a_mean_and_a_spread_or_nothing(values: list[float]) -> None:
    found = background_of([np.asarray(values, np.float32)] if values else [])
    if found is None:
        assert len(values) < 2 or np.ptp(values) < 1e-4
    else:
        assert found == pytest.approx((np.mean(values), np.std(values)), abs=1e-6)
        assert found[1] > 0
