"""What each store and each kind of index costs and finds: speed, memory, bytes a vector and recall, by size; one table.

Goes through the stores' public calls; each row is a process of its own, so that its memory is its own. Milliseconds are
of processor time of the one thread that searches, which other work on the machine does not lengthen.

    python -m benchmarks.stores [--sizes 10000 100000] [--kinds exact int8 ...] [--data DIR] [--out benchmarks/results]
    python -m benchmarks.stores --sizes 1000000 --dim 512 --data DIR --mixed --kinds chosen int8 int4

Vectors are clusters with a gap between texts and pictures; with --data, pictures and captions that --encoder embeds,
grown beyond their number by noise around each, and turned into --dim numbers where that is more, which keeps every
cosine; with --mixed, every other one is of the clusters. --keep FOLDER keeps vectors and collections for the next run.
The kind `chosen` is the one that the size calls for; `qdrant?quantization=int8` is embedded Qdrant with
settings. Recall is the certificate's; `recall apart` is counted here,
against a pass by numpy.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import resource
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.report import circumstances, write
from benchmarks.vectors import BATCH, arguments, prepared, queries_of, recall_apart, unit
from sightline.filters import Compare
from sightline.protocols import Store
from sightline.stores import open_store
from sightline.types import Item, Part, PartVectors, Space, Vectors

KINDS = ("chosen", "exact", "flat", "int8", "int4", "hnsw", "ivf-int8", "ivf-int4", "qdrant")
COLUMNS = (
    "size", "vectors", "kind", "index B/vector", "recall text", "recall image", "k=10 ms", "k=200 ms", "1 % filter ms",
    "half filter ms", "first search s", "build s", "build peak MB", "anonymous MB", "RSS MB", "disk MB", "effort",
)  # fmt: skip
REPEATS = 40


def main() -> None:
    parser = arguments(__doc__, [10_000, 100_000])
    parser.add_argument("--kinds", nargs="*", type=_kind, default=KINDS[1:], help=f"{', '.join(KINDS)}, or qdrant?…")
    parser.add_argument("--row", nargs=3, metavar=("FOLDER", "SIZE", "KIND"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.row:
        folder, size, kind = asked.row
        print(json.dumps(_row(Path(folder), int(size), kind)))
        return
    figures: dict[str, Any] = {"circumstances": circumstances(encoder=asked.encoder, threads=1), "rows": []}
    for made, folder in prepared(asked):
        for kind in asked.kinds:
            command = [sys.executable, "-m", "benchmarks.stores", "--row", str(folder), str(made.size), kind]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            figures["rows"].append(json.loads(done.stdout.splitlines()[-1]))
            with (folder.parent / "rows.jsonl").open("a") as kept:
                kept.write(done.stdout.splitlines()[-1] + "\n")
            print(_line(figures["rows"][-1]), file=sys.stderr, flush=True)
    print("\n".join(table(figures["rows"])))
    write(asked.out, "stores", figures)


def _kind(name: str) -> str:
    if name not in KINDS and not name.startswith("qdrant?"):
        raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(KINDS)}, nor qdrant? with settings")
    return name


def table(rows: list[dict[str, Any]]) -> list[str]:
    """The rows in Markdown."""
    return [_line(dict(zip(COLUMNS, COLUMNS, strict=True))), "|" + "---|" * len(COLUMNS), *map(_line, rows)]


def _line(row: dict[str, Any]) -> str:
    return "| " + " | ".join(str(row.get(name, "")) for name in COLUMNS) + " |"


# -- one row -----------------------------------------------------------------------------------------------------------


def _row(folder: Path, size: int, kind: str) -> dict[str, Any]:
    space = Space("benchmark", np.load(folder / "texts.npy", mmap_mode="r").shape[1], "f" * 64)
    spec = kind if kind.startswith("qdrant") else "faiss"
    place = folder / spec
    row: dict[str, Any] = {"size": folder.name, "vectors": size, "kind": kind}
    row |= filled(place, spec, space, folder / "pictures.npy")
    if spec == "faiss":
        row |= _build(place, space, kind)
    before = _memory()  # of the libraries, before any vector
    store = _opened(place, spec)
    row |= _searches(store, space, folder, process=spec != "faiss")
    memory = _memory()
    row |= {name: round(memory[name] - before[name]) for name in memory}
    row["recall apart"] = recall_apart(folder, lambda queries, k: store.search(space, queries, k))
    if "recall text" not in row:
        row |= _recalls(store.verify(space, {"text": np.load(folder / "texts.npy")}))
        row["index B/vector"] = round(store.stats().bytes_disk / size) if spec != "faiss" else 4 * space.dim
    row["disk MB"] = round(store.stats().bytes_disk / 1e6)
    store.close()
    return row


def _searches(store: Store, space: Space, folder: Path, *, process: bool) -> dict[str, float]:
    """Milliseconds of one search, each the median of REPEATS, of queries halfway between a text and a picture."""
    kinds = [each[:REPEATS] for each in queries_of(folder).values()]
    queries = unit(np.asarray(np.mean(kinds, axis=0), np.float32))
    started = time.perf_counter()
    store.search(space, queries[:1], 10)
    row = {"first search s": round(time.perf_counter() - started, 2)}
    one_in_100, half = Compare("price", "=", 7), Compare("price", "<", 50)
    started = time.perf_counter()
    store.search(space, queries[:1], 10, where=half)
    row["first half filter s"] = round(time.perf_counter() - started, 2)
    for name, ask in {
        "k=10 ms": lambda query: store.search(space, query, 10),
        "k=200 ms": lambda query: store.search(space, query, 200),
        "1 % filter ms": lambda query: store.search(space, query, 10, where=one_in_100),
        "half filter ms": lambda query: store.search(space, query, 10, where=half),
    }.items():
        row[name] = _milliseconds(ask, queries, process=process)
    return row


def _opened(place: Path, spec: str) -> Store:
    if spec != "faiss":
        return open_store(spec, place, collection="benchmark")
    from sightline.stores.faiss import FaissStore
    from sightline.stores.faiss_build import Plan

    return FaissStore(place, plan=Plan(build_from=10**12))  # built when a row says so


def filled(place: Path, spec: str, space: Space, pictures: Path) -> dict[str, float]:
    """Write all items through the store's own call, once; seconds of processor time that it took."""
    told = place.parent / f"{spec}-filled.json"
    if not told.is_file():
        shutil.rmtree(place, ignore_errors=True)  # of a run that was stopped
        store, rows = _opened(place, spec), np.load(pictures, mmap_mode="r")
        started = time.process_time()
        for start in range(0, len(rows), BATCH):
            batch = np.array(rows[start : start + BATCH])
            items = [item_of(f"i{start + n:07d}", start + n) for n in range(len(batch))]
            vectors = [PartVectors(one.parts[0].id, space, batch[n : n + 1]) for n, one in enumerate(items)]
            store.upsert(items, vectors)
            if start % (20 * BATCH) == 0:
                took = round(time.process_time() - started, 1)
                print(f"{start + len(batch)} written, {took} s", file=sys.stderr, flush=True)
        store.close()
        told.write_text(json.dumps({"fill s": round(time.process_time() - started, 1)}))
    return dict(json.loads(told.read_text()))


