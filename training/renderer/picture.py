"""One picture of one product: the frame, the palette, the drawing, and the scene around it.
It joins the other modules and holds no shapes, colours or words of its own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from training.renderer.geometry import Field
from training.renderer.kinds import KINDS, Kind
from training.renderer.pen import Frame, Palette, Pen, colour
from training.renderer.products import Product
from training.renderer.scene import Scene, choose_scene, compose
from training.renderer.shapes import SHAPES
from training.renderer.surfaces import Surface

__all__ = ["render", "scene", "silhouette"]

_DETAIL = 2  # the product is drawn this many times larger than the picture, then reduced


def scene(product: Product, seed: int, view: int = 0) -> Scene:
    """The surroundings of a view: the same that `render` draws for these arguments."""
    kind = KINDS[product.kind]
    rng = np.random.default_rng([product.seed, seed, view, 2])
    setting = "stand" if (product.kind, product.form) == ("clock", "alarm") else kind.setting
    return choose_scene(
        setting, colour(product.colours[0]), rng, lit=kind.category == "lighting", kite=product.kind == "kite"
    )


def _palette(product: Product, kind: Kind) -> Palette:
    main = colour(product.colours[0])
    second = colour(product.colours[1]) if len(product.colours) > 1 else main
    body = Surface(main, product.material, product.pattern, second, kind.period)
    trim = Surface(second, kind.neutral[1] or product.material).darker(1.0 if len(product.colours) > 1 else 0.86)
    if len(product.colours) < 2 and kind.neutral[0]:
        trim = Surface(colour(kind.neutral[0]), kind.neutral[1])
    return Palette(body, body.plain(), trim)


def _frame(setting: str, kind: Kind, n: int, ground: float, rng: np.random.Generator) -> Frame:
    angle = {"lay": 0.22, "stand": 0.03, "outdoor": 0.015}.get(setting, 0.0)
    zoom = 0.42 * kind.zoom * rng.uniform(0.92, 1.05)
    y = ground - 0.93 * zoom if setting in ("stand", "floor", "outdoor") else 0.5 + rng.uniform(-0.02, 0.02)
    if setting == "ceiling":
        y = 0.55
    x = 0.5 + rng.uniform(-0.03, 0.03)
    return Frame(
        n,
        float(zoom * n),
        float(x * n),
        float(y * n),
        float(rng.uniform(-angle, angle)),
        kind.flips and bool(rng.random() < 0.5),
    )


def _reduced(a: Field) -> Field:
    h, w = a.shape[0] // _DETAIL, a.shape[1] // _DETAIL
    small: Field = a.reshape(h, _DETAIL, w, _DETAIL, *a.shape[2:]).mean(axis=(1, 3))
    return small


def render(product: Product, *, seed: int, view: int = 0, size: int = 224) -> Image.Image:
    """A square RGB picture of a product, the same for the same arguments; views differ in angle and surroundings."""
    drawing = _drawn(product, seed, view, size)
    frame, alpha = drawing.pen.frame, _reduced(drawing.pen.alpha)
    glows = []
    for x, y, radius, strength in drawing.pen.glows:
        px, py = frame.to_pixels(np.array([[x, y]]))[0] / (size * _DETAIL)
        glows.append((float(px), float(py), radius * frame.unit / (size * _DETAIL), strength))
    covered = np.flatnonzero((alpha > 0.5).any(axis=1))
    return compose(
        _reduced(drawing.pen.rgb),
        alpha,
        glows,
        scene=drawing.around,
        setting=drawing.setting,
        ground=float(covered[-1] + 1) / size - 0.01 if len(covered) else drawing.ground,
        horizon=drawing.horizon,
        rng=drawing.rng,
    )


def silhouette(product: Product, *, seed: int, view: int = 0, size: int = 224) -> Field:
    """(size, size), 0-1: where in the picture that `render` makes of the same arguments the product is."""
    return _reduced(_drawn(product, seed, view, size).pen.alpha)


@dataclass(frozen=True, slots=True, eq=False)
class _Drawing:
    """A product drawn large, and what else its picture takes."""

    pen: Pen
    around: Scene
    setting: str
    ground: float
    horizon: float
    rng: np.random.Generator


def _drawn(product: Product, seed: int, view: int, size: int) -> _Drawing:
    kind = KINDS[product.kind]
    around = scene(product, seed, view)
    rng = np.random.default_rng([product.seed, seed, view, 3])
    setting = "stand" if (product.kind, product.form) == ("clock", "alarm") else kind.setting
    ground, horizon = float(rng.uniform(0.85, 0.89)), float(rng.uniform(0.56, 0.68))
    frame = _frame(setting, kind, size * _DETAIL, ground, rng)
    yaw = float(rng.uniform(0.35, 0.7)) * (1 if rng.random() < 0.5 else -1)
    pen = Pen(
        frame,
        around.light,
        _palette(product, kind),
        np.random.default_rng([product.seed, 1]),
        form=product.form,
        yaw=yaw,
        pitch=float(rng.uniform(0.24, 0.40)),
    )
    SHAPES[kind.shape or kind.name](pen)
    return _Drawing(pen, around, setting, ground, horizon, rng)
