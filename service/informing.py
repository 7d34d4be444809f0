"""`sightline info`: what an index holds, what became of every source, what was left out, what is there twice.

Knows options and how these look on a terminal; the facts are the index's.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import asdict
from itertools import islice
from typing import TYPE_CHECKING, Annotated

import typer

from service.options import AsJson, Collection, IndexDir, open_index, print_json
from sightline.errors import InputError

if TYPE_CHECKING:
    from rich.console import Console

    from indexer.register import Seen
    from sightline.catalog_check import Group
    from sightline.engine import Sightline

OUTCOMES = "added, unchanged, updated, moved, duplicate, missing, unfinished, skipped, deleted"
SHOWN = 40  # rows of a list on a terminal
ITEMS_SHOWN = 6  # of one group


def info_command(
    *,
    skipped: Annotated[bool, typer.Option("--skipped", help="list sources that could not be indexed, and why")] = False,
    sources: Annotated[
        bool, typer.Option("--sources", help="list every source ever seen and what became of it")
    ] = False,
    outcome: Annotated[
        str | None, typer.Option("--outcome", metavar="NAME", help=f"with --sources, only these: {OUTCOMES}")
    ] = None,
    duplicates: Annotated[
        bool, typer.Option("--duplicates", help="list items that are equal, share a picture, or show pictures alike")
    ] = False,
    jsonl: Annotated[
        bool, typer.Option("--jsonl", help="with --sources or --duplicates, one JSON object a line on stdout")
    ] = False,
    index: IndexDir = None,
    collection: Collection = None,
    as_json: AsJson = False,
) -> None:
    """Say what is in an index, what built it, how large it is, and what its encoder's licence allows.

    Examples:

      sightline info --sources --outcome moved

      sightline info --sources --jsonl > sources.jsonl

      sightline info --duplicates
    """
    if skipped + (sources or outcome is not None) + duplicates > 1:
        raise InputError("--skipped, --sources and --duplicates are lists of their own: ask for one at a time")
    if outcome is not None and outcome not in OUTCOMES.split(", "):
        raise InputError(f"--outcome is one of {OUTCOMES}; not {outcome!r}")
    if jsonl and not (sources or outcome or duplicates):
        raise InputError("--jsonl goes with --sources, --outcome NAME (as --outcome skipped) or --duplicates")
    with open_index(index, collection, create=False) as opened:
        if sources or outcome is not None:
            _sources(opened, outcome, as_json=as_json, jsonl=jsonl)
        elif duplicates:
            _duplicates(opened, as_json=as_json, jsonl=jsonl)
        else:
            _facts(opened, skipped=skipped, as_json=as_json)


def _facts(opened: Sightline, *, skipped: bool, as_json: bool) -> None:
    from service import tables

    facts, left_out = opened.info(), opened.skipped() if skipped else []
    if as_json:
        print_json(facts | ({"skipped_sources": [asdict(one) for one in left_out]} if skipped else {}))
    elif skipped and not left_out:
        tables.console().print("Nothing was skipped.")
    elif skipped:
        tables.show_skipped(tables.console(), left_out)
    else:
        tables.show_info(tables.console(), facts)


def _sources(opened: Sightline, outcome: str | None, *, as_json: bool, jsonl: bool) -> None:
    from indexer import Ledger
    from service import tables

    with closing(Ledger(opened.folder)) as ledger:
        every = (one for one in ledger.register.sources() if outcome in (None, one.outcome))
        if jsonl:
            _lines(one.to_json() for one in every)
            return
        seen = list(every)
    if as_json:
        counts = Counter(one.outcome for one in seen)
        print_json({"counts": counts, "sources": [one.to_json() for one in seen]})
    else:
        show_sources(tables.console(), seen, outcome)


def _duplicates(opened: Sightline, *, as_json: bool, jsonl: bool) -> None:
    from service import progress, tables
    from sightline.catalog_check import duplicates

    with progress.steps(tables.console(stderr=True)) as show:
        groups = duplicates(opened, tell=show)
    if jsonl:
        _lines(group.to_json() for group in groups)
    elif as_json:
        print_json({"groups": [group.to_json() for group in groups]})
    else:
        show_duplicates(tables.console(), groups)


def _lines(rows: Iterable[object]) -> None:
    for row in rows:
        sys.stdout.write(json.dumps(row, ensure_ascii=False) + "\n")


def show_sources(out: Console, seen: Sequence[Seen], outcome: str | None = None) -> None:
    """Print what became of every source: how many of each, then one by one, first what is not merely there."""
    from rich.padding import Padding
    from rich.text import Text

    from service.tables import plain

    counts = Counter[str](one.outcome for one in seen)
    told = ", ".join(f"{counts[name]:,} {name}" for name in OUTCOMES.split(", ") if counts[name])
    none = f"No source is {outcome} as it was last read." if outcome else "No source was ever seen."
    out.print(Text(told or none, style="bold"))
    for one in islice(sorted(seen, key=lambda one: one.outcome == "unchanged"), SHOWN):
        line = Text.assemble((f"{one.outcome:<10}", "cyan"), plain(one.source))
        if one.item_id and one.item_id != one.source and not one.source.endswith(one.item_id):
            line.append(f"  item {plain(one.item_id)}", style="dim")
        if one.of:
            line.append(f"  {'of' if one.outcome == 'duplicate' else 'from'} {plain(one.of)}", style="dim")
        if one.reason:
            line.append(f": {plain(one.reason)}", style="dim")
        out.print(Padding(line, (0, 0, 0, 2), expand=False))
    if len(seen) > SHOWN:
        out.print(Text(f"  … {len(seen) - SHOWN:,} more: --jsonl lists all, --outcome NAME some", style="dim"))


def show_duplicates(out: Console, groups: Sequence[Group]) -> None:
    """Print groups of items, the equal ones first, with how alike the pictures are."""
    from rich.padding import Padding
    from rich.text import Text

    from service.tables import plain

    if not groups:
        out.print("Nothing is there twice.")
        return
    kinds = Counter(group.kind for group in groups)
    out.print(Text(", ".join(f"{count:,} of {kind}" for kind, count in kinds.items()), style="bold"))
    for group in islice(groups, SHOWN):
        items = ", ".join(map(plain, group.items[:ITEMS_SHOWN]))
        more = f" and {len(group.items) - ITEMS_SHOWN:,} more" if len(group.items) > ITEMS_SHOWN else ""
        line = Text.assemble((f"{group.kind:<15}", "cyan"), items, more)
        if group.cosine is not None:
            line.append(f"  cosine {group.cosine:.3f}, {group.bits} of 63 bits apart", style="dim")
        out.print(Padding(line, (0, 0, 0, 2), expand=False))
    if len(groups) > SHOWN:
        out.print(Text(f"  … {len(groups) - SHOWN:,} more groups: --jsonl lists all", style="dim"))
