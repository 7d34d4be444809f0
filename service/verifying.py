"""`sightline verify`: looks an index over, says which promise is broken and what is wrong with it, and mends nothing.

Knows which checks there are, their options, and how what they find looks on a terminal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Protocol, cast

import typer
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from service.compacting import DeletedCheck
from service.options import REPORTED, AsJson, Collection, EncoderSpec, IndexDir, open_index, print_json
from service.promises import PassportCheck, RecallCheck, Tell, Undone, say, show_undone
from service.tables import BAR_CELLS, bar, hanging, plain, record
from sightline.errors import ConfigError, PassportMismatch

if TYPE_CHECKING:
    from sightline.catalog_check import CatalogReport, Suspect
    from sightline.catalog_check.checking import Missing
    from sightline.catalog_check.lengths import Lengths
    from sightline.engine import Sightline
    from sightline.types import Skipped

SHOWN = 15  # rows of each list on a terminal; --json has all
LONGEST = 5  # texts
NEEDED = "it needs the encoder that built the index"
DEEP = 6  # cells before what is said of an item
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
    Exit code 1: a promise is broken, something was found, or what was asked for could not be looked at; with --deleted
    or --gone also where something is left.

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
    clean = all(_holds(name, report, asked=asked[name]) for name, report in reports.items())
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


def _holds(name: str, report: Report, *, asked: bool) -> bool:
    """Whether nothing is wrong. That deleted things are gone must be proved where it is asked for, and only there."""
    if name != "deleted":
        return report.clean
    return bool(getattr(report, "proved", report.clean)) or not asked


def run_checks(
    index: Sightline, names: Sequence[str], seed: int, tell: Tell, *, checks: Mapping[str, Check] = CHECKS
) -> dict[str, Report]:
    """What each check found; where the encoder cannot be used, those that need it are undone, as far as they do.

    Raises PassportMismatch or ConfigError where nothing else was to be looked at.
    """
    reports: dict[str, Report] = {}
    for name in names:
        told = "passport" in reports and not reports["passport"].clean
        try:
            found = checks[name].run(index, seed, tell)
        except (PassportMismatch, ConfigError) as exc:
            if len(names) == 1:
                raise
            reports[name] = Undone(NEEDED if told else str(exc))
        else:
            reports[name] = found
            if name == "catalog" and told and (catalog := cast("CatalogReport", found)).undone:
                reports[name] = replace(catalog, undone=NEEDED)
    return reports


def show_catalog(out: Console, report: CatalogReport) -> None:
    """Print what a look at a catalog brought up, the most suspicious first."""
    looked = f"{report.items:,} items looked at in {report.seconds:.1f} s"
    found = report.suspects or report.missing or report.duplicate_ids
    if report.undone:
        say(out, "catalog", "not looked at", f"nothing was compared, and no text measured: {report.undone}")
        looked += ", for missing pictures and ids given twice only"
    say(out, "" if report.undone else "catalog", "found" if found else "nothing found", looked)
    for note in report.notes:
        hanging(out, Text(f"! {plain(note)}", style="yellow"))
    if report.suspects:
        out.print(Text(f"Pictures and words disagree: {_items(len(report.suspects))}", style="bold"))
        for suspect in report.suspects[:SHOWN]:
            _show_suspect(out, suspect)
        _more(out, len(report.suspects))
    if report.compared:
        told = ", ".join(f"{plain(one.about)} {one.noticed:.0%}" for one in report.compared)
        hanging(out, Text(f"Of mistakes planted for trial it finds: {told}", style="dim"))
    _missing(out, report.missing)
    _twice(out, report.duplicate_ids)
    _too_long(out, report.lengths)


def _show_suspect(out: Console, suspect: Suspect) -> None:
    """What of an item disagrees with its pictures; ids on lines that nothing folds."""
    share = suspect.suspicion
    drawn = (f"{bar(share):<{BAR_CELLS}}", "red")
    out.print(Text.assemble(f"  {share:4.0%} ", drawn, "  ", (plain(suspect.item_id), "bold")), soft_wrap=True)
    for one in suspect.disagreements[:TOLD]:
        about = Text.assemble((plain(one.about), "cyan"), f" says {plain(one.says)} ", (f"{one.score:.1f}", "dim"))
        fits = Text.assemble(f", fits {plain(one.better)} ", (f"{one.better_score:.1f}", "dim"))
        out.print(Padding(about + fits, (0, 0, 0, DEEP), expand=False))
        if one.better_item:
            out.print(Text(f"{' ' * (DEEP + 2)}as {plain(one.better_item)}", style="dim"), soft_wrap=True)


def _missing(out: Console, missing: Sequence[Missing]) -> None:
    if missing:
        out.print(Text(f"Missing or unreadable: {len(missing):,}", style="bold"))
        for one in missing[:SHOWN]:
            of = f" of {plain(one.item_id)}" if one.item_id and one.item_id != one.source else ""
            record(out, f"{plain(one.source)}{of}", plain(one.reason))
        _more(out, len(missing))


def _twice(out: Console, twice: Sequence[Skipped]) -> None:
    if twice:
        out.print(Text(f"Ids given twice: {len(twice):,}", style="bold"))
        for one in twice[:SHOWN]:
            record(out, plain(one.source), plain(one.reason))
        _more(out, len(twice))


def _too_long(out: Console, lengths: Lengths) -> None:
    by = plain(lengths.by or "the encoder")
    once = f", which reads about {lengths.read} words at once" if lengths.read else ""
    for told, texts in (("Not read to the end", lengths.cut), ("Read in pieces, as their mean,", lengths.pieces)):
        if texts:
            hanging(out, Text(f"{told} by {by}{once}: {_texts(len(texts))}", style="bold"))
            for one in texts[:LONGEST]:
                record(out, plain(one.part_id), f"{one.words} words")
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
