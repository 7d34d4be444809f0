"""Queries a collection makes of itself: what they are, and that leaving out really leaves out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
import pytest

from retriever.background import measured
from retriever.calibration import LEAST, priors
from retriever.evidence import Evidence
from retriever.generated import CONCEPTS, Corpus, calibrated, concepts, made, sampled
from sightline.protocols import Store
from tests.retriever.colours import ColourEncoder

ShelveAll: TypeAlias = Callable[[Sequence[dict[str, Any]]], None]
COLOURS, SHAPES = ("red", "green", "blue"), ("tall", "wide")


@pytest.fixture(autouse=True)
def things(monkeypatch: pytest.MonkeyPatch) -> None:
    """What this encoder can tell apart at all."""
    monkeypatch.setattr("retriever.background.THINGS", ("red tall", "green wide", "blue tall", "green tall"))


def stock(shelve_all: ShelveAll) -> None:
    """24 items: each colour and shape four times, but nothing blue is tall."""
    rows = []
    for colour in COLOURS:
        for shape in SHAPES:
            if (colour, shape) != ("blue", "tall"):
                rows += [
                    {
                        "id": f"{colour}-{shape}-{n}",
                        "pictures": [f"{colour} {shape}"],
                        "texts": [f"a {colour} {shape} thing"],
                        "fields": {"title": f"{colour} {shape} thing", "colour": colour, "shape": shape, "price": n},
                    }
                    for n in range(4)
                ]
    shelve_all(rows)


def test_concepts_are_what_items_say_of_themselves(store: Store, shelve_all: ShelveAll) -> None:
    stock(shelve_all)
    drawn = sampled(store, np.random.default_rng(0))
    found = set(concepts(drawn.items, np.random.default_rng(0)))
    assert drawn.count == len(drawn.items) == 20
    assert drawn.described == "all"
    assert {"red", "tall", "red tall", "red tall thing"} <= found
    assert not any(any(char.isdigit() for char in one) for one in found)
    assert len(found) <= CONCEPTS


def test_a_concept_is_absent_once_all_that_say_it_are_left_out(
    store: Store, shelve_all: ShelveAll, encoder: ColourEncoder
) -> None:
    stock(shelve_all)
    corpus = Corpus(store, encoder)
    saying = corpus.saying_all("red tall")
    assert saying == {f"red-tall-{n}" for n in range(4)}
    (whole,), (without,) = corpus.evidences("red tall"), corpus.evidences("red tall", hidden=saying)
    assert (whole.named, whole.known) == (1.0, 1.0)
    assert without.named < 0.9
    assert without.known == 1.0  # others are red, others are tall
    assert not saying & set(without.covers or {})
    best, rest = whole.best("image"), without.best("image")
    assert best is not None
    assert rest is not None
    assert best > rest


def test_words_that_nobody_hears_are_other_words_for_the_same(
    store: Store, shelve_all: ShelveAll, encoder: ColourEncoder
) -> None:
    stock(shelve_all)
    corpus = Corpus(store, encoder)
    plain, deaf = corpus.evidences("red tall", deaf=((), (0, 1)))
    assert (deaf.cover, deaf.named, deaf.known) == (0.0, 0.0, 0.0)
    assert deaf.cosines == plain.cosines


def test_hidden_items_are_passed_over_however_many_there_are(
    store: Store, shelve_all: ShelveAll, encoder: ColourEncoder
) -> None:
    shelve_all([{"id": f"red-{n:03}", "pictures": ["red tall"]} for n in range(200)])
    shelve_all([{"id": "green", "pictures": ["green wide"]}])
    hidden = frozenset(f"red-{n:03}" for n in range(200))
    (told,) = Corpus(store, encoder).evidences("red tall", hidden=hidden)
    assert set(told.cosines["image"]) == {"green"}


def test_as_many_without_an_answer_as_with_one_and_the_same_every_time(
    store: Store, shelve_all: ShelveAll, encoder: ColourEncoder
) -> None:
    stock(shelve_all)
    runs = []
    for _ in range(2):
        random = np.random.default_rng(3)
        runs.append(list(made(Corpus(store, encoder), sampled(store, random), random)))
    assert runs[0] == runs[1]
    right = [case.right for case in runs[0]]
    assert right.count(True) == right.count(False) > 20


def test_what_is_not_there_is_told_from_what_is(store: Store, shelve_all: ShelveAll, encoder: ColourEncoder) -> None:
    stock(shelve_all)
    told = calibrated(store, encoder, key="k")
    assert told is not None
    corpus = Corpus(store, encoder)
    there = [
        told.answered(corpus.evidences(f"{colour} {shape}")[0]) or 0
        for colour, shape in (("red", "tall"), ("blue", "wide"))
    ]
    gone = told.answered(corpus.evidences("blue tall")[0])
    assert gone is not None
    assert min(there) > 0.7
    assert gone < min(there) - 0.3


def test_where_nothing_can_be_made_absent_the_prior_stands(
    store: Store, shelve_all: ShelveAll, encoder: ColourEncoder
) -> None:
    colours = [{"id": c, "pictures": [f"{c} tall"], "texts": [c], "fields": {"title": c}} for c in COLOURS]
    shelve_all(colours)
    told = calibrated(store, encoder, key="k")
    assert told is not None
    assert told.weights["image text words"] == tuple(priors()[0]["image text words"].mean)


def test_backgrounds_are_of_the_kinds_there_are(store: Store, shelve_all: ShelveAll, encoder: ColourEncoder) -> None:
    shelve_all([{"id": "a", "pictures": ["red tall"]}, {"id": "b", "pictures": ["green wide"]}])
    drawn = sampled(store, np.random.default_rng(0))
    assert set(measured(store, encoder, drawn.items).words) == {"image"}
    assert drawn.described == "none"


def test_nothing_is_learned_of_nothing(store: Store, encoder: ColourEncoder) -> None:
    assert calibrated(store, encoder, key="k") is None


def test_pictures_that_nobody_describes_are_judged_as_pictures(
    store: Store, shelve_all: ShelveAll, encoder: ColourEncoder
) -> None:
    pictures = [
        {"id": f"{c}-{n}", "pictures": [f"{c} tall"], "fields": {"sku": f"A{n}", "price": n}}
        for c in COLOURS
        for n in range(6)
    ]
    shelve_all(pictures)
    bare = calibrated(store, encoder, key="k")
    (alone,) = Corpus(store, encoder).evidences("red tall")
    shelve_all([{"id": f"doc-{n}", "texts": [f"{COLOURS[n % 3]} wide terms"]} for n in range(5)])
    mixed = calibrated(store, encoder, key="k")
    assert bare is not None
    assert mixed is not None
    assert (bare.described, mixed.described) == ("none", "some")
    (evidence,) = Corpus(store, encoder).evidences("red tall")
    pictured = Evidence({"image": evidence.cosines["image"]})
    assert bare.answered(alone) == bare.answered(pictured)
    told = mixed.answered(evidence)
    assert told is not None
    assert told >= (mixed.answered(pictured) or 0)


@pytest.mark.parametrize(
    ("texts", "english"),
    [
        (["a cup for the tea that you drink in the morning"], True),
        (["eine Tasse für den Tee am Morgen, aus Steingut und mit Henkel"], False),
        (["マグカップ"], False),
        (["red mug"], True),
    ],
)
def test_in_another_language_no_words_hold_anything_back(
    texts: list[str], english: bool, store: Store, shelve_all: ShelveAll, encoder: ColourEncoder
) -> None:
    shelve_all([{"id": f"{n}", "pictures": [f"{c} tall"], "texts": texts} for n, c in enumerate(COLOURS)])
    told = calibrated(store, encoder, key="k")
    assert told is not None
    assert (told.least == LEAST) == english
    assert english or {told.least["name"], told.least["description"]} == {0.0}
    assert told.least["picture"] == LEAST["picture"]  # which knows no language


def test_nothing_is_told_of_a_kind_of_part_that_came_later(
    store: Store, shelve_all: ShelveAll, encoder: ColourEncoder
) -> None:
    shelve_all([{"id": f"{n}", "texts": [f"{c} tall thing"], "fields": {"title": c}} for n, c in enumerate(COLOURS)])
    told = calibrated(store, encoder, key="k")
    assert told is not None
    assert set(told.background.words) == {"text"}
    shelve_all([{"id": "new", "pictures": ["red tall"], "texts": ["red tall thing"]}])
    (evidence,) = Corpus(store, encoder).evidences("red tall")
    assert "image" in evidence.cosines
    assert told.answered(evidence) is None
    again = calibrated(store, encoder, key="k")
    assert again is not None
    assert again.answered(evidence) is not None
