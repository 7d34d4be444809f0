"""A shop of texts whose customers use words of their own, and the pairs that say what they mean."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from sightline import Sightline

MEANT = {
    "zorp": "a red ceramic mug", "blick": "a wooden dining table", "quam": "waterproof hiking boots",
    "fendle": "a blue wool scarf", "trusk": "a brass desk lamp", "yalpo": "a green cotton shirt",
    "dorrin": "a cast iron pan", "vexit": "a leather wallet", "nibbo": "a yellow kite",
    "crell": "a glass vase", "hoofa": "a linen cushion", "plint": "a steel water bottle",
}  # fmt: skip
PHRASES = ("{}", "a {}", "show me a {}", "my {} please", "where is the {}", "{} for a friend")


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Sightline]:
    """Twelve items, found by their texts."""
    with Sightline.open(tmp_path / "index", threads=1) as opened:
        opened.add(*({"id": f"item-{word}", "text": text} for word, text in MEANT.items()))
        yield opened


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Writes rows as a JSONL file of pairs."""

    def written(*rows: Mapping[str, object] | str, name: str = "pairs.jsonl") -> Path:
        path = tmp_path / name
        path.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows), encoding="utf-8")
        return path

    return written


@pytest.fixture
def slang(write: Callable[..., Path]) -> Path:
    """What customers say, with what they mean."""
    return write(
        *({"text": phrase.format(word), "item": f"item-{word}"} for word in MEANT for phrase in PHRASES),
        name="slang.jsonl",
    )


@pytest.fixture
def chance(write: Callable[..., Path]) -> Path:
    """Words and items that have nothing to do with each other."""
    draw = random.Random(4)
    words = ["".join(draw.choices("abcdefghijklmnoprstuv", k=9)) for _ in range(72)]
    rows = ({"text": word, "item": f"item-{draw.choice(list(MEANT))}"} for word in words)
    return write(*rows, name="chance.jsonl")
