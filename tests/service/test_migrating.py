"""`sightline migrate`: what it tells, and its exit codes."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from io import StringIO
from pathlib import Path

import pytest
from PIL import Image
from rich.console import Console

from indexer.migration import Reembedding
from service import progress
from sightline import Sightline
from sightline.types import Part, PartVectors, Progress

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def index(tmp_path: Path) -> Path:
    """An index of two pictures, one of whose files is gone since."""
    for name in ("red", "blue"):
        Image.new("RGB", (60, 60), name).save(tmp_path / f"{name}.png")
    with Sightline.open(tmp_path / "index") as opened:
        opened.add(tmp_path / "red.png", tmp_path / "blue.png")
    (tmp_path / "red.png").unlink()
    return tmp_path / "index"


def test_it_tells_what_it_did(index: Path, other: str, sightline: Run) -> None:
    code, out, _ = sightline("migrate", "--index", index, "--encoder", other)
    told = " ".join(out.split())
    assert code == 0
    assert told.startswith(f"From starter to {other}: 2 pictures and 0 texts")
    assert "1 pictures were embedded from thumbnails (1: there is no such file)" in told


def test_bars_that_went_with_the_encoder_are_told(index: Path, other: str, sightline: Run) -> None:
    assert "Set them" not in sightline("migrate", "--index", index, "--encoder", other)[1], "nobody had set any"
    assert sightline("tune", "--index", index, "--name", "0.5")[0] == 0
    code, out, _ = sightline("migrate", "--index", index, "--encoder", "starter")
    assert code == 0
    assert f"Set them again with: sightline tune --index {index}" in out


def test_as_json_it_prints_nothing_else(index: Path, other: str, sightline: Run) -> None:
    code, out, _ = sightline("migrate", "--index", index, "--encoder", other, "--json")
    told = json.loads(out)
    assert (code, told["pictures"], told["from_thumbnails"], told["lost"]) == (0, 2, 1, [])
    assert told["reasons"] == {"there is no such file": 1}


def test_what_cannot_be_embedded_again_is_an_exit_code_of_its_own(index: Path, other: str, sightline: Run) -> None:
    with Sightline.open(index) as opened, opened._ledger._writing() as db:
        db.execute("DELETE FROM thumbnails")
    code, out, _ = sightline("migrate", "--index", index, "--encoder", other)
    assert code == 1
    assert "left without a vector: red.png#image-0: there is no such file, and no thumbnail of it" in " ".join(
        out.split()
    )


def test_without_an_index_it_says_how_to_make_one(tmp_path: Path, sightline: Run) -> None:
    code, _, err = sightline("migrate", "--index", tmp_path / "none", "--encoder", "starter")
    assert code == 2
    assert "no index at" in err


def test_interrupted_it_says_how_far_it_is_and_info_says_it_again(
    index: Path, other: str, sightline: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Reembedding._embedded

    def interrupted(self: Reembedding, parts: Sequence[Part]) -> list[PartVectors]:
        if self.pictures:
            raise KeyboardInterrupt
        return real(self, parts)

    monkeypatch.setattr(Reembedding, "_embedded", interrupted)
    monkeypatch.setenv("SIGHTLINE_BATCH_SIZE", "1")
    code, _, err = sightline("migrate", "--index", index, "--encoder", other)
    assert code == 130
    on, off = f"sightline migrate --encoder {other} --index {index}", f"sightline migrate --cancel --index {index}"
    told = [f"a migration to {other} is 1 of 2 parts done", f"  goes on with: {on}", f"  given up with: {off}"]
    assert err.splitlines() == [f"sightline: interrupted; {told[0]}", *told[1:]]
    monkeypatch.undo()
    code, out, _ = sightline("info", "--index", index)
    assert code == 0
    assert out.splitlines()[-3:] == [f"! {told[0]}", *told[1:]]
    assert "2 (2 with vectors)" in out
    assert json.loads(sightline("info", "--index", index, "--json")[1])["migration"]["done"] == 1

    code, out, _ = sightline("migrate", "--index", index, "--cancel")
    given_up = f"the migration to {other} is given up: 1 vectors dropped; searches go on with starter"
    assert (code, " ".join(out.split())) == (0, given_up)
    assert "migration" not in sightline("info", "--index", index)[1]
    assert json.loads(sightline("migrate", "--index", index, "--cancel", "--json")[1]) == {"cancelled": None}


@pytest.mark.parametrize("argv", [(), ("--cancel", "--encoder", "starter")])
def test_it_goes_somewhere_or_is_given_up(index: Path, sightline: Run, argv: tuple[str, ...]) -> None:
    code, _, err = sightline("migrate", "--index", index, *argv)
    assert code == 2
    assert "'--encoder', '--text-encoder' or '--cancel'" in err


@pytest.mark.parametrize("terminal", [True, False])
def test_whom_it_waits_for_is_told(monkeypatch: pytest.MonkeyPatch, terminal: bool) -> None:
    monkeypatch.setattr(progress, "LINE_EVERY_S", 0.0)
    err = Console(file=StringIO(), width=200, force_terminal=terminal)
    with progress.shown(err, doing="embedding") as show:
        show(Progress(3, 9, 0, 2, 1.0, "4711"))
    assert "waiting for process 4711" in err.file.getvalue()  # type: ignore[attr-defined]
