"""What the terminal shows: hits, answers, reports and facts as rich tables, fit for any width and any data.

Knows nothing of commands or engines; everything that came from a catalog is printed as plain text, never as markup.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
import textwrap
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich import box
from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from service.advice import command
from sightline.reranked import Reranked
from sightline.showing import Facet, Range
from sightline.types import AddReport, Answer, FieldValue, Hit, Part, Results, Skipped
from sightline.written import clip, edges

NARROW = 64  # columns below which a table would be all wrapping: hits are written one under the other
LONG_VALUE = 40  # characters beyond which a field's value is a text, not a fact to show at a glance
BAR = " ▏▎▍▌▋▊▉█"  # eighths of a character cell
BAR_CELLS = 6
CHANNELS = {
    "clip": "picture",
    "dense": "meaning",
    "id": "name",
    "rerank": "reranked",
}  # as people would say them; others as they are
JOINERS = "\u200c\u200d"  # not printable by themselves, but emoji and several scripts are spelt with them


def console(*, stderr: bool = False) -> Console:
    """A console that is plain on a pipe (and with NO_COLOR), where lines are wide unless COLUMNS says otherwise."""
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() or "COLUMNS" in os.environ else 120
    return Console(stderr=stderr, width=width, highlight=False, soft_wrap=False)


def plain(text: object) -> str:
    """One line without control characters, so that no catalog can move the cursor or colour the screen."""
    joined = " ".join(str(text).split())
    return "".join(char if char.isprintable() or char in JOINERS else "�" for char in joined)


def value_of(value: FieldValue | Sequence[Any]) -> str:
    """A field's value as words."""
    if isinstance(value, tuple | list):
        return ", ".join(value_of(one) for one in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.10g}" if isinstance(value, float) else plain(value)


def key_fields(items: Iterable[Mapping[str, Any]], *, limit: int = 4) -> list[str]:
    """The fields worth a glance: those most of `items` have with short values, a number among them if there is one."""
    items = list(items)
    counts: Counter[str] = Counter()
    numbers: set[str] = set()
    for fields in items:
        short = [name for name, value in fields.items() if name != "title" and 0 < len(value_of(value)) <= LONG_VALUE]
        counts.update(short)
        numbers.update(name for name in short if type(fields[name]) in (int, float))
    ranked = sorted(counts, key=lambda name: -counts[name])  # stable: the catalog's own order among equals
    common = [name for name in ranked if counts[name] * 2 >= len(items)]
    chosen, rest = common[:limit], common[limit:]
    number = next((name for name in rest if name in numbers), None)
    return [*chosen[:-1], number] if number and not numbers.intersection(chosen) else chosen


def where_of(part: Part) -> str:
    """Where a part's source is, as a user would open it: relative to here when it is below here.

    Of a file's box, as it is searched for: `photo.jpg[0.10,0.20,0.50,0.60]`.
    """
    where, held = part.uri or part.id, part.locator.box
    if not part.uri or "://" in part.uri:
        return plain(where + edges(held)) if held else plain(where)
    with contextlib.suppress(OSError, ValueError):
        where = os.path.relpath(where) if Path(where).is_relative_to(Path.cwd()) else where
    return plain(clip(where, held)) if held else plain(where)


def snippet(part: Part, *, limit: int = 160) -> str:
    """What matched, on one line: the passage in quotes, or where the picture is."""
    if part.text is None:
        return where_of(part)
    text = plain(part.text).lstrip("# ")  # a Markdown heading's marks are no words
    if len(text) > limit:
        text = text[:limit].rsplit(" ", 1)[0].rstrip(",;:") + " …"
    return f"“{text}”"


def best_part(hit: Hit) -> Part | None:
    """The part that says most about why this hit is here: the first that is not merely its title or fields."""
    telling = (part for part in hit.parts if part.modality != "fields" and part.locator.field != "title")
    return next(telling, hit.parts[0] if hit.parts else None)


def channel(name: str) -> str:
    """What found a hit, in a word a person would use: the picture, the meaning or the words."""
    return CHANNELS.get(name, plain(name))


