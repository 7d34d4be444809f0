"""`Sightline.compact`, by itself or when asked, and the proof that deleted means gone."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import signal
import sqlite3
import sys
import tempfile
import threading
import time
from multiprocessing.connection import Connection
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

import pytest

from sightline import compacting, disk, scanning, vacuum
from sightline.errors import EngineError
from sightline.stores.qdrant import edge_compact
from sightline.stores.qdrant.edge import EdgeEngine
from sightline.types import StoreStats
from tests.soak.shop import BATCH, Opened, Shop, name, word

ROWS = 14
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["tests.soak.shop", "sightline.stores.qdrant.edge"])


class Filled(NamedTuple):
    """A collection of a shop; `gone` was deleted, `replaced` was updated, `kept` is as it was."""

    shop: Shop
    index: Path
    store: str
    gone: int = 7
    replaced: int = 2
    kept: int = 11

    def open(self) -> Opened:
        return Opened.open(self.index, store=self.store, batch_size=BATCH)


@pytest.fixture(params=["faiss", "qdrant"])
def filled(request: pytest.FixtureRequest, tmp_path: Path) -> Filled:
    shop = Shop(tmp_path)
    made = Filled(shop, tmp_path / "index", request.param)
    with made.open() as index:
        shop.write(dict.fromkeys(range(ROWS), 0))
        index.add(shop.catalog)
        shop.write({number: 2 * (number == made.replaced) for number in range(ROWS)})
        index.add(shop.catalog)
        index.delete([name(made.gone)])
    return made


def test_what_was_deleted_is_in_no_file(filled: Filled) -> None:
    with filled.open() as index:
        sought = [name(filled.gone), word(filled.gone, 0), word(filled.replaced, 0)]
        before = index.compactions.proof(sought)
        assert not before.clean
        assert any("parts were deleted" in one or "points were deleted" in one for one in before.remains.left)
        assert "the ledger has 1 deleted items on record" in before.remains.left
        assert any(repr(name(filled.gone)) in one for one in before.remains.left)
        shown = [part.digest for part in index.get(name(filled.kept)).parts if part.modality == "image"]
        report = index.compact()
        assert (report.forgotten, report.removed > 0) == (1, True)
        assert json.dumps(report.to_json())
        after = index.compactions.proof(sought)
        assert after.clean, after.remains.left
        assert all(index._ledger.thumbnail(digest) for digest in shown)
        assert [seen.item_id for seen in index._ledger.register.sources() if seen.outcome == "deleted"] == []
        again = index.add(filled.shop.catalog, prune=True)
        assert (again.added, again.unchanged, again.updated) == (1, ROWS - 1, 0)  # its row is in the catalog still


def test_an_id_that_is_there_is_not_gone(filled: Filled) -> None:
    with filled.open() as index:
        index.compact()
        told = index.compactions.proof([name(filled.kept)]).remains.left
        kept = name(filled.kept)
        assert told == (f"{kept!r} was not deleted: it is in the collection, until `sightline delete {kept}`",)
        assert index.compactions.proof([name(filled.kept)[:-1]]).clean  # part of ids that are there, and nothing else
        mentioned = index.compactions.proof(["version"]).remains  # in every title
        assert mentioned.left == ()
        assert "is also said by items that are there" in mentioned.unseen[0]


def test_snapshots_are_told_and_left(filled: Filled) -> None:
    with filled.open() as index:
        index.transfer.snapshot("older")
        assert index.compact().snapshots == ("older",)
        proof = index.compactions.proof([name(filled.gone)])
        assert proof.clean
        assert proof.snapshots[0].startswith("older of ")
        assert proof.snapshots[0].endswith(f"still holds {name(filled.gone)!r}: `sightline snapshot --remove older`")


def test_a_short_id_is_not_taken_for_what_stands_within_digests(tmp_path: Path) -> None:
    with Opened.open(tmp_path, store="faiss") as index:
        index.add(
            *(
                {"id": one, "title": f"a lamp {at}"}
                for at, one in enumerate(["17", "a", "042", *map(str, range(900, 999))])
            )
        )
        index.delete(["17", "a"])
        assert not index.compactions.proof(["17"]).clean
        index.compact()
        assert index.compactions.proof(["17", "a"]).clean
        assert not index.compactions.proof(["042"]).clean


def test_an_interrupted_deletion_is_ended(filled: Filled) -> None:
    with filled.open() as index:
        index._ledger.doubt([name(filled.kept)])
        index._store.delete([name(filled.kept)])  # and here the process was killed
        assert "1 items were begun, to be added or deleted, and not ended" in index.compactions.proof().remains.left
        assert index.compact().forgotten == 2
        assert index.compactions.proof([name(filled.kept)]).clean
        assert name(filled.kept) not in index._ledger.ids()


def test_orphans_in_the_ledger_go(filled: Filled) -> None:
    with filled.open() as index:
        with index._ledger._writing() as db:
            db.execute("INSERT INTO thumbnails VALUES ('nobody', x'ff')")
            db.execute("INSERT INTO pictures VALUES ('nobody', 'nothing')")
            db.execute("INSERT INTO readings (source, since, until) VALUES ('/once/upon', 1, 2)")
        left = " ".join(index.compactions.proof().remains.left)
        assert all(f"1 {what}" in left for what in ("thumbnails", "pictures", "readings"))
        index.compact()
        assert index.compactions.proof().clean


def test_info_says_how_much_is_dead(filled: Filled) -> None:
    with filled.open() as index:
        before = index.info()
        assert before["removed"] > 0
        assert 0 < before["bytes_removed"] < before["bytes_disk"]
        index.compact()
        after = index.info()
        assert (after["removed"], after["bytes_removed"]) == (0, 0)


# -- by itself ---------------------------------------------------------------------------------------------------------


def _stats(parts: int, removed: int, size: int) -> StoreStats:
    return StoreStats(parts, parts, parts, 0, size, "", removed=removed)


def test_when_it_is_due() -> None:
    assert compacting.is_due(_stats(300, 100, 200_000_000))
    assert not compacting.is_due(_stats(301, 100, 200_000_000))  # too small a share
    assert not compacting.is_due(_stats(300, 100, 100_000_000))  # too little room
    assert not compacting.is_due(_stats(0, 0, 0))


@pytest.mark.parametrize("wanted", [True, False])
def test_after_writing_it_is_done_by_itself(filled: Filled, wanted: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compacting, "LEAST_BYTES", 1)
    monkeypatch.setenv("SIGHTLINE_AUTO_COMPACT", str(wanted))
    with filled.open() as index:
        index.delete([name(number) for number in range(6)])
    with filled.open() as index:
        assert (index.info()["removed"] == 0) == wanted
        assert index.compactions.proof().clean == wanted


def test_of_small_and_of_large_collections_it_is_not_even_asked(
    filled: Filled, monkeypatch: pytest.MonkeyPatch
) -> None:
    with filled.open() as index:
        monkeypatch.setattr(compacting, "is_due", lambda _: pytest.fail("asked"))
        index.delete([name(0)])
        index.compactions.finish()  # less than LEAST_BYTES in all
        monkeypatch.setattr(compacting, "LEAST_BYTES", 1)
        monkeypatch.setattr(compacting, "MOST_BYTES", 2)
        monkeypatch.setattr(compacting, "LOOK_EVERY_S", 0.0)
        index.delete([name(1)])
        index.compactions.finish()
        assert index.info()["removed"] > 0


def test_while_one_is_looking_no_other_does(filled: Filled, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compacting, "LEAST_BYTES", 1)
    monkeypatch.setattr(compacting, "LOOK_EVERY_S", 0.0)
    go_on, begun = threading.Event(), list[str]()
    with filled.open() as index:
        real = index.compactions.now

        def now() -> Any:
            begun.append("")
            go_on.wait(60)
            return real()

        monkeypatch.setattr(index.compactions, "now", now)
        for number in range(6):
            index.delete([name(number)])
        go_on.set()
        index.compactions.finish()
        assert begun == [""]
        assert index.info()["removed"] == 0


def test_who_closes_an_index_while_it_is_at_it_reads_in_the_log_why_that_takes_long(
    filled: Filled, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(compacting, "LEAST_BYTES", 1)
    monkeypatch.setattr(compacting, "TELL_EVERY_S", 0.01)
    monkeypatch.setattr(compacting, "LOG_AFTER_S", 0.05)
    with filled.open() as index:
        real = index.compactions.now

        closing = threading.Event()

        def slowly() -> Any:
            closing.wait(60)
            time.sleep(0.3)
            return real()

        monkeypatch.setattr(index.compactions, "now", slowly)
        index.delete([name(number) for number in range(6)])
        assert caplog.messages == []
        closing.set()
    told = [one.getMessage() for one in caplog.records if one.levelname == "WARNING"]
    first = "waiting until what was deleted is gone for good (auto_compact=False leaves it to compact"
    assert [one for one in told if one.startswith(first)], told


def test_by_itself_it_gives_way_to_another_writer(filled: Filled, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compacting, "LEAST_BYTES", 1)
    monkeypatch.setattr("sightline.lock.LOCK_WAIT_S", 0.05)
    with filled.open() as index:
        holding = threading.Event()
        monkeypatch.setattr(index.compactions, "_writing", lambda: _refused(holding))
        index.delete([name(number) for number in range(6)])
        index.compactions.finish()
        assert holding.is_set()
        assert index.info()["removed"] > 0  # not done, and nobody was told of a failure


def _refused(asked: threading.Event) -> Any:
    from sightline.errors import ConfigError

    asked.set()
    raise ConfigError("is being written by another process")


# -- what can go wrong -------------------------------------------------------------------------------------------------


def test_too_little_room_is_said_and_nothing_lost(filled: Filled, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(filled.index)
    narrow = type(usage)(usage.total, usage.total - 1_000_000, 1_000_000)
    with filled.open() as index:
        with monkeypatch.context() as patched:
            patched.setattr(shutil, "disk_usage", lambda _: narrow)
            with pytest.raises(EngineError, match=r"takes \d+ MB free in .*, and there are 1 MB|needs [\d,]+ MB of it"):
                index.compact()
        assert index.get(name(filled.kept)).id == name(filled.kept)
        index.compact()
        assert index.compactions.proof([name(filled.gone)]).clean


def test_a_reader_that_holds_on_is_told_of(filled: Filled, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vacuum, "PATIENCE_S", 0.2)
    with filled.open() as index:
        reader = sqlite3.connect(index.folder / "ledger.db", isolation_level=None)
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM meta").fetchall()
        with pytest.raises(EngineError, match="without a pause"):
            index.compact()
        reader.close()
        index.compact()
        assert index.compactions.proof([name(filled.gone)]).clean


# -- killed while the folder of an embedded Qdrant is changed over -----------------------------------------------------


SWAP = [EdgeEngine._change_over, edge_compact.change_over, edge_compact.recover, edge_compact.clear, disk.move]
CODES = {function.__code__ for function in SWAP}


def _compact(filled: Filled, kill_at: int, said: Connection) -> None:
    """Compact, and die at so manieth a line of the change-over; say how many there were."""
    run, begun = 0, False

    def on_line(_frame: FrameType, event: str, _argument: Any) -> Any:
        nonlocal run
        if event == "line":
            run += 1
            if run == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)
        return on_line

    def on_call(frame: FrameType, _event: str, _argument: Any) -> Any:
        nonlocal begun
        begun = begun or frame.f_code is EdgeEngine._change_over.__code__  # what comes before is the copy's own opening
        return on_line if begun and frame.f_code in CODES else None

    index = filled.open()
    sys.settrace(on_call)
    index.compact()
    sys.settrace(None)
    index.close()
    said.send(run)


def _attempt(filled: Filled, kill_at: int) -> int:
    """How many lines were run; 0 where it was killed."""
    here, there = PROCESSES.Pipe(duplex=False)
    process = PROCESSES.Process(target=_compact, args=(filled, kill_at, there))
    process.start()
    there.close()
    process.join()
    assert process.exitcode in (0, -signal.SIGKILL)
    return here.recv() if process.exitcode == 0 else 0


def test_killed_anywhere_in_the_change_over_it_is_whole() -> None:
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # what is tested here is not the disk
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        shop = Shop(Path(folder))
        made = Filled(shop, Path(folder) / "made", "qdrant")
        shop.write(dict.fromkeys(range(6), 0))
        with made.open() as index:
            index.add(shop.catalog)
            index.delete([name(3)])
        lines = _attempt(made._replace(index=_copied(made.index, "undisturbed")), 0)
        assert lines >= 10
        for line in range(1, lines + 1):
            copy = made._replace(index=_copied(made.index, str(line)))
            assert _attempt(copy, line) == 0
            with copy.open() as index:
                assert index.info()["items"] == 5
                assert index.get(name(2)).id == name(2)
                assert [hit.item_id for hit in index._store.search_text(word(4, 0), 9)] == [name(4)]
            beside = {path.name for path in index.folder.iterdir() if path.name.startswith("qdrant")}
            assert beside == {"qdrant", "qdrant.lock"}
            shutil.rmtree(copy.index)


def _copied(index: Path, end: str) -> Path:
    return Path(shutil.copytree(index, index.with_name(end)))


def test_bytes_are_found_wherever_they_are_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "file"
    with file.open("wb") as out:
        out.write(b"here at the start")
        out.seek(1_000_000)  # a hole
        out.write(b"and here")
    assert [at for at, _, _ in scanning.places(file, b"here")] == [0, 1_000_004]
    assert list(scanning.places(file, b"nowhere")) == []
    assert list(scanning.places(tmp_path / "absent", b"here")) == []
    (tmp_path / "empty").touch()
    assert list(scanning.places(tmp_path / "empty", b"here")) == []
    assert scanning.forms('a"ü') == ['a"ü'.encode(), b'a\\"\\u00fc', 'a\\"ü'.encode()]
