"""How well it finds: recall both ways on photos, products by photo, judged queries, and each channel alone.

Goes through the public calls only. Data: a folder with flickr8k.tar, grocery.tar and outdoor_catalog.tar; the sample
catalog needs none.

    python -m benchmarks.retrieval --data DIR [--encoder SPEC] [--only TASK ...] [--out benchmarks/results]
"""

from __future__ import annotations

import argparse
import json
import tarfile
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import fmean
from typing import Any, Literal

import retriever
from benchmarks.report import circumstances, write
from sightline import Query, Sightline, Term
from sightline.encoders import open_encoder
from sightline.engine import collection_folder
from sightline.evaluation import Score, score
from sightline.filters import matches, parse
from sightline.stores import open_store

JUDGED = Path(__file__).parent / "judged"
SAMPLE = Path(__file__).parent.parent / "service" / "sample"
OUTDOOR = {"id": "Id", "title": "Name", "text": "Description", "image": "images/{Id}.webp"}
CHANNELS = ("clip", "dense", "words")
Figures = dict[str, Any]


def flickr8k(data: Path, encoder: str, work: Path) -> Figures:
    """Caption to photo and photo to caption over the 1,000 dev photos; the index holds pictures only."""
    rows = [row for row in _unpacked(data / "flickr8k.tar", work, "captions.jsonl") if row["split"] == "dev"]
    photos = {f"photo-{n:04}": row for n, row in enumerate(rows)}
    captions = {f"{photo}/{n}": text for photo, row in photos.items() for n, text in enumerate(row["captions"])}
    with _index(work / "photos", encoder, _pictures(work, photos)) as index:
        to_photo = {name: _ids(index, Query((Term(text),), target="image"), k=10) for name, text in captions.items()}
    with _index(work / "captions", encoder, ({"id": name, "text": text} for name, text in captions.items())) as index:
        to_text = {photo: _ids(index, work / row["image"], k=10, target="text") for photo, row in photos.items()}
    measures = ["success@1", "success@5", "success@10"]
    own = {photo: {f"{photo}/{n}" for n in range(len(row["captions"]))} for photo, row in photos.items()}
    return {
        "text_to_image": _shown(score(to_photo, {name: {name.partition("/")[0]} for name in captions}, measures)),
        "image_to_text": _shown(score(to_text, own, measures)),
    }


def grocery(data: Path, encoder: str, work: Path) -> Figures:
    """Shop photo to iconic picture, shop photo to description, and class name to shop photos; all on val."""
    products = _unpacked(data / "grocery.tar", work, "products.jsonl")
    labels = [row for row in _unpacked(data / "grocery.tar", work, "labels.jsonl") if row["split"] == "val"]
    photos = {f"photo-{n:04}": row for n, row in enumerate(labels)}
    iconic = {row["class"]: {"image": row["iconic"]} for row in products}
    figures: Figures = {}
    fine = {photo: {row["fine"]} for photo, row in photos.items()}
    with _index(work / "iconic", encoder, _pictures(work, iconic)) as index:
        found = {photo: _ids(index, work / row["image"], k=5) for photo, row in photos.items()}
        figures["photo_to_iconic_picture"] = _shown(score(found, fine, ["success@1", "success@5"]))
    texts = ({"id": row["class"], "text": f"{_spaced(row['class'])}. {row['description']}"} for row in products)
    with _index(work / "texts", encoder, texts) as index:
        found = {photo: _ids(index, work / row["image"], k=5) for photo, row in photos.items()}
        figures["photo_to_description"] = _shown(score(found, fine, ["success@1", "success@5"]))
    with _index(work / "shelf", encoder, _pictures(work, photos)) as index:
        kinds = sorted({row["coarse"] for row in labels})
        shown = {kind: _ids(index, Query((Term(_spaced(kind)),), target="image"), k=10) for kind in kinds}
    judged = {kind: {photo for photo, row in photos.items() if row["coarse"] == kind} for kind in kinds}
    figures["coarse_class_to_photos"] = _shown(score(shown, judged, ["precision@10", "success@10"]))
    figures["coarse_class_to_photos"]["precision@10, best possible"] = round(
        sum(min(len(ids), 10) / 10 for ids in judged.values()) / len(judged), 3
    )
    return figures


def outdoor(data: Path, encoder: str, work: Path) -> Figures:
    """Judged queries over 101 products, through every channel together and each alone."""
    _unpacked(data / "outdoor_catalog.tar", work)
    with _index(work / "outdoor", encoder, [work / "catalog.json"], mapping=OUTDOOR) as index:
        return _judged(index, json.loads((JUDGED / "outdoor.json").read_text()))


def sample(data: Path, encoder: str, work: Path) -> Figures:
    """The same over the sample catalog and its documents, which ship with the service."""
    with _index(work / "sample", encoder, [SAMPLE / "catalog.jsonl", SAMPLE / "documents"]) as index:
        figures = _judged(index, json.loads((JUDGED / "sample.json").read_text()))
        return figures | {
            "unwanted colours": {"everything": _unwanted(index, None), "pictures": _unwanted(index, "image")}
        }


