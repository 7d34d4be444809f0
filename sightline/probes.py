"""A dozen texts and pictures that are embedded when a collection is built and again whenever it is opened.

Equal weights and settings can still give other vectors: another library, another tokenizer, pictures turned another
way. Knows how probes look and when two answers to them are alike; knows no encoder and no collection.
"""

from __future__ import annotations

from functools import cache
from io import BytesIO

import numpy as np
from PIL import Image

from sightline import media
from sightline.protocols import Encoder
from sightline.types import Content, Pixels, Vectors

LEAST = 0.995  # cosine; threads, processors and graphics cards move a vector by far less, half precision included
TEXTS = (
    "a red mug with blue stripes",
    "A RED MUG WITH BLUE STRIPES",
    "two dogs run along a beach at sunset",
    "café crème, 250 g",
    "size: 42; colour: green; price: 19.90",
    " ".join(["a long description of a tent for four people with two doors and a porch"] * 12),
)
PICTURES = ("a plain picture", "a wide picture", "a tall picture", "a picture with an EXIF turn",
            "a picture with transparency", "a grey picture")  # fmt: skip
_TURNED = 6  # EXIF orientation: a quarter turn


def names() -> tuple[str, ...]:
    """What each probe is called in messages, texts first."""
    return (*(f'the text "{text[:40]}"' for text in TEXTS), *PICTURES)


def answers(encoder: Encoder) -> Vectors:
    """(12, dim): the encoder's vectors of the probes, rows of zeros for what it does not embed. Raises EngineError."""
    rows = np.zeros((len(TEXTS) + len(PICTURES), encoder.space.dim), np.float32)
    asked: list[tuple[str, int, list[Content]]] = [
        ("text", 0, [(text,) for text in TEXTS]),
        ("image", len(TEXTS), [(pixels,) for pixels in pictures()]),
    ]
    for modality, first, contents in asked:
        if modality in encoder.space.modalities:
            rows[first : first + len(contents)] = encoder.encode_documents(contents)
    return rows


def differences(before: Vectors, now: Vectors) -> list[str]:
    """What no longer comes out as it did, named, with the cosine; none where every probe agrees."""
    found = []
    for name, one, other in zip(names(), before, now, strict=True):
        lengths = float(np.linalg.norm(one)), float(np.linalg.norm(other))
        if not any(lengths):
            continue
        if not all(abs(length - 1) < 1e-2 for length in lengths):
            found.append(f"{name} has a vector of length {lengths[1]:.2f}, before of {lengths[0]:.2f}")
        elif (cosine := float(one @ other)) < LEAST:
            found.append(f"{name} comes out differently (cosine {cosine:.3f})")
    return found


@cache
def pictures() -> tuple[Pixels, ...]:
    """The pictures as indexing would see them: drawn by rule, written as PNG, opened again by `media`."""
    y, x = np.mgrid[0:1:192j, 0:1:256j]
    scene = np.stack([255 * x, 255 * y, 255 * (x * y)], axis=-1).astype(np.uint8)  # (192, 256, 3), no two sides alike
    scene[20:90, 30:110] = (200, 30, 30)
    scene[(x - 0.7) ** 2 + (y - 0.6) ** 2 < 0.02] = (250, 240, 60)
    drawn = Image.fromarray(scene)
    turn = Image.Exif()
    turn[0x0112] = _TURNED
    faded = drawn.convert("RGBA")
    faded.putalpha(Image.fromarray((255 * x).astype(np.uint8)))
    kinds = (
        _png(drawn), _png(drawn.resize((512, 128))), _png(drawn.resize((96, 300))), _png(drawn, exif=turn),
        _png(faded), _png(drawn.convert("L")),
    )  # fmt: skip
    return tuple(media.decode(data, source=name) for data, name in zip(kinds, PICTURES, strict=True))


def _png(picture: Image.Image, exif: Image.Exif | None = None) -> bytes:
    file = BytesIO()
    picture.save(file, "PNG", **({"exif": exif} if exif else {}))
    return file.getvalue()
