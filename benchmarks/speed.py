"""How fast it is: indexing against the encoder alone, and a search in process, by stage, and over HTTP at 10,000 and
100,000 parts.

Goes through the public calls only. Pictures come from the sample catalog, or from the folder given.

    python -m benchmarks.speed [--encoder SPEC] [--threads N] [--pictures DIR] [--out benchmarks/results]
"""

from __future__ import annotations

import argparse
import hashlib
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import numpy as np

import retriever
from benchmarks.report import circumstances, write
from indexer.ledger import Claim, Ledger, Outcome
from sightline import Item, Part, Sightline, media
from sightline.encoders import open_encoder
from sightline.places import collection_folder
from sightline.protocols import Encoder
from sightline.stores import open_store
from sightline.types import PartVectors

SAMPLE = Path(__file__).parent.parent / "service" / "sample"
COLOURS = ("red", "blue", "green", "black", "white")
KINDS = ("bag", "jacket", "table", "mug", "lamp", "tent", "boot", "chair", "rope", "watch")
DETAILS = ("leather", "warm", "waterproof", "small", "round", "oak", "striped", "steel")
VOCABULARY = (*COLOURS, *KINDS, *DETAILS, *(f"word{n}" for n in range(3000)))
COMMONNESS = tuple(1 / (10 + n) for n in range(len(VOCABULARY)))  # Zipf's law: a word's share falls with its rank
QUERIES = ("a red leather bag", "warm waterproof jacket", "small round oak table", "striped mug", "black steel lamp")
ENCODE_BATCH = 32


def indexing(
    pictures: Sequence[Path], encoder: Encoder, *, spec: str, threads: int | None, repeats: int
) -> dict[str, Any]:
    """Pictures a second of the whole path (read, decode, embed, store), of the encoder alone, and their ratio.

    The two take turns, so that other work on the machine slows both alike. "alone" embeds pictures already decoded.
    """
    pixels = [media.decode(path.read_bytes()) for path in pictures]

    def alone() -> None:
        for at in range(0, len(pixels), ENCODE_BATCH):
            encoder.encode_documents([(picture,) for picture in pixels[at : at + ENCODE_BATCH]])

    def whole() -> None:
        with tempfile.TemporaryDirectory() as folder, Sightline.open(folder, encoder=spec, threads=threads) as index:
            report = index.add(*({"id": str(n), "image": str(path)} for n, path in enumerate(pictures)))
            assert report.added == len(pictures), report.skipped

    alone()  # warm: code loaded, memory touched
    times = [(_seconds(alone), _seconds(whole)) for _ in range(repeats)]
    rates = {"encoder alone": [len(pixels) / t for t, _ in times], "indexing": [len(pixels) / t for _, t in times]}
    return {
        "pictures": len(pixels),
        "repeats": repeats,
        **{f"{name}, images/s": _spread(values) for name, values in rates.items()},
        "indexing / encoder alone": _spread([alone_s / whole_s for alone_s, whole_s in times]),
    }


def searching(encoder: Encoder, *, spec: str, threads: int | None, parts: int, repeats: int) -> dict[str, Any]:
    """Milliseconds of a text search for 10 hits, words and filters included, at `parts` parts; random vectors."""
    with tempfile.TemporaryDirectory() as folder:
        _fill(Path(folder), encoder, parts)
        with Sightline.open(folder, encoder=spec, threads=threads) as index:
            index.calibrations.now()  # so that hits are told their relevance, as they are in an index of `add`
            written = (index.add({"id": f"written-{n}", "title": "a red leather bag"}) for n in count())
            in_process = {
                "search": _latencies(lambda query: index.search(query, least=0, k=10), repeats),
                "search where price < 50": _latencies(
                    lambda query: index.search(query, least=0, k=10, where="price<50"), repeats
                ),
                "embedding the query alone": _latencies(lambda query: encoder.encode_queries([(query,)]), repeats),
                "by stage": _stages(index, repeats),
                "the first search after a write": _latencies(
                    lambda query: index.search(query, least=0, k=10), repeats, before=lambda: next(written)
                ),
            }
        with _served(Path(folder), spec) as url, httpx.Client() as client:

            def over_http(query: str) -> None:
                client.post(f"{url}/v1/collections/default/search", json={"query": query, "k": 10}).raise_for_status()

            return {"parts": parts, "in process": in_process, "over HTTP": {"search": _latencies(over_http, repeats)}}


def _stages(index: Sightline, repeats: int) -> dict[str, Any]:
    """Milliseconds of each stage of a search, and of what is left: reading the filter, paging, putting it together."""
    took: dict[str, list[float]] = {}
    for turn in range(repeats + 1):
        for query in QUERIES:
            account = retriever.Account()
            found = index.search(query, least=0, k=10, account=account)
            if turn:  # the first warms up
                stages = {**account.took_ms, "the rest": found.took_ms - sum(account.took_ms.values())}
                for stage, ms in stages.items():
                    took.setdefault(stage, []).append(ms)
    return {stage: _percentiles(times_ms) for stage, times_ms in took.items()}


