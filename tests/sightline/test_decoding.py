"""A decoder that crashes, hangs, eats memory or goes astray costs one picture, and the next one is decoded as ever."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sightline import decoding, media
from sightline.decoding import Decoders, Limits
from sightline.errors import EngineError, InputError, UnreadableSource
from tests.sightline.test_media import bomb, encoded, quadrants

# The real process, but for these bytes, on which it behaves as a decoder with a hole in it may
POSSESSED = """
import ctypes, os, sys, time
sys.path[:] = sys.argv[1:]
import socket
from sightline import decoder, media
real, hoard = media.decode, []
def decode(data, **options):
    if data == b"crash": ctypes.string_at(0)
    if data == b"exit": os._exit(3)
    if data == b"spin":
        while True: pass
    if data == b"sleep": time.sleep(3600)
    if data == b"eat":
        while True: hoard.append(bytearray(10_000_000))
    if data == b"babble": os.write(0, b"p" + b"\\xff" * 40)
    if data == b"poison": media.decode = lambda data, **options: os.abort()
    if data == b"print": print("!" * 100_000, flush=True)
    return real(data, **options)
media.decode = decode
decoder.serve(socket.socket(fileno=0))
"""
GOOD = encoded(quadrants(), "PNG")
TIGHT = Limits(seconds=1, memory_bytes=300_000_000)


@pytest.fixture(scope="module")
def possessed() -> Iterator[Decoders]:
    decoders = Decoders(2, command=[sys.executable, "-I", "-c", POSSESSED, *filter(None, sys.path), str(Path.cwd())])
    yield decoders
    decoders.close()


def reason_of(data: bytes, decoders: Decoders, limits: Limits = TIGHT) -> str:
    with pytest.raises(UnreadableSource) as caught:
        decoders.decode(data, source="x", limits=limits)
    assert caught.value.source == "x"
    return caught.value.reason


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"crash", "its decoder crashed"),
        (b"exit", "its decoder crashed"),
        (b"spin", "decoding it takes longer than the 1 s allowed"),
        (b"sleep", "decoding it takes longer than the 1 s allowed"),
        (b"eat", "decoding it takes more memory than the 300 MB allowed"),
        (b"babble", "its decoder went astray"),
        (b"print", "not a picture in a format that is read"),
    ],
)
def test_what_a_decoder_may_do_costs_one_picture(data: bytes, reason: str, possessed: Decoders) -> None:
    started = time.perf_counter()
    assert reason_of(data, possessed) == reason
    assert time.perf_counter() - started < 40
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


# -- real files --------------------------------------------------------------------------------------------------------


def test_pixels_and_thumbnail_are_those_of_media() -> None:
    for kind in ("JPEG", "PNG", "WEBP", "GIF", "AVIF", "TIFF"):
        data = encoded(quadrants(1500, 1000), kind)
        pixels = media.decode(data)
        made = decoding.shared().decode(data, thumbnail=True)
        assert (made.pixels == pixels).all()
        assert made.thumbnail == media.thumbnail(pixels)
        assert (decoding.decode(data) == pixels).all()


def test_reasons_come_through() -> None:
    for data in (b"", b"just words", bomb(9000, 9000), bomb(1, 200_000), GOOD[:60], b"%PDF-1.7\n"):
        with pytest.raises(UnreadableSource) as here:
            media.decode(data, source="x")
        assert reason_of(data, decoding.shared()) == here.value.reason
    assert "more than the 0.0 million" in reason_of(GOOD, decoding.shared(), Limits(pixels=6143))


def scans(count: int) -> bytes:
    """A progressive JPEG that says the same over and over: every scan goes over all of its 36 million pixels."""
    data = encoded(Image.new("L", (6000, 6000), 128), "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    return data[:last] + data[last:-2] * count + data[-2:]


def test_a_small_file_that_would_be_decoded_for_minutes_is_given_up() -> None:
    data = scans(2000)
    assert len(data) < 3_000_000
    started = time.perf_counter()
    assert reason_of(data, decoding.shared(), Limits(seconds=1)) == "decoding it takes longer than the 1 s allowed"
    assert time.perf_counter() - started < 20
    assert decoding.decode(scans(1)).shape == (1024, 1024, 3)


def test_a_picture_that_takes_more_memory_than_allowed_says_so() -> None:
    data = encoded(quadrants(6000, 4000), "WEBP", quality=50)  # takes some 370 MB
    assert reason_of(data, decoding.shared(), Limits(memory_bytes=100_000_000)).endswith(
        "takes more memory than the 100 MB allowed"
    )
    assert decoding.decode(data).shape[2] == 3


@pytest.mark.parametrize(("width", "height"), [(1, 1), (1, 5000), (5000, 1), (8000, 8000)])
@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_from_one_pixel_to_the_most_that_are_allowed(width: int, height: int, kind: str) -> None:
    data = encoded(Image.new("RGB", (width, height), (200, 0, 0)), kind)
    pixels = decoding.decode(data)
    assert pixels.shape[0] * pixels.shape[1] <= media.WORKING_PIXELS
    assert np.abs(pixels.mean(axis=(0, 1)) - (200, 0, 0)).max() < 4


def test_a_hundred_million_pixels_are_refused_before_they_are_decoded() -> None:
    out = io.BytesIO()
    Image.new("1", (10_000, 10_000)).save(out, "PNG")
    assert "10000 x 10000 has 100.0 million pixels" in reason_of(out.getvalue(), decoding.shared())
    assert "60000 x 60000 has 3,600.0 million pixels, more than the 64.0" in reason_of(
        bomb(60_000, 60_000), decoding.shared()
    )


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


@pytest.mark.parametrize("killed", [False, True])
def test_a_plain_script_may_decode_fork_and_die(killed: bool, tmp_path: Path) -> None:
    script, picture = tmp_path / "script.py", tmp_path / "a.png"
    script.write_text(SCRIPT)
    picture.write_bytes(GOOD)
    root = str(Path(__file__).parents[2])
    ran = subprocess.run(
        [sys.executable, "-W", "error", str(script), str(picture), *(["killed"] if killed else [])],
        capture_output=True, text=True, timeout=120, check=False, env=os.environ | {"PYTHONPATH": root},
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
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_keys_in_the_environment_are_not_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGHTLINE_API_KEY", "secret")
    decoders = Decoders(1)
    decoders.decode(GOOD)
    environment = Path(f"/proc/{decoders._idle[0]._process.pid}/environ")
    if environment.exists():
        assert b"secret" not in environment.read_bytes()
    decoders.close()


# -- what a query shows ------------------------------------------------------------------------------------------------


def test_the_pixels_of_whatever_a_caller_has(tmp_path: Path) -> None:
    pixels = np.zeros((3, 4, 3), np.uint8)
    assert decoding.pixels_of(pixels) is pixels
    (tmp_path / "a.png").write_bytes(GOOD)
    for given in (GOOD, tmp_path / "a.png", str(tmp_path / "a.png")):
        assert decoding.pixels_of(given).shape == (64, 96, 3)
    with pytest.raises(InputError, match="uint8"):
        decoding.pixels_of(np.zeros((3, 4, 3), np.float32))
    with pytest.raises(InputError, match="there is no such file"):
        decoding.pixels_of(tmp_path / "b.png")


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="there is no endless file here")
def test_a_query_picture_that_never_ends_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for place in (Path("/dev/zero"), tmp_path, tmp_path / "pipe"):
        with pytest.raises(InputError, match="not a regular file"):
            decoding.pixels_of(place)
