"""Hundreds of kills, one after the other on the same collections, each judged; and the report of them.

Does not know what an operation does. The seed fixes which operation comes when, on which rows, and where it is killed
by line; where the clock hits is up to the machine.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random

from tests.soak.attempts import Fate, Task, attempt
from tests.soak.operations import OPERATIONS, gone
from tests.soak.shop import Rows, Shop, Truth
from tests.soak.verdicts import CHECKS, Case, Verdict, judge

OPENING = 0.1  # share of the kills by line that may come before the operation begins, while the collection opens
BY_CLOCK = 0.4  # share of the kills by the clock
WITHDRAWN = 0.5  # share of the kills in operations that read the catalog after which their rows are taken from it
CLOCK = 0.5  # an operation whose lines are counted takes about twice its time


def possible(store: str) -> list[str]:
    """The operations that there are on a store."""
    return [name for name, operation in OPERATIONS.items() if store in operation.stores]


@dataclass
class Report:
    """Kills by store and operation, and what was asserted after them."""

    seed: int
    kills: Counter[tuple[str, str, str]] = field(default_factory=Counter)  # store, operation, line or clock
    opening: Counter[str] = field(default_factory=Counter)  # store -> killed while it opened, before any operation
    partly: Counter[tuple[str, str]] = field(default_factory=Counter)  # killed with some rows written and some not
    late: int = 0  # kills when all was acknowledged: judged all the same
    checked: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def total(self) -> int:
        """Kills in all."""
        return self.kills.total() + self.opening.total()

    def hits(self, store: str, operation: str) -> int:
        """Kills in the middle of one operation."""
        return sum(self.kills[store, operation, how] for how in ("line", "clock"))

    def __str__(self) -> str:
        lines = [f"{self.total} kills in {self.seconds:.0f} s, seed {self.seed}; {self.late} came when all was done"]
        for store in sorted({store for store, _, _ in self.kills} | set(self.opening)):
            for operation in possible(store):
                by = [self.kills[store, operation, how] for how in ("line", "clock")]
                lines.append(
                    f"  {store:8} {operation:8} {sum(by):4} kills ({by[0]} at a line, {by[1]} by the clock), "
                    f"{self.partly[store, operation]} of them with part of it written"
                )
            lines.append(f"  {store:8} {'opening':8} {self.opening[store]:4} kills")
        lines += ["after each kill, in a fresh process:"]
        lines += [f"  {self.checked[check]:7} times: {sentence}" for check, sentence in CHECKS.items()]
        lines += [f"{len(self.problems)} did not hold", *(f"  {problem}" for problem in self.problems)]
        return "\n".join(lines)


class Soak:
    """Collections of one shop under kills; `run` goes on where the last left off."""

    def __init__(self, folder: Path, *, stores: Sequence[str], seed: int) -> None:
        self.report = Report(seed)
        self._folder = folder
        self._rng = Random(seed)
        self._shop = Shop(folder)
        self._truth: Mapping[tuple[int, int], Truth] = self._shop.truth()
        self._rows: dict[str, Rows] = {store: {} for store in stores}
        self._alone: dict[tuple[str, str], Fate] = {}  # how long an operation is when nobody kills it

    def run(self, kills: int, *, each: int = 0, tell: Callable[[Report], None] | None = None) -> Report:
        """Kill until there were so many, and so many in each operation on each store. A problem does not end it.

        `tell` is called after each kill.
        """
        started, wanted = time.monotonic(), kills + self.report.total
        while self.report.total < wanted or min(self._hits().values()) < each:
            before = self.report.total
            self._once(*self._next(each))
            self.report.seconds += time.monotonic() - started
            started = time.monotonic()
            if tell is not None and self.report.total > before:
                tell(self.report)
        return self.report

    def _hits(self) -> dict[tuple[str, str], int]:
        return {(store, name): self.report.hits(store, name) for store in self._rows for name in possible(store)}

    def _next(self, each: int) -> tuple[str, str]:
        """The operation hit least so far, among those that the rows there allow; when all had their share, on the first
        store only, whose kills are the quickest."""
        enough = min(self._hits().values()) >= each
        stores = list(self._rows)[:1] if enough else list(self._rows)
        hits = [(count, self._rng.random(), key) for key, count in self._hits().items() if key[0] in stores]
        for _, _, (store, operation) in sorted(hits):
            if len(self._rows[store]) >= OPERATIONS[operation].needs:
                return store, operation
        raise AssertionError("no operation is possible")

    def _once(self, store: str, operation: str) -> None:
        before = self._rows[store]
        after = OPERATIONS[operation].plan(before, self._rng)
        if ready := OPERATIONS[operation].ready:
            ready(self._shop)
        if after is not None:
            self._shop.write(after)
        task = Task(self._shop, self._folder / store, store, operation, gone(before, after))
        fate, how = self._attempt(task)
        withdrawn = OPERATIONS[operation].reads and self._rng.random() < WITHDRAWN
        case = Case(self._shop, self._truth, task.index, store, operation, before, after, fate.done, withdrawn)
        self._count(case, fate, how, judge(case))
        self._rows[store] = after or {}

    def _attempt(self, task: Task) -> tuple[Fate, str]:
        """The first attempt at each operation is let be and measured; it is killed when it has said that it is done."""
        known = self._alone.get((task.store, task.operation))
        if known is None:
            fate = self._alone[task.store, task.operation] = attempt(replace(task, count=True))
            return fate, "nothing"
        if self._rng.random() < BY_CLOCK:
            return attempt(task, kill_after_s=self._rng.uniform(0, known.seconds * CLOCK)), "clock"
        begun, end = known.lines
        first, last = (1, begun) if self._rng.random() < OPENING else (begun + 1, end)
        return attempt(replace(task, die_at=self._rng.randint(first, last))), "line"

    def _count(self, case: Case, fate: Fate, how: str, verdict: Verdict) -> None:
        report = self.report
        if fate.done:
            report.late += 1
        elif fate.began:
            report.kills[case.store, case.operation, how] += 1
            report.partly[case.store, case.operation] += 0 < verdict.written < verdict.changed
        else:
            report.opening[case.store] += 1
        report.checked += verdict.checked
        where = f"{case.store} {case.operation}, kill {report.total} by {how}"
        report.problems += [f"{where}: {problem}" for problem in verdict.problems]
