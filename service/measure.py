"""`sightline eval`: reads what a user measures with, runs the ruler, shows its figures and writes its report.

Knows options and how figures look on a terminal; what is measured, and how, is `sightline.evaluation`'s.
"""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from service.options import (
    REPORTED,
    AsJson,
    Collection,
    EncoderSpec,
    IndexDir,
    Mapping,
    StoreSpec,
    TextEncoderSpec,
    print_json,
)
from service.tables import plain
from sightline.errors import InputError

if TYPE_CHECKING:
    from sightline.evaluation import Report, Score, Task

TABLE = ("success@1", "success@5", "success@10", "mrr", "ndcg@10", "map")  # recall@10 is in the report
BRIEF = ("success@1", "success@5", "success@10", "ndcg@10")  # what fits a narrow terminal
ROOMY = 116  # columns that the whole table needs
LEFT_OUT_SHOWN = 5
SLICES_SHOWN = 12

Paths = list[Path] | None


def eval_command(
    *,
    pairs: Annotated[
        Paths,
        typer.Option(
            "--pairs", metavar="FILE", help="pictures with captions: JSONL, CSV, Karpathy JSON, tar; repeatable"
        ),
    ] = None,
    catalog: Annotated[
        Path | None, typer.Option("--catalog", metavar="FILE", help="a catalog; queries are built from it")
    ] = None,
    queries: Annotated[
        Path | None, typer.Option("--queries", metavar="FILE", help="judged queries, asked of --index or of --catalog")
    ] = None,
    qrels: Annotated[
        Path | None,
        typer.Option("--qrels", metavar="FILE", help="what is right for --queries, as BEIR or TREC have it"),
    ] = None,
    images: Annotated[
        Path | None, typer.Option("--images", metavar="DIR", help="folder of the pictures that --pairs name")
    ] = None,
    mapping: Mapping = None,
    where: Annotated[
        str, typer.Option("--where", metavar="EXPR", help='measure on rows that pass only, as "split = test"')
    ] = "",
    pictures_only: Annotated[
        bool, typer.Option("--pictures-only", help="let pictures alone decide: no titles, texts, fields or ids")
    ] = False,
    against: Annotated[
        list[str] | None,
        typer.Option(
            "--against", metavar="NAME=VALUE", help="compare with encoder=, text_encoder=, channels=, rerank=, index= …"
        ),
    ] = None,
    slices: Annotated[
        list[str] | None, typer.Option("--slice", metavar="FIELD", help="figures by the values of a field; repeatable")
    ] = None,
    k: Annotated[int, typer.Option("-k", "--k", metavar="N", min=10, max=1000, help="items of a ranking judged")] = 100,
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="of resamples and samples")] = 0,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="write report.md, .json, .png and queries.jsonl here")
    ] = None,
    channels: Annotated[
        str, typer.Option(metavar="NAMES", help="search by words, vectors, clip or dense alone (default: all)")
    ] = "",
    rerank: Annotated[
        str,
        typer.Option(
            metavar="SPEC", help="what re-orders the first hits: vlm:starter, or another of docs/reranking.md"
        ),
    ] = "",
    index: IndexDir = None,
    collection: Collection = None,
    encoder: EncoderSpec = None,
    text_encoder: TextEncoderSpec = None,
    store: StoreSpec = None,
    as_json: AsJson = False,
) -> None:
    """Measure how well it finds, with 95 % intervals, and whether another setting is really better.

    Examples:

      sightline eval --pairs captions.jsonl --where "split = test" --out report

      sightline eval --queries queries.jsonl --qrels qrels.tsv --against channels=words

      sightline eval --catalog shop.csv --map title=name --pictures-only --slice category
    """
    from service import progress, tables
    from sightline.evaluation import Setting, evaluate

    started = time.monotonic()
    setting = Setting(
        encoder=encoder or "",
        text_encoder=text_encoder or "",
        store=store or "",
        index=str(index or ""),
        collection=collection or "",
        channels=channels,
        rerank=rerank,
    )
    if out:
        out.mkdir(parents=True, exist_ok=True)  # now rather than after the work
    other = setting.changed(_named(against, "--against")) if against else None
    with tempfile.TemporaryDirectory() as work, progress.steps(tables.console(stderr=True)) as show:
        task, inputs = _read(
            pairs, catalog, queries, qrels, images=images, mapping=mapping, where=where, seed=seed, work=Path(work)
        )
        report = evaluate(
            _narrowed(task, pictures_only),
            setting,
            against=other,
            k=k,
            slices=slices or (),
            seed=seed,
            inputs=inputs,
            show=show,
        )
        written = report.write(out) if out else []
    if as_json:
        print_json(report.to_json())
    else:
        spent = time.monotonic() - started
        show_report(tables.console(), report, slices=slices or (), written=written, seconds=spent)
    if report.left_out:
        raise typer.Exit(REPORTED)


def _read(
    pairs: Paths,
    catalog: Path | None,
    queries: Path | None,
    qrels: Path | None,
    *,
    images: Path | None,
    mapping: list[str] | None,
    where: str,
    seed: int,
    work: Path,
) -> tuple[Task, dict[str, str]]:
    """What is to be measured, and the digests of the files that say it. Raises InputError."""
    from sightline.evaluation import digest, read_catalog, read_judged, read_pairs

    if bool(pairs) == bool(catalog or queries):
        raise InputError(
            "name what to measure with: --pairs FILE (pictures with captions), --queries FILE (judged queries for an "
            "index), or --catalog FILE (queries are built from it)"
        )
    if qrels and not queries:
        raise InputError("--qrels judges the queries of --queries: name both")
    if where and not (pairs or catalog):
        raise InputError("--where chooses rows of --pairs or --catalog; a query of --queries has a 'where' of its own")
    if images and not pairs:
        raise InputError("--images is the folder of the pictures that --pairs names")
    files = [*(("pairs", path) for path in pairs or ()), ("catalog", catalog), ("queries", queries), ("qrels", qrels)]
    inputs = {f"{role} {path.name}": digest(path) for role, path in files if path}
    named = _named(mapping, "--map")
    if pairs:
        return read_pairs(pairs, work=work, images=images, mapping=named, where=where), inputs
    asked = read_judged(queries, qrels) if queries else None
    if catalog:
        return read_catalog(catalog, mapping=named, where=where, asked=asked, seed=seed), inputs
    assert asked is not None  # one of the three was named
    return asked, inputs


