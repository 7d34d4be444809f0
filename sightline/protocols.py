"""The seams: what the three stages ask of an encoder, a store, a reranker and a chat model.

Knows no engine. Batching, caching, retries and checks live outside these few methods.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol, runtime_checkable

from sightline.certificate import Certificate
from sightline.filters import Filter
from sightline.remains import Remains, Tell, silent
from sightline.types import (
    Aggregate,
    Box,
    Content,
    FieldSummary,
    Hit,
    Item,
    Message,
    Modality,
    PartHit,
    PartVectors,
    Piece,
    Query,
    Space,
    Stored,
    StoreStats,
    Table,
    Vectors,
)


class Encoder(Protocol):
    """Maps content into one space, where closeness means likeness."""

    @property
    def space(self) -> Space: ...

    def __hash__(self) -> int:
        """By identity: what is known of an encoder is kept by encoder."""
        ...

    def encode_documents(self, contents: Sequence[Content]) -> Vectors:
        """(n, dim) unit rows, one a content, in order. Raises UnsupportedModality, EngineError."""
        ...

    def encode_queries(self, contents: Sequence[Content], *, instruction: str | None = None) -> Vectors:
        """(n, dim) unit rows. Differs from `encode_documents` only for encoders trained with query prompts."""
        ...


@runtime_checkable
class Tokens(Protocol):
    """What an encoder may tell of how it reads texts. Optional: one that does not is taken to read any length."""

    @property
    def most_tokens(self) -> int | None:
        """Of one query's text; longer ones are read in windows. None: no limit."""
        ...

    def count_tokens(self, text: str) -> int:
        """Of a whole text, special ones included. A word it has as one piece counts as much as "a"."""
        ...


class Moment(Protocol):
    """A collection as it was at one moment, to be walked or copied."""

    def items(self, *, where: Filter | None = None, vectors: bool = True) -> Iterator[Stored]:
        """Every item that passes `where`, once, in the store's own order; without vectors where they are not wanted.

        A part's vectors come in the order they were given. Holds a page of items in memory, not all.
        """
        ...

    def copy(self, folder: Path) -> None:
        """Put all files of the store's into a folder that has none of them, on disk when this returns.

        Raises ConfigError where it is not kept in files here, EngineError where they cannot be written.
        """
        ...


