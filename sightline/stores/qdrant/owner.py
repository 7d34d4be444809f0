"""Which index folder a collection on a Qdrant server belongs to, by a word that both keep: of a folder and its copies,
one goes on using the collection and the others are refused.

Does not know how the server is asked. The word is drawn anew when the folder is found at another place than it was last
opened at, which is all that tells a copy from what was copied: of the two, the first to be opened has the new word from
then on. How often a folder was opened is kept too: a copy from before that is refused, even when it is opened first.

The folder notes a word before the server hears it and keeps those before, so a kill in between leaves the server with a
word that the folder knows. Older folders and collections have no word, and get one when they are opened.
"""

from __future__ import annotations

import os
import platform
import secrets
import time
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol, Self

from sightline.errors import ConfigError, EngineError, NotFound
from sightline.lock import locked
from sightline.stores.owned import OwnedElsewhere
from sightline.stores.qdrant.points import Json
from sightline.stores.qdrant.server_name import LOCK, WAIT_S, Note, read_note, write_note

RECHECK_S = 5.0  # a collection that is only read is looked at so often; before a write, always
MOST_WORDS = 50  # kept in a folder; an older one is met only where the server is put back to a state that old
_TAKE_OVER = "take_over="
_READS, _PAUSE_S = 20, 0.1  # until each replica has heard of a word


@dataclass(frozen=True, slots=True)
class Owner:
    """The folder that a collection belongs to, as the server keeps it."""

    word: str
    folder: str
    host: str
    opened: int
    since: str  # when it got the word, for people

    @classmethod
    def of(cls, payload: Json) -> Self:
        return cls(
            str(payload["word"]), str(payload["folder"]), str(payload["host"]), int(payload["opened"]),
            str(payload["since"]),
        )  # fmt: skip

    def to_json(self) -> Json:
        return {"kind": "owner", **asdict(self)}


def split_take_over(settings: str) -> tuple[str, str]:
    """Settings of a spec without `take_over`, which is done once and not kept; and what that says, or ""."""
    pairs = settings.split("&")
    words = [pair.removeprefix(_TAKE_OVER) for pair in pairs if pair.startswith(_TAKE_OVER)]
    return "&".join(pair for pair in pairs if not pair.startswith(_TAKE_OVER)), words[-1] if words else ""


class Keeper(Protocol):
    """A collection as an owner sees it."""

    @property
    def place(self) -> str:
        """Where its server is."""
        ...

    def owner(self) -> Owner | None:
        """Whose it is; None where nobody has said so."""
        ...

    def give(self, to: Owner, *, over: str) -> None:
        """Let it be another's where it is nobody's or its word is `over`; else nothing happens."""
        ...


