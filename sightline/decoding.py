"""Decodes pictures in processes of their own, so that bytes from anywhere cost one picture and never the program.

Knows the processes and their limits; what a picture is and how it is decoded is `sightline.media`'s, at the other side.
"""

from __future__ import annotations

import atexit
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeAlias

import numpy as np

from sightline import decoder, files, media
from sightline.errors import EngineError, InputError, UnreadableSource
from sightline.types import Pixels

Picture: TypeAlias = str | Path | bytes | Pixels  # as a caller may give one

START_S = 60.0  # for a process to be ready, on a machine that is busy
WAITING = 4  # times the seconds of computing allowed that are waited for: others may want the processor, too
MOST = 8  # processes: more are seldom faster than what takes their pictures
_KEPT_BYTES = 3 * media.WORKING_PIXELS + 1_000_000  # a process that announces more than it may send has gone astray
_BYTES_A_PIXEL = 16  # at most, over all formats (WebP); with less, some decoders call a picture damaged that is not
_PASSED_ON = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TMPDIR", "LANG", "LC_ALL")  # no keys, no passwords
_ASTRAY = "its decoder went astray"
_BOOT = (
    "import sys; sys.path[:] = sys.argv[1:]; import socket; from sightline.decoder import serve; "
    "serve(socket.socket(fileno=0))"
)


@dataclass(frozen=True, slots=True)
class Limits:
    """What one picture may take: pixels by its header, seconds of computing, and bytes of memory to decode it."""

    pixels: int = media.MAX_PIXELS
    seconds: float = 30.0
    memory_bytes: int = 1_500_000_000


DEFAULT = Limits()


class Decoded(NamedTuple):
    """A picture as `media.decode` gives it, and its thumbnail as JPEG where one was asked for."""

    pixels: Pixels
    thumbnail: bytes


def decode(data: bytes, *, source: str = "", limits: Limits = DEFAULT) -> Pixels:
    """Like `media.decode`, in another process. Raises UnreadableSource, also where `limits` are broken."""
    return shared().decode(data, source=source, limits=limits).pixels


def pixels_of(picture: Picture, limits: Limits = DEFAULT) -> Pixels:
    """The pixels of a path, of encoded bytes, or the array itself. Raises InputError, UnreadableSource."""
    if isinstance(picture, np.ndarray):
        if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8:
            raise InputError(f"a picture is a (height, width, 3) uint8 array, not {picture.shape} {picture.dtype}")
        return picture
    if isinstance(picture, bytes):
        return decode(picture, source="the query picture", limits=limits)
    try:
        data = files.read(Path(picture), source=str(picture))
    except UnreadableSource as exc:
        raise InputError(f"cannot read the picture {picture}: {exc.reason}") from exc
    return decode(data, source=str(picture), limits=limits)


class Decoders:
    """Up to `size` processes, each begun when it is needed and kept. Safe to share between threads.

    A process that crashes, hangs or takes too much is replaced; the picture it had in hand is UnreadableSource.
    """

    def __init__(self, size: int | None = None, *, command: Sequence[str] | None = None) -> None:
        self.size = size or min(MOST, max(2, _cores()))
        self._command = list(command or _command())
        self._slots = threading.BoundedSemaphore(self.size)
        self._idle: list[_Process] = []
        self._turn = threading.Lock()  # large pictures one at a time, so that together they stay small

    def decode(self, data: bytes, *, source: str = "", limits: Limits = DEFAULT, thumbnail: bool = False) -> Decoded:
        """The picture in `data`. Raises UnreadableSource; EngineError when no process can be started."""
        if len(data) > files.MAX_BYTES:
            raise UnreadableSource(source, files.too_large(len(data), files.MAX_BYTES))
        with self._slots:
            process = self._idle.pop() if self._idle else _Process(self._command)
            try:
                try:
                    return self._asked(process, data, source, limits, thumbnail)
                except _Crash:
                    if process.served == 1:
                        raise
                    process.end()  # an earlier picture may have spoilt it: this one gets a process of its own
                    process = _Process(self._command)
                    return self._asked(process, data, source, limits, thumbnail)
            except _Broken as exc:
                raise UnreadableSource(source, str(exc)) from exc
            finally:
                if process.usable:
                    self._idle.append(process)
                else:
                    process.end()

    def close(self) -> None:
        """End the processes that have nothing to do; one in use ends with its picture."""
        while self._idle:
            self._idle.pop().end()

    def forget(self) -> None:
        """Let go of processes that belong to the program this one was forked from."""
        for process in self._idle:
            process.let_go()

    def _asked(self, process: _Process, data: bytes, source: str, limits: Limits, thumbnail: bool) -> Decoded:
        too_little = f"decoding it takes more memory than the {limits.memory_bytes / 1e6:,.0f} MB allowed"
        with ExitStack() as turn:
            kind, sizes = process.ask(data, limits, thumbnail)
            if kind == decoder.LARGE:
                turn.enter_context(self._turn)
                kind, sizes = process.go_on(limits)
            if kind == decoder.PIXELS:
                return process.pixels(*sizes)
            if kind == decoder.REFUSED:
                reason = process.text(sizes[0])
                short = limits.memory_bytes < _BYTES_A_PIXEL * limits.pixels
                raise UnreadableSource(
                    source, f"{reason}, or {too_little}" if short and "damaged" in reason else reason
                )
            if kind == decoder.NO_MEMORY:
                raise _Broken(too_little)
        raise _Broken(_ASTRAY)


