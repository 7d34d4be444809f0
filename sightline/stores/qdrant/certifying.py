"""Recall certificates of the `qdrant` store: its searches as they are answered, against Qdrant's own exact search.

Does not know how a search is put together. Points lie in the order of their ids, which are hashes: the first of them
are a fair sample. Embedded, and below a server's indexing threshold, both searches are the same and the recall is 1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import islice
from typing import TypeAlias

import numpy as np

from sightline.certificate import MOST_PROBES, PROMISE, Certificate, K, Probes, recall
from sightline.errors import InputError
from sightline.stores.checks import check_vectors
from sightline.stores.qdrant.points import MANY, Engine, Json, Point, point_id, vector_name
from sightline.stores.qdrant.where import any_of
from sightline.types import Modality, PartHit, Space, Vectors

_QUERIES: tuple[Modality, ...] = ("text", "image")
_PARTS: tuple[Modality, ...] = ("image", "text", "fields")

Spoken: TypeAlias = Callable[[Space], Vectors | None]  # (q, dim) text queries in a space, from whoever can make them
Search: TypeAlias = Callable[[Vectors, int, Modality, bool], list[list[PartHit]]]  # queries, k, parts, exact


def certify(
    engine: Engine, space: Space, name: str, handed: Mapping[Modality, Vectors], search: Search, *, spoken: Spoken
) -> list[Certificate]:
    """One certificate for each kind of part that has vectors under `name`. Raises InputError for bad queries."""
    probes = {kind: Probes.of(vectors) for kind, vectors in handed.items()}
    for kind, one in probes.items():
        if kind not in _QUERIES:
            raise InputError(f"queries are of the kinds {' and '.join(_QUERIES)}, not {kind!r}")
        check_vectors(space, one.vectors, what=f"the {kind} queries")
    counts: dict[Modality, int] = {parts: count for parts in _PARTS if (count := _count(engine, parts, name))}
    for kind in _QUERIES:
        if kind not in probes and (found := _sample(engine, name, kind)) is not None:
            probes[kind] = found
    if "text" not in probes and counts and (texts := spoken(space)) is not None:
        probes["text"] = Probes.of(texts)
    told = []
    for parts, count in counts.items():
        measured = []
        for kind, one in probes.items():
            exact = search(one.vectors, K + 1, parts, True)
            best = [
                [hit.score for hit in hits if hit.part_id != own][:K] for own, hits in zip(one.own, exact, strict=True)
            ]
            measured.append(recall(kind, one, search(one.vectors, K + 1, parts, False), best))
        counted = tuple(one for one in measured if one.probes)
        made = Certificate(
            "qdrant", engine.kind, parts, count, PROMISE, counted, exact=engine.exact,
            asks=tuple(kind for kind in _QUERIES if kind in space.modalities), among=sum(counts.values()),
            space=space.name,
        )  # fmt: skip
        told.append(made)
    return told


def keep(engine: Engine, space: Space, told: list[Certificate]) -> None:
    """Store certificates with the collection, instead of those of the same space."""
    payload = {
        "kind": "certificate",
        "fingerprint": space.fingerprint,
        "certificates": [one.to_json() for one in told],
    }
    engine.upsert([Point(place(space.fingerprint), payload, {})])


def kept(engine: Engine) -> list[Certificate]:
    """What is stored with the collection, and how many parts have vectors in its space now."""
    told = []
    for point in engine.scroll({"must": [any_of("kind", ["certificate"])]}, ("certificates", "fingerprint")):
        now = None
        if fingerprint := point.payload.get("fingerprint"):
            now = sum(_count(engine, parts, vector_name(fingerprint)) for parts in _PARTS)
        told += [replace(Certificate.from_json(one), now=now) for one in point.payload["certificates"]]
    return told


def place(fingerprint: str) -> str:
    """The id of the point that keeps the certificates of a space."""
    return point_id("certificate", fingerprint)


def _count(engine: Engine, parts: Modality, name: str) -> int:
    """Parts of a kind that have vectors under `name`."""
    return sum(engine.count(_of(parts, each)) for each in (name, name + MANY))


def _sample(engine: Engine, name: str, kind: Modality) -> Probes | None:
    found = list(islice(engine.scroll(_of(kind, name), ("part",), (name,)), MOST_PROBES))
    if not found:
        return None
    rows = np.asarray([one.vectors[name] for one in found], np.float32)
    return Probes(rows, tuple(one.payload["part"] for one in found))


def _of(modality: Modality, name: str) -> Json:
    return {"must": [any_of("kind", ["part"]), any_of("modality", [modality]), {"has_vector": name}]}
