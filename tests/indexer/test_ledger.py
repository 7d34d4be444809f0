"""The ledger remembers across closing, forgets what is deleted, and says clearly when its file is unusable."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from indexer import Ledger, Passport
from indexer.ledger import Claim, Outcome
from sightline.errors import ConfigError
from sightline.types import Skipped, Space


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = Ledger(tmp_path)
    yield opened
    opened.close()


def outcome(item_id: str, *digests: str, source: str = "s", skipped: tuple[Skipped, ...] = ()) -> Outcome:
    return Outcome(item_id, Claim(source, f"digest of {item_id}", "stamp"), {d: d.encode() for d in digests}, skipped)


def test_everything_is_there_after_reopening(tmp_path: Path) -> None:
    first = Ledger(tmp_path)
    passport = Passport.of(Space("starter", 256, "ab" * 32), store="faiss")
    assert first.passport() is None
    first.set_passport(passport)
    first.record([outcome("a", "p1"), outcome("b", "p2", skipped=(Skipped("b x.png", "why"),))])
    first.close()
    again = Ledger(tmp_path)
    assert again.passport() == passport == Passport("starter", 256, "ab" * 32, "faiss")
    assert again.claim("a") == Claim("s", "digest of a", "stamp")
    assert again.claim("c") is None
    assert again.owned("s") == ["a", "b"]
    assert again.owned("t") == []
    assert again.thumbnail("p1") == b"p1"
    assert again.thumbnail("p3") is None
    assert again.skipped() == [Skipped("b x.png", "why")]
    assert again.bytes_disk() > 0
    again.close()


def test_a_thumbnail_goes_with_the_last_item_that_shows_it(ledger: Ledger) -> None:
    ledger.record([outcome("a", "shared", "own"), outcome("b", "shared")])
    ledger.forget(["a"])
    assert not ledger.has_thumbnail("own")
    assert ledger.has_thumbnail("shared")
    ledger.record([Outcome("b", Claim("s", "d", ""), {"new": b"new"})])
    assert not ledger.has_thumbnail("shared")
    assert ledger.has_thumbnail("new")
    ledger.record([Outcome("b", Claim("s", "d", ""), {"new": None})])
    assert ledger.thumbnail("new") == b"new"


def test_skips_are_those_of_the_last_time(ledger: Ledger) -> None:
    ledger.skip("s", [Skipped("one", "bad"), Skipped("two", "bad")])
    ledger.skip("t", [Skipped("three", "bad")])
    ledger.settle("s", since=ledger.start())
    assert ledger.skipped() == [Skipped("three", "bad")]
    ledger.record([outcome("a", skipped=(Skipped("a part", "bad"),))])
    ledger.record([outcome("a")])
    assert ledger.skipped() == [Skipped("three", "bad")]


def test_a_doubted_item_is_owned_but_not_unchanged(ledger: Ledger) -> None:
    ledger.record([outcome("a")])
    ledger.doubt(["a", "unknown"])
    assert ledger.claim("a") == Claim("s", "", "")
    assert ledger.owned("s") == ["a"]
    assert ledger.has_others("t")
    assert not ledger.has_others("s")


def test_an_item_that_is_begun_belongs_to_its_source_and_is_not_unchanged(ledger: Ledger) -> None:
    ledger.record([outcome("old")])
    assert ledger.begin([outcome("old"), outcome("new")]) == {"new"}
    assert ledger.owned("s") == ["new", "old"] == ledger.register.unfinished()
    assert ledger.claim("new") == ledger.claim("old") == Claim("s", "", "")
    assert ledger.count() == 0
    assert ledger.begin([outcome("new")]) == {"new"}  # once more, after a kill
    ledger.record([outcome("old"), outcome("new")])
    assert ledger.begin([outcome("new")]) == set()
    ledger.forget(["new"])
    assert ledger.begin([outcome("new")]) == {"new"}
    assert ledger.begin([outcome("new", source="t")]) == {"new"}
    assert ledger.owned("s") == ["new", "old"]  # whose it is changes when it is recorded


def test_a_failed_transaction_leaves_nothing(ledger: Ledger) -> None:
    broken = Outcome("b", Claim("s", "d", ""), {"p": object()})  # type: ignore[dict-item]
    with pytest.raises(ConfigError):
        ledger.record([outcome("a"), broken])
    assert ledger.owned("s") == []


def test_many_threads_and_a_second_reader(ledger: Ledger, tmp_path: Path) -> None:
    other = Ledger(tmp_path)
    failures: list[BaseException] = []

    def work(name: str) -> None:
        try:
            for number in range(20):
                ledger.record([outcome(f"{name}-{number}", f"p{number}")])
                assert other.thumbnail(f"p{number}") is not None
        except BaseException as exc:  # noqa: BLE001 - told to the test's own thread
            failures.append(exc)

    threads = [threading.Thread(target=work, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(other.owned("s")) == 60
    other.close()


def test_a_file_that_cannot_be_used_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "ledger.db").write_bytes(b"not a database at all, but long enough to look at" * 9)
    with pytest.raises(ConfigError, match=r"ledger\.db.*not a database"):
        Ledger(tmp_path)
    with pytest.raises(ConfigError, match="ledger"):
        Ledger(tmp_path / "nowhere")


def test_many_may_open_a_new_ledger_at_once(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        for opened in pool.map(Ledger, [tmp_path] * 16):
            opened.close()


def test_a_newer_format_is_refused(tmp_path: Path) -> None:
    Ledger(tmp_path).close()
    db = sqlite3.connect(tmp_path / "ledger.db")
    db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(ConfigError, match="newer Sightline"):
        Ledger(tmp_path)


def test_a_full_disk_is_said_and_loses_nothing(ledger: Ledger) -> None:
    ledger.record([outcome("a", "p")])
    pages = ledger._db.execute("PRAGMA page_count").fetchone()[0]
    ledger._db.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(ConfigError, match="the disk is full"):
        ledger.record([Outcome("b", Claim("s", "d", ""), {"big": b"x" * 1_000_000})])
    assert ledger.owned("s") == ["a"]
    assert ledger.thumbnail("p") == b"p"
