"""The full-text index read page by page: every entry there is, struck out or not, and none after it is written anew."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from sightline.stores import postings
from sightline.stores.database import Database


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    database = Database(tmp_path / "items.sqlite")
    database.close()
    opened = sqlite3.connect(tmp_path / "items.sqlite", isolation_level=None)
    opened.execute("INSERT INTO items VALUES (1, 'item', 'd', '{}')")
    opened.execute("CREATE VIRTUAL TABLE temp.entries USING fts5vocab('main', 'words', 'instance')")
    yield opened
    opened.close()


def _add(connection: sqlite3.Connection, text: str | None, number: int) -> int:
    sql = "INSERT INTO parts (item, key, modality, digest, text, locator) VALUES (1, ?, 'text', 'd', ?, '{}')"
    return int(connection.execute(sql, (str(number), text)).lastrowid or 0)


@pytest.mark.parametrize("seed", range(6))
def test_every_entry_is_read(connection: sqlite3.Connection, seed: int) -> None:
    rng, there, number = Random(seed), set[int](), 0
    for _ in range(rng.randrange(2, 7)):
        connection.execute("BEGIN")
        for _ in range(rng.choice([3, 40, 400])):
            words = ["red", "blue", f"w{rng.randrange(900)}", "é" * rng.randrange(1, 300)]
            text = None if rng.random() < 0.1 else " ".join(rng.choices(words, k=rng.choice([1, 5, 200])))
            row = _add(connection, text, number := number + 1)
            there |= set() if text is None else {row}
        for row in rng.sample(sorted(there), min(len(there), rng.choice([0, 2, 90]))):
            connection.execute("DELETE FROM parts WHERE id = ?", (row,))
            there.discard(row)
        connection.execute("COMMIT")
    live = set(connection.execute("SELECT term, doc FROM temp.entries"))
    read = list(postings.postings(connection))
    assert len(read) >= len(live)
    assert (postings.struck_out(connection) > 0) == (len(read) > len(live))
    assert {row for row, removed in read if not removed} >= there
    before = dict(connection.execute("SELECT rowid, rank FROM words WHERE words MATCH 'red'"))
    connection.execute("BEGIN")
    postings.rebuild(connection)
    assert postings.check(connection) == ""
    connection.execute("COMMIT")
    read = list(postings.postings(connection))
    assert len(read) == len(live)
    assert {row for row, _ in read} == there
    assert postings.struck_out(connection) == 0
    after = dict(connection.execute("SELECT rowid, rank FROM words WHERE words MATCH 'red'"))
    assert after == pytest.approx(before)  # texts that are not there count for nothing, as before


def test_a_word_that_came_and_went_at_once_is_seen(connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN")
    row = _add(connection, "planted", 1)
    connection.execute("DELETE FROM parts WHERE id = ?", (row,))
    connection.execute("COMMIT")
    assert postings.struck_out(connection)  # though FTS5 had not written it when it was struck out
    postings.rebuild(connection)
    assert postings.struck_out(connection) == 0


def test_a_damaged_index_is_told(connection: sqlite3.Connection) -> None:
    _add(connection, "some words", 1)
    assert postings.check(connection) == ""
    connection.execute("DELETE FROM words_data WHERE id > 10")
    assert postings.check(connection)
