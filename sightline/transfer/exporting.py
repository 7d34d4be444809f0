"""Writes a collection into a folder that any Sightline, pandas or DuckDB can read: tables of items, parts and vectors.

Knows in what order; how rows look is `rows`', how files do is `tables`'.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from indexer import Ledger, Passport, RegionPlan
from sightline.errors import ConfigError, InputError
from sightline.filters import Filter
from sightline.protocols import Store
from sightline.transfer import rows
from sightline.transfer.columns import FORMATS, Column, Format, Row
from sightline.transfer.folders import appearing
from sightline.transfer.manifest import FILE, read_manifest, write_manifest
from sightline.transfer.moment import Held, Writing, held
from sightline.transfer.once import Once
from sightline.transfer.reports import ExportReport
from sightline.transfer.rows import Bundle
from sightline.transfer.tables import TableWriter, write_table
from sightline.types import Progress, Space
from sightline.versions import versions

KIND, VERSION = "sightline-export", 1
ADAPTER = "adapter.bin"
PAGE_ITEMS, PAGE_BYTES = 2048, 48_000_000  # held in memory at a time, whichever is reached first


def export(
    folder: Path,
    *,
    ledger: Ledger,
    store: Store,
    store_spec: str,
    collection: str,
    writing: Writing,
    format: Format = "parquet",
    vectors: bool = True,
    where: Filter | None = None,
    where_text: str = "",
    force: bool = False,
    progress: Callable[[Progress], None] | None = None,
) -> ExportReport:
    """Write all items, or those that pass `where`, into a new folder, there whole or not at all.

    Raises InputError for a folder that is there, unless `force` and it is an export; ConfigError where it cannot be
    written.
    """
    if format not in FORMATS:
        raise InputError(f"an export is written as {' or '.join(FORMATS)}, not as {format!r}")
    refuse_target(folder, force=force)
    started = time.perf_counter()
    told = {
        "collection": collection, "store": store_spec, "table_format": format, "vectors": vectors,
        "where": where_text or None,
    }  # fmt: skip
    with held(ledger, store, store_spec, writing) as seen, appearing(folder, replace=force) as made:
        total = None if where else store.stats().items
        walk = _Walk(seen, where, vectors, total, progress)
        with _Tables(made, format, seen.passport, boxes=seen.regions != RegionPlan()) as tables:
            for page in walk.pages():
                tables.write(page)
            tables.write_unread([] if where else (rows.unread_row(one) for one in seen.ledger.unread()))
        if seen.adapter:
            (made / ADAPTER).write_bytes(seen.adapter)
        files = [path for path in made.iterdir() if path.name in {ADAPTER, *tables.files}]
        told |= _origin(seen) | {"spaces": tables.spaces(), "counts": tables.counts()}
        write_manifest(made, KIND, VERSION, told, files)
        size = sum(path.stat().st_size for path in files)
    counts = tables.counts()
    return ExportReport(
        str(folder), counts["items"], counts["parts"], counts["vectors"], counts["thumbnails"], size,
        time.perf_counter() - started, tuple(walk.notes()),
    )  # fmt: skip


def refuse_target(folder: Path, *, force: bool) -> None:
    """Raise InputError unless an export may be written to `folder`: nothing is there, or an export and `force`."""
    if not folder.exists() and not folder.is_symlink():
        return
    if not force:
        raise InputError(f"{folder} is there already: name another folder, or write over it with --force")
    if not folder.is_dir() or folder.is_symlink():
        raise InputError(f"{folder} is no folder: it is not written over")
    if any(folder.iterdir()):
        try:
            ours = {FILE, *read_manifest(folder, KIND, VERSION)["files"]}
        except InputError as exc:
            raise InputError(f"{folder} holds something else than an export: it is not written over") from exc
        if others := sorted(path.name for path in folder.iterdir() if path.name not in ours):
            raise InputError(f"{folder} holds {others[0]!r} beside an export: it is not written over")


class _Walk:
    """The items of a collection a page at a time, with all that goes with them."""

    def __init__(self, seen: Held, where: Filter | None, vectors: bool, total: int | None, progress: Any) -> None:
        self._seen, self._where, self._vectors = seen, where, vectors
        self._total, self._progress, self._done = total, progress, 0
        self._started = time.perf_counter()
        self._unrecorded = 0

    def pages(self) -> Iterator[list[Bundle]]:
        page: list[Bundle] = []
        size = 0
        with Once() as shown:
            for stored in self._seen.store.items(where=self._where, vectors=self._vectors):
                page.append(Bundle(stored))
                size += page[-1].bytes_memory
                if len(page) >= PAGE_ITEMS or size >= PAGE_BYTES:
                    yield self._whole(page, shown)
                    page, size = [], 0
            yield self._whole(page, shown)
        self._tell(last=True)

    def notes(self) -> Iterator[str]:
        if self._unrecorded:
            yield f"{self._unrecorded:,} items were being written just then: the next `index` looks at them once more"

    def _whole(self, page: Sequence[Bundle], shown: Once) -> list[Bundle]:
        """The page with what the ledger has of it."""
        carried = self._seen.ledger.carried([one.item.id for one in page])
        made = []
        for one in page:
            fresh = [part.digest for part in one.item.parts if part.modality == "image" and shown.add(part.digest)]
            thumbnails = self._seen.ledger.thumbnails(fresh) if fresh else {}
            record = carried.get(one.item.id)
            self._unrecorded += record is None or record.digest != one.item.digest
            if record is not None and record.digest != one.item.digest:
                record = None
            made.append(Bundle(one.stored, record, thumbnails))
        self._done += len(page)
        self._tell()
        return made

    def _tell(self, *, last: bool = False) -> None:
        if self._progress is not None:
            seconds = time.perf_counter() - self._started
            self._progress(Progress(self._done, self._done if last else self._total, 0, 0, seconds))


class _Tables:
    """The tables of an export, open for writing; a table of vectors for each space that comes by."""

    def __init__(self, folder: Path, format: Format, passport: Passport | None, *, boxes: bool) -> None:
        self._folder, self._format, self._boxes = folder, format, boxes
        self._current = passport.fingerprint if passport else ""
        self._open = ExitStack()
        self._spaces: dict[str, tuple[Space, str]] = {}  # fingerprint -> space, name of its table
        self._writers: dict[str, TableWriter] = {}
        self.files: list[str] = []
        self._rows: Counter[str] = Counter()

    def __enter__(self) -> _Tables:
        for name, columns in FIXED.items():
            self._make(name, columns)
        return self

    def __exit__(self, *raised: Any) -> None:
        self._open.__exit__(*raised)

    def write(self, page: Sequence[Bundle]) -> None:
        """Append items, each with what goes with it."""
        self._put("items", [rows.item_row(one.item) for one in page])
        self._put("parts", [row for one in page for row in rows.part_rows(one.item)])
        self._put("thumbnails", [row for one in page for row in rows.thumbnail_rows(one)])
        self._put("ledger", [rows.ledger_row(one.carried) for one in page if one.carried])
        by_table: dict[str, list[Row]] = {}
        for bundle in page:
            for one in bundle.stored.vectors:
                by_table.setdefault(self._table(one.space), []).extend(rows.vector_rows(bundle.item, one))
        for name, found in by_table.items():
            self._put(name, found)

    def write_unread(self, unread: Iterable[Row]) -> None:
        """Append what could not be indexed."""
        self._put("unread", list(unread))

    def counts(self) -> dict[str, int]:
        """Rows of every table; `vectors` are those of all spaces."""
        several = sum(self._rows[name] for _, name in self._spaces.values())
        return {**{name: self._rows[name] for name in FIXED}, "vectors": several}

    def spaces(self) -> list[dict[str, Any]]:
        """What the manifest says of each space."""
        return [
            {"name": space.name, "dim": space.dim, "fingerprint": space.fingerprint, "table": name,
             "rows": self._rows[name]}
            for space, name in self._spaces.values()
        ]  # fmt: skip

    def _put(self, table: str, found: list[Row]) -> None:
        self._writers[table].write(found)
        self._rows[table] += len(found)

    def _table(self, space: Space) -> str:
        """The table of a space: `vectors` for those searched, `vectors-2` and on for others."""
        if space.fingerprint not in self._spaces:
            self._current = self._current or space.fingerprint
            others = sum(fingerprint != self._current for fingerprint in self._spaces)
            name = "vectors" if space.fingerprint == self._current else f"vectors-{others + 2}"
            self._make(name, rows.vector_columns(space.dim, boxes=self._boxes))
            self._spaces[space.fingerprint] = space, name
        return self._spaces[space.fingerprint][1]

    def _make(self, name: str, columns: Sequence[Column]) -> None:
        file = f"{name}.{self._format}"
        try:
            writer = self._writers[name] = write_table(self._folder / file, columns, self._format)
        except OSError as exc:
            raise ConfigError(f"cannot write {self._folder / file}: {exc.strerror}") from exc
        self._open.callback(writer.close)
        self.files.append(file)


FIXED = {
    "items": rows.ITEMS, "parts": rows.PARTS, "thumbnails": rows.THUMBNAILS, "ledger": rows.LEDGER,
    "unread": rows.UNREAD,
}  # fmt: skip


def _origin(seen: Held) -> dict[str, Any]:
    """When, by what and from what an export was made."""
    passport, texts = seen.passport, seen.text_passport
    specs = [*([passport.space, passport.store] if passport else []), *([texts.space] if texts else [])]
    return {
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": versions(specs),
        "passport": passport.to_json() if passport else None,
        **({"text_passport": texts.to_json()} if texts else {}),
        "readings": seen.ledger.readings(),
        **({"regions": asdict(seen.regions)} if seen.regions != RegionPlan() else {}),
    }
