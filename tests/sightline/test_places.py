"""Collections are made and deleted whole: whatever is killed, whoever comes at the same time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from indexer import Ledger, Passport
from service.shelf import Shelf
from sightline import Sightline, disk, places
from sightline.errors import ConfigError, NotFound, SightlineError
from sightline.settings import Settings
from sightline.types import Space

NAMES = ["default"]


class _Killed(BaseException):
    pass


def _dies(*_arguments: object) -> None:
    raise _Killed


def _made(index: Path, store: str = "faiss") -> None:
    """A collection on whose record a store is, with a row that only a ledger has."""
    with Sightline.open(index, store="faiss") as opened:
        opened._ledger.set_passport(Passport.of(Space("grid", 3, "9" * 64), store=store))


@pytest.mark.parametrize("store", ["faiss", "qdrant"])
def test_a_deletion_killed_before_the_last_file_is_finished_by_the_next_to_open(
    store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = tmp_path / "index"
    with Sightline.open(index, store=store) as opened:
        monkeypatch.setattr(places, "clear", _dies)
        with pytest.raises(_Killed):
            opened.erase()
        monkeypatch.undo()
    assert Sightline.collections(index) == []
    assert [path.name for path in (index / "collections").iterdir()] != []
    with pytest.raises(NotFound):
        Sightline.open(index, create=False)
    assert list((index / "collections").iterdir()) == []


def test_a_deletion_killed_before_the_first_step_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _made(tmp_path)
    with Sightline.open(tmp_path) as opened:
        monkeypatch.setattr(places, "bury", _dies)
        with pytest.raises(_Killed):
            opened.erase()
    with Sightline.open(tmp_path, create=False) as opened:
        assert opened._ledger.passport() is not None


def test_what_is_kept_on_a_server_is_deleted_before_its_name_is_used_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _made(tmp_path, store="qdrant:http://127.0.0.1:9")  # nobody listens there
    places.bury(places.collection_folder(tmp_path, "default"))
    with pytest.raises(ConfigError, match="no usable Qdrant server"):
        Sightline.open(tmp_path)
    with Sightline.open(tmp_path, collection="other"):
        assert Sightline.collections(tmp_path) == ["other"]

    dropped = []

    class Server:
        def drop(self) -> None:
            dropped.append(True)

    def open_store(spec: str, _path: Path, *, collection: str) -> Server:
        assert (spec, collection) == ("qdrant:http://127.0.0.1:9", "default")
        return Server()

    monkeypatch.setattr(places, "open_store", open_store)
    with pytest.raises(NotFound):
        Sightline.open(tmp_path, create=False)
    assert dropped == [True]
    assert [path.name for path in (tmp_path / "collections").iterdir()] == ["other"]


def test_a_folder_that_was_not_made_whole_is_no_collection(tmp_path: Path) -> None:
    (tmp_path / "collections" / "default").mkdir(parents=True)
    assert Sightline.collections(tmp_path) == []
    with pytest.raises(NotFound):
        Sightline.open(tmp_path, create=False)
    Sightline.open(tmp_path).close()
    assert Sightline.collections(tmp_path) == NAMES


def test_a_collection_deleted_while_it_is_opened_is_not_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _made(tmp_path)
    passport: Callable[[Ledger], Any] = Ledger.passport

    def too_late(ledger: Ledger) -> Any:
        monkeypatch.undo()
        found = passport(ledger)
        Sightline.drop(tmp_path, "default")
        return found

    monkeypatch.setattr(Ledger, "passport", too_late)
    with pytest.raises(NotFound, match="deleted while it was being opened"):
        Sightline.open(tmp_path)
    assert Sightline.collections(tmp_path) == []


def test_the_names_of_folders_are_on_disk_before_anything_is_in_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    sync = disk.sync
    monkeypatch.setattr(disk, "sync", lambda path: (synced.append(path.name), sync(path)))
    with Sightline.open(tmp_path / "index") as opened:
        assert synced == [tmp_path.name, "index", "collections"]
        synced.clear()
        opened.erase()
        assert synced == ["collections"]


def test_many_open_a_collection_that_is_not_there_at_once(tmp_path: Path) -> None:
    start, wrong = threading.Barrier(6), []

    def open_one() -> None:
        start.wait()
        try:
            Sightline.open(tmp_path / "index").close()
        except SightlineError as exc:
            wrong.append(str(exc))

    threads = [threading.Thread(target=open_one) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_collection_made_while_one_of_its_name_is_deleted_is_there_or_not(tmp_path: Path) -> None:
    shelf, wrong = Shelf(Settings(index=tmp_path)), []

    def make() -> None:
        for _ in range(30):
            shelf.make("shop")

    def drop() -> None:
        for _ in range(30):
            try:
                shelf.drop("shop")
            except NotFound:
                continue

    def guarded(work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as exc:  # noqa: BLE001  # a thread's failure is the test's
            wrong.append(repr(exc))

    threads = [threading.Thread(target=guarded, args=(work,)) for work in (make, drop)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    shelf.make("shop")
    with shelf.using("shop") as opened:
        assert opened.info()["items"] == 0
    shelf.close()
    assert [path.name for path in (tmp_path / "collections").iterdir()] == ["shop"]