class Store(Protocol):
    """ONE collection: items, parts, vectors, words. What a call has returned from survives `kill -9`."""

    def upsert(self, items: Sequence[Item], vectors: Sequence[PartVectors]) -> None:
        """Write items whole: an item of the same id is replaced, its old parts and vectors gone. All or nothing."""
        ...

    def delete(self, ids: Sequence[str]) -> int:
        """Remove items by id; how many there were."""
        ...

    def get(self, ids: Sequence[str]) -> list[Item]:
        """The items that exist, in the order asked for."""
        ...

    def known(self, space: Space, digests: Sequence[str]) -> dict[str, Vectors]:
        """digest -> (m, dim): vectors already stored for equal content, so that nothing is embedded twice.

        The first is of the whole part.
        """
        ...

    def boxes(self, space: Space, digests: Sequence[str]) -> dict[str, tuple[Box, ...]]:
        """digest -> where in the part its vectors after the first are of; not there: it has no regions."""
        ...

    def places(self, space: Space, query: Vectors, digests: Sequence[str]) -> dict[str, Box]:
        """digest -> the box of the region by which its part scores for (1, dim); not there: it does by all of it."""
        ...

    def unembedded(self, space: Space) -> list[str]:
        """Ids of the parts of the space's modalities that have no vector in it, ascending."""
        ...

    def add_vectors(self, vectors: Sequence[PartVectors]) -> None:
        """Give parts that are there vectors in one more space, instead of any they have in it; others are left alone.

        All or nothing; parts that are gone are passed over.
        """
        ...

    def spaces(self) -> list[str]:
        """Fingerprints of the spaces that vectors were written in."""
        ...

    def forget_space(self, fingerprint: str) -> None:
        """Remove all vectors of a space; nothing else changes."""
        ...

    def search(
        self,
        space: Space,
        vectors: Vectors,
        k: int,
        *,
        where: Filter | None = None,
        modalities: frozenset[Modality] | None = None,
    ) -> list[list[PartHit]]:
        """For each row of (q, dim), the k parts of highest cosine, best first, ties by part id.

        `where` (of the part's item) and `modalities` apply before k is counted. A part with several vectors scores by
        its best, where regions count less by what they are nearer by chance (`stores.chance`). k over n gives n.
        """
        ...

    def search_text(
        self,
        text: str,
        k: int,
        *,
        where: Filter | None = None,
        modalities: frozenset[Modality] | None = None,
    ) -> list[PartHit]:
        """The k parts whose text matches any word of `text` best (BM25, stemmed, case and accents folded)."""
        ...

    def texts(self, k: int) -> Iterator[str]:
        """What k parts say that have a text, or all there are: the words that `search_text` looks for, as written."""
        ...

    def fields(self) -> list[FieldSummary]:
        """Every field any item has, by name."""
        ...

    def aggregate(self, plan: Aggregate, *, where: Filter | None = None) -> Table:
        """Count, minimum, maximum or mean over the items that pass `where`, grouped or whole."""
        ...

    def moment(self) -> AbstractContextManager[Moment]:
        """The collection as it is now, until the block is left: `faiss` lets others write meanwhile.

        With the other stores, writes of this process wait, and another must be kept out.
        """
        ...

    def stats(self) -> StoreStats: ...

    def verify(self, space: Space, probes: Mapping[Modality, Vectors] | None = None) -> list[Certificate]:
        """Measure recall@10 against exact search, one certificate a kind of part, and keep it with the collection.

        `probes`: (q, dim) queries by kind, "text" and "image". Without them stored vectors of that kind are asked, each
        without its own part; a kind of query that has neither is not measured.
        """
        ...

    def ask_by(self, spoken: Callable[[Space], Vectors | None]) -> None:
        """Who makes (q, dim) text queries to measure by, where none were handed in and no texts are stored."""
        ...

    def certificates(self) -> list[Certificate]:
        """What was last measured, at a build or by `verify`."""
        ...

    def compact(self, *, tell: Tell = silent) -> Remains:
        """Remove for good what was deleted or replaced, from every file; what nobody can tell from here is `unseen`.

        Searches go on meanwhile, writing must not. Killed at any moment, the collection is as it was or compact.
        """
        ...

    def remains(self, ids: Sequence[str] = ()) -> Remains:
        """What deleted and replaced things have left behind; nothing after `compact`.

        `ids` of items that are gone are looked for in every form the store alone writes them in.
        """
        ...

    def drop(self) -> None:
        """Remove the whole collection, wherever it is kept. Nothing but `close` may be called after it."""
        ...

    def close(self, *, tidy: bool = True) -> None:
        """Release files and connections. Without `tidy`, which is for what is about to be removed, nothing is built."""
        ...


class Reranker(Protocol):
    """Reads query and hits together; slower and sharper than a store. What its judgements amount to is the caller's."""

    @property
    def name(self) -> str: ...

    def judge(self, query: Query, hits: Sequence[Hit]) -> list[float | None]:
        """For each hit the log-odds that it is what is looked for; None where it cannot say: there is no picture.

        Raises EngineError, also for a query it cannot read, or EngineTimeout: the caller keeps the first order.
        """
        ...


class ChatModel(Protocol):
    """A chat model that may see pictures: text and images in, text out, a piece at a time."""

    @property
    def name(self) -> str: ...

    def stream(self, messages: Sequence[Message], *, timeout_s: float | None = None) -> Iterator[Piece]:
        """Raises EngineError or EngineTimeout, also in the middle."""
        ...