def bar(share: float) -> str:
    """A share of 0-1 as a bar of `BAR_CELLS` cells."""
    eighths = round(max(0.0, min(1.0, share)) * BAR_CELLS * 8)
    return BAR[8] * (eighths // 8) + (BAR[eighths % 8] if eighths % 8 else "")


def score_of(hit: Hit) -> Text:
    """Relevance with a bar where it is known; else the bare score, which only orders the hits of one search."""
    if hit.relevance is not None:
        return Text.assemble(f"{hit.relevance:.0%}", "\n", (bar(hit.relevance), "green"))
    return Text(f"{hit.score:.3f}")


def hits_table(results: Results, *, width: int) -> RenderableType:
    """Hits as a table, or as a list on a narrow terminal."""
    names = key_fields([hit.item.fields for hit in results], limit=4 if width >= 100 else 3)
    if width < NARROW:
        return Group(*(_stacked(hit, names) for hit in results))
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1), expand=True, header_style="bold dim")
    table.add_column("#", justify="right", width=len(str(len(results))), style="dim")
    table.add_column("Item", ratio=4, overflow="fold")
    known = all(hit.relevance is not None for hit in results)
    table.add_column("Likely" if known else "Score", width=BAR_CELLS)
    table.add_column("Found by", width=8, style="cyan")
    table.add_column("Why", ratio=6, overflow="fold")
    for hit in results:
        table.add_row(str(hit.rank), _named(hit), score_of(hit), "\n".join(map(channel, hit.via)), _why(hit, names))
        table.add_row()
    return table


def _named(hit: Hit) -> Text:
    title = plain(hit.item.title)
    return (
        Text(title, style="bold") if title == hit.id else Text.assemble((title, "bold"), "\n", (plain(hit.id), "dim"))
    )


def _why(hit: Hit, names: Sequence[str]) -> Text:
    facts = _facts(hit, names)
    part = best_part(hit)
    lines = [facts] if facts.plain else []
    boxed = next((one for one in hit.parts if one.locator.box and one != part), None)  # behind a passage
    lines += [Text(snippet(one), style=_linked(one)) for one in (part, boxed) if one is not None]
    if hit.folded:
        lines.append(Text(f"+{len(hit.folded)} alike: {', '.join(map(plain, hit.folded))}", style="dim"))
    return Text("\n").join(lines)


def _facts(hit: Hit, names: Sequence[str]) -> Text:
    facts = Text()
    for name in (name for name in names if name in hit.item.fields):
        facts.append(" · " if facts.plain else "", style="dim")
        facts.append(f"{plain(name)} ", style="dim")
        facts.append(value_of(hit.item.fields[name]))
    return facts


def _linked(part: Part) -> str:
    """Italic for words; for a picture a style that makes its path clickable in terminals that can."""
    if part.text is not None:
        return "italic dim"
    safe = part.uri and re.fullmatch(r"[^\s\x00-\x1f\]]+", part.uri)
    if not safe or part.uri is None:
        return "dim"
    return f"dim link {part.uri if '://' in part.uri else Path(part.uri).resolve().as_uri()}"


def _stacked(hit: Hit, names: Sequence[str]) -> RenderableType:
    head = Text.assemble((f"{hit.rank}. ", "dim"), (plain(hit.item.title), "bold"))
    score = f"{hit.relevance:.0%}" if hit.relevance is not None else f"{hit.score:.3f}"
    line = Text(f"{score} · {', '.join(map(channel, hit.via))}", style="cyan")
    return Group(head, Padding(Group(line, _why(hit, names)), (0, 0, 1, 3), expand=False))


def show_results(out: Console, results: Results, *, filtered: bool = False, least: float | None = None) -> None:
    """Print a search's outcome with its warnings; `filtered`: a filter said which items are looked at and counted.

    `least` is the relevance that was asked for.
    """
    for warning in results.warnings:
        hanging(out, Text(f"! {plain(warning)}", style="yellow"))
    if results.no_match:
        among = "Nothing that passes the filter" if filtered else "Nothing in this collection"
        out.print(Text(f"{among} {f'is {least:.0%} likely to answer' if least else 'matches'}.", style="yellow"))
        if filtered and results.answered is None:
            out.print(Text("No item passes it, or none that is like this in words or looks.", style="dim"))
        elif results.answered is not None:
            out.print(Text(f"An answer here is {results.answered:.1%} likely, which is too little.", style="dim"))
            out.print(Text("What is nearest nevertheless: --least 0", style="dim"))
    elif results.hits:
        out.print(hits_table(results, width=out.width))
    if results.reranked:
        hanging(out, Text(_read_by(results.reranked), style="dim"))
    if results.rewrites:
        said = " · ".join(f"{one.kind}: {plain(one.text)}" for one in results.rewrites)
        hanging(out, Text(f"also asked: {said}", style="dim"))
    if results.facets:
        counted = "all items that --where keeps" if filtered else "all items of the collection"
        out.print(Text(f"counted over {counted}, hits or not:", style="dim"))
    for facet in results.facets:
        out.print(facet_line(facet))
    if not results.no_match:
        found = f"{len(results)} hit{'s' if len(results) != 1 else ''}" if results.hits else "no more hits"
        more = f" · more: --offset {results.offset + len(results)}" if results.cursor else ""
        out.print(Text(f"{found} in {results.took_ms:.0f} ms{more}", style="dim"))


