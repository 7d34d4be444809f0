"""What a newcomer waits: seconds from a clean clone to the end of `make demo`, and of a second `make demo`.

Clones the committed state into a temporary folder and installs from the package index, so the network counts.

    python -m benchmarks.first_minute [--out benchmarks/results]
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
import time
from pathlib import Path

from benchmarks.report import circumstances, write

ROOT = Path(__file__).parents[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, help="folder to write the figures to")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        clone = Path(folder) / "sightline"
        seconds = {
            "clone_s": _timed(["git", "clone", "--quiet", str(ROOT), str(clone)], Path(folder)),
            "first_demo_s": _timed(["make", "demo"], clone),
            "second_demo_s": _timed(["make", "demo"], clone),
        }
    figures = {"circumstances": circumstances(encoder="starter"), **seconds}
    write(given.out, "first_minute", figures)


def _timed(command: list[str], folder: Path) -> float:
    started = time.perf_counter()
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return round(time.perf_counter() - started, 1)


if __name__ == "__main__":
    main()
