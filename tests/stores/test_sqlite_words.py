"""What the `faiss` store says of words is what SQLite's FTS5 says, to the last bit, whatever was written before."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from random import Random

import pytest

from sightline.errors import EngineError
from sightline.filters import And, Compare, Filter, HasId, Not, Or
from sightline.stores import sqlite_words
from sightline.stores.faiss import FILE, FaissStore
from sightline.stores.where import where_sql
from sightline.stores.words import words_of
from sightline.types import Item, Modality, Part, PartHit

EVERY = 10_000
WORDS = ("boot", "boots", "boot's", "red", "Café", "हिन्दी", "हिन", "oak", *(f"w{n}" for n in range(60)))
FILTERS: tuple[Filter | None, ...] = (
    None,
    Compare("price", "<", 50),
    HasId(tuple(f"i{n}" for n in range(0, 90, 7))),
    And((Compare("price", "<", 50), HasId(tuple(f"i{n}" for n in range(40))))),
    And((HasId(("i1", "i2", "i3")), Not(HasId(("i2",))))),
    Or((HasId(("i1",)), Compare("price", ">", 95))),
    HasId(()),
)
KINDS: tuple[frozenset[Modality] | None, ...] = (None, frozenset({"text", "fields"}), frozenset({"image"}))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[FaissStore]:
    opened = FaissStore(tmp_path)
    yield opened
    opened.close()


def by_fts5(folder: Path, text: str, k: int, where: Filter | None, kinds: frozenset[Modality] | None) -> list[PartHit]:
    """The same asked of FTS5's own ranking."""
    condition, values = where_sql(where)
    with closing(sqlite3.connect(folder / FILE)) as connection:
        rows = connection.execute(
            "SELECT parts.key, items.key, -bm25(words) AS score FROM words JOIN parts ON parts.id = words.rowid "
            f"JOIN items ON items.id = item WHERE words MATCH ? AND {condition} ORDER BY score DESC, parts.key",
            (" OR ".join(f'"{word}"' for word in words_of(text)), *values),
        ).fetchall()
        kind_of = dict(connection.execute("SELECT key, modality FROM parts"))
    return [PartHit(*row) for row in rows if kinds is None or kind_of[row[0]] in kinds][:k]


def made(number: int, rng: Random) -> Item:
    id = f"i{number}"
    parts = []
    for place, kind in enumerate(rng.choices(("image", "text", "fields"), k=rng.randrange(1, 5))):
        words = rng.choices(WORDS, [1 / (1 + n) for n in range(len(WORDS))], k=rng.choice([0, 1, 3, 30, 300]))
        text = None if rng.random() < 0.2 else " ".join(words)
        parts.append(Part(f"{id}#{place}", id, kind, f"{rng.random()}", text=text))  # type: ignore[arg-type]
    return Item(id, {"price": rng.randrange(100)}, tuple(parts), f"{rng.random()}")


