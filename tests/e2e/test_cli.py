"""The installed command as a shell sees it: streams, exit codes, pipes, and a service that starts and stops."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).parents[2]


def sightline(*argv: object, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "service.cli", *map(str, argv)]
    env = {**os.environ, **environment}
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=env, timeout=120, check=False)


@pytest.fixture(scope="module")
def notes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("notes")
    (folder / "tea.md").write_text("# Tea\n\nGreen tea is brewed at 80 degrees for two minutes.\n")
    (folder / "bread.md").write_text("# Bread\n\nThe oven must be at 230 degrees before the bread goes in.\n")
    return folder


@pytest.fixture(scope="module")
def index(notes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("index") / "i"
    indexed = sightline("index", notes, "--index", folder, "--json")
    assert (indexed.returncode, json.loads(indexed.stdout)["added"]) == (0, 2)
    return folder


def test_search_ask_delete_from_the_shell(index: Path, tmp_path: Path) -> None:
    at = ("--index", shutil.copytree(index, tmp_path / "i"))
    found = sightline("search", "how hot is the oven", *at, "--json")
    assert (found.returncode, found.stderr) == (0, "")
    assert json.loads(found.stdout)["hits"][0]["id"] == "bread.md"
    table = sightline("search", "oven", *at, COLUMNS="80")
    assert "\x1b" not in table.stdout
    assert max(map(len, table.stdout.splitlines())) <= 80
    asked = sightline("ask", "How long is green tea brewed?", *at, SIGHTLINE_MLLM="")
    assert asked.returncode == 0, asked.stderr
    assert "two minutes" in asked.stdout
    assert sightline("delete", "tea.md", *at).returncode == 0
    assert json.loads(sightline("info", *at, "--json").stdout)["items"] == 1


def test_failures_are_one_line_on_stderr(tmp_path: Path) -> None:
    for argv in (["search", "x", "--index", tmp_path / "none"], ["info", "--index", tmp_path / "none", "--json"]):
        failed = sightline(*argv)
        assert (failed.returncode, failed.stdout) == (2, "")
        assert failed.stderr.count("\n") == 1
        assert "sightline index SOURCE" in failed.stderr
    assert sightline("search", "x", SIGHTLINE_COLLECTION="a b").returncode == 2
    assert sightline("searhc").returncode == 2


def test_help_is_quick_and_version_is_said() -> None:
    started = time.perf_counter()
    assert "demo" in sightline("--help").stdout
    assert time.perf_counter() - started < 3  # a busy machine; alone it takes 0.3 s
    assert sightline("--version").stdout.strip()


def test_a_terminal_without_the_letters_of_a_name_shows_their_numbers(tmp_path: Path) -> None:
    (tmp_path / "thé.md").write_text("Green tea.")
    at = ("--index", tmp_path / "i")
    assert sightline("index", tmp_path / "thé.md", *at, PYTHONIOENCODING="ascii").returncode == 0
    assert r"th\xe9.md" in sightline("search", "tea", *at, PYTHONIOENCODING="ascii").stdout
    found = sightline("search", "tea", *at, "--json", PYTHONIOENCODING="ascii")
    assert (found.returncode, found.stderr) == (0, "")
    assert json.loads(found.stdout)["hits"][0]["id"] == "thé.md"


def test_a_reader_that_leaves_is_no_error(index: Path) -> None:
    command = f"{sys.executable} -m service.cli search tea --index {index} --json | head -c 1"
    shell = subprocess.run(["bash", "-c", command], capture_output=True, text=True, cwd=ROOT, timeout=60, check=False)
    assert shell.stderr == ""


def test_ctrl_c_while_indexing_is_a_sentence(tmp_path: Path) -> None:
    texts = tmp_path / "texts"
    texts.mkdir()
    for number in range(3000):
        (texts / f"{number}.md").write_text(f"Note {number} says something of its own, {number * 7919}.\n")
    listening = (
        "import runpy, signal; signal.signal(signal.SIGINT, signal.default_int_handler)"  # a background job is deaf
    )
    start = f"{listening}; runpy.run_module('service.cli', run_name='__main__')"
    command = [sys.executable, "-c", start, "index", str(texts), "--index", str(tmp_path / "i")]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as running:
        deadline = time.monotonic() + 30
        while not (tmp_path / "i" / "collections" / "default" / "write.lock").exists():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        time.sleep(0.5)
        running.send_signal(signal.SIGINT)
        _, said = running.communicate(timeout=30)
    assert (running.returncode, said) == (130, "sightline: interrupted; what was done so far is kept\n")
    (texts / "last.md").write_text("The last one.")
    again = sightline("index", texts / "last.md", "--index", tmp_path / "i")  # nothing is left that stops the next one
    assert again.returncode == 0, again.stderr


@pytest.mark.network
def test_serve_answers_says_where_and_stops_on_ctrl_c(index: Path) -> None:
    command = [sys.executable, "-m", "service.cli", "serve", "--port", "0", "--index", str(index)]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as server:
        try:
            assert server.stderr is not None
            line = server.stderr.readline()
            url = next(word for word in line.split() if word.startswith("http://127.0.0.1:"))
            deadline = time.monotonic() + 20
            while True:
                try:
                    assert httpx.get(f"{url}healthz").json() == {"status": "ok"}
                    break
                except httpx.ConnectError:
                    assert time.monotonic() < deadline, "the service did not come up"
                    time.sleep(0.1)
            found = httpx.post(f"{url}v1/collections/default/search", json={"query": "oven"}, timeout=30).json()
            assert found["hits"][0]["id"] == "bread.md"
            port = url.rstrip("/").rpartition(":")[2]
            taken = sightline("serve", "--port", port, "--index", index)
            assert (taken.returncode, "taken" in taken.stderr) == (2, True)
            server.send_signal(signal.SIGINT)
            assert server.wait(timeout=20) == 0
        finally:
            server.kill()
