"""What a certificate says: kept, broken or not told, and the truth it is measured against."""

from __future__ import annotations

import numpy as np
import pytest

from sightline.certificate import LEAST_PROBES, SPARE, Certificate, K, Probes, Recall, Truth
from sightline.types import Modality, PartHit, Vectors
from tests.contracts.catalogs import unit


def measured(kind: Modality, recall: float, probes: int) -> Recall:
    return Recall(kind, recall, recall - 0.01, 1.0, probes)


def certificate(*recalls: Recall, exact: bool = False, asks: tuple[Modality, ...] = ("text", "image")) -> Certificate:
    return Certificate("faiss", "exact" if exact else "int8", "image", 5000, 0.99, recalls, exact=exact, asks=asks)


MANY, FEW = LEAST_PROBES, LEAST_PROBES - 1


@pytest.mark.parametrize(
    ("told", "holds"),
    [
        (certificate(), None),
        (certificate(measured("image", 1.0, MANY)), None),
        (certificate(measured("image", 1.0, MANY), asks=("image",)), True),
        (certificate(measured("image", 1.0, MANY), measured("text", 1.0, FEW)), None),
        (certificate(measured("image", 1.0, MANY), measured("text", 0.99, MANY)), True),
        (certificate(measured("image", 1.0, MANY), measured("text", 0.9895, MANY)), False),
        (certificate(measured("image", 0.5, 1)), False),
        (certificate(exact=True), None),
        (certificate(measured("image", 1.0, 1), exact=True), True),
        (certificate(measured("image", 0.9, 1), exact=True), False),
    ],
)
def test_a_promise_is_kept_only_where_enough_was_asked(told: Certificate, holds: bool | None) -> None:
    assert told.holds is holds
    assert told.to_json()["holds"] is holds
    assert Certificate.from_json(told.to_json()) == told


def test_a_certificate_says_what_it_rests_on() -> None:
    told = certificate(measured("image", 0.9895, FEW)).told()
    assert "text queries not measured" in told
    assert "image queries 0.9895 " in told  # not 0.990, which would look like the promise
    assert f"n={FEW}, too few)" in told
    assert "text" not in certificate(measured("image", 1.0, MANY), asks=("image",)).told()
    assert "image queries 1.000 (" in certificate(measured("image", 1.0, MANY)).told()


def test_a_certificate_of_an_earlier_version_is_read() -> None:
    told = certificate(measured("image", 1.0, MANY), measured("text", 1.0, MANY)).to_json()
    for name in ("exact", "asks", "among", "now"):
        del told[name]
    assert Certificate.from_json(told).holds is True


def answers(rows: Vectors, there: np.ndarray, vectors: Vectors, k: int) -> list[list[PartHit]]:
    """Exact search among the rows that are there."""
    best = (vectors @ rows.T).astype(float)
    best[:, ~there] = -2
    return [[PartHit(f"p{part}", "", float(row[part])) for part in np.argsort(-row)[:k]] for row in best]


def test_the_truth_forgets_what_is_gone_and_takes_what_is_new() -> None:
    rows, queries = unit(400), unit(20, seed=2)
    truth = Truth({"image": Probes.of(queries)}, most=1)
    truth.add(np.arange(300), np.arange(300), rows[:300])
    gone = np.random.default_rng(1).choice(300, 60, replace=False)
    truth.forget(gone)
    truth.add(np.arange(300, 400), np.arange(300, 400), rows[300:])
    there = np.ones(400, bool)
    there[gone] = False
    (full,) = truth.recalls(lambda vectors, k: answers(rows, there, vectors, k), {})
    assert (full.recall, full.probes) == (1.0, 20)
    old = there & (np.arange(400) < 300)  # who misses what is new finds less
    (less,) = truth.recalls(lambda vectors, k: answers(rows, old, vectors, k), {})
    assert less.recall < 0.9


def test_a_query_whose_neighbours_all_went_does_not_count() -> None:
    rows, queries = unit(400), unit(5, seed=2)
    truth = Truth({"image": Probes.of(queries)}, most=1)
    truth.add(np.arange(400), np.arange(400), rows)
    near = np.argsort(-(queries @ rows.T), axis=1)[0, : SPARE * (K + 1) - K + 1]
    assert set(near) <= set(truth.ids)
    truth.forget(near)  # of the first query fewer are left than are compared
    there = np.ones(400, bool)
    there[near] = False
    (told,) = truth.recalls(lambda vectors, k: answers(rows, there, vectors, k), {})
    assert told.probes < 5
    assert told.recall == 1.0
