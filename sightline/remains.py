"""What deleted and replaced things have left behind, and what a compaction did about it.

Does not know where to look: every store, and the ledger, says so of itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self, TypeAlias

Tell: TypeAlias = Callable[[str, int, int | None], None]  # what is being done, how much is done, of how much


@dataclass(frozen=True, slots=True)
class Remains:
    """What is left of deleted things, a sentence each.

    `left` goes with a compaction; `unseen` is what nobody can tell from here; `facts` are what was looked at.
    """

    left: tuple[str, ...] = ()
    unseen: tuple[str, ...] = ()
    facts: tuple[str, ...] = ()

    def and_of(self, other: Remains) -> Self:
        """Both in one."""
        return type(self)(self.left + other.left, self.unseen + other.unseen, self.facts + other.facts)


@dataclass(frozen=True, slots=True)
class CompactReport:
    """What a compaction removed for good, and the room it gave back."""

    removed: int  # parts deleted or replaced since the last one
    forgotten: int  # deleted items that were still on record
    bytes_before: int
    bytes_after: int
    unseen: tuple[str, ...] = ()  # what nobody can tell from here
    snapshots: tuple[str, ...] = ()  # made before: they hold what they held
    seconds: float = 0.0
    needed: bool = True  # else nothing had been deleted or replaced, and nothing was written

    def to_json(self) -> dict[str, Any]:
        return {
            "removed": self.removed, "forgotten": self.forgotten,
            "bytes_before": self.bytes_before, "bytes_after": self.bytes_after,
            "unseen": list(self.unseen), "snapshots": list(self.snapshots), "seconds": round(self.seconds, 3),
            "needed": self.needed,
        }  # fmt: skip


def silent(_what: str, _done: int, _total: int | None) -> None:
    """A `Tell` that tells nobody."""
