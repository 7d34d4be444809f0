"""The manifest of an export or a snapshot: what is in its folder, file by file, and a digest of itself.

Knows files and their digests; knows not what is in them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from pathlib import Path, PurePosixPath
from typing import Any

from sightline.disk import sync
from sightline.errors import InputError, UnreadableSource
from sightline.transfer.columns import MOST_NAME, text_fault
from sightline.transfer.jsonl import parsed

FILE = "manifest.json"
MOST_BYTES = 64_000_000
_BLOCK = 1 << 20


def write_manifest(folder: Path, kind: str, version: int, told: dict[str, Any], files: Iterable[Path]) -> None:
    """Write down what is in a folder: `told`, and size and SHA-256 of each of the `files`. Raises OSError."""
    entries = {
        path.relative_to(folder).as_posix(): {"bytes": path.stat().st_size, "sha256": digest(path)}
        for path in sorted(files)
    }
    document = {"format": kind, "version": version, **told, "files": entries}
    document["sha256"] = _own_digest(document)
    path = folder / FILE
    path.write_text(json.dumps(document, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    sync(path)


def read_manifest(folder: Path, kind: str, version: int) -> dict[str, Any]:
    """The manifest of a folder as it was written. Raises UnreadableSource, InputError where there is none."""
    path = folder / FILE
    if not path.is_file():
        raise InputError(f"{folder} is no {kind.removeprefix('sightline-')}: it has no {FILE}")
    try:
        if path.stat().st_size > MOST_BYTES:
            raise UnreadableSource(str(path), "too large for a manifest")
        document = parsed(path.read_bytes())
    except OSError as exc:
        raise UnreadableSource(str(path), f"cannot be read: {exc.strerror}") from exc
    except ValueError as exc:
        raise UnreadableSource(str(path), f"{exc}: it was torn or changed") from exc
    if not isinstance(document, dict) or document.get("format") != kind:
        raise UnreadableSource(str(path), f"not the manifest of a {kind}")
    if document.get("version") != version:
        raise UnreadableSource(
            str(path), f"of format {document.get('version')!r}; this Sightline reads format {version}"
        )
    if document.get("sha256") != _own_digest(document):
        raise UnreadableSource(str(path), "it was changed after it was written")
    if not _are_entries(document.get("files")):
        raise UnreadableSource(str(path), "makes no sense: a file without its size and digest, or of an odd name")
    return document


def _are_entries(files: Any) -> bool:
    """Whether these are files by name, each with what is told of it."""
    return isinstance(files, dict) and all(
        not text_fault(name, most=MOST_NAME)
        and isinstance(entry, dict)
        and type(entry.get("bytes")) is int
        and isinstance(entry.get("sha256"), str)
        for name, entry in files.items()
    )


def check_files(folder: Path, manifest: dict[str, Any], tell: Callable[[int, int], None] | None = None) -> None:
    """Raise UnreadableSource, naming the file, unless every file is as it was written. `tell`: bytes read, of all."""
    total, done = sum(int(entry["bytes"]) for entry in manifest["files"].values()), 0
    for name, entry in manifest["files"].items():
        path = inside(folder, name)
        try:
            if path.is_symlink() or not path.is_file():
                raise UnreadableSource(str(path), "is missing")
            size = path.stat().st_size
            if size != entry["bytes"]:
                how = "torn" if size < entry["bytes"] else "changed"
                raise UnreadableSource(str(path), f"was {how}: it has {size:,} bytes, not {entry['bytes']:,}")
            if digest(path) != entry["sha256"]:
                raise UnreadableSource(str(path), "was changed: its SHA-256 is not the one in the manifest")
        except OSError as exc:
            raise UnreadableSource(str(path), f"cannot be read: {exc.strerror}") from exc
        done += size
        if tell is not None:
            tell(done, total)


def inside(folder: Path, name: str) -> Path:
    """The file of a name in a manifest. Raises UnreadableSource for a name that leads elsewhere."""
    steps = PurePosixPath(name).parts
    if not steps or name.startswith("/") or "\0" in name or any(step in ("..", FILE) for step in steps):
        raise UnreadableSource(str(folder / FILE), f"names a file that is none of its folder: {name!r}")
    return folder / name


def digest(path: Path) -> str:
    """SHA-256 of a file, in hex. Raises OSError."""
    told = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            told.update(block)
    return told.hexdigest()


def _own_digest(document: dict[str, Any]) -> str:
    rest = {name: value for name, value in document.items() if name != "sha256"}
    return hashlib.sha256(json.dumps(rest, ensure_ascii=False, sort_keys=True).encode(errors="replace")).hexdigest()
