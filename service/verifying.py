"""`sightline verify`: looks an index over, says which promise is broken and what is wrong with it, and mends nothing.

Knows which checks there are, their options, and how what they find looks on a terminal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Protocol

import typer
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from service.compacting import DeletedCheck
from service.options import REPORTED, AsJson, Collection, EncoderSpec, IndexDir, open_index, print_json
from service.promises import PassportCheck, RecallCheck, Tell, Undone, say, show_undone
from service.tables import bar, plain
from sightline.errors import PassportMismatch

if TYPE_CHECKING:
    from sightline.catalog_check import CatalogReport, Suspect
    from sightline.catalog_check.checking import Missing
    from sightline.catalog_check.lengths import Lengths
    from sightline.engine import Sightline
    from sightline.types import Skipped

SHOWN = 15  # rows of each list on a terminal; --json has all
LONGEST = 5  # texts
TOLD = 3  # disagreements of one item


class Report(Protocol):
    """What a check found."""

    @property
    def clean(self) -> bool: ...

    def to_json(self) -> dict[str, Any]: ...


class Check(Protocol):
    """One thing that `verify` can look at: how it is done, and how what it found is shown."""

    def run(self, index: Sightline, seed: int, tell: Tell) -> Report: ...

    def show(self, out: Console, report: Any) -> None: ...


class CatalogCheck:
    """Pictures against words, and what is missing, there twice, or cut."""

    def run(self, index: Sightline, seed: int, tell: Tell) -> Report:
        from sightline.catalog_check import check

        return check(index, seed=seed, tell=tell)

    def show(self, out: Console, report: CatalogReport) -> None:
        show_catalog(out, report)


# By option and by key of the JSON, in the order in which they are made.
CHECKS: Mapping[str, Check] = {
    "passport": PassportCheck(),
    "recall": RecallCheck(),
    "deleted": DeletedCheck(),
    "catalog": CatalogCheck(),
}


def verify_command(
    *,
    passport: Annotated[bool, typer.Option("--passport", help="the encoder is the one that built the index")] = False,
    recall: Annotated[
        bool, typer.Option("--recall", help="how much of exact search it finds, by words and by pictures apart")
    ] = False,
    catalog: Annotated[
        bool,
        typer.Option("--catalog", help="items whose pictures and words disagree; missing pictures; texts too long"),
    ] = False,
    deleted: Annotated[bool, typer.Option("--deleted", help="nothing is left of what was deleted or replaced")] = False,
    gone: Annotated[
        list[str] | None,
        typer.Option("--gone", metavar="ID", help="look for this deleted id in every byte of every file; repeatable"),
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="of the mistakes planted for trial")] = 0,
    index: IndexDir = None,
    collection: Collection = None,
    encoder: EncoderSpec = None,
    as_json: AsJson = False,
) -> None:
    """Look an index over: which promise is broken, what is wrong. Without options: every check there is.

    Nothing is mended; the recall that was measured is kept with the index, and `sightline info` shows it.
    Exit code 1: a promise is broken, or something was found; with --deleted or --gone also where something is left.

    Examples:

      sightline verify

      sightline verify --recall

      sightline verify --deleted --gone mug-17

      sightline verify --catalog --json
    """
    from service import progress, tables

    asked = {"passport": passport, "recall": recall, "deleted": deleted or bool(gone), "catalog": catalog}
    chosen = [name for name in CHECKS if asked[name] or not any(asked.values())]
    with (
        open_index(index, collection, encoder=encoder, create=False) as opened,
        progress.steps(tables.console(stderr=True)) as show,
    ):
        checks = {**CHECKS, "deleted": DeletedCheck(tuple(gone or ()), asked=asked["deleted"])}
        reports = run_checks(opened, chosen, seed, show, checks=checks)
    clean = all(report.clean for name, report in reports.items() if name != "deleted" or asked[name])
    if as_json:
        print_json({"clean": clean, **{name: report.to_json() for name, report in reports.items()}})
    else:
        for name, report in reports.items():
            if isinstance(report, Undone):
                show_undone(tables.console(), name, report)
            else:
                checks[name].show(tables.console(), report)
    if not clean:
        raise typer.Exit(REPORTED)


def run_checks(
    index: Sightline, names: Sequence[str], seed: int, tell: Tell, *, checks: Mapping[str, Check] = CHECKS
) -> dict[str, Report]:
    """What each check found. Where the passport was among them and is broken, those that need the encoder are undone.

    Raises PassportMismatch where it was not among them.
    """
    reports: dict[str, Report] = {}
    for name in names:
        try:
            reports[name] = checks[name].run(index, seed, tell)
        except PassportMismatch:
            if "passport" not in reports:
                raise
            reports[name] = Undone("it needs the encoder that built the index")
    return reports


def show_catalog(out: Console, report: CatalogReport) -> None:
    """Print what a look at a catalog brought up, the most suspicious first."""
    looked = f"{report.items:,} items looked at in {report.seconds:.1f} s"
    say(out, "catalog", "nothing found" if report.clean else "found", looked)
    for note in report.notes:
        out.print(Text(f"! {plain(note)}", style="yellow"))
    if report.suspects:
        out.print(Text(f"Pictures and words disagree: {_items(len(report.suspects))}", style="bold"))
        out.print(_suspects(report.suspects[:SHOWN]))
        _more(out, len(report.suspects))
    if report.compared:
        told = ", ".join(f"{plain(one.about)} {one.noticed:.0%}" for one in report.compared)
        out.print(Text(f"Of mistakes planted for trial it finds: {told}", style="dim"))
    _missing(out, report.missing)
    _twice(out, report.duplicate_ids)
    _too_long(out, report.lengths)


def _suspects(suspects: Sequence[Suspect]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1), expand=True, header_style="bold dim")
    table.add_column("Suspicion", width=9)
    table.add_column("Item", ratio=2, overflow="fold")
    table.add_column("About", ratio=2, overflow="fold", style="cyan")
    table.add_column("Says", ratio=4, overflow="fold")
    table.add_column("Score", justify="right", width=5)
    table.add_column("Fits better", ratio=4, overflow="fold")
    table.add_column("Score", justify="right", width=5)
    for suspect in suspects:
        share = suspect.suspicion
        head: tuple[Text, Text] = (
            Text.assemble(f"{share:.0%}", "\n", (bar(share), "red")),
            Text(plain(suspect.item_id), style="bold"),
        )
        for one in suspect.disagreements[:TOLD]:
            better = Text(plain(one.better))
            if one.better_item:
                better.append(f"  {plain(one.better_item)}", style="dim")
            table.add_row(
                *head, plain(one.about), Text(plain(one.says)), f"{one.score:.1f}", better, f"{one.better_score:.1f}"
            )
            head = (Text(), Text())
    return table


def _missing(out: Console, missing: Sequence[Missing]) -> None:
    if missing:
        out.print(Text(f"Missing or unreadable: {len(missing):,}", style="bold"))
        for one in missing[:SHOWN]:
            of = f" of {plain(one.item_id)}" if one.item_id and one.item_id != one.source else ""
            out.print(Text.assemble(f"  {plain(one.source)}{of}", (f": {plain(one.reason)}", "dim")))
        _more(out, len(missing))


def _twice(out: Console, twice: Sequence[Skipped]) -> None:
    if twice:
        out.print(Text(f"Ids given twice: {len(twice):,}", style="bold"))
        for one in twice[:SHOWN]:
            out.print(Text.assemble(f"  {plain(one.source)}", (f": {plain(one.reason)}", "dim")))
        _more(out, len(twice))


def _too_long(out: Console, lengths: Lengths) -> None:
    once = f", which reads about {lengths.read} words at once" if lengths.read else ""
    for told, texts in (("Not read to the end", lengths.cut), ("Read in pieces, as their mean,", lengths.pieces)):
        if texts:
            out.print(Text(f"{told} by the encoder{once}: {_texts(len(texts))}", style="bold"))
            for one in texts[:LONGEST]:
                out.print(Text(f"  {plain(one.part_id)}: {one.words} words"))
            _more(out, len(texts), LONGEST)
    if lengths.untested:
        out.print(Text(f"  {lengths.untested:,} shorter texts were not asked about", style="dim"))


def _more(out: Console, count: int, shown: int = SHOWN) -> None:
    if count > shown:
        out.print(Text(f"  … {count - shown:,} more: --json lists all", style="dim"))


def _items(count: int) -> str:
    return "1 item" if count == 1 else f"{count:,} items"


def _texts(count: int) -> str:
    return "1 text" if count == 1 else f"{count:,} texts"
