"""`sightline adapt`: fits a small map on top of an index's encoder, and shows whether it was let in and why.

Knows options and how figures look on a terminal; what is fitted and judged, and how, is `sightline.adaptation`'s.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from service.advice import command
from service.options import REPORTED, AsJson, Collection, EncoderSpec, IndexDir, open_index, print_json
from service.tables import plain
from sightline.errors import InputError

if TYPE_CHECKING:
    from sightline.adaptation import Adapted, Verdict

LEFT_OUT_SHOWN = 5
ASKS = {"text": "words", "image": "pictures"}


def adapt_command(
    *,
    pairs: Annotated[
        list[Path] | None,
        typer.Option("--pairs", metavar="FILE", help="JSONL, CSV or Parquet: what asks and what it should find"),
    ] = None,
    remove: Annotated[bool, typer.Option("--remove", help="go back to the encoder alone")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="fit and judge, change nothing")] = False,
    closed: Annotated[
        bool, typer.Option("--closed", help="queries ask only for what pairs speak of; the rest may get worse")
    ] = False,
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="of the parts held out and of the fit")] = 0,
    index: IndexDir = None,
    collection: Collection = None,
    encoder: EncoderSpec = None,
    as_json: AsJson = False,
) -> None:
    """Teach an index from pairs which pictures or items a query should find. It goes in only when it proves to help.

    A row asks by "text" or "query_image" and names an "image", an "item" or a "passage". Nothing is embedded again, and
    --remove takes it out at once. Exit code 1: not installed, or rows were left out.

    Examples:

      sightline adapt --pairs captions.jsonl --dry-run

      sightline adapt --pairs clicks.csv --index .sightline
    """
    from service import progress, tables

    if bool(pairs) == remove:
        raise InputError("give either --pairs FILE or --remove")
    out = tables.console()
    with open_index(index, collection, encoder=encoder, create=False) as opened:
        if not pairs:
            removed = opened.install(None)
            if as_json:
                print_json({"removed": removed})
            else:
                out.print("Removed: queries go through the encoder alone." if removed else "There was no adapter.")
            return
        from sightline.adaptation import adapt

        with progress.steps(tables.console(stderr=True)) as show:
            report = adapt(opened, pairs, closed=closed, seed=seed, dry_run=dry_run, tell=show)
    if as_json:
        print_json(report.to_json())
    else:
        show_adapted(out, report, dry_run=dry_run)
    if report.adapter is None or report.skipped:
        raise typer.Exit(REPORTED)


def show_adapted(out: Console, report: Adapted, *, dry_run: bool) -> None:
    """Print the figures on pairs held out, and what they led to."""
    repeated = f", {report.repeated:,} more say the same again" if report.repeated else ""
    out.print(f"{report.pairs:,} pairs{repeated}; {report.seconds:.1f} s")
    for verdict in report.verdicts:
        _show_verdict(out, verdict)
    for one in report.skipped[:LEFT_OUT_SHOWN]:
        out.print(Text(f"left out: {plain(one.source)}: {plain(one.reason)}", style="yellow"))
    if len(report.skipped) > LEFT_OUT_SHOWN:
        out.print(
            Text(f"… and {len(report.skipped) - LEFT_OUT_SHOWN:,} more left out (--json lists them)", style="yellow")
        )
    if report.adapter is None:
        out.print(Text("Not installed: the index is as it was.", style="bold"))
    elif dry_run:
        out.print(Text("It would be installed; nothing was changed.", style="bold"))
    else:
        told = f"Installed (adapter {report.adapter.digest[:12]}). Take it out with: {command('adapt --remove')}"
        out.print(Text(told, style="bold green"), soft_wrap=True)


def _show_verdict(out: Console, verdict: Verdict) -> None:
    out.print(Text(f"asked by {ASKS[verdict.kind]}", style="bold"))
    if verdict.unseen is not verdict.asked_anew:
        out.print(_row("new queries", verdict.asked_anew))
    if verdict.unseen is not None:
        out.print(_row("things unseen", verdict.unseen))
    out.print(_row("neighbours kept", f"{verdict.kept:.0%}"))
    if verdict.reason:
        out.print(_row("left as it was", verdict.reason, style="yellow"))


def _row(name: str, value: object, *, style: str = "") -> Table:
    """A name and what is said of it, which keeps its own column when it needs several lines."""
    row = Table.grid(padding=(0, 0, 0, 2))
    row.add_column(width=17)
    row.add_column()
    row.add_row(Text(name, style=style), Text(str(value), style=style))
    return row
