"""Embeds what a collection holds once more, by another encoder, beside the vectors it is searched by meanwhile.

Knows parts, and where their pictures may still be found; decides nothing about when the collection changes over.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

from indexer.ledger import Ledger
from indexer.originals import Originals
from sightline import decoding
from sightline.decoding import Limits
from sightline.errors import UnreadableSource
from sightline.protocols import Encoder, Store
from sightline.types import Content, Part, PartVectors, Pixels, Progress, Skipped, Vectors


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
        progress: Callable[[Progress], None] | None = None,
    ) -> None:
        self.store, self.ledger, self.encoder, self.space = store, ledger, encoder, encoder.space
        self.limits, self.batch_size, self.progress = limits, batch_size, progress
        self.texts = self.pictures = 0  # parts embedded
        self.from_thumbnails: Counter[str] = Counter()  # why their originals were not: how many of the pictures
        self._originals = Originals()
        self.lost: dict[str, Skipped] = {}  # part id -> why it has no vector in the new space
        self._started = time.perf_counter()
        self._left = 0

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
        rows = self.store.known(self.space, sorted({part.digest for part in parts}))
        contents: dict[str, Content] = {}
        for part in parts:
            if part.digest in rows or part.digest in contents:
                continue
            piece = part.text if part.modality == "text" else self._picture(part)
            if piece is not None:
                contents[part.digest] = (piece,)
        for kind in (str, object):  # texts and pictures apart: they go through different towers
            same = [digest for digest, (piece,) in contents.items() if isinstance(piece, str) == (kind is str)]
            if same:
                made: Vectors = self.encoder.encode_documents([contents[digest] for digest in same])
                rows |= {digest: made[at : at + 1] for at, digest in enumerate(same)}
        found = [PartVectors(part.id, self.space, rows[part.digest]) for part in parts if part.digest in rows]
        self.texts += sum(part.modality == "text" for part in parts if part.digest in rows)
        self.pictures += sum(part.modality == "image" for part in parts if part.digest in rows)
        return found

    def _picture(self, part: Part) -> Pixels | None:
        """A picture from its file or archive where that still holds the very bytes indexed, else from the thumbnail."""
        try:
            return decoding.decode(self._originals.read(part), source=part.id, limits=self.limits)
        except UnreadableSource as exc:  # the thumbnail serves
            reason = exc.reason
        kept = self.ledger.thumbnail(part.digest)
        if kept is None:
            self.lost[part.id] = Skipped(part.id, f"{reason}, and no thumbnail of it is there any more")
            return None
        try:
            pixels = decoding.decode(kept, source=part.id, limits=self.limits)
        except UnreadableSource as exc:
            self.lost[part.id] = Skipped(part.id, exc.reason)
            return None
        self.from_thumbnails[reason] += 1
        return pixels

    def _tell(self, *, waiting_for: str = "") -> None:
        if self.progress is not None:
            done = self.texts + self.pictures
            seconds = time.perf_counter() - self._started
            self.progress(Progress(done, done + self._left, len(self.lost), self.pictures, seconds, waiting_for))
