"""Small catalogs with vectors of known places, and the exact answers by numpy that every store is held to."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sightline.protocols import Store
from sightline.types import Fields, Item, Locator, Modality, Part, PartVectors, Space, Vectors

DIM = 16
SPACE = Space("pictures", DIM, "a" * 64)
OTHER = Space("words", 8, "b" * 64)


def unit(n: int, dim: int = DIM, *, seed: int = 0) -> Vectors:
    """(n, dim) random unit rows."""
    rows = np.random.default_rng(seed).standard_normal((n, dim)).astype(np.float32)
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def item(name: str, *parts: tuple[str, Modality, str | None], digest: str = "", **fields: object) -> Item:
    """An item; each part is (what follows # in its id, modality, text)."""
    made = tuple(
        Part(f"{name}#{end}", name, modality, digest=f"digest of {name}#{end}{digest}", text=text)
        for end, modality, text in parts
    )
    return Item(name, fields=fields, parts=made, digest=f"digest of {name}{digest}")  # type: ignore[arg-type]


def pictures(n: int, *, fields: Sequence[Fields] = (), seed: int = 0) -> tuple[list[Item], list[PartVectors], Vectors]:
    """n items of one picture each, their vectors, and the same as (n, dim) in the order of the items."""
    vectors = unit(n, seed=seed)
    items = [item(f"item-{i:03d}", ("image-0", "image", None), **(fields[i] if fields else {})) for i in range(n)]
    return items, [PartVectors(one.parts[0].id, SPACE, vectors[i : i + 1]) for i, one in enumerate(items)], vectors


def nearest(ids: Sequence[str], vectors: Vectors, query: Vectors, k: int) -> list[tuple[str, float]]:
    """The truth: the k ids of highest cosine with one (dim,) query, ties by id."""
    scores = vectors.astype(np.float64) @ query.astype(np.float64)  # (n, dim) @ (dim,) -> (n,)
    return sorted(zip(ids, scores.tolist(), strict=True), key=lambda pair: (-round(pair[1], 6), pair[0]))[:k]


EVERYTHING = Item(
    "all/of it.jpg",
    fields={
        "title": "A mug",
        "price": 19.5,
        "stock": 3,
        "new": True,
        "colour": ("Red", "blue"),
        "one": ("x",),
        "Größe": "ß",
        "my field": -7,
        "empty": "",
        "none": (),
        "a.b": "dots",
        'quo"te': "'",
    },
    parts=(
        Part("all/of it.jpg#image-0", "all/of it.jpg", "image", "d0", uri="all/of it.jpg"),
        Part(
            "all/of it.jpg#text-0",
            "all/of it.jpg",
            "text",
            "d1",
            uri="notes.md",
            text="A mug that keeps warm.",
            locator=Locator(page=2, box=(0.0, 0.25, 0.5, 1.0), chars=(0, 22), time_s=(1.5, 2.0), field="text"),
            derived_by="ocr",
        ),
        Part("all/of it.jpg#fields", "all/of it.jpg", "fields", "d2", text="price: 19.5"),
    ),
    digest="whole",
)


def found(store: Store, query: np.ndarray, k: int = 10, **how: object) -> list[str]:
    """Ids of the items of the k parts nearest to one (dim,) query in SPACE."""
    return [hit.item_id for hit in store.search(SPACE, query.reshape(1, -1), k, **how)[0]]  # type: ignore[arg-type]
