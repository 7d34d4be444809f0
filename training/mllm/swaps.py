"""Products whose two colours can trade places: "red mug with blue stripes" and "blue mug with red stripes".

Knows which of them are held out and draws both of each pair; knows nothing of models or of questions.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from functools import cache
from multiprocessing import Pool
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from training.renderer import Product, captions, render, sample_product
from training.renderer.kinds import KINDS
from training.renderer.products import colours_for
from training.renderer.surfaces import COLOURS
from training.renderer.wording import pattern_phrase
from training.starter.prepare_pictures import SIZE
from training.starter.prepare_rendered import FIRST_SEED as STARTER_SEED
from training.starter.prepare_rendered import SIDE
from training.starter.sources import held_out

PATTERNS = ("striped", "vertical stripes", "dotted", "zigzag", "floral", "starry", "hearts")
FIRST_SEED = {"train": 1_000_000, "test": 2_000_000}
STARTER_DRAWN = 6_000  # products the starter encoder was trained on
APART = 0.42  # least distance of two colours in RGB of 0-1, so that each keeps its own name
_ODD = ("string lights", "building blocks", "pencils")  # their colours are not a ground and a pattern


@dataclass(frozen=True, slots=True)
class Drawn:
    """A product, the seed of its surroundings, and what may be done with it."""

    product: Product
    seed: int
    split: str  # "train", "test", or "none" for what shares half of a held-out combination


def swapped(product: Product) -> Product:
    """The same product with its two colours exchanged."""
    return replace(product, colours=product.colours[::-1])


def phrase(product: Product) -> str:
    """Kind, ground and pattern: "red mug with blue stripes"."""
    return f"{product.colours[0]} {product.kind} {pattern_phrase(product)}"


def swappable(product: Product) -> bool:
    """Whether its colours could trade places and both products would be believable and told apart."""
    if product.pattern not in PATTERNS or product.kind in _ODD or len(product.colours) != 2:
        return False
    first, second = product.colours
    ground = colours_for(KINDS[product.kind], product.material)
    return far_apart(first, second) and first in ground and second in ground


def far_apart(first: str, second: str) -> bool:
    """Whether two colours of the renderer are told apart at a glance."""
    return float(np.linalg.norm(np.subtract(COLOURS[first], COLOURS[second]))) / 255 > APART


def split_of(product: Product) -> str:
    """Where a product with a pattern belongs: kinds and colour pairs are held out, and tested, together only."""
    if product.pattern == "plain" or len(product.colours) != 2:
        return "train"
    kind_out = held_out(f"kind|{product.kind}", 6)
    pair_out = held_out("|".join(sorted(product.colours)), 6)
    if not kind_out and not pair_out:
        return "train"
    return "test" if kind_out and pair_out and _combination(product) not in _starter_saw() else "none"


def _combination(product: Product) -> tuple[str, str, str]:
    first, second = sorted(product.colours)
    return product.kind, first, second


@cache
def _starter_saw() -> frozenset[tuple[str, str, str]]:
    """Kinds with their two colours, in either order, that the starter encoder was trained on."""
    seen = (sample_product(seed) for seed in range(STARTER_SEED, STARTER_SEED + STARTER_DRAWN))
    return frozenset(_combination(product) for product in seen if len(product.colours) == 2)


def choose(split: str, pairs: int) -> list[Drawn]:
    """Draw `pairs` products of a split by lot and put each one's swap behind it: 2 * pairs, other surroundings each."""
    made: list[Drawn] = []
    seed = FIRST_SEED[split]
    names = tuple(COLOURS)
    while len(made) < 2 * pairs:
        seed += 1
        product = sample_product(seed)
        rng = np.random.default_rng([seed, 9])
        if product.pattern not in PATTERNS:
            continue
        product = replace(product, colours=(product.colours[0], names[int(rng.integers(len(names)))]))
        if not swappable(product) or split_of(product) != split:
            continue
        made += [Drawn(product, seed, split), Drawn(swapped(product), seed + 10_000_000, split)]
    return made


def picture(drawn: Drawn) -> np.ndarray:
    """The product drawn, (SIDE, SIDE, 3) uint8."""
    return np.asarray(render(drawn.product, seed=drawn.seed, size=SIDE).convert("RGB"))


def _draw(drawn: Drawn) -> np.ndarray:
    return np.asarray(Image.fromarray(picture(drawn)).resize((SIZE, SIZE), Image.Resampling.BICUBIC))


def draw(work: Path, pairs: int, processes: int) -> None:
    """Write `swaps.npy` (2 * pairs, S, S, 3) and `swaps.json` to train on, a pair's two rows side by side."""
    work.mkdir(parents=True, exist_ok=True)
    chosen = choose("train", pairs)
    with Pool(processes) as pool:
        np.save(work / "swaps.npy", np.stack(list(pool.imap(_draw, chosen, chunksize=16))))
    (work / "swaps.json").write_text(json.dumps([asdict(one) for one in chosen]))
    print(f"{pairs} pairs drawn", flush=True)


def load(work: Path) -> list[Drawn]:
    """The products of `swaps.json`, in the order of the pictures."""
    rows: list[dict[str, Any]] = json.loads((work / "swaps.json").read_text())
    return [Drawn(_product(row["product"]), row["seed"], row["split"]) for row in rows]


def _product(row: dict[str, Any]) -> Product:
    return Product(**{**row, "colours": tuple(row["colours"])})


def sentences(product: Product) -> list[str]:
    """True phrases that name both colours, the plainest first."""
    return list(dict.fromkeys([phrase(product), *(text for text in captions(product) if product.colours[1] in text)]))
