"""The terminal door: what each command prints, how it exits, and that a failure is one sentence."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from service import cli, demo
from sightline.engine import Sightline
from sightline.filters import matches, parse

Run = Callable[..., tuple[int, str, str]]


def test_index_reports_then_has_nothing_to_do(sightline: Run, shop: Path, tmp_path: Path) -> None:
    argv = ["index", shop / "catalog.jsonl", "--index", tmp_path / "i", "--json"]
    code, out, _ = sightline(*argv)
    report = json.loads(out)
    assert code == 0
    assert report.keys() == {
        "added",
        "updated",
        "unchanged",
        "deleted",
        "moved",
        "skipped",
        "notes",
        "regions",
        "seconds",
        "images_per_second",
    }
    assert (report["added"], report["skipped"]) == (8, [])
    again = json.loads(sightline(*argv)[1])
    assert (again["added"], again["unchanged"]) == (0, 8)


def test_index_with_a_broken_picture_exits_1_and_says_why(sightline: Run, tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing more")
    (tmp_path / "good.txt").write_text("A text that can be read.")
    code, out, _ = sightline("index", tmp_path, "--index", tmp_path / "i")
    assert code == 1
    assert "1 added" in out
    assert "broken.png" in out
    code, out, _ = sightline("info", "--skipped", "--index", tmp_path / "i")
    assert code == 0
    assert "broken.png" in out


def test_search_json_has_the_promised_shape(sightline: Run, index: Path) -> None:
    code, out, err = sightline("search", "red bowl", "-k", 3, "--index", index, "--json")
    found = json.loads(out)
    assert (code, err) == (0, "")
    assert found.keys() == {
        *("hits", "no_match", "answered", "reranked", "searched", "rewrites", "warnings", "cursor", "facets"),
        "took_ms",
    }
    assert 0 < len(found["hits"]) <= 3
    assert {"rank", "id", "score", "relevance", "via", "parts", "fields"} <= found["hits"][0].keys()
    assert found["hits"][0]["id"] == "bowl-red"
    assert {"id", "modality", "uri", "locator"} <= found["hits"][0]["parts"][0].keys()


def test_search_takes_picture_filter_target_and_negatives(sightline: Run, index: Path, shop: Path) -> None:
    picture = ["--image", shop / "cushion-blue.png"]
    _, out, _ = sightline("search", *picture, "--target", "image", "-k", 1, "--index", index, "--json")
    assert [hit["id"] for hit in json.loads(out)["hits"]] == ["cushion-blue"]
    where = "price <= 20 and colour in (red, blue)"
    _, out, _ = sightline("search", "cushion", *picture, "--not", "bowl", "--where", where, "--index", index, "--json")
    hits = json.loads(out)["hits"]
    assert hits
    assert all(hit["fields"]["price"] <= 20 and hit["fields"]["colour"] in ("red", "blue") for hit in hits)


def test_search_reads_an_expression_and_leaves_items_out(sightline: Run, index: Path, shop: Path) -> None:
    def found(query: str, *more: object) -> list[str]:
        code, out, _ = sightline("search", query, *more, "--index", index, "--json")
        assert code == 0
        return [hit["id"] for hit in json.loads(out)["hits"]]

    assert found(f"{shop / 'cushion-blue.png'}[0,0,1,1]", "--target", "image")[0] == "cushion-blue"
    assert "bowl-red" not in found("like:bowl-red")
    assert "bowl-red" not in found("red bowl", "--exclude", "bowl-red", "--exclude", "bowl-blue")
    pushed = found('2:"bowl" - red')
    assert pushed.index("bowl-green") < pushed.index("bowl-red")
    code, _, err = sightline("search", '2:"bowl" red', "--index", index)
    assert code == 2
    assert "at character 9" in err


def test_search_prints_a_table_without_colour_on_a_pipe(sightline: Run, index: Path) -> None:
    code, out, _ = sightline("search", "green cushion", "--index", index)
    assert code == 0
    assert "Green cushion" in out
    assert "price 30" in out
    assert "\x1b" not in out


def test_ask_json_has_the_promised_shape(sightline: Run, index: Path) -> None:
    code, out, _ = sightline("ask", "How much does the blue bowl cost?", "--index", index, "--json")
    answer = json.loads(out)
    assert code == 0
    assert answer.keys() == {"answer", "abstained", "citations", "warnings", "took_ms"}
    assert not answer["abstained"]
    assert "20" in answer["answer"]
    assert answer["citations"][0].keys() == {"marker", "id", "part", "quote"}
    assert answer["citations"][0]["id"] == "bowl-blue"
    _, out, _ = sightline("ask", "How much does the blue bowl cost?", "--index", index)
    assert "[1]" in out
    assert "bowl-blue" in out


def test_info_and_models_as_json(sightline: Run, index: Path) -> None:
    facts = json.loads(sightline("info", "--index", index, "--json")[1])
    promised = {"items", "parts", "collections", "encoder", "store", "licence", "bytes_memory", "bytes_disk"}
    assert promised <= facts.keys()
    assert facts["items"] == 9
    cards = json.loads(sightline("models", "--json")[1])["models"]
    assert "starter" in {card["spec"] for card in cards}
    assert all(card["licence"] for card in cards)
    assert "starter" in sightline("info", "--index", index)[1]
    assert "starter" in sightline("models")[1]


def test_delete_removes_and_reports_what_was_not_there(sightline: Run, own_index: Path) -> None:
    assert sightline("delete", "bowl-red", "--index", own_index)[0] == 0
    code, out, _ = sightline("delete", "bowl-red", "bowl-blue", "--index", own_index, "--json")
    assert (code, json.loads(out)) == (1, {"deleted": 1, "missing": ["bowl-red"]})
    with Sightline.open(own_index) as opened:
        assert opened.info()["items"] == 7


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["search", "x", "--index", "nowhere"], "sightline index SOURCE --index nowhere"),
        (["ask", "what?", "--index", "nowhere"], "sightline index SOURCE"),
        (["index", "no-such-folder", "--index", "{own}"], "no-such-folder"),
        (["search", "x", "--where", "prise < 3", "--index", "{index}"], "'price'"),
        (["search", "x", "--where", "price <", "--index", "{index}"], "filter"),
        (["search", "--image", "missing.png", "--index", "{index}"], "missing.png"),
        (["search", "  ", "--index", "{index}"], "empty"),
        (["index", ".", "--map", "id", "--index", "{own}"], "NAME=KEY"),
        (["search", "x", "--collection", "a/b", "--index", "{index}"], "collection"),
        (["serve", "--host", "0.0.0.0", "--index", "{index}"], "SIGHTLINE_API_KEY"),
        (["search", "x", "--target", "sound", "--index", "{index}"], "sound"),
    ],
)
def test_mistakes_are_a_sentence_and_exit_2(
    sightline: Run, index: Path, tmp_path: Path, argv: list[str], said: str
) -> None:
    code, out, err = sightline(*(one.format(index=index, own=tmp_path / "own") for one in argv))
    assert (code, out) == (2, "")
    assert said in err
    assert "Traceback" not in err


def test_the_unforeseen_is_a_sentence_too(sightline: Run, index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("odd")

    monkeypatch.setattr(Sightline, "search", broken)
    code, out, err = sightline("search", "x", "--index", index)
    assert (code, out) == (2, "")
    assert "ZeroDivisionError" in err
    assert "SIGHTLINE_DEBUG=1" in err
    assert "Traceback" not in err
    monkeypatch.setenv("SIGHTLINE_DEBUG", "1")
    assert "Traceback" in sightline("search", "x", "--index", index)[2]


def test_every_command_has_an_example_or_needs_none(sightline: Run) -> None:
    for command in ("index", "search", "ask", "serve", "eval", "demo"):
        code, out, _ = sightline(command, "--help")
        assert code == 0
        assert f"sightline {command}" in out
    commands = {one.name or one.callback.__name__ for one in cli.app.registered_commands if one.callback}
    assert commands == {
        "index",
        "search",
        "explain",
        "ask",
        "serve",
        "info",
        "delete",
        "models",
        "eval",
        "adapt",
        "tune",
        "export-clip",
        "migrate",
        "verify",
        "compact",
        "export",
        "import",
        "snapshot",
        "restore",
        "demo",
    }


def test_rows_that_all_lack_an_id_are_told_once_with_the_option_to_give(sightline: Run, tmp_path: Path) -> None:
    rows = "".join(f"{n},Lampe {n}\n" for n in range(8))
    (tmp_path / "shop.csv").write_text("ArtNo,Name\n" + rows)
    code, out, _ = sightline("index", tmp_path / "shop.csv", "--index", tmp_path / "index")
    assert code == 1
    assert out.count("--map id=ArtNo") == 1
    assert "and 3 more" in out
    assert "✓" not in out


def test_models_lists_rerankers_and_folds_no_spec(sightline: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "30")
    lines = sightline("models")[1].splitlines()
    assert "vlm:starter" in lines
    assert "open_clip:ViT-B-32/laion2b_s34b_b79k" in lines


def test_demo_plays_on_a_strangers_catalog(
    sightline: Run, shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, _ = sightline("demo", shop / "catalog.jsonl")
    assert code == 0
    commands = [line for line in out.splitlines() if line.startswith("$ sightline ")]
    assert [line.split()[2] for line in commands] == ["index", "search", "search", "search", "search", "ask"]
    assert "--where 'price < " in commands[4]
    assert "sightline serve --index" in out


def test_demo_says_at_once_that_a_catalog_is_not_there(sightline: Run) -> None:
    assert sightline("demo", "nope.csv") == (2, "", "sightline: nope.csv does not exist\n")


def test_demo_asks_a_stranger_for_a_measure_or_a_text_never_for_a_code_or_a_yes(
    sightline: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [
        {"id": n, "title": f"{name} lamp", "ean": 4006381333931 + n, "onSale": n > 1, "listPrice": f"€ {n},99"}
        for n, name in enumerate(("Tall", "Tall", "Round"), 1)
    ]
    (tmp_path / "lamps.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    code, out, _ = sightline("demo", "lamps.jsonl")
    assert code == 0
    assert "sightline ask 'What is the list price of the Tall lamp?'" in out
    assert "--where 'ean" not in out
    assert "list price € " in out


def test_serve_refuses_a_model_that_is_not_there(sightline: Run, index: Path) -> None:
    code, _, err = sightline("serve", "--index", index, "--rerank", "vlm:startr", "--port", "0")
    assert code == 2
    assert "Did you mean vlm:starter?" in err
    code, _, err = sightline("serve", "--index", index, "--rewrite", "nothing", "--port", "0")
    assert code == 2
    assert "there is no chat model 'nothing'" in err


def test_serve_refuses_an_index_that_is_no_folder(sightline: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    code, _, err = sightline("serve", "--index", tmp_path / "file", "--port", "0")
    assert code == 2
    assert "is no folder" in err


def test_demo_plays_on_photos_alone(
    sightline: Run, shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for name in ("bowl-red.png", "cushion-green.png"):
        (photos / name).write_bytes((shop / name).read_bytes())
    monkeypatch.chdir(tmp_path)
    code, out, _ = sightline("demo", "photos", "--question", "Is there a red bowl?")
    assert code == 0
    assert "sightline ask 'Is there a red bowl?'" in out


def test_the_demo_asks_what_the_sample_can_answer(sample: Path) -> None:
    script = demo.sample_script()
    assert script.picture is not None
    assert script.picture.is_file()
    assert script.filtered is not None
    rows = [json.loads(line) for line in (sample / "catalog.jsonl").read_text(encoding="utf-8").splitlines()]
    where = parse(script.filtered[1])
    assert len([row for row in rows if matches(where, row["id"], row)]) >= demo.SHOWN


def test_a_source_that_is_not_there_makes_no_index(sightline: Run, tmp_path: Path) -> None:
    code, out, err = sightline("index", tmp_path / "nope.jsonl", "--index", tmp_path / "index")
    assert (code, out, err) == (2, "", f"sightline: {tmp_path / 'nope.jsonl'} does not exist\n")
    assert not (tmp_path / "index").exists()


@pytest.mark.parametrize(
    "argv",
    [
        ("--store", "qdrat"),
        ("--store", "qdrant:http://127.0.0.1:9"),
        ("--encoder", "onnx:/nowhere"),
        ("--map", "nonsense"),
    ],
)
def test_a_first_command_that_fails_leaves_nothing_behind(
    sightline: Run, shop: Path, tmp_path: Path, argv: tuple[str, ...]
) -> None:
    code, _, err = sightline("index", shop, "--index", tmp_path / "new" / "index", *argv)
    assert (code, list(tmp_path.iterdir())) == (2, [])
    assert argv[1].removeprefix("onnx:") in err or "Qdrant server" in err


def test_a_folder_with_nothing_to_index_leaves_nothing_behind(sightline: Run, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    code, _, err = sightline("index", tmp_path / "empty", "--index", tmp_path / "index")
    assert code == 2
    assert "there is no picture and no text file" in err
    assert [path.name for path in tmp_path.iterdir()] == ["empty"]


@pytest.mark.parametrize(
    ("argv", "missing"),
    [
        (("index",), "argument 'SOURCE'"),
        (("search",), "argument 'TEXT' or option '--image'"),
        (("ask",), "argument 'QUESTION'"),
        (("delete",), "argument 'ID'"),
        (("export",), "argument 'OUT'"),
        (("import",), "argument 'IN'"),
        (("restore",), "argument 'NAME'"),
        (("eval",), "option '--pairs', '--catalog' or '--queries'"),
        (("adapt",), "option '--pairs' or '--remove'"),
        (("migrate",), "option '--encoder', '--text-encoder' or '--cancel'"),
    ],
)
def test_what_is_missing_is_named_with_a_line_of_usage(sightline: Run, argv: tuple[str, ...], missing: str) -> None:
    code, out, err = sightline(*argv)
    assert (code, out) == (2, "")
    assert f"Missing {missing}." in err
    assert f" {argv[0]} [OPTIONS]" in err
    assert len(err.splitlines()) < 8


@pytest.mark.parametrize("command", ["search", "ask"])
def test_an_option_with_a_dash_too_many_is_named(sightline: Run, command: str) -> None:
    for given in ("--k", "--k=5"):
        code, _, err = sightline(command, "red", given, "5")
        assert code == 2
        assert "No such option: --k (it is -k)" in err
    assert "No such option: --x" in sightline(command, "red", "--x")[2]
