"""Bytes are found in files wherever they lie, also in files that are cut meanwhile."""

from __future__ import annotations

from pathlib import Path

import pytest

from sightline import scanning

WANTED = b"mug-0017"


@pytest.mark.parametrize("at", [0, 1, 1023, (1 << 20) - 4, 1 << 20, (1 << 21) - 1, 3_000_000])
def test_they_are_found_once_wherever_they_lie(tmp_path: Path, at: int) -> None:
    held = bytearray(b"." * 3_000_008)
    held[at : at + len(WANTED)] = WANTED
    (tmp_path / "file").write_bytes(held)
    (found,) = scanning.places(tmp_path / "file", WANTED)
    assert found == (at, bytes(held[max(0, at - 512) : at]), bytes(held[at + 8 : at + 520]))


def test_a_file_that_is_cut_meanwhile_ends_there(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(WANTED + b"." * 5_000_000 + WANTED)
    found = scanning.places(path, WANTED)
    assert next(found)[0] == 0
    with path.open("r+b") as file:
        file.truncate(10)
    assert list(found) == []


def test_nothing_is_found_in_holes_small_files_and_none(tmp_path: Path) -> None:
    with (tmp_path / "hole").open("wb") as file:
        file.truncate(50_000_000)
    (tmp_path / "small").write_bytes(WANTED[:-1])
    for name in ("hole", "small", "gone"):
        assert list(scanning.places(tmp_path / name, WANTED)) == []
