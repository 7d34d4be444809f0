"""A process that does a fixed sequence of operations, each with a fresh opening, and says what is acknowledged.

Usage: python -m tests.soak.steps SHOP INDEX
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from random import Random

from tests.soak.attempts import opened
from tests.soak.operations import OPERATIONS, gone
from tests.soak.shop import Rows, Shop

SEQUENCE = ("add", "update", "delete", "add", "prune", "drop", "add")


def planned() -> list[tuple[str, Rows, Rows | None]]:
    """Operation, rows before and rows after, for each step."""
    rng, rows = Random(3), dict[int, int]()
    steps: list[tuple[str, Rows, Rows | None]] = []
    for operation in SEQUENCE:
        after = OPERATIONS[operation].plan(rows, rng)
        steps.append((operation, rows, after))
        rows = dict(after or {})
    return steps


def main() -> None:
    shop, index = Shop(Path(sys.argv[1])), Path(sys.argv[2])
    for number, (operation, before, after) in enumerate(planned()):
        shop.write(after or {})
        with opened(shop, index, "faiss") as collection:
            OPERATIONS[operation].run(collection, shop, gone(before, after))
            os.write(2, f"acknowledged {number}\n".encode())


if __name__ == "__main__":
    main()
