"""A decoder that crashes, hangs, eats memory or goes astray costs one picture; its process ends with its program."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from sightline import decoding
from sightline.decoding import Decoders, Limits
from sightline.errors import EngineError, UnreadableSource
from tests.sightline.test_decoding import GOOD, TIGHT, reason_of, scans
from tests.sightline.test_media import encoded

# The real process, but for these bytes, on which it behaves as a decoder with a hole in it may
POSSESSED = """
import ctypes, os, sys, time
sys.path[:] = sys.argv[1:]
import socket
from sightline import decoder, pictures
real, hoard = pictures.opened, []
def opened(data, **options):
    if data == b"crash": ctypes.string_at(0)
    if data == b"exit": os._exit(3)
    if data == b"spin":
        while True: pass
    if data == b"sleep": time.sleep(3600)
    if data == b"eat":
        while True: hoard.append(bytearray(10_000_000))
    if data == b"babble": os.write(0, b"p" + b"\\xff" * 40)
    if data == b"poison": pictures.opened = lambda data, **options: os.abort()
    if data == b"print": print("!" * 100_000, flush=True)
    if data == b"killed": os.kill(os.getpid(), 9)
    if data == b"fork":
        os.fork()  # refused, but for root
        time.sleep(3600)
    if data.startswith(b"write "):
        with open(data[6:].decode(), "wb") as file: file.write(b"x")
    return real(data, **options)
pictures.opened = opened
send = decoder._send
def sent(link, number, size, raw, small):
    send(link, number, size, raw, small)
    if size == (7, 7): link.sendall(b"p" + bytes(30))  # what nobody asked for
decoder._send = sent
decoder.serve(socket.socket(fileno=0))
"""
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def possessed() -> Iterator[Decoders]:
    decoders = Decoders(2, command=[sys.executable, "-I", "-c", POSSESSED, *filter(None, sys.path), str(ROOT)])
    yield decoders
    decoders.close()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"crash", "its decoder crashed"),
        (b"exit", "its decoder crashed"),
        (b"spin", "decoding it takes longer than the 0.3 s allowed"),
        (b"sleep", "decoding it takes longer than the 0.3 s allowed"),
        (b"eat", "decoding it takes more memory than the 300 MB allowed"),
        (b"babble", "its decoder went astray"),
        (b"print", "not a picture in a format that is read"),
        (b"killed", "its decoder was killed, perhaps for want of memory"),
    ],
)
def test_what_a_decoder_may_do_costs_one_picture(data: bytes, reason: str, possessed: Decoders) -> None:
    started = time.perf_counter()
    assert reason_of(data, possessed, Limits(seconds=0.3) if "0.3" in reason else TIGHT) == reason
    assert time.perf_counter() - started < 40
    assert possessed.decode(GOOD).pixels.shape == (64, 96, 3)


def test_what_a_decoder_began_ends_with_it_and_nothing_is_written(possessed: Decoders, tmp_path: Path) -> None:
    possessed.decode(GOOD)
    groups = [process.pid for process in possessed._idle]
    for _ in range(len(groups)):
        with pytest.raises(UnreadableSource, match=r"crashed|takes longer"):
            possessed.decode(b"fork", limits=Limits(seconds=0.2))
    assert not [group for group in groups if _run_in(group)]
    with pytest.raises(UnreadableSource, match="crashed"):
        possessed.decode(b"write " + os.fsencode(tmp_path / "here"), limits=TIGHT)
    assert not [path for path in tmp_path.iterdir() if path.stat().st_size]


def test_a_program_that_is_not_told_of_its_children_decodes_as_well(possessed: Decoders) -> None:
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        for _ in range(2):
            assert reason_of(b"crash", possessed) == "its decoder crashed"
            assert possessed.decode(GOOD).pixels.shape == (64, 96, 3)
    finally:
        signal.signal(signal.SIGCHLD, before)


def test_words_after_an_answer_are_not_taken_for_the_next_picture(possessed: Decoders) -> None:
    odd = encoded(Image.new("RGB", (7, 7)), "PNG")
    for _ in range(3):
        assert possessed.decode(odd).pixels.shape == (7, 7, 3)
        assert possessed.decode(GOOD).pixels.shape == (64, 96, 3)


def test_the_picture_after_the_one_that_spoilt_a_process_is_not_blamed(possessed: Decoders) -> None:
    assert "not a picture" in reason_of(b"poison", possessed)
    assert possessed.decode(GOOD).pixels.shape == (64, 96, 3)


def test_a_process_killed_from_outside_is_replaced(possessed: Decoders) -> None:
    possessed.decode(GOOD)
    for process in possessed._idle:
        os.kill(process._process.pid, signal.SIGKILL)
    assert possessed.decode(GOOD).pixels.shape == (64, 96, 3)


def test_many_threads_share_few_processes_and_each_gets_its_own_picture(possessed: Decoders) -> None:
    shades = list(range(0, 240, 10))
    pictures = [encoded(Image.new("RGB", (40, 30), (shade, 0, 0)), "PNG") for shade in shades]
    found: dict[int, int | str] = {}

    def work(number: int) -> None:
        try:
            if number % 6 == 5:
                possessed.decode(b"crash", limits=TIGHT)
            found[number] = int(possessed.decode(pictures[number]).pixels[0, 0, 0])
        except UnreadableSource as exc:
            found[number] = exc.reason

    threads = [threading.Thread(target=work, args=(number,)) for number in range(len(shades))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number, shade in enumerate(shades):
        assert found[number] == ("its decoder crashed" if number % 6 == 5 else shade)
    assert len(possessed._idle) <= 2


# -- processes come and go ---------------------------------------------------------------------------------------------


def test_without_a_process_there_is_a_clear_error() -> None:
    with pytest.raises(EngineError, match="no process to decode pictures in can be started"):
        Decoders(1, command=["/nowhere/python"]).decode(GOOD)
    with pytest.raises(EngineError, match="did not start"):
        Decoders(1, command=[sys.executable, "-c", "raise SystemExit(1)"]).decode(GOOD)


SCRIPT = """
import os, sys
from pathlib import Path
from sightline import decoding
data = Path(sys.argv[1]).read_bytes()
print(decoding.decode(data).shape)  # no `if __name__ == "__main__"`: this file is not run again
child = os.fork()
if child == 0:
    shape = decoding.decode(data).shape
    os._exit(0 if shape == (64, 96, 3) else 1)
