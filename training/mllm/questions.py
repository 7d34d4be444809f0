"""Asks about a picture what its source truly states: does a text match it, what is it, which colour, how many.

Knows the starter's caches of facts and sentences and the drawn swaps; knows nothing of pixels, tokens or models. A "no"
is asked for only where the facts prove the text wrong.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from sightline.mllms.asking import CAPTION, match_question
from training.mllm import swaps
from training.renderer import Product, captions, sample_product, scene
from training.renderer.wording import material_word, pattern_phrase
from training.starter.sentences import ARTICLES, CLOTHING, NAMES
from training.starter.words import with_article

SHARES = {  # of a batch
    "swaps": 0.30, "flickr8k": 0.27, "grocery": 0.13, "rendered": 0.10, "fashion": 0.08, "clothing": 0.06,
    "caltech101": 0.03, "imagenette": 0.02, "pacs_photo": 0.01,
}  # fmt: skip
WHAT, COLOUR, MADE_OF, PATTERN = "What is this?", "What colour is it?", "What is it made of?", "What pattern is on it?"
PARTS = {"striped": "stripes", "vertical stripes": "stripes", "dotted": "dots", "floral": "flowers", "starry": "stars",
         "hearts": "hearts", "checked": "checks", "speckled": "speckles"}  # fmt: skip
COLOUR_WORDS = ("red", "blue", "green", "yellow", "black", "white", "pink", "orange", "brown", "purple", "grey")
COUNTED = {"dogs": "dog", "men": "man", "women": "woman", "boys": "boy", "girls": "girl", "children": "child",
           "people": "person"}  # fmt: skip
NUMBERS = ("two", "three", "four", "five")
_SAID_COLOUR = re.compile(rf"\b({'|'.join(COLOUR_WORDS)})\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Lesson:
    """A question about one picture and its whole answer.

    Where it asks whether `text` matches, a true text is itself a lesson, word by word; a wrong one is true as far as it
    begins like one of `truths`, and from there on wrong.
    """

    question: str
    answer: str
    text: str = ""
    truths: tuple[str, ...] = ()


class Lessons:
    """Questions and answers for every picture that may be trained on, by row; the drawn swaps come after all others."""

    def __init__(self, starter: Path, work: Path) -> None:
        self.pictures: list[dict[str, Any]] = json.loads((starter / "pictures.json").read_text())
        links = json.loads((starter / "links.json").read_text())
        self.texts: list[str] = json.loads((starter / "texts.json").read_text())
        self.facts = [frozenset(facts) for facts in links["facts"]]
        self.linked = [[(int(row), float(weight)) for row, weight in pairs] for pairs in links["linked"]]
        self.needs = {row: frozenset(needs) for row, needs in enumerate(links["needs"])}
        self.needs |= {int(row): frozenset(needs) for row, needs in links.get("more_needs", [])}
        self.drawn = swaps.load(work)
        hard = work / "flickr_hard.json"
        self.hard: dict[int, list[int]] = (
            {int(row): texts for row, texts in json.loads(hard.read_text()).items()} if hard.exists() else {}
        )
        self.pools = {source: rows for source in SHARES if (rows := self._rows(source))}

    def _rows(self, source: str) -> list[int]:
        if source == "swaps":
            return list(range(len(self.pictures), len(self.pictures) + len(self.drawn)))
        alike = (source, "grocery_iconic") if source == "grocery" else (source,)
        return [row for row, one in enumerate(self.pictures) if one["source"] in alike and self._may_train(row)]

    def _may_train(self, row: int) -> bool:
        one = self.pictures[row]
        if one["split"] != "train" or not self.linked[row]:
            return False
        return one["source"] != "rendered" or swaps.split_of(product_of(int(one["name"]))) == "train"

    def choose(self, rng: Random, count: int, shares: Mapping[str, float] = SHARES) -> list[int]:
        """`count` rows, sources by their shares."""
        sources = rng.choices(list(self.pools), [shares.get(source, 0.0) for source in self.pools], k=count)
        return [rng.choice(self.pools[source]) for source in sources]

    def of(self, row: int, rng: Random, *, yes: int = 2, no: int = 3) -> list[Lesson]:
        """What is asked of one picture this time: `yes` true and `no` false matches, and one or two other questions."""
        if row >= len(self.pictures):
            return self._about_drawn(self.drawn[row - len(self.pictures)], rng, yes, no)
        one = self.pictures[row]
        texts, weights = zip(*self.linked[row], strict=True)
        matched = [self.texts[text] for text in rng.choices(texts, weights, k=yes)]
        wrong = [text for _ in range(no) if (text := self._wrong(row, rng)) is not None]
        asked = _matches(matched, wrong)
        others = _OTHERS[one["source"]](one["labels"] | {"name": one["name"]}, rng)
        return [*asked, *rng.sample(others, min(2, len(others)))]

    def facets(self, row: int) -> dict[str, str]:
        """What a picture shows, one word for each facet that its source states; colours bound to their places."""
        if row >= len(self.pictures):
            return facets_of(self.drawn[row - len(self.pictures)].product)
        one = self.pictures[row]
        if one["source"] == "rendered":
            return facets_of(product_of(int(one["name"])))
        fine = one["labels"].get("fine")
        return {"fine": fine} if fine else {}

    def true_text(self, row: int, rng: Random) -> str:
        """One text that is true of a picture."""
        if row >= len(self.pictures):
            return swaps.phrase(self.drawn[row - len(self.pictures)].product)
        texts, weights = zip(*self.linked[row], strict=True)
        return self.texts[rng.choices(texts, weights)[0]]

    def _about_drawn(self, drawn: swaps.Drawn, rng: Random, yes: int, no: int) -> list[Lesson]:
        product = drawn.product
        true = said_of(product, drawn.seed)
        others = [said_of(swaps.swapped(product), drawn.seed)] * 2
        others += [said_of(recoloured(product, rng), drawn.seed) for _ in range(no - 2)]
        wrong = [rng.choice([text for text in other if text not in true]) for other in others]
        asked = about_product(product, drawn.seed)
        return [*_matches(rng.sample(true, yes), wrong[:no], tuple(true)), *rng.sample(asked, min(2, len(asked)))]

    def _wrong(self, row: int, rng: Random) -> str | None:
        """A text that is not true of the picture, near misses before far ones; None where none was found."""
        source = self.pictures[row]["source"]
        own = self.facts[row]
        if source == "flickr8k":
            lot = rng.random()
            if lot < 0.45 and self.hard.get(row):
                return self.texts[rng.choice(self.hard[row])]
            if lot < 0.6 and (changed := other_colour(self.texts[rng.choice(self.linked[row])[0]], rng)):
                return changed
        pool = self.pools["grocery" if source == "grocery_iconic" else source]
        found: list[tuple[int, int]] = []
        for _ in range(12):
            text = rng.choice(self.linked[rng.choice(pool)])[0]
            needs = self.needs.get(text)
            if needs and not needs <= own:
                found.append((len(needs & own), text))
            if len(found) == (1 if rng.random() < 0.5 else 4):
                break
        return self.texts[max(found)[1]] if found else None


def _matches(true: list[str], wrong: list[str], truths: tuple[str, ...] = ()) -> list[Lesson]:
    asked = [Lesson(match_question(text), "yes", text) for text in true]
    return asked + [Lesson(match_question(text), "no", text, truths) for text in wrong]


def facets_of(product: Product) -> dict[str, str]:
    """Kind, pattern and material of a drawn product, and which colour is its ground and which its pattern."""
    found = {"kind": product.kind, "pattern": product.pattern, "material": product.material}
    found["ground"] = product.colours[0]
    return found | ({"figure": product.colours[1]} if len(product.colours) == 2 else {})


@cache
def product_of(seed: int) -> Product:
    """The product drawn from a seed."""
    return sample_product(seed)


def recoloured(product: Product, rng: Random) -> Product:
    """The product with one of its two colours changed to another that looks different."""
    place = rng.randrange(2)
    own = product.colours
    options = [c for c in swaps.COLOURS if swaps.far_apart(c, own[place]) and swaps.far_apart(c, own[1 - place])]
    colours = [*own]
    colours[place] = rng.choice(options)
    return swaps.replace(product, colours=tuple(colours))


def said_of(product: Product, seed: int) -> list[str]:
    """Phrases that name a colour, the plainest first; said of its swap in the same surroundings, none of them is true.

    The forms are the same for what is true and what is not, so that the words alone do not give the answer away.
    """
    bound = (f"{product.colours[0]} {product.kind}", pattern_phrase(product).removeprefix("with "))
    whole = (*swaps.sentences(product), *captions(product, scene(product, seed)))
    colours = product.colours
    return list(dict.fromkeys(text for text in (*bound, *whole) if any(colour in text for colour in colours)))


def other_colour(caption: str, rng: Random) -> str | None:
    """The caption with one colour word changed to a colour it does not name; None where it names none."""
    found = list(_SAID_COLOUR.finditer(caption))
    if not found:
        return None
    said = {match[0].lower() for match in found}
    match = rng.choice(found)
    return caption[: match.start()] + rng.choice([c for c in COLOUR_WORDS if c not in said]) + caption[match.end() :]


def about_product(product: Product, seed: int) -> list[Lesson]:
    """Short questions about a drawn product, and its one-line caption."""
    said = captions(product, scene(product, seed))
    asked = [Lesson(WHAT, product.kind), Lesson(CAPTION, said[0])]
    if f"{product.colours[0]} " in said[0]:
        asked.append(Lesson(COLOUR, product.colours[0]))
    if material_word(product):
        asked.append(Lesson(MADE_OF, product.material))
    if product.pattern in PARTS and len(product.colours) == 2:
        part = PARTS[product.pattern]
        asked += [Lesson(PATTERN, part), Lesson(f"What colour are the {part}?", product.colours[1])] * 2
    elif product.pattern == "plain":
        asked.append(Lesson(PATTERN, "none"))
    return asked


def about_photo(labels: dict[str, Any], rng: Random) -> list[Lesson]:
    """A photo's caption, and how many of a thing it shows where the captions count them."""
    asked = [Lesson(CAPTION, rng.choice(labels["captions"]).rstrip(" .").lower())]
    joined = " ".join(labels["captions"]).lower()
    for many, one in COUNTED.items():
        counts = [number for number in NUMBERS if f"{number} {many}" in joined]
        if len(counts) == 1:
            asked.append(Lesson(f"How many {many} are there?", counts[0]))
        elif not counts and re.search(rf"\b(a|one) {one}\b", joined) and many not in joined:
            asked.append(Lesson(f"How many {many} are there?", "one"))
    return asked


