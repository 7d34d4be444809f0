"""A shelf of items in a real store, embedded by an encoder that sees colour and shape."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from sightline.protocols import Store
from sightline.stores import open_store
from sightline.types import Content, Fields, Item, Modality, Part, PartVectors
from tests.retriever.colours import ColourEncoder, picture

Shelve: TypeAlias = Callable[..., Item]


@pytest.fixture
def encoder() -> ColourEncoder:
    return ColourEncoder()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store("faiss", tmp_path / "store", collection="shelf")


@pytest.fixture
def shelve(store: Store, encoder: ColourEncoder) -> Shelve:
    """`shelve(id, pictures=["red tall"], texts=["..."], **fields)` puts one item into the store."""

    def put(item_id: str, *, pictures: Sequence[str] = (), texts: Sequence[str] = (), **fields: str | float) -> Item:
        item, vectors = _item(item_id, pictures, texts, fields, encoder)
        store.upsert([item], vectors)
        return item

    return put


@pytest.fixture
def shelve_all(store: Store, encoder: ColourEncoder) -> Callable[[Sequence[dict[str, Any]]], None]:
    """Put many items into the store at once, each by the arguments of `shelve`."""

    def put(rows: Sequence[dict[str, Any]]) -> None:
        made = [
            _item(row["id"], row.get("pictures", ()), row.get("texts", ()), row.get("fields", {}), encoder)
            for row in rows
        ]
        store.upsert([item for item, _ in made], [one for _, vectors in made for one in vectors])

    return put


def _item(
    item_id: str, pictures: Sequence[str], texts: Sequence[str], fields: Fields, encoder: ColourEncoder
) -> tuple[Item, list[PartVectors]]:
    named: list[tuple[Part, Content]] = []
    for at, words in enumerate(pictures):
        named.append((_part(item_id, "image", at, words), (picture(*words.split()),)))
    for at, text in enumerate(texts):
        named.append((_part(item_id, "text", at, text, text=text), (text,)))
    parts = [part for part, _ in named]
    if fields:
        written = "\n".join(f"{name}: {value}" for name, value in fields.items())
        parts.append(Part(f"{item_id}#fields", item_id, "fields", _digest(written), text=written))
    rows = encoder.encode_documents([content for _, content in named]) if named else []
    vectors = [PartVectors(part.id, encoder.space, row[None]) for (part, _), row in zip(named, rows, strict=True)]
    return Item(item_id, fields, tuple(parts), _digest(repr(parts))), vectors


def _part(item_id: str, kind: Modality, at: int, said: str, *, text: str | None = None) -> Part:
    return Part(f"{item_id}#{kind}-{at}", item_id, kind, _digest(kind + said), text=text)


def _digest(said: str) -> str:
    return hashlib.sha256(said.encode()).hexdigest()
