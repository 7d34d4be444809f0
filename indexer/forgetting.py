"""Forgets deleted items for good: what a ledger still knows of them, and what of it is left over.

SQL on the ledger's own tables, in transactions that `indexer.ledger` opens; knows neither files nor the store.
"""

from __future__ import annotations

import sqlite3

from indexer import register
from indexer.register import Rows
from sightline.remains import Remains

_OF_NOBODY = {
    "pictures of no item": "pictures WHERE item NOT IN (SELECT id FROM items)",
    "thumbnails of no picture": "thumbnails WHERE digest NOT IN (SELECT digest FROM pictures)",
    "events of no item": "events WHERE item NOT IN (SELECT item FROM seen)",
    "readings of sources with nothing in them": """readings WHERE source NOT IN (SELECT source FROM items)
        AND source NOT IN (SELECT source FROM seen) AND source NOT IN (SELECT source FROM skipped)""",
}


def purge(db: sqlite3.Connection) -> int:
    """Forget that deleted items were ever there, and what hung on them; how many they were."""
    count = int(db.execute("SELECT COUNT(*) FROM seen WHERE outcome = 'deleted'").fetchone()[0])
    db.execute(
        "DELETE FROM skipped WHERE EXISTS (SELECT 1 FROM seen "
        "WHERE outcome = 'deleted' AND seen.source = skipped.source AND seen.label = skipped.label)"
    )
    register.purge(db)
    for of_nobody in _OF_NOBODY.values():
        db.execute(f"DELETE FROM {of_nobody}")
    return count


def remains(rows: Rows) -> Remains:
    """What the ledger still knows of deleted items."""
    left = []
    if count := rows("SELECT COUNT(*) FROM seen WHERE outcome = 'deleted'")[0][0]:
        left.append(f"the ledger has {count:,} deleted items on record")
    for what, of_nobody in _OF_NOBODY.items():
        if count := rows(f"SELECT COUNT(*) FROM {of_nobody}")[0][0]:
            left.append(f"the ledger has {count:,} {what}")
    pages = rows("PRAGMA freelist_count")[0][0]
    return Remains(tuple(left), facts=(f"ledger.db: {pages:,} free pages",))
