"""Decodes pictures in processes of their own, so that bytes from anywhere cost one picture and never the program.

Knows how many there are, who has which, and what is said of a picture that ended one; how one is begun and asked is
`sightline.decoder_process`'s, what a picture is and how it is decoded `sightline.pictures`', at the other side.
"""

from __future__ import annotations

import atexit
import os
import threading
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TypeAlias

import numpy as np

from sightline import decoder, files
from sightline.decoder_process import Astray, Broken, Crash, Decoded, Limits, NotStarted, Process, command
from sightline.errors import EngineError, InputError, UnreadableSource
from sightline.types import Pixels

__all__ = ["DEFAULT", "Decoded", "Decoders", "Limits", "Picture", "begin", "decode", "pixels_of", "shared", "stop"]

Picture: TypeAlias = str | Path | bytes | Pixels  # as a caller may give one

MOST = 8  # processes: more are seldom faster than what takes their pictures
_BYTES_A_PIXEL = 16  # at most, over all formats (WebP); with less, some decoders call a picture damaged that is not
DEFAULT = Limits()


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
        self._command = list(command or ())
        self._slots = threading.BoundedSemaphore(self.size)
        self._idle: list[Process] = []
        self._busy: set[Process] = set()
        self._stopped = False
        self._turn = threading.Lock()  # large pictures one at a time, so that together they stay small

    def begin(self) -> None:
        """Begin a process, if there is none, and do not wait for it: the first picture will find it ready."""
        if not self._idle and not self._busy:
            with suppress(EngineError):  # said when there is a picture for it
                self._idle.append(self._new())

    def decode(self, data: bytes, *, source: str = "", limits: Limits = DEFAULT, thumbnail: bool = False) -> Decoded:
        """The picture in `data`. Raises UnreadableSource; EngineError when no process can be started."""
        if len(data) > files.MAX_BYTES:
            raise UnreadableSource(source, files.too_large(len(data), files.MAX_BYTES))
        with self._slots:
            try:
                try:
                    return self._with(self._kept() or self._new(), data, source, limits, thumbnail)
                except (_Spoilt, NotStarted):  # whoever ended it may have meant another: once more
                    return self._with(self._new(), data, source, limits, thumbnail)
            except Broken as exc:
                raise UnreadableSource(source, str(exc)) from exc

    def close(self) -> None:
        """End the processes that have nothing to do; one in use ends with its picture."""
        while (process := self._kept()) is not None:
            process.end()

    def stop(self) -> None:
        """End all processes at once, whatever they are at; nothing can be decoded here any more."""
        self._stopped = True
        for process in list(self._busy):
            process.kill()
        self.close()

    def forget(self) -> None:
        """Let go of processes that belong to the program this one was forked from."""
        for process in [*self._idle, *self._busy]:
            process.let_go()

    def _kept(self) -> Process | None:
        """One that stands ready, if there is one."""
        with suppress(IndexError):  # another thread may be as quick
            return self._idle.pop()
        return None

    def _new(self) -> Process:
        if self._stopped:
            raise EngineError("decoding was stopped")
        self._command = self._command or command()
        return Process(self._command)

    def _with(self, process: Process, data: bytes, source: str, limits: Limits, thumbnail: bool) -> Decoded:
        """Ask one process, and keep it if it is good for another picture. Raises Broken, _Spoilt, UnreadableSource."""
        self._busy.add(process)
        try:
            process.wait_until_ready()
            return self._asked(process, data, source, limits, thumbnail)
        except (Astray, Crash) as exc:
            if self._stopped:
                raise EngineError("decoding was stopped") from exc
            if process.served > 1:
                raise _Spoilt from exc
            raise
        finally:
            self._busy.discard(process)
            if process.usable and not self._stopped:
                self._idle.append(process)
            else:
                process.end()

    def _asked(self, process: Process, data: bytes, source: str, limits: Limits, thumbnail: bool) -> Decoded:
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
                raise Broken(too_little)
        raise Astray


class _Spoilt(Exception):
    """A process ended that an earlier picture may have spoilt: this one gets a process of its own."""


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


# -- one set for the whole program -------------------------------------------------------------------------------------

_lock = threading.Lock()
_shared: list[Decoders] = []  # one, once it is needed


def shared() -> Decoders:
    """The set that every part of a program uses; its processes end with the program, however that ends."""
    with _lock:
        if not _shared:
            _shared.append(Decoders())
        return _shared[0]


def begin() -> None:
    """Begin a process now, for a picture that is about to come, and do not wait for it."""
    shared().begin()


def stop() -> None:
    """End every process at once, also in the middle of a picture; what is decoded later gets new ones."""
    with _lock:
        stopped = _shared.copy()
        _shared.clear()
    for decoders in stopped:
        decoders.stop()


def _start_anew() -> None:
    """In a forked program: the processes belong to the one it was forked from."""
    global _lock  # noqa: PLW0603 - whoever held it stayed there
    _lock = threading.Lock()
    for decoders in _shared:
        decoders.forget()
    _shared.clear()


atexit.register(stop)
os.register_at_fork(after_in_child=_start_anew)
