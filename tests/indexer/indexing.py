"""A collection to index into: the real `faiss` store, a ledger, and a small encoder that counts its work."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import indexer
from indexer.register import Seen
from sightline.protocols import Encoder, Store
from sightline.stores import open_store
from sightline.types import AddReport
from tests.indexer.grid import GridEncoder


def png(seed: int, size: tuple[int, int] = (24, 16)) -> bytes:
    """A picture of its own for every seed."""
    noise = np.random.default_rng(seed).integers(0, 256, (4, 6, 3), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(noise).resize(size, Image.Resampling.NEAREST).save(out, "PNG")
    return out.getvalue()


class Collection:
    """What the engine would hold: one store, one ledger, one encoder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.folder.mkdir(exist_ok=True)
        self.encoder: Encoder = GridEncoder()
        self.store: Store = open_store("faiss", folder, collection="default")
        self.ledger = indexer.Ledger(folder)

    def add(self, *sources: str | Path | Mapping[str, Any], progress: Any = None, **options: Any) -> AddReport:
        return indexer.add(
            sources,
            encoder=self.encoder,
            store=self.store,
            ledger=self.ledger,
            options=indexer.IndexOptions(**options),
            progress=progress,
        )

    def delete(self, *ids: str) -> int:
        return indexer.delete(ids, store=self.store, ledger=self.ledger)

    @property
    def embedded(self) -> int:
        assert isinstance(self.encoder, GridEncoder)
        return len(self.encoder.embedded)

    def close(self) -> None:
        self.store.close()
        self.ledger.close()


def counts(report: AddReport) -> tuple[int, int, int, int, int]:
    """(added, updated, unchanged, deleted, skipped)."""
    return report.added, report.updated, report.unchanged, report.deleted, len(report.skipped)


def write_rows(path: Path, *rows: dict[str, Any]) -> Path:
    """A JSONL catalog."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def became(collection: Collection) -> dict[str, str]:
    """item (or source, of what has none) -> outcome."""
    return {seen.item_id or Path(seen.source).name: seen.outcome for seen in collection.ledger.register.sources()}


def seen_of(collection: Collection, item: str) -> Seen:
    every = collection.ledger.register.sources()
    (found,) = [seen for seen in every if seen.item_id == item and seen.outcome != "skipped"]
    return found


def folders_of_copies(tmp_path: Path) -> tuple[Path, Path]:
    """A folder on a disk of its own, and one with the same pictures under other names."""
    disk, laptop = tmp_path / "disk", tmp_path / "laptop"
    for folder, name in ((disk / "dcim", "IMG_{}.png"), (laptop, "holiday-{}.png")):
        folder.mkdir(parents=True)
        for number in range(3):
            (folder / name.format(number)).write_bytes(png(number))
    return disk, laptop
