"""What is asked and what is right: judged queries, and what has to be indexed before they are asked.

Knows nothing of files, engines or metrics.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, TypeAlias

from sightline.errors import InputError
from sightline.types import Skipped

Target: TypeAlias = Literal["image", "text"]
TARGETS: tuple[Target, ...] = ("image", "text")


@dataclass(frozen=True, slots=True)
class Case:
    """One judged query. What is right is told by ids with grades, or by a filter that the right items pass."""

    id: str
    relevant: Mapping[str, int] = field(default_factory=dict)  # item id -> grade, 1 or more
    relevant_where: str = ""
    text: str = ""
    image: Path | None = None
    negative: tuple[str, ...] = ()
    where: str | Mapping[str, Any] = ""
    target: Target | None = None
    group: str = ""  # cases of one group are not independent: intervals draw them together
    own: str = ""  # the item that this query is, word for word or pixel for pixel: no find where nothing hides it
    facts: Mapping[str, str] = field(default_factory=dict)  # what slices are made by
    label: str = ""  # where it comes from: "queries.jsonl:17"

    @property
    def direction(self) -> str:
        """What is asked with, and what is looked for: "text → image"; "item" where anything may be found."""
        asked = "text + image" if self.text and self.image else "image" if self.image else "text"
        return f"{asked} → {self.target or 'item'}"


@dataclass(frozen=True, slots=True)
class Document:
    """A row to index, and how reports call it."""

    label: str
    row: Mapping[str, Any]  # as `Sightline.add` takes it


@dataclass(frozen=True, slots=True)
class Task:
    """Cases, and the documents they are asked of; no documents: they are asked of an index that exists."""

    kind: Literal["pairs", "catalog", "queries"]
    cases: tuple[Case, ...]
    documents: tuple[Document, ...] = ()
    left_out: tuple[Skipped, ...] = ()  # what could not be read
    notes: tuple[str, ...] = ()  # what a reader of the figures should know
    slices: tuple[str, ...] = ()  # facts that are always worth a table


def pictures_only(task: Task) -> Task:
    """The same task where pictures alone decide: no titles, texts, fields or ids are indexed or looked at.

    Raises InputError when no case is left.
    """
    cases = tuple(replace(case, target="image") for case in task.cases if case.target != "text")
    if not cases:
        raise InputError("no query looks for pictures, so there is nothing to measure with pictures only")
    documents = tuple(
        Document(one.label, {name: one.row[name] for name in ("id", "image", "images") if name in one.row})
        for one in task.documents
        if one.row.get("image") or one.row.get("images")
    )
    left = len(task.cases) - len(cases)
    notes = (*task.notes, f"pictures alone decide; {left:,} queries that look for texts were not asked")
    return replace(task, cases=cases, documents=documents, notes=notes)
