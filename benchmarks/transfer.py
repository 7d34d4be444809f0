"""How long export, import, snapshot and restore take and how much memory, each in a process of its own.

    python -m benchmarks.transfer --items 100000 [--store qdrant] [--out benchmarks/results]

Every item has a picture and a title with random vectors as wide as the starter's, three fields and a thumbnail of 8 KB.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.report import circumstances, write
from indexer.ledger import Claim, Outcome
from sightline import Sightline, media
from sightline.transfer import restore
from sightline.types import FieldValue, Item, Part, PartVectors

BATCH = 2000
JPEG_BYTES = 8000


def fill(work: Path, items: int, store: str) -> None:
    """A collection of so many items, written as indexing would."""
    rng = np.random.default_rng(7)
    small = media.thumbnail(np.zeros((240, 320, 3), np.uint8))
    with Sightline.open(work / "index", store=store) as index:
        space = index.plain_encoder.space
        index._ledger.set_passport(index._control.whole.issue(index.plain_encoder))
        for start in range(0, items, BATCH):
            made, vectors, outcomes = [], [], []
            for number in range(start, min(start + BATCH, items)):
                name = f"item-{number:07d}"
                digest = hashlib.sha256(name.encode()).hexdigest()
                fields: dict[str, FieldValue] = {"title": f"Thing {number}", "price": number / 100}
                fields["colour"] = ("red", "blue")
                parts = (
                    Part(f"{name}#image-0", name, "image", digest, f"/shop/{name}.jpg"),
                    Part(f"{name}#title", name, "text", digest[::-1], text=f"Thing {number}"),
                )
                made.append(Item(name, fields, parts, digest))
                rows = rng.standard_normal((2, space.dim)).astype(np.float32)
                rows /= np.linalg.norm(rows, axis=1, keepdims=True)
                vectors += [PartVectors(part.id, space, rows[at : at + 1]) for at, part in enumerate(parts)]
                told = (JPEG_BYTES + 2).to_bytes(2, "big") + rng.bytes(JPEG_BYTES)
                jpeg = small[:2] + b"\xff\xfe" + told + small[2:]  # no two alike: each with a comment of its own
                outcomes.append(Outcome(name, Claim("/shop", digest, "stamp"), {digest: jpeg}, content=digest))
            index._store.upsert(made, vectors)
            index._ledger.record(outcomes)


def export_parquet(work: Path, store: str) -> int:
    with Sightline.open(work / "index") as index:
        return index.transfer.export(work / "parquet").items


def export_jsonl(work: Path, store: str) -> int:
    with Sightline.open(work / "index") as index:
        return index.transfer.export(work / "jsonl", format="jsonl").items


def import_parquet(work: Path, store: str) -> int:
    with Sightline.open(work / "other", store=store) as index:
        return index.transfer.take_in(work / "parquet").added


def import_jsonl(work: Path, store: str) -> int:
    with Sightline.open(work / "another", store=store) as index:
        return index.transfer.take_in(work / "jsonl").added


def snapshot(work: Path, store: str) -> int:
    with Sightline.open(work / "index") as index:
        return index.transfer.snapshot("measured").items


def put_back(work: Path, store: str) -> int:
    return restore(work / "index", "default", "measured", force=True).items


STEPS: dict[str, Callable[[Path, str], int]] = {
    "export parquet": export_parquet,
    "export jsonl": export_jsonl,
    "import parquet": import_parquet,
    "import jsonl": import_jsonl,
    "snapshot": snapshot,
    "restore": put_back,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.transfer", description="Export, import and snapshots.")
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--store", default="faiss", help="of the collection, and of those imported into")
    parser.add_argument("--out", type=Path, help="folder to write the figures to")
    parser.add_argument("--work", type=Path, help="where to keep the collections meanwhile")
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.step:
        started = time.perf_counter()
        items = STEPS[given.step](given.work, given.store)
        seconds, cpu = time.perf_counter() - started, time.process_time()
        print(json.dumps({"items": items, "seconds": seconds, "cpu_seconds": cpu, "bytes_peak": peak()}))
        return
    with tempfile.TemporaryDirectory(dir=given.work) as folder:
        told = measured(Path(folder), given.items, given.store)
    figures = {"circumstances": circumstances(encoder="starter"), "items": given.items, "store": given.store, **told}
    write(given.out, "transfer", figures)


def peak() -> int:
    """Bytes of memory this process has had at most, on Linux; `getrusage` would count what began it, too."""
    told = Path("/proc/self/status").read_text()
    return int(told.partition("VmHWM:")[2].split()[0]) * 1024


def measured(work: Path, items: int, store: str) -> dict[str, dict[str, float]]:
    """Step -> items, seconds, peak memory, and the size of what it wrote."""
    fill(work, items, store)
    told = {}
    for step in STEPS:
        command = [sys.executable, "-m", "benchmarks.transfer", "--work", str(work), "--store", store, "--step", step]
        told[step] = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        one = told[step]
        print(
            f"{step:<15} {one['seconds']:8.1f} s ({one['cpu_seconds']:.1f} s of a core) "
            f"{one['bytes_peak'] / 1e6:8.0f} MB peak",
            flush=True,
        )
    for name in ("parquet", "jsonl"):
        size = sum(path.stat().st_size for path in (work / name).iterdir())
        told[f"export {name}"]["bytes"] = size
        print(f"{name:<15} {size / 1e6:8.0f} MB on disk")
    return told


if __name__ == "__main__":
    main()
