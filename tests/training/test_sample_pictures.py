"""The sentences that ask for the sample catalog's pictures: right, complete, and unlike anything training reads."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.extras import needs
from training.renderer import sample_product
from training.renderer.catalog import choose_products
from training.renderer.kinds import KINDS
from training.renderer.products import Product
from training.renderer.surfaces import COLOURS
from training.starter.sources import unseen
from training.starter.words import listed

JUDGED = json.loads((Path(__file__).parents[2] / "benchmarks" / "judged" / "sample_pictures.json").read_text())
TRAINED = range(100_000, 106_000)  # seeds of the products drawn for training, as its card states them
PATTERNS = listed(
    "vertical stripes, stripes, striped, dots, dotted, polka dot, checks, checked, zigzag pattern, zigzag, flowers, "
    "flowery, floral, stars, starry, hearts, heart-patterned, speckles, speckled, half, two-tone, plain"
)
MATERIALS = sorted({material for kind in KINDS.values() for material in kind.materials} | {"wooden", "stainless steel"})


def says(product: Product) -> dict[str, str]:
    colour, second = (*product.colours, "")[:2]
    more = {"second": second, "pattern": product.pattern, "material": product.material, "form": product.form}
    return {"kind": product.kind, "colour": colour, **more}


def fits(asks: Mapping[str, str], said: Mapping[str, str]) -> bool:
    return all(said[key] == value for key, value in asks.items())


@pytest.fixture(scope="module")
def trained() -> list[dict[str, str]]:
    products = (sample_product(seed) for seed in TRAINED)
    return [says(product) for product in products if not unseen(product.kind, product.colours[0])]


def test_there_are_enough_of_each() -> None:
    for form in ("named", "described"):
        assert sum(row["form"] == form and not row["shown_in_training"] for row in JUDGED) >= 120
    assert len({row["query"].lower() for row in JUDGED}) == len(JUDGED)


def test_every_item_that_fits_is_relevant_and_no_other(sample: Path) -> None:
    shop = {item: says(product) for item, product in choose_products(seed=7)}
    rows = [json.loads(line) for line in (sample / "catalog.jsonl").read_text().splitlines()]
    assert [(row["id"], row["kind"], row["pattern"]) for row in rows] == [
        (item, said["kind"], said["pattern"]) for item, said in shop.items()
    ]
    for row in JUDGED:
        assert row["relevant"] == [item for item, said in shop.items() if fits(row["asks"], said)], row["query"]
        assert row["relevant"]


def test_combinations_called_unseen_are_on_no_training_picture(trained: list[dict[str, str]]) -> None:
    wrong = [
        row["query"] for row in JUDGED if row["shown_in_training"] != any(fits(row["asks"], said) for said in trained)
    ]
    assert not wrong


def test_a_named_sentence_says_the_kind() -> None:
    assert all(row["asks"]["kind"] in row["query"] for row in JUDGED if row["form"] == "named")


def test_no_sentence_has_the_form_of_a_training_sentence() -> None:
    needs("torch", extra="training")
    from training.starter.prepare_rendered import describe_product
    from training.starter.sentences import practice

    drawn = (sentence.text for seed in TRAINED[::20] for sentence in describe_product(seed)[1])
    forms = {skeleton(text) for text in (*drawn, *practice([], [], 5_000))}
    assert skeleton("A white mug with navy stars") in forms
    assert not [row["query"] for row in JUDGED if skeleton(row["query"]) in forms]


SLOTS = {
    **dict.fromkeys(COLOURS, "colour"),
    **dict.fromkeys((word for kind in KINDS.values() for word in (kind.name, *kind.words)), "noun"),
    **dict.fromkeys(MATERIALS, "material"),
    **dict.fromkeys(PATTERNS, "pattern"),
}
FILLED = re.compile(rf"\b({'|'.join(map(re.escape, sorted(SLOTS, key=len, reverse=True)))})\b")


def skeleton(text: str) -> str:
    """The text with its colours, things, materials and patterns taken out, and without articles."""
    slotted = FILLED.sub(lambda match: f"<{SLOTS[match[0]]}>", text.lower())
    return " ".join(re.sub(r"\b(a|an|the)\b", "", slotted).split())
