"""Every figure the docs quote, by one command; each benchmark runs in a process of its own, one after the other.

python -m benchmarks --data DIR [--out benchmarks/results]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder that holds the tars")
    parser.add_argument("--out", type=Path, help="folder to write the figures to")
    given = parser.parse_args()
    out = ["--out", str(given.out)] if given.out else []
    data = ["--data", str(given.data)]
    runs = (
        ["retrieval", *data, *out],
        ["answers", *data],
        ["adapt", *data, *out],
        ["catalog_check", *data, *out],
        ["speed", *out],
        ["first_minute", *out],
    )
    failed = []
    for name, *arguments in runs:
        print(f"\n== benchmarks.{name}", flush=True)
        if subprocess.run([sys.executable, "-m", f"benchmarks.{name}", *arguments], check=False).returncode:
            failed.append(name)
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
