"""Catalogs of other makers: camelCase and nested names, prices as texts, yes and no, one title twice, tables."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from sightline.types import Answer, Item
from tests.generator.conftest import asker
from tests.generator.shelf import Shelf, document, product

Ask = Callable[..., Answer]

WATCHES: list[dict[str, Any]] = [
    {"id": "w1", "title": "Meridian Chronograph", "text": "A chronograph with a sapphire crystal.",
     "listPrice": "$1,299.00", "inStock": True, "releaseDate": "2023-05-04", "strap.material": "leather",
     "brandName": "Corvane", "diameterMm": 42},
    {"id": "w2", "title": "Meridian Diver", "text": "A diver's watch with a ceramic bezel and a 20 cm strap.",
     "listPrice": "$949.50", "inStock": False, "releaseDate": "2021-11-15", "strap.material": "rubber",
     "brandName": "Corvane", "diameterMm": 44},
    {"id": "w3", "title": "Pocket Hare", "text": "Wind it once a day.", "listPrice": "$210.00", "inStock": True,
     "releaseDate": "2019-02-01", "tags": ("pocket watch", "vintage style")},
    {"id": "w4", "title": "Pixel Kid", "text": "A digital watch for children. Two-year guarantee. 3 W.",
     "listPrice": "$24.99", "inStock": True, "releaseDate": "2024-08-20"},
]  # fmt: skip
BOOKS: list[dict[str, Any]] = [
    {"id": "1", "title": "Night Ferry", "text": "A detective boards the wrong boat.", "author": "Dana O'Keefe",
     "published": "2020-06-15", "binding": "paperback", "languages": ("English", "French")},
    {"id": "2", "title": "Night Ferry", "text": "Poems written on ships.", "author": "Tomas Lindqvist",
     "published": "2011-04-02", "binding": "hardcover", "languages": ("Swedish",)},
    {"id": "3", "title": "Portrait of a Boy", "text": "The boy holds a goldfinch.", "artist": "Judith van Hael"},
    {"id": "4", "title": "Enamel Kettle", "text": "Works on induction. It holds 2 litres.", "care": "Wash at 40 °C."},
    {"id": "5", "title": "Moka Pot", "text": "Makes coffee. It is not suitable for induction.", "price": 34.5},
    {"id": "6", "title": "Oak Bowl", "text": "The rim is olive wood.", "petSafe": True},
    {"id": "7", "title": "Glass Bowl", "text": "Blown by hand.", "petSafe": False, "colors": ("yellow", "navy")},
    {"id": "8", "title": "Ewer with cranes", "text": "Painted in blue."},
]  # fmt: skip
NOTES = {
    "notes/sizes.md": (
        "# Size chart\n\n| size | chest | waist |\n|---|:--|---|\n| S | 88 cm | 74 cm |\n| M | 96 cm | 82 cm |\n"
    ),
    "notes/shop.md": (
        "# Our shop\n\nStudents receive 10 % off on Wednesdays.\nThe shop in York is closed on Mondays.\n"
        "We deliver within 5 km.\nThe bread boxes are dishwasher-proof.\nPut the cups into the dishwasher.\n"
        "Keep furniture at least 30 cm away from radiators.\nThe bags are washable at 60 °C.\n"
    ),
}  # fmt: skip


def filed(item: Item, uri: str) -> Item:
    return replace(item, parts=tuple(replace(part, uri=uri) for part in item.parts))


@pytest.fixture(scope="module")
def ask_watches() -> Ask:
    return asker(Everything([filed(product(row), "/data/watches.jsonl") for row in WATCHES]))


@pytest.fixture(scope="module")
def ask_all() -> Ask:
    items = [product(row) for row in BOOKS] + [document(path, text) for path, text in NOTES.items()]
    return asker(Everything(items))


class Everything(Shelf):
    """Finds all items for any query, those with its words first, as a search by likeness does."""

    def search(self, query: Any, k: int) -> Any:
        from sightline.types import Hit, Results

        first = [hit.item for hit in super().search(query, k).hits]
        rest = [item for item in self.items if item not in first]
        found = [*((item, ("words",)) for item in first), *((item, ("clip",)) for item in rest)]
        return Results(tuple(Hit(item, item.parts, 1 / n, n, via) for n, (item, via) in enumerate(found[:k], 1)))


@pytest.mark.parametrize(
    ("question", "holds"),
    [
        ("Which watch is the cheapest?", "Of 4 found: Pixel Kid: list price $24.99"),
        ("What is the most expensive watch?", "Of 4 found: Meridian Chronograph: list price $1,299.00"),
        ("What is the most expensive thing?", "Meridian Chronograph"),
        ("How many watches do you have?", "4 found"),
        ("Is the Meridian Diver in stock?", "in stock no"),
        ("Which watches are not in stock?", "Meridian Diver: in stock no"),
        ("What is the diameter of the Meridian Diver?", "diameter 44 mm"),
        ("How long is the strap of the Meridian Diver?", "20 cm strap"),
        ("How long is the guarantee of the Pixel Kid?", "Two-year guarantee"),
        ("How many watts does the Pixel Kid have?", "3 W"),
        ("How much does the Pixel Kdi cost?", ""),
        ("What is the diametre of the Meridian Diver?", "diameter 44 mm"),
        ("What is the daimeter of the Meridian Diver?", "diameter 44 mm"),
        ("Which watch has a leather strap?", "strap material leather"),
    ],
)
def test_watches(question: str, holds: str, ask_watches: Ask) -> None:
    answer = ask_watches(question)
    assert (holds in answer.text and not answer.abstained) if holds else answer.abstained, answer.text


def test_only_what_is_there_is_listed_as_in_stock(ask_watches: Ask) -> None:
    answer = ask_watches("Which watches are in stock?")
    assert {citation.item_id for citation in answer.citations} == {"w1", "w3", "w4"}


@pytest.mark.parametrize(
    ("question", "holds"),
    [
        ("Who wrote Night Ferry?", "Night Ferry (1): author Dana O'Keefe"),
        ("Is Night Ferry by Dana O'Keefe a paperback?", "binding paperback"),
        ("When was Night Ferry by Tomas Lindqvist published?", "2011-04-02"),
        ("In which languages is Night Ferry by Tomas Lindqvist available?", "Swedish"),
        ("Who painted Portrait of a Boy?", "Judith van Hael"),
        ("What temperature can I wash the kettle at?", "40 °C"),
        ("How much does the enamel ketle hold?", "2 litres"),
        ("Which bowls are pet safe?", "Oak Bowl: pet safe yes [1]."),
        ("Which bowls are not pet safe?", "Glass Bowl: pet safe no [1]."),
        ("Do you have anything in yellow?", "Glass Bowl"),
        ("Do students get a discount?", "10 % off"),
        ("Is the shop in York open on Mondays?", "closed on Mondays"),
        ("How far do you deliver?", "within 5 km"),
        ("Are the bread boxes safe for the dishwasher?", "dishwasher-proof"),
        ("How far should furniture stand from radiators?", "30 cm"),
        ("How hot can I wash the bags?", "60 °C"),
        ("What is the chest size of M?", "size M, chest 96 cm, waist 82 cm [1]."),
        ("What is said about our shop?", "Students"),
    ],
)
def test_goods_and_notes(question: str, holds: str, ask_all: Ask) -> None:
    answer = ask_all(question)
    assert holds in answer.text, answer.text


@pytest.mark.parametrize(
    "question",
    [
        "Which pots work on induction?",
        "Which wood do you use?",
        "Who illustrated Night Ferry?",
        "How many cranes are there?",
        "What is the publisher of Night Ferry by Dana O'Keefe?",
        "Do you sell dishwashers?",
        "How waterproof is the Oak Bowl?",
        "What is the chest size of L?",
        "Is Night Ferry by Dana O'Keefe a comic?",
    ],
)
def test_what_is_not_said_is_refused(question: str, ask_all: Ask) -> None:
    answer = ask_all(question)
    assert answer.abstained, answer.text


def test_a_row_of_a_table_is_quoted_as_it_stands(ask_all: Ask) -> None:
    (citation,) = ask_all("What is the chest size of M?").citations
    assert citation.quote == "M | 96 cm | 82 cm"
