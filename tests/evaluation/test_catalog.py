"""Queries built from a catalog: which, of what, and with what held out of the index."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from sightline.errors import InputError
from sightline.evaluation import pictures_only, read_catalog, read_judged
from sightline.evaluation.judged import write_cases


def test_titles_attributes_and_pictures_become_queries(shop: Path) -> None:
    task = read_catalog(shop / "catalog.jsonl")
    kinds = Counter((case.facts["built from"], case.direction) for case in task.cases)
    assert kinds == {
        ("title", "text → image"): 8,
        ("colour", "text → item"): 4,
        ("kind", "text → item"): 2,
        ("colour + kind", "text → item"): 8,
        ("picture", "image → image"): 8,
        ("picture", "image → text"): 8,
        ("picture + colour", "text + image → item"): 8,
    }
    by_text = {case.text: set(case.relevant) for case in task.cases if case.target is None and not case.image}
    assert by_text["red bowl"] == {"bowl-red"}
    assert by_text["red"] == {"bowl-red", "cushion-red"}


def test_a_changed_attribute_keeps_the_kind(shop: Path) -> None:
    task = read_catalog(shop / "catalog.jsonl")
    changed = [case for case in task.cases if case.facts["built from"] == "picture + colour"]
    for case in changed:
        assert case.image is not None
        kind, colour = case.image.name.split("-")[:2]
        assert set(case.relevant) == {f"{kind}-{case.text}"}
        assert case.text != colour


def test_the_last_picture_of_several_is_not_indexed(shop: Path) -> None:
    task = read_catalog(shop / "catalog.jsonl")
    indexed = {path.name for one in task.documents for path in one.row["images"]}
    assert indexed == {path.name for path in shop.glob("*-0.png")}
    assert {case.image.name for case in task.cases if case.image} == {path.name for path in shop.glob("*-8.png")}


def test_saved_queries_are_asked_again_with_the_same_held_out(shop: Path, tmp_path: Path) -> None:
    built = read_catalog(shop / "catalog.jsonl")
    write_cases(tmp_path / "queries.jsonl", built.cases, [])
    again = read_catalog(shop / "catalog.jsonl", asked=read_judged(tmp_path / "queries.jsonl"))
    assert again.documents == built.documents
    told = [(case.id, case.text, case.target, case.relevant, case.facts) for case in built.cases]
    assert told == [(case.id, case.text, case.target, case.relevant, case.facts) for case in again.cases]


def test_equal_titles_are_one_query_with_several_right_answers(tmp_path: Path) -> None:
    rows = [{"id": name, "title": "Mug", "image": f"{name}.png"} for name in "ab"]
    (tmp_path / "c.json").write_text(json.dumps(rows))
    (title,) = (case for case in read_catalog(tmp_path / "c.json").cases if case.text)
    assert set(title.relevant) == {"a", "b"}


def test_the_noun_is_the_field_that_titles_name_last(tmp_path: Path) -> None:
    made = [(m, c) for m in ("oak", "pine", "steel", "glass") for c in ("table", "chair", "shelf")] * 2
    rows = [{"id": f"{n}", "title": f"{m} {c} {n}", "what": c, "made of": m} for n, (m, c) in enumerate(made)]
    (tmp_path / "c.json").write_text(json.dumps(rows))
    texts = {case.text for case in read_catalog(tmp_path / "c.json").cases}
    assert {"oak table", "steel shelf"} < texts
    assert "table oak" not in texts


def test_fields_nobody_speaks_of_are_asked_for_where_there_are_no_others(tmp_path: Path) -> None:
    rows = [{"id": f"{n}", "title": f"Thing {n}", "brand": "Aku" if n % 2 else "Bea"} for n in range(6)]
    (tmp_path / "c.json").write_text(json.dumps(rows))
    assert {case.text for case in read_catalog(tmp_path / "c.json").cases} == {"Aku", "Bea"}


def test_pictures_only_indexes_nothing_else(shop: Path) -> None:
    task = pictures_only(read_catalog(shop / "catalog.jsonl"))
    assert {name for one in task.documents for name in one.row} == {"id", "images"}
    assert {case.target for case in task.cases} == {"image"}


def test_catalogs_that_say_nothing(tmp_path: Path) -> None:
    (tmp_path / "c.jsonl").write_text('{"id": "a", "text": "only words"}\n{"id": "b"\n')
    with pytest.raises(InputError, match="nothing to build queries from"):
        read_catalog(tmp_path / "c.jsonl")
    (tmp_path / "photo.txt").write_text("a text by itself")
    with pytest.raises(InputError, match="a catalog is a file of rows"):
        read_catalog(tmp_path / "photo.txt")
    with pytest.raises(InputError, match="does not exist"):
        read_catalog(tmp_path / "none.jsonl")
    written = {"_id": "q", "text": "a", "target": "text", "relevant": ["a"]}
    (tmp_path / "d.jsonl").write_text(json.dumps(written))
    task = read_judged(tmp_path / "d.jsonl")
    with pytest.raises(InputError, match="no query looks for pictures"):
        pictures_only(task)
