"""A process that writes items one upsert at a time and says on stdout which it was told are safe.

Usage: writer.py SPEC FOLDER FIRST COUNT [LARGEST_FILE_BYTES]
"""

from __future__ import annotations

import resource
import sys
from pathlib import Path

import numpy as np

from sightline.errors import SightlineError
from sightline.stores import open_store
from sightline.types import Item, Part, PartVectors, Space

SPACE = Space("pictures", 64, "a" * 64)


def numbered(i: int) -> tuple[list[Item], list[PartVectors]]:
    """Item i: three pictures with vectors, and a text."""
    rows = np.random.default_rng(i).standard_normal((3, 64)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    name = f"item-{i:05d}"
    parts = tuple(Part(f"{name}#image-{j}", name, "image", f"{i}-{j}") for j in range(3))
    title = Part(f"{name}#title", name, "text", f"{i}", text=f"number {i}")
    vectors = [PartVectors(part.id, SPACE, rows[j : j + 1]) for j, part in enumerate(parts)]
    return [Item(name, fields={"number": i}, parts=(*parts, title), digest=str(i))], vectors


def main() -> None:
    spec, folder, first, count = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    if len(sys.argv) > 5:
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[5]), int(sys.argv[5])))
    try:
        store = open_store(spec, folder, collection="written")
        for i in range(first, first + count):
            store.upsert(*numbered(i))
            sys.stdout.write(f"{i}\n")
            sys.stdout.flush()
    except SightlineError as exc:
        sys.stdout.write(f"{type(exc).__name__}: {exc}\n")
    sys.stdout.flush()
    sys.stdin.read()  # keep the store open until told to go


if __name__ == "__main__":
    main()
