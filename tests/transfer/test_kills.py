"""Import, snapshot and restore killed with SIGKILL, by line and by the clock: what is left is old or new, whole.

Lines are drawn from a seed; where the clock hits is up to the machine.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random

import pytest

from sightline import disk, places
from sightline.transfer import restore, snapshots
from sightline.transfer.manifest import check_files
from sightline.transfer.snapshots import manifest_of
from tests.soak.attempts import PATIENCE_S, PROCESSES, _Lines
from tests.transfer.collections import Contents, contents, opened, shop

BY_LINE, BY_CLOCK = 4, 2  # kills of each operation on each store
Work = Callable[[Path], object]


def attempt(work: Work, folder: Path, *, die_at: int | None = None, kill_after_s: float | None = None) -> int:
    """Do it in a process of its own; the lines of ours that it ran, 0 where it was killed."""
    here, there = PROCESSES.Pipe(duplex=False)
    process = PROCESSES.Process(target=_attempt, args=(work, folder, die_at, there))
    process.start()
    there.close()
    try:
        assert here.recv() == "ready"
        told = here.poll(PATIENCE_S if kill_after_s is None else kill_after_s)
        process.kill()
        return int(here.recv()) if told else 0
    except EOFError:
        return 0
    finally:
        process.join()
        here.close()
        assert process.exitcode in (0, -signal.SIGKILL)


def _attempt(work: Work, folder: Path, die_at: int | None, said: Connection) -> None:
    lines = _Lines(die_at)
    said.send("ready")
    threading.settrace(lines)
    sys.settrace(lines)
    work(folder)
    sys.settrace(None)
    threading.settrace(None)  # type: ignore[arg-type]
    said.send(lines.run)


def import_it(folder: Path) -> None:
    with opened(folder / "index") as index:
        index.transfer.take_in(folder / "export")


def snapshot_it(folder: Path) -> None:
    with opened(folder / "index") as index:
        index.transfer.snapshot("second")


def restore_it(folder: Path) -> None:
    restore(folder / "index", "default", "first", force=True)


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A folder in memory where the system has one: what a process is killed in survives there, too."""
    shm = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=shm if os.access(shm, os.W_OK) else None) as folder:
        yield Path(folder)


