"""The bytes a picture was indexed from, read again: from its file, or from the archive that holds it.

Knows how a part's uri names either, and that a thumbnail serves where neither is to be had.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path

from indexer import archives
from indexer.ledger import Ledger
from sightline import decoding, files
from sightline.decoding import Limits
from sightline.errors import UnreadableSource
from sightline.types import Part, Pixels, Skipped

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


class Pictures:
    """Opens the pictures of parts: from their originals, else from their thumbnails. What could not be is `lost`."""

    def __init__(self, ledger: Ledger, limits: Limits) -> None:
        self._ledger, self._limits = ledger, limits
        self._originals = Originals()
        self.from_thumbnails: Counter[str] = Counter()  # why their originals were not: how many of the pictures
        self.lost: dict[str, Skipped] = {}  # part id -> why there is no picture

    def of(self, part: Part) -> Pixels | None:
        """A picture from its file or archive where that still holds the very bytes indexed, else from the thumbnail."""
        try:
            return decoding.decode(self._originals.read(part), source=part.id, limits=self._limits)
        except UnreadableSource as exc:  # the thumbnail serves
            reason = exc.reason
        kept = self._ledger.thumbnail(part.digest)
        if kept is None:
            self.lost[part.id] = Skipped(part.id, f"{reason}, and no thumbnail of it is there any more")
            return None
        try:
            pixels = decoding.decode(kept, source=part.id, limits=self._limits)
        except UnreadableSource as exc:
            self.lost[part.id] = Skipped(part.id, exc.reason)
            return None
        self.from_thumbnails[reason] += 1
        return pixels


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
