"""Every source ever seen has an outcome, and ledgers of before are taken along."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

import indexer
from indexer import Ledger, register
from indexer.ledger import Claim, Outcome
from indexer.register import EVENTS_KEPT, OUTCOMES
from tests.indexer.indexing import Collection, became, counts, folders_of_copies, png, seen_of, write_rows

# -- outcomes ----------------------------------------------------------------------------------------------------------


def test_every_source_has_an_outcome(collection: Collection, photos: Path) -> None:
    (photos / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nand no more")
    (photos / "copy.png").write_bytes(png(0))
    collection.add(photos)
    first = {"0.png": "added", "1.png": "added", "2.png": "added", "sub/3.png": "added", "sub/4.png": "added"}
    assert became(collection) == first | {"copy.png": "duplicate", "broken.png": "skipped"}
    assert seen_of(collection, "copy.png").of == "0.png"
    (photos / "1.png").write_bytes(png(71))
    (photos / "2.png").unlink()
    (photos / "new.png").write_bytes(png(72))
    collection.add(photos)
    assert became(collection) == {
        **dict.fromkeys(first, "unchanged"),
        "1.png": "updated",
        "2.png": "missing",
        "new.png": "added",
        "copy.png": "duplicate",
        "broken.png": "skipped",
    }
    collection.add(photos, prune=True)
    collection.delete("0.png")
    assert became(collection)["2.png"] == became(collection)["0.png"] == "deleted"
    assert became(collection)["copy.png"] == "unchanged"
    collection.add(photos)
    assert became(collection)["0.png"] == "duplicate"  # of the copy, which has been there for longer by now
    assert set(became(collection).values()) <= set(OUTCOMES)


@pytest.mark.parametrize("page", [1, 2, 3, 100])
def test_sources_are_told_by_owner_and_item_however_they_are_read(
    collection: Collection, photos: Path, tmp_path: Path, page: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    (photos / "broken.png").write_bytes(b"nothing")
    collection.add(photos)
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "torn.png").write_bytes(b"nothing")
    collection.add(tmp_path / "a")  # an owner of nothing but what was skipped
    collection.add(
        write_rows(tmp_path / "z.jsonl", {"id": "row", "title": "A"}, {"title": "no id"}, {"id": "other", "title": "B"})
    )
    monkeypatch.setattr(register, "_PAGE", page)
    told = [
        (Path(seen.owner).name, seen.item_id or Path(seen.source).name) for seen in collection.ledger.register.sources()
    ]
    assert told == [
        ("a", "torn.png"),
        *[("photos", name) for name in ("0.png", "1.png", "2.png", "sub/3.png", "sub/4.png", "broken.png")],
        ("z.jsonl", "other"),
        ("z.jsonl", "row"),
        ("z.jsonl", "z.jsonl:2"),
    ]
    assert all(seen.history for seen in collection.ledger.register.sources() if seen.outcome != "skipped")


def test_a_missing_file_that_comes_back_is_unchanged(collection: Collection, photos: Path) -> None:
    collection.add(photos)
    (photos / "0.png").rename(photos.parent / "away.png")
    collection.add(photos)
    assert became(collection)["0.png"] == "missing"
    (photos.parent / "away.png").rename(photos / "0.png")
    collection.add(photos)
    assert became(collection)["0.png"] == "unchanged"


def test_a_file_that_cannot_be_read_any_more_has_one_outcome(collection: Collection, photos: Path) -> None:
    collection.add(photos)
    (photos / "0.png").write_bytes(png(0)[:60])
    collection.add(photos)
    (found,) = [seen for seen in collection.ledger.register.sources() if seen.source.endswith("0.png")]
    assert (found.outcome, found.item_id, bool(found.reason)) == ("skipped", "0.png", True)
    assert [event.outcome for event in found.history] == ["added"]
    (photos / "0.png").write_bytes(png(0))
    collection.add(photos)
    assert became(collection)["0.png"] == "unchanged"


def test_a_broken_row_hides_no_item_that_had_its_line_before(collection: Collection, tmp_path: Path) -> None:
    rows = [{"id": name, "title": name} for name in "ab"]
    catalog = write_rows(tmp_path / "c.jsonl", *rows)
    collection.add(catalog)
    collection.add(write_rows(catalog, {"title": "without an id"}, *rows))
    assert became(collection) == {"a": "unchanged", "b": "unchanged", "c.jsonl:1": "skipped"}


def test_what_was_begun_and_not_ended_is_unfinished(collection: Collection, photos: Path) -> None:
    collection.add(photos)
    collection.ledger.doubt(["0.png"])
    assert became(collection)["0.png"] == "unfinished"


def test_the_export_says_what_happened_and_when(collection: Collection, tmp_path: Path) -> None:
    catalog = write_rows(tmp_path / "c.jsonl", {"id": "a", "title": "A"}, {"id": "a", "title": "B"})
    collection.add(catalog)
    collection.add(write_rows(catalog, {"id": "a", "title": "C"}))
    (told,) = [seen.to_json() for seen in collection.ledger.register.sources()]
    assert (told["source"], told["outcome"], told["item"], told["owner"]) == (
        "c.jsonl:1", "updated", "a", str(catalog.resolve()),
    )  # fmt: skip
    assert [event["outcome"] for event in told["history"]] == ["added", "updated"]
    assert told["first"] == told["history"][0]["at"] <= told["changed"]
    assert told["first"].endswith("+00:00")


def test_a_second_row_of_one_id_is_skipped_with_its_reason(collection: Collection, tmp_path: Path) -> None:
    collection.add(write_rows(tmp_path / "c.jsonl", {"id": "a", "title": "A"}, {"id": "a", "title": "B"}))
    (seen,) = [seen for seen in collection.ledger.register.sources() if seen.outcome == "skipped"]
    assert seen.reason == "the id 'a' is already that of c.jsonl:1"


def test_history_keeps_the_first_and_the_latest(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    for number in range(2 * EVENTS_KEPT):
        ledger.record([Outcome("a", Claim("s", f"digest {number}", ""), {})])
    (seen,) = ledger.register.sources()
    assert [event.outcome for event in seen.history] == ["added"] + ["updated"] * (EVENTS_KEPT - 1)
    assert seen.history[0].at == seen.first_at
    assert seen.history[-1].at == seen.at
    ledger.close()


def test_purging_forgets_what_was_deleted_and_nothing_else(collection: Collection, photos: Path) -> None:
    collection.add(photos)
    collection.delete("0.png")
    collection.ledger.purge()
    assert "0.png" not in became(collection)
    assert len(became(collection)) == 4
    assert b"0.png" not in b"".join(repr(row).encode() for row in collection.ledger._rows("SELECT * FROM events"))


def test_equal_items_are_grouped_the_first_seen_in_front(collection: Collection, tmp_path: Path) -> None:
    rows = [{"id": name, "title": "Mug", "image": png(1)} for name in ("b", "a")]
    collection.add(rows[0])
    collection.add(rows[1], {"id": "c", "title": "Cup", "image": png(1)})
    assert collection.ledger.register.equals() == [["b", "a"]]
    assert {item for _, item in collection.ledger.register.pictures()} == {"a", "b", "c"}


# -- ledgers of before -------------------------------------------------------------------------------------------------


def as_format_1(folder: Path) -> None:
    """Make of a ledger what Sightline wrote before it knew outcomes."""
    db = sqlite3.connect(folder / "ledger.db")
    db.executescript("DROP TABLE seen; DROP TABLE events; DROP TABLE readings; PRAGMA user_version = 1;")
    db.close()


def test_a_ledger_of_format_1_is_taken_along(collection: Collection, photos: Path, settled: Callable[[], None]) -> None:
    settled()
    collection.add(photos)
    claim = collection.ledger.claim("0.png")
    collection.ledger.close()
    as_format_1(collection.folder)
    collection.ledger = indexer.Ledger(collection.folder)
    assert claim is not None
    assert collection.ledger.claim("0.png") == Claim(claim.source, claim.digest, "")
    assert became(collection) == dict.fromkeys(["0.png", "1.png", "2.png", "sub/3.png", "sub/4.png"], "added")
    report = collection.add(photos)  # reads every file once more, embeds none
    assert (counts(report), report.images) == ((0, 0, 5, 0, 0), 0)
    (photos / "0.png").rename(photos / "moved.png")
    assert collection.add(photos).moved == 1
    assert [event.outcome for event in seen_of(collection, "moved.png").history] == ["added", "moved"]


def as_format_2(folder: Path) -> None:
    """Make of a ledger what Sightline wrote when it knew times of readings, and no numbers."""
    db = sqlite3.connect(folder / "ledger.db")
    numbers = {"seen": ("first_in", "last_in"), "readings": ("number",), "skipped": ("seen_in",)}
    for table, columns in numbers.items():
        for column in columns:
            db.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
    db.executescript("DELETE FROM meta WHERE key = 'readings'; UPDATE seen SET absent = absent > 0;")
    db.execute("PRAGMA user_version = 2")
    db.close()


def test_a_ledger_of_format_2_is_taken_along(collection: Collection, photos: Path, tmp_path: Path) -> None:
    (photos / "broken.png").write_bytes(b"nothing")
    collection.add(photos)
    _, laptop = folders_of_copies(tmp_path)
    collection.add(laptop)
    (photos / "3.txt").write_text("later")
    collection.add(photos)
    before = list(collection.ledger.register.sources())
    collection.ledger.close()
    as_format_2(collection.folder)
    collection.ledger = indexer.Ledger(collection.folder)
    assert list(collection.ledger.register.sources()) == before
    (photos / "0.png").unlink()  # the copy was there before its last reading
    (photos / "sub" / "3.png").rename(photos / "moved.png")
    (photos / "broken.png").unlink()
    assert collection.add(photos).moved == 1
    assert (became(collection)["0.png"], became(collection)["moved.png"]) == ("missing", "moved")
    assert collection.ledger.skipped() == []


def test_a_move_that_began_before_the_format_changed_is_followed(
    collection: Collection, photos: Path, tmp_path: Path
) -> None:
    collection.add(photos)
    _, laptop = folders_of_copies(tmp_path)
    collection.add(laptop)
    collection.ledger.close()
    as_format_2(collection.folder)
    collection.ledger = indexer.Ledger(collection.folder)
    (photos / "0.png").unlink()
    assert collection.add(photos).moved == 1
    assert [event.outcome for event in seen_of(collection, "holiday-0.png").history] == ["added", "moved"]
