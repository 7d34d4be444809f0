"""The bytes a picture was indexed from, read again: from its file, or from the archive that holds it.

Knows how a part's uri names either; decodes nothing.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from indexer import archives
from sightline import files
from sightline.errors import UnreadableSource
from sightline.types import Part

_WITHIN = "!/"  # between an archive and its member


class Originals:
    """Reads parts' originals. The members of one archive at a time are kept by name, so that none is listed twice."""

    def __init__(self) -> None:
        self._listed: tuple[Path, dict[str, archives.Member]] = (Path(), {})

    def read(self, part: Part) -> bytes:
        """The very bytes that the part was made of. Raises UnreadableSource where they are no longer to be had."""
        if not part.uri:
            raise UnreadableSource(part.id, "it was handed in without a file")
        archive, name = (None, "") if _is_file(Path(part.uri)) else _within(part.uri)
        if archive is None:
            data = files.read(Path(part.uri), source=part.id)
        else:
            data = self._member(archive, name, part.id).read(source=part.id, cap=files.MAX_BYTES)
        if hashlib.sha256(data).hexdigest() != part.digest:
            raise UnreadableSource(part.id, "the file is another one by now")
        return data

    def _member(self, archive: Path, name: str, part_id: str) -> archives.Member:
        if self._listed[0] != archive:
            listed: dict[str, archives.Member] = {}
            for found in archives.members(archive):
                if isinstance(found, archives.Member):
                    listed.setdefault(found.name, found)  # of two of one name, the first was indexed
            self._listed = archive, listed
        if name not in self._listed[1]:
            raise UnreadableSource(part_id, "it is no longer in its archive")
        return self._listed[1][name]


def _within(uri: str) -> tuple[Path | None, str]:
    """The archive that is there and its member's name, of a uri that names both; no archive where it does not."""
    at = uri.find(_WITHIN)
    while at >= 0:
        archive = Path(uri[:at])
        if archive.suffix.lower() in archives.SUFFIXES and _is_file(archive):
            return archive, uri[at + len(_WITHIN) :]
        at = uri.find(_WITHIN, at + 1)
    return None, ""


def _is_file(path: Path) -> bool:
    """Whether it is there. A URL may be longer than any name, which no system takes for one that is merely absent."""
    try:
        return path.is_file()
    except OSError:
        return False
