"""How many points were replaced or deleted since the last compaction, what is left of them, and compaction itself.

Does not know what was in them. Their number is kept among the points, and written before they go: after a kill it is
too high rather than too low.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sightline.remains import Remains, Tell
from sightline.stores.qdrant.points import MANY, Engine, Json, Point, point_id, vector_name
from sightline.stores.qdrant.where import any_of

_PLACE = point_id("removed", "count")


def count(engine: Engine) -> int:
    """How many; at least 1 for a collection with items that was made before anybody counted."""
    counted = _kept(engine)
    if counted is not None:
        return counted
    return int(engine.count({"must": [any_of("kind", ["item"])]}) > 0)


def going(engine: Engine, filter: Json, *, more: int = 0) -> list[Point]:
    """The point that says how many there are with those that pass, which are about to go, and `more`; none for none."""
    more += engine.count(filter)
    return [_counted(count(engine) + more)] if more or _kept(engine) is None else []


def note(engine: Engine, filter: Json) -> None:
    """Count those that pass, which are about to go."""
    if points := going(engine, filter):
        engine.upsert(points)


def having(fingerprints: Iterable[str]) -> Json:
    """The condition for a vector in one of these spaces."""
    names = [vector_name(one) for one in dict.fromkeys(fingerprints)]
    return {"should": [{"has_vector": name + end} for name in names for end in ("", MANY)]}


def compact(engine: Engine, tell: Tell) -> Remains:
    """Keep nothing but what is there, and count from nothing again; what cannot be seen of it from here."""
    spaces = engine.scroll({"must": [any_of("kind", ["space"])]}, ("fingerprint", "dim"))
    engine.compact({vector_name(one.payload["fingerprint"]): int(one.payload["dim"]) for one in spaces}, tell)
    engine.upsert([_counted(0)])
    return Remains(unseen=engine.remains(()).unseen)


def remains(engine: Engine, ids: Sequence[str]) -> Remains:
    """What deleted and replaced points have left behind, as far as it can be seen from here."""
    left = []
    if number := count(engine):
        left.append(f"{number:,} points were deleted or replaced since the last compaction")
    heads, parts = (engine.facet("item", {"must": [any_of("kind", [kind])]}) for kind in ("item", "part"))
    if lost := parts.keys() - heads.keys():
        left.append(f"parts of {len(lost):,} items are there without their items")
    return Remains(tuple(left)).and_of(engine.remains(ids))


def _counted(number: int) -> Point:
    return Point(_PLACE, {"kind": "removed", "points": number}, {})


def _kept(engine: Engine) -> int | None:
    for point in engine.scroll({"must": [{"has_id": [_PLACE]}]}, ("points",)):
        return int(point.payload["points"])
    return None
