"""The nouns of Sightline, as frozen dataclasses every other file is written in.

Knows nothing of engines, files or the network: standard library and numpy only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from sightline.filters import Filter
from sightline.reranked import Reranked
from sightline.rewrites import Rewrite
from sightline.showing import Facet
from sightline.tallies import Aggregate as Aggregate  # noqa: PLC0414 - passed on
from sightline.tallies import FieldSummary as FieldSummary  # noqa: PLC0414 - passed on
from sightline.tallies import Table as Table  # noqa: PLC0414 - passed on

Modality: TypeAlias = Literal["image", "text", "fields"]
Scalar: TypeAlias = str | int | float | bool
FieldValue: TypeAlias = Scalar | tuple[Scalar, ...]
Fields: TypeAlias = Mapping[str, FieldValue]

Vectors: TypeAlias = NDArray[np.float32]  # (n, dim), every row of length 1
Pixels: TypeAlias = NDArray[np.uint8]  # (height, width, 3), RGB, upright
Content: TypeAlias = tuple["str | Pixels", ...]  # pieces that one vector stands for together
Box: TypeAlias = tuple[float, float, float, float]  # x0, y0, x1, y1 in 0-1 of the upright picture
RegionKind: TypeAlias = Literal["none", "grid", "salient"]  # parts of a picture that have vectors of their own


@dataclass(frozen=True, slots=True)
class Locator:
    """Where inside its source a part lies. Every key is optional."""

    page: int | None = None  # from 1
    box: Box | None = None
    chars: tuple[int, int] | None = None  # [start, end) in the source text
    time_s: tuple[float, float] | None = None  # [start, end) in seconds
    field: str | None = None  # the name of the one field meant

    def to_json(self) -> dict[str, Any]:
        """Only the keys that are set."""
        pairs = ((name, getattr(self, name)) for name in ("page", "box", "chars", "time_s", "field"))
        return {name: list(value) if isinstance(value, tuple) else value for name, value in pairs if value is not None}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Locator:
        keys: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in data.items()}
        return cls(**keys)


@dataclass(frozen=True, slots=True)
class Part:
    """The smallest thing that is embedded, found and cited.

    `id` says where it is, `digest` what it is: parts with equal digests share their vectors.
    """

    id: str  # "mug-014#image-0": unique within a collection
    item_id: str
    modality: Modality
    digest: str  # hex SHA-256 of what is embedded
    uri: str | None = None  # a path or URL that opens the source
    text: str | None = None  # the passage, or the fields written out; None for a picture
    locator: Locator = Locator()
    derived_by: str | None = None  # the annotator that made it, None for what the source itself held

    def to_json(self) -> dict[str, Any]:
        """The public shape: id, modality, uri, locator, and the text where there is one."""
        data: dict[str, Any] = {
            "id": self.id,
            "modality": self.modality,
            "uri": self.uri,
            "locator": self.locator.to_json(),
        }
        if self.text is not None:
            data["text"] = self.text
        return data


@dataclass(frozen=True, slots=True)
class Item:
    """What a user catalogs and gets back: a product, a photo, a document."""

    id: str
    fields: Fields = field(default_factory=dict)
    parts: tuple[Part, ...] = ()
    digest: str = ""  # hex SHA-256 over fields, texts and pictures: unchanged means nothing to do

    @property
    def title(self) -> str:
        """The `title` field where there is one, else the id."""
        title = self.fields.get("title")
        return str(title) if title else self.id


DEVICE = "device"  # in what a space is made of: where its encoder runs, which its fingerprint does not cover


@dataclass(frozen=True, slots=True)
class Space:
    """A vector space. Vectors of two spaces are never compared."""

    name: str  # "starter", "open_clip:ViT-B-32/laion2b_s34b_b79k"
    dim: int
    fingerprint: str  # hex SHA-256 over weights and preprocessing: another model has another one
    modalities: frozenset[Modality] = frozenset({"image", "text"})  # what its encoder can embed
    made_of: Mapping[str, str] = field(default_factory=dict, compare=False)  # what the fingerprint covers, by name
    formerly: tuple[str, ...] = field(default=(), compare=False)  # its fingerprints when less went into one


@dataclass(frozen=True, slots=True)
class PartVectors:
    """The vectors of one part in one space, on their way into a store: of the whole, then of its regions."""

    part_id: str
    space: Space
    vectors: Vectors  # (m, dim), m >= 1
    boxes: tuple[Box, ...] = ()  # of the regions: none, or m - 1


@dataclass(frozen=True, slots=True)
class Stored:
    """An item as a store keeps it, with the vectors of its parts in every space."""

    item: Item
    vectors: tuple[PartVectors, ...] = ()


@dataclass(frozen=True, slots=True)
class PartHit:
    """A part as a store found it. `score` is a similarity: higher is better; ties are broken by part id."""

    part_id: str
    item_id: str
    score: float


@dataclass(frozen=True, slots=True)
class Like:
    """In a query: what one item of the collection is like. Its stored vectors stand for it; it is no hit itself."""

    item_id: str


@dataclass(frozen=True, slots=True)
class Term:
    """One piece of a query: a text, a picture or an item, wanted (weight > 0) or unwanted (weight < 0)."""

    content: str | Pixels | Like
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Query:
    """Weighted terms, a filter on fields, the modality asked for (None: any), the ids that are never shown, and those
    that were judged: what is liked is sought, and still shown; what is disliked is avoided, and no more shown.
    """

    terms: tuple[Term, ...]
    where: Filter | None = None
    target: Literal["image", "text"] | None = None
    exclude: tuple[str, ...] = ()
    liked: tuple[str, ...] = ()
    disliked: tuple[str, ...] = ()
    rewrites: tuple[Rewrite, ...] = ()  # of its words by a chat model: they are sought beside them, for less

    @property
    def judged(self) -> tuple[str, ...]:
        """Ids of the items that were liked or disliked."""
        return (*self.liked, *self.disliked)

    @property
    def text(self) -> str:
        """The wanted words, in order: what a lexical channel or a reranker reads."""
        return " ".join(t.content for t in self.terms if isinstance(t.content, str) and t.weight > 0)

    @property
    def pictures(self) -> tuple[Pixels, ...]:
        """The wanted pictures, in order."""
        return tuple(t.content for t in self.terms if isinstance(t.content, np.ndarray) and t.weight > 0)


@dataclass(frozen=True, slots=True)
class Hit:
    """An item that answers a query, with the parts that did, best first."""

    item: Item
    parts: tuple[Part, ...]
    score: float  # higher is better; comparable within one result only
    rank: int  # from 1
    via: tuple[str, ...]  # channels that found it: "clip", "dense", "words", "fields", "id", "rerank"
    relevance: float | None = None  # 0-1, None until calibrated
    folded: tuple[str, ...] = ()  # ids of near-duplicates that are ranked below it, where folding was asked for

    @property
    def id(self) -> str:
        return self.item.id

    def to_json(self) -> dict[str, Any]:
        return {
            "rank": self.rank,
            "id": self.id,
            "score": round(self.score, 6),
            "relevance": None if self.relevance is None else round(self.relevance, 4),
            "via": list(self.via),
            "folded": list(self.folded),
            "parts": [part.to_json() for part in self.parts],
            "fields": {k: list(v) if isinstance(v, tuple) else v for k, v in self.item.fields.items()},
        }


@dataclass(frozen=True, slots=True)
class Results(Sequence[Hit]):
    """Ranked hits, and what the caller should know about how they came about."""

    hits: tuple[Hit, ...]
    warnings: tuple[str, ...] = ()
    took_ms: float = 0.0
    cursor: str | None = None  # what the next page is asked for with; None: there is none
    facets: tuple[Facet, ...] = ()
    offset: int = 0  # hits on the pages before
    answered: float | None = None  # 0-1: how probable it is that anything here answers; None: not told
    reranked: Reranked | None = None  # None: no reranker was named
    searched: str | None = None  # the words searched for, where they are not those typed
    rewrites: tuple[Rewrite, ...] = ()

    @property
    def no_match(self) -> bool:
        """True when nothing in the collection answers the query; a page beyond the last one only has no hits."""
        return not self.hits and not self.offset

    def __len__(self) -> int:
        return len(self.hits)

    def __getitem__(self, index: Any) -> Any:
        return self.hits[index]

    def __iter__(self) -> Iterator[Hit]:
        return iter(self.hits)

    def to_json(self) -> dict[str, Any]:
        return {
            "hits": [hit.to_json() for hit in self.hits],
            "no_match": self.no_match,
            "answered": None if self.answered is None else round(self.answered, 4),
            "reranked": self.reranked.to_json() if self.reranked else None,
            "searched": self.searched,
            "rewrites": [one.to_json() for one in self.rewrites],
            "warnings": list(self.warnings),
            "cursor": self.cursor,
            "facets": [facet.to_json() for facet in self.facets],
            "took_ms": round(self.took_ms, 3),
        }


@dataclass(frozen=True, slots=True)
class Citation:
    """A marker of an answer, tied to the part (and the place in it) that supports it."""

    marker: int  # the n of [n], from 1
    part: Part  # its locator narrowed to the field, span or box that was used
    quote: str | None = None  # the words relied on; None where the picture itself is the evidence

    @property
    def item_id(self) -> str:
        return self.part.item_id

    def to_json(self) -> dict[str, Any]:
        return {"marker": self.marker, "id": self.item_id, "part": self.part.to_json(), "quote": self.quote}


@dataclass(frozen=True, slots=True)
class Answer:
    """Text in which every `[n]` resolves to a citation, or an abstention."""

    text: str
    citations: tuple[Citation, ...] = ()
    abstained: bool = False
    warnings: tuple[str, ...] = ()
    took_ms: float = 0.0

    def to_json(self) -> dict[str, Any]:
        return {
            "answer": self.text,
            "abstained": self.abstained,
            "citations": [citation.to_json() for citation in self.citations],
            "warnings": list(self.warnings),
            "took_ms": round(self.took_ms, 3),
        }


@dataclass(frozen=True, slots=True)
class Message:
    """One turn for a chat model: text and pictures in reading order."""

    role: Literal["system", "user", "assistant"]
    content: Content


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of a chat model's reply. `logprobs` maps candidate first tokens to log-probabilities, if known."""

    text: str
    logprobs: Mapping[str, float] | None = None


