"""What each store and each kind of index costs and finds: speed, memory, bytes a vector and recall, by size; one table.

Goes through the stores' public calls; each row is a process of its own, so that its memory is its own. Milliseconds are
of processor time of the one thread that searches, which other work on the machine does not lengthen.

    python -m benchmarks.stores [--sizes 10000 100000] [--kinds exact int8 ...] [--data DIR] [--out benchmarks/results]
    python -m benchmarks.stores --sizes 1000000 --dim 512 --data DIR --mixed --kinds chosen int8 int4

Vectors are clusters with a gap between texts and pictures; with --data, pictures and captions that --encoder embeds,
grown beyond their number by noise around each, and turned into --dim numbers where that is more, which keeps every
cosine; with --mixed, every other one is of the clusters. --keep FOLDER keeps vectors and collections for the next run.
The kind `chosen` is the one that the size calls for. Recall is the certificate's; `recall apart` is counted here,
against a pass by numpy.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.report import circumstances, write
from benchmarks.vectors import BATCH, K, Made, embedded, prepare, recall_apart, turned, unit
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
MATCHED = 1_000  # queries in all that `recall apart` asks, at most


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="*", default=[10_000, 100_000])
    parser.add_argument("--kinds", nargs="*", choices=KINDS, default=KINDS[1:])
    parser.add_argument("--dim", type=int, default=256, help="numbers of a vector")
    parser.add_argument("--mixed", action="store_true", help="every other vector of the clusters, with --data")
    parser.add_argument("--data", type=Path, help="folder that holds flickr8k.tar and fashion.tar")
    parser.add_argument("--encoder", default="starter", metavar="SPEC")
    parser.add_argument("--keep", type=Path, help="folder for vectors and collections")
    parser.add_argument("--out", type=Path, help="folder to write the figures to")
    parser.add_argument("--row", nargs=3, metavar=("FOLDER", "SIZE", "KIND"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.row:
        folder, size, kind = asked.row
        print(json.dumps(_row(Path(folder), int(size), kind)))
        return
    figures: dict[str, Any] = {"circumstances": circumstances(encoder=asked.encoder, threads=1), "rows": []}
    with tempfile.TemporaryDirectory() as temporary:
        work = asked.keep or Path(temporary)
        work.mkdir(parents=True, exist_ok=True)
        real = turned(embedded(asked.data, asked.encoder, work), asked.dim) if asked.data else None
        for size in asked.sizes:
            made = Made(size, real[0].shape[1] if real else asked.dim, real, asked.mixed or not real)
            folder = work / made.name
            prepare(folder, made)
            for kind in asked.kinds:
                command = [sys.executable, "-m", "benchmarks.stores", "--row", str(folder), str(size), kind]
                done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
                figures["rows"].append(json.loads(done.stdout.splitlines()[-1]))
                print(_line(figures["rows"][-1]), file=sys.stderr, flush=True)
    print("\n".join(table(figures["rows"])))
    write(asked.out, "stores", figures)


def table(rows: list[dict[str, Any]]) -> list[str]:
    """The rows in Markdown."""
    return [_line(dict(zip(COLUMNS, COLUMNS, strict=True))), "|" + "---|" * len(COLUMNS), *map(_line, rows)]


def _line(row: dict[str, Any]) -> str:
    return "| " + " | ".join(str(row.get(name, "")) for name in COLUMNS) + " |"


# -- one row -----------------------------------------------------------------------------------------------------------


def _row(folder: Path, size: int, kind: str) -> dict[str, Any]:
    texts = np.load(folder / "texts.npy")
    space = Space("benchmark", texts.shape[1], "f" * 64)
    spec = "qdrant" if kind == "qdrant" else "faiss"
    place = folder / spec
    if not place.is_dir():
        _fill(place, spec, space, np.load(folder / "pictures.npy", mmap_mode="r"))
    row: dict[str, Any] = {"size": folder.name, "vectors": size, "kind": kind}
    if spec == "faiss":
        row |= _build(place, space, texts, kind)
    before = _memory()  # of the libraries, before any vector
    store = _opened(place, spec)
    queries = np.asarray(np.load(folder / "pictures.npy", mmap_mode="r")[:REPEATS]) * np.float32(0.5) + texts[:REPEATS]
    queries = unit(queries)
    started = time.perf_counter()
    store.search(space, queries[:1], 10)
    row["first search s"] = round(time.perf_counter() - started, 2)
    one_in_100, half = Compare("price", "=", 7), Compare("price", "<", 50)
    for name, ask in {
        "k=10 ms": lambda query: store.search(space, query, 10),
        "k=200 ms": lambda query: store.search(space, query, 200),
        "1 % filter ms": lambda query: store.search(space, query, 10, where=one_in_100),
        "half filter ms": lambda query: store.search(space, query, 10, where=half),
    }.items():
        row[name] = _milliseconds(ask, queries, process=spec == "qdrant")
    memory = _memory()
    row |= {name: round(memory[name] - before[name]) for name in memory}
    row["new found s"] = _new_found(store, space, queries[:1])
    if "recall text" not in row:
        row |= _recalls(store.verify(space, {"text": texts}))
        row["index B/vector"] = round(store.stats().bytes_disk / size) if spec == "qdrant" else 4 * space.dim
    store.close()
    return row


def _opened(place: Path, spec: str) -> Store:
    if spec == "qdrant":
        return open_store(spec, place, collection="benchmark")
    from sightline.stores.faiss import FaissStore
    from sightline.stores.faiss_build import Plan

    return FaissStore(place, plan=Plan(build_from=10**12))  # built when a row says so


def _fill(place: Path, spec: str, space: Space, pictures: Vectors) -> None:
    store = _opened(place, spec)
    for start in range(0, len(pictures), BATCH):
        rows = np.array(pictures[start : start + BATCH])
        items = [_item(f"i{start + n:07d}", start + n) for n in range(len(rows))]
        store.upsert(items, [PartVectors(f"{one.id}#image-0", space, rows[n : n + 1]) for n, one in enumerate(items)])
    store.close()


def _item(name: str, number: int) -> Item:
    part = Part(f"{name}#image-0", name, "image", f"digest {name}")
    return Item(name, {"price": number % 100}, (part,), digest=name)


def _build(place: Path, space: Space, texts: Vectors, kind: str) -> dict[str, Any]:
    """Build the index in a process of its own, whose memory is not that of a search."""
    code = (
        "import sys, json, time, numpy as np\n"
        "from pathlib import Path\n"
        "from benchmarks.stores import _built_here\n"
        "print(json.dumps(_built_here(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4])))"
    )
    queries = place.parent / "texts.npy"
    command = [sys.executable, "-c", code, str(place), str(space.dim), kind, str(queries)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def _built_here(place: Path, dim: int, kind: str, queries: str) -> dict[str, Any]:
    from sightline.stores import faiss_files

    store, space = _opened(place, "faiss"), Space("benchmark", dim, "f" * 64)
    if kind == "exact":
        with store._database.writing() as connection:  # type: ignore[attr-defined]
            faiss_files.replace(connection, space.fingerprint, [])
        store.close()
        return {}
    started = time.process_time()
    told = store.build(space, {"text": np.load(queries)}, kind=kind)  # type: ignore[attr-defined]
    took = time.process_time() - started
    with store._database.reading() as connection:  # type: ignore[attr-defined]
        (record,) = faiss_files.records(connection)
    store.close()
    return _recalls(told) | {
        "kind": record.kind if record.kind == kind else f"{kind}: {record.kind}",
        "build s": round(took, 1), "index B/vector": round(record.bytes / record.rows), "effort": record.effort,
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


def _new_found(store: Store, space: Space, vector: Vectors) -> float:
    """Seconds by the clock from the call that writes one more item to the search that has found it."""
    started = time.perf_counter()
    store.upsert([_item("new", 0)], [PartVectors("new#image-0", space, vector)])
    assert store.search(space, vector, 1)[0][0].item_id == "new"
    took = time.perf_counter() - started
    store.delete(["new"])
    return round(took, 3)


def _memory() -> dict[str, float]:
    """Megabytes of this process: resident, and anonymous, which no file can give back."""
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    found = {name: float(value.split()[0]) / 1000 for name, _, value in (line.partition(":") for line in lines[1:])}
    return {"anonymous MB": found["Anonymous"], "RSS MB": found["Rss"]}


if __name__ == "__main__":
    main()
