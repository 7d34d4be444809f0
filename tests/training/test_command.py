"""What the starter's training may use, and that its one command goes on where it stopped."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.extras import needs
from tests.training.tiny_sources import rows, tiny_sources
from training.starter import __main__ as command
from training.starter.__main__ import Step, arguments, run, steps
from training.starter.sentences import describe, practice
from training.starter.sources import SOURCES, chosen, read

ROOT = Path(__file__).parents[2]
NEEDED = tuple(f"{name}.tar" for name in SOURCES)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data folder with every tar's name in it and nothing behind them."""
    (tmp_path / "data" / "teachers").mkdir(parents=True)
    for name in NEEDED:
        (tmp_path / "data" / name).touch()
    return tmp_path


def test_only_open_leaves_out_whatever_has_no_open_licence() -> None:
    assert chosen(only_open=False) == tuple(SOURCES)
    assert chosen(only_open=True) == ("grocery", "clothing")
    assert [SOURCES[name].licence for name in chosen(only_open=True)] == ["MIT", "CC0"]


def test_practice_without_captions_is_from_our_own_words(data: Path) -> None:
    made = set(practice([], [], 2_000))
    assert len(made) >= 2_000
    captions = [text for row in rows(data, "flickr8k") for text in row["captions"]]
    borrowed = {*captions, *(row["title"] for row in rows(data, "fashion"))}
    assert len(borrowed) > 30_000
    assert not made & borrowed
    assert made == set(practice([], [], 2_000))


def test_open_pictures_have_facts_and_sentences(data: Path) -> None:
    pictures = [picture for picture, _ in read(data, chosen(only_open=True))]
    assert {picture.source for picture in pictures} == {"grocery", "grocery_iconic", "clothing"}
    facts, sentences = describe(pictures[0])
    assert facts
    assert all(set(sentence.needs) <= facts for sentence in sentences)


def test_the_command_says_what_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        arguments(["--data", str(tmp_path), "--work", str(tmp_path)])
    assert "flickr8k.tar" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        arguments(["--data", str(tmp_path), "--work", str(tmp_path), "--only-open"])
    said = capsys.readouterr().err
    assert "grocery.tar" in said
    assert "flickr8k.tar" not in said


def test_only_open_reaches_the_preparation(folder: Path) -> None:
    base = ["--data", str(folder / "data"), "--work", str(folder / "work")]
    plain, openly = ([*steps(arguments([*base, *more]))] for more in ([], ["--only-open"]))
    assert [step.name for step in plain] == ["prepare", "heads", "train", "refit", "export", "evaluate"]
    assert "--only-open" in openly[0].arguments
    assert "--only-open" not in plain[0].arguments


def test_every_step_knows_the_options_of_its_recipe(folder: Path) -> None:
    asked = arguments(["--data", str(folder / "data"), "--work", str(folder / "work"), "--only-open"])
    for step in steps(asked):
        source = (ROOT / "training" / "starter" / f"{step.name}.py").read_text()
        known = set(re.findall(r'add_argument\("(--[\w-]+)"', source))
        used = {word for word in (*step.arguments, step.goes_on) if word.startswith("--")}
        assert used <= known, step.name


def test_what_is_done_is_not_done_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    plan = [Step("words", ("one",)), Step("sentences", ("two",)), Step("sources", ("three",))]
    asked = arguments(["--data", str(folder / "data"), "--work", str(folder / "work")])
    asked.out.mkdir(parents=True)
    (asked.out / "config.json").write_text('{"name": "starter"}')
    (asked.work / "figures.json").write_text('{"megabytes": 1.5}')

    def planned(_: object) -> Iterator[Step]:
        yield from plan

    monkeypatch.setattr(command, "steps", planned)
    monkeypatch.chdir(ROOT)
    run(asked)
    assert capfd.readouterr().out.count("done before") == 0
    assert json.loads((asked.out / "config.json").read_text()) == {"name": "starter", "figures": {"megabytes": 1.5}}
    run(asked)
    assert capfd.readouterr().out.count("done before") == 3
    plan[1] = Step("sentences", ("otherwise",))
    run(asked)
    said = capfd.readouterr().out
    assert said.count("done before") == 1  # what follows a changed step is done again
    plan[2] = Step("no_such_step", ())
    with pytest.raises(SystemExit, match="no_such_step ended with 1"):
        run(asked)
    plan[0] = Step("words", ("of another folder",))
    with pytest.raises(SystemExit, match="begun with other data or settings"):
        run(asked)


def test_pictures_are_cut_and_asked_about_once(data: Path, tmp_path: Path) -> None:
    needs("ai_edge_litert", extra="training")
    tiny_sources(data, tmp_path / "data", ("clothing",), every=400)
    call = (
        "from pathlib import Path; from training.starter.prepare_pictures import prepare_pictures as prepare; "
        f"prepare(Path({str(tmp_path / 'data')!r}), Path({str(tmp_path)!r}), 2, 1, 1, sources=('clothing',))"
    )
    for _ in range(2):
        done = subprocess.run([sys.executable, "-c", call], cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        pictures = json.loads((tmp_path / "pictures.json").read_text())
        shapes = {name: np.load(tmp_path / f"{name}.npy").shape for name in ("views_1", "teacher_1", "maps_0")}
        n = len(pictures)
        assert shapes == {"views_1": (n, 112, 112, 3), "teacher_1": (n, 1024), "maps_0": (n, 7, 7, 1024)}
        assert np.load(tmp_path / "teacher_0.npy").any(axis=1).all()
        assert not (tmp_path / "maps_1.npy").exists()
    assert "view" not in done.stdout  # the second call had nothing to do
