"""Which drawn products are kept from training."""

from __future__ import annotations

import json

from tests.extras import needs
from training.renderer.products import Product

needs("torch", extra="training")

from training.starter.prepare_rendered import JUDGED, held_back, shows  # noqa: E402 - torch may not be there
from training.starter.sources import unseen  # noqa: E402


def test_a_combination_judged_as_unseen_is_never_trained_on() -> None:
    starry = Product(1, "mug", ("white", "navy"), "enamel", "starry")
    assert not unseen("mug", "white")
    assert held_back(starry)
    assert not held_back(Product(1, "mug", ("white", "red"), "enamel", "starry"))


def test_a_kind_in_a_held_out_colour_is_never_trained_on() -> None:
    assert unseen("bicycle", "purple")
    assert held_back(Product(1, "bicycle", ("purple",), "metal"))


def test_the_judged_sentences_ask_in_words_a_product_has() -> None:
    words = shows(Product(1, "mug", ("white",), "enamel")).keys()
    assert all(row["asks"].keys() <= words for row in json.loads(JUDGED.read_text()))