def _read_by(told: Reranked) -> str:
    """Who read how many hits, or why none."""
    done = f"read the first {told.read} hits" if told.read else "read none"
    return f"{plain(told.by)} {done}: {plain(told.why)}"


def facet_line(facet: Facet) -> Text:
    """A field and how often each of its values comes, the most frequent first."""
    counted = [(value_of(value), count) for value, count in facet.values] + [
        (range_of(one), one.count) for one in facet.ranges
    ]
    line = Text.assemble((plain(facet.field), "bold"), " ")
    for at, (value, count) in enumerate(counted):
        line.append_text(Text.assemble(" · " if at else " ", value, (f" {count:,}", "dim")))
    return line.append(f" · {facet.more:,} more" if facet.more else "", style="dim")


def range_of(one: Range) -> str:
    """A range of numbers in words: from the first to below the second."""
    if one.start is None or one.end is None:
        return f"under {one.end:.10g}" if one.end is not None else f"from {one.start or 0:.10g}"
    return f"{one.start:.10g}–{one.end:.10g}"


def show_answer(out: Console, answer: Answer) -> None:
    """Print an answer, then what every marker in it points to."""
    for warning in answer.warnings:
        hanging(out, Text(f"! {plain(warning)}", style="yellow"))
    text = Text(style="yellow" if answer.abstained else "")
    for piece in re.split(r"(\[\d+\])", "\n".join(plain(line) for line in answer.text.splitlines())):
        text.append(piece, style="bold cyan" if re.fullmatch(r"\[\d+\]", piece) else None)
    out.print(Padding(text, (1, 2), expand=False))
    if answer.citations:
        out.print(citations_table(answer, width=out.width))
    out.print(Text(f"answered in {answer.took_ms:.0f} ms", style="dim"))


def citations_table(answer: Answer, *, width: int) -> RenderableType:
    """One row a citation: its marker, its item, the words relied on and where they stand."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1), expand=True, header_style="bold dim")
    table.add_column("", width=max(3, cell_len(f"[{len(answer.citations)}]")), style="bold cyan")
    table.add_column("From", ratio=3, overflow="fold")
    table.add_column("Evidence", ratio=6 if width >= 100 else 5, overflow="fold")
    for citation in answer.citations:
        evidence = Text(f"“{plain(citation.quote)}”") if citation.quote else Text("the picture")
        place = place_of(citation.part)
        if place:
            evidence.append(f"\n{place}", style=_linked(citation.part) if citation.part.text is None else "dim")
        table.add_row(f"[{citation.marker}]", Text(plain(citation.item_id)), evidence)
    return table


def place_of(part: Part) -> str:
    """A part's locator in words, with its source."""
    locator = part.locator
    said = [f"field {plain(locator.field)}"] if locator.field else []
    said += [f"page {locator.page}"] if locator.page is not None else []
    said += [f"characters {locator.chars[0]}–{locator.chars[1]}"] if locator.chars else []
    said += [f"{locator.time_s[0]:.0f}–{locator.time_s[1]:.0f} s"] if locator.time_s else []
    said += [where_of(part)] if part.uri or locator.box else []
    return ", ".join(said)


