"""`sightline export`, `import`, `snapshot` and `restore`: collections out of an index, into one, and back as they were.

Knows options and what is told afterwards; how it is done is `sightline.transfer`'s.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.text import Text

from service.advice import command
from service.options import (
    REPORTED,
    AsJson,
    Collection,
    EncoderSpec,
    IndexDir,
    StoreSpec,
    TextEncoderSpec,
    Where,
    open_index,
    print_json,
    trying,
)
from service.tables import bytes_of, console, plain
from sightline.errors import InputError

if TYPE_CHECKING:
    from rich.console import Console

    from sightline.transfer import ImportReport, Snapshot

LOST_SHOWN = 5


def export_command(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="the folder to write, which must not be there yet")],
    *,
    format: Annotated[
        Literal["parquet", "jsonl"], typer.Option("--format", help="how the tables are written")
    ] = "parquet",
    no_vectors: Annotated[bool, typer.Option("--no-vectors", help="leave out the vectors")] = False,
    where: Where = None,
    force: Annotated[bool, typer.Option("--force", help="write over an export that is there")] = False,
    index: IndexDir = None,
    collection: Collection = None,
    as_json: AsJson = False,
) -> None:
    """Write a collection as tables: items, parts, vectors, thumbnails, what is on record, and a manifest with digests.

    The folder is there whole or not at all. Read it back with `sightline import`, or with pandas or DuckDB.

    Examples:

      sightline export backup/

      sightline export mugs/ --where "category = mugs" --format jsonl
    """
    from service import progress

    err = console(stderr=True)
    with open_index(index, collection, create=False) as opened, progress.shown(err, doing="writing") as show:
        report = opened.transfer.export(
            out, format=format, vectors=not no_vectors, where=where, force=force, progress=show
        )
    if as_json:
        print_json(report.to_json())
        return
    con = console()
    con.print(
        f"{report.items:,} items, {report.parts:,} parts, {report.vectors:,} vectors, {report.thumbnails:,} thumbnails "
        f"in {report.seconds:.1f} s: {bytes_of(report.bytes)} in {plain(report.folder)}"
    )
    if where and not report.items:
        con.print(Text(f"! nothing passes --where {plain(where)}: the export is empty", style="yellow"))
    _notes(con, report.notes)


def import_command(
    source: Annotated[Path, typer.Argument(metavar="IN", help="a folder that `sightline export` wrote")],
    *,
    embed: Annotated[
        bool, typer.Option("--embed", help="embed everything again instead of taking over the vectors")
    ] = False,
    index: IndexDir = None,
    collection: Collection = None,
    encoder: EncoderSpec = None,
    text_encoder: TextEncoderSpec = None,
    store: StoreSpec = None,
    as_json: AsJson = False,
) -> None:
    """Take an export into a new or an existing collection, of any store. Items of the same ids are overwritten.

    All of it is looked at before anything is written. Exit code 1: some parts could not be embedded again.

    Examples:

      sightline import backup/ --index elsewhere/

      sightline import backup/ --collection again --store qdrant

      sightline import backup/ --collection other --embed --encoder open_clip:ViT-B-32/laion2b_s34b_b79k
    """
    from service import progress
    from sightline.transfer.reading import Export

    if not source.exists():
        raise InputError(f"{source} does not exist")
    Export(source)  # refused before a collection is made
    with (
        trying(index, collection),
        open_index(index, collection, encoder=encoder, text_encoder=text_encoder, store=store) as opened,
        progress.shown(console(stderr=True), doing="importing") as show,
    ):
        report = opened.transfer.take_in(source, embed=embed, progress=show)
        folder = str(opened.settings.index)
    if as_json:
        print_json(report.to_json())
    else:
        _show_import(console(), report, folder)
    if report.lost:
        raise typer.Exit(REPORTED)


def snapshot_command(
    *,
    name: Annotated[
        str | None, typer.Option("--name", metavar="NAME", help="what to call it (default: the time)")
    ] = None,
    list_: Annotated[bool, typer.Option("--list", help="say which there are, and change nothing")] = False,
    remove: Annotated[str | None, typer.Option("--remove", metavar="NAME", help="delete this one")] = None,
    index: IndexDir = None,
    collection: Collection = None,
    as_json: AsJson = False,
) -> None:
    """Copy a collection's files as they are now, to put them back with `sightline restore`.

    Others go on reading, and with the faiss store writing. Kept in INDEX/snapshots/COLLECTION/NAME.

    Examples:

      sightline snapshot --name before-the-sale

      sightline snapshot --list
    """
    from sightline.settings import Settings
    from sightline.transfer import remove_snapshot, snapshots

    if (name is not None) + list_ + (remove is not None) > 1:
        raise InputError("--name, --list and --remove do different things: ask for one at a time")
    settings = Settings.read(index=index, collection=collection)
    if remove is not None:
        remove_snapshot(settings.index, settings.collection, remove)
        print_json({"removed": remove}) if as_json else console().print(f"removed {plain(remove)}")
        return
    if list_:
        found = snapshots(settings.index, settings.collection)
        if as_json:
            print_json({"snapshots": [one.to_json() for one in found]})
        else:
            _show_snapshots(console(), found)
        return
    with open_index(index, collection, create=False) as opened:
        made = opened.transfer.snapshot(name)
    if as_json:
        print_json(made.to_json())
    else:
        out = console()
        out.print(f"{plain(made.name)}: {made.items:,} items, {bytes_of(made.bytes)}")
        out.print(
            Text(f"  put back with: {command(f'restore {made.name} --force', collection=False)}", style="dim"),
            soft_wrap=True,
        )


def restore_command(
    name: Annotated[str, typer.Argument(metavar="NAME", help="a snapshot, as `sightline snapshot --list` shows it")],
    *,
    force: Annotated[bool, typer.Option("--force", help="in place of the collection that is there")] = False,
    index: IndexDir = None,
    collection: Annotated[
        str | None, typer.Option("--collection", metavar="NEW", help="restore as this one (default: the one it is of)")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Put a snapshot back. Killed at any moment, the collection is the old or the restored one, whole.

    Examples:

      sightline restore before-the-sale --force

      sightline restore before-the-sale --collection as-it-was
    """
    from sightline.settings import Settings
    from sightline.transfer import restore
    from sightline.transfer.snapshots import owner_of

    settings = Settings.read(index=index, collection=collection)
    owner = owner_of(settings.index, name, collection)
    restored = restore(settings.index, owner, name, into=collection, force=force)
    target = collection or owner
    if as_json:
        print_json({"collection": target, "snapshot": restored.to_json()})
    else:
        console().print(f"{plain(target)} is as it was {plain(restored.made_at)}: {restored.items:,} items")


