"""Snapshots are the collection as it was at one moment, and are put back whole; damaged ones are refused by name."""

from __future__ import annotations

import errno
import threading
from pathlib import Path

import pytest

from service.shelf import Shelf
from sightline import disk, places
from sightline.errors import ConfigError, InputError, NotFound, UnreadableSource
from sightline.settings import Settings
from sightline.transfer import remove_snapshot, restore, snapshots
from sightline.transfer.snapshots import owner_of
from tests.soak.shop import Opened
from tests.transfer.collections import contents, opened, shop


@pytest.fixture(params=["faiss", "qdrant"])
def index(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """An index of a folder of six files."""
    with opened(tmp_path / "index", request.param) as made:
        made.add(shop(tmp_path / "shop", 3))
    return tmp_path / "index"


def hidden(index: Path) -> list[str]:
    """What is left of things that were to come or to go."""
    return sorted(path.name for path in index.rglob(".*"))


def reopened(index: Path, collection: str = "default") -> Opened:
    return Opened.open(index, collection=collection, create=False)


def test_a_snapshot_comes_back_as_it_was(index: Path, tmp_path: Path) -> None:
    with reopened(index) as now:
        before, asked = contents(now), now.search("note number 1").hits
        made = now.transfer.snapshot("first")
        assert (made.name, made.items, made.problem) == ("first", 6, "")
        now.delete(["0.png", "1.txt"])
        now.add({"id": "new", "title": "Something new"})
        assert [one["name"] for one in now.info()["snapshots"]] == ["first"]
    with pytest.raises(InputError, match=r"already.*--collection NEW.*--force"):
        restore(index, "default", "first")
    restore(index, "default", "first", force=True)
    restore(index, "default", "first", into="beside")
    for name in ("default", "beside"):
        with reopened(index, name) as again:
            assert contents(again) == before
            assert again.search("note number 1").hits == asked
            assert again.add(tmp_path / "shop").unchanged == 6
            assert again.add({"id": "new", "title": "Something new"}).added == 1
    assert hidden(index) == []


@pytest.mark.parametrize("stopped", [KeyboardInterrupt(), OSError(errno.EIO, "Input/output error")])
def test_a_restore_that_is_stopped_between_its_renames_leaves_the_old_collection(
    index: Path, stopped: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    with reopened(index) as now:
        now.transfer.snapshot("first")
        now.add({"id": "new", "title": "Something new"})
        before = contents(now)
    sync = disk.sync

    def stopping(path: Path) -> None:
        sync(path)
        if path.name == "collections" and list(path.glob(".replaced-*")):
            monkeypatch.setattr(disk, "sync", sync)
            raise stopped

    monkeypatch.setattr(disk, "sync", stopping)
    with pytest.raises((KeyboardInterrupt, ConfigError)):
        restore(index, "default", "first", force=True)
    assert disk.sync is sync  # it was stopped there
    for _ in range(2):
        with reopened(index) as again:
            assert contents(again) == before
    assert hidden(index) == []


def test_whoever_makes_a_collection_between_the_renames_of_a_restore_is_told_that_it_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index, move, late = tmp_path / "index", disk.move, list[Opened]()
    with opened(index, "faiss") as made:
        made.add(shop(tmp_path / "shop", 3))
        made.transfer.snapshot("first")
        before = contents(made)
        made.delete(["0.png"])

    def beside(here: Path, there: Path) -> None:
        move(here, there)
        if there.name.startswith(".replaced-"):
            monkeypatch.setattr(places, "finish", lambda *_: None)  # it looked before the first rename
            late.append(opened(index, "faiss"))

    monkeypatch.setattr(disk, "move", beside)
    restore(index, "default", "first", force=True)
    monkeypatch.undo()
    with pytest.raises(NotFound):
        late[0].add({"id": "new", "title": "Something new"})
    late[0].close()
    with reopened(index) as again:
        assert contents(again) == before
    assert hidden(index) == []


def test_whoever_has_the_old_collection_open_is_told(index: Path) -> None:
    with reopened(index) as held:
        held.transfer.snapshot("first")
        if held.info()["store"] == "qdrant":
            with pytest.raises(ConfigError, match="open in this process already"):
                restore(index, "default", "first", force=True)
            return
        restore(index, "default", "first", force=True)
        assert held.gone
        with pytest.raises(NotFound, match="replaced"):
            held.search("note number 1")
        with pytest.raises(NotFound):
            held.add({"id": "new", "title": "Something new"})
    with reopened(index) as again:
        assert not again.gone
        assert again.add({"id": "new", "title": "Something new"}).added == 1
    with reopened(index) as again:  # what the old one's closing may not take away
        assert again.info()["items"] == 7


def test_the_service_opens_what_was_restored_with_its_next_request(tmp_path: Path) -> None:
    index = tmp_path / "index"
    with opened(index) as made:
        made.add({"id": "a", "title": "Then"})
        made.transfer.snapshot("first")
        made.add({"id": "a", "title": "Since"})
    shelf = Shelf(Settings.read(index=index))
    with shelf.using("default") as kept:
        assert kept.get("a").title == "Since"
    restore(index, "default", "first", force=True)
    with shelf.using("default") as kept:
        assert kept.get("a").title == "Then"
    shelf.close()


def test_snapshots_are_listed_by_time_and_removed_by_name(index: Path) -> None:
    with reopened(index) as now:
        names = [now.transfer.snapshot(name).name for name in ("b", "a", None)]
        with pytest.raises(InputError, match="already"):
            now.transfer.snapshot("a")
        for bad in ("", "../a", ".hidden", "a/b", "x" * 65):
            with pytest.raises(InputError, match="name is made of"):
                now.transfer.snapshot(bad)
    assert [one.name for one in snapshots(index, "default")] == names
    remove_snapshot(index, "default", "a")
    assert [one.name for one in snapshots(index, "default")] == [names[0], names[2]]
    with pytest.raises(NotFound, match="there are: b, "):
        remove_snapshot(index, "default", "a")
    with pytest.raises(NotFound):
        restore(index, "default", "a", force=True)
    assert hidden(index) == []


def test_a_snapshot_outlives_its_collection(index: Path) -> None:
    with reopened(index) as now:
        before = contents(now)
        now.transfer.snapshot("first")
        now.erase()
    assert owner_of(index, "first") == "default"
    restore(index, "default", "first")
    with reopened(index) as again:
        assert contents(again) == before
        again.transfer.snapshot("first-again")
    restore(index, "default", "first", into="other")
    with reopened(index, "other") as other:
        other.transfer.snapshot("first")
    assert owner_of(index, "first", "other") == "other"
    with pytest.raises(InputError, match="default, other"):
        owner_of(index, "first")
    with pytest.raises(NotFound):
        owner_of(index, "second")


def test_a_damaged_snapshot_is_refused_by_name_and_nothing_changes(index: Path) -> None:
    with reopened(index) as now:
        now.transfer.snapshot("first")
        now.delete(["0.png"])
        before = contents(now)
    place = index / "snapshots" / "default" / "first"
    for path in sorted(path for path in place.rglob("*") if path.is_file()):
        data = path.read_bytes()
        path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]) if data else b"x")
        with pytest.raises(UnreadableSource, match=path.name):
            restore(index, "default", "first", force=True)
        path.write_bytes(data)
    (place / "manifest.json").rename(place / "elsewhere")
    (told,) = snapshots(index, "default")
    assert "manifest" in told.problem
    with pytest.raises(UnreadableSource, match="no manifest"):
        restore(index, "default", "first", force=True)
    with reopened(index) as again:
        assert contents(again) == before
    assert hidden(index) == []


