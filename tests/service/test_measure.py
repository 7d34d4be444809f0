"""`sightline eval`: what it prints and writes, how it exits, and that what is wrong is one sentence."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.extras import needs

needs("pytrec_eval", "matplotlib", extra="eval")

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def queries(tmp_path: Path) -> Path:
    rows = [{"_id": f"q{n}", "text": f"{colour} bowl"} for n, colour in enumerate(("red", "blue", "green"))]
    (tmp_path / "queries.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return tmp_path / "queries.jsonl"


@pytest.fixture
def qrels(tmp_path: Path) -> Path:
    colours = ("red", "blue", "green")
    lines = [f"q{n}\tbowl-{colour}\t1" for n, colour in enumerate(colours)]
    (tmp_path / "qrels.tsv").write_text("\n".join(["query-id\tcorpus-id\tscore", *lines]))
    return tmp_path / "qrels.tsv"


def test_judged_queries_give_figures_with_intervals(sightline: Run, index: Path, queries: Path, qrels: Path) -> None:
    code, out, _ = sightline("eval", "--queries", queries, "--qrels", qrels, "--index", index)
    assert code == 0
    assert "text → item" in out
    assert "nDCG@10" in out
    assert "100.0–100.0" in out


def test_json_and_files_say_the_same(sightline: Run, index: Path, queries: Path, qrels: Path, tmp_path: Path) -> None:
    given = ["--queries", queries, "--qrels", qrels, "--index", index, "--against", "channels=words"]
    code, out, err = sightline("eval", *given, "--out", tmp_path / "out", "--json")
    assert (code, err) == (0, "")
    assert json.loads(out) == json.loads((tmp_path / "out" / "report.json").read_text())
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "queries.jsonl",
        "report.json",
        "report.md",
        "report.png",
    ]
    told = json.loads(out)
    assert set(told["inputs"]) == {"queries queries.jsonl", "qrels qrels.tsv"}
    assert [one["name"] for one in told["settings"]] == ["channels=all", "channels=words"]
    assert told["verdicts"]


def test_a_catalog_and_its_saved_queries_give_the_same_figures(sightline: Run, shop: Path, tmp_path: Path) -> None:
    given = ["eval", "--catalog", shop / "catalog.jsonl", "--slice", "kind", "--json"]
    code, out, _ = sightline(*given, "--out", tmp_path / "one")
    assert code == 0
    _, again, _ = sightline(*given, "--queries", tmp_path / "one" / "queries.jsonl")
    whole, saved = (json.loads(text)["settings"][0]["figures"] for text in (out, again))
    told = [one for one in whole if one.get("slice", {}).keys() != {"built from"}]
    assert told == saved


def test_pictures_only_asks_of_pictures_alone(sightline: Run, shop: Path) -> None:
    code, out, _ = sightline("eval", "--catalog", shop / "catalog.jsonl", "--pictures-only", "--json")
    assert code == 0
    directions = {one["direction"] for one in json.loads(out)["settings"][0]["figures"]}
    assert directions == {"text → image"}


def test_what_was_left_out_exits_1(sightline: Run, index: Path, queries: Path, qrels: Path, shop: Path) -> None:
    written = queries.read_text() + "\n" + json.dumps({"_id": "q9", "image": "not-there.png"})
    queries.write_text(written)
    qrels.write_text(qrels.read_text() + "\nq9\tbowl-red\t1\n")
    code, out, _ = sightline("eval", "--queries", queries, "--qrels", qrels, "--index", index)
    assert code == 1
    assert "queries.jsonl:4 (query): there is no such picture" in out


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["--index", "x"], "name what to measure with"),
        (["--pairs", "p", "--catalog", "c"], "name what to measure with"),
        (["--qrels", "r", "--catalog", "c"], "--qrels judges the queries of --queries"),
        (["--queries", "q", "--where", "a = b"], "--where chooses rows of --pairs or --catalog"),
        (["--catalog", "c", "--images", "d"], "--images is the folder"),
        (["--catalog", "none.jsonl"], "none.jsonl does not exist"),
        (["--queries", "none.jsonl", "--against", "channels"], "--against takes NAME=VALUE, not 'channels'"),
        (["--queries", "none.jsonl", "--against", "depth=3"], "--against takes encoder"),
        (["--queries", "none.jsonl", "--channels", "smell"], "channels are all, vectors"),
    ],
)
def test_what_is_wrong_is_one_sentence(sightline: Run, argv: list[str], said: str) -> None:
    code, out, err = sightline("eval", *argv)
    assert (code, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1


def test_the_docs_name_options_that_exist(sightline: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    known = set(re.findall(r"--[a-z-]+", sightline("eval", "--help")[1]))
    docs = (Path(__file__).parents[2] / "docs" / "evaluation.md").read_text()
    assert set(re.findall(r"(?<![\w-])--[a-z]+[a-z-]*", docs)) <= known


def test_qrels_of_another_collection_are_refused(sightline: Run, index: Path, queries: Path, tmp_path: Path) -> None:
    (tmp_path / "other.tsv").write_text("q0 0 sofa-1 1\nq1 0 sofa-2 1\n")
    code, _, err = sightline("eval", "--queries", queries, "--qrels", tmp_path / "other.tsv", "--index", index)
    assert code == 2
    assert "2 of 2 judged items are not in this index" in err
