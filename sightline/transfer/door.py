"""`Transfer`: export, import and snapshots of one open collection.

Knows which of its pieces each of them needs; `Sightline.transfer` makes one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from indexer import Ledger
from sightline.filters import Filter
from sightline.passport import PassportControl
from sightline.protocols import Store
from sightline.queries import Where
from sightline.settings import Settings
from sightline.transfer import exporting, importing, snapshots
from sightline.transfer.columns import Format
from sightline.transfer.moment import Writing
from sightline.transfer.reports import ExportReport, ImportReport, Snapshot
from sightline.types import Progress


@dataclass(frozen=True, slots=True)
class Transfer:
    """The pieces of a collection that go along; `resolve` checks a filter, `writing` keeps other writers out."""

    control: PassportControl
    store: Store
    ledger: Ledger
    settings: Settings
    resolve: Callable[[Where], Filter | None]
    writing: Writing

    def export(
        self,
        folder: str | Path,
        *,
        format: Format = "parquet",
        vectors: bool = True,
        where: Where = None,
        force: bool = False,
        progress: Callable[[Progress], None] | None = None,
    ) -> ExportReport:
        """Write all items, or those that pass `where`, into a new folder, there whole or not at all.

        Raises InputError for a folder that is there already, unless `force` and it is an export.
        """
        return exporting.export(
            Path(folder), ledger=self.ledger, store=self.store, store_spec=self.control.store_spec,
            collection=self.settings.collection, writing=self.writing, format=format, vectors=vectors,
            where=self.resolve(where), where_text="" if where is None else str(where), force=force, progress=progress,
        )  # fmt: skip

    def take_in(
        self, folder: str | Path, *, embed: bool = False, progress: Callable[[Progress], None] | None = None
    ) -> ImportReport:
        """Put every item of an export into this collection, in place of items of the same ids.

        Vectors are taken over where this collection's encoder made them; with `embed` everything is embedded again.
        Raises UnreadableSource for a damaged export, PassportMismatch for vectors of another encoder: then nothing
        was written.
        """
        return importing.take_in(
            Path(folder), control=self.control, store=self.store, ledger=self.ledger, settings=self.settings,
            writing=self.writing, embed=embed, progress=progress,
        )  # fmt: skip

    def snapshot(self, name: str | None = None) -> Snapshot:
        """Copy the collection's files as they are now; `transfer.restore` puts them back. Raises InputError."""
        return snapshots.snapshot(
            self.settings.index, self.settings.collection, ledger=self.ledger, store=self.store,
            store_spec=self.control.store_spec, writing=self.writing, name=name,
        )  # fmt: skip
