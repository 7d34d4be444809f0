"""Which vectors were removed lately: a short log in SQLite, so that a search need not look through all row ids.

A hint only. Who finds more vectors gone than the log names, since it is shorter than that or was begun later, reads all
row ids: `faiss_held` compares the counts, which agree only where nothing was missed.
"""

from __future__ import annotations

import sqlite3

import numpy as np
from numpy.typing import NDArray

KEPT = 65_536  # removals that are remembered, some 20 bytes each; a collection may be rewritten every day

_LOG = (
    "CREATE TABLE IF NOT EXISTS removed (number INTEGER PRIMARY KEY, vector INTEGER NOT NULL)",
    f"""CREATE TRIGGER IF NOT EXISTS vector_removed AFTER DELETE ON vectors BEGIN
        INSERT INTO removed (vector) VALUES (old.id);
        DELETE FROM removed WHERE number <= (SELECT MAX(number) FROM removed) - {KEPT};
    END""",
)


def keep_log(connection: sqlite3.Connection) -> None:
    """Log what is removed from now on, by whatever way; in the transaction of `connection`, before it removes."""
    for statement in _LOG:
        connection.execute(statement)


def removed_after(connection: sqlite3.Connection, number: int) -> tuple[int, NDArray[np.int64]]:
    """The last number in the log, and the row ids of vectors of any space that it has beyond `number`, ascending."""
    if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'removed'").fetchone() is None:
        return number, np.empty(0, np.int64)
    rows = connection.execute(
        "SELECT number, vector FROM removed WHERE number > ? ORDER BY number", (number,)
    ).fetchall()
    found = np.array(rows, np.int64).reshape(-1, 2)
    return (int(found[-1, 0]) if len(found) else number), np.sort(found[:, 1])
