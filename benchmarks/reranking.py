"""When a vision-language model that is asked "does this picture match?" is right, and what its answers alone order.

What the product makes of them, beside rank and relevance, is measured by `benchmarks.slices`.

Drawn pairs whose two colours trade places (kinds and colours held out together), Flickr8k dev captions, grocery val
photos. Every picture is read as the product reads it, by `sightline.mllms.local`.

    python -m benchmarks.reranking --data DIR [--model vlm:starter] [--captions 400] [--out benchmarks/results]
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any, TypeAlias

import numpy as np

from benchmarks.report import circumstances, write
from sightline import media
from sightline.encoders import open_encoder
from sightline.evaluation.metrics import by_query, compared, mean
from sightline.mllms import open_vision
from sightline.mllms.asking import match_question
from sightline.protocols import Encoder
from sightline.types import Pixels, Vectors
from training.mllm import swaps
from training.starter.sources import read
from training.starter.words import with_article

Judge: TypeAlias = Callable[[Sequence[Pixels], Sequence[Sequence[str]]], list[np.ndarray]]
"""P(yes) of every text asked of each picture: n pictures and n lists of texts to n arrays."""
Figures = dict[str, Any]
DEPTH = 20  # how many hits are re-ordered: the product's own default
GREY = 128


def by_model(spec: str) -> Judge:
    """The judge that a spec names, through the product's own code."""
    model = open_vision(spec)

    def judge(pictures: Sequence[Pixels], texts: Sequence[Sequence[str]]) -> list[np.ndarray]:
        asked = [(match_question(text), seen) for seen, own in zip(pictures, texts, strict=True) for text in own]
        ends = np.cumsum([len(own) for own in texts])[:-1]
        return np.split(np.asarray(model.yes(asked)), ends)

    return judge


def swapped(judge: Judge, encoder: Encoder, pairs: int) -> Figures:
    """Of two drawn products whose colours trade places: is the one that the words describe put first?"""
    drawn = swaps.choose("test", pairs)
    pixels = [swaps.picture(one) for one in drawn]
    said = [swaps.phrase(one.product) for one in drawn]
    partner = [at ^ 1 for at in range(len(drawn))]
    shown, asked = _encoded(encoder, pixels), encoder.encode_queries([(text,) for text in said])
    near = asked @ shown.T  # (n, n)
    own = np.arange(len(drawn))
    first = near[own, own] - near[own, partner]
    texts = [[said[at], said[partner[at]]] for at in own]
    odds, blind = (np.stack(judge(seen, texts)) for seen in (pixels, [np.full_like(pixels[0], GREY)] * len(drawn)))
    second = odds[:, 0] - odds[partner, 1]
    values = [{"R@1": _won(one)} for one in (first, second)]
    unseeing = round(float(_won(blind[:, 0] - blind[partner, 1]).mean()), 4)
    pool = [[str(at) for at in row] for row in np.argsort(-near, 1, kind="stable")[:, :DEPTH]]
    return {
        "pairs": pairs,
        "kinds": len({one.product.kind for one in drawn}),
        "R@1 of two": {"first": _said(mean(values[0])), "reranked": _said(mean(values[1])),
                       "gained": _said(compared(*values)), "blind": unseeing},
        "yes/no accuracy": round(float(((odds[:, 0] > 0.5).mean() + (odds[:, 1] <= 0.5).mean()) / 2), 4),
        f"R@1 of all {len(drawn)}, first {DEPTH} reranked": _orders(
            judge, pixels, dict(zip(map(str, own), said, strict=True)), dict(zip(map(str, own), pool, strict=True)),
            measure="success@1"),
    }  # fmt: skip


def flickr8k(judge: Judge, encoder: Encoder, data: Path, captions: int) -> Figures:
    """Caption to photo over the 1,000 dev photos, one caption a photo, the first hits reranked."""
    photos = [(p, media.decode(raw)) for p, raw in read(data, ("flickr8k",)) if p.split == "val"]
    pixels = [seen for _, seen in photos]
    rows = np.random.default_rng(0).permutation(len(photos))[:captions]
    said = {str(at): photos[at][0].labels["captions"][at % 5].rstrip(" .") for at in rows}
    near = encoder.encode_queries([(text,) for text in said.values()]) @ _encoded(encoder, pixels).T  # (q, n)
    ranked = np.argsort(-near, 1, kind="stable")[:, :DEPTH]
    first = {name: [str(at) for at in row] for name, row in zip(said, ranked, strict=True)}
    return _orders(judge, pixels, said, first, measure="ndcg@10")


