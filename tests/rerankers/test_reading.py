"""What rerankers read of a hit: its words in order, cut short, and a picture no larger than they need."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.rerankers.reading import SIDE, pictures_of, region_of, shrunk, words_of
from sightline.types import Box, Hit, Item, Locator, Part, Pixels

MATCHED = Part("a#2", "a", "text", digest="2", text="holds 300 ml")
OTHER = Part("a#1", "a", "text", digest="1", text="made of clay")
SEEN, HIDDEN = Part("a#3", "a", "image", digest="3"), Part("a#4", "a", "image", digest="4")
FIELDS = {"colour": ("red", "white"), "title": "Mug", "price": 5}


def hit(*parts: Part, fields: dict[str, object] = FIELDS, matched: tuple[Part, ...] = ()) -> Hit:  # type: ignore[assignment]
    return Hit(Item("mugs/red-1.jpg", fields, parts), matched, score=1.0, rank=1, via=("clip",))  # type: ignore[arg-type]


def at(part: Part, box: Box | None) -> Part:
    return replace(part, locator=Locator(box=box))


def test_words_are_title_fields_what_matched_and_the_rest() -> None:
    assert words_of(hit(OTHER, MATCHED, SEEN, matched=(MATCHED,)), chars=500).splitlines() == [
        "Mug",
        "colour: red, white",
        "price: 5",
        "holds 300 ml",
        "made of clay",
    ]


def test_an_id_is_no_word() -> None:
    assert words_of(hit(SEEN, fields={}), chars=500) == ""


@given(st.integers(0, 60))
def test_words_are_cut_and_never_end_in_a_gap(chars: int) -> None:
    whole = words_of(hit(OTHER, MATCHED), chars=500)
    cut = words_of(hit(OTHER, MATCHED), chars=chars)
    assert len(cut) <= chars
    assert whole.startswith(cut)
    assert len(cut) >= min(chars - 1, len(whole))


def test_the_picture_that_matched_comes_first_and_one_that_is_gone_last() -> None:
    pixels = {part.id: np.full((8, 8, 3), at, np.uint8) for at, part in enumerate((SEEN, HIDDEN))}

    def picture(part: Part) -> Pixels | None:
        return pixels.get(part.id)

    def seen(*parts: Part, matched: tuple[Part, ...] = ()) -> list[int]:
        """Which picture it is by its grey."""
        return [int(one[0, 0, 0]) for one in pictures_of(hit(*parts, matched=matched), picture)]

    assert pictures_of(hit(SEEN), picture)[0] is pixels["a#3"]
    assert seen(SEEN, HIDDEN, matched=(HIDDEN,)) == [1]
    assert seen(SEEN, HIDDEN, matched=(MATCHED,)) == [0]
    del pixels["a#4"]
    assert seen(SEEN, HIDDEN, matched=(HIDDEN,)) == [0]
    assert seen(OTHER) == []


def test_where_a_region_answers_what_it_holds_is_seen_behind_the_whole() -> None:
    pixels = np.arange(10 * 20 * 3, dtype=np.uint8).reshape(10, 20, 3)
    found = hit(SEEN, matched=(at(SEEN, (0.5, 0.2, 0.75, 0.6)),))
    whole, region = pictures_of(found, lambda part: pixels)
    assert whole is pixels
    np.testing.assert_array_equal(region, pixels[2:6, 10:15])
    large = np.zeros((4 * SIDE, 4 * SIDE, 3), np.uint8)
    assert [one.shape[:2] for one in pictures_of(found, lambda part: large)] == [(SIDE, SIDE), (SIDE, 320)]


@pytest.mark.parametrize(
    ("own", "box", "region"),
    [
        (None, None, None),
        (None, (0.5, 0.25, 1.0, 0.75), (0.5, 0.25, 1.0, 0.75)),
        ((0.5, 0.0, 1.0, 0.5), (0.5, 0.0, 1.0, 0.5), None),  # a part that is itself a piece of a picture, as a whole
        ((0.5, 0.0, 1.0, 0.5), (0.75, 0.25, 1.0, 0.5), (0.5, 0.5, 1.0, 1.0)),
    ],
)
def test_a_region_is_told_in_what_the_part_itself_holds(own: Box | None, box: Box | None, region: Box | None) -> None:
    found = hit(at(SEEN, own), matched=(at(SEEN, box),))
    assert region_of(found, found.parts[0]) == region
    assert region_of(found, found.item.parts[0]) is None


def test_only_what_is_too_large_is_made_smaller() -> None:
    small = np.zeros((SIDE, 100, 3), np.uint8)
    assert shrunk(small) is small
    assert shrunk(np.zeros((300, 2 * SIDE, 3), np.uint8)).shape == (150, SIDE, 3)
    assert shrunk(np.zeros((9000, 2, 3), np.uint8)).shape == (SIDE, 1, 3)
