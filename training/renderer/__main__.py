"""The command `python -m training.renderer --seed N --out DIR`, which writes the sample catalog.
It knows only its two options."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from training.renderer.catalog import write_catalog


def main() -> int:
    """Write the sample catalog and say how large it became."""
    parser = argparse.ArgumentParser(prog="python -m training.renderer", description="Write the sample catalog.")
    parser.add_argument("--seed", type=int, default=7, help="the lot all products are drawn from (default: 7)")
    parser.add_argument("--out", type=Path, default=Path("service/sample"), help="the folder to write to")
    options = parser.parse_args()
    count = write_catalog(options.out, options.seed)
    size = sum(f.stat().st_size for f in options.out.rglob("*") if f.is_file())
    sys.stdout.write(f"{count} products, {size / 1e6:.1f} MB in {options.out}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
