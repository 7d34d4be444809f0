"""Items that are elsewhere now: what a source no longer holds, while its equal has appeared under another id.

Looks whether files are there; what they hold the ledger knows.
"""

from __future__ import annotations

import os.path
from bisect import bisect_right
from collections import defaultdict, deque
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from indexer.ledger import Ledger
from indexer.readers import place_of
from indexer.register import Copy
from sightline.protocols import Store


def follow(absent: Sequence[str], fresh: Collection[str], *, store: Store, ledger: Ledger) -> dict[str, str]:
    """Old id -> new id of every item that moved; the old one is removed, the new one takes over its history.

    `absent` are items that the source just read no longer holds, `fresh` those it was seen to hold for the first time:
    store and ledger have these by now. A kill in between leaves both, and the next run ends it.
    """
    moved: dict[str, str] = {}
    here, seen = set(absent), set(fresh)
    for copies in ledger.register.copies(here | seen):
        moved.update(_paired(copies, here, seen))
    if moved:
        ledger.doubt(moved)
        store.delete(list(moved))
        ledger.forget(moved, moves=moved)
    return moved


def _paired(copies: Sequence[Copy], absent: Collection[str], fresh: Collection[str]) -> Iterator[tuple[str, str]]:
    """Old and new of items that hold the same: each new id is that of one old item.

    New is what was first seen after the old one was last known to be there: of its own source if there is one, then of
    any, the first seen first. Old are those still there at the last reading, then the others, the latest missed first.
    """
    latest = max((one.first_in for one in copies if one.item not in absent), default=0)
    wanted = {one.source for one in copies if one.item in fresh}
    gone = [
        one
        for one in copies
        if one.until < latest and (one.item in absent or (wanted - {one.source} and _is_gone(one)))
    ]
    away = {one.item for one in gone}.union(absent)
    every, taken = _Waiting(), set[str]()
    own: defaultdict[str, _Waiting] = defaultdict(_Waiting)
    for one in copies:
        if one.item not in away and not one.absent:
            every.put(one)
            own[one.source].put(one)
    for old in sorted(gone, key=lambda one: (one.absent > 0, -one.absent, one.item not in absent)):
        found = own[old.source].after(old.until, taken) or every.after(old.until, taken)
        if found:
            taken.add(found)
            yield old.item, found


class _Waiting:
    """New ids by the reading that first saw them; asked for N of N, the time is that of one walk through them."""

    def __init__(self) -> None:
        self._queues: dict[int, deque[str]] = {}
        self._readings: list[int] = []  # ascending

    def put(self, one: Copy) -> None:
        """One more, in the order of the readings."""
        if one.first_in not in self._queues:
            self._readings.append(one.first_in)
        self._queues.setdefault(one.first_in, deque()).append(one.item)

    def after(self, reading: int, taken: Collection[str]) -> str:
        """The first that was seen after a reading and is not taken; "" where there is none."""
        at = bisect_right(self._readings, reading)
        while at < len(self._readings):
            queue = self._queues[self._readings[at]]
            while queue and queue[0] in taken:
                queue.popleft()
            if queue:
                return queue[0]
            del self._readings[at]
        return ""


def _is_gone(old: Copy) -> bool:
    """Whether it is certain that there is no such file any more.

    One that cannot be looked at may be there, and so may one of a disk that is not mounted just now, whose folder is
    missing or empty: of these the next reading of their own source tells.
    """
    if not old.place:
        return False
    place, root = Path(old.place), place_of(old.source)
    within = root.parent if root == place else root
    try:
        place.lstat()
    except (FileNotFoundError, NotADirectoryError):
        left = next(folder for folder in place.parents if os.path.exists(folder))  # noqa: PTH110 - it never raises
        return left.is_relative_to(within) and (not left.is_dir() or _holds_something(left))
    except (OSError, ValueError):
        return False
    return False


def _holds_something(folder: Path) -> bool:
    try:
        return any(folder.iterdir())
    except OSError:
        return False
