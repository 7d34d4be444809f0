"""What `sightline adapt` gains on data held out, where it refuses, and that it learns nothing where there is nothing.

Goes through the public calls only; held-out truth is used neither for fitting nor for letting a map in. Data: a folder
with grocery.tar, outdoor_catalog.tar, clothing.tar and flickr8k.tar.

    python -m benchmarks.adapt --data DIR [--encoder SPEC] [--only TASK ...] [--out benchmarks/results]
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from benchmarks.report import run
from benchmarks.retrieval import JUDGED, OUTDOOR, _spaced, _unpacked
from sightline import Query, Sightline, Term
from sightline.adaptation import adapt
from sightline.evaluation.metrics import by_query, compared, mean

FOLDS = 5
Figures = dict[str, Any]
Row = Mapping[str, Any]
Ranked = dict[str, list[str]]


def grocery(data: Path, encoder: str, work: Path) -> Figures:
    """Shop photo to product, class name to shop photos: fitted on train, asked on val; and fitted on parts of val,
    which the starter never saw, while it did see train."""
    products = _unpacked(data / "grocery.tar", work, "products.jsonl")
    labels = _unpacked(data / "grocery.tar", work, "labels.jsonl")
    train, val = ([row for row in labels if row["split"] == split] for split in ("train", "val"))
    iconic = {row["class"]: row["iconic"] for row in products}
    asked = {f"photo-{n:04}": (work / row["image"], row["fine"]) for n, row in enumerate(val)}
    measures = ("success@1", "success@5", "ndcg@10")
    figures: Figures = {}
    with _index(work / "iconic", encoder, *_pictures(work, iconic)) as index:
        index_asked = {name: (path, {product}) for name, (path, product) in asked.items()}
        rows = [{"query_image": row["image"], "item": row["fine"]} for row in train]
        figures["photo to product, train to val"] = _once(index, rows, index_asked, work, measures)
        pairs = {name: [{"query_image": str(path), "item": one}] for name, (path, one) in asked.items()}
        photos, products = {n: n for n in asked}, {n: asked[n][1] for n in asked}
        for name, of, closed in (
            ("other photos", photos, False),
            ("other photos, closed", photos, True),
            ("other products", products, False),
        ):
            figures[f"photo to product, val, fitted on {name}"] = _crossed(
                index, pairs, index_asked, of=of, work=work, measures=measures, closed=closed
            )
    shelf = {f"photo-{n:04}": row for n, row in enumerate(val)}
    kinds = sorted({row["coarse"] for row in val})
    judged = {k: (_spaced(k), {photo for photo, row in shelf.items() if row["coarse"] == k}) for k in kinds}
    with _index(work / "shelf", encoder, *_pictures(work, {n: row["image"] for n, row in shelf.items()})) as index:
        rows = [{"label": _spaced(row["coarse"]), "image": row["image"]} for row in train]
        figures["class name to photos, train to val"] = _once(
            index, rows, judged, work, ("precision@10", "ndcg@10"), closed=True
        )
    return figures


def outdoor(data: Path, encoder: str, work: Path) -> Figures:
    """101 products: name to picture and description to picture with products held out; then the judged queries through
    every channel, with a map fitted on all descriptions."""
    _unpacked(data / "outdoor_catalog.tar", work)
    rows = {str(row["Id"]): row for row in json.loads((work / "catalog.json").read_text())}
    figures: Figures = {}
    with _index(work / "pictures", encoder, *_pictures(work, {name: f"images/{name}.webp" for name in rows})) as index:
        for key in ("Name", "Description"):
            pairs = {name: [{"text": row[key], "item": name}] for name, row in rows.items()}
            asked: Mapping[str, tuple[str | Path, set[str]]] = {n: (row[key], {n}) for n, row in rows.items()}
            figures[f"{key.lower()} to picture, fitted on other products"] = _crossed(
                index, pairs, asked, of={n: n for n in rows}, work=work, measures=("success@1", "success@10", "ndcg@10")
            )
        shuffled = random.Random(0).sample(list(rows), len(rows))
        wrong = [{"text": rows[name]["Name"], "item": other} for name, other in zip(rows, shuffled, strict=True)]
        figures["names with pictures of others"] = _told(index, wrong, work)
    with _index(work / "everything", encoder, work / "catalog.json", mapping=OUTDOOR) as index:
        queries = {f"q{n:02}": one for n, one in enumerate(json.loads((JUDGED / "outdoor.json").read_text()))}
        relevant = {name: query["relevant"] for name, query in queries.items()}

        def ranked() -> Ranked:
            return {
                name: [
                    hit.id
                    for hit in index.search(
                        one["query"], k=10, where=one.get("where"), negative=one.get("negative", ()), least=0
                    )
                ]
                for name, one in queries.items()
            }

        before = ranked()
        told = _told(index, [{"text": row["Description"], "item": name} for name, row in rows.items()], work)
        figures["39 judged queries, all channels"] = told | _change(
            before, ranked(), relevant, ("success@5", "ndcg@10")
        )
    return figures


def clothing(data: Path, encoder: str, work: Path) -> Figures:
    """Label to phone photo, of the fifth that the starter never saw: half of it fitted on, half asked."""
    rows = [row for row in _unpacked(data / "clothing.tar", work, "labels.jsonl") if row["label"]]
    rows = [row for row in rows if int(hashlib.sha1(row["image"].encode()).hexdigest(), 16) % 5 == 1]
    learnt, asked = rows[::2], rows[1::2]
    photos = {f"photo-{n:04}": row for n, row in enumerate(asked)}
    judged = {
        label: (label, {name for name, row in photos.items() if row["label"] == label})
        for label in sorted({row["label"] for row in asked})
    }
    with _index(work / "photos", encoder, *_pictures(work, {n: row["image"] for n, row in photos.items()})) as index:
        pairs = [{"label": row["label"], "image": row["image"]} for row in learnt]
        return {
            f"label to photos{', closed' * closed}": _once(
                index, pairs, judged, work, ("precision@10", "ndcg@10"), closed=closed
            )
            for closed in (False, True)
        }


def flickr8k(data: Path, encoder: str, work: Path) -> Figures:
    """Caption to photo on dev, which the starter never saw: 500 photos with their captions fitted on, 500 asked."""
    rows = [row for row in _unpacked(data / "flickr8k.tar", work, "captions.jsonl") if row["split"] == "dev"]
    learnt, asked = rows[::2], rows[1::2]
    photos = {f"photo-{n:04}": row for n, row in enumerate(asked)}
    captions = {f"{p}/{n}": (text, {p}) for p, row in photos.items() for n, text in enumerate(row["captions"])}
    pairs = [{"caption": text, "image": row["image"]} for row in learnt for text in row["captions"]]
    with _index(work / "photos", encoder, *_pictures(work, {n: row["image"] for n, row in photos.items()})) as index:
        groups = [name.partition("/")[0] for name in captions]
        measures = ("success@1", "success@10", "ndcg@10")
        return {"caption to photo": _once(index, pairs, captions, work, measures, groups=groups)}


TASKS: Mapping[str, Callable[[Path, str, Path], Figures]] = {
    "grocery": grocery,
    "outdoor": outdoor,
    "clothing": clothing,
    "flickr8k": flickr8k,
}


@contextmanager
def _index(folder: Path, encoder: str, *sources: Any, **options: Any) -> Iterator[Sightline]:
    """A collection of these sources, from which nothing was left out."""
    with Sightline.open(folder, encoder=encoder, store="faiss") as index:
        report = index.add(*sources, **options)
        if report.skipped:
            raise SystemExit(f"{len(report.skipped)} sources were skipped, the first: {report.skipped[0]}")
        yield index


def _pictures(work: Path, of: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """Rows of an id and a picture, and nothing else."""
    return ({"id": name, "image": str(work / path)} for name, path in of.items())


def _once(
    index: Sightline,
    rows: Sequence[Row],
    asked: Mapping[str, tuple[str | Path, set[str]]],
    work: Path,
    measures: Sequence[str],
    *,
    closed: bool = False,
    groups: Sequence[str] | None = None,
) -> Figures:
    """Asked before, adapted from `rows` as a user would, asked again; the index ends as it was."""
    before = _ranked(index, asked)
    told = _told(index, rows, work, closed=closed)
    after = _ranked(index, asked)
    index.install(None)
    return told | _change(before, after, {name: right for name, (_, right) in asked.items()}, measures, groups)


def _crossed(
    index: Sightline,
    pairs: Mapping[str, Sequence[Row]],
    asked: Mapping[str, tuple[str | Path, set[str]]],
    *,
    of: Mapping[str, str],
    work: Path,
    measures: Sequence[str],
    closed: bool = False,
) -> Figures:
    """Every query asked with a map fitted on the pairs of the other folds; `of` says what is held out together."""
    ones = sorted(set(of.values()))
    random.Random(0).shuffle(ones)
    fold = {one: n % FOLDS for n, one in enumerate(ones)}
    whole = _told(index, [row for name in asked for row in pairs[name]], work, closed=closed, dry_run=True)
    before, after, let_in = _ranked(index, asked), Ranked(), 0
    for held in range(FOLDS):
        out = [name for name in asked if fold[of[name]] == held]
        kept = [row for name in asked if fold[of[name]] != held for row in pairs[name]]
        let_in += _told(index, kept, work, closed=closed)["let in"]
        after |= _ranked(index, {name: asked[name] for name in out})
        index.install(None)
    right = {name: right for name, (_, right) in asked.items()}
    groups = [of[name] for name in asked]
    told = {"what adapt says of all pairs": whole, "let in when fitted on four fifths": f"{let_in} of {FOLDS}"}
    return told | _change(before, after, right, measures, groups)


def _told(index: Sightline, rows: Iterable[Row], work: Path, *, closed: bool = False, dry_run: bool = False) -> Figures:
    """What `sightline adapt` says of these pairs, of which it installs the map where it helps."""
    path = work / "pairs.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    report = adapt(index, [path], closed=closed, dry_run=dry_run)
    return {
        "pairs": report.pairs,
        "let in": report.adapter is not None,
        "verdicts": [
            {"asks": one.kind, "new queries": str(one.asked_anew), "unseen": str(one.unseen), "reason": one.reason}
            | {"neighbours kept": round(one.kept, 3)}
            for one in report.verdicts
        ],
    }


def _ranked(index: Sightline, asked: Mapping[str, tuple[str | Path, set[str]]]) -> Ranked:
    target: Literal["image"] = "image"
    return {
        name: [
            hit.id
            for hit in index.search(
                Query((Term(what),), target=target) if isinstance(what, str) else what, k=10, least=0
            )
        ]
        for name, (what, _) in asked.items()
    }


def _change(
    before: Ranked,
    after: Ranked,
    right: Mapping[str, Any],
    measures: Sequence[str],
    groups: Sequence[str] | None = None,
) -> Figures:
    """Each measure before and after, and the paired difference, with 95 % bootstrap intervals."""
    first, second = by_query(before, right, measures), by_query(after, right, measures)
    was, became = mean(first, groups=groups), mean(second, groups=groups)
    gained = compared(first, second, groups=groups)
    return {
        "queries": len(right),
        **{m: {"before": str(was[m]), "after": str(became[m]), "difference": str(gained[m])} for m in measures},
    }


if __name__ == "__main__":
    run("adapt", __doc__, TASKS)
