"""Fuzzed files of every format, and trees that bite: one outcome for each file, the good ones are in, nothing hangs."""

from __future__ import annotations

import io
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sightline.decoding import Limits
from tests.indexer.indexing import Collection, png
from tests.sightline.test_decoding import scans
from tests.sightline.test_media import bomb

KINDS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "HEIF", "JPEG2000", "ICO", "PPM", "TGA", "QOI", "PSD")
WAYS = 7
ROUNDS = int(os.environ.get("SIGHTLINE_FUZZ_ROUNDS", "1"))  # of every way to spoil a file of every kind


def _seeds() -> dict[str, list[bytes]]:
    """Files of every kind that Pillow writes, in the variants that decoders treat differently."""
    import pillow_heif

    pillow_heif.register_heif_opener()
    coarse = Image.fromarray(np.random.default_rng(3).integers(0, 256, (12, 16, 3), dtype=np.uint8))
    photo = coarse.resize((160, 120), Image.Resampling.BICUBIC)
    clear = photo.copy()
    clear.putalpha(Image.linear_gradient("L").resize(photo.size))
    turned = Image.Exif()
    turned[0x0112] = 6
    variants: dict[str, list[tuple[Image.Image, dict[str, object]]]] = {
        "JPEG": [
            (photo, {}),
            (photo, {"progressive": True}),
            (photo.convert("CMYK"), {}),
            (photo.convert("L"), {}),
            (photo, {"exif": turned, "icc_profile": b"no profile" * 30, "subsampling": 0}),
        ],
        "PNG": [(photo, {}), (clear, {}), (photo.quantize(16), {}), (photo.convert("I;16"), {})],
        "WEBP": [
            (photo, {}),
            (clear, {"lossless": True}),
            (photo, {"save_all": True, "append_images": [photo.rotate(180)]}),
        ],
        "GIF": [(photo, {}), (photo, {"save_all": True, "append_images": [coarse], "interlace": True})],
        "TIFF": [(photo, {"compression": packed}) for packed in ("raw", "tiff_lzw", "jpeg", "tiff_adobe_deflate")],
        "AVIF": [(photo, {}), (clear, {})],
        "HEIF": [(photo, {}), (clear, {})],
    }
    made: dict[str, list[bytes]] = {}
    for kind in KINDS:
        if kind == "PSD":  # which Pillow reads and does not write
            head = (
                b"8BPS\0\1" + b"\0" * 6 + b"\0\3" + (120).to_bytes(4, "big") + (160).to_bytes(4, "big") + b"\0\x08\0\3"
            )
            made[kind] = [head + b"\0" * 12 + b"\0\0" + photo.tobytes()]
            continue
        for picture, options in variants.get(kind, [(photo, {})]):
            out = io.BytesIO()
            picture.save(out, kind, **options)
            made.setdefault(kind, []).append(out.getvalue())
    return made


