"""One writer at a time: told by process id, free again at once when that process is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sightline.errors import ConfigError
from sightline.lock import locked

ROOT = Path(__file__).parents[2]
HOLD = """
import os, sys, time
from pathlib import Path
from sightline.lock import locked
with locked(Path(sys.argv[1])):
    if len(sys.argv) == 2 or os.fork() == 0:
        print(os.getpid(), flush=True)
    time.sleep(60)
"""


@contextmanager
def _holder(lock: Path, *more: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A process that holds a lock, and the id of the one that said it is ready: itself, or its child."""
    command = [sys.executable, "-c", HOLD, str(lock), *more]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        child = int(process.stdout.readline())
        try:
            yield process, child
        finally:
            process.kill()
            if more:
                os.kill(child, signal.SIGKILL)


def test_a_second_writer_is_told_who_writes_and_may_when_that_one_is_killed(tmp_path: Path) -> None:
    lock = tmp_path / "write.lock"
    with _holder(lock) as (process, _):
        said = rf"{tmp_path} is being written by another process \(pid {process.pid}\)\. Nothing was changed"
        with pytest.raises(ConfigError, match=said), locked(lock, wait_s=0.0):
            pass
        process.kill()
        process.wait()
        with locked(lock, wait_s=0.0):
            pass


def test_a_worker_forked_by_a_writer_does_not_hold_its_lock_on(tmp_path: Path) -> None:
    lock = tmp_path / "write.lock"
    with _holder(lock, "fork") as (process, child):
        process.kill()
        process.wait()
        os.kill(child, 0)  # the worker lives
        with locked(lock, wait_s=0.0):
            pass
