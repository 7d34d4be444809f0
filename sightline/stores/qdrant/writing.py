"""The points that items become: one for the item, one for each part with its vectors and words.

Does not know an engine, nor when they are written. Words become Qdrant's own BM25 weights, by its embedded engine.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

from sightline.stores.qdrant import points
from sightline.stores.qdrant.points import MANY, WORDS, Point, Sparse, Vector, point_id, vector_name
from sightline.types import Item, PartVectors

MOST_POINTS = 900  # of items and parts; a request takes 1,000, and the store adds a few of its own
AVERAGE_WORDS = 32  # the length BM25 takes for average: titles are shorter, passages longer


def in_requests(items: Sequence[Item]) -> Iterator[list[Item]]:
    """Items that go into one request together, so that a server has all of them or none: at most MOST_POINTS points.

    An item of more parts is alone.
    """
    some: list[Item] = []
    count = 0
    for item in items:
        more = 1 + len(item.parts)
        if some and count + more > MOST_POINTS:
            yield some
            some, count = [], 0
        some.append(item)
        count += more
    if some:
        yield some


def points_of(items: Sequence[Item], vectors: Sequence[PartVectors]) -> list[Point]:
    """Every point of these items, each item's own before those of its parts."""
    by_part: dict[str, dict[str, Vector]] = {}
    boxes: dict[str, dict[str, Any]] = {}
    for one in vectors:
        by_part.setdefault(one.part_id, {}).update(named_vectors(one))
        boxes.setdefault(one.part_id, {}).update(boxes_payload(one) if one.boxes else {})
    found: list[Point] = []
    for item in items:
        head = points.item_payload(item)
        found.append(Point(point_id("item", item.id), head, {}))
        shared = points.searchable(item.fields)
        for position, part in enumerate(item.parts):
            named = dict(by_part.get(part.id, {}))
            if part.text is not None and (words := embed_words(part.text)).indices:
                named[WORDS] = words
            payload = points.part_payload(part, position, shared) | boxes.get(part.id, {})
            found.append(Point(point_id("part", part.id), payload, named))
    return found


def named_vectors(one: PartVectors) -> dict[str, Vector]:
    """The vectors of a part by the name they have in Qdrant: of one with regions the whole is by itself."""
    name, rows = vector_name(one.space.fingerprint), one.vectors.tolist()
    if one.boxes:
        return {name: rows[0], name + MANY: rows[1:]}
    return {name: rows[0]} if len(rows) == 1 else {name + MANY: rows}


def boxes_payload(one: PartVectors) -> dict[str, Any]:
    """The boxes of a part's regions, as its payload holds them."""
    return {points.boxes_key(one.space.fingerprint): [list(box) for box in one.boxes]}


def embed_words(text: str, *, query: bool = False) -> Sparse:
    """BM25's side of one text as a sparse vector of its English stems; Qdrant adds the rarity of each word."""
    found = _bm25().embed_query(text) if query else _bm25().embed_document(text)
    return Sparse(list(found.indices), list(found.values))


@cache
def _bm25() -> Any:
    from qdrant_edge import Bm25, Bm25Config, StopwordsSet

    none = StopwordsSet()  # the stop words of a query are dropped by `words_of`
    return Bm25(Bm25Config(language="english", ascii_folding=True, stopwords=none, avg_len=AVERAGE_WORDS))
