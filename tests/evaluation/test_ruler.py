"""The ruler end to end on drawn pictures: what it asks, what it counts, and that it gives the same bytes twice."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.extras import needs

needs("pytrec_eval", "matplotlib", extra="eval")

from PIL import Image  # noqa: E402

from sightline.engine import Sightline  # noqa: E402
from sightline.errors import ConfigError, InputError, NotFound  # noqa: E402
from sightline.evaluation import (  # noqa: E402
    Case,
    Document,
    Setting,
    Task,
    evaluate,
    read_catalog,
    read_judged,
    read_pairs,
)
from sightline.evaluation.report import Figures, Reliability, Report  # noqa: E402
from sightline.evaluation.ruler import _reliability  # noqa: E402

WORDS = ("alpha", "beta", "gamma", "delta", "epsilon", "zeta")


def by_direction(report: Report, at: int = 0) -> dict[str, Figures]:
    return {one.direction: one for one in report.tried[at].figures if not one.slice_name}


def shelf_of_words() -> list[Document]:
    """Items found by exactly one word each, so that every rank is known beforehand."""
    return [Document(f"row {word}", {"id": word, "text": f"Nothing but {word} here."}) for word in WORDS]


def judged(**relevant: str) -> list[Case]:
    return [Case(f"q-{word}", {found: 1}, text=word, label=word) for word, found in relevant.items()]


def test_an_encoder_that_is_not_there_is_told_before_the_other_is_measured() -> None:
    told: list[str] = []
    task = Task("catalog", tuple(judged(alpha="alpha")), tuple(shelf_of_words()))
    with pytest.raises(ConfigError, match=r"there is no encoder 'startr'\. Did you mean starter"):
        evaluate(task, against=Setting(encoder="startr"), k=10, show=lambda what, done, total: told.append(what))
    assert told == []


def test_figures_are_those_of_ranks_known_beforehand() -> None:
    cases = judged(alpha="alpha", beta="beta", gamma="alpha")
    report = evaluate(Task("catalog", tuple(cases), tuple(shelf_of_words())), Setting(channels="words"), k=10)
    (figures,) = by_direction(report).values()
    assert figures.direction == "text → item"
    assert figures.n == 3
    assert figures.scores["success@1"].mean == pytest.approx(2 / 3)
    assert figures.scores["success@10"].mean == pytest.approx(2 / 3)  # gamma says nothing of alpha
    assert figures.scores["mrr"].mean == pytest.approx(2 / 3)
    assert report.ranks[0] == {"q-alpha": 1, "q-beta": 1, "q-gamma": None}


def test_pairs_are_asked_both_ways_and_pictures_are_told_apart(album: Path, tmp_path: Path) -> None:
    task = read_pairs([album / "captions.jsonl"], work=tmp_path, where="split = dev")
    report = evaluate(task)
    figures = by_direction(report)
    assert {name: one.n for name, one in figures.items()} == {"text → image": 16, "image → text": 8}
    assert figures["text → image"].scores["success@10"].mean == 1  # there are eight pictures
    assert figures["text → image"].curve[1].mean <= figures["text → image"].curve[5].mean
    tried = report.tried[0]
    assert tried.wrong_modality == {"text → image": 0, "image → text": 0}
    assert all(share is not None and 0 < share < 1 for share, _ in tried.mixed.values())
    assert tried.likeness is None  # eight pictures are too few for a mean
    assert tried.items == 24


def test_captions_of_one_picture_are_drawn_together(album: Path, tmp_path: Path) -> None:
    task = read_pairs([album / "captions.jsonl"], work=tmp_path)
    apart = replace(task, cases=tuple(replace(case, group="") for case in task.cases))
    together, alone = (by_direction(evaluate(one))["text → image"].scores["mrr"] for one in (task, apart))
    assert together.mean == alone.mean
    assert together.low != alone.low


def test_a_catalog_is_measured_with_its_gap_and_slices(shop: Path) -> None:
    task = read_catalog(shop / "catalog.jsonl")
    report = evaluate(task, slices=["kind"])
    figures = by_direction(report)
    assert figures["text → item"].scores["success@1"].mean == 1  # words say what is asked
    assert figures["image → image"].scores["success@5"].mean == 1
    sliced = {(one.slice_name, one.slice_value): one.n for one in report.tried[0].figures if one.slice_name}
    assert sliced["kind", "bowl"] == sliced["kind", "cushion"] == 4  # of the direction told last
    assert ("built from", "colour + kind") in sliced


def test_the_second_setting_is_compared_in_pairs(shop: Path) -> None:
    task = read_catalog(shop / "catalog.jsonl")
    report = evaluate(task, Setting(), against=Setting(channels="clip"))
    changes = {one.direction: one.changes["ndcg@10"] for one in report.comparisons if not one.slice_name}
    first, second = by_direction(report), by_direction(report, 1)
    for direction, change in changes.items():
        gained = second[direction].scores["ndcg@10"].mean - first[direction].scores["ndcg@10"].mean
        assert change.mean == pytest.approx(gained)
    assert "every query scores the same" in next(one for one in report.verdicts if one.startswith("text → image"))
    assert [one.name for one in report.tried] == ["channels=all", "channels=clip"]


def test_words_alone_that_cannot_be_asked_with_pictures_say_so(shop: Path) -> None:
    report = evaluate(read_catalog(shop / "catalog.jsonl"), against=Setting(channels="words"))
    assert set(by_direction(report)) == {"text → item", "text + image → item"}
    reasons = {one.source: one.reason for one in report.left_out}
    assert set(reasons) == {"every query text → image", "every query image → image", "every query image → text"}


def test_two_runs_write_the_same_bytes(shop: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        task = read_catalog(shop / "catalog.jsonl")
        evaluate(task, against=Setting(channels="vectors"), inputs={"catalog": "0" * 64}).write(tmp_path / name)
    for name in ("report.json", "report.md", "report.png", "queries.jsonl"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes(), name
    told = json.loads((tmp_path / "one" / "report.json").read_text())
    assert {"sightline", "python", "numpy", "onnxruntime", "faiss-cpu", "pytrec-eval-terrier"} <= told[
        "versions"
    ].keys()
    assert len(told["settings"][0]["encoder"]["fingerprint"]) == 64
    assert (told["seed"], told["resamples"], told["depth"]) == (0, 2000, 100)
    with Image.open(tmp_path / "one" / "report.png") as picture:
        assert picture.width > 1000
        assert len(picture.convert("RGB").getcolors(1 << 24) or ()) > 50
    assert str(tmp_path) not in (tmp_path / "one" / "report.md").read_text()


def test_a_broken_picture_is_a_row_in_the_report(album: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing more")
    rows = [json.loads(line) for line in (album / "captions.jsonl").read_text().splitlines()]
    for row in rows:
        (tmp_path / row["image"]).write_bytes((album / row["image"]).read_bytes())
    rows += [{"image": name, "captions": ["of nothing"]} for name in ("broken.png", "gone.png")]
    (tmp_path / "captions.jsonl").write_text("\n".join(map(json.dumps, rows)))
    report = evaluate(read_pairs([tmp_path / "captions.jsonl"], work=tmp_path / "work"))
    assert {name: one.n for name, one in by_direction(report).items()} == {"text → image": 24, "image → text": 12}
    told = {(one.source, one.reason) for one in report.left_out}
    assert ("captions.jsonl:14 gone.png", "there is no such file") in told
    assert "captions.jsonl:13 broken.png" in {source for source, _ in told}
    assert "not asked: what it should find could not be indexed" in {one.reason for one in report.left_out}
    assert any("broken.png (query)" in source for source, _ in told)
    assert ("captions.jsonl:14 gone.png (query)", "there is no such picture") in told


def test_judged_queries_are_asked_of_an_index_that_exists(index: Path, shop: Path, tmp_path: Path) -> None:
    rows = [
        {"text": "red bowl", "relevant": ["bowl-red"], "lang": "en"},
        {"image": str(shop / "cushion-blue-0.png"), "relevant": ["cushion-blue"]},
        {"text": "cushion", "where": "price > 25", "relevant": {"cushion-green": 2, "cushion-white": 1}, "lang": "en"},
        {"text": "bowl", "negative": ["red"], "relevant_where": "kind = bowl and colour != red"},
    ]
    (tmp_path / "q.jsonl").write_text("\n".join(map(json.dumps, rows)))
    report = evaluate(read_judged(tmp_path / "q.jsonl"), Setting(index=str(index)), slices=["lang", "kind"])
    assert by_direction(report)["text → item"].n == 3
    assert by_direction(report)["image → item"].scores["success@1"].mean == 1
    last = report.cases[3]
    assert set(last.relevant) == {"bowl-blue", "bowl-green", "bowl-white"}
    assert last.facts["kind"] == "bowl"


def test_judgements_of_another_collection_are_refused_and_a_few_counted(index: Path) -> None:
    cases = [Case(f"q{n}", {item: 1}, text="bowl") for n, item in enumerate(("bowl-red", "gone-1", "gone-2"))]
    with pytest.raises(InputError, match=r"2 of 3 judged items are not in this index, as 'gone-1'"):
        evaluate(Task("queries", tuple(cases)), Setting(index=str(index)))
    there = [Case(f"t{n}", {f"bowl-{colour}": 1}, text="bowl") for n, colour in enumerate(("red", "blue", "green") * 2)]
    there += [Case(f"c{n}", {f"cushion-{colour}": 1}, text="cushion") for n, colour in enumerate(("red", "blue"))]
    report = evaluate(Task("queries", (*there, cases[1])), Setting(index=str(index)))
    assert [(one.source, one.reason) for one in report.left_out] == [
        ("gone-1", "judged, but not in this index; counted as not found")
    ]
    assert report.ranks[0]["q1"] is None


def test_what_cannot_be_measured_says_why(index: Path, shop: Path, tmp_path: Path) -> None:
    case = Case("q", {"bowl-red": 1}, text="bowl", where="prise < 3", label="q.jsonl:1")
    with pytest.raises(InputError, match=r"q.jsonl:1: .*prise"):
        evaluate(Task("queries", (case,)), Setting(index=str(index)))
    nothing = replace(case, where="", relevant={}, relevant_where="price > 1000")
    with pytest.raises(InputError, match=r"q.jsonl:1: nothing in the index passes"):
        evaluate(Task("queries", (nothing,)), Setting(index=str(index)))
    picture = replace(case, where="", text="", image=tmp_path / "none.png")
    with pytest.raises(InputError, match="no query could be asked"):
        evaluate(Task("queries", (picture,)), Setting(index=str(index)))
    with pytest.raises(InputError, match="'shade'"):
        evaluate(Task("queries", (replace(case, where=""),)), Setting(index=str(index)), slices=["shade"])
    with pytest.raises(NotFound, match="no index"):
        evaluate(Task("queries", (case,)), Setting(index=str(tmp_path)))
    with pytest.raises(InputError, match="no index can be named"):
        evaluate(read_catalog(shop / "catalog.jsonl"), Setting(index=str(index)))
    with pytest.raises(InputError, match="at least 10 deep"):
        evaluate(Task("queries", (case,)), Setting(index=str(index)), k=5)


def test_settings_that_are_none() -> None:
    with pytest.raises(InputError, match="channels are all, vectors, words"):
        Setting(channels="smell")
    with pytest.raises(InputError, match="--against takes encoder"):
        Setting().changed({"colour": "red"})
    with pytest.raises(InputError, match="nothing to compare"):
        Setting(channels="words").changed({"channels": "words"})
    assert Setting(channels="vectors").asked == ("clip", "dense")
    assert Setting(channels="all").asked is None


def test_likeness_tells_true_pairs_from_mismatched_ones(sample: Path) -> None:
    lines = (sample / "catalog.jsonl").read_text().splitlines()[:40]
    rows = [json.loads(line) for line in lines]
    documents = tuple(Document(row["id"], {"id": row["id"], "image": str(sample / row["images"][0])}) for row in rows)
    cases = tuple(Case(row["id"], {row["id"]: 1}, text=row["title"], target="image") for row in rows)
    alike = evaluate(Task("catalog", cases, documents)).tried[0].likeness
    assert alike is not None
    assert alike.pairs == 40
    assert alike.alignment > 0.1
    assert 0 < alike.gap < 2
    assert sum(alike.true_share) == pytest.approx(1)
    with Sightline.open() as other:
        vectors = other.encoder.encode_queries([(row["title"],) for row in rows])
        pixels = [np.asarray(Image.open(sample / row["images"][0]).convert("RGB")) for row in rows]
        pictures = other.encoder.encode_documents([(one,) for one in pixels])
    assert alike.gap == pytest.approx(np.linalg.norm(vectors.mean(axis=0) - pictures.mean(axis=0)), abs=0.02)
    assert alike.true == pytest.approx((vectors * pictures).sum(axis=1).mean(), abs=0.02)


def test_relevance_that_is_told_is_drawn_as_a_reliability_curve(index: Path, tmp_path: Path) -> None:
    report = evaluate(Task("queries", (Case("q", {"bowl-red": 1}, text="red bowl"),)), Setting(index=str(index)))
    assert report.tried[0].reliability
    assert sum(one.hits for one in report.tried[0].reliability) == 8
    bins = tuple(Reliability(told, min(1, told * 1.2), 10 + int(50 * told)) for told in (0.05, 0.25, 0.5, 0.8, 0.95))
    calibrated = replace(report, tried=(replace(report.tried[0], reliability=bins),))
    widths = []
    bare = replace(report, tried=(replace(report.tried[0], reliability=()),))
    for name, one in (("bare", bare), ("calibrated", calibrated)):
        one.write(tmp_path / name)
        with Image.open(tmp_path / name / "report.png") as picture:
            widths.append(picture.width)
    assert widths[1] == 2 * widths[0]


def test_reliability_bins_hits_by_the_relevance_they_were_given() -> None:
    bins = _reliability([(0.95, True), (0.97, True), (0.92, False), (0.1, False), (1.0, True)])
    assert [(round(one.told, 3), one.right, one.hits) for one in bins] == [(0.1, 0.0, 1), (0.96, 0.75, 4)]
    assert _reliability([]) == ()
