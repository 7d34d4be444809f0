"""Reads .zip and plain .tar archives in place: nothing is unpacked to disk, and no member may grow without bound.

Knows names, sizes and places of members; whether one is a picture or a text is the readers' to say.
"""

from __future__ import annotations

import re
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from indexer.records import Lost
from sightline import files
from sightline.errors import UnreadableSource
from sightline.types import Skipped

SUFFIXES = frozenset({".zip", ".tar"})
PACKED_SUFFIXES = frozenset({".gz", ".tgz", ".bz2", ".tbz", ".tbz2", ".xz", ".txz", ".zst", ".tzst", ".7z", ".rar"})
MAX_NAME = 4096  # characters
_TIMES, _FREE_BYTES = 200, 1_000_000_000  # an archive may unpack to so many times its size, and to so much in any case
_DRIVE = re.compile(r"[A-Za-z]:")
_DAMAGE = (
    *(tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, OSError),
    *(ValueError, OverflowError, IndexError, RecursionError, NotImplementedError, RuntimeError),
)


@dataclass(frozen=True, slots=True)
class Member:
    """A file in an archive, not yet read. `name` has no `.`, `..` or empty piece."""

    archive: Path
    name: str
    size: int  # in bytes, as the archive says
    first: Callable[[int], bytes] = field(repr=False, compare=False)  # at most so many bytes of it, from the start

    @property
    def suffix(self) -> str:
        return PurePosixPath(self.name).suffix

    def read(self, *, source: str, cap: int, count: int | None = None) -> bytes:
        """All of it, or its first `count` bytes. Raises UnreadableSource, which calls it `source`."""
        wanted = self.size if count is None else min(count, self.size)
        if wanted > cap:
            raise UnreadableSource(source, files.too_large(self.size, cap))
        if not self.size:
            raise UnreadableSource(source, "the file is empty")
        try:
            data = self.first(wanted)
        except UnreadableSource as exc:
            raise UnreadableSource(source, exc.reason) from exc
        except _DAMAGE as exc:
            raise UnreadableSource(source, "the archive is damaged here") from exc
        if len(data) < wanted:
            raise UnreadableSource(source, "the archive is cut short here")
        return data


def members(path: Path) -> Iterator[Member | Skipped | Lost]:
    """What is in an archive, in its order, hidden files left out. Never raises for what it holds."""
    unpacked = 0
    try:
        most = _TIMES * path.stat().st_size + _FREE_BYTES
        for found in _zipped(path) if path.suffix.lower() == ".zip" else _taped(path):
            yield found
            unpacked += found.size if isinstance(found, Member) else 0
            if unpacked > most:
                reason = f"what follows is left out: the archive would unpack to more than {most / 1e9:,.1f} GB"
                yield Lost(Skipped(str(path), reason))
                return
    except _DAMAGE:
        yield Lost(Skipped(str(path), "the archive is damaged: what follows in it cannot be read"))


def _zipped(path: Path) -> Iterator[Member | Skipped]:
    opened = zipfile.ZipFile(path)  # closes itself once the last of its members is done with
    for info in opened.infolist():
        if info.is_dir():
            continue
        link = (info.external_attr >> 16) & 0o170000 == 0o120000
        reason = _why_not(info.filename, regular=not link)
        if not reason and info.flag_bits & 1:
            reason = "it is encrypted"
        if not reason and info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            reason = "compressed in another way than zip files usually are"
        found = _member(path, info.filename, info.file_size, _unzipping(opened, info), reason)
        if found is not None:
            yield found


def _unzipping(opened: zipfile.ZipFile, info: zipfile.ZipInfo) -> Callable[[int], bytes]:
    def first(count: int) -> bytes:
        with opened.open(info) as file:
            return file.read(count)

    return first


def _taped(path: Path) -> Iterator[Member | Skipped]:
    before = -1
    with tarfile.open(path, "r:") as opened:
        while (info := opened.next()) is not None:
            opened.members = []  # type: ignore[attr-defined]  # it would keep every one of them
            if info.offset <= before or info.size < 0:
                raise tarfile.ReadError("members do not follow each other")
            before = info.offset
            if info.isdir():
                continue
            reason = _why_not(info.name, regular=info.isreg() and not info.issparse())
            found = _member(path, info.name, info.size, _reading(path, info.offset_data, info.size), reason)
            if found is not None:
                yield found


def _reading(path: Path, start: int, size: int) -> Callable[[int], bytes]:
    return lambda count: files.read(path, source=str(path), cap=count, start=start, size=min(count, size))


def _member(path: Path, name: str, size: int, first: Callable[[int], bytes], reason: str) -> Member | Skipped | None:
    """The member, why it is not read, or None for one that is hidden."""
    pieces = [piece for piece in name.split("/") if piece not in ("", ".")]
    if any((piece.startswith(".") and not piece.startswith("..")) or piece == "__MACOSX" for piece in pieces):
        return None
    if reason:
        shown = name[:200].replace("\0", "").encode("utf-8", "replace").decode()
        return Skipped(f"{path}!/{shown}", reason)
    return Member(path, "/".join(pieces), size, first)


def _why_not(name: str, *, regular: bool) -> str:
    """Why a member of this name is not even looked at; empty when it is."""
    pieces = name.replace("\\", "/").split("/")
    try:
        name.encode()
    except UnicodeEncodeError:
        return "the name is not valid Unicode"
    if "\0" in name or not name.strip("/."):
        return "the name is not a file's"
    if len(name) > MAX_NAME:
        return "the name is too long"
    if name[0] in "/\\" or _DRIVE.match(name) or ".." in pieces:
        return "the name leads out of the archive"
    return "" if regular else "not a regular file"
