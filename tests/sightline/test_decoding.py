"""What is decoded in other processes comes out as if it were decoded here, within limits that are said aloud."""

from __future__ import annotations

import io
import os
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sightline import decoding, media
from sightline.decoding import Decoders, Limits
from sightline.errors import InputError, UnreadableSource
from tests.sightline.test_media import bomb, encoded, quadrants

GOOD = encoded(quadrants(), "PNG")
TIGHT = Limits(seconds=1, memory_bytes=300_000_000)


def reason_of(data: bytes, decoders: Decoders, limits: Limits = TIGHT) -> str:
    with pytest.raises(UnreadableSource) as caught:
        decoders.decode(data, source="x", limits=limits)
    assert caught.value.source == "x"
    return caught.value.reason


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
@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
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
