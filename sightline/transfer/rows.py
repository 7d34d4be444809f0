"""What an export writes down of an item, as rows of its tables and back: the item, its parts, vectors and thumbnails.

Knows the columns of every table and which values they may hold; knows no file.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from indexer.carrying import Carried, Unread
from indexer.register import OUTCOMES, Event
from sightline.errors import InputError
from sightline.stores.checks import check_added, check_upsert
from sightline.transfer.columns import INTEGERS, MOST_NAME, MOST_TEXT, Column, Row, text_fault, time_fault
from sightline.transfer.jpegs import check_thumbnail
from sightline.types import Fields, Item, Locator, Part, PartVectors, Space, Stored

ITEMS = (Column("id"), Column("title", required=False, most=MOST_TEXT), Column("digest"), Column("fields", "json"))
PARTS = (
    Column("item"), Column("part"), Column("modality"), Column("digest"), Column("uri", required=False),
    Column("text", required=False, most=MOST_TEXT), Column("page", "int", required=False),
    Column("box", "numbers", required=False, dim=4), Column("chars", "numbers", required=False, dim=2),
    Column("time_s", "numbers", required=False, dim=2), Column("field", required=False, most=MOST_TEXT),
    Column("derived_by", required=False),
)  # fmt: skip
THUMBNAILS = (Column("item"), Column("digest"), Column("jpeg", "bytes"))
LEDGER = (
    Column("item"), Column("source"), Column("digest"), Column("stamp"), Column("label", most=MOST_TEXT),
    Column("place"), Column("content"), Column("outcome"), Column("was"), Column("absent", "bool"),
    Column("first_at", "time"), Column("at", "time"), Column("history", "json"),
)  # fmt: skip
UNREAD = (
    Column("source"), Column("label", most=MOST_TEXT), Column("reason", most=MOST_TEXT), Column("item", required=False),
    Column("at", "time"),
)  # fmt: skip

MOST_EVENTS = 1000  # of one item; some thirty are kept
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


def vector_columns(dim: int, *, boxes: bool = False) -> tuple[Column, ...]:
    """The columns of the vectors of one space; with `boxes`, where parts may have regions."""
    columns = Column("item"), Column("part"), Column("vector", "vector", dim=dim)
    return (*columns, Column("box", "numbers", required=False, dim=4)) if boxes else columns


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
    boxes = [None, *one.boxes] if one.boxes else [None] * len(one.vectors)
    for row, box in zip(one.vectors, boxes, strict=True):
        yield {"item": item.id, "part": one.part_id, "vector": row, "box": _list(box)}


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
# What a cell may hold is looked at before, as its column says: texts are texts, times times, vectors of their width.


def fields_of(row: Row) -> Fields:
    """The fields of an item."""
    name, told = row["id"], row["fields"]
    if not isinstance(told, dict):
        raise InputError(f"the fields of item {name!r} are not an object")
    for key, value in told.items():
        if not key:
            raise InputError(f"item {name!r} has a field without a name")
        for one in (key, *value) if isinstance(value, list) else (key, value):
            if reason := _fault(one):
                raise InputError(f"field {key[:200]!r} of item {name!r} {reason}")
    return {key: tuple(value) if isinstance(value, list) else value for key, value in told.items()}


def item_of(row: Row, fields: Fields, parts: Sequence[Row]) -> Item:
    """An item and its parts, checked as a store would."""
    name = row["id"]
    item = Item(name, fields, tuple(_part_of(name, one) for one in parts), row["digest"])
    check_upsert([item], ())
    return item


def stored_of(item: Item, vectors: Mapping[Space, Sequence[Row]]) -> Stored:
    """An item with its vectors, in the order of its parts; checked as a store would."""
    place = {part.id: number for number, part in enumerate(item.parts)}
    found: dict[tuple[str, Space], list[Row]] = {}
    for space, rows in vectors.items():
        for row in rows:
            if row["part"] not in place:
                raise InputError(f"vectors were given for part {row['part']!r}, which is of none of the items")
            found.setdefault((row["part"], space), []).append(row)
    given = [_vectors_of(part, space, rows) for (part, space), rows in found.items()]
    check_added(given)
    return Stored(item, tuple(sorted(given, key=lambda one: place[one.part_id])))


def thumbnails_of(item: Item, rows: Sequence[Row]) -> dict[str, bytes]:
    """Digest -> JPEG, of the pictures of this item."""
    ours = {part.digest for part in item.parts if part.modality == "image"}
    for row in rows:
        digest, jpeg = row["digest"], row["jpeg"]
        if digest not in ours:
            raise InputError(f"item {item.id!r} shows no picture {digest!r}, of which there is a thumbnail")
        try:
            check_thumbnail(jpeg)
        except ValueError as exc:
            raise InputError(f"the thumbnail of {digest!r} {exc}") from exc
    return {row["digest"]: row["jpeg"] for row in rows}


def carried_of(row: Row) -> Carried:
    """What is on record of an item."""
    try:
        told = {name: row[name] for name in Carried.__slots__ if name not in ("item_id", "history")}
        return Carried(row["item"], **told, history=tuple(map(_event_of, _listed(row["history"]))))
    except (TypeError, ValueError) as exc:
        raise InputError(f"what is on record of item {row['item']!r} makes no sense: {exc}") from exc


def unread_of(row: Row) -> Unread:
    """A source that could not be indexed."""
    return Unread(row["source"], row["label"], row["reason"], row["item"], row["at"])


def _listed(history: Any) -> list[Any]:
    if not isinstance(history, list) or len(history) > MOST_EVENTS:
        raise ValueError(f"a history is a list of at most {MOST_EVENTS:,} events")
    return history


def _event_of(told: Any) -> Event:
    at, outcome, was = told
    if reason := time_fault(at):
        raise ValueError(f"an event at {at!r}, {reason}")
    if outcome not in OUTCOMES or not isinstance(was, str) or text_fault(was, most=MOST_NAME):
        raise ValueError(f"no such event: {str(outcome)[:40]!r}, before {str(was)[:40]!r}")
    return Event(at, outcome, was)


def _fault(value: Any) -> str:
    """What keeps the name or the value of a field from being stored as any other."""
    if isinstance(value, str):
        reason = text_fault(value)
    elif isinstance(value, int):
        reason = "" if value in INTEGERS else "a number that is too large: whole ones have 64 bits"
    elif isinstance(value, float):
        reason = "" if math.isfinite(value) else "a number that is not finite"
    else:
        return f"must hold texts, numbers or booleans, not {type(value).__name__}"
    return f"holds {reason}" if reason else ""


def _vectors_of(part: str, space: Space, rows: Sequence[Row]) -> PartVectors:
    """The vectors of a part; where they have boxes, all but the first have one."""
    vectors = np.stack([row["vector"] for row in rows]) if len(rows) > 1 else rows[0]["vector"][None].copy()
    boxes = [_tuple(row, "box", 4) for row in rows if row.get("box") is not None]
    if boxes and (rows[0].get("box") is not None or len(boxes) != len(rows) - 1):
        raise InputError(f"of the vectors of part {part!r} the first is of all of it, and every other has a box")
    return PartVectors(part, space, vectors, tuple(boxes))


def _part_of(item: str, row: Row) -> Part:
    name, modality, text = row["part"], row["modality"], row["text"]
    if name.rpartition("#")[0] != item:  # an id that another item's part could have, too
        raise InputError(f"the part {name!r} cannot be of item {item!r}: its id should begin with {item + '#'!r}")
    if modality == "image" and not _DIGEST.fullmatch(row["digest"]):
        raise InputError(f"the digest of the picture {name!r} is not a SHA-256 in hex")
    if modality in ("text", "fields") and not (text or "").strip():
        raise InputError(f"the part {name!r} holds no words: nothing like it could be embedded")
    box, chars, time_s = (_tuple(row, key, count) for key, count in (("box", 4), ("chars", 2), ("time_s", 2)))
    if chars is not None:
        if any(one != int(one) or not 0 <= one < 2**53 for one in chars):
            raise InputError(f"'chars' of part {name!r} should be two whole numbers")
        chars = int(chars[0]), int(chars[1])
    place = Locator(page=row["page"], box=box, chars=chars, time_s=time_s, field=row["field"])
    return Part(name, item, modality, row["digest"], row["uri"], text, place, row["derived_by"])


def _tuple(row: Row, key: str, count: int) -> Any:
    values = row[key]
    if values is None:
        return None
    if len(values) != count or not all(map(math.isfinite, values)):
        raise InputError(f"{key!r} of part {row['part']!r} should be {count} finite numbers")
    return tuple(values)


def _list(values: tuple[float, ...] | None) -> list[float] | None:
    return None if values is None else [float(one) for one in values]


def _plain(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in fields.items()}
