"""A gate: many searches pass side by side, or one change of what is searched.

Does not know what is searched. Who waits to change it is let through before searches that come later.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator


class Gate:
    """Many searches, or one change of what is searched. A search must not begin another within itself."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._searches = 0
        self._waiting = 0

    @contextlib.contextmanager
    def read(self) -> Iterator[None]:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting == 0)
            self._searches += 1
        try:
            yield
        finally:
            with self._changed:
                self._searches -= 1
                self._changed.notify_all()

    @contextlib.contextmanager
    def write(self) -> Iterator[None]:
        with self._changed:
            self._waiting += 1
            try:
                self._changed.wait_for(lambda: self._searches == 0)
                yield
            finally:
                self._waiting -= 1
                self._changed.notify_all()