@dataclass(frozen=True, slots=True)
class Skipped:
    """A source that could not be indexed, and the sentence that says why."""

    source: str
    reason: str


@dataclass(frozen=True, slots=True)
class AddReport:
    """What became of every source of one `add`."""

    added: int = 0
    updated: int = 0
    unchanged: int = 0
    deleted: int = 0
    skipped: tuple[Skipped, ...] = ()
    images: int = 0  # pictures embedded
    seconds: float = 0.0
    notes: tuple[str, ...] = ()  # what whoever indexed should know though nothing went wrong
    moved: int = 0  # found under another name or in another place with the same content
    regions: int = 0  # of pictures, embedded beside them

    @property
    def images_per_second(self) -> float:
        return self.images / self.seconds if self.seconds else 0.0

    def to_json(self) -> dict[str, Any]:
        return {
            "added": self.added, "updated": self.updated, "unchanged": self.unchanged, "deleted": self.deleted,
            "moved": self.moved, "skipped": [{"source": s.source, "reason": s.reason} for s in self.skipped],
            "notes": list(self.notes), "regions": self.regions, "seconds": round(self.seconds, 3),
            "images_per_second": round(self.images_per_second, 1),
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class MigrationReport:
    """What became of a collection's vectors when it went from one encoder to another."""

    before: str  # spec
    after: str
    texts: int = 0  # parts embedded this time; what an interrupted run had done before is not counted again
    pictures: int = 0
    from_thumbnails: int = 0  # pictures whose file is gone, changed or cannot be read: embedded from 320 px
    lost: tuple[Skipped, ...] = ()  # parts without a vector now, still found by words
    adapter_removed: bool = False
    seconds: float = 0.0
    reasons: Mapping[str, int] = field(default_factory=dict)  # why pictures came from thumbnails -> how many

    def to_json(self) -> dict[str, Any]:
        return {
            "before": self.before, "after": self.after, "texts": self.texts, "pictures": self.pictures,
            "from_thumbnails": self.from_thumbnails, "reasons": dict(self.reasons),
            "adapter_removed": self.adapter_removed,
            "lost": [{"source": one.source, "reason": one.reason} for one in self.lost],
            "seconds": round(self.seconds, 3),
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a long task is. `total` is None while it is still being counted."""

    done: int
    total: int | None
    skipped: int
    images: int
    seconds: float
    waiting_for: str = ""  # the process that is writing, where nothing can go on before it is done


@dataclass(frozen=True, slots=True)
class StoreStats:
    """Size of one collection."""

    items: int
    parts: int
    vectors: int
    bytes_memory: int
    bytes_disk: int
    kind: str  # "exact (IndexFlatIP)"
    bytes_mapped: int = 0  # of bytes_memory, what lies in files that the system reads and drops as it needs to
    why: str = ""  # why the index is of its kind
    removed: int = 0  # parts deleted or replaced since the last compaction, whose bytes may still be there
