"""The `qdrant` store: embedded in this process, on a server or a cluster, or in memory for tests.

Does not know how points look or how an engine is called: `store` and the two engines do.
"""

from __future__ import annotations

from pathlib import Path

from sightline.stores.qdrant.store import QdrantStore

__all__ = ["QdrantStore", "open_qdrant"]


def open_qdrant(location: str, path: Path, *, collection: str) -> QdrantStore:
    """Open a collection: embedded in `path` (location ""), `http://host:6333`, or `:memory:`.

    A server's key is read from QDRANT_API_KEY. Raises ConfigError where the folder or the server cannot be used.
    """
    if location:
        from sightline.stores.qdrant.client import ClientEngine

        return QdrantStore(ClientEngine(location, collection))
    from sightline.stores.qdrant.edge import EdgeEngine

    store = QdrantStore(EdgeEngine(path / "qdrant"))
    try:
        store.finish()
    except BaseException:
        store.close()
        raise
    return store
