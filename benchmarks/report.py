"""Runs a benchmark's tasks, says which machine and which code a figure comes from, and writes figures down when asked.

Knows nothing of what is measured.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sightline.encoders import open_encoder
from sightline.settings import Settings


def run(name: str, about: str | None, tasks: Mapping[str, Callable[[Path, str, Path], Any]]) -> None:
    """A benchmark's command line: every task of (data, encoder, an empty folder) that is asked for, and its figures."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(), help="folder that holds the tars")
    parser.add_argument("--encoder", default="starter", metavar="SPEC")
    parser.add_argument("--only", nargs="*", choices=tasks, default=list(tasks))
    parser.add_argument("--out", type=Path, help="folder to write the figures to")
    asked = parser.parse_args()
    figures: dict[str, Any] = {"circumstances": circumstances(encoder=asked.encoder)}
    open_encoder(asked.encoder)  # a bad spec is told at once
    with tempfile.TemporaryDirectory() as work:
        for task in asked.only:
            folder = Path(work) / task
            folder.mkdir()
            figures[task] = tasks[task](asked.data, asked.encoder, folder)
    write(asked.out, name, figures)


def circumstances(*, encoder: str, threads: int | None = None) -> dict[str, Any]:
    """Machine, threads, versions, commit and time: what a figure is worth nothing without."""
    load, _, _ = os.getloadavg()
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _git("rev-parse", "--short=12", "HEAD") + ("+changes" if _changed() else ""),
        "machine": _processor(),
        "cores": os.cpu_count(),
        "load_at_start": round(load, 2),  # of other work: above 0.5, quote ratios only
        "python": platform.python_version(),
        "encoder": encoder,
        "text_encoder": Settings.read().text_encoder,
        "threads": threads or "the encoder's default",
    }


def write(out: Path | None, name: str, figures: dict[str, Any]) -> None:
    """Print `figures`, and keep them as `out`/NAME-COMMIT.json when there is an `out`."""
    text = json.dumps(figures, indent=2)
    print(text)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        path = out / f"{name}-{figures['circumstances']['commit']}.json"
        path.write_text(text + "\n")
        print(f"written: {path}")


def _git(*args: str) -> str:
    done = subprocess.run(["git", *args], capture_output=True, text=True, check=False, cwd=Path(__file__).parent)
    return done.stdout.strip() if done.returncode == 0 else "unknown"


def _changed() -> bool:
    """Whether the checkout differs from its commit; figures that were just written are no change of the code."""
    return bool(_git("status", "--porcelain", "--", ":/", ":(top,exclude)benchmarks/results"))


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    names = [line for line in info.read_text().splitlines() if line.startswith("model name")] if info.is_file() else []
    return names[0].partition(":")[2].strip() if names else platform.processor() or platform.machine()
