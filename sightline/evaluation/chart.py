"""A report as one picture: R@k by k with its intervals, what a second setting changes, and what the scores can tell.

Draws with Matplotlib (extra `eval`); computes nothing. Writes no date, so that equal reports are equal files.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sightline.errors import MissingExtra
from sightline.evaluation.report import TITLES, Comparison, Report, wholes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INK, FAINT, GRID = "#1c2430", "#68717f", "#e4e7ec"
COLOURS = (
    "#0b6e99",
    "#d1652a",
    "#5b8c3a",
    "#8c4fa3",
    "#b8336a",
    "#8a7a1f",
    "#3a5fc8",
    "#2a8c82",
    "#6b6b6b",
)  # a direction
STYLE = {
    "font.family": "DejaVu Sans",  # ships with Matplotlib: the same everywhere
    "font.size": 9.5,
    "text.color": INK,
    "axes.labelcolor": FAINT,
    "axes.edgecolor": GRID,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 26,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
}
CHANGED = ("success@1", "success@5", "success@10", "mrr", "ndcg@10", "map")  # measures of which changes are drawn
TICKS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)


def draw(report: Report, path: Path) -> None:
    """Write the picture as a PNG. Raises MissingExtra."""
    try:
        from matplotlib import rc_context
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
        from matplotlib.layout_engine import ConstrainedLayoutEngine
    except ImportError as exc:
        raise MissingExtra("matplotlib", "eval") from exc
    panels = [_recall, *([_changes] if report.comparisons else []), *_told(report)]
    height = max(4.6, 1.7 + 0.24 * (len(CHANGED) + 1) * len(_changing(report)))  # inches: room for a row a measure
    with rc_context(STYLE):  # type: ignore[arg-type] # a dict of its own keys
        layout = ConstrainedLayoutEngine(w_pad=0.2, h_pad=0.12)
        figure = Figure(figsize=(5.8 * len(panels), height), dpi=150, layout=layout, facecolor="white")
        FigureCanvasAgg(figure)
        for panel, axes in zip(panels, figure.subplots(1, len(panels), squeeze=False)[0], strict=True):
            panel(axes, report)
        figure.savefig(path, format="png", metadata={"Software": None})


def _told(report: Report) -> list[Callable[[Axes, Report], None]]:
    """What can honestly be drawn of the scores: how far relevance holds where it is told, else bare similarities."""
    if report.tried[0].reliability:
        return [_reliability]
    return [_similarities] if report.tried[0].likeness else []


def _headed(axes: Axes, title: str, said: str) -> None:
    axes.set_title(title)
    place = {"xycoords": "axes fraction", "textcoords": "offset points", "in_layout": False}
    axes.annotate(said, (0, 1), (0, 8), color=FAINT, fontsize=8.5, **place)  # type: ignore[arg-type] # as annotate has it


def _recall(axes: Axes, report: Report) -> None:
    dashed = f"; dashed: {report.tried[1].name}" if len(report.tried) > 1 else "; bands: 95 % intervals"
    _headed(axes, "Recall by k", f"queries with a right answer among the first k{dashed}")
    for number, tried in enumerate(report.tried):
        for at, figures in enumerate(wholes(tried.figures)):
            colour = COLOURS[at % len(COLOURS)]
            ks = list(figures.curve)
            mean, low, high = ([100 * getattr(figures.curve[k], name) for k in ks] for name in ("mean", "low", "high"))
            label = None if number else f"{figures.direction}, n = {figures.n:,}"
            axes.plot(ks, mean, "--" if number else "-", color=colour, linewidth=1.8, marker="o", ms=3.2, label=label)
            axes.fill_between(ks, low, high, color=colour, alpha=0.06 if number else 0.12, linewidth=0)
    axes.set_xscale("log")
    ticks = [k for k in TICKS if k <= report.depth]
    axes.set_xticks(ticks, [str(k) for k in ticks])
    axes.minorticks_off()
    axes.set_ylim(0, 102)
    axes.set_yticks(range(0, 101, 20), [f"{one} %" for one in range(0, 101, 20)])
    axes.set_xlabel("k")
    highest = max(figures.curve[10].mean for figures in wholes(report.tried[0].figures))
    axes.legend(loc="upper left" if highest < 0.5 else "lower right")


def _changing(report: Report) -> list[tuple[int, Comparison]]:
    """The directions where anything changes, with their place among all."""
    whole = [one for one in report.comparisons if not one.slice_name]
    return [
        (at, one) for at, one in enumerate(whole) if any(change.low < change.high for change in one.changes.values())
    ]


def _changes(axes: Axes, report: Report) -> None:
    """A row a measure and direction: the change and its interval, hollow where it may be chance."""
    first, second = (one.name for one in report.tried)
    _headed(axes, f"{second} less {first}", "change in points with its 95 % interval; hollow: may be chance")
    axes.axvline(0, color=FAINT, linewidth=1)
    ticks: list[float] = []
    names: list[str] = []
    for group, (at, one) in enumerate(_changing(report)):
        top = group * (len(CHANGED) + 1)
        colour = COLOURS[at % len(COLOURS)]
        axes.annotate(one.direction, (0.01, top), xycoords=("axes fraction", "data"), color=colour, va="center")
        for row, name in enumerate(CHANGED, start=1):
            change = one.changes[name]
            axes.plot([100 * change.low, 100 * change.high], [top + row] * 2, color=colour, linewidth=2)
            axes.plot(
                [100 * change.mean], [top + row], "o", color=colour, mfc=colour if change.real else "white", ms=5.5
            )
            ticks.append(top + row)
            names.append(TITLES[name])
    axes.set_yticks(ticks, names)
    axes.set_ylim(max(ticks, default=0) + 0.7, -0.9)
    axes.grid(False, axis="y")
    axes.set_xlabel("points" if ticks else "no query changes")


def _similarities(axes: Axes, report: Report) -> None:
    alike = report.tried[0].likeness
    assert alike is not None  # asked before
    said = f"cosine of words and picture, {alike.pairs:,} true pairs; not calibrated"
    _headed(axes, "True and mismatched pairs", said)
    told = (
        (alike.mismatched_share, FAINT, "mismatched", alike.mismatched),
        (alike.true_share, COLOURS[0], "true", alike.true),
    )
    for shares, colour, name, mean in told:
        axes.stairs([100 * one for one in shares], alike.edges, fill=True, color=colour, alpha=0.35)
        axes.stairs(
            [100 * one for one in shares], alike.edges, color=colour, linewidth=1.4, label=f"{name}, mean {mean:.3f}"
        )
        axes.axvline(mean, color=colour, linewidth=1, linestyle=(0, (2, 2)))
    axes.set_xlabel(f"cosine   (alignment {alike.alignment:.3f}, modality gap {alike.gap:.3f})")
    axes.set_ylabel("% of pairs")
    axes.set_xlim(*_span(alike.edges, alike.true_share, alike.mismatched_share))
    axes.legend(loc="best")


def _span(edges: Sequence[float], *shares: Sequence[float]) -> tuple[float, float]:
    """The part of the axis where there is something to see."""
    filled = [at for at in range(len(edges) - 1) if any(share[at] > 5e-4 for share in shares)]
    return edges[filled[0]], edges[filled[-1] + 1]


def _reliability(axes: Axes, report: Report) -> None:
    bins = report.tried[0].reliability
    hits = sum(one.hits for one in bins)
    _headed(axes, "Reliability", f"of the hits told relevant by x %, how many were right; {hits:,} hits")
    axes.plot([0, 100], [0, 100], color=FAINT, linewidth=1, linestyle=(0, (2, 2)), label="as told")
    told, right = [100 * one.told for one in bins], [100 * one.right for one in bins]
    axes.plot(told, right, color=COLOURS[0], linewidth=1.8, label="as judged")
    axes.scatter(told, right, [20 + 400 * one.hits / hits for one in bins], color=COLOURS[0], alpha=0.5, linewidths=0)
    axes.set_xlim(0, 100)
    axes.set_ylim(0, 100)
    axes.set_xlabel("relevance told, %")
    axes.set_ylabel("judged right, %")
    axes.legend(loc="best")