def _show_import(out: Console, report: ImportReport, folder: str) -> None:
    out.print(
        f"{report.added:,} added, {report.overwritten:,} overwritten in {report.seconds:.1f} s: {report.parts:,} parts"
        f", {report.vectors:,} vectors taken over, {report.embedded:,} embedded again"
    )
    out.print(Text(f"  {folder}", style="dim"))
    if report.from_thumbnails:
        told = f"{report.from_thumbnails:,} pictures were embedded from thumbnails: their files are not here"
        out.print(Text(told, style="yellow"))
    _notes(out, report.notes)
    for one in report.lost[:LOST_SHOWN]:
        out.print(Text(f"left without a vector: {plain(one.source)}: {plain(one.reason)}", style="yellow"))
    if len(report.lost) > LOST_SHOWN:
        out.print(Text(f"… and {len(report.lost) - LOST_SHOWN:,} more (--json lists them)", style="yellow"))


def _show_snapshots(out: Console, found: Sequence[Snapshot]) -> None:
    if not found:
        out.print("There is none.")
    for one in found:
        if one.problem:
            out.print(Text(f"{plain(one.name)}: damaged: {plain(one.problem)}", style="yellow"))
        else:
            of = f"of {one.store}" + (f", {one.encoder}" if one.encoder else "")
            out.print(
                Text(
                    f"{plain(one.name)}  {plain(one.made_at)}  {one.items:,} items, {bytes_of(one.bytes)}, {plain(of)}"
                )
            )


def _notes(out: Console, notes: Sequence[str]) -> None:
    for note in notes:
        out.print(Text.assemble(("! ", "yellow"), plain(note)))