def item_of(name: str, number: int) -> Item:
    """One picture at a price, whose digest lies anywhere, as digests do."""
    digest = hashlib.sha256(name.encode()).hexdigest()
    part = Part(f"{name}#image-0", name, "image", digest)
    return Item(name, {"price": number % 100}, (part,), digest=digest)


def _build(place: Path, space: Space, kind: str) -> dict[str, Any]:
    """Build the index in a process of its own, whose memory is not that of a search."""
    code = (
        "import sys, json\n"
        "from pathlib import Path\n"
        "from benchmarks.stores import _built_here\n"
        "print(json.dumps(_built_here(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3])))"
    )
    command = [sys.executable, "-c", code, str(place), str(space.dim), kind]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def _built_here(place: Path, dim: int, kind: str) -> dict[str, Any]:
    from sightline.stores import faiss_files

    store, space = _opened(place, "faiss"), Space("benchmark", dim, "f" * 64)
    if kind == "exact":
        with store._database.writing() as connection:  # type: ignore[attr-defined]
            faiss_files.replace(connection, space.fingerprint, [])
        store.close()
        return {}
    asked = None if kind == "chosen" else kind
    texts = np.load(place.parent / "texts.npy")
    started, before = time.process_time(), _memory()["RSS MB"]
    told = store.build(space, {"text": texts}, kind=asked)  # type: ignore[attr-defined]
    took, peak = time.process_time() - started, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    with store._database.reading() as connection:  # type: ignore[attr-defined]
        (record,) = faiss_files.records(connection)
    store.close()
    same = asked in (None, record.kind)
    return _recalls(told) | {
        "kind": record.kind if same else f"{kind}: {record.kind}", "why": record.why, "effort": record.effort,
        "build s": round(took, 1), "build peak MB": round(peak - before),
        "index B/vector": round(record.bytes / record.rows),
    }  # fmt: skip


def _recalls(told: list[Any]) -> dict[str, str]:
    (one,) = told
    return {f"recall {each.queries}": f"{each.recall:.3f} ({each.low:.3f}-{each.high:.3f})" for each in one.measured}


def _milliseconds(ask: Callable[[Vectors], Any], queries: Vectors, *, process: bool) -> float:
    """Median of one search, of the processor time of this thread; of all threads for an engine that has its own."""
    clock, took = time.process_time if process else time.thread_time, []
    ask(queries[:1])
    for at in range(len(queries)):
        started = clock()
        ask(queries[at : at + 1])
        took.append((clock() - started) * 1000)
    return round(statistics.median(took), 2)


def _memory() -> dict[str, float]:
    """Megabytes of this process: resident, and anonymous, which no file can give back."""
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    found = {name: float(value.split()[0]) / 1000 for name, _, value in (line.partition(":") for line in lines[1:])}
    return {"anonymous MB": found["Anonymous"], "RSS MB": found["Rss"]}


if __name__ == "__main__":
    main()
