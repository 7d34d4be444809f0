"""What is usual in a collection, and that it is no encoder's scale."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retriever.background import FEWEST, FLOOR, FOUND, Background, Cloud, measured
from retriever.evidence import Evidence, Sought, sought
from retriever.generated import sampled
from retriever.likeness import likenesses
from retriever.terms import Aim, aim, read
from sightline.protocols import Store
from sightline.types import Like, Modality, Query, Term
from tests.retriever.colours import ColourEncoder, picture

ShelveAll: TypeAlias = Callable[[Sequence[dict[str, Any]]], None]
COLOURS = ("red", "green", "blue")
FIRST = np.asarray([1.0, 0.0], np.float32)
PICTURE = Sought({"picture": 1.0}, FIRST)
MIXTURE = Sought({"picture": 0.5, "words": 0.5}, FIRST, 0.8)
ITEM = Sought({"item": 1.0}, FIRST)


def cloud(mean: float, spread: float) -> Cloud:
    return Cloud(np.asarray([mean, 0.0]), np.asarray([[spread, 0.0]]), 0.0)


def usual_of(store: Store, encoder: ColourEncoder) -> Background:
    return measured(store, encoder, sampled(store, np.random.default_rng(0)).items)


def test_the_nearest_is_that_of_another_item(store: Store, shelve_all: ShelveAll, encoder: ColourEncoder) -> None:
    """Two equal pictures of one item say nothing of how near items are to each other."""
    shelve_all([{"id": f"{c}-{s}", "pictures": [f"{c} {s}"] * 2} for c in COLOURS for s in ("tall", "wide")])
    rows = encoder.encode_documents([(picture(c, s),) for c in COLOURS for s in ("tall", "wide")])
    between = 1 - np.sort(rows @ rows.T, axis=1)[:, -2]  # (6,): the best after itself
    mean, spread = usual_of(store, encoder).nearest["image"]
    assert (mean, spread) == pytest.approx((float(between.mean()), float(between.std())), abs=1e-5)


def test_too_few_items_or_all_alike_have_no_usual_distance(
    store: Store, shelve_all: ShelveAll, encoder: ColourEncoder
) -> None:
    shelve_all([{"id": f"{n}", "pictures": [f"{c} tall"]} for n, c in enumerate(COLOURS)])
    assert len(COLOURS) < FEWEST
    assert usual_of(store, encoder).nearest == {}
    shelve_all([{"id": f"{n}", "pictures": ["red tall"]} for n in range(2 * FEWEST)])
    assert usual_of(store, encoder).nearest == {}


def test_an_encoder_of_pictures_alone_has_a_background_too(store: Store, shelve_all: ShelveAll) -> None:
    seeing = ColourEncoder(frozenset({"image"}))
    shelve_all([{"id": f"{c}-{s}", "pictures": [f"{c} {s}"]} for c in COLOURS for s in ("tall", "wide")])
    found = usual_of(store, seeing)
    assert (found.words, found.everyday) == ({}, None)
    assert found.nearest["image"][0] > 0


@given(st.floats(0, 0.9), st.floats(-0.5, 0.99), st.floats(0.05, 1.0))
def test_cosines_that_are_all_moved_and_stretched_alike_say_the_same(shift: float, cosine: float, far: float) -> None:
    """As for encoders of which all vectors lie in a narrow cone."""
    rest = 1 - shift

    def moved(value: float) -> float:
        return shift + rest * value

    plain = Background({"image": (0.1, 0.2)}, {"image": (far, 0.3 * far)}, cloud(0.2, 0.1))
    pressed = Background(
        {"image": (moved(0.1), rest * 0.2)},
        {"image": (rest * far, rest * 0.3 * far)},
        cloud(moved(0.2), rest * 0.1),
    )
    assert pressed.above("image", moved(cosine)) == pytest.approx(plain.above("image", cosine))
    whole = Sought(MIXTURE.shares, MIXTURE.vector, 1.0)
    for kind, one in (("image", PICTURE), ("image", whole), ("text", PICTURE), ("text", whole)):
        evidence = Evidence(sought={kind: one})  # type: ignore[dict-item]
        told = pressed.far(evidence, kind, moved(cosine))  # type: ignore[arg-type]
        assert told == pytest.approx(plain.far(evidence, kind, cosine), abs=1e-3)  # type: ignore[arg-type]


def test_how_far_is_counted_in_what_is_usual() -> None:
    found = Background({"image": (0.1, 0.2)}, {"image": (0.25, 0.1), "text": (0.4, 0.1)}, cloud(0.2, 0.1))
    alike = Evidence(sought={"image": PICTURE})
    assert found.far(alike, "image", 0.75) == pytest.approx([math.log(1 + FLOOR), 0.0])
    assert found.far(alike, "image", 0.55) == pytest.approx([math.log(1.8 + FLOOR), 2.0])
    of_item = Evidence(sought={"text": ITEM})
    assert found.far(of_item, "text", 0.4) == pytest.approx([math.log(1.5 + FLOOR), 2.0])
    beside_texts = Evidence(sought={"text": PICTURE})
    assert found.far(beside_texts, "text", 0.6) == pytest.approx([(0.2 - 0.6) / 0.2])  # by pictures' usual spread
    texts_alone = Background({}, {"text": (0.4, 0.1)}, cloud(0.2, 0.1))
    assert texts_alone.far(beside_texts, "text", 0.6) == pytest.approx([(0.2 - 0.6) / 0.1])
    mixed = Evidence(sought={"image": MIXTURE})
    expected, spread = (0.5 * (0.1 + FOUND * 0.2) + 0.5 * 0.75) / 0.8, math.hypot(0.5 * 0.2, 0.5 * 0.1) / 0.8
    assert found.far(mixed, "image", 0.5) == pytest.approx([(expected - 0.5) / spread])


def test_a_cloud_is_seen_as_its_points_are() -> None:
    drawn = np.random.default_rng(1).normal(size=(230, 12)) * np.linspace(0.1, 2, 12)
    points = (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)
    vector = points[0]
    seen = points @ vector
    assert Cloud.of(points).seen_from(vector) == pytest.approx((seen.mean(), seen.std()), abs=1e-3)


def test_what_is_not_known_is_not_made_up() -> None:
    nothing = Background()
    for kind, one in (("image", PICTURE), ("image", MIXTURE), ("text", PICTURE), ("text", ITEM)):
        evidence = Evidence(sought={kind: one})  # type: ignore[dict-item]
        assert not nothing.knows(evidence, kind)  # type: ignore[arg-type]
        assert not nothing.is_same(evidence, 1.0)


def test_survives_being_written_down() -> None:
    told = Background({"image": (0.1, 0.2)}, {"text": (0.4, 0.1)}, cloud(0.2, 0.1))
    again = Background.from_json(json.loads(json.dumps(told.to_json())))
    assert (again.words, again.nearest) == (told.words, told.nearest)
    assert again.everyday is not None
    assert again.everyday.seen_from(FIRST) == pytest.approx((0.2, 0.1))


def test_only_a_picture_alone_can_be_the_very_same() -> None:
    found = Background(nearest={"image": (0.25, 0.1)})
    assert found.is_same(Evidence(sought={"image": PICTURE}), 0.9999)
    assert not found.is_same(Evidence(sought={"image": PICTURE}), 0.99)
    assert not found.is_same(Evidence(sought={"image": MIXTURE}), 1.0)


def test_what_a_query_is_made_of(store: Store, shelve_all: ShelveAll, encoder: ColourEncoder) -> None:
    shelve_all(
        [{"id": "a", "pictures": ["red tall"], "texts": ["red tall thing"]}, {"id": "b", "pictures": ["red tall"]}]
    )
    red = picture("red", "wide")

    def aims(*terms: Term, beside: Modality = "image") -> Aim:
        made = read(Query(terms))
        return aim(made, encoder, likenesses(made, store, encoder))[0][beside]

    assert sought(aims(Term(red))).shares == {"picture": 1.0}
    assert sought(aims(Term("red"), Term(red, 3.0))).shares == {"words": 0.25, "picture": 0.75}
    assert sought(aims(Term(Like("a")), Term("blue", -1.0))).shares == {"picture": 1.0}
    assert sought(aims(Term(Like("a")), beside="text")).shares == {"item": 1.0}
    assert sought(aims(Term(Like("b")), beside="text")).shares == {"picture": 1.0}, "it has no texts"
