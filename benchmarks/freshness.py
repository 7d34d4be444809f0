"""How soon a write is found, and a deletion gone, in a large collection: by the process that wrote and by another one.

Goes through the store's public calls, with its own plan of when to build. Seconds by the clock, and of processor time
of both processes, which other work on the machine does not lengthen.

    python -m benchmarks.freshness [--sizes 100000] [--dim 512] [--data DIR] [--mixed] [--keep FOLDER] [--out FOLDER]

Vectors are those of `benchmarks.stores`, whose --keep FOLDER is taken as it is: what is added here is removed again.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.report import circumstances, write
from benchmarks.stores import filled, item_of
from benchmarks.vectors import arguments, prepared, unit
from sightline.filters import Compare, Filter
from sightline.stores.faiss import FaissStore
from sightline.types import PartVectors, Space, Vectors

ROUNDS = 20
PATIENCE_S = 30.0
HALF = Compare("price", "<", 50)


def main() -> None:
    asked = arguments(__doc__, [100_000]).parse_args()
    figures: dict[str, Any] = {"circumstances": circumstances(encoder=asked.encoder, threads=1), "rows": []}
    for made, folder in prepared(asked):
        space = Space("benchmark", made.dim, "f" * 64)
        filled(folder / "faiss", "faiss", space, folder / "pictures.npy")
        figures["rows"].append({"size": made.name} | _measured(folder, space))
    write(asked.out, "freshness", figures)


def _measured(folder: Path, space: Space) -> dict[str, Any]:
    store = FaissStore(folder / "faiss")
    if not store.certificates():
        store.build(space)
    near = np.load(folder / "pictures.npy", mmap_mode="r")
    rows = unit(np.asarray(near[:: len(near) // ROUNDS][:ROUNDS]) + np.float32(0.02))  # like stored ones, not equal
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    reader = multiprocessing.get_context("spawn").Process(target=_read, args=(folder / "faiss", space, theirs))
    reader.start()
    here, there = _asking(store, space), _asked(ours)
    for ask in (here, there):
        ask(rows[:1], "", None)  # opens the index
    files = sorted((folder / "faiss" / "indexes").iterdir())
    row: dict[str, Any] = {"kind": store.stats().kind, "rounds": ROUNDS}

    def upsert(name: str, n: int) -> None:
        made = item_of(name, 0)
        store.upsert([made], [PartVectors(made.parts[0].id, space, rows[n : n + 1])])

    for where, ask in (("here", here), ("elsewhere", there)):
        told = _of_new_ones(store, rows, upsert, ask) | {
            "gone from the index": _of_the_index(store, space, near, ask, start=ROUNDS * (where == "here"))
        }
        row |= {f"{name} {where}": each for name, each in told.items()}
    row["builds meanwhile"] = len(set(files) ^ set((folder / "faiss" / "indexes").iterdir()))
    ours.send(None)
    reader.join()
    store.close()
    return row


Ask = Callable[[Vectors, str, Filter | None], float]  # (1, dim), who must be first ("!name": must not), a filter


def _of_new_ones(
    store: FaissStore, rows: Vectors, upsert: Callable[[str, int], None], ask: Ask
) -> dict[str, dict[str, float]]:
    """Add items, delete them, and add them again, each followed by a search."""

    def searched(said: str, where: Filter | None = None) -> Callable[[int], float]:
        return lambda n: ask(rows[n : n + 1], f"{said}new {n}", where)

    def put(n: int) -> None:
        upsert(f"new {n}", n)

    told = {
        "new found": _timed(put, searched("")),
        "gone": _timed(lambda n: store.delete([f"new {n}"]), searched("!")),
        "new found by a filter": _timed(put, searched("", HALF)),
    }
    store.delete([f"new {n}" for n in range(ROUNDS)])
    return told


def _of_the_index(store: FaissStore, space: Space, near: Vectors, ask: Ask, *, start: int) -> dict[str, float]:
    """Delete items that were built in, and put them back."""
    numbers = [len(near) // (3 * ROUNDS) * (start + n + 1) for n in range(ROUNDS)]
    told = _timed(
        lambda n: store.delete([f"i{numbers[n]:07d}"]),
        lambda n: ask(near[numbers[n] : numbers[n] + 1], f"!i{numbers[n]:07d}", None),
    )
    items = [item_of(f"i{number:07d}", number) for number in numbers]
    store.upsert(
        items, [PartVectors(one.parts[0].id, space, near[n : n + 1]) for one, n in zip(items, numbers, strict=True)]
    )
    return told


def _timed(write: Callable[[int], Any], ask: Callable[[int], float]) -> dict[str, float]:
    """Median and 95th of a hundred of the seconds from the call that writes to the search that has seen it."""
    clock, worked = [], []
    for n in range(ROUNDS):
        started, began = time.perf_counter(), time.process_time()
        write(n)
        elsewhere = ask(n)  # seconds of processor time of another process
        clock.append(time.perf_counter() - started)
        worked.append(time.process_time() - began + elsewhere)
    return {
        f"{name}{part}": round(float(np.percentile(took, at)), 4)
        for part, took in (("", clock), (" of processor", worked))
        for name, at in (("median s", 50), ("p95 s", 95))
    }


def _asking(store: FaissStore, space: Space) -> Ask:
    """Searches of `store` until the first hit is as expected."""

    def ask(query: Vectors, expected: str, where: Filter | None) -> float:
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            first = store.search(space, query, 1, where=where)[0][0].item_id
            if not expected or (first != expected[1:] if expected.startswith("!") else first == expected):
                return 0.0
        raise SystemExit(f"{expected!r} was not seen within {PATIENCE_S} s")

    return ask


def _asked(pipe: Connection) -> Ask:
    def ask(query: Vectors, expected: str, where: Filter | None) -> float:
        pipe.send((np.asarray(query), expected, where))
        return float(pipe.recv())

    return ask


def _read(place: Path, space: Space, pipe: Connection) -> None:
    """The other process: searches when told to, and says how much processor time it took."""
    store = FaissStore(place)
    ask = _asking(store, space)
    while (told := pipe.recv()) is not None:
        began = time.process_time()
        ask(*told)
        pipe.send(time.process_time() - began)
    store.close()


if __name__ == "__main__":
    main()
