"""How each kind of product is drawn: one function a kind, in parts, from back to front.
It knows proportions only; colours, materials, light and place come with the pen."""

from __future__ import annotations

from collections.abc import Callable

from training.renderer.pen import Pen
from training.renderer.shapes import bags, clothing, furniture, home, kitchen, leisure, lighting

__all__ = ["SHAPES"]

SHAPES: dict[str, Callable[[Pen], None]] = {
    **kitchen.SHAPES,
    **home.SHAPES,
    **furniture.SHAPES,
    **lighting.SHAPES,
    **clothing.SHAPES,
    **bags.SHAPES,
    **leisure.SHAPES,
}
