"""Questions that have an answer in a collection and questions that have none, over collections with parts left out.

Absent means that the whole concept is: a kind of product, a class, a combination of colour and kind that no item has.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from benchmarks.retrieval import JUDGED, OUTDOOR, SAMPLE, _spaced, _unpacked
from sightline import filters

Row = Mapping[str, Any]
SHOTS = 3  # ways to leave out half of the classes of a set of photos
CAPTIONS = 4  # every so many photos' first caption is asked


@dataclass(frozen=True, slots=True)
class Asked:
    """A query, the ids that answer it in the shelf (none: it is absent), and what sort of question it is."""

    text: str
    relevant: frozenset[str]
    form: str
    picture: Path | None = None
    item: str = ""  # an id: more like this
    target: Literal["image", "text"] | None = None


@dataclass(frozen=True, slots=True)
class Shelf:
    """A collection to be made, of a group that is left out as one, and what is asked of it."""

    name: str
    group: str
    rows: tuple[Row, ...]
    asked: tuple[Asked, ...]


def shelves(data: Path, work: Path) -> Iterator[Shelf]:
    """Every shelf, the files it needs unpacked under `work`."""
    yield from _sample()
    names = _grocery_names(data, work)
    yield from _grocery(data, work)
    yield from _photos(data, work)
    yield from _outdoor(data, work, names)
    yield from _flickr(data, work, names)


def _sample() -> Iterator[Shelf]:
    """Both halves of its kinds, and all of it; combinations of colour and kind that nothing has among the absent."""
    rows = [json.loads(line) for line in (SAMPLE / "catalog.jsonl").read_text().splitlines()]
    rows = [row | {"images": [str(SAMPLE / name) for name in row["images"]]} for row in rows]
    kinds = _shuffled(sorted({row["kind"] for row in rows}), 0)
    asked = [*_judged_of_sample(rows), *(Asked(kind, _ids(rows, kind=kind), "kind") for kind in kinds)]
    colours = sorted({row["colour"] for row in rows if "colour" in row})
    pairs = [(colour, kind) for colour in colours for kind in kinds]
    asked += [Asked(f"{colour} {kind}", _ids(rows, kind=kind, colour=colour), "combination") for colour, kind in pairs]
    lacking = [one for one in asked if not one.relevant and one.form == "combination"]
    yield Shelf("sample", "sample", tuple(rows), tuple(_some(lacking, 4, 1) + [one for one in asked if one.relevant]))
    for half in (0, 1):
        kept = set(kinds[half::2])
        inside = [row for row in rows if row["kind"] in kept]
        ids = _ids(inside)
        told = [Asked(one.text, one.relevant & ids, one.form) for one in asked if one.relevant]
        whole = [now for now, one in zip(told, (one for one in asked if one.relevant), strict=True)
                 if now.relevant in (one.relevant, frozenset())]  # fmt: skip
        yield Shelf(f"sample-{half}", "sample", tuple(inside), tuple(whole))


def _judged_of_sample(rows: Sequence[Row]) -> list[Asked]:
    told = [
        Asked(one["query"], _passing(rows, one), "judged") for one in json.loads((JUDGED / "sample.json").read_text())
    ]
    described = json.loads((JUDGED / "sample_pictures.json").read_text())
    told += [Asked(one["query"], frozenset(one["relevant"]), one["form"]) for one in described]
    return [one for one in told if one.relevant]


def _passing(rows: Sequence[Row], judged: Mapping[str, Any]) -> frozenset[str]:
    if "relevant" in judged:
        return frozenset(judged["relevant"]) & _ids(rows)
    where = filters.parse(judged["relevant_where"])
    return frozenset(row["id"] for row in rows if filters.matches(where, row["id"], row))


def _grocery_names(data: Path, work: Path) -> list[str]:
    return [_spaced(row["class"]) for row in _unpacked(data / "grocery.tar", _under(work, "grocery"), "products.jsonl")]


def _grocery(data: Path, work: Path) -> Iterator[Shelf]:
    """Products by name: half of them left out at random, then half of their coarse classes."""
    folder = _under(work, "grocery")
    rows = [
        {"id": row["class"], "title": _spaced(row["class"]), "text": row["description"], "coarse": row["coarse"],
         "image": str(folder / row["iconic"])}
        for row in _unpacked(data / "grocery.tar", folder, "products.jsonl")
    ]  # fmt: skip
    mixed, coarse = _shuffled(rows, 1), _shuffled(sorted({row["coarse"] for row in rows}), 2)
    for half in (0, 1):
        inside = mixed[half::2]
        asked = [Asked(row["title"], frozenset({row["id"]}) & _ids(inside), "name") for row in rows]
        yield Shelf(f"grocery-names-{half}", "grocery", tuple(inside), tuple(asked))
        kept = set(coarse[half::2])
        inside = [row for row in rows if row["coarse"] in kept]
        asked = [Asked(_spaced(kind), _ids(inside, coarse=kind), "class") for kind in coarse]
        yield Shelf(f"grocery-classes-{half}", "grocery", tuple(inside), tuple(asked))


def _photos(data: Path, work: Path) -> Iterator[Shelf]:
    """Photos without a word: shop photos of groceries, phone photos of clothes; half of the classes left out."""
    groceries, clothes = _under(work, "grocery"), _under(work, "clothing")
    labels = [one for one in _unpacked(data / "grocery.tar", groceries, "labels.jsonl") if one["split"] == "val"]
    yield from _halves("grocery photos", [(groceries / one["image"], _spaced(one["coarse"])) for one in labels])
    vague = ("Not sure", "Other", "Skip", "", None)
    labels = [one for one in _unpacked(data / "clothing.tar", clothes, "labels.jsonl") if one["label"] not in vague]
    yield from _halves("clothing photos", [(clothes / one["image"], str(one["label"])) for one in _some(labels, 3, 5)])


def _halves(group: str, photos: Sequence[tuple[Path, str]]) -> Iterator[Shelf]:
    classes = sorted({label for _, label in photos})
    of = {str(path): label for path, label in photos}
    rows = [{"id": f"{at:05}", "image": str(path)} for at, (path, _) in enumerate(photos)]
    for shot in range(SHOTS):
        order = _shuffled(classes, 10 + shot)
        for half in (0, 1):
            inside = [row for row in rows if of[row["image"]] in order[half::2]]
            asked = [
                Asked(kind, frozenset(row["id"] for row in inside if of[row["image"]] == kind), "class")
                for kind in classes
            ]
            yield Shelf(f"{group}-{shot}{half}", group, tuple(inside), tuple(asked))


def _outdoor(data: Path, work: Path, groceries: Sequence[str]) -> Iterator[Shelf]:
    """A shop's 101 products: its judged queries, groceries, and kinds of the sample catalog that nothing here says."""
    folder = _under(work, "outdoor")
    _unpacked(data / "outdoor_catalog.tar", folder)
    products = json.loads((folder / "catalog.json").read_text())
    rows = [
        {"id": str(row["Id"]), "title": row["Name"], "text": row["Description"],
         "image": str(folder / "images" / f"{row['Id']}.webp"),
         **{key: value for key, value in row.items() if key not in ("Id", *OUTDOOR.values())}}
        for row in products
    ]  # fmt: skip
    judged = [one for one in json.loads((JUDGED / "outdoor.json").read_text()) if "where" not in one]
    asked = [Asked(one["query"], frozenset(map(str, one["relevant"])) & _ids(rows), "judged") for one in judged]
    said = json.dumps(rows).casefold()
    kinds = sorted({json.loads(line)["kind"] for line in (SAMPLE / "catalog.jsonl").read_text().splitlines()})
    asked += [Asked(kind, frozenset(), "other kinds") for kind in kinds if kind.split()[-1].rstrip("s") not in said]
    asked += [Asked(name, frozenset(), "groceries") for name in groceries]
    yield Shelf("outdoor", "outdoor", tuple(rows), tuple(one for one in asked if one.relevant or one.form != "judged"))


