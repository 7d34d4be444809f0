"""Items that are elsewhere now: what a source no longer holds, while its equal has appeared under another id.

Looks whether files are there; what they hold the ledger knows.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence

from indexer.ledger import Ledger
from sightline.protocols import Store


def follow(absent: Sequence[str], fresh: Collection[str], *, store: Store, ledger: Ledger) -> dict[str, str]:
    """Old id -> new id of every item that moved; the old one is removed, the new one takes over its history.

    `absent` are items that the source just read no longer holds, `fresh` those it was seen to hold for the first time:
    store and ledger have these by now. A kill in between leaves both, and the next run ends it.
    """
    moved = _moved(absent, fresh, ledger)
    if moved:
        ledger.doubt(moved)
        store.delete(list(moved))
        ledger.forget(moved, moves=moved)
    return moved


def _moved(absent: Sequence[str], fresh: Collection[str], ledger: Ledger) -> dict[str, str]:
    """Each new id is that of one old item; a file of another source has moved when it is gone from its place."""
    away = [item for item, place in ledger.register.elsewhere(fresh) if _gone(place)]
    taken = {*absent, *away}
    moved: dict[str, str] = {}
    for old, equal in ledger.register.candidates(list(dict.fromkeys([*absent, *away]))):
        new = next((item for item in equal if item not in taken), None)
        if new is not None:
            taken.add(new)
            moved[old] = new
    return moved


def _gone(place: str) -> bool:
    """Whether it is certain that there is no such file: one that cannot be looked at may be there."""
    try:
        os.lstat(place)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except (OSError, ValueError):
        return False
    return False
