"""Clicks as judged queries: counted by query, graded by how often, refused with file and line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sightline.errors import InputError
from sightline.evaluation import read_clicks


def test_clicks_are_counted_by_query_and_graded(tmp_path: Path) -> None:
    rows = [
        {"query": "Red mug", "clicked": "a", "clicks": 10},
        {"query": "red  MUG", "clicked": ["b", "c"], "clicks": 5},
        {"query": "red mug", "id": "c", "clicks": 1},
        {"query": "red mug", "id": "slip"},
        {"query": "blue bowl", "clicked": 7},
    ]
    path = tmp_path / "clicks.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    first, second = read_clicks(path).cases
    assert (first.text, first.relevant) == ("Red mug", {"a": 2, "b": 2, "c": 2, "slip": 1})
    assert (second.text, second.relevant) == ("blue bowl", {"7": 2})
    assert first.id != second.id


def test_a_slip_of_the_finger_is_no_answer(tmp_path: Path) -> None:
    path = tmp_path / "clicks.csv"
    path.write_text("query,clicked,clicks\nmug,a,100\nmug,b,9\nmug,c,10\nmug,d,50\n")
    assert read_clicks(path).cases[0].relevant == {"a": 2, "c": 1, "d": 2}


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"clicked": "a"}, "there is no 'query'"),
        ({"query": " ", "clicked": "a"}, "there is no 'query'"),
        ({"query": "mug", "clicked": "a", "clicks": "²"}, "a whole number from 1, not '²'"),
        ({"query": "mug", "clicked": "a", "clicks": "9" * 5000}, "a whole number from 1"),
        ({"query": "mug", "clicked": [{"id": 1}]}, "'clicked' is the id"),
        ({"query": "mug", "clicked": "a", "clicks": 0}, "a whole number from 1, not 0"),
        ({"query": "mug", "clicked": "a", "clicks": "often"}, "a whole number from 1, not 'often'"),
    ],
)
def test_what_is_no_click_is_named_by_file_and_line(tmp_path: Path, row: dict[str, object], says: str) -> None:
    path = tmp_path / "clicks.jsonl"
    path.write_text(json.dumps({"query": "mug", "clicked": "a"}) + "\n" + json.dumps(row) + "\n")
    with pytest.raises(InputError, match=says) as raised:
        read_clicks(path)
    assert "clicks.jsonl:2" in str(raised.value)


@pytest.mark.parametrize(
    ("text", "where", "found"),
    [
        ("q,item,n\nred mug,a,3\n", "clicks.csv:2: there is no 'query'", "Its columns are: 'q', 'item', 'n'"),
        ("red mug,a\nblue kite,b\n", "clicks.csv:2: there is no 'query'", "Its columns are: 'red mug', 'a'"),
        ("query,product\nred mug,a\n", "clicks.csv: there is no click in it", "Its columns are: 'query', 'product'"),
        ("query,clicked\n", "clicks.csv: there is no click in it", "It has no rows"),
    ],
)
def test_columns_of_another_name_are_told_with_those_needed(tmp_path: Path, text: str, where: str, found: str) -> None:
    path = tmp_path / "clicks.csv"
    path.write_text(text)
    with pytest.raises(InputError) as raised:
        read_clicks(path)
    for said in (where, found, "'query', 'clicked' (the id of an item)", "'clicks'"):
        assert said in str(raised.value)


def test_a_query_without_a_click_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "clicks.csv"
    path.write_text("query,clicked\nmug,\nmug,a\nbowl,\n")
    (case,) = read_clicks(path).cases
    assert (case.text, case.relevant) == ("mug", {"a": 2})


def test_an_empty_file_has_no_click(tmp_path: Path) -> None:
    path = tmp_path / "clicks.csv"
    path.write_text("query,clicked\n")
    with pytest.raises(InputError, match="no click"):
        read_clicks(path)
