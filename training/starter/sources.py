"""Reads the data tars in place and says, for every picture, where it comes from, its split and its labels.

Knows the layout of each source and which pictures are held out; knows nothing of models, crops or sentences.
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


_READERS = {
    "flickr8k": ("captions.jsonl", _flickr8k),
    "grocery": ("labels.jsonl", _grocery),
    "clothing": ("labels.jsonl", _clothing),
    "fashion": ("catalog.jsonl", _fashion),
    "caltech101": ("labels.jsonl", _classes("caltech101")),
    "imagenette": ("labels.jsonl", _classes("imagenette")),
    "pacs_photo": ("labels.jsonl", _classes("pacs_photo")),
}


def _rows(tar: tarfile.TarFile, name: str) -> list[dict[str, Any]]:
    member = tar.extractfile(name)
    if member is None:
        raise FileNotFoundError(name)
    return [json.loads(line) for line in member.read().decode().splitlines()]


def read(data: Path, sources: tuple[str, ...] = tuple(_READERS)) -> Iterator[tuple[Picture, bytes]]:
    """Yield every picture with its encoded bytes, source by source, in the order of each source's list."""
    for source in sources:
        listing, reader = _READERS[source]
        with tarfile.open(data / f"{source}.tar") as tar:
            for picture in list(reader(_rows(tar, listing), tar)):
                member = tar.extractfile(picture.name)
                if member is None:
                    raise FileNotFoundError(f"{source}.tar: {picture.name}")
                yield picture, member.read()
