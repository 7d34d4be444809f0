"""What every test shares: a closed network, the folder of real data, and the rule that CI skips nothing it can run."""

from __future__ import annotations

import json
import os
import shutil
import socket
from pathlib import Path
from typing import Any

import pytest

from sightline import encoders

# A skip with another reason fails `make check`: there, everything is installed.
MAY_SKIP = ("QDRANT_URL", "no CUDA device", "strace")
_skipped: list[tuple[str, str]] = []


@pytest.fixture(autouse=True)
def closed_network(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse every connection, but for tests marked `network`, which may talk to this machine only."""
    connect = socket.socket.connect
    may_loop = request.node.get_closest_marker("network") is not None

    def guarded(self: socket.socket, address: object) -> None:
        local = self.family == socket.AF_UNIX or (
            isinstance(address, tuple) and str(address[0]) in ("127.0.0.1", "::1", "localhost")
        )
        if not local or (self.family != socket.AF_UNIX and not may_loop):
            raise OSError(f"the tests' network is closed: {address!r}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture(autouse=True)
def plain_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    """Output is as wide as it is on a pipe, whatever the terminal or the process that runs the tests says."""
    monkeypatch.delenv("COLUMNS", raising=False)


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of real data (`SIGHTLINE_TEST_DATA`); the test is skipped without it."""
    folder = os.environ.get("SIGHTLINE_TEST_DATA")
    if not folder:
        pytest.skip("SIGHTLINE_TEST_DATA is not set: this test needs real data")
    return Path(folder)


@pytest.fixture
def other(tmp_path: Path) -> str:
    """The spec of an encoder as large as the starter whose vectors mean something else."""
    folder = tmp_path / "other"
    shutil.copytree(Path(encoders.__file__).parent / "starter", folder)
    config = json.loads((folder / "config.json").read_text())
    config["image"]["mean"] = [0.1, 0.2, 0.3]
    (folder / "config.json").write_text(json.dumps(config))
    return f"onnx:{folder}"


@pytest.fixture(scope="session")
def sample() -> Path:
    """The sample catalog that ships with the service."""
    return Path(__file__).parent.parent / "service" / "sample"


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        _skipped.append((report.nodeid, reason.removeprefix("Skipped: ")))


def pytest_collectreport(report: pytest.CollectReport) -> None:
    if report.skipped:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        _skipped.append((report.nodeid, reason.removeprefix("Skipped: ")))


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """What a process of several skipped while it collected, which it alone knows."""
    _skipped.extend((nodeid, reason) for nodeid, reason in getattr(node, "workeroutput", {}).get("skipped", ()))


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Under `make check`, a skip that is not about missing hardware, a server or data fails the run."""
    if not os.environ.get("SIGHTLINE_CHECK"):
        return
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["skipped"] = _skipped
        return
    allowed = MAY_SKIP if os.environ.get("SIGHTLINE_TEST_DATA") else (*MAY_SKIP, "SIGHTLINE_TEST_DATA")
    wrong = {(node, reason) for node, reason in _skipped if not any(word in reason for word in allowed)}
    if wrong:
        print("\nThese tests should have run here:")
        for node, reason in sorted(wrong):
            print(f"  {node}: {reason}")
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