def grocery(judge: Judge, data: Path) -> Figures:
    """Yes or no on val photos: each with its own name and, as often, with another product's."""
    photos = [(p.labels, media.decode(raw)) for p, raw in read(data, ("grocery",)) if p.split == "val"]
    rng, labels = Random(0), [own for own, _ in photos]
    texts = []
    for own in labels:
        other = rng.choice([one for one in labels if one["coarse"] != own["coarse"]])
        near = rng.choice([one for one in labels if one["fine"] != own["fine"]])
        texts.append([fine_name(own), fine_name(other), fine_name(near), coarse_name(own), coarse_name(other)])
    yes = np.stack(judge([seen for _, seen in photos], texts)) > 0.5  # (n, 5)
    return {
        "photos": len(photos),
        "accuracy, product or one of another class": round(float((yes[:, 0].mean() + 1 - yes[:, 1].mean()) / 2), 4),
        "accuracy, product or any other": round(float((yes[:, 0].mean() + 1 - yes[:, 2].mean()) / 2), 4),
        "accuracy, class or another": round(float((yes[:, 3].mean() + 1 - yes[:, 4].mean()) / 2), 4),
    }


def fine_name(labels: dict[str, Any]) -> str:
    """A product by its name and class: "a photo of a Granny Smith apple"."""
    name, wide = labels["fine"].replace("-", " "), labels["coarse"].replace("-", " ").lower()
    known = any(word in name.lower() for word in wide.rstrip("s").split())
    return f"a photo of {with_article(name if known else f'{name} {wide}')}"


def coarse_name(labels: dict[str, Any]) -> str:
    return f"a photo of {with_article(labels['coarse'].replace('-', ' ').lower())}"


def _orders(
    judge: Judge,
    pixels: Sequence[Pixels],
    said: dict[str, str],
    first: dict[str, list[str]],
    *,
    measure: str,
) -> Figures:
    """A measure of the first order and of the model's own; paired intervals.

    A query's name is the place of the one picture that is right for it.
    """
    asked: dict[int, list[str]] = {}
    for name, row in first.items():
        for at in row:
            asked.setdefault(int(at), []).append(name)
    places = sorted(asked)
    found = judge([pixels[at] for at in places], [[said[name] for name in asked[at]] for at in places])
    odds = {(name, str(at)): p for at, own in zip(places, found, strict=True)
            for name, p in zip(asked[at], own, strict=True)}  # fmt: skip
    reranked = {name: sorted(row, key=lambda at: -odds[name, at]) for name, row in first.items()}
    values = [by_query(order, {name: {name} for name in first}, [measure]) for order in (first, reranked)]
    return {
        "queries": len(first),
        "first": _said(mean(values[0])),
        "by the answers alone": _said(mean(values[1])),
        "gained by the answers alone": _said(compared(values[0], values[1])),
    }  # fmt: skip


def _encoded(encoder: Encoder, pixels: Sequence[Pixels]) -> Vectors:
    return encoder.encode_documents([(one,) for one in pixels])


def _won(margin: np.ndarray) -> np.ndarray:
    """1 where the right one is ahead, 1/2 where the two are even."""
    won: np.ndarray = (margin > 0) + (margin == 0) / 2
    return won


def _said(scores: dict[str, Any]) -> dict[str, str]:
    return {name: str(one) for name, one in scores.items()}


def figures(judge: Judge, encoder: Encoder, data: Path, *, pairs: int, captions: int) -> Figures:
    """All three tasks; 0 pairs or captions leave a task out."""
    found: Figures = {"grocery val": grocery(judge, data)}
    if pairs:
        found["swapped pairs"] = swapped(judge, encoder, pairs)
    if captions:
        found["flickr8k dev"] = flickr8k(judge, encoder, data, captions)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder that holds the tars")
    parser.add_argument("--model", default="vlm:starter", help="vlm:starter or vlm:FOLDER")
    parser.add_argument("--encoder", default="starter")
    parser.add_argument("--pairs", type=int, default=300)
    parser.add_argument("--captions", type=int, default=400, help="Flickr8k captions to rerank for, 20 photos each")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    found = {"circumstances": circumstances(encoder=given.encoder) | {"model": given.model}}
    encoder = open_encoder(given.encoder)
    found |= figures(by_model(given.model), encoder, given.data, pairs=given.pairs, captions=given.captions)
    write(given.out, "reranking", found)


if __name__ == "__main__":
    main()
