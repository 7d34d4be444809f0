"""`sightline info`: what an index holds, what became of every source, what was left out, what is there twice.

Knows options and how these look on a terminal; the facts are the index's.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from service import tables
from service.advice import command, copyable
from service.migrating import halfway_of
from service.options import AsJson, Collection, IndexDir, open_index, print_json
from service.tables import bytes_of, hanging, plain, record
from sightline.certificate import Certificate
from sightline.errors import InputError

if TYPE_CHECKING:
    from indexer.register import Seen
    from sightline.catalog_check import Group
    from sightline.engine import Sightline

OUTCOMES = "added, unchanged, updated, moved, duplicate, missing, unfinished, skipped, deleted"
SHOWN = 40  # rows of a list on a terminal
ITEMS_SHOWN = 6  # of one group

_MORE = (
    ("skipped", "what was skipped, and why", "info --skipped"),
    ("removed", "to remove for good what was deleted", "compact"),
    ("snapshots", "every snapshot", "snapshot --list"),
)  # of the document of `info`: where there is such, and which command goes on


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
    facts, left_out = opened.info(), opened.skipped() if skipped else []
    if as_json:
        print_json(facts | ({"skipped_sources": [asdict(one) for one in left_out]} if skipped else {}))
    elif skipped and not left_out:
        tables.console().print("Nothing was skipped.")
    elif skipped:
        tables.show_skipped(tables.console(), left_out)
    else:
        out = tables.console()
        show_info(out, facts)
        if facts["migration"]:
            first, *commands = halfway_of(facts["migration"])
            out.print(Text.assemble(("! ", "yellow"), plain(first)), soft_wrap=True)
            for one in commands:  # to be copied: on a line that nothing folds
                out.print(Text(f"  {plain(one)}"), soft_wrap=True)


def _sources(opened: Sightline, outcome: str | None, *, as_json: bool, jsonl: bool) -> None:
    from indexer import Ledger

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
    from service import progress
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


def show_info(out: Console, info: Mapping[str, Any]) -> None:
    """Print what is in a collection, what built it and how large it is."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    rows = {
        "items": f"{info['items']:,}",
        "parts": f"{info['parts']:,} ({info['vectors']:,} {'with ' * _one_each(info)}vectors)",
        "collection": f"{info['collection']}  (of: {', '.join(info['collections'])})",
        "encoder": f"{info['encoder']}" + (f", {info['dim']} numbers a vector" if info["dim"] else ""),
        **({"text encoder": f"{info['text_encoder']} ({info['text_licence']})"} if info["text_encoder"] else {}),
        **({"adapter": _adapter(info["adapter"])} if info.get("adapter") else {}),
        "licence": info["licence"],
        **({"regions": _regions(info["regions"])} if info["regions"] != {"kind": "none", "finished": True} else {}),
        "store": f"{info['store']}, {info['kind']}",
        **({"because": info["why"]} if info["why"] else {}),
        **{_recall(one, info): Certificate.from_json(one).told() for one in info["recall"]},
        **({"relevance": _relevance(info["relevance"])} if info.get("relevance") else {}),
        "in memory": _memory(info),
        "on disk": bytes_of(info["bytes_disk"]) + _each(info["bytes_disk"], info["vectors"], "with words and fields"),
        **({"deleted": _removed(info)} if info.get("removed") else {}),
        "skipped": f"{info['skipped']:,}"
        + (f"  (see them with: {command('info --skipped')})" if info["skipped"] else ""),
        **({"snapshots": _snapshots(info["snapshots"])} if info.get("snapshots") else {}),
    }
    for name, value in rows.items():
        table.add_row(name, Text(plain(value)))
    fields = ", ".join(
        f"{plain(one['name'])} ({one['count']}{', numbers' if one['numeric'] else ''})" for one in info["fields"]
    )
    table.add_row("fields", Text(fields or "none"))
    out.print(table)
    for name, told, advised in _MORE:
        if info.get(name):  # to be copied: on a line that nothing folds
            out.print(Text(f"{told}: {command(advised)}", style="dim"), soft_wrap=True)