def _flickr(data: Path, work: Path, groceries: Sequence[str]) -> Iterator[Shelf]:
    """The 1,000 dev photos without a word: captions of a quarter of them, and groceries."""
    folder = _under(work, "flickr8k")
    photos = [one for one in _unpacked(data / "flickr8k.tar", folder, "captions.jsonl") if one.get("split") == "dev"]
    rows = [{"id": f"{at:05}", "image": str(folder / one["image"])} for at, one in enumerate(photos)]
    asked = [
        Asked(photos[at]["captions"][0], frozenset({rows[at]["id"]}), "caption") for at in range(0, len(rows), CAPTIONS)
    ]
    yield Shelf(
        "flickr8k", "flickr8k", tuple(rows), (*asked, *(Asked(name, frozenset(), "groceries") for name in groceries))
    )


def _ids(rows: Sequence[Row], **values: str) -> frozenset[str]:
    return frozenset(row["id"] for row in rows if all(row.get(key) == value for key, value in values.items()))


def _shuffled(values: Sequence[Any], seed: int) -> list[Any]:
    return [values[at] for at in np.random.default_rng(seed).permutation(len(values))]


def _some(values: Sequence[Any], one_in: int, seed: int) -> list[Any]:
    return _shuffled(values, seed)[::one_in]


def _under(work: Path, name: str) -> Path:
    (work / name).mkdir(parents=True, exist_ok=True)
    return work / name
