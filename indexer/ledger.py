"""What became of every source, the passport and the thumbnails: one SQLite file in the collection's folder.

Does not know how anything is read, embedded or stored. A row here means: the store has acknowledged it.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from indexer import attached, carrying, forgetting, register, schema
from indexer.carrying import Carried, LedgerMoment, Unread
from indexer.passports import Passport
from indexer.register import Register
from sightline import durable
from sightline.disk import room, staying
from sightline.errors import ConfigError
from sightline.remains import Remains
from sightline.types import Skipped
from sightline.vacuum import slack, vacuum

FILE = "ledger.db"
_TEXTS, _TEXTS_BY = "text_encoder", "text_encoder_fingerprint"  # names of notes
BUSY_WAIT_S = 30.0  # another's transaction is done within this; past it the caller is told


@dataclass(frozen=True, slots=True)
class Claim:
    """An item on record: which source owns it, what it was made of, and how its files looked then."""

    source: str
    digest: str
    stamp: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """An item that the store has acknowledged. `pictures` maps the digest of each of its pictures to a JPEG, or to
    None where the thumbnail is on record already. `label` is what reports call it, `place` the file it was read from
    ("" for a row), `content` a digest of what it holds, wherever it is."""

    item_id: str
    claim: Claim
    pictures: Mapping[str, bytes | None]
    skipped: tuple[Skipped, ...] = ()
    label: str = ""
    place: str = ""
    content: str = ""


class Ledger:
    """Opens or makes `folder/ledger.db`. Safe to share between threads; other processes may read meanwhile.

    Raises ConfigError when the file cannot be used, also later when the disk is full.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._lock = threading.Lock()
        with _translated(self._path), staying(folder):
            self._db = durable.connect(self._path, wait_s=BUSY_WAIT_S)
            version = self._db.execute("PRAGMA user_version").fetchone()[0]
            if version > schema.VERSION:
                self._db.close()
                newer = f"(format {version}, not {schema.VERSION})"
                raise ConfigError(f"{self._path} was written by a newer Sightline {newer}")
            self._db.execute("PRAGMA temp_store = MEMORY")  # else each change makes a file in the system's own folder
            if version < schema.VERSION:
                durable.write_ahead(self._db, wait_s=BUSY_WAIT_S)
            self._inode = self._path.stat().st_ino  # of nobody else while this file is open
        if version < schema.VERSION:
            with self._writing() as db:
                schema.bring_up(db)

    def replaced(self) -> bool:
        """Whether another file, or none, is in its place by now."""
        try:
            return self._path.stat().st_ino != self._inode
        except FileNotFoundError:
            return True

    def close(self) -> None:
        with self._lock:
            self._db.close()

    def bytes_disk(self) -> int:
        """Size of its files."""
        return room(self._path, *(self._path.with_name(FILE + suffix) for suffix in ("-wal", "-shm")))

    # -- passport --------------------------------------------------------------------------------------------------

    def passport(self) -> Passport | None:
        """What built the collection; None while nothing was added."""
        return Passport.from_rows(dict(self._rows("SELECT key, value FROM meta WHERE key LIKE 'passport.%'")))

    def built_by(self) -> str:
        """The fingerprint in the passport, "" while there is none: cheap to ask."""
        return next(
            (str(row[0]) for row in self._rows("SELECT value FROM meta WHERE key = 'passport.fingerprint'")), ""
        )

    def text_passport(self) -> Passport | None:
        """Which encoder embedded the texts once more, for what is asked in words; None where none did."""
        told = self.noted(_TEXTS)
        return Passport.from_json(json.loads(told)) if told else None

    def texts_by(self) -> str:
        """The fingerprint in `text_passport`, "" while there is none: cheap to ask."""
        return self.noted(_TEXTS_BY)

    def set_text_passport(self, passport: Passport | None) -> None:
        """Put it on record, in place of the one there was; None: there is none from now on."""
        told = json.dumps(passport.to_json()) if passport else ""
        self.notes({_TEXTS: told, _TEXTS_BY: passport.fingerprint if passport else ""})

    def migrate(self, passport: Passport) -> None:
        """Put a passport in place of the one there was, in one transaction; the adapter, made for the old one, goes."""
        with self._writing() as db:
            db.execute("DELETE FROM meta WHERE key LIKE 'passport.%' OR key = 'adapter'")
            db.executemany("INSERT INTO meta VALUES (?, ?)", passport.rows())

    def noted(self, name: str) -> str:
        """What `note` put down under a name; "" where nothing is."""
        row = next(iter(self._rows("SELECT value FROM meta WHERE key = ?", f"note.{name}")), None)
        return str(row[0]) if row else ""

    def note(self, name: str, said: str) -> None:
        """Put a sentence of the caller's own down, in place of the one there was; "" takes it away."""
        self.notes({name: said})

    def notes(self, said: Mapping[str, str]) -> None:
        """As `note`, of several names in one transaction."""
        with self._writing() as db:
            db.executemany("DELETE FROM meta WHERE key = ?", [(f"note.{name}",) for name in said])
            db.executemany(
                "INSERT INTO meta VALUES (?, ?)", [(f"note.{name}", one) for name, one in said.items() if one]
            )

    def set_passport(self, passport: Passport) -> None:
        """Note what builds the collection, once, and again where that says more; its adapter is `set_adapter`'s."""
        kept = self.passport()
        if kept is not None and (kept.fingerprint, kept.store) == (passport.fingerprint, passport.store):
            more = passport.made_of.keys() - kept.made_of.keys()
            if not more and len(kept.probes) >= len(passport.probes):
                return
        with self._writing() as db:
            db.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", passport.rows())

    def adapter_state(self) -> tuple[str, int]:
        """The digest in the passport and the size of the adapter kept, ("", 0) where there is none: cheap to ask."""
        sql = "SELECT (SELECT value FROM meta WHERE key = ?), (SELECT length(value) FROM meta WHERE key = ?)"
        digest, size = self._rows(sql, "passport.adapter", "adapter")[0]
        return digest or "", size or 0

    def adapter(self) -> bytes:
        """The bytes of the adapter; none where there is none."""
        row = next(iter(self._rows("SELECT value FROM meta WHERE key = 'adapter'")), None)
        return bytes(row[0]) if row else b""

    def set_adapter(self, digest: str, data: bytes) -> None:
        """Put an adapter, and its digest in the passport, in place of the one there was; none when `digest` is ""."""
        with self._writing() as db:
            db.execute("DELETE FROM meta WHERE key IN ('passport.adapter', 'adapter')")
            if digest:
                db.executemany("INSERT INTO meta VALUES (?, ?)", [("passport.adapter", digest), ("adapter", data)])

    @contextmanager
    def moment(self) -> Iterator[LedgerMoment]:
        """The ledger as it is now, until the block is left; others may write meanwhile."""
        with _translated(self._path), closing(LedgerMoment(self._path)) as seen:
            yield seen

    @property
    def register(self) -> Register:
        """What became of every source ever seen."""
        return Register(self._rows)

    # -- reading ---------------------------------------------------------------------------------------------------

    def claim(self, item_id: str) -> Claim | None:
        """Who owns an item and what it was made of; None for one not on record."""
        row = next(iter(self._rows("SELECT source, digest, stamp FROM items WHERE id = ?", item_id)), None)
        return Claim(*row) if row else None

    def owned(self, source: str) -> list[str]:
        """Ids of the items of one source, sorted."""
        return [row[0] for row in self._rows("SELECT id FROM items WHERE source = ? ORDER BY id", source)]

    def ids(self) -> list[str]:
        """Ids of all items on record, sorted."""
        return [row[0] for row in self._rows("SELECT id FROM items ORDER BY id")]

    def count(self) -> int:
        """How many items are on record without a doubt."""
        return int(self._rows("SELECT count(*) FROM items WHERE digest <> ''")[0][0])

    def on_record(self) -> int:
        """How many items are on record, in doubt or not."""
        return int(self._rows("SELECT count(*) FROM items")[0][0])

    def has_pictures(self) -> bool:
        """Whether any item on record shows a picture."""
        return bool(self._rows("SELECT 1 FROM pictures LIMIT 1"))

    def shown(self, after: str, count: int) -> dict[str, list[str]]:
        """Digest -> items that show it, of the first `count` pictures of digests beyond `after`, ascending."""
        return attached.shown(self._rows, after, count)

    def has_others(self, source: str) -> bool:
        """Whether any item belongs to another source."""
        return bool(self._rows("SELECT 1 FROM items WHERE source <> ? LIMIT 1", source))

    def skipped(self) -> list[Skipped]:
        """Every source that could not be indexed the last time it was seen, and why."""
        return [Skipped(*row) for row in self._rows("SELECT label, reason FROM skipped ORDER BY source, label")]

    def thumbnail(self, digest: str) -> bytes | None:
        """The JPEG of a picture by its digest."""
        row = next(iter(self._rows("SELECT jpeg FROM thumbnails WHERE digest = ?", digest)), None)
        return bytes(row[0]) if row else None

    def has_thumbnail(self, digest: str) -> bool:
        return bool(self._rows("SELECT 1 FROM thumbnails WHERE digest = ?", digest))

    # -- writing: each call is one transaction, on disk when it returns ------------------------------------------------

    def begin(self, outcomes: Sequence[Outcome]) -> set[str]:
        """Items about to come into the store, or to change in it; the ids of those it is not known to have had.

        Until they are recorded, none counts as unchanged, and each new one belongs to its source already.
        """
        now, new = time.time(), set()
        with self._writing() as db:
            for outcome in outcomes:
                item, source = outcome.item_id, outcome.claim.source
                if register.begin(db, item, source, now, label=outcome.label, place=outcome.place):
                    new.add(item)
                sql = (
                    "INSERT INTO items VALUES (?, ?, '', '', ?) ON CONFLICT (id) DO UPDATE SET digest = '', stamp = ''"
                )
                db.execute(sql, (item, source, now))
        return new

    def record(self, outcomes: Sequence[Outcome]) -> None:
        """Note items that the store has acknowledged, in place of what was on record for them."""
        now = time.time()
        with self._writing() as db:
            for outcome in outcomes:
                claim = outcome.claim
                attached.release(db, [outcome.item_id])
                register.enter(
                    db, outcome.item_id, claim.source, claim.digest, now,
                    label=outcome.label, place=outcome.place, content=outcome.content,
                )  # fmt: skip
                db.execute(
                    "INSERT OR REPLACE INTO items VALUES (?, ?, ?, ?, ?)",
                    (outcome.item_id, claim.source, claim.digest, claim.stamp, now),
                )
                attached.show(db, outcome.item_id, outcome.pictures)
                attached.note(db, claim.source, outcome.skipped, outcome.item_id)
            attached.sweep(db)

    def carry(self, carried: Sequence[Carried], pictures: Mapping[str, Mapping[str, bytes | None]]) -> None:
        """Put items of another collection on record that the store has acknowledged, with what happened to them there.

        `pictures`: item id -> digest of each of its pictures -> JPEG, or None where that is on record already.
        """
        with self._writing() as db:
            attached.release(db, list(pictures))
            carrying.enter(db, carried)
            for item_id, shown in pictures.items():
                attached.show(db, item_id, shown)
            attached.sweep(db)

    def carry_sources(self, readings: Iterable[tuple[str, float, float]], unread: Iterable[Unread]) -> None:
        """Note when another collection's sources were read and what of them could not be."""
        with self._writing() as db:
            carrying.enter_sources(db, readings, unread)

    def skip(self, source: str, skipped: Sequence[Skipped], *, item_id: str | None = None) -> None:
        """Note what could not be read."""
        with self._writing() as db:
            attached.note(db, source, skipped, item_id)

    def start(self) -> float:
        """A source is read from now on (seconds, epoch); what happens until `settle` belongs to this reading."""
        with self._writing() as db:
            register.turn(db)
        return time.time()

    def settle(self, source: str, *, since: float, absent: Sequence[str] = ()) -> None:
        """The source whose reading was started last, at `since`, was read to its end: skips of it from before are
        things of the past. `absent` are items of it that it no longer holds.
        """
        with self._writing() as db:
            db.execute("DELETE FROM skipped WHERE source = ? AND seen_in < ?", (source, register.number(db)))
            register.close_reading(db, source, since, time.time(), absent=absent)

    def doubt(self, ids: Iterable[str] | None = None) -> None:
        """Items about to change in the store (None: all): until recorded again, none of them counts as unchanged."""
        with self._writing() as db:
            if ids is None:
                db.execute("UPDATE items SET digest = '', stamp = ''")
            else:
                db.executemany("UPDATE items SET digest = '', stamp = '' WHERE id = ?", [(one,) for one in ids])

    def forget(self, ids: Iterable[str], *, moves: Mapping[str, str] | None = None) -> None:
        """Items that the store no longer has, with their thumbnails where no other item shows them.

        `moves` says which of them goes on under which new id, and takes over what happened to the old one.
        """
        gone = list(ids)
        with self._writing() as db:
            attached.release(db, gone)
            db.executemany("DELETE FROM items WHERE id = ?", [(one,) for one in gone])
            register.follow(db, moves or {}, time.time())
            register.leave(db, gone, time.time())
            attached.sweep(db)

    def purge(self) -> int:
        """Forget that deleted items were ever there: until then they are on record as deleted; how many they were."""
        with self._writing() as db:
            return forgetting.purge(db)

    def compact(self) -> int:
        """As `purge`, for good: no byte of them is left in the file. Raises EngineError where room is lacking."""
        count = self.purge()
        with _translated(self._path):
            vacuum(self._path)
        return count

    def is_loose(self) -> bool:
        """Whether its files have room that held something: free pages, or a log that was not put into the file."""
        with self._lock, _translated(self._path):
            return any(slack(self._db, self._path))

    def remains(self) -> Remains:
        """What is still on record of deleted items."""
        return forgetting.remains(self._rows)

    # -- one connection, one lock ------------------------------------------------------------------------------------

    def _rows(self, sql: str, *arguments: object) -> list[tuple[Any, ...]]:
        with self._lock, _translated(self._path):
            return self._db.execute(sql, arguments).fetchall()

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._lock, _translated(self._path):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as exc:
        match getattr(exc, "sqlite_errorname", "").split("_")[:2]:
            case ["SQLITE", "FULL"]:
                hint = "the disk is full; nothing that was acknowledged is lost"
            case ["SQLITE", "IOERR"]:
                hint = f"cannot be written or read (full or failing disk?); nothing acknowledged was changed: {exc}"
            case _:
                hint = f"cannot be used: {exc}"
        raise ConfigError(f"{path}: {hint}") from exc
    except OSError as exc:  # the folder is gone, or may not be entered
        raise ConfigError(f"{path}: cannot be used: {exc.strerror}") from exc
