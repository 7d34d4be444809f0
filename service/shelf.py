"""The collections of one index, each opened when first asked for and kept open.

Knows when an open collection has been replaced on disk; knows nothing of HTTP.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from sightline.engine import Sightline
from sightline.errors import InputError, NotFound
from sightline.places import collection_folder, is_collection
from sightline.settings import Settings


@dataclass(eq=False)
class _Kept:
    """An open collection, how many requests are using it, and whether it goes when the last of them is done."""

    opened: Sightline
    users: int = 0
    leaving: bool = False


class Shelf:
    """Opens collections of `settings.index` lazily. Safe to share between threads."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._kept: dict[str, _Kept] = {}
        self._lock = threading.Lock()

    def names(self) -> list[str]:
        """The collections there are, sorted."""
        return Sightline.collections(self.settings.index)

    @contextmanager
    def using(self, name: str) -> Iterator[Sightline]:
        """An open collection, kept open while it is used. Raises NotFound, also when it is deleted meanwhile."""
        with self._lock:
            kept = self._take(name)
        try:
            yield kept.opened
        except Exception as exc:
            if (kept.leaving or kept.opened.gone) and not isinstance(exc, NotFound | InputError):
                raise NotFound(f"the collection {name!r} was deleted while this was under way") from exc
            raise
        finally:
            with self._lock:
                self._put_back(name, kept)

    def make(self, name: str) -> bool:
        """Make an empty collection; False when it was there already."""
        if is_collection(self._folder(name)):
            return False
        with suppress(NotFound):  # somebody deleted it as it came, which is as if it was made before that
            self._open(name, create=True).close()
        return True

    def drop(self, name: str) -> None:
        """Delete a collection with everything in it. Raises NotFound, and ConfigError while something writes to it."""
        with self._lock:
            kept = self._take(name)
            kept.leaving = True  # from here on nobody takes it
        try:
            kept.opened.erase()
        except BaseException:
            with self._lock:
                kept.leaving = False
            raise
        finally:
            with self._lock:
                self._put_back(name, kept)

    def close(self) -> None:
        """Close every collection."""
        with self._lock:
            for kept in self._kept.values():
                kept.opened.close()
            self._kept.clear()

    def _take(self, name: str) -> _Kept:
        """Count one more user of a collection, opened where it is not; call with the lock held."""
        kept = self._kept.get(name)
        if kept is not None and kept.leaving:
            raise NotFound(f"the collection {name!r} is being deleted")
        if kept is not None and kept.opened.gone:  # another process deleted it
            kept.leaving = True
            kept.users += 1
            self._put_back(name, kept)
            kept = None
        if kept is None:
            kept = self._kept[name] = _Kept(self._open(name, create=False))
        kept.users += 1
        return kept

    def _put_back(self, name: str, kept: _Kept) -> None:
        """Count one user less; what leaves is closed after its last. Call with the lock held."""
        kept.users -= 1
        if kept.leaving:
            if self._kept.get(name) is kept and kept.opened.gone:
                del self._kept[name]
            if not kept.users:
                kept.opened.close()

    def _folder(self, name: str) -> Path:
        return collection_folder(self.settings.index, name)

    def _open(self, name: str, *, create: bool) -> Sightline:
        if not create and not is_collection(self._folder(name)):
            raise NotFound(f"no collection {name!r} here; there is: {', '.join(self.names()) or 'none yet'}")
        given = self.settings.model_dump(exclude={"index", "collection"}, exclude_none=True)
        return Sightline.open(self.settings.index, collection=name, create=create, **given)
