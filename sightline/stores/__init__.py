"""Stores by spec string: `faiss`, `qdrant` (embedded), `qdrant:http://host:6333`, `qdrant::memory:`.

Loads an engine only when a store of its kind is opened.
"""

from __future__ import annotations

from pathlib import Path

from sightline.errors import ConfigError
from sightline.protocols import Store

__all__ = ["is_elsewhere", "open_store"]


def open_store(spec: str, path: Path, *, collection: str) -> Store:
    """Open one collection, making it if it is not there.

    `path` is this collection's own folder; a Qdrant server keeps the collection under its name instead.
    Raises ConfigError for a spec nobody knows, a folder that cannot be used, or a server that cannot be reached.
    """
    kind, _, location = spec.partition(":")
    if kind == "faiss" and not location:
        from sightline.stores.faiss import FaissStore

        return FaissStore(path)
    if kind == "qdrant":
        from sightline.stores.qdrant import open_qdrant

        return open_qdrant(location, path, collection=collection)
    raise ConfigError(
        f"unknown store {spec!r}. Known are: faiss, qdrant (embedded), "
        "qdrant:http://HOST:6333 (a server), qdrant::memory: (for tests)"
    )


def is_elsewhere(spec: str) -> bool:
    """Whether a store of this kind keeps its collection elsewhere than in its folder."""
    return spec.startswith("qdrant:")
