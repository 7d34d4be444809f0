"""How well it finds: recall both ways on photos, products by photo, judged queries, and each channel alone.

Goes through the public calls only. Data: a folder with flickr8k.tar, grocery.tar and outdoor_catalog.tar; the sample
catalog needs none.

    python -m benchmarks.retrieval --data DIR [--encoder SPEC] [--only TASK ...] [--out benchmarks/results]
"""

from __future__ import annotations

import json
import tarfile
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from statistics import fmean
from typing import Any, Literal

from benchmarks.report import run
from sightline import Sightline
from sightline.evaluation import Case, Document, Report, Setting, Task, evaluate, read_judged, read_pairs

JUDGED = Path(__file__).parent / "judged"
SAMPLE = Path(__file__).parent.parent / "service" / "sample"
OUTDOOR = {"id": "Id", "title": "Name", "text": "Description", "image": "images/{Id}.webp"}
CHANNELS = ("all", "clip", "dense", "words")
DEPTH = 10  # of the rankings judged
Figures = dict[str, Any]


def flickr8k(data: Path, encoder: str, work: Path) -> Figures:
    """Caption to photo and photo to caption over the 1,000 dev photos; only what is asked for is looked at."""
    _unpacked(data / "flickr8k.tar", work)
    report = evaluate(read_pairs([work / "captions.jsonl"], work=work, where="split = dev"), Setting(encoder), k=DEPTH)
    return {
        direction.replace(" → ", "_to_"): _shown(report, direction, "success@1", "success@5", "success@10")
        for direction in ("text → image", "image → text")
    }


def grocery(data: Path, encoder: str, work: Path) -> Figures:
    """Shop photo to iconic picture, shop photo to description, and class name to shop photos; all on val."""
    products = _unpacked(data / "grocery.tar", work, "products.jsonl")
    labels = [row for row in _unpacked(data / "grocery.tar", work, "labels.jsonl") if row["split"] == "val"]
    photos = {f"photo-{n:04}": row for n, row in enumerate(labels)}
    fine = [Case(photo, {row["fine"]: 1}, image=work / row["image"]) for photo, row in photos.items()]
    iconic = [{"id": row["class"], "image": str(work / row["iconic"])} for row in products]
    texts = [{"id": row["class"], "text": f"{_spaced(row['class'])}. {row['description']}"} for row in products]
    shelf = [{"id": photo, "image": str(work / row["image"])} for photo, row in photos.items()]
    kinds = {
        kind: {photo: 1 for photo, row in photos.items() if row["coarse"] == kind}
        for kind in sorted({row["coarse"] for row in labels})
    }
    coarse = [Case(kind, ids, text=_spaced(kind), target="image") for kind, ids in kinds.items()]
    shown = _shown(_asked(coarse, shelf, encoder), "text → image", "precision@10", "success@10")
    best = round(sum(min(len(ids), 10) / 10 for ids in kinds.values()) / len(kinds), 3)
    return {
        "photo_to_iconic_picture": _shown(_asked(fine, iconic, encoder), "image → item", "success@1", "success@5"),
        "photo_to_description": _shown(_asked(fine, texts, encoder), "image → item", "success@1", "success@5"),
        "coarse_class_to_photos": shown | {"precision@10, best possible": best},
    }


def outdoor(data: Path, encoder: str, work: Path) -> Figures:
    """Judged queries over 101 products, through every channel together and each alone."""
    _unpacked(data / "outdoor_catalog.tar", work)
    _indexed(work / "outdoor", encoder, work / "catalog.json", mapping=OUTDOOR)
    return _judged(work / "outdoor", JUDGED / "outdoor.json")


def sample(data: Path, encoder: str, work: Path) -> Figures:
    """The same over the sample catalog and its documents, which ship with the service."""
    _indexed(work / "sample", encoder, SAMPLE / "catalog.jsonl", SAMPLE / "documents")
    figures = _judged(work / "sample", JUDGED / "sample.json")
    with Sightline.open(work / "sample") as index:
        unwanted = {"everything": _unwanted(index, None), "pictures": _unwanted(index, "image")}
    return figures | {"unwanted colours": unwanted}