def _named(name: str) -> list[Lesson]:
    return [Lesson(WHAT, name), Lesson(CAPTION, f"a photo of {with_article(name)}")]


def _grocery(labels: dict[str, Any], _: Random) -> list[Lesson]:
    fine, coarse = labels["fine"].replace("-", " ").lower(), labels["coarse"].replace("-", " ").lower()
    return [Lesson(WHAT, coarse), Lesson(CAPTION, f"a photo of {with_article(fine)}")]


def _clothing(labels: dict[str, Any], _: Random) -> list[Lesson]:
    return _named(CLOTHING[labels["label"]][0])


def _fashion(labels: dict[str, Any], _: Random) -> list[Lesson]:
    name = ARTICLES.get(labels["articleType"], (labels["articleType"].lower(),))[0]
    if labels["baseColour"] in ("NA", None):
        return _named(name)
    colour = labels["baseColour"].lower()
    tinted = with_article(f"{colour} {name}")
    return [Lesson(WHAT, name), Lesson(COLOUR, colour), Lesson(CAPTION, f"a photo of {tinted}")]


def _classes(labels: dict[str, Any], _: Random) -> list[Lesson]:
    return _named(NAMES.get(labels["label"], (labels["label"],))[0])


def _rendered(labels: dict[str, Any], _: Random) -> list[Lesson]:
    seed = int(labels["name"])
    return about_product(product_of(seed), seed)


_OTHERS: dict[str, Callable[[dict[str, Any], Random], list[Lesson]]] = {
    "flickr8k": about_photo, "grocery": _grocery, "grocery_iconic": _grocery, "clothing": _clothing,
    "fashion": _fashion, "caltech101": _classes, "imagenette": _classes, "pacs_photo": _classes, "rendered": _rendered,
}  # fmt: skip


def corpus(lessons: Lessons, seed: int = 0, count: int = 40_000) -> list[str]:
    """Questions and answers to learn a vocabulary from."""
    rng = Random(seed)
    made = [text for row in lessons.choose(rng, count // 8) for one in lessons.of(row, rng)
            for text in (one.question, one.answer)]  # fmt: skip
    photos = [c for p in lessons.pictures if p["source"] == "flickr8k" and p["split"] == "train"
              for c in p["labels"]["captions"]]  # fmt: skip
    return [*made, *photos, *np.random.default_rng(seed).permutation(lessons.texts[: len(photos)]).tolist()]
