"""What a reranker makes of pictures with regions: by whole pictures alone, and by the regions that answer too.

`vlm:starter` reads the first 20 hits, of queries that the gate lets through and of every one. The collages, photos and
names are those of `benchmarks.regions`, with `salient` regions; every twelfth caption is asked. What of a region is
shown was chosen on collages of another seed.

    python -m benchmarks.regions_reranked --data DIR [--encoder SPEC] [--only TASK ...] [--out benchmarks/results]
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.collages import collages, name_of
from benchmarks.regions import FEWEST, SEED
from benchmarks.report import run
from retriever import Account
from sightline import Sightline
from sightline.evaluation.metrics import Values, by_query, compared, mean
from sightline.media import to_jpeg
from sightline.types import Hit
from training.starter.sources import read

RERANKER = "vlm:starter"
MEASURE = "ndcg@10"
EVERY = 12  # captions
Figures = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Asked:
    """Rows to be indexed, and what is asked of them: text -> ids of the right ones."""

    rows: Sequence[Mapping[str, Any]]
    judged: Mapping[str, set[str]]


def small(data: Path) -> Asked:
    """Photos of things, a quarter of the height, on photos of other things."""
    return _collages(data, "photos", "small", 160)


def products(data: Path) -> Asked:
    """Drawn products, cut out, on photos."""
    return _collages(data, "products", "small", 160)


def large(data: Path) -> Asked:
    """Photos of things, half the height, on photos of other things."""
    return _collages(data, "photos", "large", 120)


def captions(data: Path) -> Asked:
    """Flickr8k dev: captions, which say what all of a photo shows, to every other of the 1,000 photos."""
    dev = [(one, raw) for one, raw in read(data, ("flickr8k",)) if one.split == "val"][::2]
    said = [(caption, one.name) for one, _ in dev for caption in one.labels["captions"]][::EVERY]
    return Asked([{"id": one.name, "image": raw} for one, raw in dev], {caption: {name} for caption, name in said})


def names(data: Path) -> Asked:
    """Grocery val: names of groups of goods to photos that one of them fills."""
    val = [(one, raw) for one, raw in read(data, ("grocery",)) if one.source == "grocery" and one.split == "val"]
    judged: dict[str, set[str]] = {}
    for one, _ in val:
        judged.setdefault(name_of(one), set()).add(one.name)
    return Asked([{"id": one.name, "image": raw} for one, raw in val], dict(sorted(judged.items())))


def _collages(data: Path, kind: Any, size: str, count: int) -> Asked:
    made = collages(data, kind, size, count, seed=SEED)
    judged = {
        label: {one.id for one in made if label in one.labels} for label in {x for one in made for x in one.labels}
    }
    return Asked(
        [{"id": one.id, "image": to_jpeg(one.pixels)} for one in made],
        {label: ids for label, ids in sorted(judged.items()) if len(ids) >= FEWEST},
    )


def _measured(source: Callable[[Path], Asked]) -> Callable[[Path, str, Path], Figures]:
    def task(data: Path, encoder: str, work: Path) -> Figures:
        asked = source(data)
        with Sightline.open(work, encoder=encoder, store="faiss") as index:
            index.add(*asked.rows, regions="salient")
            return {"pictures": len(asked.rows), "queries": len(asked.judged)} | dict(_figures(index, asked))

    return task


def _figures(index: Sightline, asked: Asked) -> Iterator[tuple[str, Any]]:
    for name, gated in (("every query", False), ("gated", True)):
        ranked, read = _orders(index, asked, gated=gated)
        values = {order: by_query(ids, asked.judged, [MEASURE]) for order, ids in ranked.items()}
        if not gated:
            yield "first order", str(mean(values["first"])[MEASURE])
        yield (
            name,
            {
                "queries read": read,
                "whole pictures over the first order": _gained(values["first"], values["whole"]),
                "regions too over the first order": _gained(values["first"], values["region"]),
                "regions too over whole pictures": _gained(values["whole"], values["region"]),
            },
        )


def _orders(index: Sightline, asked: Asked, *, gated: bool) -> tuple[dict[str, dict[str, list[str]]], int]:
    """By what is seen, each query's ids, best first; and how many queries were read."""
    reranking = index.rerankers.named(RERANKER, gated=gated)
    assert reranking
    ranked: dict[str, dict[str, list[str]]] = {"first": {}, "whole": {}, "region": {}}
    count = 0
    for text in asked.judged:
        account = Account()
        boxed = index.search(text, k=reranking.depth, target="image", least=0, rerank="", account=account).hits
        assert account.asked
        wholes = [_whole_again(hit) for hit in boxed]
        query, terms = account.asked.query, account.asked.terms
        by_whole = reranking.rerank(query, terms, wholes)
        by_region = reranking.rerank(query, terms, wholes, seen=partial(_as_found, {hit.id: hit for hit in boxed}))
        assert not by_whole.warnings + by_region.warnings
        count += by_region.told.read > 0
        for order, hits in (("first", wholes), ("whole", by_whole.hits), ("region", by_region.hits)):
            ranked[order][text] = [hit.id for hit in hits]
    return ranked, count


def _as_found(by_id: Mapping[str, Hit], hits: Sequence[Hit]) -> list[Hit]:
    """The hits as the search gave them, with their boxes."""
    return [by_id[hit.id] for hit in hits]


def _whole_again(hit: Hit) -> Hit:
    """The hit without its box."""
    own = {part.id: part for part in hit.item.parts}
    return replace(hit, parts=tuple(own[part.id] for part in hit.parts))


def _gained(first: Values, then: Values) -> str:
    gained = compared(first, then)[MEASURE]
    return f"{gained.mean:+.3f} [{gained.low:+.3f}, {gained.high:+.3f}]"


TASKS = {one.__name__: _measured(one) for one in (small, products, large, captions, names)}


if __name__ == "__main__":
    run("regions_reranked", __doc__, TASKS)
