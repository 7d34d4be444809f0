"""What `sightline verify --catalog` finds of faults planted in catalogs, and what it lists where none was planted.

Goes through the public calls only. In each catalog one item in twenty gets the picture of another, a title another
colour, or a field another value, with fixed seeds; then copies of pictures are hidden among others. Real catalogs have
faults of their own, so that precision is a lower bound. Data: a folder with grocery.tar, clothing.tar, fashion.tar and
outdoor_catalog.tar; the starter was trained on none of these pictures.

    python -m benchmarks.catalog_check --data DIR [--encoder SPEC] [--only TASK ...] [--out benchmarks/results]
"""

from __future__ import annotations

import hashlib
import io
import json
import random
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from PIL import Image, ImageEnhance, ImageOps

from benchmarks.report import run
from benchmarks.retrieval import SAMPLE, _spaced, _unpacked
from sightline import Sightline
from sightline.catalog_check import check, duplicates
from sightline.catalog_check.disagreements import COLOURS
from sightline.catalog_check.judging import LISTED

SEEDS = 3
ONE_IN = 20
Figures = dict[str, Any]
Row = dict[str, Any]
Planting = Callable[[list[Row], random.Random], set[str]]


def sample(data: Path, encoder: str, work: Path) -> Figures:
    """The sample catalog: 240 drawn products."""
    rows = [json.loads(line) for line in (SAMPLE / "catalog.jsonl").read_text().splitlines()]
    for row in rows:
        row["images"] = [str(SAMPLE / image) for image in row["images"]]
    return _figures(rows, encoder, work, recolour=True, fields=("kind", "category", "colour"))


def outdoor(data: Path, encoder: str, work: Path) -> Figures:
    """101 real products."""
    _unpacked(data / "outdoor_catalog.tar", work)
    rows = [
        {"id": str(row["Id"]), "title": row["Name"], "text": row["Description"], "type": row["Type"],
         "images": [str(work / "images" / f"{row['Id']}.webp")]}
        for row in json.loads((work / "catalog.json").read_text())
    ]  # fmt: skip
    return _figures(rows, encoder, work, recolour=True, fields=("type",))


def grocery(data: Path, encoder: str, work: Path) -> Figures:
    """296 shop photos of val, titled with the name of what they show."""
    labels = [row for row in _unpacked(data / "grocery.tar", work, "labels.jsonl") if row["split"] == "val"]
    rows = [
        {"id": f"photo-{n:04}", "title": _spaced(row["fine"]), "category": _spaced(row["coarse"]),
         "images": [str(work / row["image"])]}
        for n, row in enumerate(labels)
    ]  # fmt: skip
    return _figures(rows, encoder, work, fields=("category",))


def clothing(data: Path, encoder: str, work: Path) -> Figures:
    """Phone photos of the fifth held out, titled with their label: a volunteer's, so that some are wrong already."""
    labels = [row for row in _unpacked(data / "clothing.tar", work, "labels.jsonl") if row["label"]]
    rows = [
        {"id": Path(row["image"]).stem, "title": row["label"], "images": [str(work / row["image"])]}
        for row in labels
        if _held_out(row["image"], 5)
    ]
    return _figures(rows, encoder, work)


def fashion(data: Path, encoder: str, work: Path) -> Figures:
    """Studio pictures of the twentieth held out, with their titles and attributes."""
    rows = [
        {"id": row["id"], "title": row["title"], "kind": row["articleType"], "category": row["subCategory"],
         "colour": row["baseColour"], "images": [str(work / row["image"])]}
        for row in _unpacked(data / "fashion.tar", work, "catalog.jsonl")
        if _held_out(row["image"], 20)
    ]  # fmt: skip
    return _figures(rows, encoder, work, recolour=True, fields=("kind", "category", "colour"))


