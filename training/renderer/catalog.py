"""Writes the sample shop: about 240 products with pictures, as `catalog.jsonl` and a folder of WebP files.
It knows how to choose and describe products; hand-written documents beside the catalog are left alone."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from training.renderer.kinds import KINDS, Kind
from training.renderer.picture import render
from training.renderer.products import Product, sample_product
from training.renderer.prose import BRANDS, EXTRAS, MATERIAL_CARE, MODELS, WARRANTY_YEARS
from training.renderer.wording import colour_word, material_word, name, pattern_phrase

__all__ = ["choose_products", "describe", "write_catalog"]

_EXTRA_PRODUCTS = {"mug": 1, "t-shirt": 1, "backpack": 1}
_PER_KIND = 3
_PICTURE_PX = 320
_QUALITY = 80


def _one(rng: np.random.Generator, options: Sequence[str]) -> str:
    return options[int(rng.integers(len(options)))]


def choose_products(seed: int) -> list[tuple[str, Product]]:
    """Ids and products, three or more of each kind, unlike each other in colour and, where possible, in pattern."""
    chosen = []
    for index, kind in enumerate(KINDS.values()):
        count = _PER_KIND + _EXTRA_PRODUCTS.get(kind.name, 0)
        for number, product in enumerate(_choose(kind, count, seed * 1_000_000 + index * 1000), start=1):
            chosen.append((f"{kind.name.replace(' ', '-')}-{number:03d}", product))
    return chosen


def _choose(kind: Kind, count: int, seed: int) -> list[Product]:
    found: list[Product] = []
    for trial in range(900):
        product = sample_product(seed + trial, kind=kind.name)
        if trial < 600:  # be choosy first, then take what comes
            if any(product.colours[0] == other.colours[0] for other in found):
                continue
            if any(product.pattern == other.pattern != "plain" for other in found):
                continue
            if len(found) == 1 and kind.patterns and found[0].pattern == product.pattern == "plain":
                continue
        if any((name(product), product.colours) == (name(other), other.colours) for other in found):
            continue
        found.append(product)
        if len(found) == count:
            break
    return found


def _filled(template: str, rng: np.random.Generator) -> str:
    """A template with each "{lo-hi/step}" replaced by a number."""

    def number(match: re.Match[str]) -> str:
        low, high, step = (int(g) for g in match.groups())
        return str(low + step * int(rng.integers((high - low) // step + 1)))

    return re.sub(r"\{(\d+)-(\d+)/(\d+)\}", number, template)


def _title(product: Product, rng: np.random.Generator) -> str:
    plain = name(product)
    model = _one(rng, MODELS)
    detail = pattern_phrase(product)
    form = int(rng.integers(3))
    if form == 0 or product.kind in ("string lights", "building blocks"):
        return plain[:1].upper() + plain[1:]
    if form == 1 or not detail:
        return f"{model} {plain}"
    noun = plain.replace(product.colours[0] + " ", "", 1)
    return f"{noun[:1].upper()}{noun[1:]} {model}, {product.colours[0]} {detail}"


def _look(product: Product, rng: np.random.Generator) -> str:
    detail = pattern_phrase(product)
    colour = colour_word(product)
    if product.kind == "pencils" and product.form == "coloured":
        return "The colours are red, orange, yellow, green, blue and purple."
    if product.kind in ("string lights", "building blocks"):
        return f"The {'bulbs' if product.kind == 'string lights' else 'cubes'} are {colour}."
    phrase = f"{colour} {detail}".strip()
    material = material_word(product).replace("wooden", "wood")
    subject = "They are" if KINDS[product.kind].unit else "This one is"
    options = [f"The colour is {phrase}.", f"{subject} {phrase}.", f"Shown here in {phrase}."]
    if material:
        options.append(f"Made of {material}, in {phrase}.")
    return _one(rng, options)


def describe(product: Product, rng: np.random.Generator) -> str:
    """Three or four sentences about a product; which facts it states is drawn by lot."""
    kind = KINDS[product.kind]
    sentences = [_one(rng, kind.openings), _look(product, rng), _filled(_one(rng, kind.facts), rng)]
    roll = rng.random()
    if roll < 0.55:
        sentences.append(_one(rng, kind.care or MATERIAL_CARE[product.material]))
    elif roll < 0.75 and product.category in WARRANTY_YEARS:
        sentences.append(f"The warranty is {WARRANTY_YEARS[product.category]} years.")
    elif roll < 0.85:
        wrapped = product.category not in ("furniture", "outdoor")
        sentences.append(_one(rng, (*EXTRAS, "Gift wrapping is available.") if wrapped else EXTRAS))
    return " ".join(sentences)


def _price(kind: Kind, rng: np.random.Generator) -> float:
    low, high = kind.price
    return float(int(rng.integers(low, high))) + (0.9 if high < 200 else 0.0)


def _row(item: str, product: Product, images: list[str], rng: np.random.Generator) -> dict[str, object]:
    kind = KINDS[product.kind]
    row: dict[str, object] = {
        "id": item,
        "title": _title(product, rng),
        "text": describe(product, rng),
        "images": images,
        "brand": _one(rng, BRANDS[kind.category]),
        "category": kind.category,
        "kind": kind.name,
        "colour": colour_word(product),
        "material": "stainless steel" if product.material == "steel" else product.material,
        "pattern": product.pattern,
        "price": _price(kind, rng),
        "currency": "EUR",
        "stock": int(rng.integers(0, 60)) if rng.random() > 0.06 else 0,
    }
    if rng.random() < 0.7:  # new products have no ratings yet
        row["rating"] = round(float(rng.uniform(3.4, 5.0)), 1)
    return row


def write_catalog(out: Path, seed: int) -> int:
    """Write `catalog.jsonl` and `images/` under `out`, replacing earlier ones; returns the number of products."""
    folder = out / "images"
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.webp"):
        old.unlink()
    rows = []
    for item, product in choose_products(seed):
        rng = np.random.default_rng([seed, product.seed, 4])
        images = []
        for view in range(int(rng.choice([1, 1, 2, 2, 3]))):
            path = f"images/{item}-{view + 1}.webp"
            picture = render(product, seed=seed, view=view, size=_PICTURE_PX)
            picture.save(out / path, "WEBP", quality=_QUALITY, method=4)
            images.append(path)
        rows.append(_row(item, product, images, rng))
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (out / "catalog.jsonl").write_text(lines, encoding="utf-8")
    return len(rows)
