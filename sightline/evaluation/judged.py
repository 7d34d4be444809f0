"""Reads judged queries: rows of words, pictures or both, and judgements beside them or in a qrels file; writes them.

Knows the formats of BEIR and TREC; does not know the index they will be asked of.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from indexer.records import Row
from sightline.errors import InputError
from sightline.evaluation.cases import TARGETS, Case, Task
from sightline.evaluation.files import lines, rows
from sightline.types import Skipped

IDS = ("_id", "id", "query_id", "qid")
TEXTS = ("text", "query")
MEANT = frozenset(
    {*IDS, *TEXTS, *("image", "negative", "where", "filter", "target", "relevant", "relevant_where", "metadata")}
)
RANKS = ("rank", "rank_against")  # what a run writes beside a query: no fact of it

Grades = dict[str, dict[str, int]]  # query id -> item id -> grade


def read_judged(queries: Path, qrels: Path | None = None) -> Task:
    """Queries with their judgements, those of `qrels` where it is given. Raises InputError naming file and line.

    A row: "_id", "text" and/or "image" (relative to the file), and as it pleases "negative", "where" (or "filter"),
    "target", and "relevant" ({id: grade} or [id, …]) or "relevant_where" (a filter). Other keys are facts to make
    slices by.
    """
    cases: dict[str, Case] = {}
    for number, row in enumerate(rows(queries), start=1):
        if isinstance(row, Skipped):
            raise InputError(f"{row.source}: {row.reason}")
        case = _case(row, number, queries.parent, needs_id=qrels is not None)
        if case.id in cases:
            raise InputError(f"{row.where}: the id {case.id!r} is also that of {cases[case.id].label}")
        cases[case.id] = case
    judged = {name: dict(case.relevant) for name, case in cases.items()} if qrels is None else read_qrels(qrels)
    where = qrels or queries
    told = (
        replace(case, relevant={item: grade for item, grade in judged.get(name, {}).items() if grade > 0})
        for name, case in cases.items()
    )
    kept = tuple(case for case in told if case.relevant or (case.relevant_where and qrels is None))
    if not kept:
        none = f"{where}: nothing is judged relevant for any of the {len(cases)} queries in {queries.name}"
        raise InputError(none if qrels else f"{none}: name ids as their 'relevant', or a file of judgements by --qrels")
    notes = []
    if bare := len(cases) - len(kept):
        notes.append(f"{bare:,} of {len(cases):,} queries have nothing judged relevant and were not asked")
    if strangers := len(judged.keys() - cases.keys()):
        notes.append(f"{strangers:,} queries that {where.name} judges are not in {queries.name}")
    return Task("queries", kept, notes=tuple(notes))


def read_qrels(path: Path) -> Grades:
    """Judgements as BEIR (query, item, grade; a header) or TREC (query, any, item, grade) write them.

    Columns are cut at tabs where there are any, else at spaces. Raises InputError naming the line.
    """
    judged: Grades = {}
    for at, (where, line) in enumerate(lines(path)):
        cells = [cell.strip() for cell in line.split("\t")] if "\t" in line else line.split()
        if len(cells) not in (3, 4):
            raise InputError(f"{where}: {len(cells)} columns; qrels have query, item, grade (BEIR) or one more (TREC)")
        query, item, written = cells[0], cells[-2], cells[-1]
        try:
            grade = int(written)
        except ValueError as exc:
            if at == 0:
                continue  # the header
            raise InputError(f"{where}: the grade {written!r} is not a whole number") from exc
        if not query or not item:
            raise InputError(f"{where}: an id is empty")
        if judged.setdefault(query, {}).setdefault(item, grade) != grade:
            raise InputError(
                f"{where}: {item!r} is judged {grade} for query {query!r}, and {judged[query][item]} before"
            )
    if not judged:
        raise InputError(f"{path}: there is no judgement in it")
    return judged


def write_cases(path: Path, cases: Iterable[Case], ranks: Iterable[Mapping[str, int | None]]) -> None:
    """Write cases as `read_judged` reads them, each with the place of its first right answer (null: not found)."""
    ranks = list(ranks)
    with path.open("w", encoding="utf-8") as file:
        for case in cases:
            found = {name: rank[case.id] for name, rank in zip(RANKS, ranks, strict=False) if case.id in rank}
            file.write(json.dumps(_written(case, path.parent) | found, ensure_ascii=False) + "\n")


def _case(row: Row, number: int, folder: Path, *, needs_id: bool) -> Case:
    values = row.values
    query_id = next((_word(values[key]) for key in IDS if _word(values.get(key))), "")
    if not query_id and needs_id:
        raise InputError(f"{row.where}: the query has no '_id' for the qrels to name")
    text = next((str(values[key]).strip() for key in TEXTS if isinstance(values.get(key), str)), "")
    image = values.get("image")
    if image is not None and not (isinstance(image, str) and image.strip()):
        raise InputError(f"{row.where}: 'image' is the path of a picture")
    if not text and not image:
        raise InputError(f"{row.where}: the query is empty: it has neither 'text' nor 'image'")
    target = values.get("target") or None
    if target not in (None, *TARGETS):
        raise InputError(f"{row.where}: 'target' is one of {', '.join(TARGETS)}, not {target!r}")
    chosen = values.get("relevant_where") or ""
    where = values.get("where") or values.get("filter") or ""
    if not isinstance(where, str | Mapping) or not isinstance(chosen, str):
        raise InputError(f"{row.where}: 'where' and 'relevant_where' are filters, as \"price < 50\"")
    return Case(
        query_id or f"q{number:04}",
        relevant=_relevant(row),
        relevant_where=chosen,
        text=text,
        image=folder / image if image else None,
        negative=_texts(row, "negative"),
        where=where,
        target=target,
        facts=_facts(values),
        label=row.where,
    )


def _relevant(row: Row) -> dict[str, int]:
    said = row.values.get("relevant")
    if said is None:
        return {}
    pairs = (
        said.items() if isinstance(said, Mapping) else [(one, 1) for one in said] if isinstance(said, list) else None
    )
    if pairs is None:
        raise InputError(f"{row.where}: 'relevant' is a list of ids, or an object of ids and grades")
    for item, grade in pairs:
        if not _word(item) or type(grade) is not int:
            raise InputError(f"{row.where}: 'relevant' names {item!r} with grade {grade!r}; a grade is a whole number")
    return {_word(item): grade for item, grade in pairs}


def _texts(row: Row, key: str) -> tuple[str, ...]:
    said = row.values.get(key) or []
    said = [said] if isinstance(said, str) else said
    if not isinstance(said, list) or not all(isinstance(one, str) for one in said):
        raise InputError(f"{row.where}: {key!r} is a text or a list of texts")
    return tuple(said)


def _facts(values: Mapping[str, Any]) -> dict[str, str]:
    inner = values.get("metadata")
    told = {**(inner if isinstance(inner, Mapping) else {}), **values}
    named = {
        key: _word(value) or (str(value).lower() if isinstance(value, bool) else "") for key, value in told.items()
    }
    return {key: value for key, value in named.items() if value and key not in {*MEANT, *RANKS}}


def _word(value: Any) -> str:
    """A text or a number as a text; empty for anything else."""
    return str(value).strip() if isinstance(value, str | int | float) and not isinstance(value, bool) else ""


def _written(case: Case, folder: Path) -> dict[str, Any]:
    told: dict[str, Any] = {
        "_id": case.id,
        "text": case.text,
        "image": os.path.relpath(case.image, folder) if case.image else "",
        "negative": list(case.negative),
        "where": case.where,
        "target": case.target,
        "relevant": dict(case.relevant),
        **case.facts,
    }
    return {key: value for key, value in told.items() if value}
