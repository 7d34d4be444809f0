"""The README is true: its Python runs, its commands parse, its make targets exist."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import typer

from service.cli import app

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", README, re.DOTALL)
COMMANDS = [
    line.partition("  #")[0].strip()
    for language, block in BLOCKS
    if language == "sh"
    for line in block.splitlines()
    if line.startswith("sightline ")
]


def test_the_first_commands_are_make_demo_and_make_test() -> None:
    first = next(block for language, block in BLOCKS if language == "sh")
    assert [line.split("  ")[0] for line in first.splitlines()] == ["make demo", "make test"]


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\bmake (\w+)", README))))
def test_make_targets_exist(target: str) -> None:
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_parse(command: str) -> None:
    name, *arguments = shlex.split(command)[1:]
    group = typer.main.get_command(app)
    context = typer.Context(group, info_name="sightline")
    found = group.get_command(context, name)  # type: ignore[attr-defined]
    assert found is not None
    found.make_context(name, arguments, parent=context)  # raises on an unknown option or a missing argument


@pytest.mark.parametrize("block", [block for language, block in BLOCKS if language == "python"])
def test_python_runs(
    block: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    exec(compile(block.replace('".sightline"', repr(str(tmp_path / "index"))), "README.md", "exec"), {})
    printed = capsys.readouterr().out
    assert "mug" in printed
    assert "30 days" in printed
    assert "[1]" in printed


@pytest.mark.parametrize("path", sorted(set(re.findall(r"`((?:docs|sightline|service|benchmarks)/[\w./-]+)`", README))))
def test_paths_exist(path: str) -> None:
    assert (ROOT / path).exists()
