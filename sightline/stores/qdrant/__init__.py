"""The `qdrant` store: embedded in this process, on a server or a cluster, or in memory for tests.

Does not know how points look or how an engine is called: `store` and the two engines do.
"""

from __future__ import annotations

from pathlib import Path

from sightline.stores.qdrant.server_name import server_name
from sightline.stores.qdrant.settings import CollectionSettings
from sightline.stores.qdrant.store import QdrantStore

__all__ = ["QdrantStore", "open_qdrant"]


def open_qdrant(location: str, path: Path, *, collection: str, settings: str = "") -> QdrantStore:
    """Open a collection: embedded in `path` (location ""), `http://host:6333`, or `:memory:`.

    `settings` are what `CollectionSettings.parse` reads. A server's key is read from QDRANT_API_KEY. Raises ConfigError
    for settings that cannot be, and where the folder or the server cannot be used.
    """
    asked = CollectionSettings.parse(settings)
    if location:
        from sightline.stores.qdrant.client import ClientEngine

        name = collection if location == ":memory:" else server_name(path, collection)
        return QdrantStore(ClientEngine(location, name, asked))
    from sightline.stores.qdrant.edge import EdgeEngine

    store = QdrantStore(EdgeEngine(path / "qdrant", asked))
    try:
        store.finish()
    except BaseException:
        store.close()
        raise
    return store
