"""The lexical channel over a real store: what an item accounts for of a query."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retriever.words import CUT, FUNCTION_WORDS, by_words, content_words, is_said, said, saying_all
from sightline.filters import Compare, Filter, HasId
from sightline.protocols import Store
from sightline.types import Item

Shelve: TypeAlias = Callable[..., Item]


def shares(store: Store, text: str, where: Filter | None = None) -> dict[str, float]:
    """Item -> what it accounts for, best first."""
    found: dict[str, float] = {}
    for vote in by_words(said(store, text, pool=100, where=where)):
        found.setdefault(vote.item_id, vote.strength)
    return found


def test_the_words_that_carry_meaning() -> None:
    assert content_words("Show me something to sleep in, OUTDOORS please") == ["sleep", "outdoors"]
    assert content_words("rock'n'roll t-shirt T-Shirt") == ["rock'n'roll", "t-shirt"]
    assert content_words("what is it") == ["what", "is", "it"]
    assert content_words("!?") == []


@given(st.text(max_size=80))
def test_content_words_are_distinct_and_from_the_text(text: str) -> None:
    words = content_words(text)
    assert len(words) == len(set(words))
    assert all(word in text.casefold() for word in words)
    assert set(words).isdisjoint(FUNCTION_WORDS) or set(words) <= FUNCTION_WORDS


def test_words_spread_over_an_items_parts_count_together(store: Store, shelve: Shelve) -> None:
    shelve("both", texts=["A pack for long walks with many pockets, in a bold and lasting red"], title="Backpack")
    shelve("short", texts=["Red"], title="Cap")
    shelve("other", texts=["A pack for school"], title="Backpack")
    found = shares(store, "red backpack")
    assert next(iter(found)) == "both"
    assert set(found) == {"both", "short", "other"}
    assert all(CUT <= share <= 1 for share in found.values())


def test_a_word_that_is_asked_for_less_counts_less(store: Store, shelve: Shelve) -> None:
    shelve("chair", texts=["an oak chair"])
    shelve("lamp", texts=["a brass lamp"])
    for meant, first in ((0.5, "chair"), (2.0, "lamp")):
        emphasis = {"chair": min(1.0, 1 / meant), "lamp": min(1.0, meant)}
        found = by_words(said(store, "chair lamp", pool=100, where=None, emphasis=emphasis))
        assert [vote.item_id for vote in found] == [first, *({"chair", "lamp"} - {first})]
        assert sum(vote.strength for vote in found) == pytest.approx(1.0, abs=0.01)


def test_a_word_nobody_says_weakens_all_the_others(store: Store, shelve: Shelve) -> None:
    shelve("a", texts=["an outdoor chair"])
    shelve("b", texts=["a lamp"])
    assert shares(store, "chair")["a"] == 1
    assert 0.4 < shares(store, "chair zeppelin")["a"] < 0.6
    assert shares(store, "chair zeppelin walrus saxophone marmalade") == {}


def test_a_document_gains_nothing_by_having_many_parts(store: Store, shelve: Shelve) -> None:
    shelve("manual", texts=["The tent peg", "The tent pole", "The tent floor"])
    shelve("tent", texts=["The tent thing"])
    assert shares(store, "tent")["manual"] == pytest.approx(shares(store, "tent")["tent"])


def test_the_filter_is_the_stores(store: Store, shelve: Shelve) -> None:
    for n in range(4):
        shelve(f"mug-{n}", texts=["a blue mug"], price=n)
    assert set(shares(store, "blue mug", Compare("price", ">", 1))) == {"mug-2", "mug-3"}


@pytest.mark.parametrize("text", ["zeppelin", "the", "!?"])
def test_nothing_said_is_nothing_found(store: Store, shelve: Shelve, text: str) -> None:
    shelve("a", texts=["a chair"])
    assert shares(store, text) == {}


def test_saying_all_asks_for_every_word_in_whatever_part(store: Store, shelve: Shelve) -> None:
    shelve("goose", texts=["a goose in a pond"])
    shelve("down", texts=["filled with down"], origin="goose")
    shelve("fleece", texts=["a fleece"])
    ids = frozenset({"goose", "down", "fleece"})
    where = HasId(tuple(sorted(ids)))
    assert saying_all(store, "goose down", ids, where=where) == {"down"}
    assert saying_all(store, "goose", ids, where=where) == {"goose", "down"}
    assert saying_all(store, "!?", ids, where=where) == frozenset()


def test_a_word_with_a_hyphen_is_said_by_those_who_say_all_of_it(store: Store, shelve: Shelve) -> None:
    shelve("polo", texts=["a polo shirt"])
    shelve("tee", texts=["a striped T-shirt"])
    ids = frozenset({"polo", "tee"})
    assert saying_all(store, "t-shirt", ids, where=HasId(tuple(ids))) == {"tee"}
    assert is_said(store, "t-shirt", where=None)
    assert not is_said(store, "t-shirt", where=HasId(("polo",)))
    assert not is_said(store, "polo t-shirt", where=None)
    assert not is_said(store, "!?", where=None)
    shelve("dress", texts=["an A-line dress"])
    assert saying_all(store, "a-line", frozenset({"dress", "tee"}), where=HasId(("dress", "tee"))) == {"dress"}
