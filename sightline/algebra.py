"""The algebra of queries in Python: texts, pictures, boxes of pictures and items, weighed, added and taken away.

    index.search(2 * text("red dress") + image("photo.jpg") - text("stripes"))

Knows nothing of files, encoders or indexes: a picture is opened, and an item looked up, when the search begins.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from numbers import Real
from typing import TYPE_CHECKING, TypeAlias

from sightline.errors import InputError
from sightline.types import Like

if TYPE_CHECKING:
    from sightline.decoding import Picture

Box: TypeAlias = tuple[float, float, float, float]  # x0, y0, x1, y1 in 0-1 of the upright picture

__all__ = ["Box", "Clipped", "Expression", "Operand", "box_of", "image", "like", "text"]


@dataclass(frozen=True, slots=True, eq=False)
class Clipped:
    """A picture to search with, or the box of it that is meant."""

    picture: Picture
    box: Box | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Operand:
    """One operand with the weight it has in the whole expression; below zero: not wanted."""

    sought: str | Clipped | Like
    weight: float = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Expression:
    """Operands in the order written. Made by `text`, `image` and `like`; combined by `+`, `-`, `*` and `/`."""

    operands: tuple[Operand, ...]
    __array_ufunc__ = None  # or numpy's numbers would try to multiply each operand by themselves

    def __add__(self, other: Expression) -> Expression:
        return Expression((*self.operands, *other.operands)) if isinstance(other, Expression) else NotImplemented

    def __sub__(self, other: Expression) -> Expression:
        return self + -other if isinstance(other, Expression) else NotImplemented

    def __neg__(self) -> Expression:
        return self * -1.0

    def __mul__(self, by: object) -> Expression:
        if not isinstance(by, Real):
            return NotImplemented
        if not math.isfinite(by):
            raise InputError(f"a weight is a finite number, not {by}")
        return Expression(tuple(replace(one, weight=one.weight * float(by)) for one in self.operands))

    __rmul__ = __mul__

    def __truediv__(self, by: object) -> Expression:
        if not isinstance(by, Real):
            return NotImplemented
        if by == 0:
            raise InputError("a query cannot be divided by zero")
        return self * (1 / float(by))


def text(words: str) -> Expression:
    """What words say."""
    return Expression((Operand(words),))


def image(picture: Picture, *, box: Sequence[float] | None = None) -> Expression:
    """What a picture shows, or one box of it: x0, y0, x1, y1 in 0-1 of the upright picture. Raises InputError."""
    return Expression((Operand(Clipped(picture, None if box is None else box_of(box))),))


def like(item_id: str) -> Expression:
    """More like this: what an item of the collection is like, by its stored vectors. It is no hit itself."""
    return Expression((Operand(Like(item_id)),))


def box_of(numbers: Sequence[float]) -> Box:
    """A box from its four numbers. Raises InputError unless 0 <= x0 < x1 <= 1, and y so too."""
    box = tuple(float(number) for number in numbers)
    if len(box) != 4 or not (0 <= box[0] < box[2] <= 1 and 0 <= box[1] < box[3] <= 1):
        raise InputError(f"a box is x0, y0, x1, y1 with 0 <= x0 < x1 <= 1 and 0 <= y0 < y1 <= 1, not {list(numbers)}")
    return box
