"""The catalog that is written while processes are killed: rows in four versions, and what each must look like stored.

Does not know stores or kills. What is right is taken from an index that was made undisturbed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TypeAlias

import numpy as np

from indexer import Ledger
from sightline.calibrating import Calibrations
from sightline.engine import Sightline
from sightline.passport import PassportControl
from sightline.protocols import Encoder, Store
from sightline.settings import Settings
from sightline.types import Content, Item, Space, Vectors
from tests.indexer.grid import GridEncoder
from tests.indexer.indexing import png

GRID, TURNED, BACK = "grid", "turned", "back"  # the encoders
ROWS = 36
VERSIONS = 4
BATCH = 6  # parts embedded and stored at a time: a handful of batches in every operation

Rows: TypeAlias = Mapping[int, int]  # number -> version


class _Turned(GridEncoder):
    """Another encoder: its own space, other vectors of equal width."""

    def __init__(self) -> None:
        super().__init__()
        self.space = replace(self.space, name=TURNED, fingerprint="8" * 64)

    def encode_documents(self, contents: Sequence[Content]) -> Vectors:
        return turned(super().encode_documents(contents))


class _Back(GridEncoder):
    """A third one."""

    def __init__(self) -> None:
        super().__init__()
        self.space = replace(self.space, name=BACK, fingerprint="7" * 64)

    def encode_documents(self, contents: Sequence[Content]) -> Vectors:
        return super().encode_documents(contents)[:, ::-1]


class Opened(Sightline):
    """A collection whose encoder is small, and `grid` where nothing was indexed yet."""

    def __init__(self, settings: Settings, *, store: Store, store_spec: str, ledger: Ledger) -> None:
        super().__init__(settings, store=store, store_spec=store_spec, ledger=ledger)
        self._control = PassportControl(
            ledger, self.folder, store=store_spec, encoder=None, text_encoder=settings.text_encoder, opens=_encoder
        )
        self.calibrations = Calibrations(self._control, store, ledger, self._write)


@cache
def _encoder(spec: str) -> Encoder:
    return {TURNED: _Turned, BACK: _Back}.get(spec, GridEncoder)()


def turned(rows: Vectors) -> Vectors:
    """What the other encoder makes of content of which `grid` makes `rows`, both (n, dim)."""
    return np.roll(rows, 7, axis=1)


@dataclass(frozen=True)
class Truth:
    """How one row must look where it is stored: its item, and digest -> vectors of what is embedded, by `grid`."""

    item: Item
    vectors: Mapping[str, Vectors]

    def of(self, space: Space) -> Mapping[str, Vectors]:
        """digest -> vectors in one of the two spaces."""
        if space.name == GRID:
            return self.vectors
        return {digest: turned(rows) for digest, rows in self.vectors.items()}

    @property
    def pictures(self) -> set[str]:
        """Digests of its pictures."""
        return {part.digest for part in self.item.parts if part.modality == "image"}


class Shop:
    """A folder with pictures and `catalog.jsonl`, which holds what `write` was told last; and a name of an encoder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.catalog = folder / "catalog.jsonl"
        for seed in range(ROWS * 3):
            (folder / f"{seed}.png").write_bytes(png(seed))

    def write(self, rows: Rows) -> None:
        """Say in the catalog what there is now."""
        self.catalog.write_text("".join(json.dumps(_row(number, rows[number])) + "\n" for number in sorted(rows)))

    @property
    def encoder(self) -> str:
        """The encoder to migrate to."""
        named = self.folder / "encoder"
        return named.read_text() if named.exists() else GRID

    def turn(self) -> None:
        """From now on the other encoder is the one to migrate to."""
        (self.folder / "encoder").write_text(GRID if self.encoder == TURNED else TURNED)

    def truth(self) -> dict[tuple[int, int], Truth]:
        """(number, version) -> what an undisturbed index makes of that row."""
        found = {}
        with Opened.open(self.folder / "undisturbed") as index:
            space = index.plain_encoder.space
            for version in range(VERSIONS):
                self.write(dict.fromkeys(range(ROWS), version))
                index.add(self.catalog)
                for number in range(ROWS):
                    item = index.get(name(number))
                    found[number, version] = Truth(
                        item, index._store.known(space, [part.digest for part in item.parts])
                    )
        return found


def name(number: int) -> str:
    """The id of a row."""
    return f"item-{number:02d}"


def word(number: int, version: int) -> str:
    """A word that is in no other row and no other version."""
    return "w" + hashlib.sha256(f"{number}/{version}".encode()).hexdigest()[:12]


def _row(number: int, version: int) -> dict[str, object]:
    """Every second version changes the pictures too: one or two of its own, and one it shares with a neighbour."""
    own, shared = number * 3 + version // 2, (number // 2) * 6 + 2
    images = [own, own + 1, shared] if number % 3 == version // 2 else [own, shared]
    return {
        "id": name(number),
        "title": f"Row {number} in version {version}",
        "text": f"{word(number, version)} tells them apart",
        "images": [f"{seed}.png" for seed in dict.fromkeys(images)],
        "number": number,
        "version": version,
    }
