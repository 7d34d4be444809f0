"""`sightline compact`, and the check `sightline verify --deleted`: deleted things go for good, and it is proved.

Knows options and what is told on a terminal; how it is done is `Sightline.compact`'s.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from service.advice import copyable
from service.options import AsJson, Collection, IndexDir, open_index, print_json
from service.promises import Tell, say
from service.tables import bytes_of, hanging, plain

if TYPE_CHECKING:
    from sightline.engine import Sightline
    from sightline.proving import Proof

REMEDY = "`sightline compact` removes what was deleted"


def compact_command(
    *,
    index: IndexDir = None,
    collection: Collection = None,
    as_json: AsJson = False,
) -> None:
    """Remove for good what was deleted or replaced, from every file of a collection, and give its room back.

    Searches go on meanwhile; `sightline verify --deleted` proves what was done. Snapshots are left as they are.

    Examples:

      sightline delete mug-17 && sightline compact && sightline verify --deleted --gone mug-17
    """
    from service import progress, tables

    with (
        open_index(index, collection, create=False) as opened,
        progress.steps(tables.console(stderr=True)) as show,
    ):
        report = opened.compact(progress=show)
    if as_json:
        print_json(report.to_json())
        return
    out = tables.console()
    told = "nothing to do: nothing was deleted or replaced since the last time"
    if report.needed:
        told = (
            f"{report.removed:,} parts and {report.forgotten:,} items on record are gone for good; "
            f"{bytes_of(report.bytes_before)} before, {bytes_of(report.bytes_after)} now, in {report.seconds:.1f} s"
        )
    hanging(out, Text(told))
    for one in report.unseen:
        hanging(out, Text(f"! {plain(one)}", style="yellow"))
    if report.snapshots:
        hanging(out, Text(f"Snapshots hold what they held: {plain(', '.join(report.snapshots))}", style="yellow"))


@dataclass(frozen=True, slots=True)
class DeletedCheck:
    """Deleted and replaced things: what of them is left, in rows, words, index files and records; ids in every byte.

    Nothing may be left where that is `asked` for; else it is merely told, for it is so from a deletion to a compaction.
    """

    gone: tuple[str, ...] = ()
    asked: bool = False

    def run(self, index: Sightline, seed: int, tell: Tell) -> Proof:
        return index.compactions.proof(self.gone, tell)

    def show(self, out: Console, report: Proof) -> None:
        seen = report.remains
        if seen.left:
            told = "it was not deleted" if all("was not deleted" in one for one in seen.left) else REMEDY
            say(out, "deleted", "broken" if self.asked else "not compacted", f"something is left: {told}")
        elif seen.unseen:
            say(out, "deleted", "not measured", "nothing is left that can be seen from here")
        else:
            sought = (
                f"; no byte of {', '.join(map(repr, report.gone))} in any file of the collection" if report.gone else ""
            )
            say(out, "deleted", "kept", f"nothing is left of what was deleted or replaced{sought}")
        for one in (*seen.left, *seen.unseen):
            hanging(out, Text(f"  {copyable(plain(one))}", style="yellow"), indent=4)
        for one in seen.facts:
            hanging(out, Text(f"  {plain(one)}", style="dim"), indent=4)
        for one in report.snapshots:
            hanging(out, Text(f"  a snapshot is left as it is: {copyable(plain(one))}", style="dim"), indent=4)
