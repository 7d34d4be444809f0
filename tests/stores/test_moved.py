"""A store whose file another process deleted, or put another in place of, says so and never mixes the two."""

from __future__ import annotations

import contextlib
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from sightline import disk
from sightline.errors import ConfigError, NotFound
from sightline.stores import database
from sightline.stores.database import Database
from sightline.stores.faiss import FaissStore
from tests.stores.writer import SPACE, numbered


def _search(store: FaissStore) -> object:
    """What a search in another thread comes to: hits, or that the collection is gone."""
    found: list[object] = []

    def search() -> None:
        try:
            found.append(store.search(SPACE, numbered(0)[1][0].vectors, 1))
        except NotFound as exc:
            found.append(exc)

    thread = threading.Thread(target=search, daemon=True)
    thread.start()
    thread.join(10)
    assert not thread.is_alive(), "the search never ends"
    return found[0]


@pytest.mark.parametrize("again", [True, False], ids=["made again", "deleted"])
def test_a_file_that_is_no_longer_the_same_is_refused(again: bool, tmp_path: Path) -> None:
    folder = tmp_path / "written"
    old = FaissStore(folder)
    for _ in range(3):
        old.upsert(*numbered(0))
    assert old.search(SPACE, numbered(0)[1][0].vectors, 1)[0][0].item_id == "item-00000"
    with old._database.reading():  # the only idle connection: another search asks for one more
        folder.rename(tmp_path / "away")
        if again:
            new = FaissStore(folder)
            new.upsert(*numbered(1))
        errors = [_search(old)]
    errors.append(_search(old))  # with the connection that it had
    for error in errors:
        assert isinstance(error, NotFound)
        assert f"{folder} is gone" in str(error)
    old.close()
    if again:  # closing the old one did not touch the new one's files
        assert [item.id for item in new.get(["item-00001"])] == ["item-00001"]
        new.close()
        reopened = FaissStore(folder)
        assert reopened.stats().items == 1
        reopened.close()
    else:
        assert not folder.exists()
    shutil.rmtree(tmp_path / "away")


def test_a_folder_that_leaves_before_its_files_are_opened_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "make_folder", lambda folder: None)
    with pytest.raises(ConfigError, match=r"cannot use the folder .*gone: No such file"):
        Database(tmp_path / "gone" / "index.db")


def test_a_log_is_not_emptied_of_a_folder_that_left(tmp_path: Path) -> None:
    made = Database(tmp_path / "here" / "index.db")
    (tmp_path / "here").rename(tmp_path / "away")
    with pytest.raises(ConfigError, match=r"cannot use the folder .*here: No such file"):
        made.empty_log()
    with pytest.raises(NotFound), made.reading():
        pass
    made.close()


def test_a_file_that_comes_once_another_was_opened_is_not_taken_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, others, calls = tmp_path / "here", list[Database](), list[Path]()

    @contextlib.contextmanager
    def then_moved(path: Path) -> Iterator[None]:
        calls.append(path)
        first = len(calls) == 1
        with disk.staying(path):
            yield
        if first:
            folder.rename(tmp_path / "away")
            others.append(Database(folder / "index.db"))

    monkeypatch.setattr(database, "staying", then_moved)
    made = Database(folder / "index.db")
    with pytest.raises(NotFound), made.reading():
        pass
    for one in (made, *others):
        one.close()