def alike(data: Path, encoder: str, work: Path) -> Figures:
    """Copies of one clothing photo in ten, changed in one of six ways, and how many pairs of others count as alike."""
    labels = _unpacked(data / "clothing.tar", work, "labels.jsonl")
    photos = [work / row["image"] for row in labels if _held_out(row["image"], 5)]
    chosen = random.Random(0).sample(photos, len(photos) // 10)
    rows = [{"id": photo.stem, "image": str(photo)} for photo in photos]
    copies: dict[str, tuple[str, str]] = {}
    for photo in chosen:
        for name, change in CHANGES.items():
            changed = work / f"{photo.stem}-{name}.jpg"
            changed.write_bytes(change(Image.open(photo).convert("RGB")))
            copies[changed.stem] = (name, photo.stem)
            rows.append({"id": changed.stem, "image": str(changed)})
    with Sightline.open(work / "index", encoder=encoder, store="faiss") as index:
        index.add(*rows)
        groups = [set(group.items) for group in duplicates(index) if group.kind == "alike pictures"]
    found = Counter(name for copy, (name, of) in copies.items() if any({copy, of} <= group for group in groups))
    origins = [{copies[item][1] if item in copies else item for item in group} for group in groups]
    mixed = [origin for origin in origins if len(origin) > 1]
    return {
        "photos": len(photos),
        "copies of each change": len(chosen),
        "found": {name: f"{found[name]} ({found[name] / len(chosen):.0%})" for name in CHANGES},
        "groups": len(groups),
        "groups that join different photos": len(mixed),
        "of those, the photos joined": sorted(sorted(origin) for origin in mixed)[:20],
    }


def _jpeg(picture: Image.Image, quality: int = 90) -> bytes:
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=quality)
    return out.getvalue()


def _cropped(picture: Image.Image, share: float) -> Image.Image:
    width, height = picture.size
    return picture.crop((int(width * share), int(height * share), int(width * (1 - share)), int(height * (1 - share))))


