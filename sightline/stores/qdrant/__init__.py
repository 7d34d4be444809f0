"""The `qdrant` store: embedded in this process, on a server or a cluster, or in memory for tests.

Does not know how points look or how an engine is called: `store` and the two engines do.
"""

from __future__ import annotations

from pathlib import Path

from sightline.stores.qdrant.owner import Claim, split_take_over
from sightline.stores.qdrant.server_name import server_name
from sightline.stores.qdrant.settings import CollectionSettings
from sightline.stores.qdrant.store import QdrantStore

__all__ = ["QdrantStore", "open_qdrant"]


def open_qdrant(location: str, path: Path, *, collection: str, settings: str = "") -> QdrantStore:
    """Open a collection: embedded in `path` (location ""), `http://host:6333`, or `:memory:`.

    `settings` are what `CollectionSettings.parse` reads, and `take_over=WORD` for a server. A server's key is read from
    QDRANT_API_KEY. Raises ConfigError for settings that cannot be, and where the folder or the server cannot be used:
    OwnedElsewhere where the collection on the server belongs to another folder, of which this one is a copy.
    """
    if location and location != ":memory:":
        from sightline.stores.qdrant.client import ClientEngine

        settings, take_over = split_take_over(settings)
        asked, name = CollectionSettings.parse(settings), server_name(path, collection)
        return QdrantStore(ClientEngine(location, name, asked, claim=Claim(path, name, take_over=take_over)))
    asked = CollectionSettings.parse(settings)
    if location:
        from sightline.stores.qdrant.client import ClientEngine

        return QdrantStore(ClientEngine(location, collection, asked))
    from sightline.stores.qdrant.edge import EdgeEngine

    store = QdrantStore(EdgeEngine(path / "qdrant", asked))
    try:
        store.finish()
    except BaseException:
        store.close()
        raise
    return store
