"""Everyday wordings: who did it, of which part it is, how much it bears, what a row of a table says, doing by verbs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from benchmarks import everyday
from sightline.types import Answer
from tests.generator.conftest import asker
from tests.generator.shelf import Shelf, document, product

Ask = Callable[..., Answer]

THINGS: list[dict[str, Any]] = [
    {"id": "lamp", "title": "Desk lamp Orle", "colour": "green", "brand": "Fadeno", "shade": "linen",
     "text": "The shade is 24 cm wide. It runs six hours at full power. Charged by cable in three hours."},
    {"id": "globe", "title": "Star globe", "lender": "Convent of Rehm", "year_made": 1704, "maker": "H. Tauber",
     "text": "Shows 48 constellations. It was mended in 1950 after a fall. The clockwork loses a second a day."},
    {"id": "stool", "title": "Stool Birn", "weight_kg": 4, "text": "It carries up to 120 kg. Made of ash."},
    {"id": "lock", "title": "Lock Karg", "text": "Two keys are included. Lost keys can be ordered with the code card."},
    {"id": "drill", "title": "Drill 18", "text": "The chuck tightens without a key. It weighs 1.6 kg.", "mass_g": 1600},
    {"id": "pads", "title": "Brake pads Mella", "fits": "Mella and Torn callipers", "text": "Quiet in the wet."},
    {"id": "bag", "title": "Waterproof bag Nix", "text": "Sewn from waterproof canvas. It closes with a roll-top."},
    {"id": "fern", "title": "Fern Tall Leaf", "text": "A fern for shade. The fruit ripens in late September."},
    {"id": "socks", "title": "Trail socks", "text": "Two colours. Sold in a pack that can be recycled."},
    {"id": "flat", "title": "Garden flat", "area_m2": 96, "text": "A terrace of 20 square metres. Dogs are welcome."},
]  # fmt: skip
PAGES = {
    "wood.md": "# Wood\n\nAll our wood comes from the north. Wood dislikes water. Painted wood is only wiped.\n",
    "sizes.md": "# Shoe sizes\n\n| EU size | Foot length (cm) |\n|---|---|\n| 41 | 25.9 |\n| 42 | 26.6 |\n",
    "back.md": "# Returns\n\nYou may return a lamp within 30 days. A refund takes 5 days. Nobody pays for parcels.\n",
}


@pytest.fixture(scope="module")
def ask() -> Ask:
    return asker(Shelf([product(row) for row in THINGS] + [document(path, text) for path, text in PAGES.items()]))


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("How wide is the shade of the Orle?", "24 cm"),
        ("How long does the Orle take to charge?", "three hours"),
        ("How do I charge the Orle?", "by cable"),
        ("Who lent you the star globe?", "Convent of Rehm"),
        ("When was the star globe made?", "1704"),
        ("How much weight can the stool take?", "120 kg"),
        ("What is the weight of the stool?", "4 kg"),
        ("How many keys come with the Karg?", "Two keys"),
        ("Which callipers do the Mella pads fit?", "Torn"),
        ("Is the Nix bag waterproof?", "waterproof canvas"),
        ("Is the Orle lamp green?", "colour green"),
        ("How does the Nix close?", "roll-top"),
        ("When is the fern's fruit ripe?", "September"),
        ("What foot length goes with EU size 42?", "26.6"),
        ("Which wood do you use?", "from the north"),
        ("Can I send the lamp back?", "30 days"),
        ("How large is the garden flat?", "96"),
        ("Are dogs allowed in the flat?", "welcome"),
    ],
)
def test_everyday_wordings_are_answered_with_that_alone(ask: Ask, question: str, said: str) -> None:
    answer = ask(question)
    assert said in answer.text
    assert len(answer.citations) == 1


@pytest.mark.parametrize(
    "question",
    [
        "Who designed the Orle?",  # the brand is no designer
        "Who mended the star globe?",  # when is told, by whom is not
        "When was the star globe bought?",
        "How many leaves does the fern have?",  # counts no ferns
        "How many pairs are in the Trail socks pack?",
        "How many drill bits come with the Drill 18?",
        "How many batteries come with the Orle?",
        "What sizes does the Drill come in?",
        "Is the stool safe?",
    ],
)
def test_what_is_only_close_to_the_question_is_no_answer(ask: Ask, question: str) -> None:
    answer = ask(question)
    assert answer.abstained, answer.text


def test_half_of_the_judged_questions_are_held_out_and_facts_stand_in_the_catalogs() -> None:
    asked = everyday.questions()
    assert len(asked) >= 120
    assert sum(one.held_out for one in asked) == len(asked) // 2
    assert len({one.question for one in asked}) == len(asked)
    for one in asked:
        assert (one.right is None) == (one.kind != "stated") == (not one.items)
