"""What liked and disliked items do to a search, and the probe that learns from them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

import numpy as np
import pytest

import retriever
from retriever.feedback import LEARNING, Learning, probe, turn
from retriever.reranking import Reranking
from sightline.filters import Compare
from sightline.protocols import Store
from sightline.types import Item, Query, Results, Term
from tests.retriever.colours import ColourEncoder

Find: TypeAlias = Callable[..., Results]
Shelve: TypeAlias = Callable[..., Item]
ROCCHIO = replace(LEARNING, rocchio=1.0, probe=False)
PROBE = replace(LEARNING, rocchio=0.0)
NOTHING = Learning(rocchio=0.0, probe=False)


@pytest.fixture
def find(store: Store, encoder: ColourEncoder) -> Find:
    def run(*terms: Term, k: int = 100, learning: Learning = LEARNING, **asked: object) -> Results:
        query = Query(terms, **asked)  # type: ignore[arg-type]
        return retriever.search(query, k=k, store=store, encoder=encoder, learning=learning)

    return run


@pytest.fixture
def shelf(shelve: Shelve) -> None:
    """Pictures of four kinds, four of each: a search for one colour does not tell shapes apart."""
    for colour in ("red", "blue"):
        for shape in ("tall", "wide"):
            for n in range(4):
                shelve(f"{colour}-{shape}-{n}", pictures=[f"{colour} {shape}"])


def ids(results: Results) -> list[str]:
    return [hit.id for hit in results]


@pytest.mark.usefixtures("shelf")
@pytest.mark.parametrize("learning", [LEARNING, ROCCHIO, PROBE])
def test_what_is_liked_comes_forward_within_what_was_asked(find: Find, learning: Learning) -> None:
    plain = ids(find(Term("red")))
    assert {one[:3] for one in plain[:8]} == {"red"}
    liked = ids(find(Term("red"), liked=("red-wide-0",), learning=learning))
    assert set(liked[:4]) == {f"red-wide-{n}" for n in range(4)}
    assert set(liked[4:8]) == {f"red-tall-{n}" for n in range(4)}
    assert len(liked) == 16  # what is liked is still shown


@pytest.mark.usefixtures("shelf")
@pytest.mark.parametrize("learning", [LEARNING, ROCCHIO, PROBE])
def test_what_is_disliked_goes_back_and_is_shown_no_more(find: Find, learning: Learning) -> None:
    found = ids(find(Term("red"), disliked=("red-tall-1",), learning=learning))
    assert "red-tall-1" not in found
    assert len(found) == 15
    assert set(found[:4]) == {f"red-wide-{n}" for n in range(4)}


@pytest.mark.usefixtures("shelf")
def test_nothing_learned_is_the_plain_order(find: Find) -> None:
    plain = find(Term("red"))
    assert ids(find(Term("red"), liked=("blue-wide-0",), learning=NOTHING)) == ids(plain)


@pytest.mark.usefixtures("shelf")
def test_one_judgement_does_not_overturn_what_was_asked(find: Find) -> None:
    found = ids(find(Term("red"), liked=("blue-wide-0",)))
    assert found[0].startswith("red")


@pytest.mark.usefixtures("shelf")
def test_items_that_are_gone_are_told_and_do_no_harm(find: Find) -> None:
    found = find(Term("red"), liked=("red-wide-0", "sold"), disliked=("lost",))
    assert found.warnings == ("nothing is learned from sold, lost: not in this collection",)
    assert ids(found) == ids(find(Term("red"), liked=("red-wide-0",)))


def test_items_without_vectors_and_shelves_too_small_to_learn_on_change_nothing(find: Find, shelve: Shelve) -> None:
    shelve("only-fields", note="red")
    for n, shape in enumerate(("tall", "wide")):
        shelve(f"seen-{n}", pictures=[f"red {shape}"])
    plain = ids(find(Term("red"), target="image"))
    assert ids(find(Term("red"), target="image", liked=("only-fields",))) == plain
    assert ids(find(Term("red"), target="image", liked=("seen-1",))) == plain


def test_the_background_is_of_what_passes_the_filter(find: Find, shelve: Shelve) -> None:
    for n in range(4):
        for shape in ("tall", "wide"):
            shelve(f"{shape}-{n}", pictures=[f"red {shape}"], shop="a" if n < 3 else "b")
    found = find(Term("red"), liked=("wide-3",), where=Compare("shop", "=", "a"))
    assert ids(found)[:3] == ["wide-0", "wide-1", "wide-2"]
    assert "wide-3" not in ids(found)


def test_texts_and_pictures_learn_apart(find: Find, shelve: Shelve) -> None:
    for n in range(3):
        for shape in ("tall", "wide"):
            shelve(f"picture-{shape}-{n}", pictures=[f"red {shape}"])
            shelve(f"text-{shape}-{n}", texts=[f"red {shape}"])
    found = find(Term("red"), liked=("picture-wide-0",), target="text")
    assert ids(found) == ids(find(Term("red"), target="text"))  # a picture says nothing of texts


def test_hits_that_judgements_moved_are_not_reranked(store: Store, encoder: ColourEncoder, shelve: Shelve) -> None:
    class Unasked:
        name = "unasked"

        def judge(self, query: object, hits: object) -> list[float | None]:
            raise AssertionError(query)

    shelve("one", pictures=["red"])
    query = Query((Term("red"),), liked=("one",))
    found = retriever.search(query, k=1, store=store, encoder=encoder, reranking=Reranking(Unasked()))  # type: ignore[arg-type]
    assert found.reranked is not None
    assert (found.reranked.read, found.reranked.why) == (0, "what is liked and disliked decides")


# -- the probe alone


def test_the_probe_finds_the_minimum_of_its_loss() -> None:
    rng = np.random.default_rng(0)
    seen, prior = rng.normal(size=(12, 30)), rng.normal(size=30)
    labels, counts = np.where(rng.random(12) < 0.5, 1.0, -1.0), rng.random(12) + 0.1
    found = probe(seen, labels, counts, prior=prior, reluctance=0.7)

    def loss(weights: np.ndarray) -> float:
        offsets = np.linspace(-8, 8, 16_001)  # its offset is nearly free: the best of many
        margin = labels[:, None] * ((seen @ weights)[:, None] + offsets)
        fits = counts @ np.logaddexp(0, -margin) + 0.005 * offsets**2
        return float(fits.min() + 0.35 * ((weights - prior) ** 2).sum())

    best = loss(found)
    for _ in range(50):
        assert loss(found + 0.05 * rng.normal(size=30)) > best
    assert loss(prior) > best


def test_the_probe_stays_where_it_is_the_more_reluctant_it_is() -> None:
    rng = np.random.default_rng(1)
    seen, labels, prior = rng.normal(size=(6, 8)), np.array([1.0, 1, 1, -1, -1, -1]), rng.normal(size=8)
    moved = [
        float(np.linalg.norm(probe(seen, labels, np.ones(6), prior=prior, reluctance=by) - prior))
        for by in (0.1, 1.0, 10.0, 1e6)
    ]
    assert moved == sorted(moved, reverse=True)
    assert moved[-1] < 1e-4


def test_a_direction_does_not_depend_on_the_scale_of_likenesses() -> None:
    rng = np.random.default_rng(2)
    query, background = rng.normal(size=6).astype(np.float32), rng.normal(size=(40, 6))
    liked, disliked = rng.normal(size=(2, 6)), rng.normal(size=(1, 6))

    def directed(by: float) -> np.ndarray:
        found = turn(query * np.float32(by), liked, disliked, background, LEARNING)
        return found / np.linalg.norm(found)

    assert np.allclose(directed(1.0), directed(64.0), atol=1e-5)
    flat = turn(query, liked, disliked, np.ones((5, 6)), LEARNING)
    assert np.isfinite(flat).all()


# -- what fields they share


@pytest.fixture
def catalog(shelve: Shelve) -> None:
    """Eight mugs that look the same, of two makers and of two materials."""
    for n in range(8):
        shelve(f"mug-{n}", pictures=["red"], texts=["a mug"], maker="ab"[n % 2], of=("tin", "clay")[n // 4], price=n)


@pytest.mark.usefixtures("catalog")
def test_what_shares_the_fields_of_the_liked_comes_forward(find: Find) -> None:
    found = find(Term("mug"), liked=("mug-0",), disliked=("mug-1", "mug-5"), k=8)
    assert ids(found)[0] in ("mug-0", "mug-2")
    assert set(ids(found)[:2]) == {"mug-0", "mug-2"}  # by a, of tin
    assert set(ids(found)[2:4]) == {"mug-4", "mug-6"}  # by a
    assert "fields" in found[0].via
    swapped = find(Term("mug"), liked=("mug-1", "mug-5"), disliked=("mug-0",), k=8)
    assert {one.item.fields["maker"] for one in swapped[:4]} == {"b"}


@pytest.mark.usefixtures("catalog")
def test_fields_do_not_count_among_pictures_nor_beside_chosen_channels(
    find: Find, store: Store, encoder: ColourEncoder
) -> None:
    asked = {"liked": ("mug-0",), "disliked": ("mug-1", "mug-5")}
    assert all("fields" not in hit.via for hit in find(Term("red"), target="image", **asked))
    query = Query((Term("mug"),), liked=("mug-0",), disliked=("mug-1",))
    alone = retriever.search(query, k=8, store=store, encoder=encoder, channels=["words"])
    assert {hit.via for hit in alone} == {("words",)}


@pytest.mark.usefixtures("catalog")
def test_numbers_are_no_values(find: Find) -> None:
    both = find(Term("mug"), liked=("mug-3",), k=8)
    assert ids(both).index("mug-1") < ids(both).index("mug-4")  # the maker counts, the nearer price does not


def test_more_judgements_than_are_learned_from_are_no_harm(find: Find, shelve: Shelve) -> None:
    for n in range(4):
        shelve(f"tall-{n}", pictures=["red tall"])
        shelve(f"wide-{n}", pictures=["red wide"])
    found = find(Term("red"), liked=(*(f"gone-{n}" for n in range(300)), "wide-0"))
    assert set(ids(found)[:4]) == {f"wide-{n}" for n in range(4)}
    assert found.warnings[0].count("gone-") == 99
