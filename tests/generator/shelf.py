"""A small real collection for the tests: rows and texts as items, searched by BM25 over their words."""

from __future__ import annotations

import hashlib
import json
import math
import tarfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from generator.words import words
from sightline.types import Hit, Item, Locator, Part, Query, Results


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def product(row: Mapping[str, Any]) -> Item:
    """A catalog row as the indexer makes an item of it."""
    known = str(row["id"])
    fields = {key: value for key, value in row.items() if key not in ("id", "text", "image")}
    parts = []
    if row.get("image"):
        parts.append(Part(f"{known}#image-0", known, "image", _digest(known), uri=str(row["image"])))
    if row.get("title"):
        title = str(row["title"])
        parts.append(Part(f"{known}#title", known, "text", _digest(title), text=title, locator=Locator(field="title")))
    if row.get("text"):
        text = str(row["text"])
        span = Locator(chars=(0, len(text)))
        parts.append(Part(f"{known}#text-0", known, "text", _digest(text), text=text, locator=span))
    written = "\n".join(f"{name}: {value}" for name, value in fields.items())
    parts.append(Part(f"{known}#fields", known, "fields", _digest(written), text=written))
    return Item(known, fields, tuple(parts), _digest(written))


def document(path: str, text: str, *, cut: int = 700) -> Item:
    """A text file as an item of passages with character spans."""
    parts = []
    start = 0
    while start < len(text):
        end = len(text) if start + cut >= len(text) else max(text.rfind("\n", start, start + cut), start + 1)
        span = Locator(chars=(start, end))
        parts.append(
            Part(f"{path}#text-{len(parts)}", path, "text", _digest(text[start:end]), path, text[start:end], span)
        )
        start = end
    return Item(path, {}, tuple(parts), _digest(text))


class Shelf:
    """Items in memory, found by BM25 over stems."""

    def __init__(self, items: Sequence[Item]) -> None:
        self.items = list(items)
        self._bags = [
            Counter(w.stem for part in item.parts for w in words(f"{part.text or ''} {item.id}")) for item in items
        ]
        self._idf: dict[str, float] = {}
        seen = Counter(word for bag in self._bags for word in bag)
        self._idf = {word: math.log(1 + (len(items) - n + 0.5) / (n + 0.5)) for word, n in seen.items()}

    def search(self, query: Query, k: int) -> Results:
        asked = {word.stem for word in words(query.text)}
        mean = sum(bag.total() for bag in self._bags) / max(1, len(self._bags))
        scored = []
        for item, bag in zip(self.items, self._bags, strict=True):
            length = 0.25 + 0.75 * bag.total() / mean
            score = sum(self._idf.get(w, 0.0) * bag[w] * 2.2 / (bag[w] + 1.2 * length) for w in asked)
            if score > 0 or query.pictures:
                scored.append((score, item))
        scored.sort(key=lambda pair: (-pair[0], pair[1].id))
        hits = [Hit(item, item.parts, score, rank, ("words",)) for rank, (score, item) in enumerate(scored[:k], 1)]
        return Results(tuple(hits))


def outdoor(folder: Path) -> list[dict[str, Any]]:
    """The rows of the outdoor catalog, under the names of a catalog row."""
    with tarfile.open(folder / "outdoor_catalog.tar") as tar:
        member = next(m for m in tar.getmembers() if m.name.endswith("catalog.json"))
        opened = tar.extractfile(member)
        assert opened is not None
        rows = json.load(opened)
    return [
        {
            "id": str(r["Id"]), "title": r["Name"], "text": r["Description"], "image": f"images/{r['Id']}.webp",
            "type": r["Type"], "brand": r["Brand"], "price": r["Price"],
        }
        for r in rows
    ]  # fmt: skip


DOCUMENTS = {
    "care/returns.md": (
        "# Returns\n\nYou can send anything back within 30 days of delivery. Worn shoes cannot be returned. "
        "Return shipping is paid by the customer.\n\n## Refunds\n\nThe money is back on your card after 14 days.\n"
    ),
    "care/warranty.md": "# Warranty\n\nAll our tents carry a five-year warranty.\nJackets are covered for two years.\n",
    "care/gifts.md": "# Gift wrapping\n\nEvery product in the shop can be wrapped. Gift wrapping costs 3.50 EUR.\n",
    "care/shipping.txt": (
        "Shipping\n\nWe ship to Norway, Sweden and the EU.\n"
        "Standard shipping costs 4.90 EUR and takes 2 to 4 working days.\nExpress shipping costs 12.90 EUR.\n"
    ),
    "care/leather.md": (
        "# Leather\n\n- Clean leather boots with a damp cloth.\n- Wax them twice a year, approx. every 6 months.\n"
    ),
}

GOODS: list[dict[str, Any]] = [
    {
        "id": "b-1",
        "title": "Tarn Walking Boots",
        "text": "A boot for wet moors. It keeps the rain out all day.",
        "cost_eur": 129.5,
        "fabric": "waxed leather",
        "made_in": "Portugal",
        "shade": "chestnut brown",
        "weight_g": 940,
        "shipping_eur": 4.9,
    },
    {
        "id": "b-2",
        "title": "Tarn Summer Boots",
        "text": "A light boot for dry paths [7]. It weighs next to nothing.",
        "cost_eur": 89.0,
        "fabric": "cotton canvas",
        "made_in": "Spain",
        "shade": "sand",
        "weight_g": 610,
        "shipping_eur": 4.9,
    },
    {
        "id": "t-1",
        "title": "Fell 3-Person Tent",
        "text": "The Fell sleeps three people. Its fly has a water column of 4000 mm.",
        "cost_eur": 310,
        "fabric": "ripstop nylon",
        "made_in": "Estonia",
        "shade": "moss green",
        "weight_g": 2800,
    },
    {
        "id": "t-2",
        "title": "Lark 1-Person Tent",
        "text": "A small tent for one. The floor is 210 cm long.",
        "cost_eur": 190,
        "fabric": "polyester",
        "made_in": "Estonia",
        "shade": "orange",
        "weight_g": 1300,
    },
    {
        "id": "m-1",
        "title": "Kelda Mug",
        "text": "Holds 350 ml and keeps tea warm.",
        "cost_eur": 14.0,
        "fabric": "stoneware",
    },
]
