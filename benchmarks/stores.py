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
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.report import circumstances, write
from sightline.filters import Compare
from sightline.protocols import Store
from sightline.stores import open_store
from sightline.types import Item, Part, PartVectors, Space, Vectors

KINDS = ("chosen", "exact", "flat", "int8", "int4", "hnsw", "ivf-int8", "ivf-int4", "qdrant")
COLUMNS = (
    "size", "vectors", "kind", "index B/vector", "recall text", "recall image", "k=10 ms", "k=200 ms", "1 % filter ms",
    "half filter ms", "first search s", "build s", "build peak MB", "anonymous MB", "RSS MB", "disk MB", "effort",
)  # fmt: skip
BATCH = 5000
REPEATS = 40
PROBES = 200
SEED = 11
CLUSTER = 50  # vectors a cluster has on average
SPREAD = 0.8  # length of the noise in a cluster, as a share of its centre's
GAP = 0.6  # how far all texts lie from all pictures, likewise
GROWN = 0.5  # length of the noise around a real picture, as a share of the picture's


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
        real = _turned(_embedded(asked.data, asked.encoder, work), asked.dim) if asked.data else None
        for size in asked.sizes:
            made = Made(size, real[0].shape[1] if real else asked.dim, real, asked.mixed or not real)
            folder = work / made.name
            _prepare(folder, made)
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


# -- vectors -----------------------------------------------------------------------------------------------------------


def _embedded(data: Path, encoder: str, work: Path) -> tuple[Vectors, Vectors]:
    """(n, dim) pictures and (m, dim) captions and titles of the two sets, embedded once."""
    kept = work / f"embedded-{encoder.replace('/', '_').replace(':', '_')}.npz"
    if not kept.is_file():
        from sightline import media
        from sightline.encoders import open_encoder

        opened = open_encoder(encoder, threads=1)
        pictures, texts = [], []
        for content in _contents(data):
            if isinstance(content, str):
                texts.append(content)
            else:
                pictures.append(media.decode(content))
        embedded = [
            np.vstack([of([(one,) for one in contents[at : at + 64]]) for at in range(0, len(contents), 64)])
            for of, contents in ((opened.encode_documents, pictures), (opened.encode_queries, texts))
        ]
        np.savez(kept, pictures=embedded[0], texts=embedded[1])
    read = np.load(kept)
    return read["pictures"], read["texts"]


def _contents(data: Path) -> Iterator[str | bytes]:
    with tarfile.open(data / "flickr8k.tar") as tar:
        for member in tar:
            if (file := tar.extractfile(member)) and member.name.endswith(".webp"):
                yield file.read()
            elif file and member.name.endswith("captions.jsonl"):
                captions = [one for row in map(json.loads, file) for one in row["captions"]]
                yield from captions[:6000]
    with tarfile.open(data / "fashion.tar") as tar:
        for member in tar:
            if (file := tar.extractfile(member)) and member.name.endswith(".webp"):
                yield file.read()
            elif file and member.name.endswith("catalog.jsonl"):
                yield from [json.loads(row)["title"] for row in file][:3000]


def _unit(rows: Vectors) -> Vectors:
    found: Vectors = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return found


def _noise(rng: np.random.Generator, shape: tuple[int, int], length: float) -> Vectors:
    found: Vectors = (rng.standard_normal(shape) * length / np.sqrt(shape[1])).astype(np.float32)
    return found


def _batches(size: int, dim: int, source: tuple[Vectors, Vectors] | None) -> Iterator[Vectors]:
    """The pictures of a collection, some thousands at a time, the same ones each time."""
    rng = np.random.default_rng(SEED)
    centres = _centres(size, dim) if source is None else source[0]
    for start in range(0, size, BATCH):
        n = min(BATCH, size - start)
        if source is None:
            yield _unit(centres[rng.integers(0, len(centres), n)] + _noise(rng, (n, dim), SPREAD))
        else:
            at = np.arange(start, start + n)
            grown = np.where(at[:, None] < len(centres), 0, _noise(rng, (n, centres.shape[1]), GROWN))
            yield _unit(centres[at % len(centres)] + grown.astype(np.float32))


def _centres(size: int, dim: int) -> Vectors:
    return _unit(_noise(np.random.default_rng(SEED + 1), (max(20, size // CLUSTER), dim), 1))


def _texts(size: int, dim: int, source: tuple[Vectors, Vectors] | None) -> Vectors:
    """(PROBES, dim) text queries: of other texts than any stored, or off the pictures by one step for all."""
    rng = np.random.default_rng(SEED + 2)
    if source is not None:
        return np.ascontiguousarray(source[1][rng.choice(len(source[1]), PROBES, replace=False)])
    centres = _centres(size, dim)
    chosen = centres[rng.integers(0, len(centres), PROBES)]
    return _unit(chosen + _noise(rng, (1, dim), GAP) + _noise(rng, (PROBES, dim), SPREAD / 2))


def _prepare(folder: Path, size: int, dim: int, source: tuple[Vectors, Vectors] | None) -> None:
    """Queries, and the pictures' vectors as one file; collections are made of it by the rows."""
    if (folder / "texts.npy").is_file():
        return
    folder.mkdir(parents=True, exist_ok=True)
    dim = dim if source is None else source[0].shape[1]
    rows = np.lib.format.open_memmap(folder / "pictures.npy", "w+", np.float32, (size, dim))
    for number, batch in enumerate(_batches(size, dim, source)):
        rows[number * BATCH : number * BATCH + len(batch)] = batch
    rows.flush()
    np.save(folder / "texts.npy", _texts(size, dim, source))


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
    queries = _unit(queries)
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
