"""A small shop that was indexed, and an export of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.soak.shop import Opened
from tests.transfer.collections import opened, shop


@pytest.fixture
def filled(tmp_path: Path) -> Iterator[Opened]:
    with opened(tmp_path / "filled") as index:
        index.add(shop(tmp_path / "shop", 3))
        yield index


@pytest.fixture
def export(tmp_path: Path, filled: Opened) -> Path:
    filled.transfer.export(tmp_path / "out", format="jsonl")
    return tmp_path / "out"
