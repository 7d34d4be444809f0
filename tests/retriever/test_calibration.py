"""From evidence to probability: what raises it, what lowers it, and that it is what a library would fit."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retriever.background import Background, Cloud, background_of
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
from retriever.evidence import Evidence, Sought, Source
from sightline.errors import InputError
from sightline.types import Modality

CLOUD = Cloud(np.asarray([0.1, 0.0]), np.asarray([[0.1, 0.0]]), 0.0)
BACKGROUND = Background({"image": (0.1, 0.1), "text": (0.1, 0.1)}, {"image": (0.2, 0.1), "text": (0.3, 0.1)}, CLOUD)


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
    assert nothing < 0.1 < like < 0.5 < min(said, named)
    denied = told.answered(replace(seen(0.6, 0.8, 0.6, 0.6, 1), denied={"a": 0.4}))
    undenied = told.answered(seen(0.6, 0.8, 0.6, 0.6, 1))
    assert denied is not None
    assert undenied is not None
    assert denied < 0.5 * undenied


@pytest.mark.parametrize("sight", ["image", "image words", "text words", "image text words"])
def test_every_sight_has_coefficients_of_its_width(sight: str) -> None:
    kinds = [kind for kind in ("image", "text") if kind in sight]
    evidence = Evidence({kind: {"a": 0.5} for kind in kinds}, {"a": 1.0} if "words" in sight else None)  # type: ignore[misc]
    answers, hits = priors()
    assert sight_of(evidence) == sight
    assert len(features(evidence, BACKGROUND)) == len(answers[sight].mean) == len(answers[sight].precision)
    assert len(gap_features(evidence, BACKGROUND, 0.5, "a", 1)) == len(hits[sight].mean)


VECTOR = np.asarray([1.0, 0.0], np.float32)
SHOWN: dict[str, dict[Modality, dict[Source, float]]] = {
    "picture: image": {"image": {"picture": 1.0}},
    "picture: text": {"text": {"picture": 1.0}},
    "mixture: image": {"image": {"picture": 0.5, "words": 0.5}},
    "mixture: text": {"text": {"picture": 0.5, "words": 0.5}},
    "item: text": {"text": {"item": 1.0}},
}


def shows(sight: str, cosine: float) -> Evidence:
    sought = {kind: Sought(shares, VECTOR) for kind, shares in SHOWN[sight].items()}
    return Evidence({kind: {"a": cosine, "b": cosine - 0.2} for kind in sought}, sought=sought)


@pytest.mark.parametrize("sight", SHOWN)
def test_the_nearer_what_is_shown_the_likelier_an_answer(sight: str) -> None:
    assert sight_of(shows(sight, 0.5)) == sight
    told = [shipped().answered(shows(sight, cosine)) or 0.0 for cosine in (0.0, 0.3, 0.6, 0.9)]
    assert told == sorted(told)
    assert told[-1] > 0.5 > told[0]
    first, second, unseen = shipped().relevance(shows(sight, 0.8), ["a", "b", "c"])
    assert 1 > first > second >= unseen > 0


def test_the_very_picture_is_certain_and_nothing_else_is() -> None:
    evidence = shows("picture: image", 1.0)
    assert shipped().answered(evidence) == 1.0
    first, second = shipped().relevance(evidence, ["a", "b"])
    assert (first, second < 1) == (1.0, True)
    assert shipped().reasons(evidence) == []
    assert shipped().reasons_of(evidence, "a", 1) == []
    assert shipped().reasons_of(evidence, "b", 2) != []


def test_where_some_have_no_picture_each_is_judged_by_what_it_has() -> None:
    some = replace(shipped(), pictured="some")
    sought: dict[Modality, Sought] = {kind: Sought({"picture": 1.0}, VECTOR) for kind in ("image", "text")}
    both = Evidence({"image": {"a": 0.1}, "text": {"b": 0.8}}, sought=sought)
    pictures, texts = Evidence({"image": {"a": 0.1}}, sought=sought), Evidence({"text": {"b": 0.8}}, sought=sought)
    assert some.answered(both) == max(some.answered(pictures) or 0, some.answered(texts) or 0)
    assert some.relevance(both, ["a"]) == some.relevance(pictures, ["a"])
    assert some.relevance(both, ["a", "b"])[1] == some.relevance(texts, ["a", "b"])[1]


def test_where_all_have_both_pictures_and_texts_count_half() -> None:
    sought: dict[Modality, Sought] = {kind: Sought({"picture": 1.0}, VECTOR) for kind in ("image", "text")}
    image, text = {"image": {"a": 0.6}}, {"text": {"a": 0.5}}
    both = Evidence({"image": {"a": 0.6}, "text": {"a": 0.5}}, sought=sought)
    apart = [shipped().answered(Evidence(one, sought=sought)) for one in (image, text)]  # type: ignore[arg-type]
    odds = [math.log(p / (1 - p)) for p in apart if p is not None]
    told = shipped().answered(both)
    assert told is not None
    assert math.log(told / (1 - told)) == pytest.approx(sum(odds) / 2)
    assert sum(reason.added for reason in shipped().reasons(both)) == pytest.approx(sum(odds) / 2)
    (hit,) = shipped().relevance(both, ["a"])
    added = sum(reason.added for reason in shipped().reasons_of(both, "a", 1))
    assert math.log(hit / (1 - hit)) == pytest.approx(added)


def test_of_what_has_no_usual_distance_nothing_is_told() -> None:
    unknown = replace(shipped(), background=Background(BACKGROUND.words))
    assert all(unknown.answered(shows(sight, 0.5)) is None for sight in SHOWN)
    with pytest.raises(InputError, match="nothing is known"):
        unknown.relevance(shows("picture: image", 1.0), ["a"])


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
    assert LEAST["picture"] < LEAST["name"]  # how fine a kind is meant, nobody says


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
