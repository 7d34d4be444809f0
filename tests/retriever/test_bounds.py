"""What a search refuses, and what it looks at twice."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from sightline import Item, Query, Sightline, Term
from sightline.errors import InputError
from sightline.protocols import Store


@pytest.fixture
def shop(tmp_path: Path) -> Sightline:
    opened = Sightline.open(tmp_path / "index")
    opened.add({"id": "a", "title": "Blue kite", "price": 5}, {"id": "b", "title": "Blue drum", "price": 50})
    return opened


@pytest.mark.parametrize("k", [0, -1, 2**63])
def test_k_out_of_bounds_is_refused(shop: Sightline, k: int) -> None:
    with pytest.raises(InputError, match="k must be"):
        shop.search("blue", k=k)


def test_an_unknown_target_is_refused(shop: Sightline) -> None:
    with pytest.raises(InputError, match="video"):
        shop.search(Query((Term("blue"),), target="video"))  # type: ignore[arg-type]


def test_an_item_that_changed_since_the_store_was_searched_does_not_slip_through(
    shop: Sightline, monkeypatch: pytest.MonkeyPatch
) -> None:
    store: Store = shop._store
    get = store.get

    def dearer(ids: list[str]) -> list[Item]:
        return [replace(item, fields={**item.fields, "price": 99}) for item in get(ids)]

    assert [hit.id for hit in shop.search("blue", where="price < 10")] == ["a"]
    monkeypatch.setattr(store, "get", dearer)
    assert shop.search("blue", where="price < 10").no_match
