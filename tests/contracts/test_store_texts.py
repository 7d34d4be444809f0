"""What every store says of its parts' texts: as written, as many as asked for, and nothing that was deleted."""

from __future__ import annotations

import pytest

from sightline.errors import InputError
from sightline.protocols import Store
from sightline.types import Item, Part


def item(item_id: str, *texts: str | None) -> Item:
    parts = [
        Part(f"{item_id}#{at}", item_id, "image" if text is None else "text", f"{item_id}{at}" * 8, text=text)
        for at, text in enumerate(texts)
    ]
    return Item(item_id, {"colour": "red"}, (*parts,))


def test_texts_are_those_of_the_parts_as_written(store: Store) -> None:
    assert list(store.texts(10)) == []
    store.upsert([item("mug", "A Red MUG, café", None), item("tent", "Two tents", "for hikers")], [])
    assert sorted(store.texts(10)) == ["A Red MUG, café", "Two tents", "for hikers"]
    assert len(list(store.texts(2))) == 2
    store.delete(["tent"])
    store.upsert([item("mug", "A blue mug")], [])
    assert list(store.texts(10)) == ["A blue mug"]


def test_texts_want_a_number_of_at_least_one(store: Store) -> None:
    with pytest.raises(InputError, match="at least 1"):
        list(store.texts(0))
