"""Judged queries and qrels: what is read, and that what is wrong is told with file and line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sightline.errors import InputError
from sightline.evaluation import read_judged
from sightline.evaluation.judged import read_qrels, write_cases

BEIR = "query-id\tcorpus-id\tscore\nq1\tdoc a\t2\nq1\tb\t0\nq2\tc\t1\n"
TREC = "q1 0 a 2\nq1 0 b 0\nq2 Q0 c 1\n"


def lines(path: Path, *rows: object) -> Path:
    path.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows) + "\n")
    return path


def text(path: Path, written: str) -> Path:
    path.write_text(written)
    return path


def test_beir_and_trec_qrels_say_the_same(tmp_path: Path) -> None:
    beir, trec = text(tmp_path / "b.tsv", BEIR.replace("doc a", "a")), text(tmp_path / "t.txt", TREC)
    assert read_qrels(beir) == read_qrels(trec) == {"q1": {"a": 2, "b": 0}, "q2": {"c": 1}}


def test_ids_with_spaces_survive_where_columns_are_cut_at_tabs(tmp_path: Path) -> None:
    assert read_qrels(text(tmp_path / "q.tsv", BEIR))["q1"]["doc a"] == 2


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("q1 0 a 1\nq1 a\n", r"qrels:2: 2 columns"),
        ("q1 0 a 1\nq1 0 b yes\n", r"qrels:2: the grade 'yes' is not a whole number"),
        ("q1 0 a 1\nq1 0 a 2\n", r"qrels:2: 'a' is judged 2 for query 'q1', and 1 before"),
        ("q1\t\t1\n", r"qrels:1: an id is empty"),
        ("\n\n", r"there is no judgement in it"),
        ("query-id\tcorpus-id\tscore\n", r"there is no judgement in it"),
    ],
)
def test_wrong_qrels_are_told_with_their_line(tmp_path: Path, written: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        read_qrels(text(tmp_path / "qrels", written))


def test_qrels_that_are_not_text_or_not_there(tmp_path: Path) -> None:
    (tmp_path / "qrels").write_bytes(b"q1 0 a 1\n\xff\xfe 0 b 1\n")
    with pytest.raises(InputError, match=r"qrels:2: not UTF-8"):
        read_qrels(tmp_path / "qrels")
    with pytest.raises(InputError, match="does not exist"):
        read_qrels(tmp_path / "none")
    with pytest.raises(InputError, match="cannot read"):
        read_qrels(tmp_path)


def test_queries_carry_words_pictures_refusals_filters_and_facts(tmp_path: Path) -> None:
    row = {"_id": "q1", "text": "mug", "image": "mug.png", "negative": "red", "filter": "price < 9", "lang": "en"}
    queries = lines(tmp_path / "queries.jsonl", row | {"target": "image", "metadata": {"hard": True, "source": "log"}})
    (case,) = read_judged(queries, text(tmp_path / "qrels", "q1 0 a 1\n")).cases
    assert (case.text, case.image, case.negative) == ("mug", tmp_path / "mug.png", ("red",))
    assert (case.where, case.target, case.direction) == ("price < 9", "image", "text + image → image")
    assert dict(case.facts) == {"hard": "true", "source": "log", "lang": "en"}
    assert case.relevant == {"a": 1}


def test_judgements_may_stand_beside_the_queries(tmp_path: Path) -> None:
    rows = [{"query": "a", "relevant": ["x", 7]}, {"query": "b", "relevant": {"y": 2, "z": 0}}]
    queries = text(tmp_path / "queries.json", json.dumps([*rows, {"query": "c", "relevant_where": "kind = mug"}]))
    cases = read_judged(queries).cases
    assert [case.id for case in cases] == ["q0001", "q0002", "q0003"]
    assert [dict(case.relevant) for case in cases] == [{"x": 1, "7": 1}, {"y": 2}, {}]
    assert cases[2].relevant_where == "kind = mug"


def test_unjudged_queries_and_unknown_ones_are_counted(tmp_path: Path) -> None:
    queries = lines(tmp_path / "q.jsonl", *({"_id": f"q{n}", "text": "t"} for n in (1, 2, 3)))
    task = read_judged(queries, text(tmp_path / "qrels", "q1 0 a 1\nq2 0 a 0\nq9 0 a 1\n"))
    assert [case.id for case in task.cases] == ["q1"]
    assert task.notes[0].startswith("2 of 3 queries have nothing judged relevant")
    assert task.notes[1].startswith("1 queries that qrels judges are not in q.jsonl")


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ('{"_id": "q2"', "q.jsonl:2: not JSON"),
        ({"text": "no id"}, "q.jsonl:2: the query has no '_id'"),
        ({"_id": "q2"}, "q.jsonl:2: the query is empty"),
        ({"_id": "q2", "text": "  "}, "q.jsonl:2: the query is empty"),
        ({"_id": "q2", "text": "a", "target": "video"}, "q.jsonl:2: 'target' is one of image, text"),
        ({"_id": "q2", "image": 7}, "q.jsonl:2: 'image' is the path of a picture"),
        ({"_id": "q1", "text": "again"}, "q.jsonl:2: the id 'q1' is also that of q.jsonl:1"),
        ({"_id": "q2", "text": "a", "negative": 3}, "q.jsonl:2: 'negative' is a text or a list"),
        ({"_id": "q2", "text": "a", "where": 3}, "q.jsonl:2: 'where' and 'relevant_where' are filters"),
        ({"_id": "q2", "text": "a", "relevant": {"x": "high"}}, "q.jsonl:2: 'relevant' names 'x' with grade 'high'"),
        ({"_id": "q2", "text": "a", "relevant": "x"}, "q.jsonl:2: 'relevant' is a list"),
        ("[1]", "q.jsonl:2: the row is not a JSON object"),
    ],
)
def test_a_wrong_query_is_told_with_its_line(tmp_path: Path, row: object, said: str) -> None:
    queries = lines(tmp_path / "q.jsonl", {"_id": "q1", "text": "fine"}, row)
    with pytest.raises(InputError, match=said):
        read_judged(queries, text(tmp_path / "qrels", "q1 0 a 1\n"))


def test_nothing_judged_at_all_is_refused(tmp_path: Path) -> None:
    queries = lines(tmp_path / "q.jsonl", {"_id": "q1", "text": "a"})
    with pytest.raises(InputError, match=r"qrels: nothing is judged relevant for any of the 1 queries"):
        read_judged(queries, text(tmp_path / "qrels", "q2 0 a 1\n"))
    with pytest.raises(
        InputError,
        match=r"name ids as their 'relevant', or a file of judgements by --qrels",
    ):
        read_judged(queries)


def test_what_was_written_reads_as_what_it_was(tmp_path: Path) -> None:
    row = {"_id": "q1", "text": "mug", "image": "pictures/mug.png", "negative": ["red"], "where": "price < 9"}
    cases = read_judged(lines(tmp_path / "q.jsonl", row | {"relevant": {"a": 2}, "lang": "en"})).cases
    (tmp_path / "out").mkdir()
    write_cases(tmp_path / "out" / "queries.jsonl", cases, [{"q1": 3}, {"q1": None}])
    (again,) = read_judged(tmp_path / "out" / "queries.jsonl").cases
    assert again.image is not None
    assert again.image.resolve() == (tmp_path / "pictures" / "mug.png").resolve()
    assert (again.text, again.negative, again.where, again.relevant, again.facts) == (
        ("mug", ("red",), "price < 9", {"a": 2}, {"lang": "en"})
    )
    written = json.loads((tmp_path / "out" / "queries.jsonl").read_text())
    assert (written["rank"], written["rank_against"]) == (3, None)
