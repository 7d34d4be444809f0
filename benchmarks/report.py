"""Says which machine and which code a figure comes from, and writes figures down when asked.

Knows nothing of what is measured.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any


def circumstances(*, encoder: str, threads: int | None = None) -> dict[str, Any]:
    """Machine, threads, versions, commit and time: what a figure is worth nothing without."""
    load, _, _ = os.getloadavg()
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _git("rev-parse", "--short=12", "HEAD") + ("+changes" if _git("status", "--porcelain") else ""),
        "machine": _processor(),
        "cores": os.cpu_count(),
        "load_at_start": round(load, 2),  # of other work: above 0.5, quote ratios only
        "python": platform.python_version(),
        "encoder": encoder,
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


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    names = [line for line in info.read_text().splitlines() if line.startswith("model name")] if info.is_file() else []
    return names[0].partition(":")[2].strip() if names else platform.processor() or platform.machine()