def spoilt(data: bytes, way: int, chance: random.Random) -> bytes:
    """One of seven ways: bytes changed anywhere or in the head, sizes blown up, cut, doubled, taken out, mixed up."""
    raw = bytearray(data)
    if way == 0:
        for _ in range(chance.randint(1, 30)):
            raw[chance.randrange(len(raw))] = chance.randrange(256)
    elif way == 1:
        for _ in range(chance.randint(1, 8)):
            raw[chance.randrange(min(len(raw), 200))] ^= 1 << chance.randrange(8)
    elif way == 2:
        at = chance.randrange(4, min(len(raw), 400))
        raw[at : at + 4] = chance.choice(
            (b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\0\0\0\0", b"\0\1\0\0", b"\x80\0\0\0")
        )
    elif way == 3:
        del raw[chance.randrange(len(raw)) :]
    else:
        start = chance.randrange(len(raw))
        piece = raw[start : start + chance.randint(1, 600)]
        at = chance.randrange(len(raw))
        if way == 4:
            raw[at:at] = piece * chance.randint(1, 20)
        elif way == 5:
            del raw[start : start + len(piece)]
        else:
            raw[at : at + len(piece)] = bytes(reversed(piece))
    return bytes(raw)


def _fuzzed() -> Iterator[tuple[str, bytes]]:
    for kind, files in _seeds().items():
        for number, data in enumerate(files):
            for turn in range(ROUNDS * WAYS):
                chance = random.Random(f"{kind} {number} {turn}")
                yield f"{kind.lower()}-{number}-{turn}", spoilt(data, turn % WAYS, chance)


def test_fuzzed_files_of_every_format_have_one_outcome_each(tmp_path: Path, collection: Collection) -> None:
    source = tmp_path / "fuzzed"
    source.mkdir()
    for name, data in _fuzzed():
        (source / f"{name}.jpg").write_bytes(data)
    for kind, files in _seeds().items():
        (source / f"{kind.lower()}.jpg").write_bytes(files[0])
    count = sum(1 for _ in source.iterdir())
    report = collection.add(source, limits=Limits(seconds=5))
    assert report.added + len(report.skipped) == count
    assert len({skipped.source for skipped in report.skipped}) == len(report.skipped)
    assert len(collection.store.get([f"{kind.lower()}.jpg" for kind in KINDS])) == len(KINDS)
    reasons = Counter(skipped.reason for skipped in report.skipped)
    print(f"\n{report.added} of {count} indexed in {report.seconds:.0f} s;", dict(reasons))
    for reason in reasons:
        assert not any(raw in reason for raw in ("Error", "Exception", "<", "0x", "Traceback"))
    assert collection.add(source, limits=Limits(seconds=5)).unchanged == report.added


def test_a_tree_that_bites(tmp_path: Path, collection: Collection) -> None:
    source = tmp_path / "tree"
    source.mkdir()
    good = [source / "good.png", source / "pixel.png", source / "longest.png", source / "\N{GREEK SMALL LETTER PI}.png"]
    for number, (path, size) in enumerate(zip(good, ((24, 16), (1, 1), (4000, 1), (3, 3)), strict=True)):
        path.write_bytes(png(number, size))
    (source / "zero.png").write_bytes(b"")
    (source / "bomb.png").write_bytes(bomb(10_000, 10_000))
    (source / "slow.jpg").write_bytes(scans(2000))
    (source / "words.png").write_text("no picture")
    (source / "archive.zip").write_bytes(b"PK\3\4")
    (source / "round.png").symlink_to(source / "trip.png")
    (source / "trip.png").symlink_to(source / "round.png")
    (source / "out.png").symlink_to("/etc/hostname")
    (source / "device.png").symlink_to("/dev/zero")
    (source / "self").symlink_to(source)
    os.mkfifo(source / "pipe.png")
    (tmp_path / "here").symlink_to(source)  # a socket's path is short
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(os.path.relpath(source / "socket.png"))
        report = collection.add(source, limits=Limits(seconds=1))
    assert report.added == len(good)
    assert {Path(skipped.source).name: skipped.reason for skipped in report.skipped} == {
        "zero.png": "the file is empty",
        "bomb.png": "too large: 10000 x 10000 has 100.0 million pixels, more than the 64.0 million allowed",
        "slow.jpg": "decoding it takes longer than the 1 s allowed",
        "words.png": "not a picture in a format that is read",
        "archive.zip": "an archive: index it by naming the file itself",
        "round.png": "a link to itself",
        "trip.png": "a link to itself",
        "out.png": "a link that leaves the folder",
        "device.png": "a link that leaves the folder",
        "self": "a link to a folder: links to folders are not followed",
        "pipe.png": "not a regular file",
        "socket.png": "not a regular file",
    }


def test_names_that_are_not_unicode_are_rows_of_the_report(tmp_path: Path, collection: Collection) -> None:
    source = tmp_path / "tree"
    (source / "fine").mkdir(parents=True)
    (source / "fine" / "a.png").write_bytes(png(1))
    odd = Path(os.fsdecode(os.fsencode(source) + b"/caf\xe9"))
    try:
        odd.mkdir()
    except OSError:
        pytest.skip("this file system takes only valid Unicode as a name: no broken one can be made")
    shutil.copyfile(source / "fine" / "a.png", odd / "b.png")
    (source / "link.png").symlink_to(odd / "b.png")
    report = collection.add(source)
    assert report.added == 1
    assert sorted(skipped.reason for skipped in report.skipped) == [
        "a link to a file whose name is not valid Unicode",
        "the name is not valid Unicode",
    ]
    row = {"id": "r", "title": "row", "image": odd / "b.png"}
    report = collection.add(row)
    assert [skipped.reason for skipped in report.skipped] == ["the name is not valid Unicode"]
    for whole in (odd, odd / "b.png"):
        with pytest.raises(Exception, match="not valid Unicode") as caught:
            collection.add(whole)
        assert str(caught.value).encode()


def test_rows_that_name_pipes_and_devices_are_not_held_up(tmp_path: Path, collection: Collection) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    places = ["/dev/zero", "/dev/stdin", tmp_path / "pipe.png", tmp_path, "a\0b.png", "x" * 300 + ".png"]
    report = collection.add(*({"id": n, "title": "row", "image": str(place)} for n, place in enumerate(places)))
    assert report.added == len(places)
    assert len(report.skipped) == len(places)
    assert sum(skipped.reason == "not a regular file" for skipped in report.skipped) >= 4 - (
        not Path("/dev/stdin").exists()
    )


def test_files_that_vanish_and_change_while_they_are_read(tmp_path: Path, collection: Collection) -> None:
    source = tmp_path / "tree"
    source.mkdir()
    for number in range(300):
        (source / f"{number:03}.png").write_bytes(png(number, (60, 40)))
    stop = threading.Event()

    def disturb() -> None:
        chance = random.Random(11)
        while not stop.is_set():
            path = source / f"{chance.randrange(300):03}.png"
            if path.name > "100.png":  # the rest stays as it is
                what = chance.randrange(4)
                path.unlink(missing_ok=True)
                if what == 1:
                    path.write_bytes(png(chance.randrange(900), (90, 60))[: chance.randrange(2000)])
                elif what == 2:
                    path.write_bytes(png(chance.randrange(900), (90, 60)))
                elif what == 3:
                    os.mkfifo(path)
            stop.wait(0.0005)

    thread = threading.Thread(target=disturb)
    thread.start()
    try:
        for _ in range(3):
            report = collection.add(source)
            assert len({skipped.source for skipped in report.skipped}) == len(report.skipped)
            assert report.added + report.updated + report.unchanged + len(report.skipped) <= 300
    finally:
        stop.set()
        thread.join()
    assert len(collection.store.get([f"{number:03}.png" for number in range(101)])) == 101
    for path in source.iterdir():
        path.unlink()
    for number in range(300):
        (source / f"{number:03}.png").write_bytes(png(1000 + number))
    report = collection.add(source)
    assert report.added + report.updated == 300
    assert report.skipped == ()


SLOW = """
import sys
from pathlib import Path
from tests.indexer.indexing import Collection
Collection(Path(sys.argv[2])).add(sys.argv[1])
"""


def test_ctrl_c_does_not_wait_for_a_picture_that_takes_long(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "slow.jpg").write_bytes(scans(2000))
    listening = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"  # a background job is deaf
    command = [sys.executable, "-c", f"{listening}\n{SLOW}", str(tmp_path / "tree"), str(tmp_path / "index")]
    with subprocess.Popen(command, cwd=Path(__file__).parents[2], stderr=subprocess.PIPE, text=True) as running:
        deadline = time.monotonic() + 60
        while not (children := _busy_children(running.pid)):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        running.send_signal(signal.SIGINT)
        started = time.monotonic()
        _, said = running.communicate(timeout=60)
    assert "KeyboardInterrupt" in said
    assert time.monotonic() - started < 10
    assert not [pid for pid in children if Path(f"/proc/{pid}").exists()]


def _busy_children(pid: int) -> list[str]:
    """Children of a process that have worked for half a second."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            told = path.read_text().rpartition(")")[2].split()
            if told[1] == str(pid) and int(told[11]) > 50:  # user time in hundredths of a second
                found.append(path.parent.name)
    return found


def test_odd_images_from_their_archive_come_out_as_from_a_folder(data: Path, tmp_path: Path) -> None:
    outcomes = []
    with tarfile.open(data / "odd_images.tar") as tar:
        tar.extractall(tmp_path / "odd", filter="data")
    for number, source in enumerate((data / "odd_images.tar", tmp_path / "odd")):
        opened = Collection(tmp_path / f"index{number}")
        report = opened.add(source)
        outcomes.append((report.added, Counter(skipped.reason for skipped in report.skipped)))
        opened.close()
    (inside, reasons), (outside, named) = outcomes
    assert inside == outside
    assert sum(reasons.values()) == sum(named.values())
