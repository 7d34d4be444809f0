"""What is elsewhere under another name keeps its history, once for each id; a disk that is away has lost nothing."""

from __future__ import annotations

import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest

from indexer import moves
from indexer.ledger import Claim, Outcome
from tests.indexer.indexing import Collection, became, counts, folders_of_copies, png, seen_of, write_rows


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


def test_of_equal_files_the_one_that_was_there_last_has_moved(collection: Collection, photos: Path) -> None:
    for name in ("a.png", "b.png", "z.png"):
        (photos / name).write_bytes(png(90))
    collection.add(photos)
    (photos / "a.png").unlink()
    collection.add(photos)
    (photos / "z.png").unlink()
    collection.add(photos)
    (photos / "b.png").rename(photos / "c.png")
    assert collection.add(photos).moved == 1
    assert seen_of(collection, "c.png").history[-1].was == "b.png"
    (photos / "d.png").write_bytes(png(90))
    (photos / "c.png").rename(photos / "e.png")
    assert collection.add(photos).moved == 2
    came_from = {name: seen_of(collection, name).history[-1].was for name in ("d.png", "e.png")}
    assert came_from == {"d.png": "c.png", "e.png": "z.png"}  # whichever, but not that missed first
    assert became(collection)["a.png"] == "missing"


def test_an_id_that_took_over_one_item_takes_over_no_second(
    collection: Collection, photos: Path, tmp_path: Path
) -> None:
    collection.add(photos)
    _, laptop = folders_of_copies(tmp_path)
    collection.add(laptop)
    (photos / "0.png").rename(photos / "zero.png")
    assert collection.add(photos).moved == 1
    assert seen_of(collection, "zero.png").of == "0.png"  # rather than the copy elsewhere, which was seen before it
    (laptop / "holiday-0.png").unlink()
    assert collection.add(laptop).moved == 0
    assert became(collection)["holiday-0.png"] == "missing"


def test_a_renamed_file_has_moved_although_the_clock_was_set_back(
    collection: Collection, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (photos / "broken.png").write_bytes(b"nothing")
    collection.add(photos)
    real = time.time
    monkeypatch.setattr("time.time", lambda: real() - 86_400)
    (photos / "0.png").rename(photos / "zero.png")
    (photos / "1.png").write_bytes(png(71))
    (photos / "broken.png").unlink()
    assert collection.add(photos).moved == 1
    rest = dict.fromkeys(["2.png", "sub/3.png", "sub/4.png"], "unchanged")
    assert became(collection) == rest | {"zero.png": "moved", "1.png": "updated"}
    assert [event.outcome for event in seen_of(collection, "zero.png").history] == ["added", "moved"]


@pytest.mark.parametrize("mount_point", ["left empty", "removed"])
def test_a_disk_that_is_not_mounted_has_lost_nothing(collection: Collection, tmp_path: Path, mount_point: str) -> None:
    disk, laptop = folders_of_copies(tmp_path)
    collection.add(disk)
    disk.rename(tmp_path / "unplugged")
    if mount_point == "left empty":
        disk.mkdir()
    report = collection.add(laptop)
    assert (report.added, report.moved, collection.store.stats().items) == (3, 0, 6)
    if disk.exists():
        disk.rmdir()
    (tmp_path / "unplugged").rename(disk)
    (disk / "dcim" / "IMG_0.png").unlink()  # of this its own next reading tells
    report = collection.add(disk)
    assert (counts(report), report.moved) == ((0, 0, 2, 0, 0), 1)
    assert seen_of(collection, "holiday-0.png").history[-1].was == "dcim/IMG_0.png"


def test_a_disk_mounted_inside_a_folder_may_be_away_too(collection: Collection, tmp_path: Path) -> None:
    disk, laptop = folders_of_copies(tmp_path / "photos")
    (tmp_path / "photos" / "here.png").write_bytes(png(8))
    away = laptop.rename(tmp_path / "laptop")
    collection.add(tmp_path / "photos")
    disk.rename(tmp_path / "unplugged")
    disk.mkdir()
    assert collection.add(away).moved == 0
    (disk / "another.txt").write_text("now something is there, and these are not")
    (away / "one-more.png").write_bytes(png(0))
    assert collection.add(away).moved == 1


def test_a_source_of_one_file_moves_with_it(collection: Collection, tmp_path: Path) -> None:
    (tmp_path / "old.txt").write_text("an oak table")
    collection.add(tmp_path / "old.txt")
    (tmp_path / "old.txt").rename(tmp_path / "new.txt")
    assert collection.add(tmp_path / "new.txt").moved == 1


def test_many_copies_of_one_file_move_in_time_that_grows_with_them(collection: Collection, photos: Path) -> None:
    count = 3000
    for source in "ab":
        collection.ledger.record(
            [
                Outcome(
                    f"{source}{n}", Claim(str(photos / source), "digest", ""), {}, place=f"/{source}/{n}", content="c"
                )
                for n in range(count)
            ]
        )
        collection.ledger.settle(str(photos / source), since=collection.ledger.start())
    (copies,) = collection.ledger.register.copies([f"b{n}" for n in range(count)])
    assert len(copies) == 2 * count
    absent = [f"a{n}" for n in range(count)]
    steps = 0

    def counted(*_: object) -> None:
        nonlocal steps
        steps += 1

    sys.setprofile(counted)
    moved = moves.follow(absent, [], store=collection.store, ledger=collection.ledger)
    sys.setprofile(None)
    assert moved == {f"a{n}": f"b{n}" for n in sorted(range(count), key=str)}
    assert steps < 200 * count


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
