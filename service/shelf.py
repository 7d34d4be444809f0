"""The collections of one index, each opened when first asked for and kept open.

Knows when an open collection has been replaced on disk; knows nothing of HTTP.
"""

from __future__ import annotations

import threading
from pathlib import Path

from sightline.engine import Sightline, collection_folder
from sightline.errors import NotFound
from sightline.settings import Settings


class Shelf:
    """Opens collections of `settings.index` lazily. Safe to share between threads."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._kept: dict[str, Sightline] = {}
        self._lock = threading.Lock()

    def names(self) -> list[str]:
        """The collections there are, sorted."""
        return Sightline.collections(self.settings.index)

    def get(self, name: str) -> Sightline:
        """An open collection. Raises NotFound."""
        with self._lock:
            kept = self._kept.get(name)
            if kept is not None and not kept.gone:
                return kept
            if kept is not None:
                del self._kept[name]
                kept.close()
            opened = self._kept[name] = self._open(name, create=False)
            return opened

    def make(self, name: str) -> bool:
        """Make an empty collection; False when it was there already."""
        if self._folder(name).is_dir():
            return False
        self._open(name, create=True).close()
        return True

    def drop(self, name: str) -> None:
        """Delete a collection with everything in it. Raises NotFound."""
        with self._lock:
            if not self._folder(name).is_dir():
                raise NotFound(f"no collection {name!r}")
            kept = self._kept.pop(name, None)
            if kept is not None:
                kept.close()
            Sightline.drop(self.settings.index, name)

    def close(self) -> None:
        """Close every collection."""
        with self._lock:
            for kept in self._kept.values():
                kept.close()
            self._kept.clear()

    def _folder(self, name: str) -> Path:
        return collection_folder(self.settings.index, name)

    def _open(self, name: str, *, create: bool) -> Sightline:
        if not create and not self._folder(name).is_dir():
            raise NotFound(f"no collection {name!r} here; there is: {', '.join(self.names()) or 'none yet'}")
        given = self.settings.model_dump(exclude={"index", "collection"}, exclude_none=True)
        return Sightline.open(self.settings.index, collection=name, create=create, **given)
