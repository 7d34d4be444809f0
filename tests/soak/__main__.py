"""`python -m tests.soak`: kill writers for minutes, print what was hit and what was checked; 1 when anything broke.

Does not know how kills are made or judged.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.soak.kills import Report, Soak

STORES = ("faiss", "qdrant")


def _tell(report: Report) -> None:
    if report.total % 25 == 0:
        print(f"{report.total} kills, {len(report.problems)} problems", file=sys.stderr)


def main() -> int:
    """Run the soak from the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--kills", type=int, default=400, help="how many, at least (default 400)")
    parser.add_argument("--each", type=int, default=20, help="in each operation on each store, at least (default 20)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--store", action="append", choices=STORES, help="one store only; default: both")
    parser.add_argument("--keep", type=Path, help="work in this empty folder and leave it there")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        soak = Soak(folder, stores=given.store or STORES, seed=given.seed)
        try:
            soak.run(given.kills, each=given.each, tell=_tell)
        except KeyboardInterrupt:
            print("stopped; up to here:", file=sys.stderr)
        finally:  # also when it cannot go on, as on a full disk: what was seen so far was seen
            print(soak.report)
    return 1 if soak.report.problems else 0


if __name__ == "__main__":
    sys.exit(main())
