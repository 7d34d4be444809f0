"""`Sightline`: one collection of one index, opened, filled, searched and asked. The only file that wires.

Knows which stage needs which engine; knows nothing of HTTP, terminals or how any stage does its work.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Literal, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

import generator
import indexer
import retriever
from sightline import decoding, migrating, places
from sightline.asking import spoken, verified
from sightline.calibrating import Calibrations
from sightline.certificate import Certificate
from sightline.compacting import Compactions
from sightline.decoding import Picture
from sightline.describing import describe
from sightline.encoders.adapter import Adapter
from sightline.errors import NotFound, UnreadableSource
from sightline.explaining import Explainer
from sightline.filters import Filter
from sightline.lock import locked
from sightline.migrating import Halfway
from sightline.mllms import open_chat
from sightline.passport import PassportControl, note_store, store_of, store_to_open
from sightline.protocols import ChatModel, Encoder, Store
from sightline.queries import Asked, Where, filter_of, query_of
from sightline.remains import CompactReport, Tell, silent
from sightline.reranking import Rerankers
from sightline.settings import Settings
from sightline.showing import Show
from sightline.stores import is_elsewhere, open_store
from sightline.stores.checks import check_text
from sightline.transfer import Transfer
from sightline.types import (
    AddReport,
    Answer,
    Citation,
    Item,
    MigrationReport,
    Part,
    Pixels,
    Progress,
    RegionKind,
    Results,
    Skipped,
)
from sightline.wording import Wording

Source: TypeAlias = str | Path | Mapping[str, Any]


class Sightline:
    """One collection of an index. Open it with `Sightline.open`; use it as a context manager or `close` it.

    Safe to share between threads. One process writes at a time; others may read meanwhile.
    """

    def __init__(self, settings: Settings, *, store: Store, store_spec: str, ledger: indexer.Ledger) -> None:
        self.settings = settings
        self.folder = places.collection_folder(settings.index, settings.collection)
        self._store = store
        self._ledger = ledger
        self._control = PassportControl(
            ledger, self.folder, store=store_spec, encoder=settings.encoder, threads=settings.threads,
            text_encoder=settings.text_encoder,
        )  # fmt: skip
        self._store.ask_by(partial(spoken, self._control))
        self._writing = threading.RLock()
        self.compactions = Compactions(store, ledger, settings, self._write)
        self.calibrations = Calibrations(self._control, store, ledger, self._write)
        self.wording = Wording(lambda: self.encoder, store, settings)
        self.rerankers = Rerankers(settings, ledger, self._pixels, self._write)

    # -- opening and closing

    @classmethod
    def open(
        cls, path: str | Path | None = None, *, collection: str | None = None, create: bool = True, **settings: Any
    ) -> Self:
        """Open a collection, making it when `create` and it is not there.

        `settings` are those of `Settings`. Raises NotFound when it is not there and `create` is False, ConfigError when
        a setting or the folder is unusable.
        """
        config = Settings.read(index=path, collection=collection, **settings)
        folder = places.collection_folder(config.index, config.collection)
        with places.entering(config.index, config.collection, create=create) as ledger:
            store_spec = store_to_open(ledger, folder, config.store)
            store = open_store(store_spec, folder, collection=config.collection)
            if ledger.replaced():
                store.close()
                raise NotFound(f"collection {config.collection!r} was deleted while it was being opened")
            if create:
                note_store(ledger, store_spec)
            return cls(config, store=store, store_spec=store_spec, ledger=ledger)

    @property
    def gone(self) -> bool:
        """Whether the collection was deleted since it was opened, even if one of its name was made again."""
        return self._ledger.replaced()

    def close(self) -> None:
        """Release files. What was acknowledged is already on disk. Waits for a compaction; the log says so."""
        self.compactions.finish()
        self._store.close()
        self._ledger.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @staticmethod
    def collections(path: str | Path) -> list[str]:
        """Names of the collections in an index folder, sorted; none when the folder is not there."""
        return places.collection_names(Path(path))

    @classmethod
    def drop(cls, path: str | Path, collection: str) -> None:
        """Delete a whole collection with everything in it, wherever it is kept. Raises NotFound."""
        store = store_of(places.collection_folder(Path(path), collection))
        with cls.open(path, collection=collection, create=False, store=store) as opened:
            opened.erase()

    def erase(self) -> None:
        """Delete this collection with everything in it, at once for everybody; afterwards it can only be closed."""
        elsewhere = is_elsewhere(self._control.store_spec)
        self.compactions.stop()
        with self._write():
            if not elsewhere:
                self._store.close(tidy=False)
            grave = places.bury(self.folder)  # from here on it is gone; what a kill leaves, the next `open` removes
            if elsewhere:
                self._store.drop()
            places.clear(grave)

    # -- the four calls, and why they give what they give

    def add(
        self,
        *sources: Source,
        prefix: str = "",
        prune: bool = False,
        mapping: Mapping[str, str] | None = None,
        allow_urls: bool | None = None,
        regions: RegionKind | None = None,
        progress: Callable[[Progress], None] | None = None,
    ) -> AddReport:
        """Index folders, files, catalogs or rows; what is unchanged is not embedded again.

        An unreadable file becomes a row of the report. Other `regions` than before are embedded of every picture there
        is. Raises InputError for a source that does not exist, PassportMismatch when another encoder built the index.
        """
        options = indexer.IndexOptions(
            prefix=prefix,
            prune=prune,
            mapping=dict(mapping or {}),
            allow_urls=self.settings.allow_urls if allow_urls is None else allow_urls,
            batch_size=self.settings.batch_size,
            limits=self.settings.limits,
            regions=regions or self.settings.regions,
        )
        with self._write():
            encoder, texts = self.encoder, self.text_encoder
            return indexer.add(
                sources, encoder=encoder, texts=texts, store=self._store, ledger=self._ledger, options=options,
                passport=self._control.whole.issue(self.plain_encoder),
                text_passport=self._control.texts.first(texts), progress=progress,
            )  # fmt: skip

    def migrate(
        self,
        encoder: str | None = None,
        *,
        text_encoder: str | None = None,
        progress: Callable[[Progress], None] | None = None,
    ) -> MigrationReport:
        """Embed everything by another encoder while this one keeps serving, then change over at once.

        With `text_encoder` the texts alone, once more; "none" takes it out. Interrupted, it goes on when it is called
        again. An adapter goes with its encoder. Raises InputError unless one is named and something was indexed.
        """
        to = migrating.target(self._control, encoder, text_encoder)
        return migrating.migrate(to, self._store, self._ledger, self.settings, writing=self._write, progress=progress)

    def cancel_migration(self) -> Halfway | None:
        """Give up a migration that has not ended, and drop its vectors; how far it was, None where there was none."""
        return migrating.give_up(self._store, self._ledger, writing=self._write)

    def delete(self, ids: Sequence[str]) -> int:
        """Remove items by id; how many of them there were."""
        ids = [ids] if isinstance(ids, str) else list(ids)
        check_text("".join(ids), "an id")
        with self._write():
            return indexer.delete(ids, store=self._store, ledger=self._ledger)

    def search(
        self,
        query: Asked = None,
        *,
        image: Picture | None = None,
        negative: Sequence[str] = (),
        exclude: Sequence[str] = (),
        liked: Sequence[str] = (),
        disliked: Sequence[str] = (),
        k: int = 10,
        where: Where = None,
        target: Literal["image", "text"] | None = None,
        rerank: str | None = None,
        gate: bool | None = None,
        channels: Collection[str] | None = None,
        show: Show | None = None,
        least: float | None = None,
        as_typed: bool = False,
        rewrite: str | None = None,
        account: retriever.Account | None = None,
    ) -> Results:
        """The k items that match words, a picture, or both together, best first.

        `query` is words, a picture (a Path or an array), an expression (`2 * text("red") - image("a.jpg")`) or a whole
        `Query`; `image` adds a picture to it; `negative` are words the hits should not show; `exclude` are ids that are
        never shown; `liked` and `disliked` are ids that turn the search, the disliked being shown no more; `rerank` is
        a reranker's spec, "" for none, asked of queries that it helps, of every one without the `gate`; `channels`
        ("clip", "dense", "words") are the only ones asked; `show` says in what order, how far folded, which page
        (`Show(sort="-price", cursor=page.cursor)`) and which fields to count. Hits tell their `relevance`,
        and none where nothing here answers (`no_match`); `least` leaves out hits of less relevance: 0 shows what is
        nearest, come what may. Misspelt words are put right unless they are in quotes or searched `as_typed`; `rewrite`
        is a chat model that puts short queries in other words too, "" for none. `account` is told what was done.
        Raises InputError for an empty query or an unknown field.
        """
        started = time.perf_counter()
        worded = self.wording.spelt(query, as_typed=as_typed, show=show)
        asked = query_of(
            worded.query, image=image, negative=negative, exclude=exclude, where=where, target=target,
            limits=self.settings.limits, resolve=self._filter, liked=liked, disliked=disliked,
        )  # fmt: skip
        asked, failed = self.wording.rewritten(asked, rewrite)
        reranking = self.rerankers.named(rerank, gated=gate)
        while True:
            built_by = self._control.built_by
            found = retriever.search(
                asked, k=k, store=self._store, encoder=self.encoder, texts=self.text_encoder, reranking=reranking,
                channels=channels, show=worded.show, picture=self._pixels, calibration=self.calibrations.current(),
                least=least, account=account,
            )  # fmt: skip
            if self._control.built_by == built_by:  # else it was migrated meanwhile: the vectors looked for are gone
                break
        return worded.told_with(replace(found, took_ms=(time.perf_counter() - started) * 1000), *failed)

    @property
    def explain(self) -> Explainer:
        """`index.explain(query, item_id, …)`: why an item is where it is among the hits, or why it is not one."""
        return Explainer(self, self._control, self._store, self._pixels)

    def refine(self, said: str, before: retriever.Turn) -> retriever.Refined:
        """What is asked when this is said after that turn; `sightline.Conversation` goes on with it."""
        return retriever.refine(said, before, store=self._store)

    def ask(self, question: str, *, image: Picture | None = None, where: Where = None, k: int = 8) -> Answer:
        """Answer from the retrieved items only, every `[n]` a citation that opens, or say that nothing here answers."""
        return generator.answer(question, **self._asking(image, where, k))

    def stream(
        self, question: str, *, image: Picture | None = None, where: Where = None, k: int = 8
    ) -> Iterator[str | Citation | Answer]:
        """Like `ask`, a checked sentence at a time: sentences, citations as they are used, the whole Answer last."""
        return generator.stream(question, **self._asking(image, where, k))

    # -- looking at what is there

    def get(self, item_id: str) -> Item:
        """One item with its parts. Raises NotFound."""
        check_text(item_id, "an id")
        found = self._store.get([item_id])
        if not found:
            raise NotFound(f"no item {item_id!r} in collection {self.settings.collection!r}")
        return found[0]

    def picture(self, part_id: str) -> bytes:
        """The picture of a part as indexed, as a JPEG of at most 320 px. Raises NotFound."""
        item = self.get(part_id.rpartition("#")[0])
        jpeg = next((self._ledger.thumbnail(part.digest) for part in item.parts if part.id == part_id), None)
        if jpeg is None:
            raise NotFound(f"no picture {part_id!r} in collection {self.settings.collection!r}")
        return jpeg

    def skipped(self) -> list[Skipped]:
        """Every source that could not be indexed the last time it was seen, and why."""
        return self._ledger.skipped()

    def info(self) -> dict[str, Any]:
        """What is in the collection, what built it and how large it is."""
        found = self.calibrations.current()
        told = {"relevance": found.facts() if found else None}
        return describe(self._control, self._store, self._ledger, self.settings) | told

    def verify(self, titles: Sequence[str] = ()) -> list[Certificate]:
        """Measure recall@10 against exact search, for text and picture queries apart, and keep it with the collection.

        `titles` are what the text queries say; without them stored texts are asked, or where there are none, phrases.
        """
        return verified(self._control, self._store, titles)

    def compact(self, *, progress: Tell = silent) -> CompactReport:
        """Remove for good what was deleted or replaced, and give its room back. Searches go on meanwhile."""
        return self.compactions.now(progress)

    @property
    def transfer(self) -> Transfer:
        """Export, import and snapshots of this collection."""
        return Transfer(self._control, self._store, self._ledger, self.settings, self._filter, self._write)

    # -- engines, opened when first needed

    @property
    def encoder(self) -> Encoder:
        """The encoder of this collection. Raises PassportMismatch when it is not the one that built it."""
        return self._control.encoder

    @property
    def plain_encoder(self) -> Encoder:
        """The encoder without the adapter: what made the stored vectors. Raises PassportMismatch."""
        return self._control.plain_encoder

    @property
    def text_encoder(self) -> Encoder | None:
        """The encoder of texts alone, where there is one beside the other. Raises PassportMismatch."""
        return self._control.text_encoder

    @property
    def adapter(self) -> Adapter | None:
        """The small map that queries go through, where `install` put one. Raises PassportMismatch."""
        return self._control.adaptation.adapter()

    def install(self, adapter: Adapter | None) -> bool:
        """Put an adapter in, or take it out with None, at once and for every process; whether that changed anything."""
        with self._write():
            return self._control.adaptation.install(adapter)

    def known(self, digests: Sequence[str]) -> dict[str, NDArray[np.float32]]:
        """digest -> (m, dim): the stored vectors of parts, by what they hold."""
        return self._store.known(self.plain_encoder.space, digests)

    @cached_property
    def _chat(self) -> ChatModel | None:
        return open_chat(self.settings.mllm) if self.settings.mllm else None

    def _pixels(self, part: Part) -> Pixels | None:
        jpeg = self._ledger.thumbnail(part.digest) if part.modality == "image" else None
        with contextlib.suppress(UnreadableSource):  # it may have come with an export: then there is no picture
            return decoding.decode(jpeg, source=part.id, limits=self.settings.limits) if jpeg else None
        return None

    def _similarity(self, left: Sequence[str], right: Sequence[str]) -> NDArray[np.float32]:
        reader = self._control.readers[-1]
        a, b = (reader.encode_queries([(text,) for text in texts]) for texts in (left, right))
        return a @ b.T  # (n, dim) @ (dim, m) -> (n, m)

    # -- from what a caller says to what a stage takes

    def _asking(self, image: Picture | None, where: Where, k: int) -> dict[str, Any]:
        """What both `ask` and `stream` hand to the generator."""
        return {
            "search": lambda query, count: self.search(query, k=count, least=0),
            "chat": self._chat,
            "picture": self._pixels,
            "similarity": self._similarity if self._control.readers else None,
            "image": None if image is None else decoding.pixels_of(image, self.settings.limits),
            "where": self._filter(where),
            "k": k,
            "timeout_s": self.settings.mllm_timeout_s,
        }

    def _filter(self, where: Where) -> Filter | None:
        """A checked filter: every field it names is one that some item has."""
        return filter_of(where, self._store.fields)

    @contextlib.contextmanager
    def _write(self) -> Iterator[None]:
        """One writer at a time: threads of this process wait in turn, another process gets a clear refusal."""
        with self._writing, locked(self.folder / places.LOCK):
            if self.gone:
                raise NotFound(f"collection {self.settings.collection!r} was deleted after it was opened here")
            yield
            self.compactions.after()
        self.calibrations.refresh()
