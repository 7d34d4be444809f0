"""Collections to move: real stores and ledgers, a small encoder, and what of them must be equal afterwards."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pytest

from indexer.carrying import Carried
from indexer.ledger import Claim, Outcome
from sightline.errors import SightlineError
from sightline.transfer import manifest
from sightline.types import Item, Stored, Vectors
from tests.indexer.indexing import png
from tests.soak.shop import Opened


def opened(folder: Path, store: str | None = None, **how: Any) -> Opened:
    """A collection whose encoder is `grid` (or `turned`, where asked for)."""
    return Opened.open(folder, store=store, **how)


def shop(folder: Path, count: int = 6) -> Path:
    """A folder of pictures and texts, old enough to be trusted by their time."""
    folder.mkdir()
    for number in range(count):
        (folder / f"{number}.png").write_bytes(png(number % (count - 1)))  # the last equals the first
        (folder / f"{number}.txt").write_text(f"Note number {number}: café, naïve, 日本語.\n\nSecond passage {number}.")
    for path in folder.iterdir():
        os.utime(path, (1_600_000_000, 1_600_000_000))
    return folder


def fill(index: Opened, stored: list[Stored], thumbnails: dict[str, bytes]) -> None:
    """Put items into a collection and its ledger, as indexing would."""
    index._ledger.set_passport(index._control.whole.issue(index.plain_encoder))
    index._store.upsert([one.item for one in stored], [one for each in stored for one in each.vectors])
    if not stored:
        return
    index._ledger.record(
        [
            Outcome(
                one.item.id,
                Claim("/a/source", one.item.digest, "stamp"),
                {part.digest: thumbnails.get(part.digest) for part in one.item.parts if part.modality == "image"},
                label=f"label of {one.item.id}",
                content="c",
            )
            for one in stored
        ]
    )


Contents: TypeAlias = dict[str, tuple[Item, dict[tuple[str, str], bytes], Carried | None, dict[str, bytes]]]


def contents(index: Opened) -> Contents:
    """Item id -> the item, its vectors bit for bit, what is on record of it, and its thumbnails."""
    with index._ledger.moment() as ledger, index._store.moment() as moment:
        told = list(moment.items())
        found: Contents = {}
        for one in told:
            vectors = {
                (each.part_id, each.space.fingerprint): np.ascontiguousarray(each.vectors, "<f4").tobytes()
                for each in one.vectors
            }
            digests = [part.digest for part in one.item.parts if part.modality == "image"]
            record = ledger.carried([one.item.id]).get(one.item.id)
            found[one.item.id] = one.item, vectors, record, ledger.thumbnails(digests)
    assert len(found) == len(told)
    return found


def unit(rows: int, dim: int, seed: int) -> Vectors:
    """(rows, dim) random unit rows."""
    made = np.random.default_rng(seed).standard_normal((rows, dim)).astype(np.float32)
    return (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float32)


# -- exports that somebody else made -----------------------------------------------------------------------------------

Rows: TypeAlias = list[dict[str, Any]]


def sign(folder: Path, **changed: Any) -> None:
    """Write the manifest anew over what the files are now, as whoever makes exports by hand would."""
    told = json.loads((folder / manifest.FILE).read_text()) | changed
    told["files"] = {
        name: {"bytes": (folder / name).stat().st_size, "sha256": manifest.digest(folder / name)}
        for name in told["files"]
    }
    del told["sha256"]
    told["sha256"] = manifest._own_digest(told)
    (folder / manifest.FILE).write_text(json.dumps(told))


def refused(index: Opened, folder: Path, error: type[SightlineError], match: str, **how: Any) -> None:
    before = contents(index)
    with pytest.raises(error, match=match):
        index.transfer.take_in(folder, **how)
    assert contents(index) == before


def edit(folder: Path, table: str, change: Callable[[Rows], object]) -> None:
    """Change the rows of a table in JSONL, and sign it."""
    path = folder / f"{table}.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    change(rows)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    sign(folder)
