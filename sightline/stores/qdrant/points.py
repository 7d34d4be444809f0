"""How items and parts lie in Qdrant, and the few calls an engine must offer for it.

Does not know which engine. An item is one point without vectors (kind "item"); each part is one more (kind "part") with
its vectors by space and a sparse vector of its words. Both carry the item's fields in a searchable form, so that every
search filters by itself: texts casefolded under `texts.*`, numbers under `numbers.*`, booleans, written out, under
`flags.*`.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, TypeAlias

from sightline.remains import Remains, Tell
from sightline.stores.aggregates import distinct
from sightline.types import Box, Fields, FieldValue, Item, Locator, Part

Json: TypeAlias = dict[str, Any]  # a filter as Qdrant's REST API writes it
Kind: TypeAlias = Literal["keyword", "float"]

WORDS = "words"  # the sparse vector of a part's text
MANY = "-many"  # ends the name of the vector of parts that have several in one space

_NAMESPACE = uuid.UUID("6ba7b811-9dad-11d1-80b4-00c04fd430c8")
_HOMES: dict[str, str] = {"text": "texts", "number": "numbers", "bool": "flags"}


@dataclass(frozen=True, slots=True)
class Sparse:
    """A sparse vector."""

    indices: list[int]
    values: list[float]


Vector: TypeAlias = list[float] | list[list[float]] | Sparse


@dataclass(frozen=True, slots=True)
class Point:
    """A point on its way in or out. `score` is set on those a search found."""

    id: str
    payload: Json
    vectors: Mapping[str, Vector]
    score: float = 0.0


@dataclass(frozen=True, slots=True)
class Nearest:
    """One search: the `limit` points nearest to `vector` in the vector space `using` that pass `filter`."""

    using: str
    vector: Vector
    limit: int
    filter: Json
    exact: bool = False  # look at every vector, even where there is a graph


class Engine(Protocol):
    """One Qdrant collection, embedded or remote. Its errors are ours."""

    @property
    def place(self) -> str:
        """Where it is, for messages."""
        ...

    @property
    def kind(self) -> str:
        """What it is, for people."""
        ...

    @property
    def exact(self) -> bool:
        """Whether every search compares every vector."""
        ...

    @property
    def settings(self) -> object:
        """What was asked of it, written for people; false where nothing was."""
        ...

    @property
    def takes_all_or_none(self) -> bool:
        """Whether an upsert of any size is there whole or not at all; else that is so of a page of 1,000 points."""
        ...

    def make_vectors(self, name: str, dim: int) -> None:
        """Have vectors of this name, and of `name + MANY` for points with several; repeating it does nothing."""
        ...

    def make_index(self, key: str, kind: Kind) -> None:
        """Have a payload index; repeating it does nothing."""
        ...

    def upsert(self, points: Sequence[Point]) -> None: ...

    def update_vectors(self, points: Sequence[Point]) -> None:
        """Put vectors, by name, into points that are there; their payload and their other vectors stay."""
        ...

    def update_payload(self, id: str, payload: Json) -> None:
        """Put these keys into the payload of a point that is there; its other keys and its vectors stay."""
        ...

    def delete_vectors(self, filter: Json, names: Sequence[str]) -> None: ...

    def delete(self, filter: Json) -> None: ...

    def nearest(self, searches: Sequence[Nearest], payload: Sequence[str]) -> list[list[Point]]:
        """For each search its points, best first, with these keys of their payload."""
        ...

    def scroll(self, filter: Json, payload: Sequence[str] | None, vectors: Sequence[str] = ()) -> Iterator[Point]:
        """Every point that passes, with these keys of its payload (None: all) and these vectors."""
        ...

    def count(self, filter: Json) -> int: ...

    def facet(self, key: str, filter: Json) -> dict[str, int]:
        """How many points that pass have each value of an indexed key."""
        ...

    def copy(self, folder: Path) -> None:
        """Put all files of the collection into an empty folder, on disk afterwards; nobody may write meanwhile.

        Raises ConfigError where it has none here.
        """
        ...

    def compact(self, vectors: Mapping[str, int], tell: Tell) -> None:
        """Keep nothing but the points as they are; `vectors` are the names to have from then on, and their widths.

        Searches go on meanwhile. Raises EngineError where that cannot be done, and then nothing changed.
        """
        ...

    def remains(self, ids: Sequence[str]) -> Remains:
        """What is left of deleted points in files, for some items by name, and what cannot be seen from here."""
        ...

    def bytes_disk(self) -> int: ...

    def close(self, *, tidy: bool = True) -> None: ...

    def drop(self) -> None: ...


def point_id(kind: str, name: str) -> str:
    """The id of an item's, a part's or a space's point: always the same for the same name."""
    return str(uuid.uuid5(_NAMESPACE, f"{kind}:{name}"))


