"""The data tars with a few pictures each, cut from the real ones: enough to take every step of the training."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

from training.starter.sources import SOURCES


def tiny_sources(data: Path, out: Path, names: tuple[str, ...], *, every: int) -> None:
    """Write each named tar with one picture in `every` (all of seven grocery products), and link the teachers."""
    out.mkdir(parents=True, exist_ok=True)
    (out / "teachers").symlink_to(data / "teachers")
    for name in names:
        with tarfile.open(data / f"{name}.tar") as full, tarfile.open(out / f"{name}.tar", "w") as small:
            some = _rows(full, SOURCES[name].listing)
            if name == "grocery":
                products = _rows(full, "products.jsonl")[::12]
                kept = {product["class"] for product in products}
                some = [row for row in some if row["fine"] in kept]
                _add_rows(full, small, "products.jsonl", products, "iconic")
            else:
                some = some[::every]
            _add_rows(full, small, SOURCES[name].listing, some, "image")


def rows(data: Path, name: str) -> list[dict[str, Any]]:
    """What a source's list says, without its pictures."""
    with tarfile.open(data / f"{name}.tar") as tar:
        return _rows(tar, SOURCES[name].listing)


def _rows(tar: tarfile.TarFile, name: str) -> list[dict[str, Any]]:
    member = tar.extractfile(name)
    assert member is not None
    return [json.loads(line) for line in member.read().decode().splitlines()]


def _add_rows(
    full: tarfile.TarFile, small: tarfile.TarFile, listing: str, rows: list[dict[str, Any]], picture: str
) -> None:
    text = "".join(json.dumps(row) + "\n" for row in rows).encode()
    entry = tarfile.TarInfo(listing)
    entry.size = len(text)
    small.addfile(entry, io.BytesIO(text))
    for row in rows:
        small.addfile(full.getmember(row[picture]), full.extractfile(row[picture]))
