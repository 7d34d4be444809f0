"""Takes an export into a collection: everything is looked at first, then written a batch at a time.

Knows the order in which a kill loses nothing: store, then ledger; whose vectors go in is `agreement`'s.
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
from sightline.encoders.adapter import Adapter
from sightline.errors import InputError, UnreadableSource
from sightline.passport import PassportControl
from sightline.protocols import Encoder, Store
from sightline.settings import Settings
from sightline.transfer.agreement import (
    TextAgreement,
    adopted,
    comparable,
    own_encoder,
    refuse_others,
    texts_anew,
    texts_as_here,
)
from sightline.transfer.moment import Writing
from sightline.transfer.reading import Export
from sightline.transfer.reports import ImportReport
from sightline.transfer.rows import Bundle
from sightline.types import Part, PartVectors, Progress, Skipped, Space

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
    collection's encoders made them; with `embed` everything is embedded again. Killed, what was written is whole, and
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
        self.encoder: Encoder | None = None  # that embeds everything again
        self.agreed = TextAgreement()
        self.unfinished = 0  # items that were written without all of their vectors
        self.added = self.overwritten = self.parts = self.vectors = self.embedded = self.from_thumbnails = 0
        self.lost: tuple[Skipped, ...] = ()
        self.notes: list[str] = []
        self.started = time.perf_counter()

    def look(self) -> None:
        """Read all of the export once. Raises UnreadableSource."""
        self.export.check(self._tell)
        searched = {(one.fingerprint, one.dim) for one in self.control.built_by if one}
        known = set(self.store.spaces())
        for space in self.export.spaces:
            if (space.fingerprint, space.dim) in searched or space.fingerprint not in known:
                continue
            try:
                self.store.search(space, np.eye(1, space.dim, dtype=np.float32), 1)  # so a store tells how wide it is
            except InputError as exc:
                raise UnreadableSource(str(self.export.folder), str(exc)) from exc

    def prepare(self, *, embed: bool) -> None:
        """Settle whose vectors go in, and put the passports on record. Raises PassportMismatch, ConfigError."""
        if not self.export.counts["items"]:
            return
        here, empty = self.control.passport, self.store.stats().items == 0
        folder, asked = self.export.folder, self.settings.encoder
        if embed:
            self.encoder = own_encoder(self.export, self.control, asked)
            passport = self.control.whole.issue(self.encoder)
            self._agree_on_texts(passport, anew=here is None, embed=True)
            self.ledger.set_passport(passport)
            self._agree_on_regions(embed=True)
            return
        made = comparable(self.export)
        if here is None or empty:
            passport = adopted(made, self.control, asked, folder)
            self._agree_on_texts(passport, anew=True, embed=False)
            self.control.whole.put(passport)
        else:
            refuse_others(made, here, folder)
            self._agree_on_texts(here, anew=False, embed=False)
        adapter = self.export.adapter()
        if adapter is not None and self.ledger.adapter_state()[0] != made.adapter:
            self._take(adapter, empty=empty)
        self._agree_on_regions(embed=False)

    def write(self, *, embed: bool) -> None:
        """Write it all."""
        for batch in _batches(self.export.bundles()):
            self._write(batch, embed=embed)
        if self.unfinished:
            for encoder in self._encoders:
                self._embed(encoder)
            for batch in _batches(self.export.bundles()):
                self._record(batch)
        self.ledger.carry_sources(self.export.readings, self.export.unread())

    def report(self) -> ImportReport:
        """What became of it."""
        seconds = time.perf_counter() - self.started
        return ImportReport(
            self.added, self.overwritten, self.parts, self.vectors, self.embedded, self.from_thumbnails, self.lost,
            tuple(self.notes), seconds,
        )  # fmt: skip

    # -- whose vectors ---------------------------------------------------------------------------------------------

    def _agree_on_texts(self, main: Passport, *, anew: bool, embed: bool) -> None:
        """Settle which text encoder there is beside `main`; `anew`: in a collection that holds nothing."""
        texts, theirs = self.control.texts, self.export.text_passport
        if anew:
            asked, folder = self.settings.text_encoder, self.export.folder
            self.agreed = texts_anew(texts, theirs, asked, main, embed=embed, folder=folder)
            if self.agreed.passport:
                texts.role.put(self.agreed.passport)  # before `main`: where that is on record, nothing is settled anew
            else:
                texts.take_out()
            self._forget_unused(main)
        else:
            self.agreed = texts_as_here(texts, theirs)
        if self.agreed.note and not embed:
            self.notes.append(self.agreed.note)

    def _forget_unused(self, main: Passport) -> None:
        """An empty collection forgets the spaces of encoders that it no longer has."""
        used = {main.fingerprint, *([self.agreed.passport.fingerprint] if self.agreed.passport else [])}
        if self.store.stats().items == 0:
            for one in self.store.spaces():
                if one not in used:
                    self.store.forget_space(one)

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
        taken = [] if embed else [one for bundle in batch for one in self._taken(bundle)]
        vectors = [*taken, *self._known(batch, taken)]
        self.store.upsert(items, vectors)
        unfinished = self._unfinished(batch, vectors, embed=embed)
        self._record(batch, unfinished=unfinished)
        self.unfinished += len(unfinished)
        self.added += len(items) - len(there)
        self.overwritten += len(there)
        self.parts += sum(len(item.parts) for item in items)
        self.vectors += sum(len(one.vectors) for one in taken)
        self._tell(self.export.counts["items"] + self.added + self.overwritten)

    def _record(self, batch: Sequence[Bundle], *, unfinished: frozenset[str] = frozenset()) -> None:
        """`unfinished`: ids of items that are in doubt until everything is embedded."""
        carried = [one.carried for one in batch if one.carried is not None]
        carried = [replace(one, digest="", stamp="") if one.item_id in unfinished else one for one in carried]
        pictures = {
            one.item.id: {
                part.digest: one.thumbnails.get(part.digest) for part in one.item.parts if part.modality == "image"
            }
            for one in batch
        }
        self.ledger.carry(carried, pictures)

    @property
    def _encoders(self) -> list[Encoder]:
        """Those that embed what lacks a vector."""
        return [one for one in (self.encoder, self.agreed.encoder) if one is not None]

    def _taken(self, bundle: Bundle) -> list[PartVectors]:
        """The vectors that are taken over, also of spaces that are not searched: a migration may be half done."""
        return [one for one in bundle.stored.vectors if one.space.fingerprint not in self.agreed.left_out]

    def _known(self, batch: Sequence[Bundle], taken: Sequence[PartVectors]) -> list[PartVectors]:
        """Vectors that the collection has of what a batch holds, beside those that are taken over."""
        found: list[PartVectors] = []
        there = {(one.part_id, one.space.fingerprint) for one in taken}
        for encoder in self._encoders:
            space = encoder.space
            parts = [part for part in _parts(batch, space) if (part.id, space.fingerprint) not in there]
            rows = stored(self.store, space, {part.digest for part in parts}) if parts else {}
            found += [rows[part.digest].of(part.id, space) for part in parts if part.digest in rows]
        return found

    def _unfinished(self, batch: Sequence[Bundle], vectors: Sequence[PartVectors], *, embed: bool) -> frozenset[str]:
        """Ids of the items of a batch that are still to be embedded: all, or those whose texts lack vectors."""
        if embed:
            return frozenset(one.item.id for one in batch)
        if self.agreed.encoder is None:
            return frozenset()
        space = self.agreed.encoder.space
        there = {one.part_id for one in vectors if one.space.fingerprint == space.fingerprint}
        return frozenset(part.item_id for part in _parts(batch, space) if part.id not in there)

    def _embed(self, encoder: Encoder) -> None:
        everything = encoder is self.encoder
        again = Reembedding(
            store=self.store, ledger=self.ledger, encoder=encoder, limits=self.settings.limits,
            batch_size=self.settings.batch_size, regions=planned(self.ledger).kind if everything else "none",
            progress=self.progress,
        )  # fmt: skip
        again.run(nullcontext)
        self.embedded += again.texts + again.pictures
        self.from_thumbnails += again.from_thumbnails.total()
        self.lost += tuple(again.lost.values())

    def _tell(self, done: int) -> None:
        """`done`: items looked at and items written, each of which is half of the work."""
        if self.progress is not None:
            total = self.export.counts["items"]
            self.progress(Progress(done // 2, total, 0, 0, time.perf_counter() - self.started))


def _parts(batch: Sequence[Bundle], space: Space) -> list[Part]:
    """The parts of a batch that can have vectors in a space."""
    return [part for one in batch for part in one.item.parts if part.modality in space.modalities]


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
