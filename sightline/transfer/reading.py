"""Reads an export back, item by item with all that goes with it, and believes nothing that it says.

Knows the tables' order: every table follows the items'. Writes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from indexer import Passport, RegionPlan
from indexer.carrying import Unread
from sightline.encoders.adapter import Adapter
from sightline.errors import InputError, UnreadableSource
from sightline.transfer import adapters, rows
from sightline.transfer.columns import Cells, Column, Row
from sightline.transfer.exporting import ADAPTER, FIXED, KIND, VERSION
from sightline.transfer.heading import Heading
from sightline.transfer.manifest import FILE, check_files, read_manifest
from sightline.transfer.once import Once
from sightline.transfer.rows import Bundle
from sightline.transfer.tables import bytes_held, read_table
from sightline.types import Space

MOST_ROWS = 100_000  # of one item in one table, which are held in memory together
MOST_ITEM_BYTES = 512_000_000  # of one item in one table
MOST_HELD_BYTES = 1_000_000_000  # of all tables, each of which is read some rows at a time


class Export:
    """An export in a folder. Every method raises UnreadableSource, naming the file, for what is not as it should be."""

    def __init__(self, folder: Path) -> None:
        """Reads the manifest. Raises InputError where there is none."""
        self.folder = folder
        self._manifest = read_manifest(folder, KIND, VERSION)
        try:
            self._heading = Heading.of(self._manifest, tuple(FIXED))
            entries = self._manifest["files"]
            missing = {self._file(name).name for name in self._tables} - entries.keys()
            if missing:
                raise ValueError(f"no file {min(missing)}")
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as exc:
            raise UnreadableSource(str(folder / FILE), f"makes no sense: {type(exc).__name__} {exc}") from exc

    @property
    def passport(self) -> Passport | None:
        """Of the collection that was exported."""
        return self._heading.passport

    @property
    def text_passport(self) -> Passport | None:
        """Of the text encoder that it had beside."""
        return self._heading.text_passport

    @property
    def with_vectors(self) -> bool:
        return self._heading.with_vectors

    @property
    def regions(self) -> RegionPlan:
        """Which parts of its pictures have vectors of their own."""
        return self._heading.regions or RegionPlan()

    @property
    def counts(self) -> Mapping[str, int]:
        """Table -> rows."""
        return self._heading.counts

    @property
    def readings(self) -> tuple[tuple[str, float, float], ...]:
        """Source, and from when to when (seconds, epoch) it was last read to its end."""
        return self._heading.readings

    @property
    def spaces(self) -> list[Space]:
        """The spaces of which there are vectors."""
        return list(self._heading.spaces)

    def adapter(self) -> Adapter | None:
        """The adapter that queries went through; None where there was none."""
        entry = self._manifest["files"].get(ADAPTER)
        if entry is None:
            return None
        path = self.folder / ADAPTER
        if self.passport is None or entry["bytes"] > adapters.most_bytes(self.passport):
            raise UnreadableSource(ADAPTER, "is larger than an adapter of this encoder, or of none")
        try:
            return adapters.adapter_of(path.read_bytes(), self.passport)
        except OSError as exc:
            raise UnreadableSource(ADAPTER, f"cannot be read: {exc.strerror}") from exc
        except (ValueError, RecursionError) as exc:
            raise UnreadableSource(ADAPTER, str(exc)) from exc

    def check(self, tell: Callable[[int], None] | None = None) -> None:
        """Look at every byte, every row and the adapter. `tell`: items looked at so far."""
        check_files(self.folder, self._manifest)
        held = sum(
            bytes_held(self._file(name), columns, self._heading.format) for name, columns in self._tables.items()
        )
        if held > MOST_HELD_BYTES:
            told = f"holding groups of its rows side by side takes {held:,} bytes, more than {MOST_HELD_BYTES:,}"
            raise UnreadableSource(str(self.folder), told)
        self.adapter()
        try:
            for number, _ in enumerate(self.bundles(), start=1):
                if tell is not None:
                    tell(number)
            for _ in self.unread():
                pass
        except MemoryError as exc:
            raise UnreadableSource(str(self.folder), "reading it takes more memory than there is") from exc

    def bundles(self) -> Iterator[Bundle]:
        """Every item in its order; no more than one in memory."""
        items = self._table("items")
        beside = {name: self._beside(name) for name in ("parts", "thumbnails", "ledger")}
        vectors = {space: self._beside(name) for space, name in self._heading.spaces.items()}
        count = 0
        with Once() as ids:
            for count, row in enumerate(items, start=1):
                yield self._bundle(row, count, ids, beside, vectors)
        for one in (*beside.values(), *vectors.values()):
            if one.next is not None:
                culprit = one.next["item"]
                raise UnreadableSource(one.file, f"rows of {culprit!r}, which is no item, or out of order")
        if count != self.counts["items"]:
            told = f"has {count:,} items; the manifest says {self.counts['items']:,}"
            raise UnreadableSource(self._file("items").name, told)

    def unread(self) -> Iterator[Unread]:
        """What could not be indexed in the collection."""
        return map(rows.unread_of, self._table("unread"))

    def _bundle(
        self, row: Row, number: int, ids: Once, beside: Mapping[str, _Beside], vectors: Mapping[Space, _Beside]
    ) -> Bundle:
        where: list[_Beside] = []  # whose rows are looked at
        name = row["id"]
        try:
            if not ids.add(name):
                raise InputError(f"the item {name!r} is there twice")
            fields = rows.fields_of(row)
            where = [beside["parts"]]
            item = rows.item_of(row, fields, where[0].take(name))
            where = list(vectors.values())
            stored = rows.stored_of(item, {space: one.take(name) for space, one in vectors.items()})
            where = [beside["thumbnails"]]
            thumbnails = rows.thumbnails_of(item, where[0].take(name))
            where = [beside["ledger"]]
            records = where[0].take(name)
            if len(records) > 1:
                raise InputError(f"the item {name!r} is twice on record")
            return Bundle(stored, rows.carried_of(records[0]) if records else None, thumbnails)
        except UnreadableSource:
            raise
        except InputError as exc:
            files = " or ".join(one.file for one in where) or self._file("items").name
            places = " or ".join(one.place for one in where) or f"row {number:,}"
            raise UnreadableSource(files, f"{places}: {exc}") from exc

    @property
    def _tables(self) -> dict[str, tuple[Column, ...]]:
        """The columns of every table by its name."""
        boxes = self._heading.regions is not None
        several = {name: rows.vector_columns(space.dim, boxes=boxes) for space, name in self._heading.spaces.items()}
        return {**FIXED, **several}

    def _beside(self, name: str) -> _Beside:
        return _Beside(self._file(name), self._tables[name], self._table(name))

    def _table(self, name: str) -> Iterator[Row]:
        return read_table(self._file(name), self._tables[name], self._heading.format)

    def _file(self, table: str) -> Path:
        return self.folder / f"{table}.{self._heading.format}"


class _Beside:
    """A table that follows the items: a number of rows for each, in their order."""

    def __init__(self, file: Path, columns: Sequence[Column], table: Iterator[Row]) -> None:
        self.file = file.name
        self._table, self._bytes_of = table, Cells(columns).bytes_of
        self._first, self._after = 1, 1  # numbers of the rows that were taken last
        self.next = next(table, None)

    @property
    def place(self) -> str:
        """Which rows were taken last, for people."""
        last = max(self._first, self._after - 1)
        return f"row {last:,}" if last == self._first else f"rows {self._first:,} to {last:,}"

    def take(self, item: str) -> list[Row]:
        """The rows that come next and are of this item. Raises InputError for too many."""
        found: list[Row] = []
        size = 0
        self._first = self._after
        while self.next is not None and self.next["item"] == item:
            if len(found) >= MOST_ROWS:
                raise InputError(f"the item {item!r} has more than {MOST_ROWS:,} rows in one table")
            found.append(self.next)
            self._after += 1
            size += self._bytes_of(self.next)
            if size > MOST_ITEM_BYTES:
                raise InputError(f"the item {item!r} takes more than {MOST_ITEM_BYTES / 1e6:,.0f} MB in one table")
            self.next = next(self._table, None)
        return found
