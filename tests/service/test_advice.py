"""What the terminal tells a user to do next: it is said where it is needed, and works as it is printed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

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


def test_words_that_are_nearly_an_expression_are_told(sightline: Run, index: Path) -> None:
    _, out, _ = sightline("search", '"red bowl" shoes - blue', "--index", index, "--json")
    assert """an expression is '"red bowl" + shoes - blue'""" in warnings_of(out)
