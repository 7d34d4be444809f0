"""The extractive answerer: right facts cited, everything else refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from benchmarks.answers import cases, sound, verdict
from sightline.types import Answer
from tests.generator.conftest import asker
from tests.generator.shelf import DOCUMENTS, Shelf, product

Ask = Callable[..., Answer]


@pytest.mark.parametrize("group", ["price", "material", "material unstated", "near miss", "absent", "unstated"])
def test_every_product_of_the_outdoor_catalog(group: str, ask_outdoor: Ask, products: list[dict[str, Any]]) -> None:
    asked = [case for case in cases(products) if case.group == group]
    assert len(asked) >= 40
    wrong = {
        case.question: result for case in asked if (result := verdict(case, ask_outdoor(case.question))) != "right"
    }
    assert wrong == {}


@pytest.mark.parametrize(
    ("question", "holds"),
    [
        ("How much do the Tarn Walking Boots cost?", "cost 129.5 EUR"),
        ("how much is the tarn walking boot", "129.5"),
        ("What is the price of the Fell tent?", "310"),
        ("Tell me what the Kelda mug costs, please.", "14.0"),
        ("What are the Tarn Walking Boots made of?", "waxed leather"),
        ("Which material is the Fell tent?", "ripstop nylon"),
        ("Where are the Tarn Summer Boots made?", "Spain"),
        ("What colour is the Lark tent?", "orange"),
        ("How heavy is the Fell tent?", "2800 g"),
        ("What does the Lark 1-Person Tent weigh?", "1300 g"),
        ("How many people does the Fell sleep?", "three people"),
        ("How long is the floor of the Lark tent?", "210 cm"),
        ("How much does the Kelda mug hold?", "350 ml"),
        ("What does shipping cost for the Tarn Summer Boots?", "shipping 4.9 EUR"),
        ("What is the cheapest tent?", "190"),
        ("What is the heaviest tent?", "2800"),
        ("Which boots cost less than 100?", "Tarn Summer Boots: cost 89.0 EUR"),
        ("How many tents are there?", "2 found"),
        ("Do you have orange tents?", "Lark 1-Person Tent"),
        ("How much does the Tarn Walkign Boot cost?", "129.5"),
        ("How long do I have to return something?", "within 30 days"),
        ("Can I return worn shoes?", "Worn shoes cannot be returned."),
        ("What is the warranty of the tents?", "five-year warranty"),
        ("What is the warranty of the Fell tent?", "five-year warranty"),
        ("Do you deliver to Norway?", "Norway"),
        ("Can the Kelda mug be wrapped?", "Every product in the shop can be wrapped."),
        ("How much is gift wrapping?", "3.50 EUR"),
        ("Which country are the Tarn Walking Boots from?", "Portugal"),
        ("Which is lighter, the Fell tent or the Lark tent?", "weight 1300 g"),
        ("How often should I wax leather boots?", "twice a year"),
        ("How many people can sleep in the Lark tent?", "1-Person"),
        ("How many tents under 200 euros?", "1 found: Lark 1-Person Tent"),
        ("What does the Tarn summer boot weigh and where is it made?", "Spain"),
        ("Which tent costs the least?", "190"),
        ("Who pays for return shipping?", "paid by the customer"),
        ("How do I clean my leather boots?", "damp cloth"),
        ("When will I get my refund?", "after 14 days"),
    ],
)
def test_answers(question: str, holds: str, ask_shop: Ask) -> None:
    answer = ask_shop(question)
    assert holds in answer.text
    assert not answer.abstained
    assert sound(answer)


@pytest.mark.parametrize(
    "question",
    [
        "How much does the Tarn kayak cost?",
        "How much do the Tarn Red Walking Boots cost?",
        "How much does the Kelda Red Mug cost?",
        "How much do the Tarn Winter Boots cost?",
        "How much does the Fell 4-Person Tent cost?",
        "What is the warranty of the Tarn Walking Boots?",
        "What is the voltage of the Kelda mug?",
        "Is the Kelda mug dishwasher safe?",
        "How many reviews does the Lark tent have?",
        "Is the Fell tent fireproof?",
        "How old is the Kelda mug?",
        "Is there a discount on the Lark tent?",
        "Can the Fell canoe be wrapped?",
        "How long is the Fell tent?",
        "How fast is overnight shipping?",
        "Are there any leather tents?",
        "Do you deliver to Brazil?",
        "Do you sell bicycles?",
        "Who won the world cup?",
        "How much does it cost?",
        "What is the cheapest kayak?",
        "Which tents cost less than 50?",
        "asdf qwer",
        "?",
    ],
)
def test_refuses(question: str, ask_shop: Ask) -> None:
    answer = ask_shop(question)
    assert answer.abstained, answer.text
    assert answer.text.startswith("Nothing in this collection answers that.")
    assert answer.citations == ()


def test_two_products_of_a_family_are_both_answered(ask_shop: Ask) -> None:
    answer = ask_shop("How much do the Tarn Walking Boots and the Tarn Summer Boots cost?")
    assert [(c.item_id, c.quote) for c in answer.citations] == [("b-1", "cost_eur: 129.5"), ("b-2", "cost_eur: 89.0")]


def test_two_questions_in_one(ask_shop: Ask) -> None:
    answer = ask_shop("What does the Fell tent cost and what is it made of?")
    assert [c.part.locator.field for c in answer.citations] == ["cost_eur", "fabric"]


def test_the_part_that_is_not_answered_is_owned_up_to(ask_shop: Ask) -> None:
    answer = ask_shop("How much do the Fell tent and the Zephyr canoe cost?")
    assert "310" in answer.text
    assert answer.text.endswith("Nothing in this collection answers the rest of the question.")


def test_a_refusal_names_what_came_nearest(ask_shop: Ask) -> None:
    assert "Tarn Walking Boots" in ask_shop("How much do the Tarn Winter Boots cost?").text


def test_bracketed_numbers_in_the_data_never_pose_as_markers(ask_shop: Ask) -> None:
    answer = ask_shop("What are the Tarn Summer Boots like on dry paths?")
    assert sound(answer)
    assert "(7)" in answer.text
    assert answer.citations[0].quote == "A light boot for dry paths [7]."


def test_a_quote_of_a_document_is_located_to_the_letter(ask_shop: Ask) -> None:
    for question in (
        "How long do I have to return something?",
        "How much does express shipping cost?",
        "How often should I wax leather boots?",
    ):
        answer = ask_shop(question)
        assert answer.citations, question
        for citation in answer.citations:
            chars = citation.part.locator.chars
            assert chars is not None
            assert DOCUMENTS[citation.item_id][slice(*chars)] == citation.quote


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("Price", lambda p: p), ("price", lambda p: p), ("cost_eur", lambda p: p), ("unitPrice", lambda p: p),
        ("listPriceUSD", lambda p: p),
        ("Preis", lambda p: f"{p:.2f} €".replace(".", ",")), ("betrag", lambda p: f"{p:.2f} EUR"), ("vk", lambda p: p),
        ("attributes.price", lambda p: p),
    ],
)  # fmt: skip
def test_a_price_is_known_by_name_unit_or_shape(name: str, write: Callable[[float], object]) -> None:
    goods = [("Kite", 24.99), ("Lantern", 39.95), ("Rucksack", 89.99)]
    rows = [{"id": f"x{i}", "title": title, name: write(price), "shelf": i} for i, (title, price) in enumerate(goods)]
    ask = asker(Shelf([product(row) for row in rows]))
    answer = ask("How much is the lantern?")
    assert [c.quote for c in answer.citations] == [f"{name}: {write(39.95)}"]
    assert ask("What does the lantern weigh?").abstained


@pytest.mark.parametrize("name", ["shipping_price", "oldPrice", "price_range", "brand_id", "deposit_eur"])
def test_a_price_of_something_else_is_not_the_price(name: str) -> None:
    ask = asker(Shelf([product({"id": "1", "title": "Lantern", name: 39.95})]))
    assert ask("How much is the lantern?").abstained


def test_a_bare_price_takes_its_currency_from_the_field_that_states_it() -> None:
    ask = asker(Shelf([product({"id": "1", "title": "Lantern", "price": 39.95, "currency": "EUR", "stock": 3})]))
    answer = ask("How much is the lantern?")
    assert answer.text == "Lantern: price 39.95 EUR [1][2]."
    assert [c.quote for c in answer.citations] == ["price: 39.95", "currency: EUR"]
    assert ask("Is the lantern in stock?").text == "Lantern: stock 3 [1]."


def test_similarity_may_be_handed_in(ask_shop: Ask) -> None:
    import numpy as np

    def similarity(left: Any, right: Any) -> Any:
        return np.ones((len(left), len(right)), np.float32)

    assert "310" in ask_shop("What does the Fell tent cost?", similarity=similarity).text


def test_what_a_picture_shows(ask_shop: Ask) -> None:
    import numpy as np

    pixels = np.zeros((8, 8, 3), np.uint8)
    items = [product({"id": "1", "title": "Lantern", "image": "lantern.webp", "price": 39.95})]
    ask = asker(Shelf(items))
    shown = ask("What is this?", image=pixels)
    assert shown.text == "The picture is most like: Lantern [1]."
    assert (shown.citations[0].part.modality, shown.citations[0].quote) == ("image", None)
    assert "price 39.95 [2]" in ask("How much does this cost?", image=pixels).text
    assert ask("What is the warranty of this?", image=pixels).abstained