class Claim:
    """One folder's claim to its collection. Safe to share between threads."""

    def __init__(self, folder: Path, collection: str, *, take_over: str = "") -> None:
        """`take_over`: the word of another owner, from whom this folder is to have the collection."""
        self._folder, self._collection, self._take_over = folder, collection, take_over
        self._words: tuple[str, ...] = ()
        self._looked = 0.0

    def make(self, keeper: Keeper) -> None:
        """Have the collection be this folder's. Raises OwnedElsewhere where it is another's."""
        with locked(self._folder / LOCK, wait_s=WAIT_S):
            note, there = self._note(), keeper.owner()
            place, folder = _place_of(self._folder), str(self._folder.resolve())
            known = (note.place, note.folder, note.words[-1:]) == (place, folder, (there.word,) if there else None)
            if there is None or there.word != self._take_over:
                self._refuse(keeper, note, there, known=known)
            if there is not None and known:
                note = replace(note, opened=max(note.opened, there.opened) + 1)
                mine = replace(there, opened=note.opened)
            else:
                words = (*note.words, secrets.token_hex(6))[-MOST_WORDS:]
                note = replace(note, words=words, place=place, folder=folder)
                now = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
                mine = Owner(words[-1], folder, platform.node(), note.opened, now)
            write_note(self._folder, note)
            keeper.give(mine, over=there.word if there is not None else mine.word)
            self._see(keeper, mine, there)
        self._words, self._looked = note.words, time.monotonic()

    def check(self, keeper: Keeper, *, write: bool) -> None:
        """Raise OwnedElsewhere where the collection has become another folder's. Reading, it is asked now and then."""
        if not write and time.monotonic() - self._looked < RECHECK_S:
            return
        there = keeper.owner()
        if there is not None and there.word not in self._words:
            self._words = self._note().words  # another process that uses this folder may have drawn the word
            if there.word not in self._words:
                raise self._lost(keeper, there)
        self._looked = time.monotonic()

    def _note(self) -> Note:
        note = read_note(self._folder)
        if note is None:
            raise NotFound(f"{self._folder} is gone: another process deleted or moved it")
        return note

    def _refuse(self, keeper: Keeper, note: Note, there: Owner | None, *, known: bool) -> None:
        """Refuse a folder that is known to be a copy, or to have been copied by who has the collection now."""
        if there is not None and there.word not in note.words:
            raise self._lost(keeper, there)
        if (home := self._original(note, there)) is not None:
            raise OwnedElsewhere(
                f"{self._folder} is a copy of {home}, and both would write to the collection {self._collection!r} of "
                f"the Qdrant server at {keeper.place}. Nothing was changed. {self._advice(keeper, there)}"
            )
        if there is not None and not known and there.opened > note.opened:
            raise OwnedElsewhere(
                f"{self._folder} is a copy of {there.folder} on {there.host}, which was opened since it was made, and "
                f"both would write to the collection {self._collection!r} of the Qdrant server at {keeper.place}. "
                f"Nothing was changed. {self._advice(keeper, there)}"
            )

    def _original(self, note: Note, there: Owner | None) -> Path | None:
        """Where the folder was last opened, if another folder with a claim to the same collection is there."""
        home = Path(note.folder)
        try:
            other = None if home.samefile(self._folder) else read_note(home)
        except (OSError, ConfigError):  # gone, or nothing that could be opened
            return None
        if other is None or other.collection != self._collection:
            return None
        lost = there is not None and other.words and there.word not in other.words
        return None if lost else home

    def _lost(self, keeper: Keeper, there: Owner) -> OwnedElsewhere:
        return OwnedElsewhere(
            f"the collection {self._collection!r} of the Qdrant server at {keeper.place} belongs to {there.folder} on "
            f"{there.host} since {there.since}, and no longer to {self._folder}: one of the two folders is a copy of "
            f"the other. Nothing was changed. {self._advice(keeper, there)}"
        )

    def _advice(self, keeper: Keeper, there: Owner | None) -> str:
        told = "Use that one, and for a second catalog index into a folder of its own."
        if there is None:
            return told
        return (
            f"{told} To use this one instead, open it once with the store 'qdrant:{keeper.place}?take_over="
            f"{there.word}' and index again: the other is refused from then on."
        )

    def _see(self, keeper: Keeper, mine: Owner, before: Owner | None) -> None:
        """Return when the server tells what was given to it. Raises OwnedElsewhere where another was quicker."""
        for _ in range(_READS):
            now = keeper.owner()
            if now is not None and now.word == mine.word:
                return
            if now is not None and (before is None or now.word != before.word):
                raise self._lost(keeper, now)
            time.sleep(_PAUSE_S)
        raise EngineError(f"Qdrant at {keeper.place} does not tell what was just written to {self._collection!r}")


def _place_of(folder: Path) -> str:
    """Which folder it is: of which start of which machine, of which file system, by its number there.

    A machine that is started again is another: then, and whenever a number has changed, a new word costs nothing.
    """
    status = folder.stat()
    return f"{_machine()}:{status.st_dev}:{status.st_ino}"


def _machine() -> str:
    started = Path("/proc/sys/kernel/random/boot_id")  # Linux; the same in all containers of a machine
    if os.access(started, os.R_OK):
        return started.read_text(encoding="ascii").strip()
    return platform.node()
