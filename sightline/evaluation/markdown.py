"""A report as Markdown: what was measured, the tables, what differs, what was left out.

Knows a report; computes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sightline.evaluation.report import SHOWN, SLICES_SHOWN, TITLES, Figures, Report, Tried, shown, sliced, wholes

LEFT_OUT_SHOWN = 20
HARD_SHOWN = 10


def markdown(report: Report) -> str:
    """The whole report."""
    blocks = [f"# Evaluation: {report.task}", "\n".join(f"- {_plain(note)}" for note in report.notes)]
    for tried in report.tried:
        named = f"## {_plain(tried.name)}" if tried.name else "## Figures"
        blocks += [named, _setting(tried), _scores(wholes(tried.figures)), _space(tried)]
        blocks += [_sliced(name, several) for name, several in sliced(tried.figures).items()]
    if report.comparisons:
        blocks += ["## The difference", "\n".join(f"- {_plain(one)}" for one in report.verdicts), _differences(report)]
    blocks += ["![recall by k](report.png)", report.legend]
    blocks += [_hard(report), _left_out(report), "## Made with", _made_with(report)]
    return "\n\n".join(block for block in blocks if block) + "\n"


def _setting(tried: Tried) -> str:
    texts = f", text encoder `{_plain(tried.text_encoder)}`" if tried.text_encoder else ""
    rerank = f", reranked by `{tried.rerank}`" if tried.rerank else ""
    return (
        f"Encoder `{_plain(tried.encoder)}` ({tried.dim} numbers, fingerprint `{tried.fingerprint[:12]}`){texts}, "
        f"store `{_plain(tried.store)}` ({tried.search}), {tried.items:,} items, channels: {tried.channels}{rerank}."
    )


def _scores(figures: Sequence[Figures], *, head: str = "direction", value: str = "direction") -> str:
    rows = [[getattr(one, value), f"{one.n:,}", *(_cell(one, name) for name in SHOWN)] for one in figures]
    return _table([head, "queries", *(TITLES[name] for name in SHOWN)], rows)


def _cell(figures: Figures, measure: str) -> str:
    mean, interval = shown(measure, figures.scores[measure])
    return f"{mean} [{interval}]"


def _sliced(name: str, figures: Sequence[Figures]) -> str:
    blocks = []
    for direction in dict.fromkeys(one.direction for one in figures):
        several = [one for one in figures if one.direction == direction]
        more = f" (the {SLICES_SHOWN} largest of {len(several)})" if len(several) > SLICES_SHOWN else ""
        table = _scores(several[:SLICES_SHOWN], head=name, value="slice_value")
        blocks.append(f"### {direction}, by {_plain(name)}{more}\n\n{table}")
    return "\n\n".join(blocks)


def _space(tried: Tried) -> str:
    """Modality gap, alignment, wrong modalities and warnings, as sentences."""
    lines = []
    if alike := tried.likeness:
        lines.append(
            f"Words and pictures: modality gap {alike.gap:.3f} (distance of the centroids), alignment "
            f"{alike.alignment:.3f} (mean cosine of {alike.pairs:,} true pairs {alike.true:.3f}, of mismatched ones "
            f"{alike.mismatched:.3f})."
        )
    told = [f"{direction} {share:.1%}" for direction, share in tried.wrong_modality.items() if share is not None]
    mixed = [f"{direction} {share:.1%}" for direction, (share, _) in tried.mixed.items() if share is not None]
    if told:
        without = f"; where nothing says what is looked for: {', '.join(mixed)}" if mixed else ""
        lines.append(f"Hits of the wrong modality among the first 10: {', '.join(told)}{without}.")
    lines += [f"Warned {count:,} times: {_plain(warning)}" for warning, count in tried.warnings.items()]
    return "\n".join(f"- {line}" for line in lines)


def _differences(report: Report) -> str:
    rows = []
    for one in report.comparisons:
        if not one.slice_name:
            cells = []
            for name in SHOWN:
                mean, interval = shown(name, one.changes[name], signed=True)
                bold = f"**{mean}**" if one.changes[name].real else mean
                cells.append(f"{bold} [{interval}]" if one.changes[name].low < one.changes[name].high else "the same")
            rows.append([one.direction, f"{one.changes[SHOWN[0]].n:,}", *cells])
    first, second = (_plain(tried.name) for tried in report.tried)
    table = _table(["second − first", "queries", *(TITLES[name] for name in SHOWN)], rows)
    return f"First: {first}. Second: {second}. Bold: the interval leaves out 0.\n\n{table}"


def _hard(report: Report) -> str:
    """The queries whose right answer is furthest from the top."""
    ranks = report.ranks[0]
    placed = [(ranks[case.id], case) for case in report.cases if ranks[case.id] is None or (ranks[case.id] or 0) > 10]
    placed.sort(key=lambda pair: (pair[0] is not None, -(pair[0] or 0), pair[1].id))
    rows = [
        [case.id, case.direction, case.text or str(case.image and case.image.name), "–" if rank is None else str(rank)]
        for rank, case in placed[:HARD_SHOWN]
    ]
    if not rows:
        return ""
    intro = f"{len(placed):,} of {len(report.cases):,} queries have no right answer among the first 10, as:"
    return f"## Not found\n\n{intro}\n\n{_table(['query', 'direction', 'asked', 'first right at'], rows, words=3)}"


def _left_out(report: Report) -> str:
    if not report.left_out:
        return ""
    lines = [f"- {_plain(one.source)}: {_plain(one.reason)}" for one in report.left_out[:LEFT_OUT_SHOWN]]
    if len(report.left_out) > LEFT_OUT_SHOWN:
        lines.append(f"- … {len(report.left_out):,} in all: report.json has them")
    return "## Left out\n\n" + "\n".join(lines)


def _made_with(report: Report) -> str:
    versions = ", ".join(f"{name} {number}" for name, number in report.versions.items())
    inputs = [f"`{_plain(name)}` (SHA-256 `{digest[:12]}`)" for name, digest in report.inputs.items()]
    return "\n".join(f"- {line}" for line in (*([", ".join(inputs)] if inputs else []), versions))


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], *, words: int = 1) -> str:
    """A table of `words` columns of words, then numbers."""
    lines = [head, [":--" if at < words else "--:" for at in range(len(head))], *rows]
    return "\n".join(f"| {' | '.join(map(_plain, line))} |" for line in lines)


def _plain(text: str) -> str:
    """One line that no table or heading of Markdown breaks at."""
    return " ".join(str(text).split()).replace("|", "\\|")
