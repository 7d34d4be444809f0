"""Stores by spec string: `faiss`, `qdrant` (embedded), `qdrant:http://host:6333?shards=2`, `qdrant::memory:`.

Loads an engine only when a store of its kind is opened.
"""

from __future__ import annotations

from pathlib import Path

from sightline.errors import ConfigError
from sightline.protocols import Store
from sightline.suggesting import did_you_mean

__all__ = ["is_elsewhere", "open_store", "place_of"]


def open_store(spec: str, path: Path, *, collection: str) -> Store:
    """Open one collection, making it if it is not there.

    `path` is this collection's own folder; a Qdrant server keeps the collection under a name noted there instead.
    Raises ConfigError for a spec nobody knows, a folder that cannot be used, or a server that cannot be reached.
    """
    place, _, settings = spec.partition("?")
    kind, _, location = place.partition(":")
    if kind == "faiss" and settings:
        raise ConfigError(
            f"the faiss store has no settings such as {settings!r}; its kinds of index are chosen by size"
        )
    if kind == "faiss" and not location:
        from sightline.stores.faiss import FaissStore

        return FaissStore(path)
    if kind == "qdrant":
        from sightline.stores.qdrant import open_qdrant

        return open_qdrant(location, path, collection=collection, settings=settings)
    raise ConfigError(
        f"unknown store {spec!r}.{did_you_mean(spec, ('faiss', 'qdrant', 'qdrant:'))} "
        "Known are: faiss, qdrant (embedded), qdrant:http://HOST:6333 (a server), qdrant::memory: (for tests)"
    )


def is_elsewhere(spec: str) -> bool:
    """Whether a store of this kind keeps its collection elsewhere than in its folder."""
    return spec.startswith("qdrant:")


def place_of(spec: str) -> str:
    """Where a store of this spec keeps its collection: the spec without settings, which the collection keeps itself."""
    return spec.partition("?")[0].rstrip("/")
