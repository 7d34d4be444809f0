"""What a source says of one item, before anything is opened: the words readers and the pipeline share.

Does not know how a source is read nor what becomes of a record.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from sightline.decoding import DEFAULT, Limits
from sightline.types import Fields, RegionKind, Skipped

if TYPE_CHECKING:
    from indexer.archives import Member


@dataclass(frozen=True, slots=True)
class IndexOptions:
    """How to index. `mapping` says which key, or template with {Key}, plays id, title, text, image or images."""

    prefix: str = ""  # put before every id, so that two sources can hold items of the same name
    prune: bool = False  # remove items of this source that are no longer in it
    mapping: Mapping[str, str] = field(default_factory=dict)
    allow_urls: bool = False
    batch_size: int = 32
    limits: Limits = DEFAULT
    regions: RegionKind | None = None  # of pictures, to have vectors of their own; None: as on record


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture not yet opened. `place` is a file, a URL, or the encoded bytes themselves."""

    name: str  # as reports call it
    place: Path | str | bytes

    @property
    def uri(self) -> str | None:
        """What opens it again; None for bytes that were handed in."""
        return None if isinstance(self.place, bytes) else str(self.place)


@dataclass(frozen=True, slots=True)
class Record:
    """One item as its source tells it."""

    id: str
    label: str  # "catalog.jsonl:17", "photos/a.jpg": how reports call it
    fields: Fields = field(default_factory=dict)
    title: str = ""
    text: str = ""
    pictures: tuple[Picture, ...] = ()
    uri: str | None = None  # what opens the text
    document: Path | Member | None = None  # a file whose content decides whether it is a picture or a text
    skipped: tuple[Skipped, ...] = ()  # what of it cannot be read


@dataclass(frozen=True, slots=True)
class Lost:
    """A place where an item may be that cannot be read: while nobody knows which, nothing counts as gone."""

    skipped: Skipped
    id: str = ""  # of the item that it is, where that much can be read


Entry: TypeAlias = Record | Skipped | Lost


@dataclass(frozen=True, slots=True)
class Source:
    """A folder, a file, a catalog or handed-in rows. `read` may be called again and starts anew."""

    key: str  # who owns its items: the resolved path, and the prefix where there is one
    name: str  # as the caller wrote it
    read: Callable[[], Iterator[Entry]]
    shares: bool = False  # may write items that another source owns (rows name their items one by one)
    needs_records: bool = False  # nothing usable in it is the caller's mistake


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a catalog."""

    where: str  # "catalog.jsonl:17"
    values: Mapping[str, Any]
    numeric: frozenset[str] = frozenset()  # keys whose texts are numbers (CSV knows no other way)
