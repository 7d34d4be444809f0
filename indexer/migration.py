"""Embeds what a collection holds once more, by another encoder, beside the vectors it is searched by meanwhile.

Knows parts, and where their pictures may still be found; decides nothing about when the collection changes over.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

from indexer.embedding import Embedding
from indexer.ledger import Ledger
from indexer.originals import Pictures
from sightline.decoding import Limits
from sightline.protocols import Encoder, Store
from sightline.types import Part, PartVectors, Progress, RegionKind, Skipped


class Reembedding:
    """One way from one space into another. What was written before an interruption is found again and not redone."""

    def __init__(
        self,
        *,
        store: Store,
        ledger: Ledger,
        encoder: Encoder,
        limits: Limits,
        batch_size: int,
        regions: RegionKind = "none",
        progress: Callable[[Progress], None] | None = None,
    ) -> None:
        self.store, self.ledger, self.encoder, self.space = store, ledger, encoder, encoder.space
        self.batch_size, self.progress = batch_size, progress
        self._embedding = Embedding(encoder, batch_size=batch_size, regions=regions)
        self.texts = self.pictures = 0  # parts embedded
        self._opened = Pictures(ledger, limits)
        self._started = time.perf_counter()
        self._left = 0

    @property
    def from_thumbnails(self) -> Counter[str]:
        """Why pictures were not embedded from their originals: how many of them."""
        return self._opened.from_thumbnails

    @property
    def lost(self) -> dict[str, Skipped]:
        """Part id -> why it has no vector in the new space."""
        return self._opened.lost

    def missing(self) -> list[str]:
        """Ids of the parts that still lack a vector in the new space and could have one."""
        return [part_id for part_id in self.store.unembedded(self.space) if part_id not in self.lost]

    def run(self, writing: Callable[[], AbstractContextManager[None]]) -> None:
        """Embed until nothing is missing; others may add and delete meanwhile. `writing` keeps other writers out.

        Raises EngineError: what was written stays, and the next run goes on from there.
        """
        while missing := self.missing():
            for start in range(0, len(missing), self.batch_size):
                self._left = len(missing) - start
                self._tell()
                parts = self._parts(missing[start : start + self.batch_size])
                found = self._embedded(parts)
                with writing():
                    now = {part.id: part.digest for part in self._parts([part.id for part in parts])}
                    other = {part.id for part in parts if now.get(part.id) != part.digest}  # written anew meanwhile
                    self.store.add_vectors([one for one in found if one.part_id not in other])
        self._left = 0
        self._tell()

    def wait(self, holder: str) -> None:
        """Tell that nothing goes on until another process is done with writing."""
        self._tell(waiting_for=holder)

    def _parts(self, ids: Sequence[str]) -> list[Part]:
        """The parts of these ids that are still there."""
        wanted = set(ids)
        items = self.store.get(sorted({part_id.rpartition("#")[0] for part_id in ids}))
        return [part for item in items for part in item.parts if part.id in wanted]

    def _embedded(self, parts: Sequence[Part]) -> list[PartVectors]:
        """Vectors of these parts; equal content, also such as is embedded already, is embedded once."""
        found = self._embedding.of_parts(
            self.store, parts, lambda part: part.text if part.modality == "text" else self._opened.of(part)
        )
        embedded = {one.part_id for one in found}
        self.texts += sum(part.modality == "text" for part in parts if part.id in embedded)
        self.pictures += sum(part.modality == "image" for part in parts if part.id in embedded)
        return found

    def _tell(self, *, waiting_for: str = "") -> None:
        if self.progress is not None:
            done = self.texts + self.pictures
            seconds = time.perf_counter() - self._started
            self.progress(Progress(done, done + self._left, len(self.lost), self.pictures, seconds, waiting_for))
