"""What regions of pictures add, and what they cost: small things found, boxes told, whole pictures, time and bytes.

Collages have exact truth and are synthetic (`benchmarks.collages`); each is asked for by the name of what was pasted.
Whole pictures are photos asked for by captions that people wrote of all of them, and by the name of what fills them.
Data: a folder with flickr8k.tar, grocery.tar, clothing.tar and imagenette.tar; only pictures that the starter was not
trained on. Salience was chosen on collages of another seed, and so was what a reranker sees of a region.

Beside the kinds of regions: what `vlm:starter` makes of the first 20 hits with `salient` ones, by the whole pictures
alone and by the regions that answer too, of queries that the gate lets through and of every one.

    python -m benchmarks.regions --data DIR [--encoder SPEC] [--only TASK ...] [--out benchmarks/results]
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, get_args

import numpy as np

from benchmarks.collages import Box, Collage, collages, name_of
from benchmarks.report import run
from retriever import Account
from sightline import Results, Sightline
from sightline.evaluation.metrics import Values, by_query, compared, mean
from sightline.media import to_jpeg
from sightline.types import Hit, RegionKind
from training.starter.sources import read

Figures = dict[str, Any]
KINDS: tuple[RegionKind, ...] = get_args(RegionKind)  # "none" first
MEASURES = ("recall@10", "ndcg@10")
FEWEST = 3  # collages that show a label, or it is not asked for
SEED = 1
K = 10
RERANKER, READ = "vlm:starter", "salient"  # regions that it is tried with
CAPTIONS = 12  # every so many of the captions is reranked


def small(data: Path, encoder: str, work: Path) -> Figures:
    """Photos of things, a quarter of the height, on photos of other things; asked for by name."""
    return _collages(collages(data, "photos", "small", 160, seed=SEED), encoder, work)


def products(data: Path, encoder: str, work: Path) -> Figures:
    """Drawn products, cut out, on photos; asked for by their kind."""
    return _collages(collages(data, "products", "small", 160, seed=SEED), encoder, work)


def large(data: Path, encoder: str, work: Path) -> Figures:
    """Photos of things, half the height, on photos of other things."""
    return _collages(collages(data, "photos", "large", 120, seed=SEED), encoder, work)


def captions(data: Path, encoder: str, work: Path) -> Figures:
    """Flickr8k dev: captions, which say what all of a photo shows, to every other of the 1,000 photos."""
    dev = [(one, raw) for one, raw in read(data, ("flickr8k",)) if one.split == "val"][::2]
    rows = [{"id": one.name, "image": raw} for one, raw in dev]
    asked = [(said, {one.name}) for one, _ in dev for said in one.labels["captions"]]
    return _whole(rows, asked, ("success@1", "success@10"), encoder, work)


def names(data: Path, encoder: str, work: Path) -> Figures:
    """Grocery val: names of groups of goods to photos that one of them fills."""
    val = [(one, raw) for one, raw in read(data, ("grocery",)) if one.source == "grocery" and one.split == "val"]
    rows = [{"id": one.name, "image": raw} for one, raw in val]
    groups = sorted({name_of(one) for one, _ in val})
    asked = [(group, {one.name for one, _ in val if name_of(one) == group}) for group in groups]
    return _whole(rows, asked, ("precision@10", "ndcg@10"), encoder, work)


TASKS: Mapping[str, Callable[[Path, str, Path], Figures]] = {
    "small": small,
    "products": products,
    "large": large,
    "captions": captions,
    "names": names,
}


def _collages(made: Sequence[Collage], encoder: str, work: Path) -> Figures:
    by_id = {one.id: one for one in made}
    counts = {
        label: [one.id for one in made if label in one.labels] for label in {x for one in made for x in one.labels}
    }
    judged = {label: set(ids) for label, ids in sorted(counts.items()) if len(ids) >= FEWEST}
    rows = [{"id": one.id, "image": to_jpeg(one.pixels)} for one in made]
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for one in made for box in (pasted.box for pasted in one.pasted)]
    figures: Figures = {
        "collages": len(made), "pasted": len(areas), "share of the picture": round(float(np.mean(areas)), 3),
        "labels asked for": len(judged),
    }  # fmt: skip
    values: dict[str, Values] = {}
    for kind in KINDS:
        with Sightline.open(work / kind, encoder=encoder, store="faiss") as index:
            cost = _indexed(index, rows, kind)
            found = {label: index.search(label, k=K, target="image", least=0) for label in judged}
            reranked = _reranked(index, {label: label for label in judged}, judged, MEASURES) if kind == READ else {}
        ranked = {label: [hit.id for hit in hits] for label, hits in found.items()}
        values[kind] = by_query(ranked, judged, MEASURES)
        figures[kind] = {**_told(values, kind), **_boxes(found, by_id), **cost, **reranked}
    return figures


def _whole(
    rows: Sequence[Mapping[str, Any]], asked: Sequence[tuple[str, set[str]]], measures: Sequence[str], encoder: str,
    work: Path,
) -> Figures:  # fmt: skip
    judged = {str(n): ids for n, (_, ids) in enumerate(asked)}
    figures: Figures = {"pictures": len(rows), "queries": len(asked)}
    values: dict[str, Values] = {}
    groups = [min(ids) for ids in judged.values()] if all(len(ids) == 1 for ids in judged.values()) else None
    for kind in KINDS:
        with Sightline.open(work / kind, encoder=encoder, store="faiss") as index:
            cost = _indexed(index, rows, kind)
            ranked, took_ms = {}, []
            for n, (said, _) in enumerate(asked):
                hits = index.search(said, k=K, target="image", least=0)
                ranked[str(n)] = [hit.id for hit in hits]
                took_ms.append(hits.took_ms)
            texts = {str(n): text for n, (text, _) in enumerate(asked)}
            some = dict(list(texts.items())[:: CAPTIONS if groups else 1])
            reranked = _reranked(index, some, judged, measures) if kind == READ else {}
        values[kind] = by_query(ranked, judged, measures)
        told = _told(values, kind, groups=groups)
        figures[kind] = {**told, **cost, "search p50 ms": round(float(np.median(took_ms)), 1), **reranked}
    return figures


def _indexed(index: Sightline, rows: Sequence[Mapping[str, Any]], kind: RegionKind) -> Figures:
    """Index with these regions; what that took."""
    started = time.perf_counter()
    report = index.add(*rows, regions=kind)
    seconds, info = time.perf_counter() - started, index.info()
    return {
        "regions a picture": round(report.regions / len(rows), 1),
        "pictures a second": round(len(rows) / seconds, 1),
        "bytes of vectors a picture": round(4 * info["dim"] * info["vectors"] / len(rows)),
        "bytes on disk a picture": round(info["bytes_disk"] / len(rows)),
    }


def _reranked(
    index: Sightline, said: Mapping[str, str], judged: Mapping[str, set[str]], measures: Sequence[str]
) -> Figures:
    """What is gained by reading the first hits: over them, and by their regions over their whole pictures alone."""
    told: Figures = {"queries": len(said)}
    for gated in (False, True):
        reranking = index.rerankers.named(RERANKER, gated=gated)
        assert reranking
        ranked: dict[str, dict[str, list[str]]] = {"first": {}, "whole": {}, "region": {}}
        read = 0
        for name, text in said.items():
            account = Account()
            boxed = index.search(text, k=reranking.depth, target="image", least=0, rerank="", account=account).hits
            assert account.asked
            wholes, by_id = [_whole_again(hit) for hit in boxed], {hit.id: hit for hit in boxed}
            asked = account.asked.query, account.asked.terms, wholes
            by_whole = reranking.rerank(*asked)
            by_region = reranking.rerank(*asked, seen=partial(_as_found, by_id))
            read += by_whole.told.read > 0
            for order, hits in (("first", wholes), ("whole", by_whole.hits), ("region", by_region.hits)):
                ranked[order][name] = [hit.id for hit in hits]
        values = {
            order: by_query(ids, {name: judged[name] for name in said}, measures) for order, ids in ranked.items()
        }
        pairs = {"whole pictures": ("first", "whole"), "regions too": ("first", "region"),
                 "regions over whole pictures": ("whole", "region")}  # fmt: skip
        told["first order"] = {name: str(one) for name, one in mean(values["first"]).items()}
        told["gated" if gated else "every query"] = {"queries read": read} | {
            what: {name: str(one) for name, one in compared(values[one], values[other]).items()}
            for what, (one, other) in pairs.items()
        }
    return {f"reranked by {RERANKER}": told}


def _as_found(by_id: Mapping[str, Hit], hits: Sequence[Hit]) -> list[Hit]:
    """The hits as the search gave them, with their boxes."""
    return [by_id[hit.id] for hit in hits]


def _whole_again(hit: Hit) -> Hit:
    """The hit without its box."""
    own = {part.id: part for part in hit.item.parts}
    return replace(hit, parts=tuple(own[part.id] for part in hit.parts))


def _told(values: Mapping[str, Values], kind: str, *, groups: Sequence[str] | None = None) -> Figures:
    """Means, and beside no regions the paired differences, with 95 % intervals."""
    told: Figures = {name: str(one) for name, one in mean(values[kind], groups=groups).items()}
    if kind != "none":
        gained = compared(values["none"], values[kind], groups=groups)
        told |= {f"{name} gained": f"{one.mean:+.3f} [{one.low:+.3f}, {one.high:+.3f}]" for name, one in gained.items()}
    return told


def _boxes(found: Mapping[str, Results], collages: Mapping[str, Collage]) -> Figures:
    """Of the right hits among the first 10: how many come with a box, and of those how many are where the thing is."""
    right, shared, inside = 0, [], []
    for label, hits in found.items():
        for hit in hits:
            truth = next((one.box for one in collages[hit.id].pasted if one.label == label), None)
            if truth is None:
                continue
            right += 1
            box = hit.parts[0].locator.box
            if box is not None:
                shared.append(_overlap(box, truth))
                inside.append(_holds(truth, box))
    if not shared:
        return {"right hits": right}
    return {
        "right hits": right,
        "with a box": round(len(shared) / right, 3),
        "boxes of IoU 0.5 and more": round(float(np.mean([one >= 0.5 for one in shared])), 3),
        "boxes whose centre is in the thing": round(float(np.mean(inside)), 3),
    }


def _overlap(one: Box, other: Box) -> float:
    """Intersection over union."""
    wide = max(0.0, min(one[2], other[2]) - max(one[0], other[0]))
    high = max(0.0, min(one[3], other[3]) - max(one[1], other[1]))
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other))
    return wide * high / (areas - wide * high)


def _holds(truth: Box, box: Box) -> bool:
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    return truth[0] <= x <= truth[2] and truth[1] <= y <= truth[3]


if __name__ == "__main__":
    run("regions", __doc__, TASKS)
