"""Collections are made and deleted whole: whatever is killed, whoever comes at the same time."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from indexer import Ledger, Passport
from service.shelf import Shelf
from sightline import Sightline, disk, engine, places
from sightline.errors import ConfigError, NotFound, SightlineError
from sightline.settings import Settings
from sightline.stores import faiss_build
from sightline.stores.qdrant import edge
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


# -- what fails the first time


@contextmanager
def _failing(index: Path) -> Iterator[None]:
    """A command whose block fails at its end."""
    with suppress(_Killed), places.on_trial(index, "default"):
        yield
        raise _Killed


class _Store:
    """A store that has only been opened."""

    def close(self) -> None:
        pass

    def ask_by(self, _: object) -> None:
        pass


@pytest.mark.parametrize("store", ["qdrat", "qdrant:http://127.0.0.1:9"])
def test_what_cannot_be_opened_leaves_nothing_behind(tmp_path: Path, store: str) -> None:
    with pytest.raises(ConfigError):
        Sightline.open(tmp_path / "new" / "index", store=store)
    assert list(tmp_path.iterdir()) == []


def test_only_what_was_made_for_it_goes_again(tmp_path: Path) -> None:
    (tmp_path / "index").mkdir()
    (tmp_path / "index" / "mine.txt").write_text("kept")
    with pytest.raises(ConfigError):
        Sightline.open(tmp_path / "index", store="qdrat")
    assert [path.name for path in tmp_path.rglob("*")] == ["index", "mine.txt"]
    Sightline.open(tmp_path / "index", collection="other").close()
    with pytest.raises(ConfigError):
        Sightline.open(tmp_path / "index", store="qdrat")
    assert Sightline.collections(tmp_path / "index") == ["other"]
    with pytest.raises(ConfigError):
        Sightline.open(tmp_path / "index", collection="other", store="qdrat")
    assert Sightline.collections(tmp_path / "index") == ["other"]


def test_what_another_has_open_stays(tmp_path: Path) -> None:
    index = tmp_path / "index"
    with ExitStack() as left:
        with _failing(index):
            Sightline.open(index).close()
            another = left.enter_context(Sightline.open(index))
        assert another.add({"id": "mug", "title": "a mug"}).added == 1
    with Sightline.open(index, create=False) as opened:
        assert opened.info()["items"] == 1


def test_what_another_process_has_open_stays(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom sightline import Sightline\n"
        "with Sightline.open(sys.argv[1]) as opened:\n"
        "    print('open', flush=True)\n    sys.stdin.readline()\n"
        "    print(opened.add({'id': 'mug', 'title': 'mug'}).added)"
    )
    with _failing(tmp_path / "index"):
        Sightline.open(tmp_path / "index").close()
        argv = [sys.executable, "-c", code, str(tmp_path / "index")]
        other = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert other.stdout is not None
        assert other.stdout.readline() == "open\n"
    assert other.communicate("go on\n")[0] == "1\n"
    with Sightline.open(tmp_path / "index", create=False) as opened:
        assert opened.info()["items"] == 1


def test_what_has_items_stays(tmp_path: Path) -> None:
    with _failing(tmp_path / "index"), Sightline.open(tmp_path / "index") as opened:
        opened.add({"id": "mug", "title": "a mug"})
    with Sightline.open(tmp_path / "index", create=False) as opened:
        assert opened.info()["items"] == 1
        rows = opened._ledger._rows("PRAGMA journal_mode")
        assert rows == [("wal",)]


def test_many_first_commands_that_fail_beside_one_that_does_not(tmp_path: Path) -> None:
    start, wrong = threading.Barrier(5), []

    def fail() -> None:
        start.wait()
        for _ in range(8):
            try:
                Sightline.open(tmp_path / "index", store="qdrat")
            except SightlineError as exc:
                if "qdrat" not in str(exc):
                    wrong.append(str(exc))

    def succeed() -> None:
        start.wait()
        for number in range(8):
            with Sightline.open(tmp_path / "index") as opened:
                opened.add({"id": str(number), "title": "a mug"})

    threads = [threading.Thread(target=work) for work in (fail, fail, fail, fail, succeed)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    with Sightline.open(tmp_path / "index", create=False) as opened:
        assert opened.info()["items"] == 8


def test_an_empty_collection_on_a_server_goes_with_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dropped: list[str] = []

    class Server(_Store):
        def drop(self) -> None:
            dropped.append("dropped")

    def open_store(spec: str, _path: Path, *, collection: str) -> Server:
        assert (spec, collection) == ("qdrant:http://shop:6333", "default")
        return Server()

    monkeypatch.setattr(engine, "open_store", open_store)
    monkeypatch.setattr(places, "open_store", open_store)
    with _failing(tmp_path / "index"):
        Sightline.open(tmp_path / "index", store="qdrant:http://shop:6333").close()
    assert dropped == ["dropped"]
    assert list(tmp_path.iterdir()) == []


def test_the_store_a_collection_was_made_with_is_taken_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Sightline.open(tmp_path, store="qdrant").close()
    with Sightline.open(tmp_path) as opened:
        assert opened.info()["store"] == "qdrant"
        opened.add({"id": "mug", "title": "a mug"})
    asked: list[str] = []
    monkeypatch.setattr(engine, "open_store", lambda spec, _, *, collection: asked.append(spec) or _Store())
    Sightline.open(tmp_path, collection="far", store="qdrant:http://shop:6333?shards=2").close()
    Sightline.open(tmp_path, collection="far").close()
    assert asked == ["qdrant:http://shop:6333?shards=2", "qdrant:http://shop:6333"]


def test_a_collection_of_a_server_nobody_knows_any_more_is_not_begun_elsewhere(tmp_path: Path) -> None:
    Sightline.open(tmp_path).close()
    with Sightline.open(tmp_path) as opened:
        opened._ledger.note("store", "")
        (opened.folder / "qdrant_server.json").write_text("{}")
    with pytest.raises(ConfigError, match="say it with --store"):
        Sightline.open(tmp_path)


@pytest.mark.parametrize("store", ["faiss", "qdrant"])
def test_nothing_is_built_for_what_is_deleted(store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Sightline.open(tmp_path, store=store) as opened:
        opened.add({"id": "mug", "title": "a mug"})
        opened.add({"id": "cup", "title": "a cup"})
        monkeypatch.setattr(faiss_build, "is_due", lambda *_: pytest.fail("it was asked whether an index is due"))
        monkeypatch.setattr(edge, "_has_room", lambda *_, **__: pytest.fail("a graph was to be built"))
        opened.erase()
    assert Sightline.collections(tmp_path) == []
