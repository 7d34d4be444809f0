"""What a collection holds of the words of a query: said, said otherwise, and denied by a field."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import pytest

from retriever.evidence import Evidence, of_words, otherwise
from retriever.mentions import mentions
from retriever.words import said
from sightline.filters import Compare, Filter
from sightline.protocols import Store
from sightline.types import Item

Shelve: TypeAlias = Callable[..., Item]


def words_of(store: Store, text: str, where: Filter | None = None, hidden: tuple[str, ...] = ()) -> Evidence:
    return of_words(store, said(store, text, pool=100, where=where), where=where, hidden=hidden)


@pytest.fixture
def shop(store: Store, shelve: Shelve) -> Store:
    shelve("mug-1", texts=["A mug for tea, with a red box around it"], title="Blue mug", kind="mug", colour="blue")
    shelve("mug-2", texts=["A mug for milk"], title="Green mug", kind="mug", colour="green")
    shelve("lamp-1", texts=["A lamp for reading"], title="Red lamp", kind="lamp", colour="red")
    shelve("sofa-1", texts=["Seats three"], title="Sofa Ash", kind="sofa", colour="grey")
    shelve("bag-1", texts=["A bag for books, in plain canvas"], title="Canvas bag", kind="bag")
    return store


def test_another_word_for_a_word_says_it(shop: Store) -> None:
    found = words_of(shop, "grey couch")
    assert (found.cover, found.named, found.known) == (1.0, 1.0, 1.0)
    assert found.contradicted == 0.0
    assert words_of(shop, "grey walrus").known < 1
    assert words_of(shop, "couch", hidden=("sofa-1",)).cover == 0.0
    assert words_of(shop, "couch", where=Compare("kind", "=", "mug")).cover == 0.0


def test_a_field_with_another_value_denies_a_word(shop: Store) -> None:
    found = words_of(shop, "red mug", hidden=("mug-1",))
    assert 0 < found.contradicted < 1
    assert found.denied["mug-2"] > 0  # it is green
    assert found.denied["lamp-1"] > 0  # it is a lamp


def test_what_an_item_says_in_whatever_part_is_not_denied(shop: Store) -> None:
    """A mug of the colour blue with a red box around it: it may be what is meant."""
    found = words_of(shop, "red mug")
    assert found.denied.get("mug-1", 0.0) == 0.0
    assert found.contradicted == 0.0


@pytest.mark.parametrize(
    "open_value", ["unknown", "-", "n/a", "Unisex", "All", "multicoloured", "see picture", "One size", "Adults", "?"]
)
def test_a_value_that_excludes_nothing_denies_nothing(store: Store, shelve: Shelve, open_value: str) -> None:
    shelve("a", texts=["a parka"], title="Parka", trait=open_value)
    shelve("b", texts=["a lamp"], title="Lamp", trait="red")
    assert words_of(store, "red parka").denied["a"] == 0.0


def test_nothing_denies_what_an_item_is(shop: Store) -> None:
    for text in ("blue mug", "red lamp", "a green mug please", "mug", "grey sofa"):
        assert words_of(shop, text).contradicted == 0.0, text


def test_a_field_that_an_item_has_not_denies_nothing(shop: Store) -> None:
    """The bag says nothing of its colour: it may well be red."""
    found = words_of(shop, "red bag")
    assert found.denied.get("bag-1", 0.0) == 0.0
    assert found.contradicted == 0.0


def test_lists_long_values_numbers_and_titles_deny_nothing(store: Store, shelve: Shelve) -> None:
    shelve("a", texts=["a mug"], title="Mug", line="Ash of the north and the sea")
    shelve("b", texts=["a lamp"], title="Red", line="red")
    assert words_of(store, "red mug").denied.get("a", 0.0) == 0.0


def test_a_word_that_stands_in_no_field_is_not_denied(shop: Store) -> None:
    assert words_of(shop, "mug books").denied["mug-1"] == 0.0  # books are no colour, and no kind


def test_a_mention_of_another_word_is_shown_as_it_is_written(shop: Store) -> None:
    (item,) = shop.get(["sofa-1"])
    assert mentions(shop, item, "couch") == ()
    (found,) = mentions(shop, item, "couch", ["settee", "sofa"])[:1]
    assert (found.place, found.field, found.written) == ("field", "kind", "sofa")


def test_which_field_says_otherwise(shop: Store) -> None:
    found = words_of(shop, "red mugs")
    (mug, lamp) = shop.get(["mug-2", "lamp-1"])
    assert otherwise(mug.fields, found.values, "red") == {"colour": "green"}
    assert otherwise(lamp.fields, found.values, "mugs") == {"kind": "lamp"}
    assert otherwise(mug.fields, found.values, "mugs") == {}
