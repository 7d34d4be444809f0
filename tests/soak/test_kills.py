"""A score of kills, each judged; `make soak` makes hundreds."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.soak.kills import Soak
from tests.soak.operations import OPERATIONS


@pytest.mark.parametrize(("store", "kills"), [("faiss", 14), ("qdrant", 6)])
def test_kills(store: str, kills: int, tmp_path: Path) -> None:
    report = Soak(tmp_path, stores=[store], seed=7).run(kills)
    assert report.problems == []
    assert report.total >= kills
    assert sum(report.hits(store, operation) > 0 for operation in OPERATIONS) >= min(len(OPERATIONS), kills // 2)
    assert min(report.checked[check] for check in ("kept", "whole", "found", "counts", "ledger", "idle")) > kills
    assert report.checked["withdrawn"] > 0
