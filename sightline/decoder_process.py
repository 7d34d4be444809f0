"""One process that decodes (`sightline.decoder`), as seen from the program it works for: begun, asked, ended.

Believes nothing it says; knows its limits and how it ended, not who asks nor what pictures are for.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from sightline import decoder, pictures
from sightline.errors import EngineError
from sightline.types import Pixels

START_S = 60.0  # for a process to be ready, on a machine that is busy
WAITING = 4  # times the seconds of computing allowed that are waited for: others may want the processor, too
_GRACE_S = 2.0  # longer, before it ends itself: it is ended from here, unless this program is no more
_KEPT_BYTES = 3 * pictures.WORKING_PIXELS + 1_000_000  # a process that announces more than it may send has gone astray
_REASON_BYTES = 10_000
_PASSED_ON = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TMPDIR", "LANG", "LC_ALL")  # no keys, no passwords
_THRIFT = {
    **{"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"},
    # glibc: keep what one picture took for the next one instead of getting every page anew, some 2 ms a megapixel
    **{"MALLOC_MMAP_THRESHOLD_": "16000000", "MALLOC_TRIM_THRESHOLD_": "32000000"},
}
_BOOT = (
    "import sys; sys.path[:] = sys.argv[1:]; import socket; from sightline.decoder import serve; "
    "serve(socket.socket(fileno=0))"
)


@dataclass(frozen=True, slots=True)
class Limits:
    """What one picture may take: pixels by its header, seconds of computing, and bytes of memory to decode it."""

    pixels: int = pictures.MAX_PIXELS
    seconds: float = 30.0
    memory_bytes: int = 1_500_000_000


class Decoded(NamedTuple):
    """A picture as `media.decode` gives it, and its thumbnail as JPEG where one was asked for."""

    pixels: Pixels
    thumbnail: bytes


class Broken(Exception):
    """A process gave no picture and cannot be used again; the text says why."""


class Astray(Broken):
    """It said what it never should."""

    def __init__(self) -> None:
        super().__init__("its decoder went astray")


class Crash(Broken):
    """It ended by itself, or somebody ended it."""


class NotStarted(EngineError):
    """It was begun and never became ready."""


class Process:
    """One process and the way to it. `usable` says whether it stands ready for another picture."""

    def __init__(self, command: Sequence[str]) -> None:
        """Begin it, without waiting for it. Raises EngineError when that is impossible."""
        self.served = 0
        self.usable = True
        self._command = command
        self._ready = False
        self._ends_at = time.monotonic() + START_S
        self._too_long = f"not ready after {START_S:g} s"
        self._link, theirs = socket.socketpair()
        with theirs:
            try:
                self._process = subprocess.Popen(
                    command,
                    stdin=theirs.fileno(),
                    stdout=subprocess.DEVNULL,
                    start_new_session=True,
                    env=_environment(),
                )
            except OSError as exc:
                self._link.close()
                raise EngineError(f"no process to decode pictures in can be started: {exc.strerror}") from exc

    @property
    def pid(self) -> int:
        return self._process.pid

    def wait_until_ready(self) -> None:
        """Raises NotStarted."""
        if self._ready:
            return
        self.usable = False
        try:
            self._head()
        except Broken as exc:
            raise NotStarted(f"the process to decode pictures in did not start ({exc}): {self._command[0]}") from exc
        self.usable = self._ready = True

    def ask(self, data: bytes, limits: Limits, thumbnail: bool) -> tuple[bytes, tuple[int, int, int]]:
        """Hand over a picture; the head of what comes back. Raises Broken."""
        self.usable = False
        self.served += 1
        self._too_long = f"decoding it takes longer than the {limits.seconds:g} s allowed"
        most_s = limits.seconds * WAITING
        self._ends_at = time.monotonic() + most_s
        allowed = (limits.pixels, limits.seconds, most_s + _GRACE_S, limits.memory_bytes)
        request = decoder.REQUEST.pack(self.served, len(data), *allowed, thumbnail)
        self._say(request)
        self._say(data)
        return self._head()

    def go_on(self, limits: Limits) -> tuple[bytes, tuple[int, int, int]]:
        """Let it decode the large picture it holds, its time begun anew; the head of what comes back."""
        self._ends_at = time.monotonic() + limits.seconds * WAITING
        self._say(decoder.GO_ON)
        return self._head()

    def pixels(self, height: int, width: int, extra: int) -> Decoded:
        """What follows a PIXELS head."""
        if not 0 < 3 * height * width + extra <= _KEPT_BYTES:
            raise Astray
        pixels = np.empty((height, width, 3), np.uint8)
        small = bytearray(extra)
        self._fill(pixels.data.cast("B"))
        self._fill(memoryview(small))
        self.usable = True
        return Decoded(pixels, bytes(small))

    def text(self, size: int) -> str:
        """What follows a REFUSED head."""
        if size > _REASON_BYTES:
            raise Astray
        said = bytearray(size)
        self._fill(memoryview(said))
        self.usable = True
        return said.decode("utf-8", "replace")

    def kill(self) -> None:
        """End it with all that it may have begun, whatever it does; whoever waits for it is told."""
        if self._process.returncode is None:  # else its number may be somebody else's by now
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)  # it leads a group of its own, named by its number

    def end(self) -> None:
        """End it and close the way to it."""
        self.usable = False
        self._link.close()
        self.kill()
        self._process.wait()

    def let_go(self) -> None:
        """Close this copy of the way to it; it goes on."""
        self._link.close()
        self._process.returncode = 0  # not ours to wait for

    def _head(self) -> tuple[bytes, tuple[int, int, int]]:
        head = bytearray(decoder.REPLY.size)
        self._fill(memoryview(head))
        kind, number, *sizes = decoder.REPLY.unpack(head)
        if number != self.served:  # no answer to what was asked
            raise Astray
        return kind, (sizes[0], sizes[1], sizes[2])

    def _say(self, data: bytes) -> None:
        try:
            self._in_time()
            self._link.sendall(data)
        except OSError as exc:
            raise self._ended(exc) from exc

    def _fill(self, space: memoryview) -> None:
        while space:
            try:
                self._in_time()
                count = self._link.recv_into(space)
            except OSError as exc:
                raise self._ended(exc) from exc
            if not count:
                raise self._ended(EOFError())
            space = space[count:]

    def _in_time(self) -> None:
        """No single wait lasts beyond the end of the time given. Raises TimeoutError past it."""
        left = self._ends_at - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._link.settimeout(left)

    def _ended(self, exc: Exception) -> Broken:
        """Why it is of no use any more."""
        if isinstance(exc, TimeoutError):
            return Broken(self._too_long)
        how = self._how_it_ended()
        if how in (signal.SIGXCPU, signal.SIGALRM):
            return Broken(self._too_long)
        if how == signal.SIGKILL:
            return Crash("its decoder was killed, perhaps for want of memory")
        return Crash("its decoder crashed")

    def _how_it_ended(self) -> int | None:
        """The signal that ended it, if one did; where possible left unwaited for, so that its number stays its own."""
        until = time.monotonic() + 5  # it has hung up, so it is as good as gone
        while hasattr(os, "waitid") and time.monotonic() < until:  # macOS has none
            try:
                ended = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:  # this program has the system wait for its children
                return None
            if ended is not None:
                return None if ended.si_code == os.CLD_EXITED else ended.si_status
            time.sleep(0.001)
        with suppress(subprocess.TimeoutExpired):
            return -self._process.wait(timeout=max(0.0, until - time.monotonic()))
        return None


def command() -> list[str]:
    """This interpreter with this program's search path, and none of its start-up files. Raises EngineError."""
    from multiprocessing.spawn import get_executable  # late; what a program with Python inside has named as such

    python = os.fsdecode(get_executable() or "")
    if getattr(sys, "frozen", False) and python == sys.executable:  # it would begin this whole program again
        raise EngineError(
            "pictures are decoded by a Python of their own, and a frozen program holds none: "
            "name one with multiprocessing.set_executable"
        )
    home = str(Path(decoder.__file__).resolve().parents[1])
    found = [place for place in sys.path if place]
    return [python, "-I", "-S", "-c", _BOOT, *found, *({home} - set(found))]


def _environment() -> dict[str, str]:
    kept = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    return kept | _THRIFT
