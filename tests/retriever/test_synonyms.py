"""Other words for the words of a query: which, where, and that the list itself is in order."""

from __future__ import annotations

from importlib import resources

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retriever.synonyms import others, stem
from retriever.words import content_words


def told(text: str) -> list[set[str]]:
    return [set(some) for some in others(content_words(text))]


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("couch", {"sofa", "settee"}),
        ("Couches", {"sofa", "settee"}),
        ("pyjamas", {"pajamas", "nightwear", "sleepwear"}),
        ("television", {"tv", "telly"}),
        ("cookies", {"biscuit"}),
        ("brollies", {"umbrella"}),
    ],
)
def test_another_word_for_a_word(text: str, other: set[str]) -> None:
    assert told(text) == [other]


def test_a_name_of_two_words_is_said_by_one_and_by_a_word_in_place_of_another() -> None:
    assert told("red flower pots") == [set(), {"plant", "planter", "flowerpot"}, {"planter", "flowerpot"}]


def test_a_longer_name_goes_before_the_words_in_it() -> None:
    assert told("woollen blanket")[0] == {"wool", "woolen"}
    assert told("chest of drawers") == [{"dresser"}, {"dresser"}]
    assert told("woolly hat")[0] == {"beanie", "bobble"}  # and no "wool"


def test_what_has_no_other_name_has_none() -> None:
    assert told("zeppelin of the walrus") == [set(), set()]
    assert others(()) == ()


@pytest.mark.parametrize(
    "text",
    ["jeans", "glass", "glasses", "pump", "coach bag", "flat sheet", "alarm clock", "display", "rubber", "pop", "steps",
     "cream", "ivory", "tulip bulb", "boxer", "can opener", "fry pan", "stone", "hose", "throw", "fan", "cold drink"],
)  # fmt: skip
def test_a_word_that_names_other_things_as_well_stands_for_none(text: str) -> None:
    assert not frozenset().union(*told(text))


def test_a_word_with_a_hyphen_stands_for_none() -> None:
    """To a store it is several words, any of which would do: everything that is "friendly"."""
    assert not any("-" in word for some in told("polka dot dress") for word in some)


@pytest.mark.parametrize(
    ("one", "many"),
    [("mug", "mugs"), ("box", "boxes"), ("puppy", "puppies"), ("cookie", "cookies"), ("brush", "brushes"),
     ("torch", "torches"), ("dress", "dresses"), ("tie", "tie"), ("gas", "gas"), ("cactus", "cactus")],
)  # fmt: skip
def test_one_and_many_have_one_stem(one: str, many: str) -> None:
    assert stem(one) == stem(many)


@given(st.lists(st.text("abcdefghijklmnopqrstuvwxyz-", min_size=1, max_size=12), max_size=8))
def test_any_words_are_answered_one_by_one(words: list[str]) -> None:
    found = others(words)
    assert len(found) == len(words)
    assert not any(word in some for word, some in zip(words, found, strict=True))


def test_the_list_holds_groups_of_two_names_and_more_each_once() -> None:
    text = resources.files("retriever").joinpath("synonyms.txt").read_text(encoding="utf-8")
    groups = [[name.strip() for name in line.split(",")] for line in text.splitlines() if not line.startswith("#")]
    for names in groups:
        assert len(names) == len(set(names)) >= 2, names
        assert all(name == name.casefold() and content_words(name) for name in names), names


def test_no_name_loses_a_word_on_its_way_to_the_list() -> None:
    """A query of "tin opener" must not end as "opener"."""
    text = resources.files("retriever").joinpath("synonyms.txt").read_text(encoding="utf-8")
    for name in (name.strip() for line in text.splitlines() if not line.startswith("#") for name in line.split(",")):
        words = [word for word in name.split() if word != "of"]
        assert content_words(name) == words, name
        assert len(words) <= 3, name
