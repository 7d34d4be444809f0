"""Power cuts: the system calls of a process, replayed up to any moment onto a disk that keeps only what was fsynced.

Does not know what was written. A file's bytes are kept from its last fsync, a name from the last fsync of its folder,
as POSIX promises and no more; `torn` adds a random part of the rest, as disks do. The calls are read from `strace`.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

CALLS = "openat,write,pwrite64,ftruncate,fsync,fdatasync,rename,renameat,renameat2,unlink,unlinkat,mkdir,mkdirat,rmdir"
_LINE = re.compile(r"^(\d+) +(?:<\.\.\. (\w+) resumed>)?(.*)$")
_CALL = re.compile(r"^(\w+)\((.*)\) += (-?\d+)")
_DESCRIPTOR = re.compile(r"^-?\w+<(.*?)>(\(deleted\))?$")


@dataclass(frozen=True, slots=True)
class Call:
    """One finished system call on a file. `path` is absolute; `data` is what was written, or a second path."""

    name: str
    path: str
    data: bytes = b""
    at: int = 0  # an offset, -1: at the end; a size; for openat 1 where it empties the file


def traced(command: Sequence[str], log: Path, *, cwd: Path) -> list[Call]:
    """Run a command to its end and read which files it changed, in order; what it wrote to stderr is among them."""
    strace = [*f"strace -f -y -xx -s 16777216 -e trace={CALLS} -e signal=none -o".split(), str(log)]
    subprocess.run([*strace, *command], cwd=cwd, check=True)
    begun: dict[str, str] = {}
    calls = []
    for line in log.read_text().splitlines():
        pid, resumed, text = _LINE.match(line).groups()  # type: ignore[union-attr]
        if resumed:
            text = begun.pop(pid) + text
        if text.endswith("<unfinished ...>"):
            begun[pid] = text.removesuffix("<unfinished ...>")
        elif (found := _CALL.match(text)) and int(found[3]) >= 0:
            calls += _read(found[1], found[2].split(", "), cwd)
    return calls


def _read(name: str, given: list[str], cwd: Path) -> Iterator[Call]:
    match name:
        case "openat":
            if "O_CREAT" in given[2] or "O_TRUNC" in given[2]:
                yield Call("open", _path(given[1], given[0], cwd), at=int("O_TRUNC" in given[2]))
        case "write":
            yield Call("write", _opened(given[0]), _bytes(given[1]), -1)
        case "pwrite64":
            yield Call("write", _opened(given[0]), _bytes(given[1]), int(given[3]))
        case "ftruncate":
            yield Call("truncate", _opened(given[0]), at=int(given[1], 0))
        case "fsync" | "fdatasync":
            yield Call("sync", _opened(given[0]))
        case "rename":
            yield Call("rename", _path(given[0], "", cwd), _path(given[1], "", cwd).encode())
        case "renameat" | "renameat2":
            yield Call("rename", _path(given[1], given[0], cwd), _path(given[3], given[2], cwd).encode())
        case "unlink" | "rmdir":
            yield Call("unlink", _path(given[0], "", cwd))
        case "unlinkat":
            yield Call("unlink", _path(given[1], given[0], cwd))
        case "mkdir":
            yield Call("mkdir", _path(given[0], "", cwd))
        case "mkdirat":
            yield Call("mkdir", _path(given[1], given[0], cwd))


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.strip(' "').replace("\\x", ""))


def _opened(text: str) -> str:
    found = _DESCRIPTOR.match(text.strip())
    if found is None:
        raise ValueError(f"not a descriptor: {text}")
    return re.sub(r"\\x([0-9a-f]{2})", lambda byte: chr(int(byte[1], 16)), found[1]) if not found[2] else ""


def _path(text: str, folder: str, cwd: Path) -> str:
    within = _opened(folder) if folder and not folder.startswith("AT_FDCWD") else str(cwd)
    return str(Path(within) / _bytes(text).decode())


@dataclass
class _File:
    kept: bytes = b""  # as of the last fsync
    since: list[tuple[int, bytes | None]] = field(default_factory=list)  # offset and bytes, or a size and None

    def size(self) -> int:
        return len(_applied(self.kept, self.since))


@dataclass
class _Folder:
    names: dict[str, _File | _Folder] = field(default_factory=dict)
    kept: dict[str, _File | _Folder] = field(default_factory=dict)


class Disk:
    """What is in the folder `root`, which was empty: as a running system sees it, and what of it a power cut leaves."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._top = _Folder()

    def do(self, call: Call) -> bool:
        """Take over one call; False when it is about nothing in this folder."""
        if not Path(call.path).is_relative_to(self._root):
            return False
        if call.name == "sync":
            node = self._find(call.path)
            if isinstance(node, _Folder):
                node.kept = dict(node.names)
            elif node is not None:
                node.kept, node.since = _applied(node.kept, node.since), []
            return True
        folder, name = self._at(call.path)
        match call.name:
            case "mkdir":
                folder.names[name] = _Folder()
            case "unlink":
                folder.names.pop(name, None)
            case "rename":
                there, new = self._at(call.data.decode())
                there.names[new] = folder.names.pop(name)
            case "open":
                opened = folder.names.setdefault(name, _File())
                if call.at and isinstance(opened, _File):
                    opened.since.append((0, None))
            case "write" | "truncate":
                written = self._find(call.path)
                assert isinstance(written, _File), call.path
                at = written.size() if call.at < 0 else call.at
                written.since.append((at, call.data if call.name == "write" else None))
        return True

    def left(self, folder: Path, *, torn: Random | None = None) -> None:
        """Write into a fresh `folder` what a power cut would leave now; `torn`: with some of what was not fsynced."""
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        _write(self._top, folder, (lambda: torn.random() < 0.5) if torn else (lambda: False))

    def _at(self, path: str) -> tuple[_Folder, str]:
        *above, name = Path(path).relative_to(self._root).parts
        folder = self._top
        for each in above:
            found = folder.names[each]
            assert isinstance(found, _Folder), path
            folder = found
        return folder, name

    def _find(self, path: str) -> _File | _Folder | None:
        if Path(path) == self._root:
            return self._top
        folder, name = self._at(path)
        return folder.names.get(name)


def _write(folder: _Folder, path: Path, lucky: Callable[[], bool]) -> None:
    for name in sorted(folder.names.keys() | folder.kept.keys()):
        newer = lucky()
        node = (folder.names if newer else folder.kept).get(name)
        if node is None or name.endswith("-shm"):  # SQLite makes that one again, and never reads it after a cut
            continue
        if isinstance(node, _Folder):
            (path / name).mkdir()
            _write(node, path / name, lucky)
        else:
            (path / name).write_bytes(_applied(node.kept, [each for each in node.since if lucky()]))


def _applied(kept: bytes, since: Sequence[tuple[int, bytes | None]]) -> bytes:
    found = bytearray(kept)
    for at, data in since:
        if data is None:
            found[at:] = b"\0" * max(0, at - len(found))
        else:
            found.extend(b"\0" * (at - len(found)))
            found[at : at + len(data)] = data
    return bytes(found)
