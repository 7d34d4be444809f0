"""Furniture, built from boxes turned in space.
It knows proportions only; the ground is y = 0 and heights go up."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from training.renderer.geometry import smooth
from training.renderer.pen import Pen
from training.renderer.surfaces import Surface

__all__ = ["SHAPES"]

Part = tuple[tuple[float, float, float], tuple[float, float, float], Surface]


def _legs(w: float, d: float, h: float, t: float, surface: Surface) -> list[Part]:
    return [((x - t, 0, z - t), (x + t, h, z + t), surface) for x in (-w, w) for z in (-d, d)]


def chair(p: Pen) -> None:
    w, h, back = 0.42, 0.78, p.vary(1.6, 1.8)
    frame = p.palette.plain
    seat = p.palette.trim
    legs = _legs(w, 0.4, h, 0.05, frame)
    p.boxes(legs)
    rear = -0.4
    rails: list[Part] = [((x - 0.05, h, rear - 0.05), (x + 0.05, back, rear + 0.05), frame) for x in (-w, w)]
    if p.form == "slatted":
        rails += [
            ((-w, y, rear - 0.03), (w, y + 0.12, rear + 0.03), frame) for y in (back - 0.14, back - 0.38, back - 0.62)
        ]
    else:
        rails.append(((-w, h + 0.28, rear - 0.04), (w, back, rear + 0.04), p.palette.body))
    behind = p.turn[2, 2] > 0
    if behind:
        p.boxes(rails)
    p.box((-w - 0.06, h - 0.02, -0.46), (w + 0.06, h + 0.1, 0.46), seat, bevel=0.12 if p.form == "padded" else 0.05)
    if not behind:
        p.boxes(rails)


def stool(p: Pen) -> None:
    legs = p.palette.trim if p.form == "bar" else p.palette.plain
    h = 1.55 if p.form == "bar" else 1.05
    feet = [(0.44 * np.cos(a), 0.44 * np.sin(a)) for a in np.radians([45, 135, 225, 315]) + 0.3]
    for x, z in sorted(feet, key=lambda f: f[1]):
        p.tube([p.place(x * 1.15, 0, z * 1.15), p.place(x * 0.75, h, z * 0.75)], 0.09, legs)
    ring = [p.place(0.43 * np.cos(a), h * 0.36, 0.43 * np.sin(a)) for a in np.radians(np.arange(0, 361, 12))]
    p.tube(ring, 0.045, legs)
    cx, cy = p.place(0, h + 0.1, 0)
    p.lathe([(cy, 0.54), (cy + 0.08, 0.56), (cy + 0.15, 0.52)], p.palette.body)
    p.disc(cx, cy, 0.54, p.palette.body)


def table(p: Pen) -> None:
    if p.form == "round":
        for x, z in ((-0.55, -0.4), (0.55, -0.4), (-0.5, 0.5), (0.5, 0.5)):
            p.tube([p.place(x * 1.1, 0, z), p.place(x * 0.7, 0.9, z * 0.6)], 0.09, p.palette.trim)
        cx, cy = p.place(0, 1.0, 0)
        p.lathe([(cy, 1.0), (cy + 0.08, 1.0)], p.palette.body, curved=False)
        p.disc(cx, cy, 1.0, p.palette.body)
        return
    w, d = p.vary(0.95, 1.05), p.vary(0.5, 0.6)
    h = 0.55 if p.form == "low" else 0.95
    p.boxes(_legs(w - 0.1, d - 0.1, h, 0.055, p.palette.trim))
    p.box((-w + 0.1, h - 0.14, -d + 0.1), (w - 0.1, h, d - 0.1), p.palette.trim)
    p.box((-w, h, -d), (w, h + 0.09, d), p.palette.body, cast=0.2)


def sofa(p: Pen) -> None:
    w = 0.78 if p.form == "armchair" else 1.15
    body = p.palette.body
    feet = p.surface("dark brown", "wood")
    p.boxes(_legs(w - 0.05, 0.42, 0.14, 0.05, feet))
    p.box((-w, 0.12, -0.55), (w, 1.02, -0.25), body, bevel=0.14)
    p.box((-w, 0.12, -0.3), (w, 0.38, 0.5), body, bevel=0.05)
    count = 1 if p.form == "armchair" else 2
    inner = w - 0.18
    for i in range(count):
        x0 = -inner + 2 * inner * i / count
        x1 = x0 + 2 * inner / count
        p.box((x0 + 0.01, 0.5, -0.3), (x1 - 0.01, 0.98, -0.16), body, bevel=0.16)
        p.box((x0 + 0.01, 0.38, -0.2), (x1 - 0.01, 0.56, 0.52), body, bevel=0.1, cast=0.15)
    sides = [(-w - 0.04, -w + 0.2), (w - 0.2, w + 0.04)]
    for x0, x1 in sides if p.turn[2, 0] > 0 else sides[::-1]:
        p.box((x0, 0.12, -0.5), (x1, 0.76, 0.54), body, bevel=0.12, cast=0.15)


def bookshelf(p: Pen) -> None:
    w, h, d = 0.62, 1.85, 0.24
    body = p.palette.body
    p.face((-w, 0, -d), (2 * w, 0, 0), (0, h, 0), body.darker(0.62))
    p.box((-w, 0, -d), (-w + 0.06, h, d), body, bevel=0.02)
    names = ("red", "blue", "yellow", "green", "white", "teal", "orange", "navy")
    levels = np.linspace(0.0, h - 0.06, 5)
    for level in levels[:-1]:
        p.box((-w, level, -d), (w, level + 0.06, d), body, bevel=0.02)
        x = -w + 0.1
        end = w - p.vary(0.1, 0.6)
        while x < end:
            t = p.vary(0.06, 0.12)
            tall = p.vary(0.24, 0.34)
            cover = p.surface(names[int(p.rng.integers(len(names)))], "paper")
            p.box((x, level + 0.06, -d * 0.8), (x + t, level + 0.06 + tall, d * 0.6), cover, bevel=0.015)
            x += t + 0.012
    p.box((w - 0.06, 0, -d), (w, h, d), body, bevel=0.02)
    p.box((-w, h - 0.06, -d), (w, h, d), body, bevel=0.02)


def bench(p: Pen) -> None:
    body, metal = p.palette.body, p.palette.trim
    p.boxes(_legs(0.95, 0.3, 0.55, 0.05, metal))
    backs: list[Part] = [((-1.1, y, -0.42), (1.1, y + 0.13, -0.36), body) for y in (0.78, 0.98, 1.18)]
    posts: list[Part] = [((x - 0.05, 0.5, -0.44), (x + 0.05, 1.34, -0.38), metal) for x in (-0.95, 0.95)]
    p.boxes(posts)
    p.boxes(backs)
    for z in (-0.34, -0.12, 0.1):
        p.box((-1.1, 0.55, z), (1.1, 0.62, z + 0.19), body, bevel=0.02)


def deck_chair(p: Pen) -> None:
    wood = p.surface("light brown", "wood")
    p.tube([(-0.85, 0.92), (0.62, -0.92)], 0.08, wood)
    p.tube([(0.75, 0.92), (-0.5, 0.1)], 0.08, wood)
    sling = smooth([(0.5, -0.85), (0.3, -0.3), (0.0, 0.15), (-0.35, 0.28), (-0.66, 0.2)])
    offset = np.array([0.34, 0.16])
    p.blob(np.concatenate([sling, (sling + offset)[::-1]]), p.palette.body, radius=0.1, height=0.6)
    p.tube([(-0.51, 1.0), (0.96, -0.78)], 0.08, wood, cast=0.25)
    p.tube([(1.09, 1.0), (-0.16, 0.26)], 0.08, wood, cast=0.25)
    p.tube([(0.56, -0.86), (0.94, -0.72)], 0.08, wood)
    p.tube([(-0.7, 0.16), (-0.28, 0.34)], 0.07, wood)


def chest(p: Pen) -> None:
    w, h, d = 0.72, 1.15, 0.42
    body = p.palette.body
    p.boxes(_legs(w - 0.08, d - 0.08, 0.16, 0.05, p.surface("dark brown", "wood")))
    p.box((-w, 0.14, -d), (w, h, d), body)
    p.box((-w - 0.05, h, -d - 0.03), (w + 0.05, h + 0.07, d + 0.05), body, cast=0.15)
    for i in range(3):
        y0 = 0.2 + i * 0.32
        p.box((-w + 0.06, y0, d), (w - 0.06, y0 + 0.27, d + 0.03), p.palette.plain, cast=0.2, bevel=0.03)
        for x in (-0.3, 0.3):
            cx, cy = p.place(x, y0 + 0.135, d + 0.06)
            p.ball(cx, cy, 0.05, p.palette.trim, cast=0.3)


SHAPES: dict[str, Callable[[Pen], None]] = {
    "chair": chair,
    "stool": stool,
    "table": table,
    "sofa": sofa,
    "bookshelf": bookshelf,
    "garden bench": bench,
    "deck chair": deck_chair,
    "chest of drawers": chest,
}
