"""What is there twice is grouped: equal items, equal files, pictures alike; different pictures stay apart."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageOps

from sightline import Sightline
from sightline.catalog_check import duplicates
from sightline.catalog_check.duplicates import _joined, _ones, close_pairs
from sightline.lookalikes import BITS_APART, perceptual_hash
from sightline.types import Pixels


def photo(seed: int, size: tuple[int, int] = (160, 120)) -> Image.Image:
    """Soft blobs of light and dark, a picture of its own for every seed."""
    noise = np.random.default_rng(seed).integers(0, 256, (5, 6, 3), dtype=np.uint8)
    return Image.fromarray(noise).resize(size, Image.Resampling.BICUBIC)


def pixels(image: Image.Image) -> Pixels:
    return np.asarray(image)


def jpeg(image: Image.Image, quality: int) -> Image.Image:
    out = io.BytesIO()
    image.save(out, "JPEG", quality=quality)
    return Image.open(io.BytesIO(out.getvalue())).convert("RGB")


def apart(left: Image.Image, right: Image.Image) -> int:
    a, b = perceptual_hash(pixels(left)), perceptual_hash(pixels(right))
    assert a is not None
    assert b is not None
    return (a ^ b).bit_count()


@pytest.mark.parametrize("seed", range(8))
def test_a_hash_survives_what_copies_go_through(seed: int) -> None:
    original = photo(seed)
    assert apart(original, jpeg(original, 50)) <= BITS_APART
    assert apart(original, original.resize((80, 60))) <= BITS_APART
    assert apart(original, ImageEnhance.Brightness(original).enhance(0.8)) <= BITS_APART
    assert apart(original, original.crop((1, 1, 159, 119))) <= BITS_APART
    assert apart(original, photo(seed + 100)) > 16


def test_a_flat_picture_has_no_hash() -> None:
    assert perceptual_hash(np.full((50, 50, 3), 200, np.uint8)) is None


def test_counting_bits_and_close_pairs_are_right() -> None:
    rng = np.random.default_rng(0)
    hashes = rng.integers(0, 2**63, 300, dtype=np.uint64)
    hashes[200:] = hashes[:100] ^ np.uint64(0b1011)
    assert _ones(hashes).tolist() == [int(one).bit_count() for one in hashes]
    found = close_pairs(hashes, apart=3)
    assert found == [(number, number + 200, 3) for number in range(100)]
    assert close_pairs(hashes, ~hashes, apart=3) == []
    assert close_pairs(~hashes, hashes ^ np.uint64(2**64 - 1), apart=3) == found


def test_what_hangs_together_is_one_group() -> None:
    groups = _joined([("a", "b"), ("c", "d"), ("b", "c"), ("x", "y")])
    assert sorted(map(sorted, groups)) == [["a", "b", "c", "d"], ["x", "y"]]


def test_every_group_is_reported_and_nothing_is_removed(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for seed in range(6):
        photo(seed).save(folder / f"{seed}.png")
    photo(0).save(folder / "copy of 0.png")
    jpeg(photo(1), 60).save(folder / "again 1.png")
    ImageOps.mirror(photo(4)).save(folder / "mirrored 4.png")
    Image.new("RGB", (90, 60), (250, 250, 250)).save(folder / "flat.png")
    Image.new("RGB", (90, 70), (250, 250, 250)).save(folder / "flat too.png")
    with Sightline.open(tmp_path / "index", threads=1) as index:
        index.add(folder)
        index.add(
            {"id": "row", "title": "A picture", "image": str(folder / "2.png")},
            {"id": "other", "title": "Another", "image": str(folder / "2.png")},
        )
        groups = duplicates(index)
        assert index.info()["items"] == 13
    told = {(group.kind, group.items) for group in groups}
    assert told == {
        ("equal items", ("0.png", "copy of 0.png")),
        ("equal pictures", ("2.png", "other", "row")),
        ("alike pictures", ("1.png", "again 1.png")),
        ("alike pictures", ("4.png", "mirrored 4.png")),
    }
    for alike in [group.to_json() for group in groups if group.kind == "alike pictures"]:
        assert alike["cosine"] >= 0.95
        assert alike["bits_apart"] <= BITS_APART
        assert len(alike["pictures"]) == 2