def _regions(told: Mapping[str, Any]) -> str:
    """What of pictures has vectors of its own."""
    return f"{told['kind']}" + (
        "" if told["finished"] else copyable(", not of all pictures yet: the next `sightline index` goes on")
    )


def _memory(info: Mapping[str, Any]) -> str:
    """What searches read, how much of it in files that the system may drop, and what that makes for each vector."""
    mapped = f", {bytes_of(info['bytes_mapped'])} of it mapped from disk" if info["bytes_mapped"] else ""
    if info["bytes_mapped"] and info["bytes_mapped"] == info["bytes_memory"]:
        mapped = ", all mapped from disk: given back when memory is short"
    return bytes_of(info["bytes_memory"]) + mapped + _each(info["bytes_memory"], info["vectors"])


def _one_each(info: Mapping[str, Any]) -> bool:
    """Whether a part has one vector at most."""
    return info["regions"]["kind"] == "none" and not info["text_encoder"]


def _recall(one: Mapping[str, Any], info: Mapping[str, Any]) -> str:
    by_texts = info["text_encoder"] and one["space"] == info["text_encoder"]
    return f"recall of {one['parts']}" + ", by words" * bool(by_texts)


def _removed(info: Mapping[str, Any]) -> str:
    """What deleted and replaced parts still take, and how that ends."""
    room = f"about {bytes_of(info['bytes_removed'])} of it" if info["bytes_removed"] else "an unknown part of it"
    return f"{room}, of {info['removed']:,} parts deleted or replaced"


def _each(count: int, vectors: int, more: str = "") -> str:
    return f"  ({count / vectors:,.0f} bytes a vector{', ' if more else ''}{more})" if vectors else ""


def _snapshots(told: Sequence[Mapping[str, Any]]) -> str:
    """How many there are, how large, and how old: they hold what they held."""
    size = bytes_of(sum(one["bytes"] for one in told))
    return f"{len(told)}, {size}, the oldest {told[0]['made_at'] or 'damaged'}"


def _adapter(told: Mapping[str, Any]) -> str:
    """The map that queries go through: what it is known by, and what it was made of."""
    if "problem" in told:
        return f"cannot be used: {told['problem']}"
    return f"{told['digest'][:12]}, from {told['pairs']:,} pairs, for queries by {' and '.join(told['maps'])}"


def _relevance(told: Mapping[str, Any]) -> str:
    """What it was learned from, and below what nothing matches."""
    source = f"learned from {told['queries']:,} queries of its own" if told["queries"] else "judged by pictures alone"
    least = told["least"]
    others = f"{least['description']:.0%} where it is described, {least['picture']:.0%} where it is shown"
    return f"{source}; below {least['name']:.0%} nothing matches ({others})"


def show_sources(out: Console, seen: Sequence[Seen], outcome: str | None = None) -> None:
    """Print what became of every source: how many of each, then one by one, first what is not merely there."""
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
        record(out, line, plain(one.reason))
    if len(seen) > SHOWN:
        out.print(Text(f"  … {len(seen) - SHOWN:,} more: --jsonl lists all, --outcome NAME some", style="dim"))


def show_duplicates(out: Console, groups: Sequence[Group]) -> None:
    """Print groups of items, the equal ones first, with how alike the pictures are."""
    if not groups:
        out.print("Nothing is there twice.")
        return
    kinds = Counter(group.kind for group in groups)
    out.print(Text(", ".join(f"{count:,} of {kind}" for kind, count in kinds.items()), style="bold"))
    for group in islice(groups, SHOWN):
        items = ", ".join(map(plain, group.items[:ITEMS_SHOWN]))
        more = f" and {len(group.items) - ITEMS_SHOWN:,} more" if len(group.items) > ITEMS_SHOWN else ""
        line = Text.assemble("  ", (f"{group.kind:<15}", "cyan"), items, more)
        if group.cosine is not None:
            line.append(f"  cosine {group.cosine:.3f}, {group.bits} of 63 bits apart", style="dim")
        hanging(out, line, indent=4)
    if len(groups) > SHOWN:
        out.print(Text(f"  … {len(groups) - SHOWN:,} more groups: --jsonl lists all", style="dim"))