@pytest.fixture(params=["faiss", "qdrant"])
def prepared(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """An index with a snapshot of before, and an export that overwrites half of it and adds as much."""
    source = shop(tmp_path / "shop", 5)
    with opened(tmp_path / "index", request.param) as index:
        index.add(source)
        index.transfer.snapshot("first")
        index.delete(["0.png", "1.txt"])
        index.add({"id": "2.txt", "title": "Written since", "price": 7}, {"id": "mine", "title": "Mine alone"})
    with opened(tmp_path / "made") as made:
        made.add({"id": "2.txt", "title": "From elsewhere"}, {"id": "theirs", "title": "Theirs alone"})
        made.add(source, prefix="more/")
        made.transfer.export(tmp_path / "export")
    shutil.rmtree(tmp_path / "made")
    return tmp_path


Moment = dict[str, int | float]


def kills(work: Work, prepared: Path) -> Iterator[tuple[Path, Moment]]:
    """Copies of what was prepared, one after the other, in each of which the work was killed at some moment."""
    whole = _copied(prepared, "whole")
    started = time.monotonic()
    lines = attempt(work, whole)
    seconds = (time.monotonic() - started) / 2  # counting lines takes about twice the time
    assert lines > 100
    rng = Random(11)
    moments: list[Moment] = [{"die_at": rng.randrange(1, lines)} for _ in range(BY_LINE)]
    moments += [{"kill_after_s": rng.random() * seconds} for _ in range(BY_CLOCK)]
    for number, moment in enumerate(moments):
        folder = _copied(prepared, f"kill-{number}")
        attempt(work, folder, **moment)  # type: ignore[arg-type]
        yield folder, moment
        shutil.rmtree(folder)


def _copied(prepared: Path, name: str) -> Path:
    folder = prepared / name
    folder.mkdir()
    disk.copy_tree(prepared / "index", folder / "index")
    (folder / "export").symlink_to(prepared / "export")
    return folder


def done(work: Work, prepared: Path) -> Contents:
    """What the work makes of it when it is let be."""
    folder = _copied(prepared, "done")
    work(folder)
    with opened(folder / "index") as index:
        found = contents(index)
    shutil.rmtree(folder)
    return found


def test_a_killed_import_leaves_each_item_whole_and_goes_on(prepared: Path) -> None:
    with opened(prepared / "index") as index:
        old = contents(index)
    new = done(import_it, prepared)
    assert len(new) == len(old) + 11
    for folder, moment in kills(import_it, prepared):
        with opened(folder / "index") as index:
            left = contents(index)
            assert {"mine", "3.png"} <= left.keys() <= new.keys()
            for name, (item, vectors, record, _) in left.items():
                was = [side[name] for side in (old, new) if name in side]
                assert any((item, vectors) == (one[0], one[1]) for one in was), (moment, name)
                assert record is None or record.digest in ("", item.digest)
        import_it(folder)
        with opened(folder / "index") as index:
            assert contents(index) == new
            assert index.add(prepared / "shop", prefix="more/").unchanged == 10


def test_a_killed_snapshot_is_there_whole_or_not_at_all(prepared: Path) -> None:
    with opened(prepared / "index") as index:
        before = contents(index)
    whole = 0
    for folder, _ in kills(snapshot_it, prepared):
        place = folder / "index" / "snapshots" / "default" / "second"
        if place.exists():
            whole += 1
            check_files(place, manifest_of(place))
        else:
            snapshot_it(folder)
        assert [one.name for one in snapshots(folder / "index", "default") if not one.problem] == ["first", "second"]
        with opened(folder / "index") as index:
            assert contents(index) == before
            index.transfer.snapshot("third")
        assert sorted(path.name for path in place.parent.iterdir()) == ["first", "second", "third"]
        restore(folder / "index", "default", "second", into="again")
        with opened(folder / "index", collection="again") as index:
            assert contents(index) == before
    assert whole < BY_LINE + BY_CLOCK


def test_a_killed_restore_leaves_the_old_or_the_restored_collection(prepared: Path) -> None:
    with opened(prepared / "index") as index:
        old = contents(index)
    new = done(restore_it, prepared)
    assert old != new
    for folder, moment in kills(restore_it, prepared):
        with opened(folder / "index", create=False) as index:
            assert contents(index) in (old, new), moment
        assert [path.name for path in (folder / "index" / "collections").iterdir()] == ["default"]
        restore_it(folder)
        with opened(folder / "index", create=False) as index:
            assert contents(index) == new


@pytest.mark.parametrize("step", range(4))
def test_a_restore_that_stops_between_any_two_steps_is_finished_by_the_next_to_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    class Stopped(BaseException):
        pass

    with opened(tmp_path / "index") as index:
        index.add({"id": "a", "title": "Then"})
        index.transfer.snapshot("first")
        index.add({"id": "b", "title": "Since"})
    done = []

    def counted(real: Callable[..., object]) -> Callable[..., object]:
        def call(*arguments: object) -> object:
            if len(done) == step:
                raise Stopped
            done.append(real)
            return real(*arguments)

        return call

    for module, name in ((disk, "move"), (places, "clear")):
        monkeypatch.setattr(module, name, counted(getattr(module, name)))
    monkeypatch.setattr(places.shutil, "rmtree", lambda *_, **__: None)  # a kill cleans nothing up
    if step < 3:
        with pytest.raises(Stopped):
            restore(tmp_path / "index", "default", "first", force=True)
    else:
        restore(tmp_path / "index", "default", "first", force=True)
    monkeypatch.undo()
    with opened(tmp_path / "index", create=False) as index:
        assert sorted(contents(index)) == (["a", "b"] if step == 0 else ["a"])
    assert [path.name for path in (tmp_path / "index" / "collections").iterdir()] == ["default"]
