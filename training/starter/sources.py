"""Reads the data tars in place and says, for every picture, where it comes from, its split and its labels.

Knows the layout and the licence of each source and which pictures are held out; `chosen` is where a training decides
what it may use. Knows nothing of models, crops or sentences.
"""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Picture:
    """One picture of one source; `split` is "train" or "val", and nothing of "val" is ever trained on."""

    source: str
    name: str
    split: str
    labels: dict[str, Any] = field(default_factory=dict)


def held_out(name: str, one_in: int) -> bool:
    """Say whether a picture of a source without splits is held out: sha1 of its `image` string, mod `one_in`, is 1."""
    return int(hashlib.sha1(name.encode()).hexdigest(), 16) % one_in == 1


def unseen(kind: str, colour: str) -> bool:
    """Say whether drawn products of this kind and main colour are held out of training: one pair in twenty."""
    return held_out(f"{kind}|{colour}", 20)


def _flickr8k(rows: list[dict[str, Any]], _: tarfile.TarFile) -> Iterator[Picture]:
    for row in rows:
        split = "train" if row["split"] == "train" else "val"
        yield Picture("flickr8k", row["image"], split, {"captions": row["captions"]})


def _grocery(rows: list[dict[str, Any]], tar: tarfile.TarFile) -> Iterator[Picture]:
    for row in rows:
        split = "train" if row["split"] == "train" else "val"
        yield Picture("grocery", row["image"], split, {"fine": row["fine"], "coarse": row["coarse"]})
    # the 81 iconic pictures are the shop's own catalog: views of their class, known at training time
    for row in _rows(tar, "products.jsonl"):
        labels = {"fine": row["class"], "coarse": row["coarse"], "description": row["description"]}
        yield Picture("grocery_iconic", row["iconic"], "train", labels)


def _clothing(rows: list[dict[str, Any]], _: tarfile.TarFile) -> Iterator[Picture]:
    for row in rows:
        split = "val" if held_out(row["image"], 5) else "train"
        yield Picture("clothing", row["image"], split, {"label": row["label"], "kids": row["kids"]})


def _fashion(rows: list[dict[str, Any]], _: tarfile.TarFile) -> Iterator[Picture]:
    for row in rows:
        split = "val" if held_out(row["image"], 20) else "train"
        yield Picture("fashion", row["image"], split, {k: v for k, v in row.items() if k != "image"})


def _classes(source: str) -> Callable[[list[dict[str, Any]], tarfile.TarFile], Iterator[Picture]]:
    def pictures(rows: list[dict[str, Any]], _: tarfile.TarFile) -> Iterator[Picture]:
        for row in rows:
            split = "val" if row["split"] == "val" else "train"  # only imagenette states a val split
            label = row["labels"][0] if row["labels"] else None
            yield Picture(source, row["image"], split, {"label": label})

    return pictures


@dataclass(frozen=True)
class Source:
    """One tar of pictures: the list in it, how to read that, what is trained on, and under which terms."""

    listing: str
    reader: Callable[[list[dict[str, Any]], tarfile.TarFile], Iterator[Picture]]
    trained_on: str
    licence: str  # as its publishers state it
    is_open: bool  # a licence that leaves a model trained on it free to use


SOURCES: dict[str, Source] = {
    "flickr8k": Source("captions.jsonl", _flickr8k, "Flickr8k (train split)", "research and education only", False),
    "grocery": Source("labels.jsonl", _grocery, "GroceryStoreDataset (train split and iconic pictures)", "MIT", True),
    "clothing": Source("labels.jsonl", _clothing, "clothing-dataset (4/5)", "CC0", True),
    "fashion": Source("catalog.jsonl", _fashion, "fashion products (Myntra, 19/20)", "none stated", False),
    "caltech101": Source("labels.jsonl", _classes("caltech101"), "Caltech-101", "none stated", False),
    "imagenette": Source(
        "labels.jsonl", _classes("imagenette"), "Imagenette (train split)", "ImageNet terms, research", False
    ),
    "pacs_photo": Source("labels.jsonl", _classes("pacs_photo"), "PACS photos", "none stated", False),
}
EVERY = tuple(SOURCES)


def chosen(only_open: bool) -> tuple[str, ...]:
    """Return the names of the sources a training uses: all of them, or those under an open licence alone."""
    return tuple(name for name, source in SOURCES.items() if source.is_open or not only_open)


def _rows(tar: tarfile.TarFile, name: str) -> list[dict[str, Any]]:
    member = tar.extractfile(name)
    if member is None:
        raise FileNotFoundError(name)
    return [json.loads(line) for line in member.read().decode().splitlines()]


def read(data: Path, sources: tuple[str, ...] = EVERY) -> Iterator[tuple[Picture, bytes]]:
    """Yield every picture with its encoded bytes, source by source, in the order of each source's list."""
    for name in sources:
        source = SOURCES[name]
        with tarfile.open(data / f"{name}.tar") as tar:
            for picture in list(source.reader(_rows(tar, source.listing), tar)):
                member = tar.extractfile(picture.name)
                if member is None:
                    raise FileNotFoundError(f"{name}.tar: {picture.name}")
                yield picture, member.read()
