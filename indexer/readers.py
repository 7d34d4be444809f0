"""What a SOURCE is and what is in it: a folder, a file, an archive, a catalog, or rows handed in.

Lists and reads rows; opens a file no further than its first bytes, and only where its name says nothing.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePath
from typing import Any

from indexer import archives, catalogs, rows
from indexer.records import Entry, IndexOptions, Lost, Record, Row, Source
from sightline import files, media
from sightline.errors import InputError, UnreadableSource
from sightline.types import Skipped

MOST_ID = 32_000  # characters, prefix and all: what is named by it, its parts and outcomes, is read back by `import`
ROWS = "rows handed in"  # who owns items that were handed in row by row
SAME_ID = "is already that of"  # in the reason for leaving out a second item of one id
TEXT_SUFFIXES = frozenset({".txt", ".text", ".md", ".markdown"})
MARKDOWN_SUFFIXES = frozenset({".md", ".markdown"})
PICTURE_SUFFIXES = frozenset(
    (
        *(
            ".jpg",
            ".jpeg",
            ".jpe",
            ".jfif",
            ".png",
            ".apng",
            ".webp",
            ".gif",
            ".avif",
            ".heic",
            ".heif",
            ".hif",
            ".tif",
            ".tiff",
        ),
        *(
            ".bmp",
            ".dib",
            ".jp2",
            ".j2k",
            ".jpf",
            ".jpx",
            ".j2c",
            ".ico",
            ".cur",
            ".icns",
            ".psd",
            ".ppm",
            ".pgm",
            ".pbm",
        ),
        *(".pnm", ".pfm", ".qoi", ".tga", ".dds", ".pcx", ".sgi", ".ras", ".fli", ".flc", ".fits", ".xpm", ".xbm"),
    )
)
_SNIFFED_BYTES = 512


def open_sources(sources: Sequence[str | Path | Mapping[str, Any]], options: IndexOptions) -> list[Source]:
    """Every source once, handed-in rows together as one. Raises InputError for one that does not exist."""
    rows.check_mapping(options.mapping)
    if any(isinstance(source, list | tuple) for source in sources):
        raise InputError("sources and rows are handed in one by one, not as a list: add(*rows)")
    handed = [source for source in sources if isinstance(source, Mapping)]
    opened = [_open(Path(source), options) for source in sources if not isinstance(source, Mapping)]
    if handed:
        opened.append(_handed_in(handed, options))
    if not opened:
        raise InputError("nothing to index: name a folder, a file or a catalog, or hand in rows")
    return list({source.key: source for source in opened}.values())


def _open(path: Path, options: IndexOptions) -> Source:
    try:
        if _broken(str(path.resolve())):
            raise InputError(
                f"{_shown(str(path))}: a folder or file whose path is not valid Unicode is not read: rename it"
            )
        kind = path.stat().st_mode
        if stat.S_ISDIR(kind):
            with os.scandir(path):
                read = lambda: _folder(path)  # noqa: E731
        elif not stat.S_ISREG(kind):
            raise InputError(f"{path} is neither a file nor a folder")
        elif path.suffix.lower() in catalogs.SUFFIXES:
            read = _catalog(path, options)
        else:
            with path.open("rb"):
                packed = path.suffix.lower() in archives.SUFFIXES
                read = lambda: _archive(path) if packed else _file(path)  # noqa: E731
    except RuntimeError as exc:  # as Python up to 3.12 calls links that lead in a circle
        raise InputError(f"{path} is a link to itself") from exc
    except OSError as exc:
        missing = isinstance(exc, FileNotFoundError)
        raise InputError(f"{path} does not exist" if missing else f"cannot read {path}: {exc.strerror}") from exc
    key = _key(str(path.resolve()), options)
    return Source(key, str(path), _checked(read, options), needs_records=stat.S_ISDIR(kind))


def _handed_in(handed: Sequence[Mapping[str, Any]], options: IndexOptions) -> Source:
    numbered = [Row(f"row {number}", row) for number, row in enumerate(handed, start=1)]
    read = lambda: _records(lambda: iter(numbered), options, folder=Path(), uri=None)  # noqa: E731
    return Source(_key(ROWS, options), ROWS, _checked(read, options), shares=True)


def _key(name: str, options: IndexOptions) -> str:
    return f"{name} (prefix {options.prefix})" if options.prefix else name


def place_of(key: str) -> Path:
    """The folder or file that a source's key names, whether it is there or not."""
    whole = Path(key)
    return whole if whole.exists() else Path(re.sub(r" \(prefix .*\)\Z", "", key, flags=re.DOTALL))


def vanished(key: str) -> bool:
    """Whether the folder or file that a source's key names is no longer there."""
    place = place_of(key)
    return place.is_absolute() and not place.exists()


def _checked(read: Callable[[], Iterator[Entry]], options: IndexOptions) -> Callable[[], Iterator[Entry]]:
    """Puts the prefix before ids, skips those too long, and a second item of the same id."""

    def checked() -> Iterator[Entry]:
        seen: dict[str, str] = {}
        for entry in read():
            if isinstance(entry, Lost) and entry.id:
                yield replace(entry, id=options.prefix + entry.id)
            elif not isinstance(entry, Record):
                yield entry
            elif (length := len(options.prefix + entry.id)) > MOST_ID:
                reason = f"its id has {length:,} characters, of which it may have {MOST_ID:,}: {entry.id[:40]!r}…"
                yield Lost(Skipped(entry.label, reason), options.prefix + entry.id)
            elif entry.id in seen:
                yield Skipped(entry.label, f"the id {entry.id!r} {SAME_ID} {seen[entry.id]}")
            else:
                seen[entry.id] = entry.label
                yield replace(entry, id=options.prefix + entry.id)

    return checked


