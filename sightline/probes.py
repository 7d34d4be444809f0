"""Texts and pictures that are embedded when a collection is built and again whenever it is opened.

Equal weights and settings can still give other vectors: another library, another tokenizer, pictures turned another
way. Knows how probes look and when two answers to them are alike; knows no encoder and no collection.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sightline import media
from sightline.protocols import Encoder
from sightline.types import DEVICE, Content, Modality, Pixels, Vectors

LEAST = 0.999  # cosine; threads and processors move a vector of float32 by less than 0.0001
LEAST_ELSEWHERE = 0.995  # where a graphics card took part, whose half precision rounds in its own order, or may have
TEXTS = (
    "a red mug with blue stripes",
    "A RED MUG WITH BLUE STRIPES",
    "two dogs run along a beach at sunset",
    "café crème, 250 g",
    "size: 42; colour: green; price: 19.90",
    " ".join(["a long description of a tent for four people with two doors and a porch"] * 12),
    "красная кружка в синюю полоску",
    "一个带蓝色条纹的红色杯子",
)
PICTURES = (
    *("a plain picture", "a wide picture", "a tall picture", "a picture with an EXIF turn"),
    *("a picture with transparency", "a grey picture", "a picture of fine rings", "a large photograph"),
)
# Which rows are of what. A passport holds the answers to as many as there were when it was written, so that probes are
# put at the end and never changed: the first twelve are those of the first passports.
_ROWS: tuple[tuple[Modality, int], ...] = (("text", 6), ("image", 6), ("text", 2), ("image", 2))
_TURNED = 6  # EXIF orientation: a quarter turn


def names() -> tuple[str, ...]:
    """What each probe is called in messages, in the order of the rows."""
    told = {"text": iter([f'the text "{text[:40]}"' for text in TEXTS]), "image": iter(PICTURES)}
    return tuple(next(told[modality]) for modality, count in _ROWS for _ in range(count))


def answers(encoder: Encoder) -> Vectors:
    """(16, dim): the encoder's vectors of the probes, rows of zeros for what it does not embed. Raises EngineError."""
    kinds = np.repeat([modality for modality, _ in _ROWS], [count for _, count in _ROWS])
    rows = np.zeros((len(kinds), encoder.space.dim), np.float32)
    asked: list[tuple[Modality, list[Content]]] = [
        ("text", [(text,) for text in TEXTS]),
        ("image", [(pixels,) for pixels in pictures()]),
    ]
    for modality, contents in asked:
        if modality in encoder.space.modalities:
            rows[kinds == modality] = encoder.encode_documents(contents)
    return rows


def least(before: Mapping[str, str], now: Mapping[str, str]) -> float:
    """The cosine that answers must have, from what both spaces say that they are made of."""
    return LEAST if before.get(DEVICE) == now.get(DEVICE) == "cpu" else LEAST_ELSEWHERE


def differences(before: Vectors, now: Vectors, *, least: float = LEAST_ELSEWHERE) -> list[str]:
    """What no longer comes out as it did, named, with the cosine; none where every probe that both have agrees."""
    found = []
    for name, one, other in zip(names(), before, now, strict=False):
        lengths = float(np.linalg.norm(one)), float(np.linalg.norm(other))
        if not any(lengths):
            continue
        if not all(abs(length - 1) < 1e-2 for length in lengths):
            found.append(f"{name} has a vector of length {lengths[1]:.2f}, before of {lengths[0]:.2f}")
        elif (cosine := float(one @ other)) < least:
            found.append(f"{name} comes out differently (cosine {cosine:.4f})")
    return found


@cache
def pictures() -> tuple[Pixels, ...]:
    """The pictures as indexing would see them: drawn by rule, written as files are, opened again by `media`."""
    y, x = np.mgrid[0:1:192j, 0:1:256j]
    scene = np.stack([255 * x, 255 * y, 255 * (x * y)], axis=-1).astype(np.uint8)  # (192, 256, 3), no two sides alike
    scene[20:90, 30:110] = (200, 30, 30)
    scene[(x - 0.7) ** 2 + (y - 0.6) ** 2 < 0.02] = (250, 240, 60)
    drawn = Image.fromarray(scene)
    turn = Image.Exif()
    turn[0x0112] = _TURNED
    faded = drawn.convert("RGBA")
    faded.putalpha(Image.fromarray((255 * x).astype(np.uint8)))
    large = Image.blend(drawn.resize((1024, 768)), Image.fromarray(np.tile(_rings(192, 256), (4, 4, 1))), 0.5)
    photograph = BytesIO()  # written so well that who wrote it, and whose decoder reads it, moves the vector by 0.0001
    large.save(photograph, "JPEG", quality=95, subsampling=0)
    kinds = (
        _png(drawn), _png(drawn.resize((512, 128))), _png(drawn.resize((96, 300))), _png(drawn, exif=turn),
        _png(faded), _png(drawn.convert("L")), _png(Image.fromarray(_rings(300, 400))), photograph.getvalue(),
    )  # fmt: skip
    return tuple(media.decode(data, source=name) for data, name in zip(kinds, PICTURES, strict=True))


def _rings(height: int, width: int) -> NDArray[np.uint8]:
    """(height, width, 3): rings that get finer outwards, which every way to resize renders its own way."""
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    squared = x * x + y * y  # of the distance from the middle
    waves = [np.cos(fineness * squared) for fineness in (90.0, 140.0, 200.0)]
    return np.asarray(127.5 + 127.5 * np.stack(waves, axis=-1), dtype=np.uint8)


def _png(picture: Image.Image, exif: Image.Exif | None = None) -> bytes:
    file = BytesIO()
    picture.save(file, "PNG", **({"exif": exif} if exif else {}))
    return file.getvalue()
