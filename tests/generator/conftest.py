"""The outdoor catalog and a few house documents as a collection to ask."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import generator
from sightline.types import Answer
from tests.generator.shelf import DOCUMENTS, Shelf, document, outdoor, product

Ask = Callable[..., Answer]


def asker(shelf: Shelf) -> Ask:
    def ask(question: str, **options: Any) -> Answer:
        return generator.answer(
            question, search=shelf.search, picture=options.pop("picture", lambda part: None), **options
        )

    return ask


@pytest.fixture(scope="session")
def products(data: Path) -> list[dict[str, Any]]:
    return outdoor(data)


@pytest.fixture(scope="session")
def ask_outdoor(products: list[dict[str, Any]]) -> Ask:
    return asker(Shelf([product(row) for row in products]))


@pytest.fixture(scope="session")
def ask_shop() -> Ask:
    """A hand-made shop that needs no data: products whose fields have no usual names, and documents."""
    from tests.generator.shelf import GOODS

    items = [product(row) for row in GOODS] + [document(path, text) for path, text in DOCUMENTS.items()]
    return asker(Shelf(items))
