"""Kills, power cuts and full disks take minutes: they run in `make check`, and where they are asked for by path."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if os.environ.get("SIGHTLINE_CHECK") or any("soak" in argument for argument in config.args):
        return
    here = Path(__file__).parent
    long = [item for item in items if item.path.is_relative_to(here)]
    config.hook.pytest_deselected(items=long)
    items[:] = [item for item in items if item not in long]