def show_report(out: Console, report: AddReport, *, where: str, shown: int = 5) -> None:
    """Print what became of every source of one `index`."""
    names = ("added", "updated", "moved", "unchanged", "deleted")
    counts = [f"{getattr(report, name):,} {name}" for name in names if getattr(report, name)] or ["nothing to do"]
    took = f"{report.seconds:.1f} s" if report.seconds >= 0.05 else f"{1000 * report.seconds:.0f} ms"
    failed = bool(report.skipped) and counts == ["nothing to do"]
    mark = ("✗ nothing could be indexed", "red") if failed else ("✓ ", "green")
    line = Text.assemble(mark, "" if failed else ", ".join(counts), (f" in {took}", "dim"))
    if report.images:
        pictures = "1 picture" if report.images == 1 else f"{report.images:,} pictures"
        pictures += f" and {report.regions:,} regions of them" if report.regions else ""
        line.append(f" · {pictures}, {report.images_per_second:.1f} a second", style="dim")
    out.print(line)
    out.print(Text(f"  {where}", style="dim"))
    for note in report.notes:
        hanging(out, Text.assemble(("! ", "yellow"), plain(note)))
    if report.skipped:
        out.print(Text(f"! {len(report.skipped):,} could not be indexed:", style="yellow"))
        show_skipped(out, report.skipped, most=shown)
        out.print(Text(f"  all of them: {command('info --skipped')}", style="dim"), soft_wrap=True)


def record(out: Console, name: Text | str, told: Text | str = "") -> None:
    """One record of a list, its name first: on a pipe one line.

    On a terminal one that is too long goes on below, indented, but for a name: that is to be copied, and never folded.
    """
    head, rest = Text.assemble("  ", name), Text.assemble(": ", told, style="dim") if told else Text()
    if not out.is_terminal or cell_len(head.plain + rest.plain) <= out.width:
        out.print(head + rest, soft_wrap=True)
        return
    out.print(head, soft_wrap=True)
    out.print(Padding(rest[2:], (0, 0, 0, 6), expand=False))


def hanging(out: Console, told: Text, *, indent: int = 2) -> None:
    """Print a sentence whose further lines on a terminal are indented; on a pipe it is one line."""
    lines = told.wrap(out, max(1, out.width - indent)) if out.is_terminal else [told]
    out.print(Text(f"\n{' ' * indent}").join(lines), soft_wrap=True)


def folded(sentence: str, out: Console) -> str:
    """A sentence as `hanging` prints it, but for what stands between backticks: commands, to be copied whole."""
    if not out.is_terminal:
        return sentence
    whole = re.sub("`[^`]*`", lambda found: found[0].replace(" ", "\0"), sentence)
    fitted = textwrap.wrap(whole, out.width, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)
    return "\n".join(fitted).replace("\0", " ")


def show_skipped(out: Console, skipped: Sequence[Skipped], *, most: int | None = None) -> None:
    """Print sources that could not be indexed, those of one reason together; `most`: reasons, and sources of each.

    All of them, on a pipe, are a line each.
    """
    by_reason: dict[str, list[str]] = {}
    for one in skipped:
        by_reason.setdefault(one.reason, []).append(plain(one.source))
    for reason, sources in list(by_reason.items())[:most]:
        if most is not None:
            more = f" and {len(sources[most:]):,} more" if len(sources) > most else ""
            hanging(out, Text.assemble("  ", ", ".join(sources[:most]) + more, (f": {plain(reason)}", "dim")))
        elif len(sources) == 1 or not out.is_terminal:
            for source in sources:
                record(out, source, plain(reason))
        else:
            hanging(out, Text(f"  {plain(reason)}:", style="dim"), indent=4)
            for source in sources:
                out.print(Text(f"    {source}"), soft_wrap=True)


def bytes_of(count: int) -> str:
    """A size as people read it: 1 kB is 1000 bytes."""
    size = float(count)
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000 or unit == "GB":
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1000
    raise AssertionError("unreachable: GB has no upper limit")


def show_models(out: Console, cards: Sequence[Any]) -> None:
    """Print models one can choose, a block each: what is to be copied stands on a line that nothing folds."""
    for card in cards:
        told = [
            f"{card.dim} dimensions" if getattr(card, "dim", 0) else "",
            bytes_of(card.size_bytes) if card.size_bytes else "",
        ]
        out.print(Text(plain(card.spec), style="bold cyan"), soft_wrap=True)
        for line in (", ".join(filter(None, told)), card.note, f"licence: {card.licence}"):
            out.print(Padding(Text(plain(line), style="dim"), (0, 0, 0, 4), expand=False))
