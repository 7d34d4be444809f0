"""Which items pass a filter, by row id: kept for the next search, since people search within one filter.

Does not know what is searched.
"""

from __future__ import annotations

import sqlite3
import threading
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from sightline.filters import And, Filter, HasId
from sightline.stores import sqlite
from sightline.stores.where import Sql, where_sql

MOST_FILTERS = 32  # filters whose items are kept in memory, 8 bytes an item; those not asked for the longest go
MOST_CHOSEN = 8  # the same of filters that name ids: one search asks for some over and over, and no other does


class Passing:
    """The items that pass the filters asked for of late. Safe to share between threads."""

    def __init__(self) -> None:
        self._filters: dict[Sql, tuple[int, NDArray[np.int64]]] = {}  # condition -> version, row ids; the latest last
        self._chosen: dict[Sql, tuple[int, NDArray[np.int64]]] = {}
        self._lock = threading.Lock()

    def clear(self) -> None:
        """Give back all memory."""
        with self._lock:
            self._filters.clear()
            self._chosen.clear()

    def of(self, connection: sqlite3.Connection, where: Filter) -> NDArray[np.int64]:
        """Row ids of the items that pass; the same array as long as it is kept."""
        condition, version = where_sql(where), sqlite.version(connection)
        kept, most = (self._chosen, MOST_CHOSEN) if _names_ids(where) else (self._filters, MOST_FILTERS)
        with self._lock:
            known = kept.get(condition)
        if known is None or known[0] != version:
            known = version, self._read(connection, where, condition)
        with self._lock:
            kept.pop(condition, None)
            kept[condition] = known
            while len(kept) > most:
                del kept[next(iter(kept))]
        return known[1]

    def _read(self, connection: sqlite3.Connection, where: Filter, condition: Sql) -> NDArray[np.int64]:
        if isinstance(where, And) and any(isinstance(part, HasId) for part in where.filters):  # the others may be known
            return reduce(np.intersect1d, [self.of(connection, part) for part in where.filters])
        return sqlite.passing(connection, *condition)


def _names_ids(where: Filter) -> bool:
    return isinstance(where, HasId) or (isinstance(where, And) and any(map(_names_ids, where.filters)))
