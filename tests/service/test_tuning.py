"""Relevance at the doors: `sightline tune`, `--least`, and the same over HTTP."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from sightline.engine import Sightline
from tests.extras import needs
from tests.service.conftest import COLOURS as RGB
from tests.service.conftest import draw

Run = Callable[..., tuple[int, str, str]]
KINDS = ("mug", "teapot", "kettle", "lamp", "clock", "vase", "basket", "ladder", "bucket", "broom", "candle", "mirror")
COLOURS = ("red", "green", "blue")


@pytest.fixture
def folder(tmp_path: Path, sightline: Run) -> Path:
    """An index of 24 products in words: each kind in two of three colours; and queries that name some of them."""
    rows, queries = [], []
    for at, kind in enumerate(KINDS):
        for colour in (one for n, one in enumerate(COLOURS) if n != at % 3):
            rows.append({"id": f"{kind}-{colour}", "title": f"{colour.title()} {kind}", "colour": colour, "kind": kind})
            queries.append({"query": f"a {colour} {kind}", "relevant": [f"{kind}-{colour}"]})
    (tmp_path / "shop.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    (tmp_path / "queries.json").write_text(json.dumps(queries), encoding="utf-8")
    (tmp_path / "few.json").write_text(json.dumps(queries[:5]), encoding="utf-8")
    assert sightline("index", tmp_path / "shop.jsonl", "--index", tmp_path / "index")[0] == 0
    return tmp_path


def test_what_is_not_there_is_said_and_how_to_see_what_is_nearest(folder: Path, sightline: Run) -> None:
    at = ("--index", folder / "index")
    code, out, _ = sightline("search", "nuclear submarine", *at)
    assert code == 0
    assert "Nothing in this collection matches." in out
    assert "--least 0" in out
    code, out, _ = sightline("search", "nuclear submarine", "--least", "0", "-k", "2", "--json", *at)
    told = json.loads(out)
    assert (code, told["no_match"], len(told["hits"])) == (0, False, 2)
    assert all(0 <= hit["relevance"] < 0.5 for hit in told["hits"])
    assert told["answered"] < 0.3


def test_learning_anew_says_what_it_learned_from(folder: Path, sightline: Run) -> None:
    code, out, _ = sightline("tune", "--index", folder / "index")
    assert code == 0
    assert "queries made of 24 items" in out
    assert "called by name 40%, described 11%" in out


def test_judged_queries_raise_the_bar_where_that_costs_nothing(folder: Path, sightline: Run) -> None:
    at = ("--index", folder / "index")
    code, out, _ = sightline("tune", "--queries", folder / "queries.json", "--dry-run", "--json", *at)
    (bar,) = json.loads(out)["bars"]
    assert code == 0
    assert (bar["manner"], bar["queries"], bar["why"]) == ("name", 24, "")
    assert bar["after"] > bar["before"] == 0.4
    assert bar["lost"] <= 0.03
    assert bar["empty"] >= bar["empty_before"]
    assert "called by name 40%" in sightline("tune", "--index", folder / "index")[1]  # a dry run changed nothing
    code, out, _ = sightline("tune", "--queries", folder / "queries.json", *at)
    assert code == 0
    assert f"called by name {bar['after']:.0%}" in out
    assert "points of R@10 lost" in out


def test_few_queries_move_nothing_and_that_is_reported(folder: Path, sightline: Run) -> None:
    code, out, _ = sightline("tune", "--queries", folder / "few.json", "--index", folder / "index")
    assert code == 1
    assert "left at 40%: fewer than 20 queries of this kind" in out


def test_a_query_that_nothing_answers_is_told_of(folder: Path, sightline: Run) -> None:
    judged = [*json.loads((folder / "few.json").read_text()), {"query": "submarine", "relevant": []}]
    (folder / "one.json").write_text(json.dumps(judged))
    at = ("--queries", folder / "one.json", "--index", folder / "index")
    assert "1 of 6 queries have nothing judged relevant" in " ".join(sightline("tune", *at)[1].split())
    assert len(json.loads(sightline("tune", "--json", *at)[1])["notes"]) == 1


def test_a_catalog_of_pictures_alone_is_refused(tmp_path: Path, sightline: Run) -> None:
    rows = []
    for name, rgb in RGB.items():
        pictures = [tmp_path / f"{name}-{at}.png" for at in range(2)]
        for path in pictures:
            draw(path, "bowl", rgb)
        rows.append({"id": name, "images": [str(path) for path in pictures]})
    (tmp_path / "bare.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    at = ("--index", tmp_path / "index")
    assert sightline("index", tmp_path / "bare.jsonl", *at)[0] == 0
    code, _, err = sightline("tune", "--catalog", tmp_path / "bare.jsonl", *at)
    assert code == 2
    assert "bare.jsonl has no texts to make queries of" in " ".join(err.split())


def test_bars_by_hand(folder: Path, sightline: Run) -> None:
    at = ("--index", folder / "index")
    code, out, _ = sightline("tune", "--name", "0.65", "--json", *at)
    assert (code, json.loads(out)["calibration"]["least"]) == (0, {"name": 0.65, "description": 0.11, "picture": 0.08})
    code, out, _ = sightline("tune", "--picture", "0.2", "--dry-run", *at)
    assert (code, "shown by a picture 20%" in out, "Nothing was changed" in out) == (0, True, True)
    assert "shown by a picture 20%" not in sightline("tune", *at)[1]
    assert "called by name 65%" in sightline("tune", *at)[1]
    assert "called by name 40%" in sightline("tune", "--reset", *at)[1]
    assert sightline("tune", "--reset", "--name", "0.65", *at)[0] == 2
    code, _, err = sightline("tune", "--name", "0.65", "--queries", folder / "queries.json", *at)
    assert (code, "either queries" in err) == (2, True)
    code, _, err = sightline("tune", "--qrels", folder / "queries.json", *at)
    assert (code, "give both" in err) == (2, True)


def test_the_service_takes_and_tells_it(client: TestClient) -> None:
    asked = {"query": "nuclear submarine", "least": 0, "k": 2}
    told = client.post("/v1/collections/default/search", json=asked).json()
    assert len(told["hits"]) == 2
    assert all(0 <= hit["relevance"] <= 1 for hit in told["hits"])
    assert 0 <= told["answered"] <= 1
    asked["least"] = 1.5
    assert client.post("/v1/collections/default/search", json=asked).status_code == 422


# -- rerankers


@pytest.fixture
def photos(tmp_path: Path, sightline: Run) -> Path:
    """Four bowls, told apart by their colour alone, with judged queries and clicks."""
    for name, rgb in RGB.items():
        draw(tmp_path / f"{name}.png", "bowl", rgb)
    assert sightline("index", *sorted(tmp_path.glob("*.png")), "--index", tmp_path / "index")[0] == 0
    rows = [
        {"_id": f"{name}-{at}", "text": f"{said} {name} thing", "relevant": [f"{name}.png"]}
        for name in RGB
        for at, said in enumerate(("a", "one", "my", "the plain", "some"))
    ]
    (tmp_path / "queries.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    clicks = [f"{row['text']},{row['relevant'][0]},{2 + at % 3}" for at, row in enumerate(rows)]
    (tmp_path / "clicks.csv").write_text("\n".join(["query,clicked,clicks", *clicks]))
    return tmp_path


@pytest.mark.parametrize("source", ["--queries=queries.jsonl", "--clicks=clicks.csv"])
def test_a_reranker_is_tuned_and_what_was_found_is_kept(photos: Path, sightline: Run, source: str) -> None:
    needs("pytrec_eval", extra="eval")
    option, _, name = source.partition("=")
    at = ("--index", photos / "index")
    asked = ("tune", "--rerank", "vlm:starter", option, photos / name, *at)
    code, out, err = sightline(*asked, "--dry-run", "--json")
    assert code == 0, err
    told = json.loads(out)["reranker"]
    assert sum(one["queries"] for one in told["kinds"]) + told["left_out"] == 5 * len(RGB)
    with Sightline.open(photos / "index") as opened:
        assert not opened.rerankers.trust("vlm:starter").tuned
    code, out, _ = sightline(*asked)
    assert (code, "kind of query" in out) == (0, True)
    with Sightline.open(photos / "index") as opened:
        trust = opened.rerankers.trust("vlm:starter")
        assert trust.tuned
        assert trust.weights == {one["kind"]: one["after"] for one in told["kinds"]}
        opened.rerankers.set_trust("vlm:starter", None)
        assert not opened.rerankers.trust("vlm:starter").tuned


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (("--rerank", "vlm:starter"), "a reranker is tuned by judged queries"),
        (("--rerank", "vlm:starter", "--name", "0.5"), "give either queries"),
        (("--queries", "queries.jsonl", "--clicks", "clicks.csv"), "give one of --queries, --clicks, --catalog"),
        (("--rerank", "", "--queries", "queries.jsonl"), "--rerank names no reranker"),
    ],
)
def test_a_reranker_wants_queries_of_one_kind(folder: Path, sightline: Run, given: tuple[str, ...], says: str) -> None:
    code, _, err = sightline("tune", *given, "--index", folder / "index")
    assert code == 2
    assert says in " ".join(err.split())
