"""Builds judged queries from a catalog alone: its titles, its attributes, and pictures held out of the index.

Knows no field by name: an attribute is a short value that several items share, preferably one that titles speak of.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

from indexer.readers import open_sources
from indexer.records import IndexOptions, Record
from sightline.errors import InputError
from sightline.evaluation.cases import Case, Document, Task
from sightline.evaluation.chosen import chosen
from sightline.filters import values_of
from sightline.types import Skipped

MOST = 1000  # queries of one kind; more are sampled
LONGEST = 40  # characters of a value that people would ask for
SPOKEN = 0.5  # of the items with a value, how many say it in their title, for a field to count as spoken of
UNSPOKEN_FIELDS = 3  # asked about where no field is spoken of

Holders = Mapping[str, Mapping[str, frozenset[str]]]  # field -> value -> ids of the items that have it


@dataclass(frozen=True, slots=True)
class _Shelf:
    """What queries are built from."""

    records: Mapping[str, Record]  # by id
    held_out: Mapping[str, Path]  # id -> a picture that is not indexed
    holders: Holders  # of the fields asked about, the one that says what a thing is last


def read_catalog(
    path: Path,
    *,
    mapping: Mapping[str, str] | None = None,
    where: str = "",
    asked: Task | None = None,
    seed: int = 0,
) -> Task:
    """A catalog to index, and queries built from it, or those of `asked`. Pictures that are queries are not indexed.

    Titles look for pictures, attributes ("red mug") for items, the last picture of an item with several for the others,
    a picture for texts of its item, and one with a word ("… but blue") for the items of its kind that are so.
    Raises InputError when there is nothing to build from.
    """
    read = list(open_sources([path], IndexOptions(mapping=dict(mapping or {})))[0].read())
    left_out = tuple(one if isinstance(one, Skipped) else one.skipped for one in read if not isinstance(one, Record))
    records = chosen([(one, one.id, one.fields) for one in read if isinstance(one, Record)], where)
    if alone := next((record.label for record in records if record.document), None):
        raise InputError(f"{path}: a catalog is a file of rows; {alone} is a picture or a text by itself")
    if asked is not None:
        held_out = {case.image.resolve() for case in asked.cases if case.image and case.target != "text"}
        return replace(asked, kind="catalog", documents=_documents(records, held_out), left_out=left_out)
    several = {record.id: record.pictures[-1].place for record in records if len(record.pictures) > 1}
    shelf = _Shelf(
        {record.id: record for record in records},
        {item: place for item, place in several.items() if isinstance(place, Path)},
        _holders(records),
    )
    draw = random.Random(seed)
    cases = _sampled([*_titles(shelf), *_attributes(shelf), *_pictures(shelf), *_changed(shelf, draw)], draw)
    if not cases:
        nothing = "nothing to build queries from: no titles with pictures, no values that items share"
        raise InputError(f"{path}: {nothing}. Judge it by queries of your own: --queries with --qrels")
    notes = [f"{len(cases):,} queries built from {len(records):,} items", *_told(shelf)]
    documents = _documents(records, {place.resolve() for place in shelf.held_out.values()})
    return Task("catalog", cases, documents, left_out, tuple(notes), slices=("built from",))


def _documents(records: Sequence[Record], held_out: Set[Path]) -> tuple[Document, ...]:
    return tuple(Document(record.label, _row(record, held_out)) for record in records)


def _row(record: Record, held_out: Set[Path]) -> dict[str, Any]:
    """The record as `Sightline.add` takes it, without the pictures that are held out."""
    places = [one.place for one in record.pictures]
    kept = [place for place in places if not (isinstance(place, Path) and place.resolve() in held_out)]
    said: dict[str, Any] = {"title": record.title, "text": record.text, "images": kept}
    return {"id": record.id, **record.fields, **{name: value for name, value in said.items() if value}}


def _titles(shelf: _Shelf) -> list[Case]:
    """Each distinct title should find a picture of what bears it."""
    bearers: dict[str, list[Record]] = defaultdict(list)
    for record in shelf.records.values():
        if record.title and record.pictures:
            bearers[record.title].append(record)
    return [
        _case("title", f"title:{several[0].id}", {one.id for one in several}, text=title, target="image")
        for title, several in bearers.items()
    ]


def _attributes(shelf: _Shelf) -> list[Case]:
    """Each value, and each pair of values some item has, should find the items that have it."""
    cases = []
    for field, values in shelf.holders.items():
        cases += [_case(field, f"{field}={value}", ids, text=value) for value, ids in values.items()]
    if shelf.holders:
        *others, kind = shelf.holders
        for other in others:
            for value, ids in shelf.holders[other].items():
                for noun, named in shelf.holders[kind].items():
                    if both := ids & named:
                        told = f"{other}={value}, {kind}={noun}"
                        cases.append(_case(f"{other} + {kind}", told, both, text=f"{value} {noun}"))
    return cases


def _pictures(shelf: _Shelf) -> list[Case]:
    """A picture that is not indexed should find the others of its item; any picture should find the item's texts."""
    cases = []
    for record in shelf.records.values():
        held_out = shelf.held_out.get(record.id)
        if held_out:
            cases.append(
                _case("picture", f"picture:{record.id}", {record.id}, image=held_out, target="image", group=record.id)
            )
        image = held_out or next((one.place for one in record.pictures if isinstance(one.place, Path)), None)
        if image and (record.title or record.text):
            cases.append(
                _case("picture", f"texts:{record.id}", {record.id}, image=image, target="text", group=record.id)
            )
    return cases