class _Broken(Exception):
    """A process gave no picture and cannot be used again; the text says why."""


class _Crash(_Broken):
    """It ended by itself."""


class _Process:
    """One process and the way to it. `usable` says whether it stands ready for another picture."""

    def __init__(self, command: Sequence[str]) -> None:
        self.served = 0
        self.usable = False
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
        try:
            self._head()
        except _Broken as exc:
            self.end()
            raise EngineError(f"the process to decode pictures in did not start ({exc}): {command[0]}") from exc
        except BaseException:
            self.end()
            raise

    def ask(self, data: bytes, limits: Limits, thumbnail: bool) -> tuple[bytes, tuple[int, int, int]]:
        """Hand over a picture; the head of what comes back. Raises _Broken."""
        self.usable = False
        self.served += 1
        self._too_long = f"decoding it takes longer than the {limits.seconds:g} s allowed"
        self._ends_at = time.monotonic() + limits.seconds * WAITING
        seconds, memory_bytes = float(limits.seconds), limits.memory_bytes
        try:
            self._in_time()
            self._link.sendall(decoder.REQUEST.pack(len(data), limits.pixels, seconds, memory_bytes, thumbnail))
            self._link.sendall(data)
        except OSError as exc:
            raise self._ended(exc) from exc
        return self._head()

    def go_on(self, limits: Limits) -> tuple[bytes, tuple[int, int, int]]:
        """Let it decode the large picture it holds, its time begun anew; the head of what comes back."""
        self._ends_at = time.monotonic() + limits.seconds * WAITING
        try:
            self._in_time()
            self._link.sendall(decoder.GO_ON)
        except OSError as exc:
            raise self._ended(exc) from exc
        return self._head()

    def pixels(self, height: int, width: int, extra: int) -> Decoded:
        """What follows a PIXELS head."""
        if not 0 < 3 * height * width + extra <= _KEPT_BYTES:
            raise _Broken(_ASTRAY)
        pixels = np.empty((height, width, 3), np.uint8)
        small = bytearray(extra)
        self._fill(pixels.data.cast("B"))
        self._fill(memoryview(small))
        self.usable = True
        return Decoded(pixels, bytes(small))

    def text(self, size: int) -> str:
        """What follows a REFUSED head."""
        if size > 10_000:
            raise _Broken(_ASTRAY)
        said = bytearray(size)
        self._fill(memoryview(said))
        self.usable = True
        return said.decode("utf-8", "replace")

    def end(self) -> None:
        """Kill it, whatever it does."""
        self._link.close()
        self._process.kill()
        self._process.wait()

    def let_go(self) -> None:
        """Close this copy of the way to it; it goes on."""
        self._link.close()
        self._process.returncode = 0  # not ours to wait for

    def _head(self) -> tuple[bytes, tuple[int, int, int]]:
        head = bytearray(decoder.REPLY.size)
        self._fill(memoryview(head))
        kind, *sizes = decoder.REPLY.unpack(head)
        return kind, (sizes[0], sizes[1], sizes[2])

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

    def _ended(self, exc: Exception) -> _Broken:
        """Why it is of no use any more."""
        if isinstance(exc, TimeoutError):
            return _Broken(self._too_long)
        with suppress(subprocess.TimeoutExpired):  # it has hung up, so it is as good as gone
            self._process.wait(timeout=5)
        if self._process.returncode == -signal.SIGXCPU:
            return _Broken(self._too_long)
        return _Crash("its decoder crashed")


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _command() -> list[str]:
    """This interpreter with this program's search path, and none of its start-up files."""
    from multiprocessing.spawn import get_executable  # late; what a program with Python inside has named as such

    home = str(Path(media.__file__).resolve().parents[1])
    found = [place for place in sys.path if place]
    return [os.fsdecode(get_executable() or ""), "-I", "-S", "-c", _BOOT, *found, *({home} - set(found))]


def _environment() -> dict[str, str]:
    kept = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    return kept | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}


# -- one set for the whole program -------------------------------------------------------------------------------------

_lock = threading.Lock()
_shared: list[Decoders] = []  # one, once it is needed


def shared() -> Decoders:
    """The set that every part of a program uses; its processes end with the program, however that ends."""
    with _lock:
        if not _shared:
            _shared.append(Decoders())
        return _shared[0]


def _end() -> None:
    for decoders in _shared:
        decoders.close()


def _start_anew() -> None:
    """In a forked program: the processes belong to the one it was forked from."""
    global _lock  # noqa: PLW0603 - whoever held it stayed there
    _lock = threading.Lock()
    for decoders in _shared:
        decoders.forget()
    _shared.clear()


atexit.register(_end)
os.register_at_fork(after_in_child=_start_anew)