def _narrowed(task: Task, narrow: bool) -> Task:
    from sightline.evaluation import pictures_only

    return pictures_only(task) if narrow else task


def _named(pairs: Sequence[str] | None, option: str) -> dict[str, str]:
    """`encoder=starter` as {"encoder": "starter"}."""
    split = [pair.partition("=") for pair in pairs or ()]
    wrong = next((name for name, is_, _ in split if not name or not is_), None)
    if wrong is not None:
        raise InputError(f"{option} takes NAME=VALUE, not {wrong!r}")
    return {name: value for name, _, value in split}


def show_report(
    out: Console, report: Report, *, slices: Sequence[str], written: Sequence[Path], seconds: float
) -> None:
    """Print the figures, whether two settings really differ, and what a reader should know."""
    for note in report.notes:
        out.print(Text(plain(note), style="dim"))
    out.print(_table(report, slices, width=out.width))
    for verdict in report.verdicts:
        out.print(Text(plain(verdict), style="bold" if "is real" in verdict else ""))
    first = report.tried[0]
    if alike := first.likeness:
        said = f"Words and pictures: modality gap {alike.gap:.3f}, alignment {alike.alignment:.3f}"
        pairs = f"mean cosine of {alike.pairs:,} true pairs {alike.true:.3f}, of mismatched ones {alike.mismatched:.3f}"
        out.print(Text(f"{said} ({pairs})."))
    for direction, (share, _) in first.mixed.items():
        if share is not None:
            said = (
                f"{direction}: {share:.0%} of the first 10 are of the wrong modality where nothing says what is wanted"
            )
            out.print(Text(f"{said}, {first.wrong_modality[direction] or 0:.0%} where it is said."))
    for warning, count in first.warnings.items():
        out.print(Text(f"! {count:,} times: {plain(warning)}", style="yellow"))
    if report.left_out:
        out.print(Text(f"! {len(report.left_out):,} left out or not there:", style="yellow"))
        for one in report.left_out[:LEFT_OUT_SHOWN]:
            out.print(Text.assemble("  ", plain(one.source), (f": {plain(one.reason)}", "dim")))
        if len(report.left_out) > LEFT_OUT_SHOWN:
            out.print(Text("  … all of them: --out DIR, in report.json", style="dim"))
    legend = "R@k: a right answer among the first k, in %. Below each figure its 95 % interval. "
    out.print(
        Text(
            f"{legend}{len(report.cases):,} quer{'y' if len(report.cases) == 1 else 'ies'}, {seconds:.0f} s.",
            style="dim",
        )
    )
    if written:
        out.print(Text("Written: " + " ".join(map(str, written))), soft_wrap=True)


def _table(report: Report, slices: Sequence[str], *, width: int) -> Table:
    """A row a direction, and a slice that was asked for, under each setting; a figure with its interval below."""
    from sightline.evaluation.report import TITLES

    measures = TABLE if width >= ROOMY else BRIEF
    named_in = max(24, width - 14 * len(measures) - 10)  # columns left for names
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1), header_style="bold dim")
    table.add_column("", overflow="ellipsis", no_wrap=True)
    table.add_column("Queries", justify="right", no_wrap=True, min_width=7)
    for name in measures:
        table.add_column(TITLES[name], justify="right", no_wrap=True)
    shown: Counter[tuple[str, str]] = Counter()
    for settings in zip(*(tried.figures for tried in report.tried), strict=True):
        first = settings[0]
        place = (first.direction, first.slice_name)
        shown[place] += 1
        if first.slice_name and (first.slice_name not in slices or shown[place] > SLICES_SHOWN):
            if first.slice_name in slices and shown[place] == SLICES_SHOWN + 1:
                table.add_row(Text("    … more in report.json (--out)", style="dim"))
            continue
        if first.slice_name and shown[place] == 1:
            table.add_row(Text(f"  by {plain(first.slice_name)}", style="dim"))
        named = f"    {plain(first.slice_value)}" if first.slice_name else first.direction
        label, count = Text(named, style="" if first.slice_name else "bold"), f"{first.n:,}"
        if len(settings) > 1:
            table.add_row(label, count)
        for one, tried in zip(settings, report.tried, strict=True):
            cells = [_cell(name, one.scores[name]) for name in measures]
            if len(settings) > 1:
                table.add_row(Text(_short(f"  {plain(tried.name)}", named_in), style="cyan"), "", *cells)
            else:
                table.add_row(label, count, *cells)
    return table


def _short(name: str, width: int) -> str:
    """The name with its middle left out where it is too long: what sets it apart is often at its end."""
    return name if len(name) <= width else f"{name[: width // 2]}…{name[len(name) - (width - width // 2 - 1) :]}"


def _cell(measure: str, score: Score) -> Text:
    from sightline.evaluation.report import shown

    mean, interval = shown(measure, score)
    return Text.assemble(mean, "\n", (interval, "dim"))
