"""Reads an export back, item by item with all that goes with it, and believes nothing that it says.

Knows the tables' order: every table follows the items'. Writes nothing.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from indexer import Passport
from indexer.carrying import Unread
from sightline.errors import InputError, UnreadableSource
from sightline.stores.checks import check_text
from sightline.transfer import rows
from sightline.transfer.exporting import ADAPTER, FIXED, KIND, VERSION
from sightline.transfer.manifest import FILE, check_files, read_manifest
from sightline.transfer.once import Once
from sightline.transfer.rows import Bundle
from sightline.transfer.tables import FORMATS, Column, Format, Row, read_table
from sightline.types import Space

MOST_DIM = 65_536
MOST_SPACES = 64
MOST_ROWS = 100_000  # of one item in one table, which are held in memory together


class Export:
    """An export in a folder. Every method raises UnreadableSource, naming the file, for what is not as it should be."""

    def __init__(self, folder: Path) -> None:
        """Reads the manifest. Raises InputError where there is none."""
        self.folder = folder
        self._manifest = read_manifest(folder, KIND, VERSION)
        try:
            self._read(self._manifest)
        except (KeyError, TypeError, ValueError, AttributeError) as exc:
            raise UnreadableSource(str(folder / FILE), f"makes no sense: {type(exc).__name__} {exc}") from exc

    def _read(self, told: Mapping[str, Any]) -> None:
        self.format: Format = told["table_format"]
        if self.format not in FORMATS:
            raise ValueError(f"of tables {self.format!r}")
        self.passport = _passport(told["passport"])
        self.with_vectors = bool(told["vectors"])
        self.counts = {name: int(told["counts"][name]) for name in (*FIXED, "vectors")}
        self.readings = [(str(source), float(since), float(until)) for source, since, until in told["readings"]]
        self._spaces: dict[Space, str] = {}
        for one in told["spaces"]:
            space = Space(str(one["name"]), int(one["dim"]), str(one["fingerprint"]))
            if not 1 <= space.dim <= MOST_DIM or len(self._spaces) >= MOST_SPACES:
                raise ValueError(f"{len(told['spaces'])} spaces, one of {space.dim} numbers a vector")
            if space.fingerprint in {known.fingerprint for known in self._spaces}:
                raise ValueError(f"the space {space.fingerprint!r} twice")
            self._spaces[space] = str(one["table"])
        entries = told["files"]
        if not all(isinstance(entry["bytes"], int) and isinstance(entry["sha256"], str) for entry in entries.values()):
            raise ValueError("a file without its size and digest")
        missing = {self._file(name).name for name in (*FIXED, *self._spaces.values())} - entries.keys()
        if missing:
            raise ValueError(f"no file {min(missing)}")

    @property
    def spaces(self) -> list[Space]:
        """The spaces of which there are vectors."""
        return list(self._spaces)

    @property
    def adapter(self) -> bytes:
        """The adapter that queries went through; none where there was none."""
        return (self.folder / ADAPTER).read_bytes() if ADAPTER in self._manifest["files"] else b""

    def check(self, tell: Callable[[int], None] | None = None) -> None:
        """Look at every byte and every row. `tell`: items looked at so far."""
        check_files(self.folder, self._manifest)
        for number, _ in enumerate(self.bundles(), start=1):
            if tell is not None:
                tell(number)
        for _ in self.unread():
            pass

    def bundles(self) -> Iterator[Bundle]:
        """Every item in its order; no more than one in memory."""
        items = self._table("items", rows.ITEMS)
        beside = {name: _Beside(self._table(name, FIXED[name])) for name in ("parts", "thumbnails", "ledger")}
        vectors = {
            space: _Beside(self._table(name, rows.vector_columns(space.dim))) for space, name in self._spaces.items()
        }
        count = 0
        with Once() as ids:
            for row in items:
                count += 1
                try:
                    yield self._bundle(row, ids, beside, vectors)
                except UnreadableSource:
                    raise
                except InputError as exc:
                    raise UnreadableSource(str(self.folder), str(exc)) from exc
        for name, one in (*beside.items(), *((self._spaces[space], one) for space, one in vectors.items())):
            if one.next is not None:
                culprit = one.next["item"]
                raise UnreadableSource(self._file(name).name, f"rows of {culprit!r}, which is no item, or out of order")
        if count != self.counts["items"]:
            told = f"has {count:,} items; the manifest says {self.counts['items']:,}"
            raise UnreadableSource(self._file("items").name, told)

    def unread(self) -> Iterator[Unread]:
        """What could not be indexed in the collection."""
        return map(rows.unread_of, self._table("unread", rows.UNREAD))

    def _bundle(self, row: Row, ids: Once, beside: Mapping[str, _Beside], vectors: Mapping[Space, _Beside]) -> Bundle:
        name = row["id"]
        check_text(name, f"the id {name!r}")
        if not ids.add(name):
            raise InputError(f"the item {name!r} is there twice")
        item = rows.item_of(row, beside["parts"].take(name))
        stored = rows.stored_of(item, {space: one.take(name) for space, one in vectors.items()})
        thumbnails = rows.thumbnails_of(item, beside["thumbnails"].take(name))
        records = beside["ledger"].take(name)
        if len(records) > 1:
            raise InputError(f"the item {name!r} is twice on record")
        return Bundle(stored, rows.carried_of(records[0]) if records else None, thumbnails)

    def _table(self, name: str, columns: tuple[Column, ...]) -> Iterator[Row]:
        return read_table(self._file(name), columns, self.format)

    def _file(self, table: str) -> Path:
        if "/" in table or "\0" in table or table.startswith("."):
            raise ValueError(f"a table {table!r}")
        return self.folder / f"{table}.{self.format}"


class _Beside:
    """A table that follows the items: a number of rows for each, in their order."""

    def __init__(self, table: Iterator[Row]) -> None:
        self._table = table
        self.next = next(table, None)

    def take(self, item: str) -> list[Row]:
        """The rows that come next and are of this item. Raises InputError for too many."""
        found: list[Row] = []
        while self.next is not None and self.next["item"] == item:
            if len(found) >= MOST_ROWS:
                raise InputError(f"the item {item!r} has more than {MOST_ROWS:,} rows in one table")
            found.append(self.next)
            self.next = next(self._table, None)
        return found


def _passport(told: Mapping[str, Any] | None) -> Passport | None:
    """Raises KeyError, TypeError, ValueError for one that makes no sense."""
    if told is None:
        return None
    try:
        probes = base64.b64decode(told["probes"], validate=True)
    except binascii.Error as exc:
        raise ValueError("probes that are not base64") from exc
    dim = int(told["dim"])
    if len(probes) % (4 * dim):
        raise ValueError("probes of another width than the vectors")
    made_of, versions = (
        {str(key): str(value) for key, value in told[name].items()} for name in ("made_of", "versions")
    )
    return Passport(
        str(told["space"]), dim, str(told["fingerprint"]), str(told["store"]), str(told["adapter"]), made_of, versions,
        probes,
    )  # fmt: skip
