"""Which regions a collection's pictures have, on record, and how all of them come to have others.

Knows ledger, store and encoder by what they promise. A collection is of one mind: while that is not so yet, it is on
record how far it is, by the digests of pictures, and whoever adds next goes on from there.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import get_args

from indexer.embedding import Embedded, Embedding
from indexer.ledger import Ledger
from indexer.originals import Pictures
from sightline.decoding import Limits
from sightline.errors import InputError
from sightline.protocols import Store
from sightline.types import Content, Part, PartVectors, RegionKind, Skipped

_NOTE = "regions"
PAGE = 32  # pictures at a time


@dataclass(frozen=True, slots=True)
class RegionPlan:
    """The regions that pictures are to have. `after`: those of digests up to this one have them; None: all have."""

    kind: RegionKind = "none"
    after: str | None = None

    @property
    def is_done(self) -> bool:
        return self.after is None


def planned(ledger: Ledger) -> RegionPlan:
    """What is on record."""
    told = json.loads(ledger.noted(_NOTE) or "{}")
    return RegionPlan(told.get("kind", "none"), told.get("after"))


def plan(ledger: Ledger, made: RegionPlan) -> None:
    """Put a plan on record, in place of the one there was."""
    plain = made == RegionPlan()
    ledger.note(_NOTE, "" if plain else json.dumps({"kind": made.kind, "after": made.after}))


def ask(ledger: Ledger, kind: RegionKind | None) -> RegionPlan:
    """The plan from now on, where these regions are asked for; None: those on record. Raises InputError."""
    if kind is not None and kind not in get_args(RegionKind):
        raise InputError(f"regions are one of {', '.join(get_args(RegionKind))}, not {kind!r}")
    now = planned(ledger)
    if kind is None or kind == now.kind:
        return now
    made = RegionPlan(kind, "" if ledger.has_pictures() else None)
    plan(ledger, made)
    return made


@dataclass(slots=True)
class Regioning:
    """One way from some regions to others: only these are embedded, the vector of the whole picture stays."""

    store: Store
    ledger: Ledger
    embedding: Embedding
    limits: Limits
    pictures: int = 0  # that have other regions now

    def run(self, tell: Callable[[int], None]) -> tuple[list[str], list[Skipped]]:
        """Go on from where the plan is until all pictures have their regions; what is to be said of it.

        `tell`: pictures done so far. Raises EngineError: what was done by then is kept.
        """
        opened = Pictures(self.ledger, self.limits)
        now = planned(self.ledger)
        while not now.is_done:
            page = self.ledger.shown(now.after or "", PAGE)
            self._change(page, now.kind, opened)
            now = RegionPlan(now.kind, max(page) if len(page) == PAGE else None)
            plan(self.ledger, now)
            tell(self.pictures)
        return self._notes(now.kind, opened), list(opened.lost.values())

    def _change(self, page: dict[str, list[str]], kind: RegionKind, opened: Pictures) -> None:
        """`page`: digest of a picture -> ids of the items that show it."""
        items = self.store.get(sorted({item for owners in page.values() for item in owners}))
        parts: dict[str, list[Part]] = {}
        for part in (part for item in items for part in item.parts):
            if part.digest in page and part.modality == "image":
                parts.setdefault(part.digest, []).append(part)
        space = self.embedding.space
        known, boxed = self.store.known(space, sorted(parts)), self.store.boxes(space, sorted(parts))
        wholes = {digest: rows[:1] for digest, rows in known.items()}
        made: dict[str, Embedded] = {}
        if kind != "none":
            contents: dict[str, Content] = {}
            for digest in wholes:
                pixels = opened.of(parts[digest][0])
                if pixels is not None:
                    contents[digest] = (pixels,)
            made = self.embedding.embed(contents, wholes=wholes)
        changed = {digest: made.get(digest, Embedded(whole)) for digest, whole in wholes.items()}
        found: list[PartVectors] = [
            changed[digest].of(part.id, space)
            for digest, owners in parts.items()
            if digest in changed and (changed[digest].boxes or digest in boxed)
            for part in owners
        ]
        if found:
            self.store.add_vectors(found)
        self.pictures += len(changed)

    def _notes(self, kind: RegionKind, opened: Pictures) -> list[str]:
        if not self.pictures:
            return []
        have = "have no regions any more" if kind == "none" else f"were embedded again for their {kind} regions"
        told = [f"pictures that were here before {have}: {self.pictures:,} of them"]
        told += [
            f"regions of {count:,} of them come from their thumbnails of 320 px: {reason}"
            for reason, count in opened.from_thumbnails.items()
        ]
        return told