def _fill(folder: Path, encoder: Encoder, parts: int) -> None:
    """A collection of made-up items, each a picture, a text and its fields."""
    rng, draw = np.random.default_rng(0), random.Random(0)
    path = collection_folder(folder, "default")
    path.mkdir(parents=True)
    store, ledger = open_store("faiss", path, collection="default"), Ledger(path)
    items = [_made_up(n, draw) for n in range(parts // 3)]
    for at in range(0, len(items), 500):
        batch = items[at : at + 500]
        embedded = [part.id for item in batch for part in item.parts if part.modality != "fields"]
        rows = rng.normal(size=(len(embedded), encoder.space.dim)).astype(np.float32)
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        vectors = [PartVectors(part, encoder.space, row[None]) for part, row in zip(embedded, rows, strict=True)]
        store.upsert(batch, vectors)
        ledger.record([Outcome(item.id, Claim("made up", item.digest, ""), {}) for item in batch])
    store.close()
    ledger.close()


def _made_up(number: int, draw: random.Random) -> Item:
    item_id = f"item-{number:05}"
    fields = {
        "colour": draw.choice(COLOURS),
        "price": round(draw.uniform(5, 200), 2),
        "title": f"{draw.choice(COLOURS)} {draw.choice(KINDS)} {number}",
    }
    text = " ".join(draw.choices(VOCABULARY, COMMONNESS, k=40))
    written = "\n".join(f"{name}: {value}" for name, value in fields.items())
    said = (("image", "image-0", None), ("text", "text-0", text), ("fields", "fields", written))
    parts = tuple(
        Part(f"{item_id}#{place}", item_id, kind, hashlib.sha256(f"{item_id}{place}".encode()).hexdigest(), text=words)  # type: ignore[arg-type]
        for kind, place, words in said
    )
    return Item(item_id, fields, parts, hashlib.sha256(item_id.encode()).hexdigest())


@contextmanager
def _served(folder: Path, spec: str) -> Iterator[str]:
    """The real service on a free port of this machine, ready."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "service.cli",
        "serve",
        "--index",
        str(folder),
        "--encoder",
        spec,
        "--port",
        str(port),
    ]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            url = f"http://127.0.0.1:{port}"
            for _ in range(600):
                if process.poll() is not None:
                    raise SystemExit(f"the service ended with exit code {process.returncode}")
                try:
                    if httpx.get(f"{url}/readyz").is_success:
                        break
                except httpx.TransportError:
                    time.sleep(0.1)
            yield url
        finally:
            process.terminate()


def _latencies(
    call: Callable[[str], object], repeats: int, *, before: Callable[[], object] = lambda: None
) -> dict[str, float]:
    """Median and 95th percentile in milliseconds, after a round to warm up; what is done `before` each is not timed."""
    times_ms: list[float] = []
    for _ in range(repeats + 1):
        for query in QUERIES:
            before()
            times_ms.append(1000 * _seconds(lambda query=query: call(query)))  # type: ignore[misc]
    return _percentiles(times_ms[len(QUERIES) :])


def _percentiles(times_ms: Sequence[float]) -> dict[str, float]:
    cuts = statistics.quantiles(times_ms, n=20)
    return {"p50_ms": round(statistics.median(times_ms), 2), "p95_ms": round(cuts[18], 2), "n": len(times_ms)}


def _seconds(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def _spread(values: Sequence[float]) -> dict[str, float]:
    return {name: round(of(values), 3) for name, of in (("median", statistics.median), ("min", min), ("max", max))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--encoder", default="starter", metavar="SPEC")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--pictures", type=Path, default=SAMPLE, help="folder of pictures to index")
    parser.add_argument("--limit", type=int, default=400, help="pictures to index at most")
    parser.add_argument("--parts", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--out", type=Path, help="folder to write the figures to")
    asked = parser.parse_args()
    encoder = open_encoder(asked.encoder, threads=asked.threads)
    found = (path for path in sorted(asked.pictures.rglob("*")) if path.suffix.lower() in (".webp", ".jpg", ".png"))
    pictures = [path for path, _ in zip(found, range(asked.limit), strict=False)]
    if not pictures:
        raise SystemExit(f"no pictures in {asked.pictures}")
    engine = {"spec": asked.encoder, "threads": asked.threads}
    figures = {
        "circumstances": circumstances(encoder=asked.encoder, threads=asked.threads),
        "indexing": indexing(pictures, encoder, repeats=asked.repeats, **engine),
        "searching": {
            str(parts): searching(encoder, parts=parts, repeats=20 * asked.repeats, **engine) for parts in asked.parts
        },
    }
    write(asked.out, "speed", figures)


if __name__ == "__main__":
    main()
