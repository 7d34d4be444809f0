"""From an index to a report on its catalog: what disagrees, what is missing, what is there twice, what is too long.

Knows the order of these steps; changes nothing.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Sequence, Set
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from indexer import Ledger
from indexer.readers import SAME_ID
from sightline.catalog_check.disagreements import LEAST, Compared, Found, Suspect, disagreements
from sightline.catalog_check.judging import LISTED
from sightline.catalog_check.lengths import Lengths, long_texts
from sightline.catalog_check.reading import Catalog, Entry, Tell, colours, read
from sightline.engine import Sightline
from sightline.errors import ConfigError, PassportMismatch
from sightline.types import Modality, Part, Skipped

_INSIDE = "!/"  # between an archive and the name of what is in it


@dataclass(frozen=True, slots=True)
class Missing:
    """A picture that is not there, and what is known of it."""

    item_id: str | None
    source: str
    reason: str

    def to_json(self) -> dict[str, Any]:
        return {"item": self.item_id, "source": self.source, "reason": self.reason}


@dataclass(frozen=True, slots=True)
class CatalogReport:
    """What a look at a catalog brought up. `notes` say what could not be compared, and why."""

    items: int
    suspects: tuple[Suspect, ...]  # the most suspicious first
    compared: tuple[Compared, ...]
    missing: tuple[Missing, ...]
    duplicate_ids: tuple[Skipped, ...]
    lengths: Lengths
    notes: tuple[str, ...]
    seconds: float
    undone: str = ""  # why nothing was compared and no text measured: the encoder cannot be used

    @property
    def clean(self) -> bool:
        """Whether nothing seems to be wrong. A text that is too long is no mistake of the catalog's."""
        return not (self.undone or self.suspects or self.missing or self.duplicate_ids)

    def to_json(self) -> dict[str, Any]:
        return {
            "clean": self.clean,
            "items": self.items,
            "suspects": [suspect.to_json() for suspect in self.suspects],
            "compared": [
                {"about": one.about, "items": one.items, "noticed": round(one.noticed, 3)} for one in self.compared
            ],
            "missing_pictures": [one.to_json() for one in self.missing],
            "duplicate_ids": [{"source": one.source, "reason": one.reason} for one in self.duplicate_ids],
            "cut_texts": [one.to_json() for one in self.lengths.cut],
            "texts_in_pieces": [one.to_json() for one in self.lengths.pieces],
            "words_read_at_once": self.lengths.read,
            "texts_read_by": self.lengths.by or None,
            "texts_untested": self.lengths.untested,
            "notes": list(self.notes),
            "not_compared": self.undone or None,
            "seconds": round(self.seconds, 3),
        }


def check(
    index: Sightline, *, least: float = LISTED, seed: int = 0, tell: Tell = lambda what, done, total: None
) -> CatalogReport:
    """Look a collection over. Equal collections and seeds give equal reports. `least` is the suspicion (0-1) from which
    an item is listed. Where the encoder cannot be used, what needs none of it is looked at.
    """
    started = time.perf_counter()
    try:
        modalities, undone = index.plain_encoder.space.modalities, ""
    except (PassportMismatch, ConfigError) as exc:
        modalities, undone = frozenset[Modality](), str(exc)
    catalog = read(index, tell, vectors=not undone)
    found, notes = (Found((), ()), []) if undone else _compared(catalog, index, least, seed, tell)
    lengths, unread = (Lengths(), "") if undone else _lengths(catalog, index, modalities, tell)
    missing, twice = _unread(index)
    missing += _gone(catalog.entries)
    missing += _bare(catalog.entries, {one.item_id for one in missing})
    return CatalogReport(
        len(catalog.entries), found.suspects, found.compared, tuple(missing), tuple(twice), lengths,
        (*notes, *([unread] if unread else [])), time.perf_counter() - started, undone,
    )  # fmt: skip


def _lengths(catalog: Catalog, index: Sightline, modalities: Set[Modality], tell: Tell) -> tuple[Lengths, str]:
    """Which texts are not read at once by what compares them with words, and why none was asked about."""
    texts = [part for entry in catalog.entries for part in entry.item.parts]
    doing = "looking for texts that are too long"
    try:
        reader = index.text_encoder or (index.plain_encoder if "text" in modalities else None)
        return (long_texts(texts, reader, partial(tell, doing)) if reader else Lengths()), ""
    except (PassportMismatch, ConfigError) as exc:
        return Lengths(), f"no text was measured: {exc}"


def _compared(catalog: Catalog, index: Sightline, least: float, seed: int, tell: Tell) -> tuple[Found, list[str]]:
    """What disagrees, and what could not be compared."""
    shown, modalities = catalog.shown, index.plain_encoder.space.modalities
    if "image" not in modalities:
        return Found((), ()), ["the encoder embeds no pictures: nothing was compared with them"]
    if len(shown) < LEAST:
        return Found((), ()), [f"{len(shown)} items have a picture; from {LEAST} on they are compared with their words"]
    found = disagreements(shown, colours(shown, index, tell), index, least=least, seed=seed, tell=tell)
    return found, [] if "text" in modalities else [
        "the encoder embeds no texts: pictures were compared with fields only"
    ]


def _unread(index: Sightline) -> tuple[list[Missing], list[Skipped]]:
    """Pictures of items that could not be read, and rows left out because their id was taken."""
    missing, twice = [], []
    with closing(Ledger(index.folder)) as ledger:
        for seen in ledger.register.sources():
            if seen.outcome != "skipped":
                continue
            if SAME_ID in seen.reason:
                twice.append(Skipped(seen.source, seen.reason))
            elif seen.item_id is not None:
                missing.append(Missing(seen.item_id, seen.source, seen.reason))
    return missing, twice


def _gone(entries: Iterable[Entry]) -> list[Missing]:
    """Pictures that were read once and whose file is no longer there."""
    return [
        Missing(entry.item.id, part.uri or "", "the file is no longer there; the index still has its picture")
        for entry in entries
        for part in entry.item.parts
        if part.modality == "image" and _is_lost(part)
    ]


def _is_lost(part: Part) -> bool:
    """Whether its file, or the archive it was in, is certainly not there. URLs are not asked."""
    if part.uri is None or "://" in part.uri or _may_be_there(part.uri):
        return False
    pieces = part.uri.split(_INSIDE)
    return not any(_may_be_there(_INSIDE.join(pieces[:count])) for count in range(1, len(pieces)))


def _may_be_there(place: str) -> bool:
    try:
        Path(place).stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except (OSError, ValueError):  # one that cannot be looked at may be there
        return True
    return True


def _bare(entries: Sequence[Entry], told: Collection[str | None]) -> list[Missing]:
    """Items with fields and without any picture, where most such have one. A text has no fields but its title.

    Those of `told` are known to lack one already.
    """
    rows = [entry for entry in entries if entry.item.fields.keys() - {"title"}]
    bare = [entry for entry in rows if all(part.modality != "image" for part in entry.item.parts)]
    if 2 * len(bare) >= len(rows):
        return []
    reason = "it has no picture, and most items have"
    return [Missing(entry.item.id, entry.item.id, reason) for entry in bare if entry.item.id not in told]
