"""The same with queries that show something: a picture, a picture with words, an item of the collection.

What answers shows, or tells of, the same kind of thing: of the class, type or product that it was labelled with. Absent
is a whole class left out, and now and then a picture of quite another collection. Where a source has pictures that the
starter was not trained on, only those are taken.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from benchmarks.absent import Asked, Row, Shelf, _shuffled, _some, _under
from benchmarks.retrieval import OUTDOOR, SAMPLE, _spaced, _unpacked
from training.starter.sources import held_out

HALVES = ((0, 0.6), (1, 0.2))  # ways to leave out half of the classes, and the share of the others' pictures that stays
ASKED, ASKED_OF_SOLD = 90, 40  # pictures of a shelf of photos; of one of things with words, each asked six times
FAR = 8  # more of each of a few collections that have nothing of the kind
ELSEWHERE = {
    "grocery": ("clothing", "fashion", "animals"), "clothing": ("grocery", "animals"),
    "fashion": ("grocery", "animals"), "sample": ("grocery", "animals"), "caltech": ("grocery", "clothing", "fashion"),
    "pacs": ("grocery", "clothing", "fashion"), "imagenette": ("grocery", "clothing", "fashion"),
    "flickr8k": ("grocery", "clothing", "fashion"),
}  # fmt: skip
ANIMALS = ("dog", "elephant", "giraffe", "horse")
VAGUE = ("Not sure", "Other", "Skip", "", None)


@dataclass(frozen=True, slots=True)
class Thing:
    """A picture of something of a class, and the row it would be sold by."""

    picture: Path
    label: str
    words: str = ""  # that go with the picture in a mixture; none: no mixture is asked
    row: Row = field(default_factory=dict)  # but its picture

    def as_row(self, at: int) -> Row:
        return {"id": f"{at:05}", "image": str(self.picture), **self.row}


def shown_shelves(data: Path, work: Path) -> Iterator[Shelf]:
    """Every shelf that pictures and items are asked of, the files it needs unpacked under `work`."""
    photos, products, fashion = _photos(data, work), _products(data, work), _fashion(data, work)
    sample, outdoor = _sample(), _outdoor(data, work)
    strange = photos | {"fashion": fashion, "animals": [one for one in photos["pacs"] if one.label in ANIMALS]}
    far = {
        group: [t for name in names for t in _shuffled(strange[name], 3)[:FAR]] for group, names in ELSEWHERE.items()
    }
    for name, things in photos.items():
        group = name.split()[0]
        yield from _apart(group, f"{name.replace(' ', '-')}-photos", things, far[group])
    coarse = [Thing(one.picture, str(one.row["coarse"]), row=one.row) for one in products]
    yield from _stocked("grocery", "grocery-fine", products, photos["grocery fine"], far["grocery"])
    yield from _stocked("grocery", "grocery-coarse", coarse, photos["grocery"], far["grocery"])
    yield from _apart("fashion", "fashion-sold", fashion, far["fashion"])
    yield from _apart("sample", "sample-shown", sample, far["sample"])
    for group, things in {"grocery": coarse, "fashion": fashion, "sample": sample, "outdoor": outdoor}.items():
        yield from _alike(group, things)
    yield _captions(data, work, far["flickr8k"])


def _photos(data: Path, work: Path) -> dict[str, list[Thing]]:
    """By group, photos that nobody describes."""
    rows = {name: _unpacked(data / f"{tar}.tar", _under(work, tar), "labels.jsonl") for name, tar in (
        ("grocery", "grocery"), ("clothing", "clothing"), ("caltech", "caltech101"), ("pacs", "pacs_photo"),
        ("imagenette", "imagenette"),
    )}  # fmt: skip
    clothes = [row for row in rows["clothing"] if row["label"] not in VAGUE and held_out(row["image"], 5)]
    shops = [row for row in rows["grocery"] if row["split"] == "val"]
    labelled = {name: [row for row in rows[name] if row["labels"]] for name in ("caltech", "pacs", "imagenette")}
    unseen = [row for row in labelled["imagenette"] if row["split"] == "val"]
    chosen = {
        "caltech": _some(labelled["caltech"], 5, 6), "pacs": _some(labelled["pacs"], 4, 7),
        "imagenette": _some(unseen, 3, 8),
    }  # fmt: skip
    folders = {"caltech": "caltech101", "pacs": "pacs_photo", "imagenette": "imagenette"}
    return {
        "grocery": [Thing(work / "grocery" / row["image"], _spaced(row["coarse"])) for row in shops],
        "grocery fine": [Thing(work / "grocery" / row["image"], row["fine"], _spaced(row["fine"])) for row in shops],
        "clothing": [Thing(work / "clothing" / row["image"], row["label"]) for row in clothes],
        **{
            name: [Thing(work / folders[name] / row["image"], row["labels"][0]) for row in some]
            for name, some in chosen.items()
        },
    }


def _products(data: Path, work: Path) -> list[Thing]:
    folder = _under(work, "grocery")
    return [
        Thing(
            folder / row["iconic"], row["class"],
            row={"title": _spaced(row["class"]), "text": row["description"], "coarse": _spaced(row["coarse"])},
        )
        for row in _unpacked(data / "grocery.tar", folder, "products.jsonl")
    ]  # fmt: skip


def _fashion(data: Path, work: Path) -> list[Thing]:
    folder = _under(work, "fashion")
    rows = [row for row in _unpacked(data / "fashion.tar", folder, "catalog.jsonl") if held_out(row["image"], 20)]
    return [
        Thing(folder / row["image"], row["articleType"], row["articleType"], {"title": row["title"]}) for row in rows
    ]


def _sample() -> list[Thing]:
    rows = [json.loads(line) for line in (SAMPLE / "catalog.jsonl").read_text().splitlines()]
    return [
        Thing(SAMPLE / row["images"][0], row["kind"], row["kind"], {"title": row["title"], "text": row["text"]})
        for row in rows
    ]


def _outdoor(data: Path, work: Path) -> list[Thing]:
    folder = _under(work, "outdoor")
    _unpacked(data / "outdoor_catalog.tar", folder)
    return [
        Thing(
            folder / "images" / f"{row['Id']}.webp", row["Type"],
            row={name: row[OUTDOOR[name]] for name in ("title", "text")},
        )
        for row in json.loads((folder / "catalog.json").read_text())
    ]  # fmt: skip


def _apart(group: str, name: str, things: Sequence[Thing], far: Sequence[Thing]) -> Iterator[Shelf]:
    """Some things stay, the others' pictures are asked: of the classes that stay, and of those that went."""
    classes = sorted({one.label for one in things})
    for shot, share in HALVES:
        order = _shuffled(classes, 20 + shot)
        for half in (0, 1):
            kept = frozenset(order[half::2])
            stays = np.random.default_rng(shot).random(len(things)) < max(share, 0.5 if things[0].row else 0.0)
            stock = [one for one, stay in zip(things, stays, strict=True) if stay and one.label in kept]
            there = {one.label for one in stock}
            asking = [
                one
                for one, stay in zip(things, stays, strict=True)
                if (not stay and one.label in there) or one.label not in kept
            ]
            yield _shelf(group.split(maxsplit=1)[0], f"{name}-{shot}{half}", stock, asking, far)


