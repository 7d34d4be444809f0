"""Turns contents into vectors, those of a picture's regions behind that of the whole, some at a time.

Knows an encoder and a store by their protocols; does not know where contents come from.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from indexer.regions import boxes_of
from sightline.errors import EngineError
from sightline.media import clipped
from sightline.protocols import Encoder, Store
from sightline.types import Box, Content, Part, PartVectors, Pixels, RegionKind, Space, Vectors


@dataclass(frozen=True, slots=True)
class Embedded:
    """The vectors of one content: of the whole, then of its regions, of which `boxes` says where they are."""

    vectors: Vectors  # (1 + len(boxes), dim)
    boxes: tuple[Box, ...] = ()

    def of(self, part_id: str, space: Space) -> PartVectors:
        """As those of a part."""
        return PartVectors(part_id, space, self.vectors, self.boxes)


def stored(store: Store, space: Space, digests: Collection[str]) -> dict[str, Embedded]:
    """digest -> the vectors that a collection has of it already."""
    known = store.known(space, sorted(digests))
    boxes = store.boxes(space, sorted(known)) if known else {}
    return {digest: Embedded(rows, boxes.get(digest, ())) for digest, rows in known.items()}


class Embedding:
    """One encoder at work. `batch_size`: contents embedded at a time, each region being one."""

    def __init__(self, encoder: Encoder, *, batch_size: int, regions: RegionKind = "none") -> None:
        self.encoder, self.space = encoder, encoder.space
        self.regions: RegionKind = regions
        self.regions_made = self.pictures_made = 0  # how many were embedded so far
        self._batch_size = batch_size

    def of_parts(
        self, store: Store, parts: Sequence[Part], piece: Callable[[Part], str | Pixels | None]
    ) -> list[PartVectors]:
        """Vectors of those of the parts that its encoder can embed and of which there is a piece to embed.

        Asked for is a piece alone of what the collection has not embedded yet; equal content is embedded once. Raises
        EngineError.
        """
        able = [part for part in parts if part.modality in self.space.modalities]
        rows = stored(store, self.space, {part.digest for part in able})
        contents: dict[str, Content] = {}
        for part in able:
            if part.digest in rows or part.digest in contents:
                continue
            found = piece(part)
            if found is not None:
                contents[part.digest] = (found,)
        rows |= self.embed(dict(sorted(contents.items())))
        return [rows[part.digest].of(part.id, self.space) for part in able if part.digest in rows]

    def embed(
        self, contents: Mapping[str, Content], *, wholes: Mapping[str, Vectors] | None = None
    ) -> dict[str, Embedded]:
        """digest -> vectors. `wholes`: (1, dim) by digest, of contents whose regions alone are to be embedded.

        Raises EngineError.
        """
        wholes = wholes or {}
        boxes = {
            digest: () if isinstance(piece, str) else boxes_of(piece, self.regions)
            for digest, (piece, *_) in contents.items()
        }
        rows: dict[str, list[NDArray[np.float32]]] = {
            digest: [wholes[digest][0]] if digest in wholes else [] for digest in contents
        }
        for texts in (False, True):  # pictures and texts apart: they go through different towers
            same = {digest: one for digest, one in contents.items() if isinstance(one[0], str) == texts}
            pieces = _pieces(same, boxes, wholes)
            while some := list(islice(pieces, self._batch_size)):
                made = self._encoded([content for _, content in some])
                for (digest, _), row in zip(some, made, strict=True):
                    rows[digest].append(row)
        self.regions_made += sum(map(len, boxes.values()))
        fresh = [piece for digest, (piece, *_) in contents.items() if digest not in wholes]
        self.pictures_made += sum(not isinstance(piece, str) for piece in fresh)
        return {digest: Embedded(np.stack(rows[digest]), boxes[digest]) for digest in contents}

    def _encoded(self, contents: Sequence[Content]) -> Vectors:
        rows = self.encoder.encode_documents(contents)
        if rows.shape != (len(contents), self.space.dim) or not np.isfinite(rows).all():
            raise EngineError(
                f"the encoder {self.space.name!r} gave vectors of shape {rows.shape} for {len(contents)} contents, "
                f"not finite ones of shape ({len(contents)}, {self.space.dim})"
            )
        return rows


def _pieces(
    contents: Mapping[str, Content], boxes: Mapping[str, Sequence[Box]], wholes: Mapping[str, Vectors]
) -> Iterator[tuple[str, Content]]:
    """What is to be embedded, in order; a region is cut out when its turn comes."""
    for digest, content in contents.items():
        if digest not in wholes:
            yield digest, content
        for box in boxes[digest]:
            pixels = content[0]
            assert not isinstance(pixels, str)
            yield digest, (clipped(pixels, box),)
