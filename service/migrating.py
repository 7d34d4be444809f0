"""`sightline migrate`: takes an index from one encoder to another while it keeps serving.

Knows options and what is told afterwards; how it is done is `Sightline.migrate`'s.
"""

from __future__ import annotations

from typing import Annotated

import typer
from rich.text import Text

from service.options import REPORTED, AsJson, Collection, IndexDir, open_index, print_json
from service.tables import plain

LOST_SHOWN = 5
REASONS_SHOWN = 3


def migrate_command(
    *,
    encoder: Annotated[str, typer.Option("--encoder", metavar="SPEC", help="encoder to go to; see `sightline models`")],
    index: IndexDir = None,
    collection: Collection = None,
    as_json: AsJson = False,
) -> None:
    """Embed everything again by another encoder. Searches go on with the old one until all is done, then change over.

    Also by the same one, where it no longer gives the vectors it gave. While another process writes, it waits.
    Stopped half-way, it goes on from there the next time. Exit code 1: some parts could not be embedded again.

    Examples:

      sightline migrate --encoder open_clip:ViT-B-32/laion2b_s34b_b79k
    """
    from service import progress, tables

    err = tables.console(stderr=True)
    with open_index(index, collection, create=False) as opened, progress.shown(err, doing="embedding") as show:
        report = opened.migrate(encoder, progress=show)
    if as_json:
        print_json(report.to_json())
    else:
        out = tables.console()
        out.print(
            f"From {plain(report.before)} to {plain(report.after)}: {report.pictures:,} pictures and "
            f"{report.texts:,} texts in {report.seconds:.1f} s"
        )
        if report.from_thumbnails:
            often = sorted(report.reasons, key=lambda reason: -report.reasons[reason])
            named = "; ".join(f"{report.reasons[reason]:,}: {plain(reason)}" for reason in often[:REASONS_SHOWN])
            more = " …" if len(often) > REASONS_SHOWN else ""
            told = f"{report.from_thumbnails:,} pictures were embedded from thumbnails ({named}{more})"
            out.print(Text(told, style="yellow"))
        if report.adapter_removed:
            told = "The adapter was taken out: it belongs to the old encoder. Fit a new one with: sightline adapt"
            out.print(Text(told, style="yellow"))
        for one in report.lost[:LOST_SHOWN]:
            out.print(Text(f"left without a vector: {plain(one.source)}: {plain(one.reason)}", style="yellow"))
        if len(report.lost) > LOST_SHOWN:
            out.print(Text(f"… and {len(report.lost) - LOST_SHOWN:,} more (--json lists them)", style="yellow"))
    if report.lost:
        raise typer.Exit(REPORTED)
