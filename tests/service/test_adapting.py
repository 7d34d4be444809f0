"""`sightline adapt` at the terminal: figures, exit codes, --dry-run, --remove, and what `info` shows."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.adaptation.conftest import MEANT, PHRASES

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def folder(tmp_path: Path, sightline: Run) -> Path:
    """A folder with an index of twelve texts, and pairs that say how customers call them."""
    rows = [{"id": f"item-{word}", "text": text} for word, text in MEANT.items()]
    pairs = [{"text": phrase.format(word), "item": f"item-{word}"} for word in MEANT for phrase in PHRASES]
    for name, lines in {"shop": rows, "pairs": pairs}.items():
        (tmp_path / f"{name}.jsonl").write_text("\n".join(json.dumps(line) for line in lines), encoding="utf-8")
    assert sightline("index", tmp_path / "shop.jsonl", "--index", tmp_path / "index")[0] == 0
    return tmp_path


def test_tried_installed_shown_and_removed(folder: Path, sightline: Run) -> None:
    adapt = ("adapt", "--index", folder / "index", "--closed")
    pairs = ("--pairs", folder / "pairs.jsonl")
    code, out, _ = sightline(*adapt, *pairs, "--dry-run")
    assert code == 0
    assert "It would be installed; nothing was changed." in out
    assert "adapter" not in sightline("info", "--index", folder / "index")[1]
    code, out, _ = sightline(*adapt, *pairs)
    assert code == 0
    assert "new queries" in out
    assert "nDCG@10" in out
    digest = json.loads(sightline("info", "--json", "--index", folder / "index")[1])["adapter"]["digest"]
    assert f"Installed (adapter {digest[:12]})" in out
    assert f"{digest[:12]}, from 72 pairs, for queries by text" in sightline("info", "--index", folder / "index")[1]
    code, out, _ = sightline(*adapt, "--remove", "--json")
    assert (code, json.loads(out)) == (0, {"removed": True})
    assert "There was no adapter." in sightline("adapt", "--remove", "--index", folder / "index")[1]


def test_refused_pairs_and_rows_left_out_are_reported(folder: Path, sightline: Run) -> None:
    rows = [f"nothing{n}nothing,item-{list(MEANT)[n * 7 % 12]}" for n in range(60)]
    (folder / "chance.csv").write_text("\n".join(["query,item", *rows, "what,item-none"]), encoding="utf-8")
    code, out, _ = sightline("adapt", "--pairs", folder / "chance.csv", "--index", folder / "index", "--json")
    told = json.loads(out)
    assert code == 1
    assert (told["installed"], told["digest"], told["pairs"]) == (False, None, 60)
    assert told["verdicts"][0]["reason"]
    assert told["skipped"] == [{"source": "chance.csv:62", "reason": "no item 'item-none' in collection 'default'"}]
    code, out, _ = sightline("adapt", "--pairs", folder / "chance.csv", "--index", folder / "index")
    assert code == 1
    assert "left out: chance.csv:62" in out
    assert "Not installed: the index is as it was." in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "give either --pairs FILE or --remove"),
        (("--pairs", "x.jsonl", "--remove"), "give either --pairs FILE or --remove"),
        (("--pairs", "no such.jsonl"), "cannot read the pairs in no such.jsonl: No such file"),
    ],
)
def test_what_the_user_must_mend(folder: Path, sightline: Run, arguments: tuple[str, ...], said: str) -> None:
    code, _, err = sightline("adapt", *arguments, "--index", folder / "index")
    assert code == 2
    assert said in " ".join(err.split())