assert os.waitpid(child, 0)[1] == 0
print(decoding.decode(data).shape, *(process._process.pid for process in decoding.shared()._idle), flush=True)
if len(sys.argv) > 2: os.kill(os.getpid(), 9)
"""
SETTINGS = {  # -> what comes before the interpreter
    "plain": "",
    "no standard streams": "exec 0<&- 2>&-;",
    "nowhere to write": "export TMPDIR=/nowhere HOME=/nowhere; cd /;",
    "less allowed than wanted": "ulimit -v 6000000; ulimit -t 20;",
    "a terminal that hangs up": "trap '' HUP ALRM XCPU PIPE CHLD;",
}


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("how", ["script", "-c", "stdin"])
def test_pictures_are_decoded_wherever_python_runs(how: str, setting: str, tmp_path: Path) -> None:
    script, picture = tmp_path / "script.py", tmp_path / "a.png"
    code = f"from sightline import decoding; print(decoding.pixels_of({str(picture)!r}).shape)"
    script.write_text(code)
    picture.write_bytes(GOOD)
    python = shlex.join([sys.executable, *({"script": [str(script)], "-c": ["-c", code], "stdin": ["-"]}[how])])
    if how == "stdin":
        python = f"printf %s {shlex.quote(code)} | {python}"
    ran = subprocess.run(
        ["sh", "-c", f"{SETTINGS[setting]} {python}"],
        capture_output=True, text=True, timeout=60, check=False, stdin=subprocess.DEVNULL,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert (ran.stdout, ran.stderr, ran.returncode) == ("(64, 96, 3)\n", "", 0)


def test_a_frozen_program_says_what_it_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    with pytest.raises(EngineError, match="set_executable"):
        Decoders(1).decode(GOOD)


def test_a_process_that_ended_before_its_first_picture_costs_none() -> None:
    decoders = Decoders(1)
    decoders.begin()
    (begun,) = decoders._idle
    begun.kill()
    assert decoders.decode(GOOD).pixels.shape == (64, 96, 3)
    decoders.close()


def test_many_crashes_in_a_row_cost_one_picture_each(possessed: Decoders) -> None:
    for _ in range(10):
        assert reason_of(b"crash", possessed) == "its decoder crashed"
    assert possessed.decode(GOOD).pixels.shape == (64, 96, 3)


def test_what_is_stopped_ends_at_once_and_later_pictures_get_new_processes() -> None:
    told: list[object] = []

    def work() -> None:
        with pytest.raises(EngineError, match="stopped") as caught:
            decoding.decode(scans(2000))
        told.append(caught)

    asking = threading.Thread(target=work)
    asking.start()
    while not decoding.shared()._busy:
        time.sleep(0.01)
    time.sleep(0.2)
    decoding.stop()
    asking.join(timeout=10)
    assert told
    assert decoding.decode(GOOD).shape == (64, 96, 3)


def test_a_decoder_that_hangs_ends_by_itself_when_nobody_waits_for_it_any_more(tmp_path: Path) -> None:
    code = (
        "import sys, threading, time\nfrom sightline.decoding import Decoders, Limits\n"
        "decoders = Decoders(1, command=sys.argv[1:])\n"
        "ask = lambda: decoders.decode(b'sleep', limits=Limits(seconds=0.2))\n"
        "threading.Thread(target=ask, daemon=True).start()\n"
        "while not decoders._busy or not next(iter(decoders._busy)).served: time.sleep(0.01)\n"
        "print(next(iter(decoders._busy)).pid, flush=True)\nimport os; os.kill(os.getpid(), 9)"
    )
    command = [sys.executable, "-I", "-c", POSSESSED, *filter(None, sys.path), str(ROOT)]
    ran = subprocess.run([sys.executable, "-c", code, *command], capture_output=True, text=True, check=False)
    assert ran.stderr == ""
    pid, ends_at = int(ran.stdout), time.monotonic() + 20
    while _runs(pid):
        assert time.monotonic() < ends_at
        time.sleep(0.05)


@pytest.mark.parametrize("killed", [False, True])
def test_a_plain_script_may_decode_fork_and_die(killed: bool, tmp_path: Path) -> None:
    script, picture = tmp_path / "script.py", tmp_path / "a.png"
    script.write_text(SCRIPT)
    picture.write_bytes(GOOD)
    ran = subprocess.run(
        [sys.executable, "-W", "error", str(script), str(picture), *(["killed"] if killed else [])],
        capture_output=True, text=True, timeout=120, check=False, env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert ran.stderr == ""
    assert ran.returncode == (-signal.SIGKILL if killed else 0)
    first, second = ran.stdout.splitlines()
    assert first == "(64, 96, 3)"
    assert second.startswith(first)
    ends_at = time.monotonic() + 10
    for pid in map(int, second.removeprefix(first).split()):
        while _runs(pid):
            assert time.monotonic() < ends_at, "a process outlived the program it decoded for"
            time.sleep(0.05)


def _runs(pid: int) -> bool:
    return _state(Path(f"/proc/{pid}/stat"))[0] not in ("", "Z")


def _run_in(group: int) -> list[str]:
    """What is left of a process and all that it began."""
    stats = [path for path in Path("/proc").glob("[0-9]*/stat") if _state(path)[2:3] == [str(group)]]
    return [path.parent.name for path in stats if _state(path)[0] != "Z"]


def _state(stat: Path) -> list[str]:
    """State, parent, group … of a process; a single empty one where there is none."""
    try:
        return stat.read_text().rpartition(")")[2].split()
    except OSError:
        return [""]


def test_it_loads_little_so_that_a_picture_does_not_wait_for_it() -> None:
    code = "import sightline.decoder, sys; print([m for m in ('numpy', 'pillow_heif', 'asyncio') if m in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert ran.stdout == "[]\n"


def test_keys_in_the_environment_are_not_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGHTLINE_API_KEY", "secret")
    decoders = Decoders(1)
    decoders.decode(GOOD)
    environment = Path(f"/proc/{decoders._idle[0]._process.pid}/environ")
    if environment.exists():
        assert b"secret" not in environment.read_bytes()
    decoders.close()
