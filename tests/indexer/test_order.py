"""The order of commits and what each is worth: doubt, store, ledger, every one fsynced before the next is begun."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.indexer.indexing import Collection, png, write_rows

FULL = 2  # of PRAGMA synchronous: fsync the log at each commit


class _Recorded:
    """Every connection that is made, and the commits of all of them by file."""

    def __init__(self) -> None:
        self.commits: list[str] = []
        self.settings: list[tuple[str, int, str]] = []
        self._wrote: set[int] = set()
        self._connect: Callable[..., sqlite3.Connection] = sqlite3.connect
        self._open: list[tuple[str, sqlite3.Connection]] = []

    def connect(self, path: Path, *arguments: Any, **given: Any) -> sqlite3.Connection:
        connection = self._connect(path, *arguments, **given)
        connection.set_trace_callback(lambda sql: self._said(Path(path).name, connection, sql))
        self._open.append((Path(path).name, connection))
        return connection

    def _said(self, name: str, connection: sqlite3.Connection, sql: str) -> None:
        if sql.split(maxsplit=1)[0] in ("INSERT", "UPDATE", "DELETE"):
            self._wrote.add(id(connection))
        elif sql == "COMMIT" and id(connection) in self._wrote:
            self._wrote.remove(id(connection))
            self.commits.append(name.split(".", maxsplit=1)[0])

    def worth(self) -> set[tuple[str, int, str]]:
        """(file, PRAGMA synchronous, PRAGMA journal_mode) of every connection."""
        return {
            (
                name,
                connection.execute("PRAGMA synchronous").fetchone()[0],
                connection.execute("PRAGMA journal_mode").fetchone()[0],
            )
            for name, connection in self._open
        }


def test_the_order_of_commits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recorded = _Recorded()
    monkeypatch.setattr(sqlite3, "connect", recorded.connect)
    collection = Collection(tmp_path / "index")
    for number in range(4):
        (tmp_path / f"{number}.png").write_bytes(png(number))
    catalog = tmp_path / "catalog.jsonl"

    def commits(work: Callable[[], object]) -> list[str]:
        recorded.commits.clear()
        work()
        return list(recorded.commits)

    def add() -> object:
        return collection.add(catalog, batch_size=2)

    write_rows(catalog, *({"id": f"row {number}", "image": f"{number}.png"} for number in range(4)))
    added = commits(add)
    assert [name for name in added if name == "items"] == ["items"] * 2  # batches
    assert all(added[n + 1] == "ledger" for n, name in enumerate(added) if name == "items")

    write_rows(catalog, *({"id": f"row {number}", "image": f"{3 - number}.png"} for number in range(4)))
    updated = commits(add)
    changed = [n for n, name in enumerate(updated) if name == "items"]
    assert changed
    assert all(updated[n - 1 : n + 2] == ["ledger", "items", "ledger"] for n in changed)

    assert commits(lambda: collection.delete("row 0", "row 1")) == ["ledger", "items", "ledger"]
    assert recorded.worth() == {("items.sqlite", FULL, "wal"), ("ledger.db", FULL, "wal")}
    collection.close()
