"""`kill -9` in the middle of an add loses nothing acknowledged; the next run goes on, the third has nothing to do."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.indexer.indexing import Collection, png

COUNT = 60
SCRIPT = """
import sys, time
from pathlib import Path
sys.path[:0] = [{tests!r}, {root!r}]
from tests.indexer.indexing import Collection
from tests.indexer.grid import GridEncoder

class Slow(GridEncoder):
    def encode_documents(self, contents):
        time.sleep(0.03)
        return super().encode_documents(contents)

collection = Collection(Path({folder!r}))
collection.encoder = Slow()
print("ready", flush=True)
collection.add({photos!r}, batch_size=2)
"""


@pytest.mark.parametrize("acknowledged", [1, 25, 50])
def test_kill_and_go_on(tmp_path: Path, acknowledged: int) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for number in range(COUNT):
        (photos / f"{number:03}.png").write_bytes(png(number))
    collection = Collection(tmp_path / "index")
    here = Path(__file__).parent
    script = SCRIPT.format(
        tests=str(here), root=str(here.parents[1]), folder=str(collection.folder), photos=str(photos)
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        deadline = time.monotonic() + 60
        while collection.ledger.count() < acknowledged:
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
    doubted = collection.ledger.register.unfinished()
    kept = [item for item in collection.ledger.owned(str(photos)) if item not in doubted]
    assert acknowledged <= len(kept) < COUNT
    assert [item.id for item in collection.store.get(kept)] == kept

    report = collection.add(photos)
    stored = collection.store.stats()
    assert report.added + report.unchanged == COUNT
    assert report.unchanged == len(kept)
    assert (stored.items, stored.parts, stored.vectors) == (COUNT, COUNT, COUNT)
    assert report.images <= COUNT - len(kept)

    again = collection.add(photos)
    assert (again.unchanged, again.images) == (COUNT, 0)
    collection.close()


DIES = """
import os, sys
sys.path[:0] = [{root!r}]
from indexer import Ledger
from pathlib import Path
from tests.indexer.indexing import Collection

Ledger.record = lambda *_: os.kill(os.getpid(), 9)
Collection(Path({folder!r})).add({source!r})
"""


def killed_before_the_ledger(collection: Collection, source: Path) -> None:
    """Add in a process that dies when the store has acknowledged and the ledger has not."""
    script = DIES.format(root=str(Path(__file__).parents[2]), folder=str(collection.folder), source=str(source))
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == -signal.SIGKILL


def test_what_a_kill_left_in_the_store_alone_goes_with_its_source(collection: Collection, tmp_path: Path) -> None:
    folder = tmp_path / "shelf"
    folder.mkdir()
    (folder / "kept.txt").write_text("an oak table")
    (folder / "secret.txt").write_text("nobody shall find this")
    killed_before_the_ledger(collection, folder)
    assert [item.id for item in collection.store.get(["secret.txt"])] == ["secret.txt"]
    became = {seen.item_id: seen.outcome for seen in collection.ledger.register.sources()}
    assert became == {"kept.txt": "unfinished", "secret.txt": "unfinished"}
    assert collection.ledger.count() == 0
    (folder / "secret.txt").unlink()
    report = collection.add(folder, prune=True)
    assert (report.added, report.updated, report.deleted) == (1, 0, 1)  # never acknowledged: added, not updated
    assert collection.store.get(["secret.txt"]) == []
    assert collection.store.stats().items == 1
    assert {seen.item_id: seen.outcome for seen in collection.ledger.register.sources()}["kept.txt"] == "added"


def test_what_a_kill_left_in_the_store_alone_moves(collection: Collection, tmp_path: Path) -> None:
    folder = tmp_path / "shelf"
    folder.mkdir()
    (folder / "table.txt").write_text("an oak table")
    collection.add(folder)
    (folder / "table.txt").rename(folder / "oak.txt")
    killed_before_the_ledger(collection, folder)
    report = collection.add(folder)
    assert (report.added, report.moved, collection.store.stats().items) == (0, 1, 1)
    assert collection.ledger.owned(str(folder)) == ["oak.txt"]


def test_an_item_deleted_before_is_remembered_when_it_comes_back_half(collection: Collection, tmp_path: Path) -> None:
    folder = tmp_path / "shelf"
    folder.mkdir()
    (folder / "a.txt").write_text("an oak table")
    collection.add(folder)
    collection.delete("a.txt")
    killed_before_the_ledger(collection, folder)
    (seen,) = collection.ledger.register.sources()
    assert (seen.outcome, [event.outcome for event in seen.history]) == ("unfinished", ["added", "deleted"])
    assert collection.add(folder).added == 1
    (seen,) = collection.ledger.register.sources()
    assert (seen.outcome, [event.outcome for event in seen.history]) == ("added", ["added", "deleted", "added"])
