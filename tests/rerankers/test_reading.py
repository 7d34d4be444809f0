"""What rerankers read of a hit: its words in order, cut short, and a picture no larger than they need."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sightline.rerankers.reading import SIDE, first_picture, shrunk, words_of
from sightline.types import Hit, Item, Part, Pixels

MATCHED = Part("a#2", "a", "text", digest="2", text="holds 300 ml")
OTHER = Part("a#1", "a", "text", digest="1", text="made of clay")
SEEN, HIDDEN = Part("a#3", "a", "image", digest="3"), Part("a#4", "a", "image", digest="4")
FIELDS = {"colour": ("red", "white"), "title": "Mug", "price": 5}


def hit(*parts: Part, fields: dict[str, object] = FIELDS, matched: tuple[Part, ...] = ()) -> Hit:  # type: ignore[assignment]
    return Hit(Item("mugs/red-1.jpg", fields, parts), matched, score=1.0, rank=1, via=("clip",))  # type: ignore[arg-type]


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

    assert first_picture(hit(SEEN, HIDDEN, matched=(HIDDEN,)), picture) is pixels["a#4"]
    assert first_picture(hit(SEEN, HIDDEN, matched=(MATCHED,)), picture) is pixels["a#3"]
    del pixels["a#4"]
    assert first_picture(hit(SEEN, HIDDEN, matched=(HIDDEN,)), picture) is pixels["a#3"]
    assert first_picture(hit(OTHER), picture) is None


def test_only_what_is_too_large_is_made_smaller() -> None:
    small = np.zeros((SIDE, 100, 3), np.uint8)
    assert shrunk(small) is small
    assert shrunk(np.zeros((300, 2 * SIDE, 3), np.uint8)).shape == (150, SIDE, 3)
    assert shrunk(np.zeros((9000, 2, 3), np.uint8)).shape == (SIDE, 1, 3)
