"""`sightline tune`: learns what counts as a match; by judged queries, where "nothing matches" begins, and how far a
reranker is believed.

Knows options and how figures look on a terminal; what is learned, and how, is the engine's.
"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from service.options import REPORTED, AsJson, Collection, EncoderSpec, IndexDir, open_index, print_json
from sightline.errors import InputError

if TYPE_CHECKING:
    from retriever.calibration import Calibration, Manner
    from sightline import Sightline
    from sightline.evaluation import Case
    from sightline.evaluation.tuning import Bar, Tuned

MANNERS = {"name": "called by name", "description": "described", "picture": "shown by a picture"}


def tune_command(
    *,
    queries: Annotated[
        Path | None, typer.Option("--queries", metavar="FILE", help="judged queries, as for `sightline eval`")
    ] = None,
    qrels: Annotated[
        Path | None,
        typer.Option("--qrels", metavar="FILE", help="what is right for them, as BEIR or TREC have it"),
    ] = None,
    clicks: Annotated[
        Path | None, typer.Option("--clicks", metavar="FILE", help="what people clicked, in place of judged queries")
    ] = None,
    catalog: Annotated[
        Path | None,
        typer.Option("--catalog", metavar="FILE", help="queries made of the catalog that was indexed, in their place"),
    ] = None,
    rerank: Annotated[
        str | None, typer.Option("--rerank", metavar="SPEC", help="tune how far this reranker is believed")
    ] = None,
    name: Annotated[
        float | None, typer.Option("--name", min=0, max=1, metavar="0-1", help="the bar for things called by name")
    ] = None,
    description: Annotated[
        float | None, typer.Option("--description", min=0, max=1, metavar="0-1", help="the bar for things described")
    ] = None,
    picture: Annotated[
        float | None, typer.Option("--picture", min=0, max=1, metavar="0-1", help="the bar for queries with a picture")
    ] = None,
    reset: Annotated[bool, typer.Option("--reset", help="put the bars back to those it began with")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="measure, change nothing")] = False,
    index: IndexDir = None,
    collection: Collection = None,
    encoder: EncoderSpec = None,
    as_json: AsJson = False,
) -> None:
    """Learn what counts as a match here, where "nothing matches" begins, and how far a reranker is believed.

    Relevance is learned by itself when an index has grown; this does it now. With judged queries it moves the bars, as
    high as costs at most 3 % of what is found among the first 10, on queries held out; or, with --rerank, weighs that
    reranker by kind of query: believed is what gains on queries held out, not asked is what loses. Exit code 1: a bar
    was left.

    Examples:

      sightline tune

      sightline tune --queries queries.jsonl --qrels qrels.tsv --dry-run

      sightline tune --clicks clicks.csv --rerank vlm:starter

      sightline tune --name 0.6 --description 0.15

      sightline tune --reset
    """
    from service import progress, tables

    given: dict[Manner, float | None] = {"name": name, "description": description, "picture": picture}
    said = {kind: bar for kind, bar in given.items() if bar is not None}
    source = queries or clicks or catalog
    _check(len([one for one in (queries, clicks, catalog) if one]) > 1, "give one of --queries, --clicks, --catalog")
    _check(qrels and not queries, "--qrels says what is right for --queries: give both")
    _check(rerank == "", "--rerank names no reranker: give its spec, or leave it out to move the bars")
    _check(said and (source or rerank), "give either queries, which find the bars, or the bars")
    _check(
        reset and (source or said or rerank or dry_run),
        "--reset puts the bars back, and does nothing else: give it alone",
    )
    _check(rerank and not source, "a reranker is tuned by judged queries: give --queries, --clicks or --catalog")
    out, started = tables.console(), time.monotonic()
    tuned: Tuned | None = None
    with open_index(index, collection, encoder=encoder, create=False) as opened:
        cases, notes = _cases(opened, queries, qrels, clicks, catalog)
        if rerank:
            from service.trusting import show_trust, trusted

            believed = trusted(opened, rerank, cases, dry_run=dry_run)
            if as_json:
                print_json({"reranker": believed.to_json()})
            else:
                show_trust(out, believed, seconds=time.monotonic() - started, dry_run=dry_run)
            return
        with progress.steps(tables.console(stderr=True)) as show:
            if not (dry_run or said):
                show("learning what counts as a match", 0, None)
                opened.calibrations.now(bars=not reset)
            if cases:
                from sightline.evaluation.tuning import tune

                tuned = tune(opened, cases, show=show)
        bars = tuned.least if tuned else said
        if bars and not dry_run:
            opened.calibrations.set_least(bars)
        found = opened.calibrations.current()
        if found and said:  # as they are now, or would be
            found = replace(found, least={**found.least, **said})
    if as_json:
        told = tuned.to_json() | {"notes": list(notes)} if tuned else {}
        print_json({"calibration": found.facts() if found else None} | told)
    else:
        for note in notes:
            out.print(Text(tables.plain(note), style="yellow"))
        _show(out, found, tuned, seconds=time.monotonic() - started, dry_run=dry_run)
    if tuned and any(bar.why for bar in tuned.bars):
        raise typer.Exit(REPORTED)


def _check(wrong: object, why: str) -> None:
    if wrong:
        raise InputError(why)


def _cases(
    opened: Sightline, queries: Path | None, qrels: Path | None, clicks: Path | None, catalog: Path | None
) -> tuple[tuple[Case, ...], tuple[str, ...]]:
    """The judged queries given, with the ids that their filters mean here, and what to say of them."""
    from sightline.evaluation import read_catalog, read_clicks, read_judged
    from sightline.evaluation.asking import settled

    if queries:
        task = read_judged(queries, qrels)
    elif clicks:
        task = read_clicks(clicks)
    elif catalog:  # its pictures are indexed, so that each would find itself
        task = read_catalog(catalog)
        task = replace(task, cases=tuple(case for case in task.cases if case.image is None), documents=())
        _check(not task.cases, f"{catalog} has no texts to make queries of: give --queries or --clicks")
    else:
        return (), ()
    return settled(task, opened).cases, task.notes


def _show(out: Console, found: Calibration | None, tuned: Tuned | None, *, seconds: float, dry_run: bool) -> None:
    if found is None:
        out.print("Nothing to learn from: nothing is indexed, or too little of it.")
        return
    learned = f"Learned from {found.queries:,} queries made of {found.items:,} items." if found.queries else (
        "No queries could be made of what is here: judged by what others taught."
    )  # fmt: skip
    out.print(f"{learned} {seconds:.1f} s")
    if tuned:
        out.print(_table(tuned.bars))
        for bar in tuned.bars:
            if bar.why:
                out.print(
                    Text(f"{MANNERS[bar.manner]}: the bar is left at {bar.before:.0%}: {bar.why}", style="yellow")
                )
        if tuned.left_out:
            out.print(
                Text(
                    f"{tuned.left_out:,} left out: nothing relevant is in the index, or nothing can be told",
                    style="yellow",
                )
            )
    if dry_run:
        out.print(Text("Nothing was changed.", style="bold"))
    bars = ", ".join(f"{MANNERS[kind]} {bar:.0%}" for kind, bar in found.least.items())
    out.print(Text(f"Nothing matches where an answer is less likely than: {bars}.", style="dim"))


def _table(bars: tuple[Bar, ...]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold dim")
    for heading in ("asked", "queries", "bar", "absent left empty", "points of R@10 lost"):
        table.add_column(heading, justify="left" if heading == "asked" else "right")
    for bar in bars:
        table.add_row(
            MANNERS[bar.manner], f"{bar.queries:,}", _change(bar.before, bar.after),
            _change(bar.empty_before, bar.empty), _change(bar.lost_before, bar.lost).replace("%", ""),
        )  # fmt: skip
    return table


def _change(before: float | None, after: float | None) -> str:
    if before is None or after is None:
        return "not known"
    return f"{after:.1%}" if before == after else f"{before:.1%} → {after:.1%}"
