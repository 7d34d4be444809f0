"""Takes an export into a collection: everything is looked at first, then written a batch at a time.

Knows when vectors may be taken over, and the order in which a kill loses nothing: store, then ledger.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np

from indexer import Ledger, Passport, Reembedding, RegionPlan, plan, planned
from indexer.embedding import stored
from indexer.ledger import Claim, Outcome
from sightline import probes
from sightline.admission import refuse_other_encoder
from sightline.encoders.adapter import Adapter
from sightline.errors import ConfigError, InputError, PassportMismatch, SightlineError, UnreadableSource
from sightline.passport import PassportControl
from sightline.protocols import Encoder, Store
from sightline.settings import Settings
from sightline.transfer.moment import Writing
from sightline.transfer.reading import Export
from sightline.transfer.reports import ImportReport
from sightline.transfer.rows import Bundle
from sightline.types import PartVectors, Progress, Skipped

BATCH_ITEMS, BATCH_BYTES = 512, 32_000_000  # in one transaction, whichever is reached first

Tell = Callable[[Progress], None] | None


def take_in(
    folder: Path,
    *,
    control: PassportControl,
    store: Store,
    ledger: Ledger,
    settings: Settings,
    writing: Writing,
    embed: bool = False,
    progress: Tell = None,
) -> ImportReport:
    """Put every item of an export into a collection, in place of items of the same ids.

    Nothing is written unless all of the export is as it was written and makes sense. Vectors are taken over where the
    collection's encoder made them; with `embed` everything is embedded again. Killed, what was written is whole, and
    the same call goes on. Raises UnreadableSource naming the file, PassportMismatch for vectors of another encoder.
    """
    try:
        importing = _Importing(
            Export(folder), control=control, store=store, ledger=ledger, settings=settings, progress=progress
        )
        importing.look()
    except UnreadableSource as exc:
        raise UnreadableSource(exc.source, f"{exc.reason}. Nothing was written") from exc
    with writing():
        importing.prepare(embed=embed)
        importing.write(embed=embed)
    return importing.report()


class _Importing:
    """One import: its export, its engines and its counts."""

    def __init__(
        self, export: Export, *, control: PassportControl, store: Store, ledger: Ledger, settings: Settings,
        progress: Tell,
    ) -> None:  # fmt: skip
        self.export, self.control, self.store, self.ledger = export, control, store, ledger
        self.settings, self.progress = settings, progress
        self.encoder: Encoder | None = None  # that embeds again
        self.added = self.overwritten = self.parts = self.vectors = self.embedded = self.from_thumbnails = 0
        self.lost: tuple[Skipped, ...] = ()
        self.notes: list[str] = []
        self.started = time.perf_counter()

    def look(self) -> None:
        """Read all of the export once. Raises UnreadableSource."""
        self.export.check(self._tell)
        here = self.control.passport
        known = set(self.store.spaces())
        for space in self.export.spaces:
            searched = here is not None and (here.fingerprint, here.dim) == (space.fingerprint, space.dim)
            if searched or space.fingerprint not in known:
                continue
            try:
                self.store.search(space, np.eye(1, space.dim, dtype=np.float32), 1)  # so a store tells how wide it is
            except InputError as exc:
                raise UnreadableSource(str(self.export.folder), str(exc)) from exc

    def prepare(self, *, embed: bool) -> None:
        """Settle whose vectors go in, and put the passport on record. Raises PassportMismatch, ConfigError."""
        if not self.export.counts["items"]:
            return
        if embed:
            self.encoder = self._own_encoder()
            self.ledger.set_passport(self.control.issue(self.encoder))
            self._agree_on_regions(embed=True)
            return
        made = self.export.passport
        if made is None:
            raise InputError(f"{self.export.folder} does not say which encoder made it: embed it again, with --embed")
        if not self.export.with_vectors:
            raise InputError(f"{self.export.folder} was made without vectors: embed everything again, with --embed")
        if not any(made.probes):
            raise InputError(
                f"{self.export.folder} does not say what its encoder answered to the probes, so that nobody can tell "
                f"whether it gives the same vectors here. Nothing was written: embed everything again, with --embed"
            )
        here, empty = self.control.passport, self.store.stats().items == 0
        if here is None or empty:
            self._adopt(made, here)
        else:
            self._refuse_others(made, here)
        adapter = self.export.adapter()
        if adapter is not None and self.ledger.adapter_state()[0] != made.adapter:
            self._take(adapter, empty=empty)
        self._agree_on_regions(embed=False)

    def write(self, *, embed: bool) -> None:
        """Write it all."""
        for batch in _batches(self.export.bundles()):
            self._write(batch, embed=embed)
        if embed and self.encoder is not None:
            self._embed(self.encoder)
        self.ledger.carry_sources(self.export.readings, self.export.unread())

    def report(self) -> ImportReport:
        """What became of it."""
        seconds = time.perf_counter() - self.started
        return ImportReport(
            self.added, self.overwritten, self.parts, self.vectors, self.embedded, self.from_thumbnails, self.lost,
            tuple(self.notes), seconds,
        )  # fmt: skip

    # -- whose vectors ---------------------------------------------------------------------------------------------

    def _own_encoder(self) -> Encoder:
        """The encoder that embeds again: the collection's, else the one asked for, else the export's."""
        if self.control.passport is not None:
            return self.control.plain_encoder
        made = self.export.passport
        return self.control.other(self.settings.encoder or (made.space if made else "starter"))

    def _adopt(self, made: Passport, here: Passport | None) -> None:
        """Make the export's encoder that of an empty collection, once it gives the vectors that it gave."""
        spec = self.settings.encoder or made.space
        try:
            mine = self.control.issue(self.control.matching(spec, made))
        except SightlineError as exc:
            raise ConfigError(
                f"the vectors of {self.export.folder} were made by {made.space!r}, and {spec!r} cannot be opened here: "
                f"{exc}. Embed everything again by another encoder: --embed --encoder SPEC"
            ) from exc
        self._refuse_others(made, mine)
        try:
            refuse_other_encoder(made, self.control.other(spec).space, self.export.folder)
        except PassportMismatch as exc:
            raise PassportMismatch(
                f"{self.export.folder} tells other things of {made.space!r} than are so here. Nothing was written: "
                f"embed everything again, with --embed"
            ) from exc
        passport = replace(made, space=mine.space, store=self.control.store_spec, adapter="")
        if here is None:
            self.ledger.set_passport(passport)
        elif here.fingerprint != passport.fingerprint:
            self.ledger.migrate(passport)
            self.control.follow()

    def _take(self, adapter: Adapter, *, empty: bool) -> None:
        if empty:
            self.control.adaptation.install(adapter)
        else:
            self.notes.append("the adapter of the export was left out: it would change how this collection is searched")

    def _agree_on_regions(self, *, embed: bool) -> None:
        """An empty collection takes those of the export; in another, the next `add` makes them one again."""
        here, theirs = planned(self.ledger), self.export.regions
        if self.store.stats().items == 0:
            kind = self.settings.regions or theirs.kind
            plan(self.ledger, RegionPlan(kind, theirs.after if kind == theirs.kind and not embed else None))
            here = planned(self.ledger)
        if not embed and here != theirs:
            plan(self.ledger, RegionPlan(here.kind, ""))
            self.notes.append(
                f"the pictures of the export have regions of the kind {theirs.kind!r}, those here are to have "
                f"{here.kind!r}: the next `index` embeds them again"
            )

    def _refuse_others(self, made: Passport, here: Passport) -> None:
        """Raise PassportMismatch unless both say the same encoder, and it gave the same answers."""
        if made.fingerprint != here.fingerprint or made.dim != here.dim:
            raise PassportMismatch(
                f"{self.export.folder} holds vectors of {made.space!r} ({made.dim} numbers a vector, fingerprint "
                f"{made.fingerprint[:12]}), this collection those of {here.space!r} ({here.dim}, "
                f"{here.fingerprint[:12]}). They cannot be compared. Nothing was written: take another collection "
                f"(--collection), or embed the export again for this one, with --embed"
            )
        then, now = (np.frombuffer(one.probes, "<f4").reshape(-1, one.dim) for one in (made, here))
        found = probes.differences(then, now, least=probes.least(made.made_of, here.made_of))
        if found:
            raise PassportMismatch(
                f"{self.export.folder} holds vectors of {made.space!r}, which gives others here: {found[0]}. Nothing "
                f"was written: embed everything again, with --embed"
            )

    # -- writing ---------------------------------------------------------------------------------------------------

    def _write(self, batch: Sequence[Bundle], *, embed: bool) -> None:
        """One batch: what is about to change is in doubt, then the store, then the ledger."""
        items = [one.item for one in batch]
        there = {item.id for item in self.store.get([item.id for item in items])}
        self.ledger.begin([
            Outcome(one.item_id, Claim(one.source, "", ""), {}, label=one.label, place=one.place)
            for one in (bundle.carried for bundle in batch) if one is not None
        ])  # fmt: skip
        self.ledger.doubt([bundle.item.id for bundle in batch if bundle.carried is None])
        vectors = self._known(batch) if embed else [one for bundle in batch for one in bundle.stored.vectors]
        self.store.upsert(items, vectors)
        self._record(batch, finished=not embed)
        self.added += len(items) - len(there)
        self.overwritten += len(there)
        self.parts += sum(len(item.parts) for item in items)
        self.vectors += 0 if embed else sum(len(one.vectors) for one in vectors)
        self._tell(self.export.counts["items"] + self.added + self.overwritten)

    def _record(self, batch: Sequence[Bundle], *, finished: bool) -> None:
        carried = [one.carried for one in batch if one.carried is not None]
        if not finished:  # in doubt until everything is embedded
            carried = [replace(one, digest="", stamp="") for one in carried]
        pictures = {
            one.item.id: {
                part.digest: one.thumbnails.get(part.digest) for part in one.item.parts if part.modality == "image"
            }
            for one in batch
        }
        self.ledger.carry(carried, pictures)

    def _known(self, batch: Sequence[Bundle]) -> list[PartVectors]:
        """Vectors that the collection has of what a batch holds."""
        assert self.encoder is not None
        space = self.encoder.space
        parts = [part for one in batch for part in one.item.parts if part.modality in space.modalities]
        rows = stored(self.store, space, {part.digest for part in parts})
        return [rows[part.digest].of(part.id, space) for part in parts if part.digest in rows]

    def _embed(self, encoder: Encoder) -> None:
        again = Reembedding(
            store=self.store, ledger=self.ledger, encoder=encoder,
            limits=self.settings.limits, batch_size=self.settings.batch_size, regions=planned(self.ledger).kind,
            progress=self.progress,
        )  # fmt: skip
        again.run(nullcontext)
        self.embedded, self.from_thumbnails = again.texts + again.pictures, again.from_thumbnails.total()
        self.lost = tuple(again.lost.values())
        for batch in _batches(self.export.bundles()):
            self._record(batch, finished=True)

    def _tell(self, done: int) -> None:
        """`done`: items looked at and items written, each of which is half of the work."""
        if self.progress is not None:
            total = self.export.counts["items"]
            self.progress(Progress(done // 2, total, 0, 0, time.perf_counter() - self.started))


def _batches(bundles: Iterator[Bundle]) -> Iterator[list[Bundle]]:
    batch: list[Bundle] = []
    size = 0
    for one in bundles:
        batch.append(one)
        size += one.bytes_memory
        if len(batch) >= BATCH_ITEMS or size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
