"""A store that is closed while others read from it: they are told, and the process lives."""

from __future__ import annotations

import subprocess
import sys

CODE = """
import tempfile, threading, time
from pathlib import Path
from sightline.errors import SightlineError
from sightline.stores.database import Database

def read(database, start):
    start.wait()
    try:
        for _ in range(200):
            with database.reading() as connection:
                connection.execute("SELECT count(*) FROM items").fetchone()
    except SightlineError as exc:
        assert "closed" in str(exc)

for _ in range(300):
    with tempfile.TemporaryDirectory() as folder:
        database, start = Database(Path(folder) / "x.db"), threading.Barrier(7)
        threads = [threading.Thread(target=read, args=(database, start)) for _ in range(6)]
        for thread in threads:
            thread.start()
        start.wait()
        time.sleep(0.002)
        database.close()
        for thread in threads:
            thread.join()
"""


def test_no_connection_is_closed_under_a_reader() -> None:
    ended = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr  # SQLite ends the process where a connection is closed in use
    assert not ended.stderr
