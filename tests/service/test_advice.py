"""What the terminal tells a user to do next: it is said where it is needed, and works as it is printed."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from service.advice import command, copyable, point

Run = Callable[..., tuple[int, str, str]]


def warnings_of(printed: str) -> str:
    return " ".join(json.loads(printed)["warnings"])


def test_a_picture_read_as_words_is_told_with_the_option(
    sightline: Run, index: Path, shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(shop / "bowl-red.png", tmp_path / "my photo.png")
    monkeypatch.chdir(tmp_path)
    _, out, _ = sightline("search", "my photo.png", "--index", index, "--json")
    assert "--image 'my photo.png'" in warnings_of(out)
    _, out, _ = sightline("search", "other.png", "--index", index, "--json")
    assert "--image" not in warnings_of(out)
    code, out, _ = sightline("search", f"{'a' * 300}.png", "--index", index, "--json")
    assert (code, "--image" in warnings_of(out)) == (0, False)


@pytest.mark.parametrize(
    ("argv", "where"),
    [
        ((), ""),
        (("info", "--index", "my shop"), " --index 'my shop'"),
        (("info", "--collection=b", "--index=a"), " --index a --collection b"),
        (("search", "--", "--index", "a"), ""),
        (("info", "--index"), ""),
        (("restore", "one", "--collection", "new", "--index", "a"), " --index a"),
    ],
)
def test_commands_go_where_this_one_went(argv: tuple[str, ...], where: str) -> None:
    point(argv)
    assert command("info --skipped") == f"sightline info --skipped{where}"
    assert copyable("`sightline compact` mends it, `sightline models` lists them") == (
        f"`sightline compact{where}` mends it, `sightline models` lists them"
    )


def test_an_option_that_is_said_is_not_said_again() -> None:
    point(("snapshot", "--index", "a", "--collection", "b"))
    assert command("index SOURCE --index c") == "sightline index SOURCE --index c --collection b"
    assert command("restore one --force", collection=False) == "sightline restore one --force --index a"


def test_advice_can_be_copied_and_works(sightline: Run, own_index: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "a.png").write_bytes(b"no picture")
    _, told, _ = sightline("index", broken, "--index", own_index)
    advised = f"sightline info --skipped --index {own_index}"
    assert advised in told
    assert f"what was skipped, and why: {advised}\n" in sightline("info", "--index", own_index)[1]
    assert "a.png" in sightline(*advised.split()[1:])[1]
    sightline("delete", "bowl-red", "--index", own_index)
    _, told, _ = sightline("verify", "--deleted", "--index", own_index)
    assert f"`sightline compact --index {own_index}` removes what was deleted" in told
    _, told, _ = sightline("verify", "--gone", "bowl-blue", "--index", own_index)
    assert f"until `sightline delete bowl-blue --index {own_index}`" in told
    _, _, err = sightline("restore", "x", "--index", own_index)
    assert f"`sightline snapshot --list --index {own_index}`" in err


def test_a_reader_that_leaves_early_is_no_failure(index: Path) -> None:
    command = [sys.executable, "-m", "service.cli", "search", "bowl", "--index", str(index)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        assert (process.wait(60), process.stderr.read()) == (0, "")


def test_words_that_are_nearly_an_expression_are_told(sightline: Run, index: Path) -> None:
    _, out, _ = sightline("search", '"red bowl" shoes - blue', "--index", index, "--json")
    assert """an expression is '"red bowl" + shoes - blue'""" in warnings_of(out)
