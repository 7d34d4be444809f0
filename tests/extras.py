"""Skips what needs a package that is not installed."""

from __future__ import annotations

from importlib.util import find_spec

import pytest


def needs(*packages: str, extra: str) -> None:
    """Skip the test, or the module that calls this, where a package is not installed. Imports none of them.

    `pytest.importorskip` would import them before `sightline.encoders.torchvision_repair` had a chance.
    """
    if any(find_spec(package) is None for package in packages):
        pytest.skip(f"needs the extra {extra!r}", allow_module_level=True)