TASKS: Mapping[str, Callable[[Path, str, Path], Figures]] = {
    "flickr8k": flickr8k,
    "grocery": grocery,
    "outdoor": outdoor,
    "sample": sample,
}


def _asked(cases: Iterable[Case], rows: Iterable[Mapping[str, str]], encoder: str) -> Report:
    """Cases asked of rows that are indexed for it."""
    return _whole(
        evaluate(
            Task("catalog", tuple(cases), tuple(Document(row["id"], row) for row in rows)), Setting(encoder), k=DEPTH
        )
    )


def _judged(folder: Path, queries: Path) -> Figures:
    """hit@5 and nDCG@10 of the whole path, then of each channel alone (without identity, which all share)."""
    task = read_judged(queries)
    reports = {
        channel: _whole(evaluate(task, Setting(index=str(folder), channels=channel), k=DEPTH)) for channel in CHANNELS
    }
    figures: Figures = {"queries": len(task.cases)}
    for channel, report in reports.items():
        named = "fused" if channel == "all" else f"{channel} alone"
        figures[named] = _shown(report, "text → item", "success@5", "ndcg@10")
    ranks = reports["all"].ranks[0]
    return figures | {"missed in the first 5": [one.text for one in task.cases if (ranks[one.id] or 6) > 5]}


def _unwanted(index: Sightline, target: Literal["image"] | None) -> dict[str, Any]:
    """Share of a colour among the first 10 of a kind of thing, before and after saying that it is not wanted."""
    before, after = [], []
    for kind in ("clothes", "shoes", "bag", "kitchenware", "furniture", "toy", "camping"):
        plain = index.search(kind, least=0, k=10, target=target)
        colours = Counter(str(hit.item.fields.get("colour")) for hit in plain)
        for colour, count in colours.items():
            if count > 1 and colour != "None":
                again = index.search(kind, least=0, k=10, target=target, negative=[colour])
                before.append(count / 10)
                after.append(sum(hit.item.fields.get("colour") == colour for hit in again) / 10)
    return (
        {"queries": len(before), "before": round(fmean(before), 3), "after": round(fmean(after), 3)} if before else {}
    )


def _indexed(folder: Path, encoder: str, *sources: Path, **options: Any) -> None:
    with Sightline.open(folder, encoder=encoder, store="faiss") as index:
        report = index.add(*sources, **options)
    if report.skipped:
        raise SystemExit(f"{len(report.skipped)} sources were skipped, the first: {report.skipped[0]}")


def _unpacked(tar: Path, work: Path, table: str | None = None) -> list[dict[str, Any]]:
    """Unpack `tar` into `work` once, and read its JSON-lines table."""
    if not tar.is_file():
        raise SystemExit(f"{tar} is not there: --data names a folder that holds it")
    mark = work / f".{tar.name}"
    if not mark.exists():
        with tarfile.open(tar) as opened:
            opened.extractall(work, filter="data")
        mark.touch()
    return [json.loads(line) for line in (work / table).read_text().splitlines()] if table else []


def _spaced(name: str) -> str:
    return name.replace("-", " ").replace("_", " ")


def _whole(report: Report) -> Report:
    """The report, if nothing was left out of it."""
    if report.left_out:
        raise SystemExit(f"{len(report.left_out)} were left out, the first: {report.left_out[0]}")
    return report


def _shown(report: Report, direction: str, *measures: str) -> dict[str, Any]:
    figures = next(one for one in report.tried[0].figures if (one.direction, one.slice_name) == (direction, ""))
    return {name: str(figures.scores[name]) for name in measures}


if __name__ == "__main__":
    run("retrieval", __doc__, TASKS)
