"""An upsert under way: noted with the collection, so that whoever is next can end it or take it back.

Does not know what the points mean. What fits into one request is written with its note, and then the note is removed
with the parts that its items no longer have. Where an engine takes points in several requests, they are put aside
first, as payloads that nobody searches or counts: until all of them are there, the old item is there as it was, and
from then on the new one can be put in its place, by anybody, as often as it takes.
"""

from __future__ import annotations

from collections.abc import Sequence

from sightline.stores.qdrant import writing
from sightline.stores.qdrant.points import Engine, Json, Point, Sparse, Vector, point_id
from sightline.stores.qdrant.where import any_of

_NOTE, _END = point_id("note", "begin"), point_id("note", "end")  # the first and last point of an upsert under way
_NOTES: Json = {"has_id": [_NOTE, _END]}
_ASIDE = "aside"


def write(
    engine: Engine, items: Sequence[str], *, spaces: Sequence[Point], going: Sequence[Point], fresh: Sequence[Point]
) -> None:
    """Replace items by their `fresh` points; `spaces` are written before a vector is, `going` before a point goes."""
    kept = [point.id for point in fresh]
    noted: Json = {"kind": "note", "items": list(items), "points": kept}
    if not put_aside(engine, fresh):
        engine.upsert([Point(_NOTE, noted, {}), *spaces, *going, *fresh, Point(_END, {"kind": "note"}, {})])
        engine.delete({"should": [_old(items, kept), _NOTES]})
    else:
        engine.upsert([*going, Point(_NOTE, noted | {_ASIDE: True}, {})])
        engine.upsert([_aside(point) for point in (*spaces, *fresh)])
        engine.upsert([Point(_END, {"kind": "note"}, {})])
        engine.upsert([*spaces, *fresh])
        _clear(engine, _old(items, kept))


def put_aside(engine: Engine, fresh: Sequence[Point]) -> int:
    """How many of these points are written twice, since an engine does not take them at once."""
    return 0 if engine.takes_all_or_none or len(fresh) <= writing.MOST_POINTS else len(fresh)


def finish(engine: Engine) -> None:
    """End an upsert that was cut off. An item that was put aside whole is there then, one that was not is as it was.

    Of items that were written in one request, those that were not written whole are gone.
    """
    for note in engine.scroll({"must": [{"has_id": [_NOTE]}]}, ("items", "points", _ASIDE)):
        items, kept = note.payload["items"], note.payload["points"]
        whole = engine.count({"must": [{"has_id": [_END]}]}) > 0
        if not note.payload.get(_ASIDE):
            engine.delete({"should": [_old(items, kept if whole else []), _NOTES]})
        elif whole:
            _put_in_place(engine)
            _clear(engine, _old(items, kept))
        else:
            _clear(engine)


def _put_in_place(engine: Engine) -> None:
    some: list[Point] = []
    for point in engine.scroll({"must": [any_of("kind", [_ASIDE])]}, ("id", "payload", "vectors")):
        some.append(_from_aside(point.payload))
        if len(some) == writing.MOST_POINTS:
            engine.upsert(some)
            some = []
    engine.upsert(some)


def _aside(point: Point) -> Point:
    """A point as the payload of another, without a vector or a key that anybody asks for."""
    vectors = {
        name: {"indices": one.indices, "values": one.values} if isinstance(one, Sparse) else one
        for name, one in point.vectors.items()
    }
    payload = {"kind": _ASIDE, "id": point.id, "payload": point.payload, "vectors": vectors}
    return Point(point_id(_ASIDE, point.id), payload, {})


def _from_aside(payload: Json) -> Point:
    vectors: dict[str, Vector] = {
        name: Sparse(one["indices"], one["values"]) if isinstance(one, dict) else one
        for name, one in payload["vectors"].items()
    }
    return Point(payload["id"], payload["payload"], vectors)


def _clear(engine: Engine, *more: Json) -> None:
    """Remove what was put aside, and `more`; then the notes, without which nobody would look for it."""
    engine.delete({"should": [any_of("kind", [_ASIDE]), *more]})
    engine.delete(_NOTES)


def _old(items: Sequence[str], kept: Sequence[str]) -> Json:
    """The points of these items that are not to be kept."""
    return {"must": [any_of("item", items)], "must_not": [{"has_id": list(kept)}]}
