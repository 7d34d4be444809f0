"""A thousand odd, rare and broken files: every one has an outcome, none stops the job, memory stays small."""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
from pathlib import Path

FILES = 1031
SCRIPT = """
import json, re, sys
from pathlib import Path
import indexer
from sightline.encoders import open_encoder
from sightline.stores import open_store

folder, source = Path(sys.argv[1]), sys.argv[2]
folder.mkdir()
store, ledger = open_store("faiss", folder, collection="odd"), indexer.Ledger(folder)
encoder, options = open_encoder("starter"), indexer.IndexOptions()
reports = [indexer.add([source], encoder=encoder, store=store, ledger=ledger, options=options) for _ in range(2)]
print(json.dumps({
    "first": reports[0].to_json(), "second": reports[1].to_json(), "images": [report.images for report in reports],
    "items": store.stats().items, "noted": len(ledger.skipped()),
    "peak_mb": int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text()).group(1)) / 1024,
}))
"""


def test_every_odd_image_has_an_outcome(data: Path, tmp_path: Path) -> None:
    source = tmp_path / "odd"
    with tarfile.open(data / "odd_images.tar") as tar:
        tar.extractall(source, filter="data")
    assert sum(path.is_file() for path in source.rglob("*")) == FILES
    command = [sys.executable, "-W", "error", "-c", SCRIPT, str(tmp_path / "index"), str(source)]
    root = Path(__file__).parents[2]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, cwd=root, timeout=200)
    assert ran.returncode == 0, ran.stderr[-2000:]
    assert ran.stderr == ""
    told = json.loads(ran.stdout)
    first, second = told["first"], told["second"]
    print(f"\n{first['added']} of {FILES} indexed in {first['seconds']:.1f} s, peak {told['peak_mb']:.0f} MB")

    assert first["added"] + len(first["skipped"]) == FILES
    assert first["added"] >= 800
    assert told["items"] == first["added"]
    assert told["noted"] == len(first["skipped"])
    assert told["peak_mb"] < 1000
    for skipped in first["skipped"]:
        assert skipped["reason"]
        assert not any(raw in skipped["reason"] for raw in ("Error", "Exception", "<", "0x", "Traceback"))

    assert second["unchanged"] == first["added"]
    assert sorted(map(str, second["skipped"])) == sorted(map(str, first["skipped"]))
    assert told["images"][1] == 0
