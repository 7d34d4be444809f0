"""The progress of long commands: a bar with rate and time left on a terminal, a line now and then on a pipe.

Knows nothing of what is being done.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from sightline.types import Progress

LINE_EVERY_S = 10.0  # on a pipe: often enough to show life, rarely enough not to fill a log
FIRST_LINE_S = 5.0  # the first of them: enough to tell how long it will take
SPEED_OVER_S = 120.0  # time left is told by what was done within this: of slow work more than one


@contextmanager
def shown(err: Console, *, doing: str = "indexing") -> Iterator[Callable[[Progress], None]]:
    """A callback for `Sightline.add` and `Sightline.migrate` that shows how far it is on `err`."""
    if not err.is_terminal:
        yield _lines(err, doing)
        return
    with _bar(err) as bar:
        task = bar.add_task(doing, total=None, rate="")

        def show(progress: Progress) -> None:
            rate = progress.done / progress.seconds if progress.seconds > 0 else 0.0
            skipped = f"  {progress.skipped} skipped" if progress.skipped else ""
            told = f"waiting for process {progress.waiting_for}" if progress.waiting_for else f"{rate:.0f}/s{skipped}"
            bar.update(task, completed=progress.done, total=progress.total, rate=told)

        yield show


@contextmanager
def steps(err: Console) -> Iterator[Callable[[str, int, int | None], None]]:
    """A callback for work of several steps: what is being done, how much of it is done, and of how much."""
    if not err.is_terminal:
        yield _step_lines(err)
        return
    with _bar(err) as bar:
        task, doing = bar.add_task("", total=None, rate=""), ""

        def show(what: str, done: int, total: int | None) -> None:
            nonlocal doing
            if what != doing or done == 0:
                doing = what
                bar.reset(task, description=what, total=total)
            bar.update(task, completed=done, total=total)

        yield show


def _bar(err: Console) -> Bar:
    columns = (
        SpinnerColumn(finished_text=" "),
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}", style="dim"),
        TimeRemainingColumn(elapsed_when_finished=True),
    )
    return Bar(*columns, console=err, transient=True, expand=True, speed_estimate_period=SPEED_OVER_S)


def _step_lines(err: Console) -> Callable[[str, int, int | None], None]:
    doing, began, due = "", 0.0, time.monotonic() + FIRST_LINE_S

    def show(what: str, done: int, total: int | None) -> None:
        nonlocal doing, began, due
        now = time.monotonic()
        if what != doing:
            doing, began = what, now
        if now < due:
            return
        due = now + LINE_EVERY_S
        if total is not None:
            err.print(f"{what}: {done:,} of {total:,}{left_of(now - began, done, total)}")
        else:
            err.print(f"{what}: {done:,}" if done else what)

    return show


def left_of(seconds: float, done: int, total: int) -> str:
    """How long the rest will take if it goes on so, as ", 40 s left"; "" while nothing is done."""
    if not done:
        return ""
    left = seconds * max(0, total - done) / done
    units = next((size, name) for size, name in ((3600, "h"), (60, "min"), (1, "s")) if left >= 2 * size or size == 1)
    return f", {left / units[0]:.0f} {units[1]} left"


def _lines(err: Console, doing: str) -> Callable[[Progress], None]:
    due = time.monotonic() + LINE_EVERY_S

    def show(progress: Progress) -> None:
        nonlocal due
        if time.monotonic() < due:
            return
        due = time.monotonic() + LINE_EVERY_S
        if progress.waiting_for:
            err.print(f"{doing}: {progress.done:,}, waiting for process {progress.waiting_for} to be done with writing")
            return
        rate = progress.done / progress.seconds if progress.seconds > 0 else 0.0
        total = f" of {progress.total:,}" if progress.total is not None else ""
        left = left_of(progress.seconds, progress.done, progress.total) if progress.total is not None else ""
        err.print(f"{doing}: {progress.done:,}{total}, {rate:.1f} a second{left}, {progress.skipped:,} skipped")

    return show
