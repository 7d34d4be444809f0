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
        while len(collection.ledger.owned(str(photos))) < acknowledged:
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
    kept = collection.ledger.owned(str(photos))
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