def test_a_snapshot_is_taken_while_others_write_and_is_of_one_moment(tmp_path: Path) -> None:
    """What is on record in it is in the store, too."""
    rows = [{"id": f"row-{number:03d}", "title": f"Thing {number}"} for number in range(120)]
    stop = threading.Event()
    with opened(tmp_path / "index") as now:
        now.add(*rows[:3])

        def write() -> None:
            while not stop.is_set():
                for row in rows:
                    now.add(row)
                now.delete([str(row["id"]) for row in rows])

        writer = threading.Thread(target=write)
        writer.start()
        made = [now.transfer.snapshot().name for _ in range(4)]
        exported = now.transfer.export(tmp_path / "out")
        stop.set()
        writer.join()
        with now._write():  # who writes for hours hinders nobody
            made.append(now.transfer.snapshot().name)
    for number, name in enumerate(made):
        restore(tmp_path / "index", "default", name, into=f"was-{number}")
        with reopened(tmp_path / "index", f"was-{number}") as then:
            found = contents(then)
            on_record = {item_id for item_id in then._ledger.ids() if then._ledger.claim(item_id).digest}  # type: ignore[union-attr]
            assert on_record <= found.keys()
            for item, _, record, _ in found.values():
                assert record is None or record.digest in ("", item.digest)
            assert then.add(*rows).skipped == ()
            assert then.info()["items"] == 120
    with opened(tmp_path / "other") as other:
        assert other.transfer.take_in(tmp_path / "out").added == exported.items
        assert other.add(*rows).skipped == ()
        assert other.info()["items"] == 120


def test_a_collection_on_a_server_says_how_to_go_about_it(tmp_path: Path) -> None:
    with opened(tmp_path / "index", "qdrant::memory:") as now:
        now.add({"id": "a", "title": "A thing"})
        with pytest.raises(ConfigError, match="sightline export"):
            now.transfer.snapshot("first")
    assert snapshots(tmp_path / "index", "default") == []
    assert hidden(tmp_path / "index") == []


def test_a_snapshot_does_not_replace_a_collection_on_a_server(tmp_path: Path) -> None:
    with opened(tmp_path / "index") as now:
        now.add({"id": "a", "title": "A thing"})
        now.transfer.snapshot("first")
    folder = places.collection_folder(tmp_path / "index", "remote")
    with opened(tmp_path / "index", "qdrant::memory:", collection="remote") as remote:
        remote.add({"id": "a", "title": "A thing"})
    with pytest.raises(InputError, match="kept in 'qdrant::memory:'"):
        restore(tmp_path / "index", "default", "first", into="remote", force=True)
    assert places.is_collection(folder)
