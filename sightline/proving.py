"""The proof that deleted means gone: by structure, and by the bytes of every file of a collection.

Knows what each store and the ledger tell of themselves, and nothing of their formats.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import Any

import indexer
from sightline import places, scanning
from sightline.protocols import Store
from sightline.remains import Remains, Tell, silent
from sightline.settings import Settings
from sightline.transfer.snapshots import FOLDER, snapshots
from sightline.types import Item

PAGE = 1000  # items in memory at a time
NEAR = 16  # bytes on either side by which a place in a file is known again
TOLD = 3  # files or items named in a sentence
LONG = 8  # letters of an id that hardly stand in a digest by chance


@dataclass(frozen=True, slots=True)
class Proof:
    """What was found of deleted things. `snapshots` were made before and are left as they are."""

    remains: Remains
    snapshots: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()  # looked for in every byte

    @property
    def clean(self) -> bool:
        """Whether nothing is left of what could be looked at."""
        return not self.remains.left

    @property
    def proved(self) -> bool:
        """Whether nothing is left, and there was nothing that could not be looked at."""
        return self.clean and not self.remains.unseen

    def to_json(self) -> dict[str, Any]:
        seen = {"left": list(self.remains.left), "unseen": list(self.remains.unseen), "facts": list(self.remains.facts)}
        verdict = {"clean": self.clean, "proved": self.proved}
        return verdict | seen | {"snapshots": list(self.snapshots), "gone": list(self.gone)}


def begun(store: Store, ledger: indexer.Ledger) -> list[str]:
    """Items on record whose addition or deletion a kill interrupted: the store does not have them."""
    doubted, lost = ledger.register.unfinished(), list[str]()
    for start in range(0, len(doubted), PAGE):
        page = doubted[start : start + PAGE]
        there = {item.id for item in store.get(page)}
        lost += [item for item in page if item not in there]
    return lost


def proof(
    store: Store, ledger: indexer.Ledger, settings: Settings, *, gone: Sequence[str] = (), tell: Tell = silent
) -> Proof:
    """What is left of deleted things in a collection; the ids in `gone` are looked for in every byte of every file."""
    folder = places.collection_folder(settings.index, settings.collection)
    tell("looking at rows, words and index files", 0, None)
    there = {item.id for item in store.get(gone)}
    seen = store.remains([item for item in gone if item not in there]).and_of(ledger.remains())
    if interrupted := begun(store, ledger):
        seen = seen.and_of(Remains((f"{len(interrupted):,} items were begun, to be added or deleted, and not ended",)))
    held: list[str] = []
    if gone:
        files = list(scanning.files_in(folder))
        seen = seen.and_of(Remains(facts=(f"every byte of {len(files):,} files looked at",)))
        live = _Live(store, ledger, gone)
        for done, item in enumerate(gone):
            tell("looking for ids in every file", done, len(gone))
            seen = seen.and_of(live.found(item, folder, files))
    for one in snapshots(settings.index, settings.collection):
        inside = list(scanning.files_in(settings.index / FOLDER / settings.collection / one.name))
        named = [item for item in gone if scanning.holders(inside, scanning.forms(item))]
        told = f" still holds {', '.join(map(repr, named))}: `sightline snapshot --remove {one.name}`" if named else ""
        held.append(f"{one.name} of {one.made_at}{told}")
    return Proof(seen, tuple(held), tuple(gone))


class _Live:
    """What the collection still says that contains one of some ids: a longer id, a text, the path of a source."""

    def __init__(self, store: Store, ledger: indexer.Ledger, gone: Sequence[str]) -> None:
        self._there: set[str] = set()
        self._saying: dict[str, list[str]] = {item: [] for item in gone}  # ids of items whose texts or fields say it
        self._near: dict[str, set[tuple[bytes, bytes]]] = {item: set() for item in gone}
        with store.moment() as moment:
            for stored in moment.items(vectors=False):
                self._take(stored.item, gone)
        for seen in ledger.register.sources():
            if seen.outcome != "deleted":
                for item in gone:
                    self._know(item, (seen.source, seen.owner, seen.of, seen.reason, seen.item_id or ""))

    def found(self, item: str, folder: Path, files: Sequence[Path]) -> Remains:
        """In which files an id is that nothing explains which is there."""
        if item in self._there:
            return Remains(
                (f"{item!r} was not deleted: it is in the collection, until `sightline delete {quote(item)}`",)
            )
        places = {path: [near for near in _nearby(path, item) if not self._explained(item, *near)] for path in files}
        alone = {path: len([near for near in found if _alone(item, *near)]) for path, found in places.items()}
        within = {path: len(found) for path, found in places.items() if found}
        holding = {path: count for path, count in alone.items() if count} or within
        if not holding:
            return Remains()
        named = ", ".join(f"{path.relative_to(folder)} ({count})" for path, count in list(holding.items())[:TOLD])
        named += f" and {len(holding) - TOLD} more" if len(holding) > TOLD else ""
        if saying := self._saying[item]:
            others = ", ".join(map(repr, saying[:TOLD]))
            return Remains(
                unseen=(f"{item!r} is also said by items that are there ({others}), so {named} may be theirs",)
            )
        if not any(alone.values()):
            return Remains(
                unseen=(
                    f"{item!r} is short, and only parts of longer words are like it: {named} may mean something else",
                )
            )
        return Remains((f"{item!r} is still named in {named}",))

    def _take(self, item: Item, gone: Sequence[str]) -> None:
        self._there |= {item.id} & set(gone)
        values = [
            str(one) for each in item.fields.values() for one in (each if isinstance(each, tuple) else (each,))
        ] + [part.text for part in item.parts if part.text]
        names = [item.id, *(one for part in item.parts for one in (part.id, part.uri or "", part.digest))]
        for wanted in gone:
            self._know(wanted, [*values, *item.fields, *names])
            if any(wanted in value for value in (*values, *item.fields)):
                self._saying[wanted].append(item.id)

    def _know(self, wanted: str, texts: Iterable[str]) -> None:
        for text in texts:
            at = text.find(wanted)
            while at >= 0:
                before, after = text[:at], text[at + len(wanted) :]
                if before or after:
                    self._near[wanted].add((before.encode()[-NEAR:], after.encode()[:NEAR]))
                at = text.find(wanted, at + 1)

    def _explained(self, item: str, before: bytes, after: bytes) -> bool:
        return any(before.endswith(left) and after.startswith(right) for left, right in self._near[item])


def _nearby(path: Path, item: str) -> Iterator[tuple[bytes, bytes]]:
    for form in scanning.forms(item):
        for _, before, after in scanning.places(path, form):
            yield before, after


def _alone(item: str, before: bytes, after: bytes) -> bool:
    """Whether it is this id that stands there: a few letters or digits are also found within digests and numbers."""
    return len(item) >= LONG or not (before[-1:].isalnum() or after[:1].isalnum())
