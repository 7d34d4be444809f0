"""What is usual in a collection, and that it is no encoder's scale."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retriever.background import FEWEST, FLOOR, Background, measured
from retriever.evidence import Evidence, Sought, Source, sought
from retriever.generated import sampled
from retriever.likeness import likenesses
from retriever.terms import Aim, aim, read
from sightline.protocols import Store
from sightline.types import Like, Query, Term
from tests.retriever.colours import ColourEncoder, picture

ShelveAll: TypeAlias = Callable[[Sequence[dict[str, Any]]], None]
COLOURS = ("red", "green", "blue")
PICTURE = Sought({"picture": 1.0}, np.asarray([1.0, 0.0], np.float32))
MIXTURE = Sought({"picture": 0.5, "words": 0.5}, np.asarray([1.0, 0.0], np.float32))


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
    assert (found.words, found.centre) == ({}, ())
    assert found.nearest["image"][0] > 0


@given(st.floats(0, 0.95), st.floats(-0.5, 0.99), st.floats(0.05, 1.0))
def test_cosines_that_are_all_moved_and_stretched_alike_say_the_same(shift: float, cosine: float, far: float) -> None:
    """As for encoders of which all vectors lie in a narrow cone."""
    plain = Background({"image": (0.1, 0.2)}, {"image": (far, 0.3 * far)}, (1 - far, 0.0))
    pressed = Background(
        {"image": (shift + (1 - shift) * 0.1, (1 - shift) * 0.2)},
        {"image": ((1 - shift) * far, (1 - shift) * 0.3 * far)},
        (1 - (1 - shift) * far, 0.0),
    )
    moved = shift + (1 - shift) * cosine
    assert pressed.above("image", moved) == pytest.approx(plain.above("image", cosine))
    for one in (Evidence(sought={"image": PICTURE}), Evidence(sought={"image": MIXTURE})):
        assert pressed.near(one, "image", moved) == pytest.approx(plain.near(one, "image", cosine), abs=1e-4)
    alone = Evidence(sought={"image": PICTURE})
    assert pressed.beyond(alone, "image", moved) == pytest.approx(plain.beyond(alone, "image", cosine), abs=1e-4)
    beside_texts = Evidence(sought={"text": PICTURE})
    assert pressed.near(beside_texts, "text", moved) == pytest.approx(
        plain.near(beside_texts, "text", cosine), abs=1e-4
    )


def test_distances_count_in_usual_ones() -> None:
    found = Background({"image": (0.1, 0.2)}, {"image": (0.25, 0.1), "text": (0.4, 0.1)}, (0.2, 0.0))
    cases: list[tuple[dict[Source, float], float]] = [
        ({"picture": 1.0}, 0.25), ({"words": 1.0}, 0.9), ({"picture": 0.5, "words": 0.5}, math.sqrt(0.25 * 0.9)),
    ]  # fmt: skip
    for shares, usual in cases:
        one = Evidence(sought={"image": Sought(shares, PICTURE.vector)})
        assert found.usual(one, "image") == pytest.approx(usual)
        assert found.near(one, "image", 1 - usual) == pytest.approx(math.log(1 + FLOOR))
    beside_texts = Evidence(sought={"text": PICTURE})
    assert found.usual(beside_texts, "text") == pytest.approx(0.8, abs=1e-6)  # one less its likeness to everyday things
    of_item = Evidence(sought={"text": Sought({"item": 1.0}, PICTURE.vector)})
    assert found.usual(of_item, "text") == pytest.approx(0.4)
    assert found.beyond(of_item, "text", 0.4) == pytest.approx(2.0)
    assert found.beyond(beside_texts, "text", 0.4) is None  # a picture has no neighbours among texts
    assert found.beyond(Evidence(sought={"image": MIXTURE}), "image", 0.4) is None


def test_what_is_not_known_is_not_made_up() -> None:
    nothing = Background()
    for kind, one in (("image", PICTURE), ("image", MIXTURE), ("text", PICTURE)):
        evidence = Evidence(sought={kind: one})  # type: ignore[dict-item]
        assert nothing.usual(evidence, kind) is None  # type: ignore[arg-type]
        assert not nothing.is_same(evidence, 1.0)
        with pytest.raises(KeyError):
            nothing.near(evidence, kind, 0.5)  # type: ignore[arg-type]


def test_only_a_picture_alone_can_be_the_very_same() -> None:
    found = Background(nearest={"image": (0.25, 0.1)})
    assert found.is_same(Evidence(sought={"image": PICTURE}), 0.9999)
    assert not found.is_same(Evidence(sought={"image": PICTURE}), 0.99)
    assert not found.is_same(Evidence(sought={"image": MIXTURE}), 1.0)


def test_what_a_query_is_made_of(store: Store, shelve_all: ShelveAll, encoder: ColourEncoder) -> None:
    shelve_all([{"id": "a", "pictures": ["red tall"], "texts": ["red tall thing"]}])
    red = picture("red", "wide")

    def aims(*terms: Term) -> Aim:
        made = read(Query(terms))
        return aim(made, encoder, likenesses(made, store, encoder))[0]["image"]

    assert sought(aims(Term(red)), "image").shares == {"picture": 1.0}
    assert sought(aims(Term("red"), Term(red, 3.0)), "image").shares == {"words": 0.25, "picture": 0.75}
    assert sought(aims(Term(Like("a")), Term("blue", -1.0)), "image").shares == {"picture": 1.0}
    assert sought(aims(Term(Like("a"))), "text").shares == {"item": 1.0}
