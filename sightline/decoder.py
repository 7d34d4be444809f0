"""The other side of `sightline.decoding`: a process that decodes what it is sent, one picture after another.

Knows nothing of files, indexes or settings; limits come with every picture, and breaking one costs this process only.
"""

from __future__ import annotations

import os
import resource
import signal
import socket
import struct
from contextlib import AbstractContextManager, suppress
from math import ceil
from pathlib import Path

from sightline import media
from sightline.errors import UnreadableSource
from sightline.types import Pixels

REQUEST = struct.Struct("<QQdQ?")  # bytes that follow, pixels, seconds and bytes of memory allowed, thumbnail wanted
REPLY = struct.Struct(
    "<cIII"
)  # kind; PIXELS: height, width, bytes of thumbnail; REFUSED: bytes of the reason, in UTF-8
READY, PIXELS, REFUSED, NO_MEMORY, LARGE = b"r", b"p", b"e", b"m", b"l"
GO_ON = b"g"  # the answer to LARGE: no other large picture is being decoded now
_SPENT_BYTES = 512_000_000  # a process that has grown by so much is replaced


def serve(link: socket.socket) -> None:
    """Answer until the other side hangs up, or until this process should be replaced."""
    _shut_in()
    media.prepare()
    _our_way()
    at_first = _address_space()
    link.sendall(REPLY.pack(READY, 0, 0, 0))
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):
        while _address_space() - at_first < _SPENT_BYTES:
            size, max_pixels, seconds, memory_bytes, shrunk = REQUEST.unpack(received(link, REQUEST.size))
            data = bytes(received(link, size))
            _limit(seconds, memory_bytes)
            try:
                pixels = media.decode(data, max_pixels=max_pixels, turn=_Turn(link))
                small = media.thumbnail(pixels) if shrunk else b""
            except UnreadableSource as exc:
                if isinstance(exc.__cause__, MemoryError):
                    link.sendall(REPLY.pack(NO_MEMORY, 0, 0, 0))
                    return
                reason = exc.reason.encode()
                link.sendall(REPLY.pack(REFUSED, len(reason), 0, 0) + reason)
            except MemoryError:
                link.sendall(REPLY.pack(NO_MEMORY, 0, 0, 0))
                return
            else:
                _send(link, pixels, small)


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


class _Turn(AbstractContextManager[None]):
    """Waits until the other side says that no large picture is being decoded elsewhere."""

    def __init__(self, link: socket.socket) -> None:
        self._link = link

    def __enter__(self) -> None:
        self._link.sendall(REPLY.pack(LARGE, 0, 0, 0))
        received(self._link, len(GO_ON))

    def __exit__(self, *_: object) -> None:
        pass  # the answer itself ends the turn


def _send(link: socket.socket, pixels: Pixels, small: bytes) -> None:
    height, width = pixels.shape[:2]
    link.sendall(REPLY.pack(PIXELS, height, width, len(small)))
    link.sendall(pixels.data.cast("B"))
    link.sendall(small)


def _our_way() -> None:
    """One thread a picture, so that what it takes can be foreseen; how large it may be is for the request to say."""
    import pillow_heif
    from PIL import AvifImagePlugin, Image

    pillow_heif.options.DECODE_THREADS = 1
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1
    Image.MAX_IMAGE_PIXELS = None


def _shut_in() -> None:
    """Nothing is printed or written to disk, no core is dumped, and Ctrl-C is for the other side."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    for kind in (resource.RLIMIT_CORE, resource.RLIMIT_FSIZE):
        resource.setrlimit(kind, (0, 0))


def _limit(seconds: float, memory_bytes: int) -> None:
    """Allow what one picture may take beyond what was taken so far. Past its seconds the system ends this process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    most = ceil(used.ru_utime + used.ru_stime + seconds)
    resource.setrlimit(resource.RLIMIT_CPU, (most, resource.getrlimit(resource.RLIMIT_CPU)[1]))
    with suppress(ValueError, OSError):  # macOS takes no such limit
        resource.setrlimit(resource.RLIMIT_AS, (_address_space() + memory_bytes, resource.RLIM_INFINITY))


def _address_space() -> int:
    """Bytes of this process's address space; 0 where the system does not tell (macOS)."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    except OSError:
        return 0
