"""Reads what people clicked: rows of a query and the items that were opened, counted by query, as judged queries.

Knows the form of such rows; nothing of the index. People click what they were shown, and more of what stood first: what
was never shown is judged by nobody.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from indexer.records import Row
from sightline.errors import InputError
from sightline.evaluation.cases import Case, Task
from sightline.evaluation.files import rows
from sightline.types import Skipped

ASKED = ("query", "text")
OPENED = ("clicked", "id", "item", "item_id")
NEEDED = "a row has 'query', 'clicked' (the id of an item) and, if more often than once, 'clicks'"
SHOWN = 12  # columns that an error names
DIGITS = 15  # of a number of clicks: more is not one
SLIPS = 0.1  # share of the most clicked item's clicks, below which others were opened by mistake
OFTEN = 0.5  # share of them, from which an item is as good as it


def read_clicks(path: Path) -> Task:
    """A case a query that led to a click; items clicked at least half as often as the most clicked one have grade 2.

    The others have 1. A row: "query" and "clicked" (an id, or a list of them), or "id"; "clicks" says how often, 1
    where it is missing.
    Spaces and case of a query do not matter. Raises InputError naming file and line.
    """
    counted: dict[str, Counter[str]] = defaultdict(Counter)
    first: dict[str, tuple[str, str]] = {}  # query as compared -> as it was first put, and where
    columns: dict[str, None] = {}  # in the order met
    for row in rows(path):
        if isinstance(row, Skipped):
            raise InputError(f"{row.source}: {row.reason}")
        columns.update(dict.fromkeys(row.values))
        asked = next((str(row.values[key]).strip() for key in ASKED if isinstance(row.values.get(key), str)), "")
        if not asked:
            raise InputError(f"{row.where}: there is no 'query'; {NEEDED}. {_told(row.values)}")
        key = " ".join(asked.casefold().split())
        first.setdefault(key, (asked, row.where))
        for item in _opened(row):  # none: it was asked, and nothing was clicked
            counted[key][item] += _times(row)
    if not counted:
        raise InputError(f"{path}: there is no click in it; {NEEDED}. {_told(columns)}")
    cases = [_case(f"c{at:04}", *first[key], clicks) for at, (key, clicks) in enumerate(counted.items(), start=1)]
    return Task("queries", tuple(cases), notes=("judged by clicks: what was not shown was not judged",))


def _told(columns: Iterable[str]) -> str:
    """What stands in place of the columns that are needed."""
    named = [repr(one if len(one) <= 40 else f"{one[:40]}…") for one in columns]
    more = f" and {len(named) - SHOWN} more" if len(named) > SHOWN else ""
    return f"Its columns are: {', '.join(named[:SHOWN])}{more}" if named else "It has no rows"


def _case(name: str, text: str, where: str, clicks: Counter[str]) -> Case:
    most = max(clicks.values())
    grades = {item: 2 if times >= OFTEN * most else 1 for item, times in clicks.items() if times >= SLIPS * most}
    return Case(name, grades, text=text, label=where)


def _opened(row: Row) -> Iterator[str]:
    said = next((row.values[key] for key in OPENED if row.values.get(key) not in (None, "", [])), None)
    for one in said if isinstance(said, list) else [] if said is None else [said]:
        if not isinstance(one, str | int) or isinstance(one, bool) or not str(one).strip():
            raise InputError(f"{row.where}: 'clicked' is the id of an item, or a list of ids")
        yield str(one).strip()


def _times(row: Row) -> int:
    said = row.values.get("clicks", 1)
    written = isinstance(said, str) and said.strip().isascii() and said.strip().isdecimal() and len(said) <= DIGITS
    times = int(str(said)) if written else said
    if type(times) is not int or not 1 <= times < 10**DIGITS:
        raise InputError(f"{row.where}: 'clicks' is how often, a whole number from 1, not {said!r}")
    return times
