"""The servers that chat models are tested against."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.mllms import tiny_vlm
from tests.mllms.scripted_server import Script, says, scripted


@pytest.fixture(scope="session")
def tiny() -> str:
    """The spec of a real vision-language model behind `transformers serve`."""
    return tiny_vlm.running()


@pytest.fixture
def script() -> Iterator[Script]:
    """A server that answers by rule; the test sets the rule."""
    with scripted(says("hello there")) as running:
        yield running
