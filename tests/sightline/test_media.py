"""Pictures of every kind are opened upright, on white, in 8-bit RGB; what cannot be opened says why."""

from __future__ import annotations

import io
import struct
import tarfile
import threading
import time
import warnings
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from sightline import media
from sightline.errors import UnreadableSource
from sightline.types import Pixels

CORNERS = {"red": (220, 20, 20), "green": (20, 200, 20), "blue": (20, 20, 220), "yellow": (230, 230, 20)}


def quadrants(width: int = 96, height: int = 64) -> Image.Image:
    """Red and green above, blue and yellow below: every turn and flip looks different."""
    picture = Image.new("RGB", (width, height))
    for number, colour in enumerate(CORNERS.values()):
        left, top = (number % 2) * width // 2, (number // 2) * height // 2
        picture.paste(colour, (left, top, left + width // 2, top + height // 2))
    return picture


def encoded(picture: Image.Image, kind: str, **options: Any) -> bytes:
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def corners(pixels: Pixels) -> list[str]:
    """The names of the colours in the four corners."""
    height, width = pixels.shape[:2]
    spots = [pixels[y, x] for y in (height // 8, -height // 8) for x in (width // 8, -width // 8)]
    return [min(CORNERS, key=lambda name: np.abs(np.subtract(CORNERS[name], spot)).sum()) for spot in spots]


def reason_of(data: bytes, **options: Any) -> str:
    with pytest.raises(UnreadableSource) as caught:
        media.decode(data, source="x", **options)
    assert caught.value.source == "x"
    return caught.value.reason


# -- upright -----------------------------------------------------------------------------------------------------------

SHOT = {  # how a camera turns the picture before it writes each orientation
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", SHOT)
def test_every_exif_orientation_comes_out_upright(orientation: int, kind: str) -> None:
    turn = SHOT[orientation]
    shot = quadrants() if turn is None else quadrants().transpose(turn)
    exif = Image.Exif()
    exif[0x0112] = orientation
    pixels = media.decode(encoded(shot, kind, exif=exif))
    assert pixels.shape == (64, 96, 3)
    assert corners(pixels) == list(CORNERS)


def test_damaged_exif_loses_the_turn_and_not_the_picture() -> None:
    data = encoded(quadrants(), "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + b"\xff" * 40)
    assert corners(media.decode(data)) == list(CORNERS)


# -- every mode --------------------------------------------------------------------------------------------------------


def with_alpha(mode: str) -> Image.Image:
    """Left half opaque dark, right half transparent black."""
    picture = Image.new("RGBA", (64, 64), (0, 0, 0, 0))
    picture.paste((40, 40, 40, 255), (0, 0, 32, 64))
    return picture.convert(mode)


@pytest.mark.parametrize(
    ("picture", "kind", "options"),
    [
        (with_alpha("RGBA"), "PNG", {}),
        (with_alpha("LA"), "PNG", {}),
        (with_alpha("RGBA"), "WEBP", {"lossless": True}),
        (with_alpha("RGBA"), "AVIF", {"quality": 95}),
        (with_alpha("RGBA"), "TIFF", {}),
        (with_alpha("PA").convert("RGBA").quantize(8), "PNG", {}),
        (with_alpha("RGBA"), "GIF", {}),
        (with_alpha("RGB"), "PNG", {"transparency": (0, 0, 0)}),
        (with_alpha("L"), "PNG", {"transparency": 0}),
    ],
)
def test_what_is_transparent_is_white(picture: Image.Image, kind: str, options: dict[str, Any]) -> None:
    pixels = media.decode(encoded(picture, kind, **options))
    assert pixels[32, 48].min() >= 250
    assert abs(int(pixels[32, 16].max()) - 40) <= 6


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_cmyk_is_not_inverted(kind: str) -> None:
    assert corners(media.decode(encoded(quadrants().convert("CMYK"), kind))) == list(CORNERS)


@pytest.mark.parametrize(
    ("mode", "kind"), [("YCbCr", "TIFF"), ("LAB", "TIFF"), ("P", "PNG"), ("RGB", "BMP"), ("RGB", "TGA")]
)
def test_other_colour_modes(mode: str, kind: str) -> None:
    picture = quadrants()
    if mode == "LAB":
        from PIL import ImageCms

        profiles = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
        picture = ImageCms.profileToProfile(picture, *profiles, outputMode="LAB") or picture
    assert corners(media.decode(encoded(picture.convert(mode), kind))) == list(CORNERS)


RAMP = np.linspace(0, 1, 64, dtype=np.float64)[None].repeat(32, axis=0)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ((RAMP * 65535).astype(np.uint16), "PNG"),
        ((RAMP * 65535).astype(np.uint16), "TIFF"),
        ((RAMP * 65535).astype(np.int32), "TIFF"),
        (RAMP.astype(np.float32), "TIFF"),
        ((RAMP * 5e6 - 1e6).astype(np.float32), "TIFF"),
        ((RAMP * 255).astype(np.float32), "TIFF"),
    ],
)
def test_deep_pictures_are_scaled_and_not_clipped(values: np.ndarray, kind: str) -> None:
    pixels = media.decode(encoded(Image.fromarray(values), kind))
    assert np.abs(pixels[..., 0] - RAMP * 255).max() <= 1.5
    assert (pixels[..., 0] == pixels[..., 2]).all()


def test_not_a_number_is_black() -> None:
    values = RAMP.astype(np.float32)
    values[:, 40:] = np.nan
    assert (media.decode(encoded(Image.fromarray(values), "TIFF"))[:, 40:] == 0).all()


def test_sixteen_bit_colour_keeps_its_high_byte() -> None:
    body = (RAMP[..., None].repeat(3, axis=2) * 65535).astype(">u2").tobytes()
    pixels = media.decode(b"P6 64 32 65535\n" + body)
    assert np.abs(pixels[..., 1] - RAMP * 255).max() <= 1.5


def test_one_bit() -> None:
    pixels = media.decode(encoded(Image.fromarray(RAMP > 0.5), "PNG"))
    assert set(np.unique(pixels)) == {0, 255}


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF", "AVIF"])
def test_an_animation_is_its_first_frame(kind: str) -> None:
    other = Image.new("RGB", (96, 64), "black")
    data = encoded(quadrants(), kind, save_all=True, append_images=[other, other])
    assert corners(media.decode(data)) == list(CORNERS)


def test_heic() -> None:
    pillow_heif = pytest.importorskip("pillow_heif", reason="pillow-heif is part of the base install")
    pillow_heif.register_heif_opener()
    data = encoded(quadrants(), "HEIF", quality=90)
    assert media.sniff(data) == "image/heic"
    assert corners(media.decode(data)) == list(CORNERS)


# -- told by content ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "mime"),
    [
        ("JPEG", "image/jpeg"),
        ("PNG", "image/png"),
        ("WEBP", "image/webp"),
        ("GIF", "image/gif"),
        ("AVIF", "image/avif"),
        ("TIFF", "image/tiff"),
        ("BMP", "image/bmp"),
        ("ICO", "image/x-icon"),
        ("PPM", "image/x-portable-anymap"),
        ("JPEG2000", "image/jp2"),
        ("QOI", "image/qoi"),
        ("PCX", "image/x-pcx"),
        ("SGI", "image/sgi"),
        ("DDS", "image/vnd.ms-dds"),
    ],
)
def test_sniff_and_decode_agree(kind: str, mime: str) -> None:
    data = encoded(quadrants(), kind)
    assert media.sniff(data) == mime
    assert corners(media.decode(data)) == list(CORNERS)


@pytest.mark.parametrize(
    "data", [b"", b"BMW is a make of cars, and this is a text.", b"Icons\n", b"Plain words", b"\0" * 40]
)
def test_sniff_does_not_take_text_for_a_picture(data: bytes) -> None:
    assert media.sniff(data) is None


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "PostScript"),
        (b"\xc5\xd0\xd3\xc6" + b"\0" * 30, "PostScript"),
        (b"%PDF-1.7\n", "PDF"),
        (b"\xd7\xcd\xc6\x9a" + b"\0" * 40, "WMF"),
        (b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>', "SVG"),
        (b"\xff\x0a" + b"\0" * 20, "JPEG XL"),
        (b"", "empty"),
        (b"just words", "not a picture"),
        (b"RIFF\x30\0\0\0WEBP" + b"rubbish" * 9, "damaged"),
    ],
)
def test_what_is_refused_says_why(data: bytes, word: str) -> None:
    assert word in reason_of(data)


def test_no_bytes_keep_sniff_busy() -> None:
    started = time.perf_counter()
    for data in (b"<!---->" * 80, b"<!-- " * 100, b" " * 600, b"<?xml " + b"?>" * 250):
        media.sniff(data)
    assert time.perf_counter() - started < 0.5


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP"])
def test_a_truncated_file_is_unreadable(kind: str) -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (80, 80, 3), dtype=np.uint8))
    data = encoded(noise, kind)
    reason = reason_of(data[: len(data) // 2])
    assert "cut short" in reason or "damaged" in reason
    assert "Error" not in reason
    assert "object at" not in reason


# -- caps --------------------------------------------------------------------------------------------------------------


def bomb(width: int, height: int) -> bytes:
    """A PNG of 70 bytes that says it is enormous."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0" * 10)) + chunk(b"IEND", b"")


def test_a_huge_picture_is_refused_by_its_header() -> None:
    started = time.perf_counter()
    assert "9000 x 9000 has 81.0 million pixels, more than the 64.0 million" in reason_of(bomb(9000, 9000))
    assert "100.0 million" in reason_of(bomb(10000, 10000))  # here Pillow only warns
    assert "3,600.0 million" in reason_of(bomb(60000, 60000))  # here Pillow itself refuses
    assert "too large: 1 x 200000" in reason_of(bomb(1, 200_000))
    assert time.perf_counter() - started < 1


def test_the_cap_is_the_callers() -> None:
    data = encoded(quadrants(), "PNG")
    assert "more than the 0.0 million" in reason_of(data, max_pixels=6143)
    assert media.decode(data, max_pixels=6144).shape == (64, 96, 3)


def detailed(width: int, height: int) -> Pixels:
    """A photo-like picture: smooth shapes, edges and a little grain."""
    rng = np.random.default_rng(7)
    coarse = Image.fromarray(rng.integers(0, 256, (height // 40, width // 40, 3), dtype=np.uint8))
    smooth = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC), dtype=np.int16)
    smooth[height // 3 : height // 2, width // 4 : width // 2] = (200, 40, 40)
    return np.clip(smooth + rng.integers(-6, 7, (height, width, 1)), 0, 255).astype(np.uint8)


@pytest.mark.parametrize(("width", "height"), [(2000, 1500), (2600, 1950), (1300, 1000), (4000, 640)])
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_large_pictures_shrink_and_what_an_encoder_sees_stays(width: int, height: int, kind: str) -> None:
    data = encoded(Image.fromarray(detailed(width, height)), kind)
    with Image.open(io.BytesIO(data)) as picture:
        full = np.asarray(picture.convert("RGB"))
    kept = media.decode(data)
    assert kept.shape[0] * kept.shape[1] <= media.WORKING_PIXELS
    for size in (112, 224):
        a, b = (
            media.resize(p, size, mode="shortest", interpolation="bicubic").astype(np.float64) - 118
            for p in (kept, full)
        )
        assert (a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum()) >= 0.999


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "CMYK"])
def test_very_large_pictures_of_other_modes_look_the_same(mode: str) -> None:
    picture = quadrants(6000, 4000).quantize(8) if mode == "P" else quadrants(6000, 4000).convert(mode)
    if "A" in mode:
        picture.putalpha(Image.linear_gradient("L").resize(picture.size))
    small = media.decode(encoded(picture.resize((600, 400), Image.Resampling.BOX if mode != "P" else None), "TIFF"))
    large = media.decode(encoded(picture, "TIFF"))
    assert large.shape[0] * large.shape[1] <= media.WORKING_PIXELS
    shrunk = np.asarray(Image.fromarray(large).resize((600, 400), Image.Resampling.BOX), dtype=int)
    assert np.abs(shrunk - small).mean() < 1


# -- never anything else -----------------------------------------------------------------------------------------------

SEEDS = [encoded(quadrants(), kind) for kind in ("JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP", "TGA", "AVIF")]


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(SEEDS),
    st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 255)), max_size=12),
    st.integers(0, 99),
)
def test_any_bytes_give_pixels_or_a_reason(seed: bytes, edits: list[tuple[int, int]], cut: int) -> None:
    data = bytearray(seed)
    for place, value in edits:
        data[place % len(data)] = value
    try:
        pixels = media.decode(bytes(data[: len(data) - cut]), max_pixels=1_000_000)
    except UnreadableSource:
        return
    assert pixels.shape[2:] == (3,)
    assert pixels.dtype == np.uint8


def test_warnings_neither_leak_nor_stay_switched_off() -> None:
    odd = encoded(quadrants(), "TIFF", tiffinfo={})[:-40] + b"\xff" * 40  # damaged tags: Pillow warns
    before = list(warnings.filters)

    def work() -> None:
        for _ in range(20):
            try:
                media.decode(odd)
                media.decode(bomb(9500, 9500))
            except UnreadableSource:
                continue

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list(warnings.filters) == before
    with pytest.warns(UserWarning, match="still heard"):
        warnings.warn("still heard", stacklevel=1)


# -- for encoders, pages and models ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("width", "height"), [(300, 200), (200, 300), (224, 224), (3, 4000), (4000, 3), (1, 1), (50, 20)]
)
def test_resize_gives_squares(width: int, height: int) -> None:
    pixels = np.full((height, width, 3), 90, np.uint8)
    for mode in ("squash", "shortest"):
        for interpolation in ("bicubic", "bilinear"):
            square = media.resize(pixels, 64, mode=mode, interpolation=interpolation)
            assert square.shape == (64, 64, 3)
            assert (square == 90).all()


def test_shortest_cuts_the_centre_and_squash_cuts_nothing() -> None:
    pixels = np.zeros((100, 300, 3), np.uint8)
    pixels[:, 100:200] = 255
    assert (media.resize(pixels, 50, mode="shortest", interpolation="bicubic")[:, 2:-2] > 250).all()
    squashed = media.resize(pixels, 60, mode="squash", interpolation="bilinear")
    assert (squashed[:, :17] == 0).all()
    assert (squashed[:, 23:37] == 255).all()


def test_resize_equals_clips_own_preprocessing(data: Path) -> None:
    with tarfile.open(data / "clip_reference.tar") as tar:
        photo, expected = (
            tar.extractfile(f"preprocess/{name}") for name in ("franz-kafka.jpg", "expected_preprocessed_image.npy")
        )
        assert photo is not None
        assert expected is not None
        pixels = media.decode(photo.read())
        reference = np.load(io.BytesIO(expected.read()))  # (1, 3, 224, 224)
    square = media.resize(pixels, 224, mode="shortest", interpolation="bicubic").astype(np.float32) / 255
    mean = np.array([0.48145466, 0.4578275, 0.40821073], np.float32)
    deviation = np.array([0.26862954, 0.26130258, 0.27577711], np.float32)
    ours = ((square - mean) / deviation).transpose(2, 0, 1)[None]
    assert np.abs(ours - reference).max() <= 1e-5


def test_thumbnail_and_jpeg_keep_shape_and_colours() -> None:
    pixels = np.asarray(quadrants(960, 640))
    small = media.decode(media.thumbnail(pixels, side=320))
    assert small.shape == (213, 320, 3)
    assert corners(small) == list(CORNERS)
    assert media.decode(media.thumbnail(pixels[:64, :96])).shape == (64, 96, 3)
    again = media.decode(media.to_jpeg(pixels, quality=95))
    assert np.abs(again.astype(int) - pixels).mean() < 3
    assert media.decode(media.thumbnail(np.zeros((1, 4000, 3), np.uint8))).shape == (1, 320, 3)
