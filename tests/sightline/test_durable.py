"""Files with a write-ahead log: who opens one that another is opening waits instead of failing."""

from __future__ import annotations

import errno
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from indexer.ledger import FILE, Ledger
from sightline import disk, durable, places
from sightline.errors import ConfigError, EngineError
from sightline.stores.database import Database

ROOT = Path(__file__).parents[2]


@pytest.fixture
def held(tmp_path: Path) -> tuple[Path, sqlite3.Connection]:
    """A new file, and a connection that lets nobody else at it."""
    path = tmp_path / "new.db"
    holder = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    holder.execute("BEGIN EXCLUSIVE")
    return path, holder


def test_waits_for_one_who_makes_the_file(held: tuple[Path, sqlite3.Connection]) -> None:
    path, holder = held
    waiting = sqlite3.connect(path, timeout=0, isolation_level=None)
    threading.Timer(0.2, holder.close).start()
    durable.write_ahead(waiting, wait_s=30)
    assert waiting.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    waiting.close()


def test_does_not_wait_for_ever(held: tuple[Path, sqlite3.Connection]) -> None:
    path, holder = held
    waiting = sqlite3.connect(path, timeout=0, isolation_level=None)
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        durable.write_ahead(waiting, wait_s=0.1)
    waiting.close()
    holder.close()


def test_what_fails_otherwise_fails_at_once(tmp_path: Path) -> None:
    path = tmp_path / "no.db"
    path.write_bytes(b"not a database at all" * 100)
    connection = sqlite3.connect(path, isolation_level=None)
    with pytest.raises(sqlite3.DatabaseError, match="not a database"):
        durable.write_ahead(connection, wait_s=30)
    connection.close()


def test_what_is_committed_is_on_disk(tmp_path: Path) -> None:
    connection = durable.connect(tmp_path / "a.db", wait_s=1)
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
    assert connection.execute("PRAGMA fullfsync").fetchone() == (1,)
    connection.close()


def test_a_log_of_another_collection_is_never_taken_for_its_own(tmp_path: Path) -> None:
    """A folder moved away by whoever has it alone, and another made in its place before the block is left."""
    folder, grave = tmp_path / "here", tmp_path / "grave"
    folder.mkdir()
    Ledger(folder).close()
    with durable.alone(folder / FILE) as alone:
        assert alone
        folder.rename(grave)
        folder.mkdir()
        other = Ledger(folder)
        other.note("kept", "yes")
    assert other.noted("kept") == "yes"
    other.close()
    with closing(Ledger(folder)) as again:
        assert again.noted("kept") == "yes"


def test_a_folder_stays_while_its_files_are_opened(tmp_path: Path) -> None:
    folder, grave, moved = tmp_path / "here", tmp_path / "grave", threading.Event()
    folder.mkdir()

    def move() -> None:
        with disk.holding(folder):
            folder.rename(grave)
            moved.set()

    thread = threading.Thread(target=move)
    with disk.staying(folder):
        thread.start()
        assert not moved.wait(0.2)
    thread.join()
    assert moved.is_set()
    with pytest.raises(FileNotFoundError), disk.staying(folder):
        pass


def test_who_waits_for_a_folder_gets_the_one_that_is_there_then(tmp_path: Path) -> None:
    folder, grave, seen = tmp_path / "here", tmp_path / "grave", []
    folder.mkdir()

    def enter() -> None:
        with disk.staying(folder):
            seen.append((folder / "name").read_text())

    with disk.holding(folder):
        thread = threading.Thread(target=enter)
        thread.start()
        time.sleep(0.1)
        folder.rename(grave)
        (grave / "name").write_text("old")
        folder.mkdir()
        (folder / "name").write_text("new")
    thread.join()
    assert seen == ["new"]


FORKED = """
import os, signal, sys, time
from pathlib import Path
from sightline import disk
folder = Path(sys.argv[1])
disk.HOLD_WAIT_S = 1.0
with disk.staying(folder):
    leaves, lives = os.fork(), -1
    if leaves and not (lives := os.fork()):
        time.sleep(60)
if not leaves:
    os._exit(0)
try:
    assert os.waitpid(leaves, 0)[1] == 0
    with disk.holding(folder):
        os.kill(lives, 0)
finally:
    os.kill(lives, signal.SIGKILL)
"""


def test_a_child_forked_while_files_are_opened_does_not_keep_their_folder(tmp_path: Path) -> None:
    """One child leaves the block and ends well, another lives on in it."""
    done = subprocess.run(
        [sys.executable, "-c", FORKED, tmp_path], cwd=ROOT, capture_output=True, text=True, timeout=30, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_folder_is_not_waited_for_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.setattr(disk, "HOLD_WAIT_S", 0.1)
    with disk.staying(folder):
        with pytest.raises(ConfigError, match=r"cannot delete .*here: another process is just opening it; try again"):
            places.bury(folder)
        with pytest.raises(ConfigError, match=r"cannot put a collection at .*: another process is just opening it"):
            places.replace(folder, tmp_path / ".restored-here-1")
    assert folder.is_dir()
    places.bury(folder)


def test_a_folder_that_is_held_is_not_waited_for_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "STAY_WAIT_S", 0.1)
    folder = tmp_path / "here"
    folder.mkdir()
    with disk.holding(folder):
        with pytest.raises(ConfigError, match=r"cannot use the folder .*here: another process is just moving"):
            Database(folder / "store.db")
        with pytest.raises(ConfigError, match=r"here/ledger.db: cannot be used: another process is just moving it"):
            Ledger(folder)
    Database(folder / "store.db").close()


def test_a_file_that_cannot_be_written_anew_is_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    database = Database(tmp_path / "store.db")

    def failing(_: Path) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(shutil, "disk_usage", failing)
        with pytest.raises(EngineError, match=r"cannot write .*store.db anew: Input/output error. Nothing was changed"):
            database.rewrite()
    database.rewrite()
    database.close()
