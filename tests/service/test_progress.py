"""What a long command shows of how far it is, and how long it will go on."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from service import progress


@pytest.mark.parametrize(
    ("seconds", "done", "total", "told"),
    [
        (10, 0, 100, ""),
        (10, 20, 100, ", 40 s left"),
        (10, 10, 131, ", 2 min left"),
        (3600, 1, 4, ", 3 h left"),
        (10, 100, 100, ", 0 s left"),
    ],
)
def test_time_left_goes_by_what_is_done(seconds: float, done: int, total: int, told: str) -> None:
    assert progress.left_of(seconds, done, total) == told


def test_steps_on_a_pipe_say_how_far_each_is_and_how_long_it_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter((0.0, 1.0, 4.0, 6.0, 7.0, 16.5, 30.0))
    monkeypatch.setattr("service.progress.time.monotonic", lambda: next(clock))
    said = io.StringIO()
    with progress.steps(Console(file=said, width=200)) as show:
        show("learning", 0, None)
        show("asking", 0, 100)
        show("asking", 10, 100)
        show("asking", 20, 100)
        show("asking", 50, 100)
        show("weighing", 0, None)
    assert said.getvalue().splitlines() == [
        "asking: 10 of 100, 18 s left",
        "asking: 50 of 100, 12 s left",
        "weighing",
    ]
