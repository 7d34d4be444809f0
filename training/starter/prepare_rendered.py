"""Adds drawn products to the caches: pictures from our own renderer, with sentences about kind, colour and pattern.

Knows the renderer and the caches of the two other `prepare_*` steps, which come first; asks no picture teacher. One
(kind, main colour) pair in twenty is never trained on, nor is any combination that the judged sentences call unseen.
"""

from __future__ import annotations

import json
from functools import cache
from multiprocessing import Pool
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from tokenizers import Tokenizer

from training.renderer import captions, render, sample_product, scene
from training.renderer.kinds import KINDS
from training.renderer.products import Product
from training.starter.prepare_pictures import SIZE, crop_box
from training.starter.prepare_texts import teacher_vectors, token_matrix
from training.starter.sentences import ARTICLES, CLOTHING, Sentence
from training.starter.sources import unseen
from training.starter.words import with_article

JUDGED = Path(__file__).parents[2] / "benchmarks" / "judged" / "sample_pictures.json"
FIRST_SEED = 100_000  # far from the sample catalog's
SIDE = 144  # px, drawn
VIEWS = 2
GARMENTS = {name for names in (*ARTICLES.values(), *CLOTHING.values()) for name in names}
WIDER = {"light blue": "blue", "navy": "blue", "light brown": "brown", "dark brown": "brown"}
LOOKS = {"dotted": "polka dot", "vertical stripes": "striped", "floral": "flowery", "hearts": "heart-patterned"}


def _noun_fact(noun: str) -> str:
    return f"garment:{noun}" if noun in GARMENTS else f"class:{noun}"


def shows(product: Product) -> dict[str, str]:
    """Return what a drawn product is, in the words of the judged sentences' `asks`."""
    colour, second = (*product.colours, "")[:2]
    more = {"second": second, "pattern": product.pattern, "material": product.material, "form": product.form}
    return {"kind": product.kind, "colour": colour, **more}


@cache
def _asked_as_unseen() -> tuple[dict[str, str], ...]:
    return tuple(row["asks"] for row in json.loads(JUDGED.read_text()) if not row["shown_in_training"])


def held_back(product: Product) -> bool:
    """Say whether a drawn product is kept from training, so that its combination can be measured as unseen."""
    shown = shows(product).items()
    return unseen(product.kind, product.colours[0]) or any(asks.items() <= shown for asks in _asked_as_unseen())


def describe_product(seed: int) -> tuple[list[str], list[Sentence], str]:
    """Return facts, true sentences and the split of the product drawn from a seed."""
    product = sample_product(seed)
    kind = KINDS[product.kind]
    colour, own = product.colours[0], f"rendered:{seed}"
    facts = [own, _noun_fact(product.kind), f"colour:{colour}", f"look:{product.pattern}"]
    facts += [f"colour:{WIDER[colour]}"] if colour in WIDER else []
    facts += [_noun_fact(word) for word in kind.words] + [f"department:{kind.category}"]
    phrases = captions(product, scene(product, seed))
    sentences = [Sentence(text, (own,), 1.0) for text in phrases if text not in (f"{colour} {product.kind}",)]
    coloured = any(f"{colour} {product.kind}" in text for text in phrases)  # where one colour tells the truth
    for noun, share in ((product.kind, 1.0), *((word, 0.3) for word in kind.words)):
        thing = _noun_fact(noun)
        plain = (noun, with_article(noun), f"a photo of {with_article(noun)}")
        sentences += [Sentence(text, (thing,), 0.4 * share) for text in plain]
        if not coloured:
            continue
        tinted = with_article(f"{colour} {noun}")
        tints = (f"{colour} {noun}", tinted, f"a photo of {tinted}", f"{noun} in {colour}")
        sentences += [Sentence(text, (thing, f"colour:{colour}"), 0.9 * share) for text in tints]
        if product.pattern != "plain":
            look = LOOKS.get(product.pattern, product.pattern)
            sentences.append(Sentence(f"{look} {noun}", (thing, f"look:{product.pattern}"), 0.7 * share))
            sentences.append(Sentence(with_article(f"{colour} {look} {noun}"),
                                      (thing, f"colour:{colour}", f"look:{product.pattern}"), 0.9 * share))  # fmt: skip
        else:
            sentences.append(Sentence(f"plain {colour} {noun}", (thing, f"colour:{colour}", "look:plain"), 0.3 * share))
    return facts, sentences, "val" if held_back(product) else "train"


def _draw(seed: int) -> np.ndarray:
    image = render(sample_product(seed), seed=seed, size=SIDE).convert("RGB")
    boxes = [crop_box(SIDE, SIDE, seed, view) for view in range(VIEWS)]
    views = [image.resize((SIZE, SIZE), Image.Resampling.BICUBIC, box=box) for box in boxes]
    return np.stack([np.asarray(view) for view in views])  # (VIEWS, SIZE, SIZE, 3)


def prepare_rendered(work: Path, count: int, processes: int) -> None:
    """Write `rendered_views.npy` (count, VIEWS, S, S, 3) and append pictures, texts and links to the caches."""
    pictures: list[dict[str, Any]] = json.loads((work / "pictures.json").read_text())
    if any(picture["source"] == "rendered" for picture in pictures):
        raise SystemExit(f"{work} already holds drawn products")
    seeds = range(FIRST_SEED, FIRST_SEED + count)
    with Pool(processes) as pool:
        np.save(work / "rendered_views.npy", np.stack(list(pool.imap(_draw, seeds, chunksize=16))))
    texts = json.loads((work / "texts.json").read_text())
    links = json.loads((work / "links.json").read_text())
    before, index = len(texts), {text: row for row, text in enumerate(texts)}
    new_needs: dict[int, tuple[str, ...]] = {}
    for seed in seeds:
        facts, sentences, split = describe_product(seed)
        pictures.append({"source": "rendered", "name": str(seed), "split": split, "labels": {}})
        links["facts"].append(facts)
        if split != "train":
            links["linked"].append([])
            continue
        for sentence in sentences:
            row = index.setdefault(sentence.text, len(index))
            if row >= links["known"]:  # a practice text, or a new one: from now on it has needs
                new_needs.setdefault(row, sentence.needs)
        links["linked"].append([(index[sentence.text], round(sentence.weight, 3)) for sentence in sentences])
    texts = list(index)
    links["more_needs"] = list(new_needs.items())
    tokenizer = Tokenizer.from_file(str(work / "tokenizer.json"))
    tokens = np.concatenate([np.load(work / "tokens.npy"), token_matrix(tokenizer, texts[before:])])
    vectors = np.concatenate([np.load(work / "text_teacher.npy"), teacher_vectors(texts[before:])])
    np.save(work / "tokens.npy", tokens)
    np.save(work / "text_teacher.npy", vectors)
    for name, value in (("texts", texts), ("links", links), ("pictures", pictures)):
        (work / f"{name}.json").write_text(json.dumps(value))
    print(f"{count} drawn products, {len(texts) - before} new texts", flush=True)
