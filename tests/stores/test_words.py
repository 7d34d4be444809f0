"""The words of a query."""

from __future__ import annotations

import pytest

from sightline.stores.words import words_of


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Waterproof hiking-boots, size 42!", ["waterproof", "hiking", "boots", "size", "42"]),
        ("What is the price of the women’s jacket?", ["price", "women", "jacket"]),
        ("boots Boots BOOTS", ["boots"]),
        ("cafe\u0301", ["café"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("the of and", []),
        ("", []),
    ],
)
def test_words_of(text: str, words: list[str]) -> None:
    assert words_of(text) == words
