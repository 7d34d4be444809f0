"""What regions of pictures add, and what they cost: small things found, boxes told, whole pictures, time and bytes.

Collages have exact truth and are synthetic (`benchmarks.collages`); each is asked for by the name of what was pasted.
Whole pictures are photos asked for by captions that people wrote of all of them, and by the name of what fills them.
Data: a folder with flickr8k.tar, grocery.tar, clothing.tar and imagenette.tar; only pictures that the starter was not
trained on. Salience was chosen on collages of another seed.

    python -m benchmarks.regions --data DIR [--encoder SPEC] [--only TASK ...] [--out benchmarks/results]
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import numpy as np

from benchmarks.collages import Box, Collage, collages, name_of
from benchmarks.report import run
from sightline import Results, Sightline
from sightline.evaluation.metrics import Values, by_query, compared, mean
from sightline.media import to_jpeg
from sightline.types import RegionKind
from training.starter.sources import read

Figures = dict[str, Any]
KINDS: tuple[RegionKind, ...] = get_args(RegionKind)  # "none" first
MEASURES = ("recall@10", "ndcg@10")
FEWEST = 3  # collages that show a label, or it is not asked for
SEED = 1
K = 10


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
        ranked = {label: [hit.id for hit in hits] for label, hits in found.items()}
        values[kind] = by_query(ranked, judged, MEASURES)
        figures[kind] = {**_told(values, kind), **_boxes(found, by_id), **cost}
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
        values[kind] = by_query(ranked, judged, measures)
        told = _told(values, kind, groups=groups)
        figures[kind] = {**told, **cost, "search p50 ms": round(float(np.median(took_ms)), 1)}
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
