"""The adapter and the thumbnails in a stranger's export: looked at by their headers, and decoded elsewhere if ever."""

from __future__ import annotations

import base64
import json
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sightline import media
from sightline.encoders.adapter import Adapter
from sightline.errors import UnreadableSource
from sightline.transfer import jpegs, manifest
from tests.indexer.indexing import png
from tests.soak.shop import Opened
from tests.transfer.collections import Rows, edit, opened, refused, sign

# -- adapters ----------------------------------------------------------------------------------------------------------


FACTS = json.dumps({"format": 1, "encoder": "9" * 64, "facts": {}}).encode()


def member(shape: tuple[int, ...], kind: str, data: bytes) -> bytes:
    file = BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": kind, "fortran_order": False, "shape": shape})
    return file.getvalue() + data


def packed(members: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    file = BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return file.getvalue()


def crafted(shape: tuple[int, ...], kind: str = "<f4", data: bytes = b"", **how: Any) -> bytes:
    """Bytes of an adapter with this as its map."""
    return packed({"facts.npy": member((len(FACTS),), "|u1", FACTS), "text.npy": member(shape, kind, data)}, **how)


def with_adapter(export: Path, data: bytes, digest: str = "a" * 64) -> None:
    told = json.loads((export / manifest.FILE).read_text())
    (export / "adapter.bin").write_bytes(data)
    sign(export, files=told["files"] | {"adapter.bin": {}}, passport=told["passport"] | {"adapter": digest})


ADAPTERS = [
    (b"junk", "adapter.bin: is no adapter: File is not a zip file"),
    (crafted((49, 49), data=bytes(9604), method=zipfile.ZIP_DEFLATED), "'facts.npy' in it is packed"),
    (crafted((50_000, 50_000)), r"is an array of \(50000, 50000\) float32"),
    (crafted((49, 49), "<f8"), r"is an array of \(49, 49\) float64"),
    (crafted((49, 49)), "adapter.bin: is no adapter"),
    (crafted((49, 49), data=np.full(2401, np.nan, "<f4").tobytes()), "not a square of finite"),
    (packed({"facts.npy": member((2**40,), "|u1", FACTS)}), r"is an array of \(1099511627776,\) uint8"),
    (packed({"facts.npy": b"\x93NUMPY\x01\0\xff\xff" + b"(" * 65_535}), "is no adapter"),
    (packed({"facts.npy": b"\x93NUMPY\x03\0"}), "of a format that is not read"),
    (packed({"facts.npy": b"", "evil.npy": b""}), "it holds 'facts.npy', 'evil.npy'"),
    (packed({}), "it holds nothing"),
    (packed({"facts.npy": member((90_000,), "|u1", b"[" * 90_000)}), "adapter.bin: is no adapter"),
    (packed({"facts.npy": member((len(FACTS),), "|u1", FACTS)}), "is another adapter than the passport names"),
    (b"PK" + bytes(1_100_000), "adapter.bin: is larger than an adapter of this encoder"),
]


@pytest.mark.parametrize(("data", "reason"), ADAPTERS)
def test_an_adapter_that_is_none_is_refused_before_anything_is_written(
    tmp_path: Path, export: Path, data: bytes, reason: str
) -> None:
    with_adapter(export, data)
    with opened(tmp_path / "new") as new:
        refused(new, export, UnreadableSource, reason)
        assert new._ledger.passport() is None


def test_an_adapter_of_another_encoder_is_refused_and_its_own_is_taken(tmp_path: Path, export: Path) -> None:
    made = Adapter("9" * 64, {"text": np.eye(49, dtype=np.float32)}, {"pairs": 3})
    other = Adapter("8" * 64, made.maps)
    odd = Adapter("9" * 64, made.maps, ["no", "mapping"])  # type: ignore[arg-type]
    with opened(tmp_path / "new") as new:
        for adapter, reason in ((other, "of another encoder"), (odd, "what is told of it makes no sense")):
            with_adapter(export, adapter.to_bytes(), adapter.digest)
            refused(new, export, UnreadableSource, reason)
        with_adapter(export, made.to_bytes(), made.digest)
        new.transfer.take_in(export)
        assert new.adapter is not None
        assert new.adapter.digest == made.digest


# -- thumbnails --------------------------------------------------------------------------------------------------------


def a_jpeg(width: int, height: int, **how: Any) -> bytes:
    file = BytesIO()
    Image.effect_noise((width, height), 90).convert(how.pop("mode", "RGB")).save(file, how.pop("format", "JPEG"), **how)
    return file.getvalue()


def a_frame(marker: int, height: int, width: int, bits: int = 8, colours: int = 3) -> bytes:
    told = bytes([bits]) + height.to_bytes(2, "big") + width.to_bytes(2, "big") + bytes([colours]) + bytes(3 * colours)
    return bytes([0xFF, marker]) + (2 + len(told)).to_bytes(2, "big") + told


SCAN = b"\xff\xda\0\2x\xff\xd9"


@pytest.mark.parametrize(
    ("jpeg", "reason"),
    [
        (a_jpeg(321, 20), "has 321 x 20 pixels"),
        (a_jpeg(20, 2000, progressive=True, quality=1), "has 20 x 2,000 pixels"),
        (a_jpeg(20, 20, mode="CMYK"), "of a kind that is not read"),
        (a_jpeg(20, 20, format="PNG"), "is no JPEG"),
        (a_jpeg(20, 20)[:-2], "not a whole one"),
        (a_jpeg(20, 20)[:-2] + bytes(1_000_000) + b"\xff\xd9", "has 1,0.* bytes"),
        (b"\xff\xd8\xff" + b"junk" * 10 + b"\xff\xd9", "header makes no sense"),
        (b"\xff\xd8" + SCAN, "header makes no sense"),
        (b"\xff\xd8" + a_frame(0xC0, 9, 9) + a_frame(0xC0, 9000, 9000) + SCAN, "header makes no sense"),
        (b"\xff\xd8" + a_frame(0xC0, 0, 9) + SCAN, "has 9 x 0 pixels"),
        (b"\xff\xd8" + a_frame(0xC3, 9, 9) + SCAN, "of a kind that is not read"),
        (b"\xff\xd8" + a_frame(0xC1, 9, 9, bits=12) + SCAN, "of a kind that is not read"),
        (b"\xff\xd8\xff\xe0\0\1" + SCAN, "header makes no sense"),
    ],
)
def test_a_thumbnail_that_is_no_small_jpeg_is_refused(export: Path, filled: Opened, jpeg: bytes, reason: str) -> None:
    edit(export, "thumbnails", lambda rows: rows[1].update(jpeg=base64.b64encode(jpeg).decode()))
    refused(filled, export, UnreadableSource, f"thumbnails.jsonl: row 2: the thumbnail of .*{reason}")


def test_what_is_written_here_is_a_thumbnail() -> None:
    for number in range(4):
        jpegs.check_thumbnail(media.thumbnail(media.decode(png(number))))
    for how in ({}, {"progressive": True}, {"mode": "L"}, {"quality": 100, "subsampling": 0}):
        jpegs.check_thumbnail(a_jpeg(320, 320, **how))


def test_thumbnails_are_decoded_elsewhere_and_a_damaged_one_is_no_picture(
    tmp_path: Path, export: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = a_jpeg(60, 60)
    scan = whole.index(b"\xff\xda") + 14
    damaged = whole[:scan] + b"\xff\xc4\0\3\0" + whole[scan + 5 :]

    def swap(rows: Rows) -> None:
        rows[0]["jpeg"], rows[1]["jpeg"] = (base64.b64encode(one).decode() for one in (whole, damaged))

    edit(export, "thumbnails", swap)
    for path in (tmp_path / "shop").glob("*.png"):
        path.unlink()
    for place in ("sightline.pictures.opened", "sightline.media.decode"):
        monkeypatch.setattr(place, pytest.fail)  # in this program
    with opened(tmp_path / "new") as new:
        report = new.transfer.take_in(export, embed=True)
        assert report.from_thumbnails == 1
        assert [one.source for one in report.lost] == ["1.png#image-0"]
        good, bad = (next(part for part in new.get(name).parts) for name in ("0.png", "1.png"))
        pixels = new._pixels(good)
        assert pixels is not None
        assert pixels.shape == (60, 60, 3)
        assert new._pixels(bad) is None
