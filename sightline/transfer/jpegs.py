"""What a thumbnail is: a small JPEG of one picture, told by its markers; nothing is decoded here.

It is decoded where it is used, by the process that decodes everything (`sightline.decoding`).
"""

from __future__ import annotations

MOST_SIDE = 320  # pixels: what thumbnails are made of (`sightline.pictures.thumbnail`)
MOST_BYTES = 1_000_000  # noise of 320 x 320 takes some 100,000

# Markers, ITU T.81 table B.1
_START, _END, _SCAN = b"\xff\xd8", b"\xff\xd9", 0xDA
_FRAMES = {0xC0, 0xC1, 0xC2}  # baseline, extended, progressive
_OTHER_FRAMES = {0xC3, *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0)}  # lossless, arithmetic …
_NO_SEGMENT = {0x00, 0x01, *range(0xD0, 0xDA), 0xFF}  # none of these belongs before the first scan


def check_thumbnail(jpeg: bytes) -> None:
    """Raise ValueError, whose text is fit to follow its name, unless these bytes are a thumbnail."""
    if not jpeg.startswith(_START) or not jpeg.endswith(_END):
        raise ValueError("is no JPEG, or not a whole one")
    if len(jpeg) > MOST_BYTES:
        raise ValueError(f"has {len(jpeg):,} bytes, of which one of {MOST_SIDE} pixels has at most {MOST_BYTES:,}")
    width, height = _dimensions(jpeg)
    if not 0 < min(width, height) <= max(width, height) <= MOST_SIDE:
        raise ValueError(f"has {width:,} x {height:,} pixels, of which a side may have {MOST_SIDE}")


def _dimensions(jpeg: bytes) -> tuple[int, int]:
    """Width and height of the picture, which stand before the first scan of it. Raises ValueError."""
    size, at = None, len(_START)
    while (marker := _marker(jpeg, at)) != _SCAN:
        length = int.from_bytes(jpeg[at + 2 : at + 4], "big")
        if marker is None or length < 2 or (marker in _FRAMES and size is not None):
            raise ValueError("is no JPEG: its header makes no sense")
        if marker in _FRAMES:
            size = _size(jpeg[at + 4 : at + 2 + length])
        elif marker in _OTHER_FRAMES:
            raise ValueError("is a JPEG of a kind that is not read")
        at += 2 + length
    if size is None:
        raise ValueError("is no JPEG: its header makes no sense")
    return size


def _marker(jpeg: bytes, at: int) -> int | None:
    """The marker of the segment that begins there; None where none does."""
    found = jpeg[at : at + 2]
    return found[1] if len(found) == 2 and found[0] == 0xFF and found[1] not in _NO_SEGMENT else None


def _size(frame: bytes) -> tuple[int, int]:
    """Width and height in a frame's header: 8 bits, of grey or three colours. Raises ValueError for another."""
    if len(frame) < 6 or frame[0] != 8 or frame[5] not in (1, 3):
        raise ValueError("is a JPEG of a kind that is not read")
    return int.from_bytes(frame[3:5], "big"), int.from_bytes(frame[1:3], "big")
