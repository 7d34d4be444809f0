"""Every figure the docs quote, by one command; each benchmark runs in a process of its own, one after the other.

    python -m benchmarks --data DIR [--only NAME ...] [--out benchmarks/results]

One benchmark with options of its own: `python -m benchmarks.NAME --help`.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

# Which of --data and --out each one takes, and what it measures.
BENCHMARKS: Mapping[str, tuple[tuple[str, ...], str]] = {
    "retrieval": (("data", "out"), "how well it finds"),
    "showing": (("data", "out"), "what folding, diversity and sorting do to the first hits"),
    "regions": (("data", "out"), "what regions of pictures find, and what they cost"),
    "negatives": (("data", "out"), "how far what is not wanted is pushed away"),
    "explain": (("data", "out"), "whether the map of an explanation points at what is named"),
    "wording": (("data", "out"), "what slips, word order and length of a query do"),
    "relevance": (("data", "out"), "does it know when nothing matches"),
    "feedback": (("data", "out"), "what liked and disliked hits add, round by round"),
    "answers": (("data",), "how well it answers"),
    "adapt": (("data", "out"), "what pairs teach it"),
    "slices": (("data", "out"), "each channel, fusion and a second look, by what is asked"),
    "reranking": (("data", "out"), "what a second look by a vision-language model adds"),
    "vision": (("data", "out"), "what that model says of pictures"),
    "catalog_check": (("data", "out"), "faults found in catalogs, and copies among pictures"),
    "stores": (("data", "out"), "kinds of index by size: recall, time, memory"),
    "speed": (("out",), "pictures and searches a second"),
    "decoding": (("out",), "what decoding in processes of their own costs"),
    "transfer": (("out",), "export, import, snapshot and restore: time, memory"),
    "first_minute": (("out",), "from nothing to the first hit"),
}


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Every figure the docs quote, one benchmark after the other.",
        epilog="\n".join(f"  {name:<15}{measures}" for name, (_, measures) in BENCHMARKS.items()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", type=Path, required=True, help="folder that holds the tars")
    parser.add_argument("--only", nargs="+", choices=BENCHMARKS, default=list(BENCHMARKS), metavar="NAME")
    parser.add_argument("--out", type=Path, help="folder to write the figures to")
    given = parser.parse_args()
    options = {"data": ["--data", str(given.data)], "out": ["--out", str(given.out)] if given.out else []}
    failed = []
    for name in given.only:
        print(f"\n== benchmarks.{name}", flush=True)
        arguments = [argument for taken in BENCHMARKS[name][0] for argument in options[taken]]
        if subprocess.run([sys.executable, "-m", f"benchmarks.{name}", *arguments], check=False).returncode:
            failed.append(name)
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
