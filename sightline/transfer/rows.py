"""What an export writes down of an item, as rows of its tables and back: the item, its parts, vectors and thumbnails.

Knows the columns of every table and which values they may hold; knows no file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from indexer.carrying import Carried, Unread
from indexer.register import Event
from sightline.errors import InputError
from sightline.stores.checks import check_text, check_upsert
from sightline.transfer.tables import Column, Row
from sightline.types import Item, Locator, Part, PartVectors, Space, Stored

ITEMS = (Column("id"), Column("title", required=False), Column("digest"), Column("fields", "json"))
PARTS = (
    Column("item"), Column("part"), Column("modality"), Column("digest"), Column("uri", required=False),
    Column("text", required=False), Column("page", "int", required=False), Column("box", "numbers", required=False),
    Column("chars", "numbers", required=False), Column("time_s", "numbers", required=False),
    Column("field", required=False), Column("derived_by", required=False),
)  # fmt: skip
THUMBNAILS = (Column("item"), Column("digest"), Column("jpeg", "bytes"))
LEDGER = (
    Column("item"), Column("source"), Column("digest"), Column("stamp"), Column("label"), Column("place"),
    Column("content"), Column("outcome"), Column("was"), Column("absent", "bool"), Column("first_at", "float"),
    Column("at", "float"), Column("history", "json"),
)  # fmt: skip
UNREAD = (
    Column("source"), Column("label"), Column("reason"), Column("item", required=False), Column("at", "float"),
)  # fmt: skip

MOST_JPEG_BYTES = 4_000_000  # of a thumbnail, which has 320 px
_JPEG = b"\xff\xd8\xff"
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Bundle:
    """An item with all that goes with it. `thumbnails` are JPEGs by digest, of pictures no earlier item showed."""

    stored: Stored
    carried: Carried | None = None
    thumbnails: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def item(self) -> Item:
        return self.stored.item

    @property
    def bytes_memory(self) -> int:
        """About what it holds in memory."""
        vectors = sum(one.vectors.nbytes for one in self.stored.vectors)
        texts = sum(len(part.text or "") for part in self.item.parts)
        return vectors + texts + sum(map(len, self.thumbnails.values())) + 1000


def vector_columns(dim: int) -> tuple[Column, ...]:
    """The columns of the vectors of one space."""
    return Column("item"), Column("part"), Column("vector", "vector", dim=dim)


# -- into rows ---------------------------------------------------------------------------------------------------------


def item_row(item: Item) -> Row:
    return {"id": item.id, "title": item.title, "digest": item.digest, "fields": _plain(item.fields)}


def part_rows(item: Item) -> Iterator[Row]:
    for part in item.parts:
        place = part.locator
        yield {
            "item": item.id, "part": part.id, "modality": part.modality, "digest": part.digest, "uri": part.uri,
            "text": part.text, "page": place.page, "box": _list(place.box), "chars": _list(place.chars),
            "time_s": _list(place.time_s), "field": place.field, "derived_by": part.derived_by,
        }  # fmt: skip


def vector_rows(item: Item, one: PartVectors) -> Iterator[Row]:
    for row in one.vectors:
        yield {"item": item.id, "part": one.part_id, "vector": row}


def thumbnail_rows(bundle: Bundle) -> Iterator[Row]:
    for digest, jpeg in bundle.thumbnails.items():
        yield {"item": bundle.item.id, "digest": digest, "jpeg": jpeg}


def ledger_row(one: Carried) -> Row:
    told = {name: getattr(one, name) for name in Carried.__slots__ if name not in ("item_id", "history")}
    history = [[event.at, event.outcome, event.was] for event in one.history]
    return {"item": one.item_id, **told, "history": history}


def unread_row(one: Unread) -> Row:
    return {"source": one.source, "label": one.label, "reason": one.reason, "item": one.item_id, "at": one.at}


# -- and back: every function raises InputError for values that nothing here wrote -------------------------------------


def item_of(row: Row, parts: Sequence[Row]) -> Item:
    """An item and its parts, checked as a store would."""
    name = row["id"]
    if not isinstance(row["fields"], dict):
        raise InputError(f"the fields of item {name!r} are not an object")
    fields = {key: tuple(value) if isinstance(value, list) else value for key, value in row["fields"].items()}
    item = Item(name, fields, tuple(_part_of(name, one) for one in parts), row["digest"])
    check_text(item.digest, f"the digest of item {name!r}")
    return item


def stored_of(item: Item, vectors: Mapping[Space, Sequence[Row]]) -> Stored:
    """An item with its vectors, in the order of its parts; checked as a store would."""
    found: dict[tuple[str, Space], list[Any]] = {}
    for space, rows in vectors.items():
        for row in rows:
            found.setdefault((row["part"], space), []).append(row["vector"])
    given = [PartVectors(part, space, np.stack(rows)) for (part, space), rows in found.items()]
    check_upsert([item], given)
    place = {part.id: number for number, part in enumerate(item.parts)}
    return Stored(item, tuple(sorted(given, key=lambda one: place[one.part_id])))


def thumbnails_of(item: Item, rows: Sequence[Row]) -> dict[str, bytes]:
    """Digest -> JPEG, of the pictures of this item."""
    ours = {part.digest for part in item.parts if part.modality == "image"}
    for row in rows:
        digest, jpeg = row["digest"], row["jpeg"]
        if digest not in ours:
            raise InputError(f"item {item.id!r} shows no picture {digest!r}, of which there is a thumbnail")
        if not jpeg.startswith(_JPEG) or len(jpeg) > MOST_JPEG_BYTES:
            raise InputError(f"the thumbnail of {digest!r} is no JPEG of at most {MOST_JPEG_BYTES / 1e6:.0f} MB")
    return {row["digest"]: row["jpeg"] for row in rows}


def carried_of(row: Row) -> Carried:
    try:
        history = tuple(Event(float(at), str(outcome), str(was)) for at, outcome, was in row["history"])
        told = {name: row[name] for name in Carried.__slots__ if name not in ("item_id", "history")}
        found = Carried(row["item"], **told, history=history)
    except (TypeError, ValueError) as exc:
        raise InputError(f"what is on record of item {row['item']!r} makes no sense: {exc}") from exc
    for text in (found.source, found.digest, found.label, found.place, found.content, found.was):
        check_text(text, f"what is on record of item {found.item_id!r}")
    return found


def unread_of(row: Row) -> Unread:
    for name in ("source", "label", "reason", "item"):
        check_text(row[name] or "", f"what is on record of {row['label']!r}")
    return Unread(row["source"], row["label"], row["reason"], row["item"], row["at"])


def _part_of(item: str, row: Row) -> Part:
    name = row["part"]
    check_text(name, f"the part id {name!r}")
    if name.rpartition("#")[0] != item:  # an id that another item's part could have, too
        raise InputError(f"the part {name!r} cannot be of item {item!r}: its id should begin with {item + '#'!r}")
    if row["modality"] == "image" and not _DIGEST.fullmatch(row["digest"]):
        raise InputError(f"the digest of the picture {name!r} is not a SHA-256 in hex")
    for one in ("digest", "field", "derived_by"):
        check_text(row[one] or "", f"{one} of part {name!r}")
    box, chars, time_s = (_tuple(row, key, count) for key, count in (("box", 4), ("chars", 2), ("time_s", 2)))
    if chars is not None:
        if any(one != int(one) for one in chars):
            raise InputError(f"'chars' of part {name!r} should be two whole numbers")
        chars = int(chars[0]), int(chars[1])
    place = Locator(page=row["page"], box=box, chars=chars, time_s=time_s, field=row["field"])
    return Part(name, item, row["modality"], row["digest"], row["uri"], row["text"], place, row["derived_by"])


def _tuple(row: Row, key: str, count: int) -> Any:
    values = row[key]
    if values is None:
        return None
    if len(values) != count or not np.isfinite(values).all():
        raise InputError(f"{key!r} of part {row['part']!r} should be {count} finite numbers")
    return tuple(values)


def _list(values: tuple[float, ...] | None) -> list[float] | None:
    return None if values is None else [float(one) for one in values]


def _plain(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in fields.items()}
