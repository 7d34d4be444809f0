"""`sightline migrate`: takes an index from one encoder to another while it keeps serving.

Knows options and what is told afterwards; how it is done is `Sightline.migrate`'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from shlex import quote
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from service.advice import command
from service.options import REPORTED, AsJson, Collection, IndexDir, open_index, print_json
from service.tables import console, hanging, plain

if TYPE_CHECKING:
    from sightline.engine import Sightline

LOST_SHOWN = 5
REASONS_SHOWN = 3


def migrate_command(
    *,
    encoder: Annotated[
        str | None, typer.Option("--encoder", metavar="SPEC", help="encoder to go to; see `sightline models`")
    ] = None,
    text_encoder: Annotated[
        str | None,
        typer.Option("--text-encoder", metavar="SPEC", help="encoder of texts alone to go to; none: to none"),
    ] = None,
    cancel: Annotated[
        bool, typer.Option("--cancel", help="give up a migration that has not ended, and drop what it embedded")
    ] = False,
    index: IndexDir = None,
    collection: Collection = None,
    as_json: AsJson = False,
) -> None:
    """Embed everything again by another encoder. Searches go on with the old one until all is done, then change over.

    Also by the same one, where it no longer gives the vectors it gave. While another process writes, it waits. With
    --text-encoder the texts alone are embedded, once more than by the index's own encoder: words are compared with
    them by it.
    Stopped half-way, it goes on from there the next time; `sightline info` says how far it is, --cancel gives it up.
    Exit code 1: some parts could not be embedded again.

    Examples:

      sightline migrate --encoder open_clip:ViT-B-32/laion2b_s34b_b79k

      sightline migrate --text-encoder sentence-transformers:sentence-transformers/all-MiniLM-L6-v2

      sightline migrate --cancel
    """
    if [encoder is not None, text_encoder is not None, cancel].count(True) != 1:
        raise typer.BadParameter("give one of the three", param_hint="'--encoder', '--text-encoder' or '--cancel'")
    with open_index(index, collection, create=False) as opened:
        if cancel:
            _cancel(opened, as_json=as_json)
        else:
            _migrate(opened, as_json=as_json, encoder=encoder, text_encoder=text_encoder)


def halfway_of(told: Mapping[str, Any]) -> list[str]:
    """How far a migration is that has not ended, then by which commands it goes on or is given up, a line each."""
    cancel = command("migrate --cancel")
    if not told["to"]:
        return [f"{told['done']:,} vectors of an encoder that is not in use are left over", f"removed by: {cancel}"]
    return [
        f"a migration to {told['to']} is {told['done']:,} of {told['parts']:,} parts done",
        f"goes on with: {command('migrate ' + told['option'] + ' ' + quote(told['to']))}",
        f"given up with: {cancel}",
    ]


def _cancel(opened: Sightline, *, as_json: bool) -> None:
    before = opened.cancel_migration()
    if as_json:
        print_json({"cancelled": before.to_json() if before else None})
        return
    if before is None:
        told = "no migration is half-done: there is nothing to give up"
    else:
        what = f"the migration to {before.to}" if before.to else "what was left over"
        told = f"{what} is given up: {before.done:,} vectors dropped; searches go on with {opened.info()['encoder']}"
    hanging(console(), Text(plain(told)))


def _migrate(opened: Sightline, *, as_json: bool, encoder: str | None, text_encoder: str | None) -> None:
    from service import progress

    before = opened.calibrations.current()
    try:
        with progress.shown(console(stderr=True), doing="embedding") as show:
            report = opened.migrate(encoder, text_encoder=text_encoder, progress=show)
    except KeyboardInterrupt:
        told = opened.info()["migration"]
        raise KeyboardInterrupt("\n  ".join(halfway_of(told)) if told else "") from None
    if as_json:
        print_json(report.to_json())
    else:
        out = console()
        pictures = f"{report.pictures:,} pictures and " if encoder else ""
        of = "Text encoder: from" if text_encoder else "From"
        out.print(
            f"{of} {plain(report.before)} to {plain(report.after)}: {pictures}{report.texts:,} texts in "
            f"{report.seconds:.1f} s"
        )
        if report.from_thumbnails:
            often = sorted(report.reasons, key=lambda reason: -report.reasons[reason])
            named = "; ".join(f"{report.reasons[reason]:,}: {plain(reason)}" for reason in often[:REASONS_SHOWN])
            more = " …" if len(often) > REASONS_SHOWN else ""
            told = f"{report.from_thumbnails:,} pictures were embedded from thumbnails ({named}{more})"
            hanging(out, Text(told, style="yellow"))
        if report.adapter_removed:
            told = "The adapter was taken out: it belongs to the old encoder. Fit a new one with: "
            told += command("adapt --pairs FILE")
            hanging(out, Text(told, style="yellow"))
        now = opened.calibrations.current()
        if before and before.told.get("set") and not (now and now.told.get("set")):
            told = "The bars that were set are gone with what a match was by the old encoder. Set them again with: "
            hanging(out, Text(told + command("tune"), style="yellow"))
        for one in report.lost[:LOST_SHOWN]:
            hanging(out, Text(f"left without a vector: {plain(one.source)}: {plain(one.reason)}", style="yellow"))
        if len(report.lost) > LOST_SHOWN:
            out.print(Text(f"… and {len(report.lost) - LOST_SHOWN:,} more (--json lists them)", style="yellow"))
    if report.lost:
        raise typer.Exit(REPORTED)