def _changed(shelf: _Shelf, draw: random.Random) -> list[Case]:
    """A held-out picture and another value of one attribute should find items of its kind that have that value."""
    if len(shelf.holders) < 2:
        return []
    *others, kind = shelf.holders
    cases = []
    for item, image in shelf.held_out.items():
        options = []
        nouns = [value for value, ids in shelf.holders[kind].items() if item in ids]
        for noun, other in ((noun, other) for noun in nouns for other in others):
            same = shelf.holders[kind][noun]
            options += [
                (other, value, found - {item})
                for value, ids in shelf.holders[other].items()
                if item not in ids and (found := ids & same) - {item}
            ]
        if options:
            other, value, ids = draw.choice(options)
            cases.append(_case(f"picture + {other}", f"{item} but {value}", ids, text=value, image=image, group=item))
    return cases


def _case(built_from: str, name: str, relevant: Iterable[str], **asked: Any) -> Case:
    return Case(name, dict.fromkeys(sorted(relevant), 1), facts={"built from": built_from}, label=name, **asked)


def _sampled(cases: Sequence[Case], draw: random.Random) -> tuple[Case, ...]:
    """At most MOST of each kind, in their order; of cases that share an id the last."""
    by_kind: dict[str, list[int]] = defaultdict(list)
    for at, case in enumerate(cases):
        by_kind[f"{case.facts['built from']} {case.direction}"].append(at)
    kept = sorted(at for places in by_kind.values() for at in _few(places, draw))
    return tuple({cases[at].id: cases[at] for at in kept}.values())


def _few(places: list[int], draw: random.Random) -> list[int]:
    return draw.sample(places, MOST) if len(places) > MOST else places


def _told(shelf: _Shelf) -> list[str]:
    notes = []
    if shelf.holders:
        notes.append(f"attributes asked for: {', '.join(shelf.holders)}")
    if shelf.held_out:
        notes.append(
            f"{len(shelf.held_out):,} pictures are queries and not indexed: the last one of items with several"
        )
    return notes


def _holders(records: Sequence[Record]) -> Holders:
    """The fields worth asking about, as titles speak of them; the one that says what a thing is comes last.

    That is the one spoken of last among those with most values: in "red enamel mug" the mug.
    """
    found: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for record in records:
        for field in record.fields:
            for value in values_of(record.fields, field):
                if field != "title" and isinstance(value, str) and 0 < len(value) <= LONGEST:
                    found[field][value].add(record.id)
    shared = {
        field: {value: frozenset(ids) for value, ids in values.items()}
        for field, values in found.items()
        if 2 <= len(values) <= len(records) / 2 and sum(map(len, values.values())) >= len(records) / 2
    }
    titles = {record.id: record.title.casefold() for record in records}
    places = {field: _places(values, titles) for field, values in shared.items()}
    spoken = [field for field in shared if len(places[field]) >= SPOKEN * sum(map(len, shared[field].values()))]
    if not spoken:
        return {field: shared[field] for field in list(shared)[:UNSPOKEN_FIELDS]}
    spoken.sort(key=lambda field: (fmean(places[field]), field))
    most = max(len(shared[field]) for field in spoken)
    kind = next(field for field in reversed(spoken) if 2 * len(shared[field]) >= most)
    return {field: shared[field] for field in (*(field for field in spoken if field != kind), kind)}


def _places(values: Mapping[str, frozenset[str]], titles: Mapping[str, str]) -> list[float]:
    """Where (0-1) titles say the value that their item has, of those that do."""
    asked = ((titles[item], value.casefold()) for value, ids in values.items() for item in ids)
    return [title.index(value) / len(title) for title, value in asked if value in title]
