"""The other side of `sightline.decoding`: a process that decodes what it is sent, one picture after another.

Knows nothing of files, indexes or settings; limits come with every picture, and breaking one costs this process only.
It loads little, so that beginning it takes no time to speak of: Pillow and the kinds of pictures it is sent.
"""

from __future__ import annotations

import os
import resource
import signal
import socket
import struct
from contextlib import AbstractContextManager, suppress
from math import ceil
from typing import TYPE_CHECKING

from PIL import Image

from sightline import pictures
from sightline.errors import UnreadableSource

if TYPE_CHECKING:
    from types import TracebackType

# number of the request, bytes that follow, pixels, seconds of computing and in all and bytes of memory allowed,
# thumbnail wanted
REQUEST = struct.Struct("<IQQddQ?")
# kind, number of the request; PIXELS: height, width, bytes of thumbnail; REFUSED: bytes of the reason, in UTF-8
REPLY = struct.Struct("<cIIII")
READY, PIXELS, REFUSED, NO_MEMORY, LARGE = b"r", b"p", b"e", b"m", b"l"
GO_ON = b"g"  # the answer to LARGE: no other large picture is being decoded now
_SPENT_BYTES = 512_000_000  # a process that has grown by so much is replaced


def serve(link: socket.socket) -> None:
    """Answer until the other side hangs up, or until this process should be replaced."""
    Image.preinit()
    Image.MAX_IMAGE_PIXELS = None  # how large one may be is for the request to say
    pictures.use_one_thread()
    _shut_in()
    at_first = _address_space()
    _say(link, READY, 0)
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):
        while _address_space() - at_first < _SPENT_BYTES and _serve_one(link):
            pass


def _serve_one(link: socket.socket) -> bool:
    """Answer one request; whether another may come."""
    number, follow, max_pixels, seconds, most_s, memory_bytes, shrunk = REQUEST.unpack(received(link, REQUEST.size))
    data = bytes(received(link, follow))
    pictures.prepare(pictures.sniff(data))
    _limit(seconds, memory_bytes)
    try:
        with _Clock(most_s) as clock:
            picture = pictures.opened(data, max_pixels=max_pixels, turn=_Turn(link, number, clock))
            size, raw = picture.size, picture.tobytes()
            small = pictures.thumbnail(picture) if shrunk else b""
    except UnreadableSource as exc:
        if isinstance(exc.__cause__, MemoryError):
            _say(link, NO_MEMORY, number)
            return False
        reason = exc.reason.encode()
        _say(link, REFUSED, number, len(reason))
        link.sendall(reason)
    except MemoryError:
        _say(link, NO_MEMORY, number)
        return False
    else:
        _send(link, number, size, raw, small)
    return True


def received(link: socket.socket, size: int) -> bytearray:
    """Exactly `size` bytes. Raises EOFError when the other side hangs up before."""
    data = bytearray(size)
    into(link, memoryview(data))
    return data


def into(link: socket.socket, space: memoryview) -> None:
    """Fill `space` with what comes. Raises EOFError when the other side hangs up before."""
    while space:
        count = link.recv_into(space)
        if not count:
            raise EOFError
        space = space[count:]


class _Clock(AbstractContextManager["_Clock"]):
    """Ends this process when a picture takes longer in all, also where nobody is left who waits for it."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def start(self) -> None:
        signal.setitimer(signal.ITIMER_REAL, self._seconds)

    def stop(self) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)

    def __enter__(self) -> _Clock:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, at: TracebackType | None) -> None:
        self.stop()


class _Turn(AbstractContextManager[None]):
    """Waits until the other side says that no large picture is being decoded elsewhere; the wait is not counted."""

    def __init__(self, link: socket.socket, number: int, clock: _Clock) -> None:
        self._link, self._number, self._clock = link, number, clock

    def __enter__(self) -> None:
        self._clock.stop()
        _say(self._link, LARGE, self._number)
        received(self._link, len(GO_ON))
        self._clock.start()

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, at: TracebackType | None) -> None:
        pass  # the answer itself ends the turn


def _say(link: socket.socket, kind: bytes, number: int, *sizes: int) -> None:
    link.sendall(REPLY.pack(kind, number, *sizes, *[0] * (3 - len(sizes))))


def _send(link: socket.socket, number: int, size: tuple[int, int], raw: bytes, small: bytes) -> None:
    _say(link, PIXELS, number, size[1], size[0], len(small))
    link.sendall(raw)
    link.sendall(small)


def _shut_in() -> None:
    """Nothing is printed, written to disk or started from here, no core is dumped, and Ctrl-C is for the other side."""
    signal.pthread_sigmask(signal.SIG_SETMASK, ())  # whatever the program that began it does with signals
    for limit in (signal.SIGALRM, signal.SIGXCPU):
        signal.signal(limit, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    with suppress(OSError):  # Linux: where memory runs out, this process is ended and not the one it works for
        descriptor = os.open("/proc/self/oom_score_adj", os.O_WRONLY)
        os.write(descriptor, b"1000")
        os.close(descriptor)
    for kind in (resource.RLIMIT_CORE, resource.RLIMIT_FSIZE, resource.RLIMIT_NPROC):
        _allow(kind, 0, for_ever=True)


def _limit(seconds: float, memory_bytes: int) -> None:
    """Allow what one picture may take beyond what was taken so far. Past its seconds the system ends this process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    _allow(resource.RLIMIT_CPU, ceil(used.ru_utime + used.ru_stime + seconds))
    with suppress(ValueError, OSError):  # macOS takes no such limit
        _allow(resource.RLIMIT_AS, _address_space() + memory_bytes)


def _allow(kind: int, most: int, *, for_ever: bool = False) -> None:
    """Set a limit, no higher than this process was given when it began."""
    hard = resource.getrlimit(kind)[1]
    most = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(kind, (most, most if for_ever else hard))


def _address_space() -> int:
    """Bytes of this process's address space; 0 where the system does not tell (macOS)."""
    try:
        with open("/proc/self/statm", encoding="ascii") as told:  # pathlib is long to load
            return int(told.read().split()[0]) * resource.getpagesize()
    except OSError:
        return 0