TASKS: Mapping[str, Callable[[Path, str, Path], Figures]] = {
    "flickr8k": flickr8k,
    "grocery": grocery,
    "outdoor": outdoor,
    "sample": sample,
}


def _judged(index: Sightline, queries: Sequence[Mapping[str, Any]]) -> Figures:
    """hit@5 and nDCG@10 of the whole path, then of each channel alone (without identity, which all share)."""
    measures = ["success@5", "ndcg@10"]
    named = {f"q{n:02}": query for n, query in enumerate(queries)}
    relevant = {name: _relevant(index, query) for name, query in named.items()}
    whole = {
        name: _ids(index, query["query"], k=10, where=query.get("where"), negative=query.get("negative", ()))
        for name, query in named.items()
    }
    figures: Figures = {"queries": len(named), "fused": _shown(score(whole, relevant, measures))}
    parsed = {name: _as_query(index, query) for name, query in named.items()}
    folder = collection_folder(index.settings.index, index.settings.collection)
    store = open_store("faiss", folder, collection=index.settings.collection)
    try:
        for channel in CHANNELS:
            alone = {
                name: [
                    hit.id
                    for hit in retriever.search(query, k=10, store=store, encoder=index.encoder, weights={channel: 1.0})
                ]
                for name, query in parsed.items()
            }
            figures[f"{channel} alone"] = _shown(score(alone, relevant, measures))
    finally:
        store.close()
    missed = [query["query"] for name, query in named.items() if not set(whole[name][:5]) & set(relevant[name])]
    return figures | {"missed in the first 5": missed}


def _unwanted(index: Sightline, target: Literal["image"] | None) -> dict[str, Any]:
    """Share of a colour among the first 10 of a kind of thing, before and after saying that it is not wanted."""
    before, after = [], []
    for kind in ("clothes", "shoes", "bag", "kitchenware", "furniture", "toy", "camping"):
        plain = index.search(kind, k=10, target=target)
        colours = Counter(str(hit.item.fields.get("colour")) for hit in plain)
        for colour, count in colours.items():
            if count > 1 and colour != "None":
                again = index.search(kind, k=10, target=target, negative=[colour])
                before.append(count / 10)
                after.append(sum(hit.item.fields.get("colour") == colour for hit in again) / 10)
    return (
        {"queries": len(before), "before": round(fmean(before), 3), "after": round(fmean(after), 3)} if before else {}
    )


def _relevant(index: Sightline, query: Mapping[str, Any]) -> dict[str, int]:
    """Judged ids with their grades, or every item that `relevant_where` selects."""
    if "relevant" in query:
        return dict(query["relevant"])
    everything = index.search(query["query"], k=index.info()["items"])
    chosen = parse(query["relevant_where"])
    ids = {hit.id: 1 for hit in everything if matches(chosen, hit.id, hit.item.fields)}
    if not ids:
        raise SystemExit(f"nothing in the collection is relevant to {query['query']!r}: {query['relevant_where']}")
    return ids


def _as_query(index: Sightline, query: Mapping[str, Any]) -> Query:
    where = parse(query["where"]) if "where" in query else None
    terms = (Term(query["query"]), *(Term(text, -1.0) for text in query.get("negative", ())))
    return Query(terms, where=where)


def _ids(index: Sightline, query: str | Path | Query, **options: Any) -> list[str]:
    return [hit.id for hit in index.search(query, **options)]


@contextmanager
def _index(folder: Path, encoder: str, sources: Iterable[Any], **options: Any) -> Iterator[Sightline]:
    with Sightline.open(folder, encoder=encoder, store="faiss") as index:
        report = index.add(*sources, **options)
        if report.skipped:
            raise SystemExit(f"{len(report.skipped)} sources were skipped, the first: {report.skipped[0]}")
        yield index


def _pictures(work: Path, rows: Mapping[str, Mapping[str, Any]]) -> Iterator[dict[str, str]]:
    """Rows of an id that says nothing and a picture."""
    return ({"id": name, "image": str(work / row["image"])} for name, row in rows.items())


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


def _shown(scores: Mapping[str, Score]) -> dict[str, Any]:
    return {name: str(value) for name, value in scores.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(), help="folder that holds the tars")
    parser.add_argument("--encoder", default="starter", metavar="SPEC")
    parser.add_argument("--only", nargs="*", choices=TASKS, default=list(TASKS))
    parser.add_argument("--out", type=Path, help="folder to write the figures to")
    asked = parser.parse_args()
    figures: Figures = {"circumstances": circumstances(encoder=asked.encoder)}
    open_encoder(asked.encoder)  # a bad spec is told at once
    with tempfile.TemporaryDirectory() as work:
        for name in asked.only:
            folder = Path(work) / name
            folder.mkdir()
            figures[name] = TASKS[name](asked.data, asked.encoder, folder)
    write(asked.out, "retrieval", figures)


if __name__ == "__main__":
    main()
