"""What every store refuses before it writes or searches, with a sentence that names the culprit.

Does not know any store.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

import numpy as np

from sightline.errors import InputError
from sightline.filters import fault, values_of
from sightline.types import Item, Modality, PartVectors, Space, Vectors

UNIT_TOLERANCE = 1e-3  # how far from 1 a row's length may be


def check_upsert(items: Sequence[Item], vectors: Sequence[PartVectors]) -> None:
    """Raise InputError unless ids are unique, parts belong to their items, and vectors are unit rows of known parts."""
    _refuse_twice("item id", [item.id for item in items])
    for item in items:
        _check_item(item)
    parts = [part.id for item in items for part in item.parts]
    _refuse_twice("part id", parts)
    known = set(parts)
    for one in vectors:
        if one.part_id not in known:
            raise InputError(f"vectors were given for part {one.part_id!r}, which is of none of the items")
    check_added(vectors)


def check_added(vectors: Sequence[PartVectors]) -> None:
    """Raise InputError unless vectors are unit rows, and no part is given any twice in one space."""
    _refuse_twice("vectors for part", [f"{one.part_id} in {one.space.name}" for one in vectors])
    for one in vectors:
        check_vectors(one.space, one.vectors, what=f"the vectors of part {one.part_id!r}")
        _check_boxes(one)


def check_vectors(space: Space, vectors: Vectors, *, what: str = "the query vectors") -> None:
    """Raise InputError unless `vectors` is (n, dim) float32 of finite unit rows, n >= 1."""
    if vectors.ndim != 2 or vectors.shape[0] == 0 or vectors.shape[1] != space.dim:
        raise InputError(f"{what} must have the shape (n, {space.dim}) with n >= 1, not {vectors.shape}")
    if vectors.dtype != np.float32:
        raise InputError(f"{what} must be float32, not {vectors.dtype}")
    lengths = np.linalg.norm(vectors, axis=1)  # (n, dim) -> (n,)
    if not np.isfinite(lengths).all():
        raise InputError(f"{what} hold numbers that are not finite")
    if (abs(lengths - 1) > UNIT_TOLERANCE).any():
        raise InputError(f"{what} must have length 1, not {lengths[abs(lengths - 1).argmax()]:.4g}")


def check_k(k: int) -> None:
    """Raise InputError unless k is at least 1."""
    if k < 1:
        raise InputError(f"k must be at least 1, not {k}")


def _check_boxes(one: PartVectors) -> None:
    if one.boxes and len(one.boxes) != len(one.vectors) - 1:
        raise InputError(f"part {one.part_id!r} has {len(one.boxes)} boxes for {len(one.vectors) - 1} regions")
    for box in one.boxes:
        if len(box) != 4 or not (0 <= box[0] < box[2] <= 1 and 0 <= box[1] < box[3] <= 1):
            raise InputError(f"a box is x0 < x1 and y0 < y1 in 0 to 1, not {box}, of part {one.part_id!r}")


def _check_item(item: Item) -> None:
    if not item.id:
        raise InputError("an item's id must not be empty")
    check_text(item.id, f"the id {item.id!r}")
    for part in item.parts:
        if part.item_id != item.id:
            raise InputError(f"part {part.id!r} of item {item.id!r} claims to belong to {part.item_id!r}")
        if part.modality not in get_args(Modality):
            raise InputError(f"part {part.id!r} is neither of {', '.join(get_args(Modality))}, but {part.modality!r}")
        for text in (part.id, part.uri, part.text):
            check_text(text or "", f"part {part.id!r}")
    for name in item.fields:
        if not name:
            raise InputError(f"item {item.id!r} has a field without a name")
        check_text(name, f"the field name {name!r} of item {item.id!r}")
        for value in values_of(item.fields, name):
            what = f"field {name!r} of item {item.id!r}"
            if not isinstance(value, str | int | float):
                raise InputError(f"{what} must hold texts, numbers or booleans, not {type(value).__name__}")
            if reason := fault(value):
                raise InputError(f"{what} holds {reason}")


def check_text(text: str, what: str) -> None:
    """Raise InputError for halves of surrogate pairs, which no engine takes."""
    if reason := fault(text):
        raise InputError(f"{what} holds {reason}")


def _refuse_twice(what: str, names: list[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise InputError(f"the {what} {name!r} is given twice")
        seen.add(name)