CHANGES: Mapping[str, Callable[[Image.Image], bytes]] = {
    "re-encoded": lambda picture: _jpeg(picture, 40),
    "halved": lambda picture: _jpeg(picture.resize((picture.width // 2, picture.height // 2))),
    "brighter": lambda picture: _jpeg(ImageEnhance.Brightness(picture).enhance(1.2)),
    "cropped by 2 percent a side": lambda picture: _jpeg(_cropped(picture, 0.02)),
    "cropped by 8 percent a side": lambda picture: _jpeg(_cropped(picture, 0.08)),
    "mirrored": lambda picture: _jpeg(ImageOps.mirror(picture)),
}


# -- faults ------------------------------------------------------------------------------------------------------------


def _swapped(rows: list[Row], rng: random.Random) -> set[str]:
    """Pictures go round among some items; an item that gets one of an item with the same title has no fault."""
    chosen = rng.sample(range(len(rows)), max(2, len(rows) // ONE_IN))
    given = [rows[at]["images"] for at in [*chosen[1:], chosen[0]]]
    titles = [rows[at]["title"] for at in [*chosen[1:], chosen[0]]]
    for at, images in zip(chosen, given, strict=True):
        rows[at] = rows[at] | {"images": images}
    return {rows[at]["id"] for at, title in zip(chosen, titles, strict=True) if rows[at]["title"] != title}


def _recoloured(rows: list[Row], rng: random.Random) -> set[str]:
    """Some titles name another colour, one that other titles of the catalog name."""
    word = re.compile(rf"\b({'|'.join(COLOURS.split())})\b", re.IGNORECASE)
    named = [(at, found) for at, row in enumerate(rows) if len(found := word.findall(row["title"])) == 1]
    colours = sorted({found[0].lower() for _, found in named})
    chosen = rng.sample(named, max(2, len(named) // ONE_IN))
    for at, found in chosen:
        other = rng.choice([colour for colour in colours if colour != found[0].lower()])
        title = word.sub(other.capitalize() if found[0][0].isupper() else other, rows[at]["title"])
        rows[at] = rows[at] | {"title": title}
    return {rows[at]["id"] for at, _ in chosen}


def _changed(field: str) -> Planting:
    """Some items have another value of a field, one that at least three items have."""

    def plant(rows: list[Row], rng: random.Random) -> set[str]:
        values = sorted(value for value, count in Counter(row[field] for row in rows).items() if count >= 3)
        able = [at for at, row in enumerate(rows) if row[field] in values]
        chosen = rng.sample(able, max(2, len(able) // ONE_IN))
        for at in chosen:
            rows[at] = rows[at] | {field: rng.choice([value for value in values if value != rows[at][field]])}
        return {rows[at]["id"] for at in chosen}

    return plant


# -- figures -----------------------------------------------------------------------------------------------------------


def _figures(
    rows: Sequence[Row], encoder: str, work: Path, *, recolour: bool = False, fields: Sequence[str] = ()
) -> Figures:
    """The catalog as it is, then each fault SEEDS times; an item is embedded again only where its title is another."""
    faults: dict[str, Planting] = {"picture of another item": _swapped}
    if recolour:
        faults["title with another colour"] = _recoloured
    faults |= {f"another {field}": _changed(field) for field in fields}
    catalog = work / "faulty.jsonl"
    with Sightline.open(work / "index", encoder=encoder, store="faiss") as index:
        _indexed(index, catalog, rows)
        clean = check(index, least=0.0)
        listed = {suspect.item_id for suspect in clean.suspects if suspect.suspicion >= LISTED}
        figures: Figures = {
            "items": clean.items,
            "listed where nothing was planted": len(listed),
            "of mistakes planted for trial it says it finds": {
                one.about: f"{one.noticed:.0%}" for one in clean.compared
            },
        }
        for name, plant in faults.items():
            runs = []
            for seed in range(SEEDS):
                faulty = list(rows)
                planted = plant(faulty, random.Random(seed))
                _indexed(index, catalog, faulty)
                ranked = check(index, least=0.0).suspects
                runs.append(_run([(one.item_id, one.suspicion) for one in ranked], planted, listed))
            figures[name] = {"planted a run": fmean(run["planted"] for run in runs)} | {
                key: round(fmean(run[key] for run in runs), 3) for key in runs[0] if key != "planted"
            }
    return figures


def _run(ranked: Sequence[tuple[str, float]], planted: set[str], before: set[str]) -> Figures:
    listed = {item for item, suspicion in ranked if suspicion >= LISTED}
    hits = [item in planted for item, _ in ranked]
    found = [sum(hits[:at]) / at for at, hit in enumerate(hits, start=1) if hit]
    new = listed - (before - planted)  # what was listed before anything was planted is no work of ours
    return {
        "planted": len(planted),
        "listed": len(listed),
        "precision": len(listed & planted) / max(1, len(listed)),
        "precision of what is newly listed": len(new & planted) / max(1, len(new)),
        "recall": len(listed & planted) / len(planted),
        "average precision": sum(found) / len(planted),
    }


def _indexed(index: Sightline, catalog: Path, rows: Sequence[Row]) -> None:
    catalog.write_text("".join(json.dumps(row) + "\n" for row in rows))
    report = index.add(catalog)
    if report.skipped:
        raise SystemExit(f"{len(report.skipped)} were skipped, the first: {report.skipped[0]}")


def _held_out(image: str, one_in: int) -> bool:
    """The rule by which the starter's training left pictures out."""
    return int(hashlib.sha1(image.encode()).hexdigest(), 16) % one_in == 1


TASKS: Mapping[str, Callable[[Path, str, Path], Figures]] = {
    "sample": sample,
    "outdoor": outdoor,
    "grocery": grocery,
    "clothing": clothing,
    "fashion": fashion,
    "alike": alike,
}


if __name__ == "__main__":
    run("catalog_check", __doc__, TASKS)
