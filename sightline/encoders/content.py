"""Turns contents into unit vectors for every encoder: checks, long texts, batches, and one vector for several pieces.

Does not know which model makes the vectors: an encoder hands in a function for texts and one for pictures.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from sightline.errors import EngineError, InputError, UnsupportedModality
from sightline.types import Content, Pixels, Space, Vectors

RECIPE = "1"  # part of every fingerprint: raise it when the arithmetic of this module changes
BATCH = 32  # texts or pictures a model sees at a time

Value = TypeVar("Value")


def embed(
    contents: Sequence[Content],
    *,
    space: Space,
    texts: Callable[[Sequence[str]], NDArray[np.float32]],
    pictures: Callable[[Sequence[Pixels]], NDArray[np.float32]],
    windows: Callable[[str], list[tuple[str, int]]],
) -> Vectors:
    """(n, dim) unit rows, one a content, in order.

    A content of several pieces is the normalised mean of its pieces' unit vectors. A text longer than the model reads
    is the mean of its windows' unit vectors, weighted by their tokens. Raises InputError for an empty text,
    UnsupportedModality for a piece the space has no room for, EngineError when the model returns no direction.
    """
    for content in contents:
        _check(content, space)
    pieces = [piece for content in contents for piece in content]
    vectors = np.zeros((len(pieces), space.dim), dtype=np.float32)
    cut = [(i, *window) for i, piece in enumerate(pieces) if isinstance(piece, str) for window in windows(piece)]
    if cut:
        owners, parts, tokens = zip(*cut, strict=True)
        weighted = _unit(texts(parts)) * np.asarray(tokens, dtype=np.float32)[:, None]  # (w, dim) * (w, 1)
        np.add.at(vectors, list(owners), weighted)
    seen = [(i, piece) for i, piece in enumerate(pieces) if not isinstance(piece, str)]
    if seen:
        vectors[[i for i, _ in seen]] = pictures([piece for _, piece in seen])
    vectors = _unit(vectors)  # (pieces, dim)
    ends = np.cumsum([len(content) for content in contents], dtype=np.intp)
    sums = [vectors[end - len(content) : end].sum(axis=0) for content, end in zip(contents, ends, strict=True)]
    return _unit(np.asarray(sums, dtype=np.float32).reshape(-1, space.dim))


def split_long(text: str, *, limit: int, count: Callable[[str], int]) -> list[tuple[str, int]]:
    """The text in halves, quarters … cut between words, each of at most `limit` tokens, with its number of tokens."""
    tokens = count(text)
    if tokens <= limit or len(text) < 2:
        return [(text, tokens)]
    middle = len(text) // 2
    space_after, space_before = text.find(" ", middle), text.rfind(" ", 0, middle)
    spaces = [at for at in (space_before, space_after) if len(text) // 4 <= at < len(text) - 1]
    cut = min(spaces, key=lambda at: abs(at - middle), default=middle)
    halves = [half.strip() for half in (text[:cut], text[cut:])]
    return [window for half in halves if half for window in split_long(half, limit=limit, count=count)]


def in_batches(
    values: Sequence[Value],
    encode: Callable[[Sequence[Value]], NDArray[np.float32]],
    *,
    size: Callable[[Value], int] | None = None,
) -> NDArray[np.float32]:
    """`encode` over at most BATCH values at a time, rows in the order given.

    With `size`, values of like size share a batch, so that little of it is padding.
    """
    order = list(range(len(values)))
    if size is not None:
        order.sort(key=lambda i: size(values[i]))
    parts = [encode([values[i] for i in order[at : at + BATCH]]) for at in range(0, len(order), BATCH)]
    made = np.concatenate(parts)
    rows = np.empty_like(made)
    rows[order] = made
    return rows


def normalised(pictures: Sequence[Pixels], *, mean: Sequence[float], std: Sequence[float]) -> NDArray[np.float32]:
    """(n, 3, height, width) from n pictures of one size: (value / 255 - mean) / std for each channel."""
    stacked = np.stack(pictures).astype(np.float32) / np.float32(255)  # (n, height, width, 3)
    scaled = (stacked - np.asarray(mean, dtype=np.float32)) / np.asarray(std, dtype=np.float32)
    return np.ascontiguousarray(scaled.transpose(0, 3, 1, 2))


def _check(content: Content, space: Space) -> None:
    if not content:
        raise InputError("there is nothing to embed: the content has no piece")
    for piece in content:
        modality = "text" if isinstance(piece, str) else "image"
        if modality not in space.modalities:
            can = " and ".join(sorted(space.modalities))
            raise UnsupportedModality(f"{space.name} embeds {can} only, not {modality}")
        if isinstance(piece, str):
            if not piece.strip():
                raise InputError("an empty text cannot be embedded")
        elif piece.ndim != 3 or piece.shape[2] != 3 or piece.dtype != np.uint8 or 0 in piece.shape:
            raise InputError(f"a picture is (height, width, 3) of uint8, not {piece.shape} of {piece.dtype}")


def _unit(vectors: NDArray[Any]) -> NDArray[np.float32]:
    """The same directions at length 1, along the last axis. Raises EngineError where there is none."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    if not np.isfinite(lengths).all() or not (lengths > 0).all():
        raise EngineError("the encoder returned a vector without a direction (zero or not finite)")
    return np.asarray(vectors / lengths, dtype=np.float32)
