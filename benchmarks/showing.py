"""What folding, diversity and sorting do to the first hits: copies found and wrongly folded, variety against precision.

Goes through the public calls only. Data: a folder with grocery.tar and outdoor_catalog.tar; the starter was trained on
none of these pictures. Small collections with a label for every picture: ratios, not promises for another catalog.

    python -m benchmarks.showing --data DIR [--encoder SPEC] [--only TASK ...] [--out benchmarks/results]
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.catalog_check import CHANGES
from benchmarks.report import run
from benchmarks.retrieval import SAMPLE, _spaced, _unpacked
from sightline import Hit, Show, Sightline

Figures = dict[str, Any]
COPIED = 40  # photos that get a copy of each change
K = 10


def copies(data: Path, encoder: str, work: Path) -> Figures:
    """Copies of shop photos, changed in six ways: of those among the first 100 hits beside their photo, the folded."""
    photos = _photos(data, work)
    rows = [{"id": name, "image": path} for name, (path, _, _) in photos.items()]
    origin = {}
    for name in random.Random(0).sample(sorted(photos), COPIED):
        for change, alter in CHANGES.items():
            changed = work / f"{name}-{change.replace(' ', '-')}.jpg"
            changed.write_bytes(alter(Image.open(photos[name][0]).convert("RGB")))
            origin[changed.stem] = (change, name)
            rows.append({"id": changed.stem, "image": str(changed)})
    there, folded, wrong = Counter[str](), Counter[str](), set[tuple[str, str]]()
    with Sightline.open(work / "index", encoder=encoder, store="faiss") as index:
        index.add(*rows)
        for label in sorted({fine for _, fine, _ in photos.values()}):
            shown = {hit.id for hit in index.search(label, least=0, k=100)}
            groups = [
                {hit.id, *hit.folded} & shown for hit in index.search(label, least=0, k=100, show=Show(fold=True))
            ]
            for copy, (change, name) in origin.items():
                if {copy, name} <= shown:
                    there[change] += 1
                    folded[change] += any({copy, name} <= group for group in groups)
            origins = [{origin.get(one, ("", one))[1] for one in group} for group in groups]
            wrong |= {tuple(sorted(one))[:2] for one in origins if len(one) > 1}  # type: ignore[misc]
    return {
        "photos": len(photos),
        "copies": len(origin),
        "copies folded with their photo": {one: f"{folded[one]} of {there[one]}" for one in CHANGES},
        "different photos folded together": len(wrong),
    }


def variety(data: Path, encoder: str, work: Path) -> Figures:
    """Shop photos by the name of their group: right hits, and kinds among them, of the first ten as diversity grows."""
    photos = _photos(data, work)
    figures: Figures = {}
    with Sightline.open(work / "index", encoder=encoder, store="faiss") as index:
        index.add(*({"id": name, "image": path, "kind": fine} for name, (path, fine, _) in photos.items()))
        groups = sorted({coarse for _, _, coarse in photos.values()})
        for name, show in {
            **{f"diversity {value}": Show(diversity=value) for value in (0.0, 0.1, 0.2, 0.3, 0.5, 0.7)},
            "at most 2 of a kind": Show(diversify="kind"),
        }.items():
            found = [(group, list(index.search(group, least=0, k=K, show=show))) for group in groups]
            right = [[photos[hit.id][1] for hit in hits if photos[hit.id][2] == group] for group, hits in found]
            figures[name] = {
                "right of ten": round(fmean(map(len, right)), 2),
                "kinds among the right": round(fmean(len(set(kinds)) for kinds in right), 2),
                "mean cosine of the ten": round(fmean(_cosine(index, hits) for _, hits in found), 3),
            }
    return {"queries": len(groups), **figures}


def sorting(data: Path, encoder: str, work: Path) -> Figures:
    """Real products by the name of their type, the sample catalog by kind, by price: of the first ten, those right."""
    _unpacked(data / "outdoor_catalog.tar", work)
    real = [
        {"id": str(row["Id"]), "title": row["Name"], "text": row["Description"], "price": row["Price"],
         "kind of thing": row["Type"], "image": str(work / "images" / f"{row['Id']}.webp")}
        for row in json.loads((work / "catalog.json").read_text())
    ]  # fmt: skip
    drawn = [json.loads(line) for line in (SAMPLE / "catalog.jsonl").read_text().splitlines()]
    drawn = [row | {"images": [str(SAMPLE / name) for name in row["images"]]} for row in drawn]
    return {
        "real products": _sorted(
            [{key: row[key] for key in row if key != "kind of thing"} for row in real],
            {row["id"]: row["kind of thing"] for row in real}, encoder, work / "real",
        ),
        "sample catalog": _sorted(drawn, {row["id"]: row["kind"] for row in drawn}, encoder, work / "drawn"),
    }  # fmt: skip


def _sorted(rows: list[dict[str, Any]], kinds: dict[str, str], encoder: str, folder: Path) -> Figures:
    ways: Mapping[str, Callable[[Sequence[Hit]], Sequence[Hit]]] = {
        "as ranked": lambda hits: hits[:K],
        "all hits by price": lambda hits: sorted(hits, key=lambda hit: float(str(hit.item.fields["price"])))[:K],
    }
    with Sightline.open(folder, encoder=encoder, store="faiss") as index:
        index.add(*rows)
        asked = sorted(set(kinds.values()))
        every = {kind: list(index.search(kind, least=0, k=100)) for kind in asked}
        ordered = {kind: list(index.search(kind, least=0, k=K, show=Show(sort="price"))) for kind in asked}
    figures = {
        name: fmean(fmean(kinds[hit.id] == kind for hit in way(hits)) for kind, hits in every.items())
        for name, way in ways.items()
    }
    figures["sorted by price"] = fmean(fmean(kinds[hit.id] == kind for hit in hits) for kind, hits in ordered.items())
    there = Counter(kinds.values())
    shown = fmean(sum(kinds[hit.id] == kind for hit in hits) / min(K, there[kind]) for kind, hits in ordered.items())
    return {
        "queries": len(asked), "of that type": {name: f"{share:.0%}" for name, share in figures.items()},
        "sorted, of those there are": f"{shown:.0%}",
    }  # fmt: skip


def _photos(data: Path, work: Path) -> dict[str, tuple[str, str, str]]:
    """id -> (path, name of what it shows, name of its group): the shop photos of val."""
    labels = [row for row in _unpacked(data / "grocery.tar", work, "labels.jsonl") if row["split"] == "val"]
    return {
        f"photo-{n:04}": (str(work / row["image"]), _spaced(row["fine"]), _spaced(row["coarse"]))
        for n, row in enumerate(labels)
    }


def _cosine(index: Sightline, hits: Sequence[Hit]) -> float:
    known = index.known([hit.item.parts[0].digest for hit in hits])
    rows = np.stack([known[hit.item.parts[0].digest][0] for hit in hits])  # (n, dim)
    return float((rows @ rows.T)[~np.eye(len(rows), dtype=bool)].mean())


TASKS: Mapping[str, Callable[[Path, str, Path], Figures]] = {"copies": copies, "variety": variety, "sorting": sorting}


if __name__ == "__main__":
    run("showing", __doc__, TASKS)
