"""Which items pass a filter is kept, as long as nothing is written and not too many others are asked for."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from sightline.filters import And, Compare, Filter, HasId, Not
from sightline.stores import passing, sqlite
from sightline.stores.database import Database
from sightline.stores.passing import Passing
from sightline.types import Item

CHEAP = Compare("price", "<", 10)


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    database = Database(tmp_path / "items.sqlite")
    with database.writing() as opened:
        sqlite.upsert(opened, [Item(f"i{n}", {"price": n}, (), "d") for n in range(30)], [])
        yield opened
    database.close()


def names(connection: sqlite3.Connection, kept: Passing, where: Filter) -> set[str]:
    known = dict(connection.execute("SELECT id, key FROM items"))
    return {known[row] for row in kept.of(connection, where).tolist()}


def test_ids_and_conditions_together(connection: sqlite3.Connection) -> None:
    kept = Passing()
    assert names(connection, kept, And((HasId(("i3", "i12", "gone")), CHEAP))) == {"i3"}
    assert names(connection, kept, And((CHEAP, And((HasId(("i3", "i4")), Not(HasId(("i4",)))))))) == {"i3"}
    assert names(connection, kept, And((HasId(("i3",)),))) == {"i3"}
    assert names(connection, kept, And(())) == {f"i{n}" for n in range(30)}


def test_answers_are_kept_until_something_is_written(connection: sqlite3.Connection) -> None:
    kept = Passing()
    first = kept.of(connection, CHEAP)
    assert kept.of(connection, CHEAP) is first
    sqlite.delete(connection, ["i0"])
    assert len(kept.of(connection, CHEAP)) == len(first) - 1
    again = kept.of(connection, CHEAP)
    kept.clear()
    assert kept.of(connection, CHEAP) is not again


def test_sets_of_ids_do_not_drive_out_filters(connection: sqlite3.Connection) -> None:
    kept = Passing()
    first = kept.of(connection, CHEAP)
    for n in range(passing.MOST_FILTERS):
        kept.of(connection, HasId((f"i{n}",)))
    assert kept.of(connection, CHEAP) is first


def test_the_filters_asked_for_the_longest_ago_go(
    connection: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passing, "MOST_FILTERS", 2)
    kept = Passing()
    first, other = kept.of(connection, CHEAP), kept.of(connection, Compare("price", ">", 20))
    assert kept.of(connection, CHEAP) is first
    kept.of(connection, Compare("price", ">", 25))
    assert kept.of(connection, CHEAP) is first
    assert kept.of(connection, Compare("price", ">", 20)) is not other
