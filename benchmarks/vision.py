"""What a vision-language model says of pictures it was not trained on: short answers, counts, one-line captions.

Drawn products of held-out kinds and colours, grocery val photos, Flickr8k dev photos; each beside the answer that is
given most often, which a model that does not look at all could give.

    python -m benchmarks.vision --data DIR [--model vlm:starter] [--photos 200] [--out benchmarks/results]
"""

from __future__ import annotations

import argparse
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from benchmarks.report import circumstances, write
from sightline import media
from sightline.mllms import open_vision
from sightline.types import Pixels
from training.mllm import swaps
from training.mllm.questions import COLOUR, MADE_OF, PATTERN, WHAT, about_photo, about_product
from training.starter.sources import Picture, read

Asked = tuple[str, Pixels, str]  # question, picture, right answer


def drawn(products: int) -> list[Asked]:
    """Questions about held-out drawn products, but for their kind, which no held-out product's name could be known."""
    asked: list[Asked] = []
    for one in swaps.choose("test", products // 2):
        seen = swaps.picture(one)
        told = {lesson.question: lesson.answer for lesson in about_product(one.product, one.seed)}
        asked += [(question, seen, answer) for question, answer in told.items()
                  if question in (COLOUR, MADE_OF, PATTERN) or question.startswith("What colour are")]  # fmt: skip
    return asked


def grocery(photos: Sequence[tuple[Picture, bytes]]) -> list[Asked]:
    """What is this? The class of a val photo."""
    return [(WHAT, media.decode(raw), one.labels["coarse"].replace("-", " ").lower()) for one, raw in photos]


def counts(photos: Sequence[tuple[Picture, bytes]]) -> list[Asked]:
    """How many dogs, children …, where the captions of a dev photo agree on it."""
    return [(lesson.question, media.decode(raw), lesson.answer)
            for one, raw in photos for lesson in about_photo(one.labels, Random(0))
            if lesson.question.startswith("How many")]  # fmt: skip


def right(model: Any, asked: Sequence[Asked]) -> dict[str, Any]:
    """Share answered right, by question, beside the share of the commonest answer."""
    said = model.answers([(question, seen) for question, seen, _ in asked], max_tokens=8)
    found: dict[str, list[tuple[bool, str]]] = {}
    for (question, _, answer), one in zip(asked, said, strict=True):
        kind = "What colour are the …?" if question.startswith("What colour are") else question
        kind = "How many …?" if question.startswith("How many") else kind
        found.setdefault(kind, []).append((one.rstrip(" .").lower() == answer.lower(), answer))
    return {
        kind: {
            "asked": len(rows),
            "right": round(float(np.mean([hit for hit, _ in rows])), 3),
            "commonest answer": round(Counter(answer for _, answer in rows).most_common(1)[0][1] / len(rows), 3),
        }
        for kind, rows in sorted(found.items())
    }


def captions(model: Any, photos: Sequence[tuple[Picture, bytes]]) -> dict[str, Any]:
    """Words shared with the best of a photo's five captions (F1), beside one caption said of every photo."""
    said = model.captions([media.decode(raw) for _, raw in photos])
    own = [one.labels["captions"] for one, _ in photos]
    constant = Counter(said).most_common(1)[0][0]
    return {
        "photos": len(photos),
        "word F1": round(float(np.mean([_alike(a, b) for a, b in zip(said, own, strict=True)])), 3),
        "word F1 of one caption for all": round(float(np.mean([_alike(constant, b) for b in own])), 3),
        "different captions": len(set(said)),
        "examples": [{"said": a, "by people": b[0]} for a, b in list(zip(said, own, strict=True))[:8]],
    }


def _alike(said: str, people: Sequence[str]) -> float:
    mine = Counter(re.findall(r"[a-z]+", said.lower()))
    best = 0.0
    for one in people:
        theirs = Counter(re.findall(r"[a-z]+", one.lower()))
        shared = sum((mine & theirs).values())
        best = max(best, 2 * shared / max(1, mine.total() + theirs.total()))
    return best


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder that holds the tars")
    parser.add_argument("--model", default="vlm:starter", help="vlm:starter or vlm:FOLDER")
    parser.add_argument("--photos", type=int, default=200, help="of each kind")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    model = open_vision(given.model)
    shop = [pair for pair in read(given.data, ("grocery",)) if pair[0].split == "val"][: given.photos]
    photos = [pair for pair in read(given.data, ("flickr8k",)) if pair[0].split == "val"]
    write(given.out, "vision", {
        "circumstances": circumstances(encoder="none") | {"model": given.model},
        "drawn products": right(model, drawn(given.photos)),
        "grocery val": right(model, grocery(shop)),
        "flickr8k dev counts": right(model, counts(photos)[: given.photos]),
        "flickr8k dev captions": captions(model, photos[: given.photos]),
    })  # fmt: skip


if __name__ == "__main__":
    main()
