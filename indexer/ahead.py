"""Work begun before its result is asked for, a few tasks at a time, results in order.

Knows nothing of what the work is.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def ahead(
    pool: ThreadPoolExecutor, work: Callable[[T], R], tasks: Iterable[T], *, depth: int
) -> Generator[R, None, None]:
    """The results in order, with at most `depth` tasks begun before they are asked for."""
    begun: deque[Future[R]] = deque()
    try:
        for task in tasks:
            begun.append(pool.submit(work, task))
            if len(begun) > depth:
                yield begun.popleft().result()
        while begun:
            yield begun.popleft().result()
    finally:
        for future in begun:
            future.cancel()
