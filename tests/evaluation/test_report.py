"""What a report says in words: the figures, what the interval makes of them, and no table broken by what it quotes."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import pytest

from tests.extras import needs

needs("pytrec_eval", "matplotlib", extra="eval")

from sightline.evaluation import Case, Difference, Setting, Task, evaluate, read_pairs  # noqa: E402
from sightline.evaluation.markdown import markdown  # noqa: E402
from sightline.evaluation.report import MEASURES, Comparison  # noqa: E402


def verdict(mean: float, low: float, high: float) -> str:
    change = Difference(mean, low, high, 50)
    return Comparison("text → image", "", "", dict.fromkeys(MEASURES, change)).sentence("rerank=x")


def test_a_verdict_says_what_the_interval_says() -> None:
    assert verdict(0.031, 0.012, 0.05) == (
        "text → image: with rerank=x nDCG@10 is 3.1 points higher (95 % interval of the difference +1.2 to +5.0): "
        "the difference is real."
    )
    assert "1.0 points lower" in verdict(-0.01, -0.03, 0.01)
    assert "may be chance, 50 queries do not tell the two apart" in verdict(-0.01, -0.03, 0.01)
    assert "every query scores the same" in verdict(0, 0, 0)


def test_markdown_has_the_figures_and_survives_what_it_quotes(index: Path) -> None:
    cases = [Case("q|1", {"bowl-red": 1}, text="red | bowl\n## not a heading"), Case("q2", {"gone": 1}, text="zebra")]
    there = [
        Case(f"t{n}", {f"bowl-{colour}": 1}, text=colour) for n, colour in enumerate(("blue", "green", "white") * 2)
    ]
    there += [Case("c", {"cushion-red": 1}, text="cushion")]
    report = evaluate(Task("queries", (*cases, *there)), Setting(index=str(index)))
    written = markdown(report)
    figures = report.tried[0].figures[0]
    assert f"| text → item | 9 | {100 * figures.scores['success@1'].mean:.1f} [" in written
    assert "## Left out\n\n- gone: judged, but not in this index; counted as not found" in written
    assert "| q2 | text → item | zebra | – |" in written
    assert "\n## not a heading" not in written
    widths = {line.replace("\\|", "").count("|") for line in written.splitlines() if line.startswith("| text")}
    assert widths == {len(MEASURES) - 1 + 3}


def test_forms_of_the_same_real_pairs_give_the_same_figures(data: Path, tmp_path: Path) -> None:
    with tarfile.open(data / "flickr8k.tar") as tar:
        table = tar.extractfile("captions.jsonl")
        assert table is not None
        rows = [row for row in map(json.loads, table) if row["split"] == "dev"][:40]
        for row in rows:
            tar.extract(row["image"], tmp_path, filter="data")
    lines = [json.dumps({"image": row["image"], "captions": row["captions"][:2]}) for row in rows]
    (tmp_path / "captions.jsonl").write_text("\n".join(lines))
    with tarfile.open(tmp_path / "shard.tar", "w") as shard:
        for number, row in enumerate(rows):
            (tmp_path / "said.json").write_text(json.dumps({"captions": row["captions"][:2]}))
            shard.add(tmp_path / "said.json", f"{number:04}.json")
            shard.add(tmp_path / row["image"], f"{number:04}.webp")
    named = [tmp_path / "captions.jsonl", tmp_path / "shard.tar"]
    one, other = (evaluate(read_pairs([path], work=tmp_path / "work")).tried[0] for path in named)
    assert [f.scores for f in one.figures] == [f.scores for f in other.figures]
    for figures in one.figures:
        assert figures.curve[10].low > 10 / 40  # better than chance, for certain
    assert one.likeness is not None
    assert one.likeness.alignment == pytest.approx(other.likeness.alignment if other.likeness else 0, abs=1e-6)
