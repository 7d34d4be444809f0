"""Adds sources to a collection and deletes items from it: look-ahead decoding, batches, acknowledgement, resumption.

Does not know file formats or engines. The order within a batch is the promise: vectors, store, ledger.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

from indexer import moves, regioning
from indexer.ahead import ahead
from indexer.embedding import Embedding
from indexer.items import Prepared, content_digest, prepare, stamp
from indexer.ledger import Claim, Ledger, Outcome
from indexer.passports import Passport
from indexer.proposals import SAMPLE, proposed
from indexer.readers import open_sources, vanished
from indexer.records import IndexOptions, Lost, Record, Source
from sightline import decoding
from sightline.errors import InputError
from sightline.protocols import Encoder, Store
from sightline.types import AddReport, Part, PartVectors, Progress, Skipped

BATCH_BYTES = 128_000_000  # of pixels that wait to be embedded; a batch is cut here however few its pictures are
BATCH_ITEMS = 512  # items at most in one transaction, where hardly any has something to embed
NAMED = 5  # places that cannot be read, in one message
PROGRESS_S = 0.1  # at most one report in this time


def add(
    sources: Sequence[str | Path | Mapping[str, Any]],
    *,
    encoder: Encoder,
    store: Store,
    ledger: Ledger,
    options: IndexOptions,
    passport: Passport | None = None,
    texts: Encoder | None = None,
    text_passport: Passport | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> AddReport:
    """Bring a collection up to date with its sources. What is unchanged is not opened, equal bytes are embedded once.

    Whatever a source holds ends up in the report. `texts` embeds the texts once more. The passports go on record once
    the sources are found good. Raises InputError, before anything is written, for a source that does not exist, a
    folder with nothing usable, or an id that another source owns; EngineError when an encoder or the store fails: what
    was acknowledged by then is kept, and the next run goes on from there.
    """
    adding = _Adding([encoder, *([texts] if texts else [])], store, ledger, options, progress)
    return adding.run(open_sources(sources, options), passport, text_passport)


def delete(ids: Sequence[str], *, store: Store, ledger: Ledger) -> int:
    """Remove items by id, with their thumbnails; how many there were."""
    ledger.doubt(ids)
    count = store.delete(ids)
    ledger.forget(ids)
    return count


class _Adding:
    """One `add`: its engines, its counts and the batch in hand."""

    def __init__(
        self,
        encoders: Sequence[Encoder],
        store: Store,
        ledger: Ledger,
        options: IndexOptions,
        progress: Callable[[Progress], None] | None,
    ) -> None:
        self.store, self.ledger = store, ledger
        self.options = options
        self.progress = progress
        self.space = encoders[0].space
        self.embeddings = [Embedding(one, batch_size=options.batch_size) for one in encoders]
        self.embedding = self.embeddings[0]
        self.kinds = frozenset[str]().union(*(one.space.modalities for one in self.embeddings))
        self.added = self.updated = self.unchanged = self.deleted = 0
        self.done = self.images = self.unseen = 0
        self.total: int | None = None  # while it is being counted
        self.skipped: list[Skipped] = []
        self.notes: list[Skipped] = []  # not yet in the ledger
        self.outcomes: list[Outcome] = []  # of items that need nothing from the store
        self.taken: dict[str, Counter[str]] = {}  # source -> the vanished sources whose items it took over, how many
        self.hints: list[str] = []
        self.moved = 0
        self.fresh: set[str] = set()  # ids of the source in hand that were never seen before
        self.started = time.perf_counter()
        self.told_at = 0.0

    def run(self, sources: Sequence[Source], passport: Passport | None, texts: Passport | None) -> AddReport:
        present = self._scan(sources)
        if passport is not None:
            self.ledger.set_passport(passport)
        if texts is not None and self.ledger.text_passport() is None:
            self.ledger.set_text_passport(texts)
        if self.store.stats().items < self.ledger.count():  # the store was emptied or restored behind our back
            self.ledger.doubt()
        self._regions()
        for source in sources:
            self._source(source, present[source.key])
        if self.unseen:
            reason = (
                f"the encoder {self.space.name!r} embeds no pictures; {self.unseen} found by words only or left out"
            )
            self.skipped.append(Skipped(sources[0].name, reason))
        self._tell(last=True)
        return AddReport(
            added=self.added,
            updated=self.updated,
            unchanged=self.unchanged,
            deleted=self.deleted,
            skipped=tuple(self.skipped),
            images=self.images,
            seconds=time.perf_counter() - self.started,
            notes=tuple(self.hints),
            moved=self.moved,
            regions=self.embedding.regions_made,
        )

    # -- before anything is written ----------------------------------------------------------------------------------

    def _scan(self, sources: Sequence[Source]) -> dict[str, set[str]]:
        """The ids of every source. Raises InputError for what the caller must mend first."""
        present: dict[str, set[str]] = {}
        total = 0
        for source in sources:
            ids, unread = set[str](), set[str]()
            sample: list[Record] = []
            others = 0
            for entry in source.read():
                if isinstance(entry, Record):
                    ids.add(entry.id)
                    if len(sample) < SAMPLE:
                        sample.append(entry)
                else:
                    others += 1
                    unread |= {entry.id} if isinstance(entry, Lost) and entry.id else set()
                total += 1
                self._tell()
            if source.needs_records and not ids:
                looked = f"; {others} other entries were looked at" if others else ""
                raise InputError(f"there is no picture and no text file in {source.name}{looked}")
            self._refuse_taken(source, ids, present)
            self.hints += [f"{source.name}: {said}" for said in proposed(sample, self.options.mapping)]
            present[source.key] = ids | unread
        self.total = total
        return present

    def _refuse_taken(self, source: Source, ids: set[str], before: Mapping[str, set[str]]) -> None:
        if source.shares:
            return
        for key, theirs in before.items():
            for item_id in sorted(ids & theirs):
                raise InputError(_taken(source.name, item_id, key))
        if not self.ledger.has_others(source.key):
            return
        gone: dict[str, bool] = {}
        for item_id in sorted(ids):
            claim = self.ledger.claim(item_id)
            if claim is None or claim.source == source.key:
                continue
            if not gone.setdefault(claim.source, vanished(claim.source)):
                raise InputError(_taken(source.name, item_id, claim.source))
            self.taken.setdefault(source.key, Counter())[claim.source] += 1
        for key, count in self.taken.get(source.key, Counter()).items():
            items = f"{count:,} items" if count > 1 else "1 item"
            self.hints.append(
                f"{items} of {key}, which is no longer there, {'are' if count > 1 else 'is'} now of {source.name}"
            )

    def _regions(self) -> None:
        """From here on pictures have the regions asked for, those that are here already first."""
        if "image" not in self.space.modalities:
            return
        self.embedding.regions = regioning.ask(self.ledger, self.options.regions).kind
        changing = regioning.Regioning(self.store, self.ledger, self.embedding, self.options.limits)
        before = self.images

        def tell(pictures: int) -> None:
            self.images = before + (pictures if self.embedding.regions != "none" else 0)
            self._tell()

        hints, lost = changing.run(tell)
        self.hints += hints
        self.skipped += lost

    # -- one source --------------------------------------------------------------------------------------------------

    def _source(self, source: Source, present: set[str]) -> None:
        since = time.time() if source.shares else self.ledger.start()
        lost: list[Skipped] = []
        batch: list[Prepared] = []
        depth = min(self.options.batch_size, 64)
        with (
            ThreadPoolExecutor(decoding.shared().size, thread_name_prefix="decode") as pool,
            closing(ahead(pool, self._prepare, self._changed(source, lost), depth=depth)) as results,
        ):
            try:
                for prepared in results:
                    if self._wanted(source, prepared):
                        batch.append(prepared)
                    else:
                        self._finish(1)
                    if self._is_full(batch):
                        self._flush(source, batch)
                        batch = []
            except KeyboardInterrupt:
                decoding.stop()  # else whoever pressed Ctrl-C waits for the pictures in hand
                raise
        self._flush(source, batch)
        if not source.shares:
            self._move(source, present, lost)
        if self.options.prune:
            self._prune(source, present, lost)
        self._note(source)
        if not source.shares:
            absent = self._absent(source, present)
            if lost:  # what was not seen may be in there: missing is only what was so before
                absent = sorted(self.ledger.register.missing(source.key).intersection(absent))
            self.ledger.settle(source.key, since=since, absent=absent)

    def _changed(self, source: Source, lost: list[Skipped]) -> Iterator[Record]:
        """The records that look other than when they were last indexed; the rest is counted here."""
        for entry in source.read():
            if isinstance(entry, Record):
                claim = self.ledger.claim(entry.id)
                if claim is None or not claim.stamp or claim.stamp != stamp(entry):
                    yield entry
                    continue
                self.unchanged += 1
            else:
                skipped = entry.skipped if isinstance(entry, Lost) else entry
                if isinstance(entry, Lost) and not entry.id:
                    lost.append(skipped)
                self._skip(source, [skipped])
            self._finish(1)

    def _prepare(self, record: Record) -> Prepared:
        return prepare(record, self.options, self._known)

    def _known(self, digest: str) -> bool:
        """Whether a picture was decoded and embedded before, so that its bytes are enough."""
        if not self.ledger.has_thumbnail(digest):
            return False
        return "image" not in self.space.modalities or digest in self.store.known(self.space, [digest])

    def _wanted(self, source: Source, prepared: Prepared) -> bool:
        """Whether an item must go to the store; if not, what is to be noted of it is."""
        item = prepared.item
        if "image" not in self.space.modalities:
            self.unseen += len(prepared.thumbnails)
            if item is not None and all(part.modality == "image" for part in item.parts):
                return False
        if item is None:
            self._skip(source, prepared.skipped)
            return False
        claim = self.ledger.claim(item.id)
        if claim is None or claim.digest != item.digest:
            return True
        self.unchanged += 1
        self.skipped.extend(prepared.skipped)
        self.outcomes.append(self._outcome(source, prepared))
        return False

    def _skip(self, source: Source, skipped: Sequence[Skipped]) -> None:
        self.skipped.extend(skipped)
        self.notes.extend(skipped)

    def _note(self, source: Source) -> None:
        """Write down at once what was seen since the last time and needs nothing from the store."""
        if self.notes:
            self.ledger.skip(source.key, self.notes)
        if self.outcomes:
            self.ledger.record(self.outcomes)
        self.notes, self.outcomes = [], []

    def _absent(self, source: Source, present: set[str]) -> list[str]:
        owners = (source.key, *self.taken.get(source.key, ()))  # a renamed folder is the same folder
        return [item_id for owner in owners for item_id in self.ledger.owned(owner) if item_id not in present]

    def _move(self, source: Source, present: set[str], lost: Sequence[Skipped]) -> None:
        absent = [] if lost else self._absent(source, present)
        moved = moves.follow(absent, self.fresh, store=self.store, ledger=self.ledger)
        self.moved += len(moved)
        self.added -= len(self.fresh.intersection(moved.values()))
        self.fresh.clear()

    def _prune(self, source: Source, present: set[str], lost: Sequence[Skipped]) -> None:
        gone = self._absent(source, present)
        if gone and lost:
            self._skip(source, [Skipped(source.name, _unpruned(len(gone), lost))])
        elif gone:
            self.deleted += delete(gone, store=self.store, ledger=self.ledger)

    # -- one batch ---------------------------------------------------------------------------------------------------

    def _is_full(self, batch: Sequence[Prepared]) -> bool:
        waiting = sum(len(self._embeddable(prepared)) for prepared in batch)
        memory = sum(prepared.bytes_memory for prepared in batch)
        return (
            waiting >= self.options.batch_size
            or memory >= BATCH_BYTES
            or len(batch) + len(self.outcomes) >= BATCH_ITEMS
        )

    def _embeddable(self, prepared: Prepared) -> list[Part]:
        parts = prepared.item.parts if prepared.item else ()
        return [part for part in parts if part.modality in self.kinds]

    def _flush(self, source: Source, batch: Sequence[Prepared]) -> None:
        """Embed, store, acknowledge: a kill anywhere loses nothing but this batch, which the next run does again."""
        size, batch = len(batch), self._whole(source, batch)
        self._note(source)
        if not batch:
            self._finish(size)
            return
        vectors = self._vectors(batch)
        items = [prepared.item for prepared in batch if prepared.item is not None]
        outcomes = [self._outcome(source, prepared) for prepared in batch]
        fresh = self.ledger.begin(outcomes)  # on record before the store has them: else what a kill leaves is nobody's
        self.store.upsert(items, vectors)
        self.ledger.record(outcomes)
        self.updated += len(items) - len(fresh)
        self.added += len(fresh)
        self.fresh |= fresh
        self.skipped.extend(skipped for prepared in batch for skipped in prepared.skipped)
        self._finish(size)

    def _whole(self, source: Source, batch: Sequence[Prepared]) -> list[Prepared]:
        """The batch, read again where a picture was known when it was read and went with another item since then."""
        read = []
        for prepared in batch:
            known = [digest for digest, jpeg in prepared.thumbnails.items() if jpeg is None]
            again = (
                prepared if all(map(self._known, known)) else prepare(prepared.record, self.options, lambda _: False)
            )
            if again.item is None:
                self._skip(source, again.skipped)
            else:
                read.append(again)
        return read

    def _outcome(self, source: Source, prepared: Prepared) -> Outcome:
        assert prepared.item is not None
        claim = self.ledger.claim(prepared.item.id) if source.shares else None
        owner = claim.source if claim else source.key
        made = Claim(owner, prepared.item.digest, prepared.stamp)
        record = prepared.record
        place = (record.uri or "") if isinstance(record.document, Path) else ""
        return Outcome(
            prepared.item.id, made, prepared.thumbnails, prepared.skipped,
            label=record.label, place=place, content=content_digest(prepared.item),
        )  # fmt: skip

    def _vectors(self, batch: Sequence[Prepared]) -> list[PartVectors]:
        """Vectors of every part that can be embedded; only what the collection lacks is encoded."""
        pixels = {digest: one for prepared in batch for digest, one in prepared.pixels.items()}
        parts = [part for prepared in batch for part in self._embeddable(prepared)]
        piece = lambda part: part.text if part.modality == "text" else pixels[part.digest]  # noqa: E731
        found, before = list[PartVectors](), self.embedding.pictures_made
        for one in self.embeddings:
            found += one.of_parts(self.store, parts, piece)
        self.images += self.embedding.pictures_made - before
        return found

    # -- telling -----------------------------------------------------------------------------------------------------

    def _finish(self, count: int) -> None:
        self.done += count
        self._tell()

    def _tell(self, *, last: bool = False) -> None:
        now = time.perf_counter()
        if self.progress is not None and (last or now - self.told_at >= PROGRESS_S):
            self.told_at = now
            seconds = now - self.started
            self.progress(Progress(self.done, self.total, len(self.skipped), self.images, seconds))


def _taken(name: str, item_id: str, owner: str) -> str:
    return (
        f"{name} has an item {item_id!r}, and so has {owner}, which was indexed before. Nothing was written: "
        f"give this source a prefix of its own with --prefix"
    )


def _unpruned(gone: int, lost: Sequence[Skipped]) -> str:
    named = ", ".join(one.source for one in lost[:NAMED]) + (f" and {len(lost) - NAMED:,} more" * (len(lost) > NAMED))
    return (
        f"nothing was pruned: what could not be read ({named}) may be the {gone:,} it no longer has. "
        f"Mend or remove that and prune again, or name what is to go: `sightline delete ID`"
    )
