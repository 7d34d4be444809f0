"""The closed forms are what they stand for, planted mistakes are found, and where nothing can be told nothing is."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from sightline.catalog_check import judging
from sightline.catalog_check.judging import RIDGE, Calibration, centred_scores, fit_texts, fit_values, left_out

Matrix = NDArray[np.float32]


def unit(rows: NDArray[np.float64]) -> Matrix:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def pairs(count: int, *, dim: int = 24, noise: float = 0.3, seed: int = 0) -> tuple[Matrix, Matrix]:
    """Pictures and the texts that belong to them, around two different middles as those of an encoder are."""
    rng = np.random.default_rng(seed)
    meant = rng.normal(size=(count, dim))
    pictures = meant + noise * rng.normal(size=meant.shape) + 3 * rng.normal(size=dim)
    texts = meant + noise * rng.normal(size=meant.shape) + 3 * rng.normal(size=dim)
    return unit(pictures), unit(texts)


def refitted(x: Matrix, y: Matrix, leave: int, asked: Matrix) -> NDArray[np.float64]:
    """A ridge regression really fitted without one row, its penalty that of all."""
    wide = np.hstack([x, np.ones((len(x), 1))]).astype(np.float64)
    rest = np.arange(len(x)) != leave
    moments = wide[rest].T @ wide[rest] + RIDGE * len(x) * np.eye(wide.shape[1])
    found = np.linalg.solve(moments, wide[rest].T @ y[rest])
    return np.asarray(np.append(asked, 1) @ found)


def test_leaving_one_out_is_fitting_without_it() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(20, 6)).astype(np.float32), rng.normal(size=(20, 3)).astype(np.float32)
    asked = rng.normal(size=(30, 6)).astype(np.float32)
    owner = rng.integers(0, 20, 30)
    whole, other = left_out(x, y), left_out(x, y, asked, owner)
    for row in range(20):
        np.testing.assert_allclose(whole[row], refitted(x, y, row, x[row]), atol=1e-3)
    for row in range(30):
        np.testing.assert_allclose(other[row], refitted(x, y, int(owner[row]), asked[row]), atol=1e-3)


def test_what_all_pictures_or_all_texts_have_in_common_changes_no_score() -> None:
    pictures, texts = pairs(40)
    shift = np.linspace(-1, 1, 24, dtype=np.float32)
    scores = centred_scores(pictures, texts)
    np.testing.assert_allclose(centred_scores(pictures + shift, texts - 2 * shift), scores, atol=1e-4)
    assert np.diag(scores).mean() > 1 > abs(float(scores.mean()))


def test_many_wrong_pairs_on_record_do_not_hide_each_other() -> None:
    rng = np.random.default_rng(0)
    right, wrong = rng.normal(-2, 1, 900), rng.normal(2, 1, 100)
    planted = rng.normal(2, 1, 1000).astype(np.float32)
    calibration = Calibration.of(np.concatenate([right, wrong]).astype(np.float32), planted)
    assert abs(calibration.right[1] - 1) < 0.12  # 1.76 without the rounds
    assert (calibration.suspicion(wrong.astype(np.float32)) >= judging.LISTED).mean() > 0.75  # 0.35 without
    assert (calibration.suspicion(right.astype(np.float32)) >= judging.LISTED).mean() < 0.01


def test_swapped_pictures_are_found_and_the_text_they_belong_to_is_named() -> None:
    pictures, texts = pairs(200)
    swapped = np.arange(200)
    swapped[[3, 50, 120]] = [50, 120, 3]
    fit = fit_texts(pictures[swapped], np.arange(200), texts, seed=0)
    assert set(np.flatnonzero(fit.suspicion > 0.5)) == {3, 50, 120}
    assert fit.other[[3, 50, 120]].tolist() == [50, 120, 3]
    assert (fit.best > fit.own)[[3, 50, 120]].all()
    assert fit.noticed > 0.95


def test_one_wrong_picture_of_several_is_the_one_meant() -> None:
    pictures, texts = pairs(100)
    owner = np.repeat(np.arange(100), 2)
    rows = pictures[owner].copy()
    rows[8] = pictures[70]  # the first of item 4
    fit = fit_texts(rows, owner, texts, seed=0)
    assert fit.margin.argmax() == 8
    assert set(np.flatnonzero(fit.suspicion > 0.5)) == {8}


def test_texts_that_say_the_same_are_no_better_ones() -> None:
    pictures, texts = pairs(60)
    texts[30:] = texts[:30]
    pictures[30:] = pictures[:30]
    swapped = np.arange(60)
    swapped[[5, 35]] = [35, 5]  # no fault: both are called the same
    fit = fit_texts(pictures[swapped], np.arange(60), texts, seed=0)
    assert not (fit.suspicion > 0.5).any()


def test_where_pictures_tell_nothing_nothing_is_suspected() -> None:
    rng = np.random.default_rng(1)
    pictures, texts = unit(rng.normal(size=(150, 24))), unit(rng.normal(size=(150, 24)))
    fit = fit_texts(pictures, np.arange(150), texts, seed=0)
    assert fit.noticed < 0.1
    assert not (fit.suspicion > 0.5).any()
    values = np.eye(4, dtype=bool)[rng.integers(0, 4, 150)]
    told = fit_values(judging.scaled(pictures), values, None, seed=0)
    assert told.noticed < 0.1
    assert not (told.suspicion > 0.5).any()


@pytest.mark.parametrize("with_names", [True, False])
def test_changed_values_are_found_with_and_without_their_names(with_names: bool) -> None:
    rng = np.random.default_rng(2)
    true = rng.integers(0, 5, 200)
    middles = unit(rng.normal(size=(5, 24)))
    pictures = unit(middles[true] + 0.08 * rng.normal(size=(200, 24)))
    stated = true.copy()
    stated[[7, 90]] = (stated[[7, 90]] + 1) % 5
    named = centred_scores(pictures, middles) if with_names else None
    fit = fit_values(judging.scaled(pictures), np.eye(5, dtype=bool)[stated], named, seed=0)
    assert set(np.flatnonzero(fit.suspicion > 0.5)) == {7, 90}
    assert fit.other[[7, 90]].tolist() == true[[7, 90]].tolist()


def test_an_item_with_two_values_fits_by_the_better_one() -> None:
    rng = np.random.default_rng(3)
    true = rng.integers(0, 3, 90)
    middles = unit(rng.normal(size=(3, 16)))
    pictures = unit(middles[true] + 0.1 * rng.normal(size=(90, 16)))
    values = np.eye(3, dtype=bool)[true]
    values[0, (true[0] + 1) % 3] = True
    assert fit_values(judging.scaled(pictures), values, None, seed=0).suspicion[0] < 0.5


def test_suspicion_rises_with_the_margin_and_stays_a_probability() -> None:
    rng = np.random.default_rng(4)
    calibration = Calibration.of(rng.normal(-2, 0.5, 500).astype(np.float32), rng.normal(2, 1, 500).astype(np.float32))
    told = calibration.suspicion(np.linspace(-6, 12, 200, dtype=np.float32))
    assert (np.diff(told) >= 0).all()
    assert told[0] == 0
    assert 0.99 < told[-1] <= 1


def test_equal_input_gives_equal_output() -> None:
    pictures, texts = pairs(50)
    first, second = (fit_texts(pictures, np.arange(50), texts, seed=3) for _ in range(2))
    assert (first.suspicion == second.suspicion).all()
    assert first.noticed == second.noticed