def vector_name(fingerprint: str) -> str:
    """The name that the vectors of a space have in Qdrant: a fingerprint may hold characters that no name may."""
    return point_id("space", fingerprint)


def rows_of(vectors: Mapping[str, Vector], fingerprint: str) -> list[Vector]:
    """All vectors that a part's point has in a space, the whole's first; none where it has none."""
    name = vector_name(fingerprint)
    one, several = vectors.get(name), vectors.get(name + MANY)
    return [*([] if one is None else [one]), *(several if isinstance(several, list) else [])]


def boxes_key(fingerprint: str) -> str:
    """The payload key of where in its part the vectors of a space after the first are of."""
    return "boxes_" + vector_name(fingerprint).replace("-", "_")


def boxes_of(payload: Json, fingerprint: str) -> tuple[Box, ...]:
    """Those boxes, from the payload of a part's point; none where it has none."""
    return tuple((x0, y0, x1, y1) for x0, y0, x1, y1 in payload.get(boxes_key(fingerprint)) or ())


def field_key(kind: str, name: str) -> str:
    """The payload key of one kind of values of a field; names that a key cannot hold are written in hex."""
    safe = name if re.fullmatch(r"[A-Za-z0-9_]+", name) else "x-" + name.encode().hex()
    return f"{_HOMES[kind]}.{safe}"


def kept_text(value: str | float) -> str:
    """A casefolded text as it is; a boolean, kept as 0 or 1, as a word, since not every engine filters by booleans."""
    return value if isinstance(value, str) else ("true" if value else "false")


def searchable(fields: Fields) -> Json:
    """The form in which fields are filtered by. `names` are those there, `numeric` and `unnumeric` those
    with a number and with another value."""
    found: Json = {"names": [], "numeric": [], "unnumeric": [], "texts": {}, "numbers": {}, "flags": {}}
    for name in fields:
        values = distinct(fields, name)
        if not values:
            continue
        found["names"].append(name)
        if any(kind == "number" for kind, _ in values):
            found["numeric"].append(name)
        if any(kind != "number" for kind, _ in values):
            found["unnumeric"].append(name)
        for kind, value in values:
            home, key = field_key(kind, name).split(".")
            found[home].setdefault(key, []).append(float(value) if kind == "number" else kept_text(value))
    return found


def indexes(payload: Json) -> dict[str, Kind]:
    """The payload indexes that the searchable form of an item asks for."""
    homes: dict[str, Kind] = {"texts": "keyword", "numbers": "float", "flags": "keyword"}
    return {f"{home}.{key}": kind for home, kind in homes.items() for key in payload.get(home, ())}


def item_payload(item: Item) -> Json:
    """What an item's own point carries."""
    fields = {name: _plain(value) for name, value in item.fields.items()}
    return {"kind": "item", "item": item.id, "digest": item.digest, "fields": fields, **searchable(item.fields)}


def part_payload(part: Part, position: int, found: Json) -> Json:
    """What a part's point carries; `found` is the searchable form of its item's fields."""
    return {
        "kind": "part",
        "item": part.item_id,
        "part": part.id,
        "position": position,
        "modality": part.modality,
        "digest": part.digest,
        "uri": part.uri,
        "text": part.text,
        "locator": part.locator.to_json(),
        "derived_by": part.derived_by,
        **found,
    }


PART_KEYS = ("item", "part", "position", "modality", "digest", "uri", "text", "locator", "derived_by")


def item_of(payload: Json, parts: Sequence[Json]) -> Item:
    """An item from its point's payload and those of its parts."""
    ordered = sorted(parts, key=lambda one: int(one["position"]))
    fields = {name: tuple(value) if isinstance(value, list) else value for name, value in payload["fields"].items()}
    return Item(payload["item"], fields=fields, parts=tuple(map(_part_of, ordered)), digest=payload["digest"])


def _part_of(payload: Json) -> Part:
    return Part(
        payload["part"],
        payload["item"],
        payload["modality"],
        payload["digest"],
        uri=payload.get("uri"),
        text=payload.get("text"),
        locator=Locator.from_json(payload["locator"]),
        derived_by=payload.get("derived_by"),
    )


def _plain(value: FieldValue) -> Any:
    """A field's value as JSON holds it: whole numbers beyond 64 bits as floats, several values as a list."""
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    return float(value) if isinstance(value, int) and not -(2**63) <= value < 2**63 else value