# -- catalogs and rows -------------------------------------------------------------------------------------------------


def _catalog(path: Path, options: IndexOptions) -> Callable[[], Iterator[Entry]]:
    read = catalogs.open_catalog(path)
    return lambda: _records(read, options, folder=path.resolve().parent, uri=str(path.resolve()))


def _records(read: catalogs.Rows, options: IndexOptions, *, folder: Path, uri: str | None) -> Iterator[Entry]:
    for row in read():
        if isinstance(row, Lost):
            yield row
            continue
        try:
            yield rows.record_of(row, mapping=options.mapping, folder=folder, uri=uri)
        except UnreadableSource as exc:
            yield Lost(Skipped(exc.source, exc.reason), rows.id_of(row, mapping=options.mapping))


# -- files and folders -------------------------------------------------------------------------------------------------


def _archive(path: Path) -> Iterator[Entry]:
    for member in archives.members(path):
        if not isinstance(member, archives.Member):
            yield member
            continue
        label, uri = f"{path}!/{member.name}", f"{path.resolve()}!/{member.name}"
        try:
            known = _is_known(PurePath(member.name))
            head = b"" if known else member.read(source=label, cap=files.MAX_BYTES, count=_SNIFFED_BYTES)
        except UnreadableSource as exc:
            yield Skipped(label, exc.reason)
            continue
        if known or media.sniff(head):
            yield Record(member.name, label, document=member, uri=uri)
        else:
            yield Skipped(label, "neither a picture nor a text (.txt, .md): only these are read within an archive")


def _file(path: Path) -> Iterator[Entry]:
    reason = _unusable(path, _sniffed(path))
    yield Skipped(str(path), reason) if reason else _document(path, path.name, str(path))


def _folder(root: Path) -> Iterator[Entry]:
    """Every file below `root` that is not hidden, in the order of their paths."""
    inside = root.resolve()
    pending: list[tuple[str, os.DirEntry[str] | None]] = [("", None)]
    while pending:
        relative, entry = pending.pop()
        label = str(root / relative)
        if _broken(relative):
            yield Skipped(_shown(label), "the name is not valid Unicode")
        elif entry is not None and entry.name.startswith("."):
            continue  # hidden: nobody means .DS_Store when naming a folder
        elif entry is not None and not entry.is_dir(follow_symlinks=False):
            yield _folder_file(Path(entry.path), relative, label, inside)
        else:
            try:
                with os.scandir(root / relative) as listed:
                    below = sorted(listed, key=lambda one: one.name, reverse=True)
            except OSError as exc:
                yield Lost(Skipped(label, f"cannot be opened: {exc.strerror}"))
                continue
            pending.extend((f"{relative}/{one.name}".lstrip("/"), one) for one in below)


def _folder_file(path: Path, relative: str, label: str, inside: Path) -> Entry:
    try:
        reason = _misleading(path, inside) if path.is_symlink() else ""
        if not reason and not stat.S_ISREG(path.stat().st_mode):
            reason = "not a regular file"
        reason = reason or _unusable(path, _sniffed(path))
    except FileNotFoundError:
        return Skipped(label, "a link to nothing" if path.is_symlink() else "vanished while it was read")
    except OSError as exc:
        return Lost(Skipped(label, f"cannot be opened: {exc.strerror}"))
    return Skipped(label, reason) if reason else _document(path, relative, label)


def _misleading(link: Path, inside: Path) -> str:
    """Why a link in a folder is not followed; empty when it is. Raises OSError."""
    try:
        target = link.resolve(strict=True)
    except RuntimeError:  # as Python up to 3.12 calls links that lead in a circle
        return "a link to itself"
    if target.is_dir():
        return "a link to a folder: links to folders are not followed"
    if not target.is_relative_to(inside):
        return "a link that leaves the folder"
    return "a link to a file whose name is not valid Unicode" if _broken(str(target)) else ""


def _document(path: Path, item_id: str, label: str) -> Record:
    return Record(item_id, label, document=path, uri=str(path.resolve()))


def _sniffed(path: Path) -> str | None:
    """The MIME type by content where the name tells nothing; None where it does."""
    if _is_known(path):
        return None
    with path.open("rb") as file:
        return media.sniff(file.read(_SNIFFED_BYTES))


def _is_known(path: PurePath) -> bool:
    """Whether the name alone says that a file is a picture or a text."""
    return path.suffix.lower() in TEXT_SUFFIXES | PICTURE_SUFFIXES


def _unusable(path: PurePath, mime: str | None) -> str:
    """Why a file is not even tried; empty when it is."""
    suffix = path.suffix.lower()
    if _is_known(path) or mime is not None:
        return ""
    if suffix in archives.SUFFIXES:
        return "an archive: index it by naming the file itself"
    if suffix in archives.PACKED_SUFFIXES:
        return "of archives only .zip and plain .tar are read: unpack it and index the folder"
    if suffix in catalogs.SUFFIXES:
        return "a catalog: index it by naming the file itself"
    return "neither a picture nor a text (.txt, .md)"


def _shown(name: str) -> str:
    """A name that can be written down; two that differ stay apart."""
    return name.encode("utf-8", "backslashreplace").decode()


def _broken(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return True
    return False
