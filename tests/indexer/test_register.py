"""Every source ever seen has an outcome, moves keep their history, and ledgers of before are taken along."""

from __future__ import annotations

import sqlite3
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import indexer
from indexer import Ledger, register
from indexer.ledger import Claim, Outcome
from indexer.register import EVENTS_KEPT, OUTCOMES, Seen
from tests.indexer.indexing import Collection, counts, png, write_rows


def became(collection: Collection) -> dict[str, str]:
    """item (or source, of what has none) -> outcome."""
    return {seen.item_id or Path(seen.source).name: seen.outcome for seen in collection.ledger.register.sources()}


def seen_of(collection: Collection, item: str) -> Seen:
    every = collection.ledger.register.sources()
    (found,) = [seen for seen in every if seen.item_id == item and seen.outcome != "skipped"]
    return found


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


# -- moves -------------------------------------------------------------------------------------------------------------


def test_a_renamed_file_keeps_its_history(collection: Collection, photos: Path) -> None:
    collection.add(photos)
    first = seen_of(collection, "0.png").first_at
    (photos / "0.png").rename(photos / "sub" / "zero.png")
    report = collection.add(photos)
    assert (counts(report), report.moved, report.images) == ((0, 0, 4, 0, 0), 1, 0)
    seen = seen_of(collection, "sub/zero.png")
    assert (seen.outcome, seen.of, seen.first_at) == ("moved", "0.png", first)
    assert [event.outcome for event in seen.history] == ["added", "moved"]
    assert seen.to_json()["history"][1]["was"] == "0.png"
    assert "0.png" not in became(collection)
    assert [item.id for item in collection.store.get(["0.png", "sub/zero.png"])] == ["sub/zero.png"]
    (photos / "sub" / "zero.png").rename(photos / "null.png")
    assert collection.add(photos).moved == 1
    assert [event.was for event in seen_of(collection, "null.png").history] == ["", "0.png", "sub/zero.png"]


def test_a_renamed_folder_moves_all_of_it(collection: Collection, photos: Path) -> None:
    collection.add(photos)
    moved = photos.rename(photos.with_name("pictures"))
    collection.add(moved)
    assert set(became(collection).values()) == {"moved"}
    assert seen_of(collection, "0.png").of == str(photos / "0.png")


def test_a_file_that_went_to_another_source_has_moved(collection: Collection, photos: Path, tmp_path: Path) -> None:
    collection.add(photos)
    other = tmp_path / "other"
    other.mkdir()
    (photos / "0.png").rename(other / "here.png")
    (other / "copy.png").write_bytes(png(1))
    report = collection.add(other)
    assert (report.added, report.moved, report.images) == (1, 1, 0)
    assert became(collection)["here.png"] == "moved"
    assert became(collection)["copy.png"] == "duplicate"  # the original is still there
    assert collection.store.get(["0.png"]) == []
    assert len(collection.store.get(["1.png"])) == 1


def test_a_renamed_archive_and_a_renamed_catalog_move_what_is_in_them(collection: Collection, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "old.zip", "w") as archive:
        archive.writestr("a.png", png(0))
    collection.add(tmp_path / "old.zip")
    (tmp_path / "old.zip").rename(tmp_path / "new.zip")
    collection.add(tmp_path / "new.zip")
    assert became(collection)["a.png"] == "moved"
    assert seen_of(collection, "a.png").of.endswith("old.zip!/a.png")
    catalog = write_rows(tmp_path / "old.jsonl", {"id": "row", "title": "A row"})
    collection.add(catalog)
    catalog.rename(tmp_path / "new.jsonl")
    collection.add(tmp_path / "new.jsonl")
    assert became(collection)["row"] == "moved"
    assert seen_of(collection, "row").of.endswith("old.jsonl:1")


def test_a_copy_that_was_always_there_is_no_move(collection: Collection, photos: Path) -> None:
    (photos / "copy.png").write_bytes(png(0))
    collection.add(photos)
    (photos / "0.png").unlink()
    report = collection.add(photos)
    assert (report.moved, became(collection)["0.png"]) == (0, "missing")


def test_two_equal_files_that_move_go_one_each(collection: Collection, photos: Path) -> None:
    (photos / "0b.png").write_bytes(png(0))
    collection.add(photos)
    (photos / "0.png").rename(photos / "x.png")
    (photos / "0b.png").rename(photos / "y.png")
    assert collection.add(photos).moved == 2
    assert collection.store.stats().items == 6
    assert {seen_of(collection, name).outcome for name in ("x.png", "y.png")} == {"moved", "duplicate"}


def test_a_row_under_a_new_id_has_moved(collection: Collection, tmp_path: Path) -> None:
    row: dict[str, Any] = {"title": "Mug", "text": "For tea.", "price": 3}
    catalog = write_rows(tmp_path / "c.jsonl", {"id": "a", **row})
    collection.add(catalog)
    before = collection.embedded
    report = collection.add(write_rows(catalog, {"id": "b", **row}, {"id": "c", **row, "price": 4}))
    assert (report.added, report.moved, collection.embedded) == (1, 1, before)
    assert seen_of(collection, "b").of == "a"


def test_nothing_moves_while_part_of_the_source_cannot_be_read(collection: Collection, tmp_path: Path) -> None:
    catalog = write_rows(tmp_path / "c.jsonl", {"id": "a", "title": "A"})
    collection.add(catalog)
    catalog.write_text('{"id": "b", "title": "A"}\n{"id": "a", "title": "A"\n')
    assert collection.add(catalog).moved == 0
    assert len(collection.store.get(["a", "b"])) == 2


def test_nothing_goes_missing_while_part_of_the_source_cannot_be_read(collection: Collection, tmp_path: Path) -> None:
    rows = [{"id": name, "title": name} for name in "abc"]
    catalog = write_rows(tmp_path / "c.jsonl", *rows)
    collection.add(catalog)
    collection.add(write_rows(catalog, *rows[:2]))
    assert became(collection)["c"] == "missing"
    catalog.write_text('{"id": "a", "title": "a"}\n{"id": "b", "title"\n')
    collection.add(catalog)
    assert became(collection) == {"a": "unchanged", "b": "unchanged", "c": "missing", "c.jsonl:2": "skipped"}
    collection.add(write_rows(catalog, *rows[:1]))
    assert became(collection) == {"a": "unchanged", "b": "missing", "c": "missing"}


@pytest.mark.parametrize("step", ["forget", "doubt"])
def test_a_kill_in_the_middle_of_a_move_is_mended(
    collection: Collection, photos: Path, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    collection.add(photos)
    (photos / "0.png").rename(photos / "moved.png")
    with monkeypatch.context() as patched:
        patched.setattr(collection.ledger, step, lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            collection.add(photos)
    report = collection.add(photos)
    assert (report.moved, report.images) == (1, 0)
    assert [item.id for item in collection.store.get(["0.png", "moved.png"])] == ["moved.png"]
    assert [event.outcome for event in seen_of(collection, "moved.png").history] == ["added", "moved"]


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
