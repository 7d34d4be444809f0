"""What each channel, their fusion and a reranker are worth, by what is asked: the table of `docs/retrieval.md`.

Slices: `simple` (what a thing is called), `attribute` (with a colour, material or pattern), `composed` (two things and
how they stand to each other), `negated` (a kind of thing, not of a colour), `small object` (a photo pasted small into
another, without regions and with), `abstract` (by use or look, without its name) and `everyday` (as people put it,
judged by hand). Each is asked of collections whose truth is exact or judged:
the sample catalog with its words and by its pictures alone, grocery and clothing photos, Flickr8k dev, real products,
and drawn products of which two differ only in which colour is where.

- `channels`: nDCG@10 of each alone, and fused, with what fusion gains over the best of them (paired, 95 %).
- `reranking`: nDCG@10 gained over the first order by reading every query, by reading where the gate lets it, and by
  what `sightline tune` finds on the other folds; how many are read, and milliseconds a query that is.
- `depth`: gained at the gate's weights with 10, 20 and 50 hits read, and the time.

    python -m benchmarks.slices --data DIR [--encoder SPEC] [--only TASK ...] [--out benchmarks/results]
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.collages import collages
from benchmarks.everyday import OUTDOOR
from benchmarks.negatives import CLASSES, GOODS, SAMPLE, _catalog_wishes
from benchmarks.negatives import _digest as digest
from benchmarks.negatives import _indexed as indexed
from benchmarks.report import run
from benchmarks.retrieval import JUDGED
from benchmarks.retrieval import _spaced as spaced
from benchmarks.retrieval import _unpacked as unpacked
from retriever.fusion import TEXT_WEIGHTS
from retriever.reranking import BY_DEFAULT, Trust
from sightline import Sightline
from sightline.evaluation import Case, read_judged
from sightline.evaluation.asking import settled
from sightline.evaluation.cases import Task
from sightline.evaluation.metrics import by_query, compared, mean
from sightline.evaluation.reranking import DEPTH, DEPTHS, MEASURE, Read, read, tune
from training.mllm import swaps

RERANKER = "vlm:starter"
K = 10
PAIRS = 150
CAPTIONS = 400
COLLAGES = 160
MOST = 80  # queries of a slice that are made of the catalog, evenly taken
FEW = 2  # items of an attribute, to be asked for
ATTRIBUTES = ("colour", "material", "pattern")
EVERY = Trust(dict.fromkeys(BY_DEFAULT, 1.0))
Figures = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Asked:
    """Queries of one slice, and the collection that they are asked of."""

    slice: str
    collection: str
    folder: Path
    cases: tuple[Case, ...]

    @property
    def name(self) -> str:
        return f"{self.slice}, {self.collection}"


def photos(data: Path, encoder: str, work: Path) -> Iterator[Asked]:
    """Grocery val by both its classes, clothing val by its own; pictures alone."""
    rows = [row for row in unpacked(data / "grocery.tar", work / "grocery", "labels.jsonl") if row["split"] == "val"]
    shelf = {f"photo-{at:04}": row for at, row in enumerate(rows)}
    folder = indexed(
        work / "grocery-index", encoder,
        *({"id": photo, "image": str(work / "grocery" / row["image"])} for photo, row in shelf.items()),
    )  # fmt: skip
    names = {spaced(row[key]).lower(): key for key in ("fine", "coarse") for row in rows}
    cases = [
        _case(name, (photo for photo, row in shelf.items() if spaced(row[key]).lower() == name))
        for name, key in names.items()
    ]
    yield Asked("simple", "grocery photos", folder, tuple(cases))
    worn = {
        Path(row["image"]).stem: row
        for row in unpacked(data / "clothing.tar", work / "clothing", "labels.jsonl")
        if row["label"] in CLASSES and digest(row["image"]) % 5 == 1
    }
    folder = indexed(
        work / "clothing-index", encoder,
        *({"id": photo, "image": str(work / "clothing" / row["image"])} for photo, row in worn.items()),
    )  # fmt: skip
    cases = [
        _case(said, (photo for photo, row in worn.items() if row["label"] == name)) for name, said in CLASSES.items()
    ]
    yield Asked("simple", "photos of clothes", folder, tuple(case for case in cases if case.relevant))


def catalog(data: Path, encoder: str, work: Path) -> Iterator[Asked]:
    """The sample catalog, whose fields say exactly what each picture shows: with all its words, and its pictures."""
    rows = [json.loads(line) for line in (SAMPLE / "catalog.jsonl").read_text().splitlines()]
    pictures = ({"id": row["id"], "images": [str(SAMPLE / name) for name in row["images"]]} for row in rows)
    folders = {
        "sample catalog": indexed(work / "words", encoder, str(SAMPLE / "catalog.jsonl"), str(SAMPLE / "documents")),
        "its pictures": indexed(work / "pictures", encoder, *pictures),
    }
    seen = [row for row in json.loads((JUDGED / "sample_pictures.json").read_text()) if not row["shown_in_training"]]
    described = {form: [_case(one["query"], one["relevant"]) for one in seen if one["form"] == form]
                 for form in ("named", "described")}  # fmt: skip
    for name, folder in folders.items():
        yield Asked("simple", name, folder, _few(_kinds(rows)))
        yield Asked("attribute", name, folder, _few(_attributes(rows)))
        yield Asked("negated", name, folder, _few(_negated(rows)))
        yield Asked("composed", name, folder, _few(described["named"]))
        yield Asked("abstract", name, folder, _few(described["described"]))
    judged = tuple(read_judged(JUDGED / "sample.json").cases)
    yield Asked("everyday", "sample catalog", folders["sample catalog"], judged)


def scenes(data: Path, encoder: str, work: Path) -> Iterator[Asked]:
    """Captions of Flickr8k dev photos, and drawn products of which two differ in which colour is where."""
    rows = [
        row for row in unpacked(data / "flickr8k.tar", work / "flickr8k", "captions.jsonl") if row["split"] == "dev"
    ]
    folder = indexed(
        work / "flickr8k-index", encoder,
        *({"id": Path(row["image"]).stem, "image": str(work / "flickr8k" / row["image"])} for row in rows),
    )  # fmt: skip
    cases = [_case(row["captions"][at % 5].rstrip(" ."), [Path(row["image"]).stem]) for at, row in enumerate(rows)]
    yield Asked("composed", "Flickr8k dev", folder, tuple(cases[:CAPTIONS]))
    drawn = swaps.choose("test", PAIRS)
    (work / "drawn").mkdir(parents=True)
    said: dict[str, list[str]] = defaultdict(list)
    for at, one in enumerate(drawn):
        Image.fromarray(swaps.picture(one)).save(work / "drawn" / f"{at}.png")
        said[swaps.phrase(one.product)].append(str(at))
    folder = indexed(
        work / "drawn-index", encoder,
        *({"id": str(at), "image": str(work / "drawn" / f"{at}.png")} for at in range(len(drawn))),
    )  # fmt: skip
    yield Asked(
        "composed", "drawn pairs, colours swapped", folder, tuple(_case(text, ids) for text, ids in said.items())
    )


def products(data: Path, encoder: str, work: Path) -> Iterator[Asked]:
    """Judged queries over 101 real products."""
    unpacked(data / "outdoor_catalog.tar", work / "outdoor")
    with Sightline.open(work / "outdoor-index", encoder=encoder, store="faiss") as index:
        index.add(work / "outdoor" / "catalog.json", mapping=OUTDOOR)
    yield Asked(
        "everyday", "outdoor products", work / "outdoor-index", tuple(read_judged(JUDGED / "outdoor.json").cases)
    )


def small(data: Path, encoder: str, work: Path) -> Iterator[Asked]:
    """Synthetic collages, asked for by what is small in them."""
    made = collages(data, "photos", "small", COLLAGES)
    (work / "collages").mkdir(parents=True)
    rows = []
    for one in made:
        path = work / "collages" / f"{one.id}.png"
        Image.fromarray(one.pixels).save(path)
        rows.append({"id": one.id, "image": str(path)})
    labels = sorted({label for one in made for label in one.labels})
    cases = tuple(_case(label, [one.id for one in made if label in one.labels]) for label in labels)
    for name, kind in (("collages", "none"), ("collages with salient regions", "salient")):
        folder = work / kind
        with Sightline.open(folder, encoder=encoder, store="faiss", regions=kind) as index:
            index.add(*rows)
        yield Asked("small object", name, folder, cases)


def _kinds(rows: Sequence[Mapping[str, Any]]) -> Iterator[Case]:
    for kind in sorted({row["kind"] for row in rows}):
        yield _case(kind, (row["id"] for row in rows if row["kind"] == kind))


def _attributes(rows: Sequence[Mapping[str, Any]]) -> Iterator[Case]:
    """ "red clothes", wherever the catalog has several."""
    for field in ATTRIBUTES:
        for value, category in sorted({(row[field], row["category"]) for row in rows if row.get(field)}):
            right = [row["id"] for row in rows if (row.get(field), row["category"]) == (value, category)]
            if len(right) >= FEW and category in GOODS:
                yield _case(f"{value} {GOODS[category]}", right)


def _negated(rows: list[dict[str, Any]]) -> Iterator[Case]:
    """Goods of a kind without a colour, a material or a pattern that some of them have."""
    for wish in _catalog_wishes(rows):
        if wish.fair:
            yield _case(wish.kind, sorted(wish.right - wish.showing), negative=(wish.unwanted,))


def _few(cases: Iterable[Case]) -> tuple[Case, ...]:
    every = tuple(cases)
    return every[:: -(-len(every) // MOST)]


def _case(text: str, right: Any, *, negative: tuple[str, ...] = ()) -> Case:
    ids = dict.fromkeys(right, 1)
    name = " - ".join((text, *negative))
    return Case(f"{name}: {next(iter(ids), '')}", ids, text=text, negative=negative, label=name)


def _measured(source: Callable[[Path, str, Path], Iterator[Asked]]) -> Callable[[Path, str, Path], Figures]:
    def task(data: Path, encoder: str, work: Path) -> Figures:
        return {asked.name: _figures(asked) for asked in source(data, encoder, work)}

    return task


def _figures(asked: Asked) -> Figures:
    with Sightline.open(asked.folder, create=False) as index:
        cases = settled(Task("queries", asked.cases), index).cases
        alone = {channel: ndcg(index, cases, (channel,)) for channel in _channels(index)}
        fused = ndcg(index, cases, None)
        best = max(alone, key=lambda name: float(alone[name].mean()))
        reads, left_out = read(index, cases, RERANKER)
    return {
        "queries": len(cases),
        "channels": {**{name: scored(values) for name, values in alone.items()}, "fused": scored(fused)},
        "fused over the best alone": gained(alone[best], fused),
        "reranking": _reranking(reads, left_out) if reads else None,
    }


def _channels(index: Sightline) -> list[str]:
    """Those that can find something here."""
    kinds = {part.modality for part in index.search("anything", least=0, k=50).hits[0].item.parts}
    return [name for name in TEXT_WEIGHTS if name != "dense" or "text" in kinds] if "text" in kinds else ["clip"]


def ndcg(index: Sightline, cases: Sequence[Case], channels: tuple[str, ...] | None) -> NDArray[np.float64]:
    """(q,)"""
    ranked = {
        case.id: [
            hit.id
            for hit in index.search(
                case.text, negative=case.negative, where=case.where or None, target=case.target, channels=channels,
                k=K, least=0,
            )
        ]
        for case in cases
    }  # fmt: skip
    return by_query(ranked, {case.id: case.relevant for case in cases}, [MEASURE])[MEASURE]


def _reranking(reads: Sequence[Read], left_out: int) -> Figures:
    """Of the queries that have something right among the first 50: others cannot be mended by a second look."""
    first = _of(reads, [list(one.first) for one in reads])
    gated = Trust()
    tuned = tune(RERANKER, reads, before=Trust())
    asked = [one for one in reads if gated.weights[one.kind]]
    return {
        "queries": len(reads),
        "nothing right among the first 50": left_out,
        "first order": scored(first),
        "every query": gained(first, _weighed(reads, EVERY, DEPTH)),
        "gated": gained(first, _weighed(reads, gated, DEPTH)),
        "tuned, held out": {
            one.kind: {"queries": one.queries, "weight": one.after, "gained": str(one.gained), "why": one.why}
            for one in tuned.kinds
            if one.gained
        },
        "read when gated": round(len(asked) / len(reads), 3),
        "by depth": {
            depth: {
                "gained": gained(first, _weighed(reads, gated, depth)),
                "ms": round(float(np.median([one.ms[depth] for one in asked])), 1) if asked else None,
            }
            for depth in DEPTHS
        },
    }


def _weighed(reads: Sequence[Read], trust: Trust, depth: int) -> NDArray[np.float64]:
    return _of(reads, [one.order(trust.weights[one.kind], depth) for one in reads])


def _of(reads: Sequence[Read], orders: Sequence[Sequence[str]]) -> NDArray[np.float64]:
    ranked = {one.case.id: list(order) for one, order in zip(reads, orders, strict=True)}
    return by_query(ranked, {one.case.id: one.case.relevant for one in reads}, [MEASURE])[MEASURE]


def scored(values: NDArray[np.float64]) -> str:
    return str(mean({MEASURE: values})[MEASURE])


def gained(first: NDArray[np.float64], then: NDArray[np.float64]) -> str:
    return str(compared({MEASURE: first}, {MEASURE: then})[MEASURE])


TASKS: Mapping[str, Callable[[Path, str, Path], Figures]] = {
    "photos": _measured(photos), "catalog": _measured(catalog), "scenes": _measured(scenes),
    "products": _measured(products), "small": _measured(small),
}  # fmt: skip


if __name__ == "__main__":
    run("slices", __doc__, TASKS)
