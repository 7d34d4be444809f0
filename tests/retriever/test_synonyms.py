"""Other words for the words of a query: which, where, and that the list itself is in order."""

from __future__ import annotations

from importlib import resources

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retriever.synonyms import others, singular
from retriever.words import content_words


def told(text: str) -> list[set[str]]:
    return [set(some) for some in others(content_words(text))]


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("couch", {"sofa", "settee"}),
        ("Couches", {"sofa", "settee"}),
        ("pyjamas", {"pajama", "nightwear", "sleepwear"}),
        ("television", {"tv", "telly"}),
    ],
)
def test_another_word_for_a_word(text: str, other: set[str]) -> None:
    assert told(text) == [other]


def test_a_name_of_two_words_is_said_by_one_and_by_a_word_in_place_of_another() -> None:
    assert told("red flower pots") == [set(), {"plant", "planter", "flowerpot"}, {"planter", "flowerpot"}]


def test_a_longer_name_goes_before_the_words_in_it() -> None:
    assert {"wool", "woolen", "woolly"} <= told("woollen blanket")[0]
    assert "throw" in told("woollen blanket")[1]
    assert told("woolly hat")[0] == {"beanie", "bobble"}  # and no "wool"


def test_what_has_no_other_name_has_none() -> None:
    assert told("zeppelin of the walrus") == [set(), set()]
    assert others(()) == ()


def test_a_word_with_a_hyphen_stands_for_none() -> None:
    """To a store it is several words, any of which would do: everything that is "friendly"."""
    assert told("sustainable") == [set()]
    assert told("eco-friendly") == [{"sustainable"}]


@pytest.mark.parametrize(
    ("word", "one"),
    [("mugs", "mug"), ("glasses", "glass"), ("boxes", "box"), ("puppies", "puppy"), ("brushes", "brush"),
     ("torches", "torch"), ("gas", "gas"), ("dress", "dress"), ("cactus", "cactus"), ("iris", "iris")],
)  # fmt: skip
def test_the_singular(word: str, one: str) -> None:
    assert singular(word) == one


@given(st.lists(st.text("abcdefghijklmnopqrstuvwxyz-", min_size=1, max_size=12), max_size=8))
def test_any_words_are_answered_one_by_one(words: list[str]) -> None:
    found = others(words)
    assert len(found) == len(words)
    assert not any(singular(word) in some for word, some in zip(words, found, strict=True))


def test_the_list_holds_groups_of_two_names_and_more_each_once() -> None:
    text = resources.files("retriever").joinpath("synonyms.txt").read_text(encoding="utf-8")
    groups = [[name.strip() for name in line.split(",")] for line in text.splitlines() if not line.startswith("#")]
    for names in groups:
        assert len(names) == len(set(names)) >= 2, names
        assert all(name == name.casefold() and content_words(name) for name in names), names
