"""What became of an export, an import or a snapshot, for people and programs.

Knows no file and no collection.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from sightline.types import Skipped


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What an export holds."""

    folder: str
    items: int = 0
    parts: int = 0
    vectors: int = 0
    thumbnails: int = 0
    bytes: int = 0
    seconds: float = 0.0
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "notes": list(self.notes), "seconds": round(self.seconds, 3)}


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import wrote. `overwritten` items were there before under the same id."""

    added: int = 0
    overwritten: int = 0
    parts: int = 0
    vectors: int = 0  # taken over as they were
    embedded: int = 0  # parts embedded again; of a text encoder and the other, each counts
    from_thumbnails: int = 0  # of these, pictures whose file is gone or changed: embedded from 320 px
    lost: tuple[Skipped, ...] = ()  # parts that could not be embedded, found by words only
    notes: tuple[str, ...] = ()
    seconds: float = 0.0

    def to_json(self) -> dict[str, Any]:
        lost = [{"source": one.source, "reason": one.reason} for one in self.lost]
        return {**asdict(self), "lost": lost, "notes": list(self.notes), "seconds": round(self.seconds, 3)}


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A copy of a collection's files as they were at one moment. `made_at` is UTC."""

    name: str
    collection: str
    made_at: str
    items: int
    bytes: int
    store: str
    encoder: str  # "" where nothing had been indexed
    problem: str = ""  # why it cannot be restored

    def to_json(self) -> dict[str, Any]:
        return asdict(self)
