"""`sightline tune --rerank`: how far a reranker is believed here, found on judged queries and kept.

Knows how figures look on a terminal; what is tried, and what it takes to be believed, is the evaluation's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from service import progress, tables

if TYPE_CHECKING:
    from sightline import Sightline
    from sightline.evaluation import Case
    from sightline.evaluation.reranking import Believed, Tuned


def trusted(opened: Sightline, spec: str, cases: Sequence[Case], *, dry_run: bool) -> Tuned:
    """Read every case, find how far the reranker is believed, and keep that unless it is a dry run."""
    from sightline.evaluation.reranking import read, tune

    before = opened.rerankers.trust(spec)
    with progress.steps(tables.console(stderr=True)) as show:
        reads, left_out = read(opened, cases, spec, show=show)
        show("weighing", 0, None)
        tuned = tune(spec, reads, before=before, depth=opened.settings.rerank_depth, left_out=left_out)
    if not dry_run:
        opened.rerankers.set_trust(spec, tuned.trust)
    return tuned


def show_trust(out: Console, tuned: Tuned, *, seconds: float, dry_run: bool) -> None:
    """Figures by kind of query, then quality against time."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold dim")
    for heading in ("kind of query", "queries", "nDCG@10 without", "gained, held out", "weight", ""):
        table.add_column(heading, justify="left" if heading in ("kind of query", "") else "right")
    for one in tuned.kinds:
        if one.queries:
            table.add_row(one.kind, f"{one.queries:,}", *_figures(one), Text(one.why, style="dim"))
    out.print(f"{tuned.reranker}, judged by {sum(one.queries for one in tuned.kinds):,} queries. {seconds:.1f} s")
    out.print(table)
    if tuned.left_out:
        out.print(
            Text(f"{tuned.left_out:,} left out: nothing right among the first 50, or none it can read", style="yellow")
        )
    if tuned.depths:
        depths = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold dim")
        for heading in ("hits read", "nDCG@10 gained, all read, held out", "ms a query that is read"):
            depths.add_column(heading, justify="right")
        for deep in tuned.depths:
            depths.add_row(str(deep.depth), _signed(deep.gained), "too long" if deep.ms is None else f"{deep.ms:,.0f}")
        out.print(depths)
    else:
        out.print("It is not asked of any kind of query here.")
    if dry_run:
        out.print(Text("Nothing was changed.", style="bold"))


def _figures(one: Believed) -> tuple[str, str, str]:
    changed = f"{one.before:g}" if one.before == one.after else f"{one.before:g} → {one.after:g}"
    if one.first is None or one.gained is None:
        return "", "", changed
    return f"{one.first.mean:.3f}", _signed(one.gained), changed


def _signed(score: Any) -> str:
    return f"{score.mean:+.3f} [{score.low:+.3f}, {score.high:+.3f}]"