@pytest.mark.parametrize("seed", range(4))
def test_words_weigh_what_they_weigh_to_fts5(
    store: FaissStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    rng = Random(seed)
    monkeypatch.setattr(sqlite_words, "FEW", rng.choice([0, 5, 1_000]))
    monkeypatch.setattr(sqlite_words, "MOST_KEPT", rng.choice([0, 200, 4_000_000]))
    monkeypatch.setattr(sqlite_words, "STALE", rng.choice([0, 1_000]))
    found = 0
    for _ in range(5):
        store.upsert([made(n, rng) for n in rng.sample(range(120), 50)], [])
        store.delete([f"i{n}" for n in rng.sample(range(120), 15)])
        if rng.random() < 0.2:
            store.compact()
        for _ in range(12):
            text = " ".join(rng.choices(WORDS, [1 / (1 + n) for n in range(len(WORDS))], k=rng.randrange(1, 5)))
            k, where, kinds = rng.choice([1, 4, EVERY]), rng.choice(FILTERS), rng.choice(KINDS)
            hits = store.search_text(text, k, where=where, modalities=kinds)
            assert hits == by_fts5(tmp_path, text, k, where, kinds)
            found += len(hits)
    assert found > 100


def test_a_word_may_be_several_to_fts5(store: FaissStore, tmp_path: Path) -> None:
    assert len(sqlite_words.tokens("हिन्दी")) > 1
    assert sqlite_words.tokens("boots") == sqlite_words.tokens("boot") == ("boot",)
    texts = ("हिन्दी", "दी हिन", "हिन्दी और हिन्दी", "other words")
    store.upsert(
        [Item(f"{n}", {}, (Part(f"{n}#", f"{n}", "text", f"{n}", text=text),), "d") for n, text in enumerate(texts)], []
    )
    hits = store.search_text("हिन्दी", EVERY)
    assert [hit.item_id for hit in hits] == ["2", "0"]
    assert hits == by_fts5(tmp_path, "हिन्दी", EVERY, None, None)


def test_nothing_is_found_in_nothing(store: FaissStore) -> None:
    assert store.search_text("boots", 5) == []
    store.upsert([Item("a", {}, (Part("a#", "a", "image", "d"),), "d")], [])  # says nothing
    assert store.search_text("boots", 5) == []
    assert store.search_text("boots", 5, where=HasId(("a",))) == []


def test_what_another_process_wrote_is_found(store: FaissStore, tmp_path: Path) -> None:
    rng = Random(0)
    store.upsert([made(n, rng) for n in range(30)], [])
    assert store.search_text("red", EVERY)
    other = FaissStore(tmp_path)
    other.upsert([made(n, rng) for n in range(20, 50)], [])
    other.delete(["i1", "i2"])
    other.close()
    for where in (None, HasId(("i1", "i3", "i40"))):
        assert store.search_text("red", EVERY, where=where) == by_fts5(tmp_path, "red", EVERY, where, None)


def test_lists_are_read_once_until_something_is_written(store: FaissStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store.upsert([made(n, Random(n)) for n in range(30)], [])
    read: list[str] = []

    def counted(connection: sqlite3.Connection, tokens: tuple[str, ...]) -> object:
        read.extend(tokens)
        return occurrences(connection, tokens)

    occurrences = sqlite_words._occurrences
    monkeypatch.setattr(sqlite_words, "_occurrences", counted)
    for where in (None, HasId(("i1", "i2"))):
        store.search_text("red boots", 5, where=where)
    assert read == ["red", "boot"]
    store.delete(["i1"])
    store.search_text("red boots", 5)
    assert read == ["red", "boot"] * 2


@pytest.mark.parametrize("lost", ["(SELECT MAX(id) FROM words_docsize)", "(SELECT MIN(id) FROM words_docsize)"])
def test_a_damaged_index_is_told(store: FaissStore, tmp_path: Path, lost: str) -> None:
    store.upsert([Item(f"{n}", {}, (Part(f"{n}#", f"{n}", "text", f"{n}", text="red"),), "d") for n in range(3)], [])
    with closing(sqlite3.connect(tmp_path / FILE)) as connection, connection:
        connection.execute(f"DELETE FROM words_docsize WHERE id = {lost}")
    with pytest.raises(EngineError, match="damaged"):
        store.search_text("red", 5)


def test_lengths_are_read_as_sqlite_writes_them(tmp_path: Path) -> None:
    lengths = [0, 1, 127, 128, 300, 16_383, 16_384, 70_000]
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("CREATE VIRTUAL TABLE words USING fts5 (text)")
        for length in lengths:
            connection.execute("INSERT INTO words VALUES (?)", (" ".join(["a"] * length),))
        written = b"".join(size for (size,) in connection.execute("SELECT sz FROM words_docsize ORDER BY id"))
    assert sqlite_words._varints(written).tolist() == lengths
    assert len(sqlite_words._varints(b"")) == 0
