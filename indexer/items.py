"""Opens what a record names and makes the item of it: reads, decodes, splits, digests.

Runs in worker threads: pure but for reading files and URLs. Does not embed or store anything.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from indexer import passages
from indexer.archives import Member
from indexer.readers import MARKDOWN_SUFFIXES, TEXT_SUFFIXES
from indexer.records import IndexOptions, Picture, Record
from sightline import decoding, files, media
from sightline.errors import UnreadableSource
from sightline.types import Fields, Item, Locator, Part, Pixels, Skipped

MAX_TEXT_BYTES = 16_000_000
_FORMAT = 1  # of the items made here: raise it when the same source must give other items
_WHOLE = Locator()
_SETTLED_NS = 2_000_000_000  # a file younger than this may change again within one tick of its clock


@dataclass(frozen=True, slots=True)
class Prepared:
    """An item ready to be embedded. `item` is None when nothing of the record could be read."""

    record: Record
    item: Item | None
    stamp: str = ""
    pixels: dict[str, Pixels] = field(default_factory=dict)  # digest -> picture, where it is not known already
    thumbnails: dict[str, bytes | None] = field(
        default_factory=dict
    )  # every picture's digest -> JPEG, None: kept already
    skipped: tuple[Skipped, ...] = ()

    @property
    def bytes_memory(self) -> int:
        return sum(pixels.nbytes for pixels in self.pixels.values())


def stamp(record: Record) -> str:
    """How a record and its files look from outside, without opening any; empty when that cannot be trusted.

    Of files that swap names, or are written anew with their time put back, size and mtime may be as before: their
    inode and its ctime are not. Where only these are others, as after a restore, the file is read once for nothing.
    """
    now = time.time_ns()
    seen: list[object] = [_FORMAT, record.id, record.title, record.text, record.uri, *sorted(record.fields.items())]
    places: list[Path | str | bytes] = [picture.place for picture in record.pictures]
    if isinstance(record.document, Member):
        seen.append((record.document.name, record.document.size))
        places.append(record.document.archive)
    elif record.document is not None:
        places.append(record.document)
    for place in places:
        if not isinstance(place, Path):
            seen.append(place)
            continue
        try:
            status = place.stat()
        except (OSError, ValueError):
            return ""
        if now - max(status.st_mtime_ns, status.st_ctime_ns) < _SETTLED_NS:
            return ""
        seen.append((str(place), status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino))
    return "" if record.skipped else hashlib.sha256(repr(seen).encode()).hexdigest()


def prepare(record: Record, options: IndexOptions, known: Callable[[str], bool]) -> Prepared:
    """Read and decode a record. A picture whose digest is `known` is not decoded again.

    Never raises for what a source holds: what cannot be read is in `skipped`.
    """
    look = stamp(record)
    work = _Work(record, options, known)
    if record.document is not None:
        work.document(record.document)
    for picture in record.pictures:
        work.picture(picture)
    item = work.item()
    trusted = look if not work.skipped else ""
    return Prepared(record, item, trusted, work.pixels, work.thumbnails, tuple(work.skipped))


def content_digest(item: Item) -> str:
    """What an item holds, whatever it is called and wherever it was found: equal for duplicates and moved files."""
    return _sha256(json.dumps([(part.modality, part.digest) for part in item.parts]).encode())


class _Work:
    """What has been read of one record so far."""

    def __init__(self, record: Record, options: IndexOptions, known: Callable[[str], bool]) -> None:
        self.record = record
        self.options = options
        self.known = known
        self.images: list[Part] = []
        self.title = record.title
        self.text = record.text
        self.markdown = False
        self.pixels: dict[str, Pixels] = {}
        self.thumbnails: dict[str, bytes | None] = {}
        self.skipped: list[Skipped] = list(record.skipped)

    def document(self, path: Path | Member) -> None:
        """Take a file for what it holds: a text if it is named one and is one, else a picture."""
        label = self.record.label
        named_text = path.suffix.lower() in TEXT_SUFFIXES
        try:
            cap = MAX_TEXT_BYTES if named_text else files.MAX_BYTES
            if isinstance(path, Member):
                data = path.read(source=label, cap=cap)
            else:
                data = files.read(path, source=label, cap=cap)
            if not named_text:
                self._image(data, label, self.record.uri)
            elif (text := _text(data)) is not None:
                self.markdown = path.suffix.lower() in MARKDOWN_SUFFIXES
                self.text, self.title = text, passages.title(text) if self.markdown else ""
                if not text.strip():
                    raise UnreadableSource(label, "the text is empty")
            elif media.sniff(data):
                self._image(data, label, self.record.uri)
            else:
                raise UnreadableSource(label, "the text is not UTF-8")
        except UnreadableSource as exc:
            self.skipped.append(Skipped(label, exc.reason))

    def picture(self, picture: Picture) -> None:
        """Read one picture of a row."""
        try:
            self._image(self._bytes(picture), picture.name, picture.uri)
        except UnreadableSource as exc:
            self.skipped.append(Skipped(picture.name, exc.reason))

    def item(self) -> Item | None:
        """The item, its parts in the order pictures, title, passages, fields; None when it would be empty."""
        fields: Fields = {"title": self.title, **self.record.fields} if self.title else self.record.fields
        parts = (*self.images, *self._texts(), *self._fields(fields))
        if not parts:
            if not self.skipped:
                self.skipped.append(Skipped(self.record.label, "there are no words in it"))
            return None
        told = [(part.id, part.modality, part.digest, part.uri, part.locator.to_json()) for part in parts]
        digest = _sha256(json.dumps([_FORMAT, sorted(fields.items()), told]).encode())
        return Item(self.record.id, fields, parts, digest)

    def _image(self, data: bytes, name: str, uri: str | None) -> None:
        digest = _sha256(data)
        if digest in self.thumbnails or self.known(digest):
            self.thumbnails.setdefault(digest, None)
        else:
            seen = decoding.shared().decode(data, source=name, limits=self.options.limits, thumbnail=True)
            self.pixels[digest], self.thumbnails[digest] = seen
        self.images.append(self._part(f"image-{len(self.images)}", "image", digest, uri=uri))

    def _texts(self) -> list[Part]:
        uri = self.record.uri
        texts = []
        if self.title:
            locator = Locator(field="title")
            texts.append(self._part("title", "text", _digest(self.title), uri=uri, text=self.title, locator=locator))
        for number, passage in enumerate(passages.split(self.text, markdown=self.markdown)):
            locator = Locator(chars=(passage.start, passage.end))
            digest = _digest(passage.text)
            texts.append(self._part(f"text-{number}", "text", digest, uri=uri, text=passage.text, locator=locator))
        return texts

    def _fields(self, fields: Fields) -> list[Part]:
        if not fields:
            return []
        lines = (f"{name}: {', '.join(map(str, v)) if isinstance(v, tuple) else v}" for name, v in fields.items())
        text = "\n".join(lines)
        return [self._part("fields", "fields", _digest(text), uri=self.record.uri, text=text)]

    def _part(
        self,
        name: str,
        modality: str,
        digest: str,
        *,
        uri: str | None,
        text: str | None = None,
        locator: Locator = _WHOLE,
    ) -> Part:
        item_id = self.record.id
        return Part(f"{item_id}#{name}", item_id, modality, digest, uri, text, locator)  # type: ignore[arg-type]

    def _bytes(self, picture: Picture) -> bytes:
        """The encoded picture. Raises UnreadableSource."""
        if isinstance(picture.place, bytes):
            return picture.place
        if isinstance(picture.place, Path):
            return files.read(picture.place, source=picture.name)
        if not self.options.allow_urls:
            raise UnreadableSource(picture.name, "URLs are not fetched; allow it with --allow-urls")
        from sightline.fetch import fetch  # late: it brings an HTTP client that most runs never need

        return fetch(picture.place)


def _text(data: bytes) -> str | None:
    """UTF-8 text, its line ends as they are; None for anything else."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text


def _digest(text: str) -> str:
    return _sha256(text.encode())


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
