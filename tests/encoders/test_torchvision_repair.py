"""The mend of torchvision, each case in a process of its own with a torchvision made for it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.extras import needs

ROOT = Path(__file__).parents[2]


def repaired(torchvision: str | None, folder: Path, then: str) -> subprocess.CompletedProcess[str]:
    """Run `repair()` where `import torchvision` runs the given code (None: there is none), and then `then`."""
    hide = "import sys; sys.modules['torchvision'] = None\n" if torchvision is None else ""
    if torchvision is not None:
        (folder / "torchvision.py").write_text(torchvision)
    code = f"import sys; sys.path[:0] = [{str(folder)!r}, {str(ROOT)!r}]\n{hide}"
    code += f"from sightline.encoders.torchvision_repair import repair\nrepair()\n{then}"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=folder)


@pytest.mark.parametrize("torchvision", ["healthy = True", None], ids=["healthy", "absent"])
def test_nothing_is_defined_where_nothing_is_broken(tmp_path: Path, torchvision: str | None) -> None:
    done = repaired(torchvision, tmp_path, "print('torch' in sys.modules)")
    assert (done.returncode, done.stdout.strip()) == (0, "False"), done.stderr


def test_another_failure_is_not_hidden(tmp_path: Path) -> None:
    done = repaired("raise RuntimeError('no such disk')", tmp_path, "")
    assert done.returncode == 1
    assert "no such disk" in done.stderr


def test_operators_that_are_missing_are_declared(tmp_path: Path) -> None:
    needs("torch", extra="clip")
    broken = "import torch\ntorch.library.register_fake('torchvision::nms')(lambda dets, scores, iou_threshold: dets)"
    done = repaired(broken, tmp_path, "import torchvision, torch; print(torch.ops.torchvision.nms)")
    assert (done.returncode, done.stdout.strip()) == (0, "torchvision.nms"), done.stderr
