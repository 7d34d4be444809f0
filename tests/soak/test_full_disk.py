"""A disk that is full in the middle of an operation: a clear sentence, nothing lost, and on it goes with room again."""

from __future__ import annotations

import resource
from collections.abc import Mapping
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from sightline.errors import SightlineError
from tests.soak.attempts import PROCESSES, Task, attempt, opened
from tests.soak.operations import OPERATIONS
from tests.soak.shop import Rows, Shop, Truth, name
from tests.soak.verdicts import Case, judge

BEFORE: Rows = {number: number % 4 for number in range(12)}
OPERATED: Mapping[str, Rows] = {
    "add": {number: number % 4 for number in range(30)},
    "update": {number: (number + 1) % 4 for number in range(12)},
    "delete": {},
}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> tuple[Shop, dict[tuple[int, int], Truth]]:
    made = Shop(tmp_path_factory.mktemp("shop"))
    return made, made.truth()


def _crammed(task: Task, most_bytes: int, said: Connection) -> None:
    """The operation in a process whose files may not grow beyond a size."""
    with opened(task.shop, task.index, task.store) as index:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, most_bytes))
        try:
            OPERATIONS[task.operation].run(index, task.shop, task.gone)
            said.send("")
        except SightlineError as exc:
            said.send(f"{type(exc).__name__}: {exc}")


@pytest.mark.parametrize("operation", OPERATED)
def test_a_full_disk(operation: str, shop: tuple[Shop, dict[tuple[int, int], Truth]], tmp_path: Path) -> None:
    made, truth = shop
    after, index = OPERATED[operation], tmp_path / "index"
    made.write(BEFORE)
    task = Task(made, index, "faiss", "add", [])
    assert attempt(task).done
    with opened(made, index, "faiss"):
        pass  # whose closing empties the logs
    made.write(after)
    task = replace(task, operation=operation, gone=[name(number) for number in BEFORE if number not in after])
    said = []
    for power in range(12, 27):
        here, there = PROCESSES.Pipe(duplex=False)
        process = PROCESSES.Process(target=_crammed, args=(task, 2**power, there))
        process.start()
        there.close()
        said.append(here.recv().replace(str(tmp_path), ""))
        process.join()
        assert process.exitcode == 0
        if not said[-1]:
            break
        assert "full" in said[-1], said[-1]
    assert len(said) > 2, "the disk was never full"
    assert said[-1] == "", "there was never room enough"
    verdict = judge(Case(made, truth, index, "faiss", operation, BEFORE, after, done=True))
    assert verdict.problems == []


def test_what_a_full_disk_leaves(shop: tuple[Shop, dict[tuple[int, int], Truth]], tmp_path: Path) -> None:
    """After one failure alone: whole or absent, and the next run goes on."""
    made, truth = shop
    for most in (60_000, 120_000, 200_000):
        index = tmp_path / str(most)
        made.write(OPERATED["add"])
        here, there = PROCESSES.Pipe(duplex=False)
        task = Task(made, index, "faiss", "add", [])
        process = PROCESSES.Process(target=_crammed, args=(task, most, there))
        process.start()
        there.close()
        done = not here.recv()
        process.join()
        verdict = judge(Case(made, truth, index, "faiss", "add", {}, OPERATED["add"], done))
        assert verdict.problems == []