def _stocked(
    group: str, name: str, stock: Sequence[Thing], asking: Sequence[Thing], far: Sequence[Thing]
) -> Iterator[Shelf]:
    """Half of the classes of a stock stay; pictures of all are asked."""
    classes = sorted({one.label for one in stock})
    for shot, _ in HALVES:
        order = _shuffled(classes, 30 + shot)
        for half in (0, 1):
            kept = [one for one in stock if one.label in order[half::2]]
            yield _shelf(group, f"{name}-{shot}{half}", kept, asking, far)


def _shelf(group: str, name: str, stock: Sequence[Thing], asking: Sequence[Thing], far: Sequence[Thing]) -> Shelf:
    rows = [one.as_row(at) for at, one in enumerate(stock)]
    by_label: dict[str, list[str]] = {}
    for row, one in zip(rows, stock, strict=True):
        by_label.setdefault(one.label, []).append(str(row["id"]))
    asked = []
    count = ASKED_OF_SOLD if stock[0].row else ASKED
    chosen = [*((one, "picture") for one in _shuffled(asking, 4)[:count]), *((one, "far") for one in far)]
    for one, form in chosen:
        right = frozenset(by_label.get(one.label, ()) if form == "picture" else ())
        targets: tuple[Literal["image", "text"] | None, ...] = ("image", "text", None) if stock[0].row else ("image",)
        asked += [Asked("", right, form, one.picture, target=target) for target in targets]
        if one.words and stock[0].row:
            asked += [Asked(one.words, right, "mixture", one.picture, target=target) for target in targets]
    return Shelf(name, group, tuple(rows), tuple(asked))


def _alike(group: str, things: Sequence[Thing]) -> Iterator[Shelf]:
    """More like this: half of the classes stay whole, of the others one thing each."""
    classes = sorted({one.label for one in things})
    for shot, _ in HALVES:
        order = _shuffled(classes, 40 + shot)
        for half in (0, 1):
            whole, seen, stock = set(order[half::2]), set(), []
            for one in _shuffled(things, 50 + shot):
                if one.label in whole or one.label not in seen:
                    stock.append(one)
                seen.add(one.label)
            rows = [one.as_row(at) for at, one in enumerate(stock)]
            counts = Counter(one.label for one in stock)
            lonely = [at for at, one in enumerate(stock) if counts[one.label] == 1]
            others = [at for at, one in enumerate(stock) if counts[one.label] > 1]
            asked = []
            for at in sorted(lonely + _shuffled(others, 5)[: len(lonely)]):
                right = frozenset(
                    str(row["id"])
                    for n, (row, one) in enumerate(zip(rows, stock, strict=True))
                    if one.label == stock[at].label and n != at
                )
                asked += [Asked("", right, "item", item=str(rows[at]["id"]), target=kind) for kind in (None, "text")]
            yield Shelf(f"{group}-alike-{shot}{half}", group, tuple(rows), tuple(asked))


def _captions(data: Path, work: Path, far: Sequence[Thing]) -> Shelf:
    """A caption of each of 1,000 dev photos: a tenth of the photos, and groceries and clothes."""
    folder = _under(work, "flickr8k")
    photos = [one for one in _unpacked(data / "flickr8k.tar", folder, "captions.jsonl") if one.get("split") == "dev"]
    rows = tuple({"id": f"{at:05}", "text": one["captions"][0]} for at, one in enumerate(photos))
    asked = [
        Asked("", frozenset({rows[at]["id"]}), "picture", folder / photos[at]["image"], target="text")
        for at in range(0, len(rows), 10)
    ]
    asked += [Asked("", frozenset(), "far", one.picture, target="text") for one in far]
    return Shelf("flickr8k-captions", "flickr8k", rows, tuple(asked))
