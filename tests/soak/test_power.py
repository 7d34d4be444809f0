"""Power cuts at every fsync of a row of operations: what was acknowledged is there, the rest is whole or absent."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest

from tests.soak.power import Call, Disk, traced
from tests.soak.shop import Shop, Truth
from tests.soak.steps import planned
from tests.soak.verdicts import Case, look

ROOT = Path(__file__).parents[2]
STEPS = planned()


@dataclass(frozen=True)
class Recorded:
    """What a process did to the disk, and what is right."""

    shop: Shop
    truth: Mapping[tuple[int, int], Truth]
    folder: Path
    calls: list[Call]

    def cuts(self, calls: list[Call], left: Path, *, torn: Random | None = None) -> Iterator[tuple[Call, Case]]:
        """After every call that puts something on disk, what a power cut then leaves, and what it is to be."""
        disk, step = Disk(self.folder), 0
        for call in calls:
            step += call.data.startswith(b"acknowledged")
            if step == len(STEPS):
                return
            if disk.do(call) and call.name in ("sync", "mkdir", "rename", "unlink"):
                disk.left(left, torn=torn)
                operation, before, after = STEPS[step]
                yield call, Case(self.shop, self.truth, left / "index", "faiss", operation, before, after, done=False)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    folder = tmp_path_factory.mktemp("power")
    try:
        subprocess.run(["strace", "-o", folder / "try", "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("strace is not installed or may not trace here")
    (folder / "shop").mkdir()
    (folder / "disk").mkdir()
    shop = Shop(folder / "shop")
    truth = shop.truth()
    steps = [sys.executable, "-m", "tests.soak.steps", str(shop.folder), str(folder / "disk" / "index")]
    return Recorded(shop, truth, folder / "disk", traced(steps, folder / "log", cwd=ROOT))


@pytest.mark.parametrize("torn", [None, 1], ids=["only what was fsynced", "and some of the rest"])
def test_power_cuts(recorded: Recorded, tmp_path: Path, torn: int | None) -> None:
    cuts, problems = 0, []
    for call, case in recorded.cuts(recorded.calls, tmp_path / "left", torn=None if torn is None else Random(torn)):
        cuts += 1
        problems += [f"{case.operation}, {call.name} of {call.path}: {one}" for one in look(case).problems]
    assert cuts > 100
    assert problems == []


@pytest.mark.parametrize("name", ["items.sqlite-wal", "ledger.db-wal", "default", "collections"])
def test_a_missing_fsync_is_noticed(recorded: Recorded, tmp_path: Path, name: str) -> None:
    """The replay can fail: without the fsyncs of any of these, something that was acknowledged is lost."""
    fewer = [call for call in recorded.calls if call.name != "sync" or Path(call.path).name != name]
    assert len(fewer) < len(recorded.calls)
    assert any(look(case).problems for _, case in recorded.cuts(fewer, tmp_path / "left"))


def test_the_fsyncs_in_their_order(recorded: Recorded) -> None:
    """Names of folders before what is in them; within a batch: the doubt, the store, then the ledger."""
    calls = iter(recorded.calls)
    synced: list[list[str]] = [[]]
    for call in calls:
        if call.data.startswith(b"acknowledged"):
            synced.append([])
        if call.name == "sync" and Path(call.path).is_relative_to(recorded.folder):
            synced[-1].append(Path(call.path).relative_to(recorded.folder).name)
    add, update, delete, _, _, drop, _, _ = synced
    assert add[:6] == ["", "index", "collections", "ledger.db-journal", "default", "ledger.db-journal"]
    assert add.index("items.sqlite-journal") < add.index("items.sqlite-wal")
    acknowledging = {"items.sqlite-wal": "S", "ledger.db-wal": "L"}
    batches = "".join(acknowledging.get(name, "") for name in update if name.endswith("-wal"))
    assert re.search(r"(LSL){3,}L*$", batches)  # doubt, store, record, for each of several batches, and no store after
    deleted = "".join(acknowledging.get(name, "") for name in delete)
    # a log is fsynced once more when it is begun; what counts as a match is learned anew after all that
    assert re.search(r"LS+L+$", deleted)
    assert "collections" in drop
    assert drop.index("collections") > max(n for n, name in enumerate(drop) if name.endswith(("-wal", ".sqlite")))
