"""What is said next, read against the turn before and the hits it showed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from retriever.refining import NEW, Refined, Turn, refine
from sightline.protocols import Store
from tests.retriever.conftest import Shelve

BEFORE = Turn(query="red mug", shown=("mug-red", "mug-blue", "bag-red"))


@pytest.fixture
def shop(store: Store, shelve: Shelve) -> Store:
    for kind, dear in (("mug", 10.0), ("bag", 40.0)):
        for at, colour in enumerate(("red", "blue", "light blue")):
            shelve(
                f"{kind}-{colour}", texts=[f"{colour} {kind}"], kind=kind, colour=colour, price=dear + 5 * at, stock=at
            )
    return store


def said(text: str, shop: Store, before: Turn = BEFORE) -> Turn:
    refined = refine(text, before, store=shop)
    assert not refined.warnings
    return refined.turn


@pytest.mark.parametrize(
    "text", ["in blue", "the same but in blue", "but in blue", "same in blue.", "blue instead", "and with blue"]
)
def test_one_colour_takes_the_place_of_another(text: str, shop: Store) -> None:
    assert said(text, shop) == replace(BEFORE, query="blue mug")


def test_what_takes_no_place_joins_the_words(shop: Store) -> None:
    assert said("with a handle and a lid", shop).query == "red mug with a handle a lid"
    assert said("but for children", shop).query == "red mug for children"
    assert said("in light blue", shop).query == "light blue mug"
    assert said("in light blue", shop, replace(BEFORE, query="mug")).query == "mug in light blue"


def test_colours_are_known_where_no_field_holds_them(store: Store, shelve: Shelve) -> None:
    shelve("seen", pictures=["red tall"])
    before = Turn(query="red shoes", shown=("seen",))
    assert said("the same in blue", store, before).query == "blue shoes"
    assert said("the same in dark green", store, before).query == "dark green shoes"
    assert said("in blue", store, replace(before, query="light red shoes")).query == "blue shoes"
    assert said("the same in leather", store, before).query == "red shoes in leather"


def test_what_was_liked_for_another_colour_counts_no_more(shop: Store) -> None:
    before = replace(BEFORE, liked=("mug-red", "mug-blue"), disliked=("bag-red",))
    turn = said("in blue", shop, before)
    assert (turn.liked, turn.disliked) == (("mug-blue",), ("bag-red",))


@pytest.mark.parametrize(
    ("text", "above", "below"),
    [
        ("cheaper", "", "price < 15.0"),  # the middle of 10, 15 and 40
        ("something cheaper", "", "price < 15.0"),
        ("more expensive", "price > 15.0", ""),
        ("under 50", "", "price < 50.0"),
        ("up to 12,50 €", "", "price <= 12.5"),
        ("below $9.99", "", "price < 9.99"),
        ("at least 20 euros", "price >= 20.0", ""),
        ("over 20", "price > 20.0", ""),
        ("between 50 and 20", "price >= 20.0", "price <= 50.0"),
        ("from 20 to 50 eur", "price >= 20.0", "price <= 50.0"),
    ],
)
def test_prices_are_bounds(text: str, above: str, below: str, shop: Store) -> None:
    assert said(text, shop) == replace(BEFORE, above=above, below=below)


def test_a_new_bound_takes_the_place_of_the_one_before(shop: Store) -> None:
    assert said("under 80", shop, replace(BEFORE, below="price < 20")).below == "price < 80.0"


def test_cheaper_than_what_is_liked(shop: Store) -> None:
    assert said("cheaper", shop, replace(BEFORE, liked=("bag-blue",))).below == "price < 45.0"


def test_the_cheapest_come_first(shop: Store) -> None:
    assert said("the cheapest first", shop).sort == "price"
    assert said("most expensive", shop).sort == "-price"


def test_hits_are_named_by_their_place(shop: Store) -> None:
    for text in (
        "more like the second one",
        "like the 2nd",
        "similar to number 2",
        "I like the second",
        "more like #2",
    ):
        assert said(text, shop).liked == ("mug-blue",)
    for text in ("not the third", "nothing like the last one", "I don't like the third"):
        assert said(text, shop).disliked == ("bag-red",)
    both = said("like the first but not the third", shop)
    assert (both.liked, both.disliked) == (("mug-red",), ("bag-red",))
    assert said("not the first", shop, replace(BEFORE, liked=("mug-red",))).liked == ()


def test_what_is_not_wanted_is_kept_away(shop: Store) -> None:
    assert said("without stripes", shop).negative == ("stripes",)
    assert said("not red", shop) == replace(BEFORE, query="mug", negative=("red",))
    assert said("in red", shop, replace(BEFORE, negative=("red",))).negative == ()
    assert said("no red mug", shop).query == "red mug"  # or nothing would be asked


def test_several_things_at_once(shop: Store) -> None:
    turn = said("the same but in blue, cheaper and without stripes", shop)
    assert turn == replace(BEFORE, query="blue mug", below="price < 15.0", negative=("stripes",))


def test_what_is_not_understood_is_a_new_search_and_told(shop: Store) -> None:
    before = replace(BEFORE, liked=("mug-red",), below="price < 20")
    assert refine("show me garden chairs", before, store=shop) == Refined(Turn(query="show me garden chairs"), (NEW,))
    assert refine("a mug", Turn(), store=shop) == Refined(Turn(query="a mug"))
    assert refine("in blue", Turn(), store=shop) == Refined(Turn(query="in blue"))


def test_what_nothing_here_answers_to_is_left_out_and_told(shop: Store, store: Store) -> None:
    refined = refine("more like number 9", BEFORE, store=shop)
    assert refined == Refined(BEFORE, ("There is no hit 9 among the 3 before, so it was left out.",))
    refined = refine("cheaper", replace(BEFORE, shown=()), store=shop)
    assert refined.warnings == ("None of the hits before has a price, so it was left out.",)


def test_without_prices_there_is_no_cheaper(store: Store, shelve: Shelve) -> None:
    shelve("one", texts=["a mug"], stock=3)
    refined = refine("cheaper", Turn(query="mug", shown=("one",)), store=store)
    assert refined.warnings == ("Nothing here has a price, so it was left out.",)


def test_a_field_of_prices_is_found_by_its_name(store: Store, shelve: Shelve) -> None:
    shelve("one", texts=["a mug"], **{"Unit Price": 8.0, "price group": "a", "shipping cost": 2.0})
    assert said("cheaper", store, Turn(query="mug", shown=("one",))).below == "`Unit Price` < 8.0"


@pytest.mark.parametrize(
    "text",
    ["and " * 900 + "x", "in " * 1300, "more like " * 400, "," * 4000, "number " + "9" * 5000, "under " + "9" * 5000],
)
def test_nothing_said_is_too_odd_or_too_long(text: str, shop: Store) -> None:
    assert refine(text, BEFORE, store=shop).turn.query
    assert refine("in blue", replace(BEFORE, query=text + " red"), store=shop).turn.query


def test_a_turn_is_json(shop: Store) -> None:
    turn = replace(
        BEFORE, liked=("a",), disliked=("b",), negative=("c",), above="price > 1", below="price < 2", sort="price"
    )
    assert Turn.from_json(turn.to_json()) == turn
    assert Turn.from_json({}) == Turn()
    judged = turn.judged(liked=["b", "d"], disliked=["a"])
    assert (judged.liked, judged.disliked) == (("b", "d"), ("a",))
