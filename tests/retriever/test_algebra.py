"""Items as terms, boxes' worth of pictures, exclusions, and what keeps what is not wanted away."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
import pytest

import retriever
from retriever.likeness import likenesses
from retriever.reranking import Reranking
from retriever.terms import aim, apart, read
from sightline.errors import InputError, NotFound
from sightline.filters import Compare
from sightline.protocols import Store
from sightline.types import Hit, Item, Like, PartVectors, Query, Results, Term
from tests.retriever.colours import ColourEncoder, picture

Find: TypeAlias = Callable[..., Results]
Shelve: TypeAlias = Callable[..., Item]


@pytest.fixture
def find(store: Store, encoder: ColourEncoder) -> Find:
    def run(*terms: Term, k: int = 10, where: object = None, target: object = None, exclude: object = ()) -> Results:
        asked = Query(terms, where=where, target=target, exclude=exclude)  # type: ignore[arg-type]
        return retriever.search(asked, k=k, store=store, encoder=encoder)

    return run


class Unasked:
    """A reranker that must not be asked."""

    name = "unasked"

    def judge(self, query: Query, hits: Sequence[Hit]) -> list[float | None]:
        raise AssertionError(query)


def ids(results: Results) -> list[str]:
    return [hit.id for hit in results]


# -- more like this


def test_more_like_an_item_looks_like_it_and_is_not_itself(find: Find, shelve: Shelve) -> None:
    for colour in ("red", "blue"):
        for shape in ("tall", "wide"):
            for n in range(2):
                shelve(f"{colour}-{shape}-{n}", pictures=[f"{colour} {shape}"])
    assert ids(find(Term(Like("red-tall-0"))))[0] == "red-tall-1"
    assert "red-tall-0" not in ids(find(Term(Like("red-tall-0"))))
    assert ids(find(Term(Like("red-tall-0")), Term("blue")))[0] in ("blue-tall-0", "blue-tall-1")


def test_pictures_are_compared_with_pictures_and_texts_with_texts(store: Store, shelve: Shelve) -> None:
    shelve("both", pictures=["red tall", "red wide"], texts=["blue"])
    shelve("seen", pictures=["green"])
    encoder = ColourEncoder()
    terms = read(Query((Term(Like("both")), Term(Like("seen"), -1.0))))
    known = likenesses(terms, store, encoder)
    aims, warnings = aim(terms, encoder, known)
    seen = encoder.encode_queries([(picture("red", "tall"),), (picture("red", "wide"),)]).mean(axis=0)
    assert aims["image"].wanted[0] == pytest.approx(seen / np.linalg.norm(seen), abs=1e-5)
    assert aims["text"].wanted[0] == pytest.approx(encoder.encode_queries([("blue",)])[0], abs=1e-5)
    assert aims["text"].unwanted == pytest.approx(encoder.encode_queries([(picture("green"),)]), abs=1e-5)
    assert warnings == ()


def test_what_is_unlike_an_item_comes_first(find: Find, shelve: Shelve) -> None:
    for colour in ("red", "green", "blue"):
        for n in range(4):
            shelve(f"{colour}-{n}", pictures=[f"{colour} tall"])
    shown = ids(find(Term("tall red green"), Term(Like("red-0"), -1.0), k=4))
    assert {one.partition("-")[0] for one in shown} == {"green"}


def test_several_vectors_of_a_part_stand_for_it_together(store: Store, encoder: ColourEncoder, find: Find,
                                                         shelve: Shelve) -> None:  # fmt: skip
    shelve("crops", pictures=["red tall"])
    rows = encoder.encode_documents([(picture("blue", "wide"),), (picture("blue"),)])
    store.add_vectors([PartVectors("crops#image-0", encoder.space, rows)])
    shelve("red", pictures=["red tall"])
    shelve("blue", pictures=["blue wide"])
    assert ids(find(Term(Like("crops"))))[0] == "blue"


def test_an_item_without_vectors_is_what_its_words_say(find: Find, shelve: Shelve) -> None:
    shelve("told", glaze="red", shape="tall")
    shelve("red-tall", pictures=["red tall"])
    shelve("blue-wide", pictures=["blue wide"])
    assert ids(find(Term(Like("told"))))[0] == "red-tall"


def test_an_item_that_says_and_shows_nothing_or_is_not_there_is_refused(find: Find, shelve: Shelve) -> None:
    shelve("nothing")
    shelve("red", pictures=["red"])
    with pytest.raises(InputError, match="'nothing' has no picture and no text"):
        find(Term(Like("nothing")))
    with pytest.raises(NotFound, match="'gone'"):
        find(Term("red"), Term(Like("gone"), -1.0))


def test_rerankers_are_not_asked_about_items(store: Store, encoder: ColourEncoder, shelve: Shelve) -> None:
    for n in range(3):
        shelve(f"red-{n}", pictures=["red"])
    options = {"k": 2, "store": store, "encoder": encoder}
    plain = retriever.search(Query((Term(Like("red-0")),)), **options)  # type: ignore[arg-type]
    asked = retriever.search(Query((Term(Like("red-0")),)), reranking=Reranking(Unasked()), **options)  # type: ignore[arg-type]
    assert ids(asked) == ids(plain) == ["red-1", "red-2"]
    assert asked.reranked is not None
    assert (asked.reranked.read, asked.reranked.why) == (0, "it cannot tell what an item is like")


# -- never shown


@pytest.mark.parametrize("target", [None, "image"])
def test_excluded_items_are_not_shown_even_when_they_are_named(find: Find, shelve: Shelve, target: str | None) -> None:
    for n in range(4):
        shelve(f"red-{n}", pictures=["red tall"], texts=["a red vase"], price=n)
    assert ids(find(Term("red-1"), exclude=("red-1", "not there"), target=target)) == ["red-0", "red-2", "red-3"]
    cheap = Compare("price", "<", 3)
    assert ids(find(Term("red vase"), exclude=("red-1",), where=cheap, target=target)) == ["red-0", "red-2"]


# -- what is not wanted


@pytest.mark.parametrize(
    ("wanted", "unwanted", "means"),
    [
        ("jackets", "red jacket", "red"),
        ("a red dress", "dress", "dress"),
        ("shirts", "polo shirt with a collar", "polo with a collar"),
        ("vase", "made of wood", "made of wood"),
    ],
)
def test_an_unwanted_text_is_what_it_says_beside_the_wanted_one(wanted: str, unwanted: str, means: str) -> None:
    assert apart(Term(unwanted, -1.0), wanted) == means
    assert apart(Term(unwanted, 1.0), wanted) == unwanted


def test_not_a_red_vase_of_all_vases_is_no_red_one(find: Find, shelve: Shelve) -> None:
    for n in range(6):
        shelve(f"red-{n}", pictures=["red tall"])
        shelve(f"blue-{n}", pictures=["blue tall"])
        shelve(f"none-{n}", pictures=["wide"])
    shown = ids(find(Term("tall"), Term("red tall", -1.0), k=6))
    assert all(one.startswith("blue") for one in shown)


def test_what_is_said_is_refused_by_words_and_pictures_are_believed_less(find: Find, shelve: Shelve) -> None:
    for n in range(3):
        shelve(f"said-{n}", pictures=["blue tall"], texts=["a tall red vase"])
        shelve(f"seen-{n}", pictures=["blue tall"], texts=["a tall vase"])
    shown = ids(find(Term("tall vase"), Term("red", -1.0)))
    assert {one.partition("-")[0] for one in shown[:3]} == {"seen"}
    assert {one.partition("-")[0] for one in shown[3:]} == {"said"}
