"""Things for the home: vases, clocks, cushions, pots, candles, baskets, mirrors, rugs.
It knows proportions only."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from training.renderer.geometry import arc, rounded, smooth, thick
from training.renderer.pen import Pen

__all__ = ["SHAPES"]


def vase(p: Pen) -> None:
    r = p.vary(0.42, 0.5)
    if p.form == "round":
        profile = [(-0.55, 0.26), (-0.4, 0.2), (-0.15, 0.42), (0.25, 0.66), (0.65, 0.52), (0.88, 0.3)]
    elif p.form == "tall":
        profile = [(-0.95, 0.3), (-0.8, 0.2), (-0.5, 0.18), (-0.05, 0.34), (0.4, 0.4), (0.8, 0.3), (0.9, 0.28)]
    else:
        profile = [(-0.8, r * 0.9), (-0.62, r * 0.6), (-0.2, r * 0.9), (0.2, r), (0.65, r * 0.72), (0.88, r * 0.6)]
    top, radius = profile[0]
    p.disc(0, top, radius, p.palette.plain.darker(0.8), hollow=True)
    p.lathe(profile, p.palette.body)
    p.rim(0, top, radius, p.palette.plain, p.palette.plain.darker(0.7), width=0.14)


def clock(p: Pen) -> None:
    steel = p.surface("black")
    cy = 0.0
    if p.form == "alarm":
        cy = 0.15
        for s in (-1, 1):
            p.tube([(s * 0.35, 0.7), (s * 0.55, 0.97)], 0.1, p.palette.plain)
            p.ball(s * 0.45, -0.62, 0.26, p.palette.plain, ry=0.2)
        p.tube([(-0.16, -0.66), (0, -0.84), (0.16, -0.66)], 0.06, p.surface("silver", "steel"))
    size = 0.72 if p.form == "alarm" else 0.95
    if p.form == "square":
        p.blob(rounded(-0.92, -0.92, 0.92, 0.92, 0.2), p.palette.body, radius=0.14)
        size = 0.86
    else:
        p.blob(arc(0, cy, size, size, steps=60), p.palette.body, radius=0.16)
    p.ink(arc(0, cy, size * 0.82, size * 0.82, steps=60), "white")
    p.line(arc(0, cy + 0.01, size * 0.82, size * 0.82, 180, 360, steps=40), 0.04, (0.1, 0.1, 0.1), opacity=0.22)
    for hour in range(12):
        a = np.radians(hour * 30)
        d = np.array([np.sin(a), -np.cos(a)])
        c = np.array([0, cy])
        p.line(np.stack([c + d * size * 0.66, c + d * size * 0.76]), 0.055 if hour % 3 == 0 else 0.03, "black")
    for angle, length, width in ((-58, 0.42, 0.07), (58, 0.62, 0.045)):
        a = np.radians(angle)
        p.line([(0, cy), (np.sin(a) * length * size, cy - np.cos(a) * length * size)], width, "black")
    p.line([(0, cy + 0.1), (0.06, cy + size * 0.55)], 0.022, "red")
    p.ball(0, cy, 0.055, steel)


def _round_cushion(p: Pen) -> None:
    turn = np.radians(np.linspace(0, 360, 120, endpoint=False))
    swell = 1 + 0.022 * np.abs(np.sin(turn * 6))  # twelve puffs between the pleats
    outline = np.stack([0.95 * swell * np.cos(turn), 0.05 + 0.88 * swell * np.sin(turn)], axis=1)
    p.blob(outline, p.palette.body, radius=0.42, height=0.7)
    for a in turn[::10]:
        rim = (0.93 * np.cos(a), 0.05 + 0.86 * np.sin(a))
        p.line([(0.05 * np.cos(a), 0.05 + 0.05 * np.sin(a)), rim], 0.05, (0.05, 0.05, 0.08), opacity=0.07)
        p.line([(0.05 * np.cos(a), 0.05 + 0.05 * np.sin(a)), rim], 0.02, (0.05, 0.05, 0.08), opacity=0.14)
    p.blob(arc(0, 0.05, 0.11, 0.1), p.palette.plain.darker(0.92), radius=0.1, cast=0.35)


def cushion(p: Pen) -> None:
    if p.form == "round":
        _round_cushion(p)
        return
    right = [(0.5, -0.76), (0.98, -0.86), (0.86, -0.4), (0.84, 0.05), (0.86, 0.5), (0.98, 0.95), (0.5, 0.84)]
    left = [(-x, y) for x, y in reversed(right)]
    outline = smooth([(0, -0.74), *right, (0, 0.82), *left], closed=True)
    p.blob(outline, p.palette.body, radius=0.75, height=0.75)
    seam = np.concatenate([outline, outline[:1]]) * np.array([0.975, 0.975])
    p.line(seam, 0.02, tuple(0.6 * c for c in p.palette.plain.rgb), opacity=0.6, curved=False)


def plant_pot(p: Pen) -> None:
    r = p.vary(0.5, 0.6)
    leaf = p.surface("green", "plastic")
    count = 9
    for i in range(count):
        t = (i - (count - 1) / 2) / ((count - 1) / 2)
        t = t * (1 if i % 2 else 0.72)
        tip = (t * 0.78, -0.98 + 0.36 * abs(t) + 0.1 * (i % 2))
        middle = (t * 0.42, -0.42)
        path = smooth([(t * 0.18, 0.12), middle, tip])
        width = np.sin(np.linspace(0.25, np.pi, len(path))) * 0.2
        side = thick(path, 1.0, 1.0)
        n = len(path)
        spread = np.concatenate(
            [path + (side[:n] - path) * width[:, None], (path + (side[n:][::-1] - path) * width[:, None])[::-1]]
        )
        p.blob(spread, leaf.darker(0.8 + 0.25 * (i % 3) / 2), radius=0.06, cast=0.25)
        p.line(path, 0.015, (0.75, 0.9, 0.6), opacity=0.5, curved=False)
    p.lathe([(0.12, r * 0.98), (0.5, r * 0.86), (0.88, r * 0.68)], p.palette.body, cast=0.3)
    p.lathe([(0.0, r * 1.08), (0.17, r * 1.06)], p.palette.plain, curved=False)


def candle(p: Pen) -> None:
    r = p.vary(0.34, 0.44)
    top = p.vary(-0.4, -0.1)
    if p.form == "in a jar":
        p.lathe([(top - 0.2, r * 1.1), (0.86, r * 1.1), (0.9, r)], p.palette.body, curved=False)
        p.rim(0, top - 0.2, r * 1.1, p.palette.plain, p.surface("beige", "wax"), width=0.1)
        y = top - 0.16
    else:
        p.lathe([(top, r), (0.88, r)], p.palette.body, curved=False)
        p.disc(0, top, r, p.palette.plain)
        p.disc(0, top + 0.01, r * 0.62, p.palette.plain.darker(0.92), hollow=True)
        y = top
    p.line([(0, y + 0.02), (0.01, y - 0.14)], 0.035, "black")
    flame = smooth(
        [(0.01, y - 0.5), (0.11, y - 0.24), (0.08, y - 0.1), (0.0, y - 0.07), (-0.08, y - 0.1), (-0.1, y - 0.24)],
        closed=True,
    )
    p.ink(flame, (1.0, 0.66, 0.14))
    p.ink((flame - np.array([0, y - 0.17])) * 0.55 + np.array([0, y - 0.15]), (1.0, 0.95, 0.7))
    p.shine(0, y - 0.22, 0.8, 0.55)


def basket(p: Pen) -> None:
    r = p.vary(0.72, 0.82)
    for s in (-1, 1):
        p.tube(arc(s * r * 0.78, -0.08, 0.2, 0.26, 180, 360, steps=9), 0.07, p.palette.plain.darker(0.85))
    p.lathe([(-0.05, r), (0.4, r * 0.98), (0.8, r * 0.86), (0.9, r * 0.8)], p.palette.body)
    p.rim(0, -0.05, r, p.palette.plain.darker(0.9), p.palette.plain.darker(0.6), width=0.08)


def mirror(p: Pen) -> None:
    glass_shape = arc(0, 0, 0.66, 0.84, steps=60)
    outer = arc(0, 0, 0.78, 0.97, steps=60)
    if p.form == "round":
        outer, glass_shape = arc(0, 0, 0.95, 0.95, steps=60), arc(0, 0, 0.81, 0.81, steps=60)
    elif p.form == "square":
        outer, glass_shape = rounded(-0.9, -0.9, 0.9, 0.9, 0.06), rounded(-0.75, -0.75, 0.75, 0.75, 0.03)
    p.ink(glass_shape, (0.80, 0.86, 0.90))
    p.ink(glass_shape * np.array([1, 0.5]) + np.array([0, 0.36]), (0.70, 0.77, 0.82), opacity=0.7)
    for x, width in ((-0.18, 0.16), (0.1, 0.07)):
        p.line([(x + 0.28, -0.45), (x - 0.28, 0.4)], width, (1, 1, 1), opacity=0.75)
    p.blob(outer, p.palette.body, radius=0.09, holes=[glass_shape])


def rug(p: Pen) -> None:
    quad = np.array([(-0.78, -0.45), (0.78, -0.45), (1.0, 0.75), (-1.0, 0.75)])
    for t in np.linspace(0.02, 0.98, 34):
        for y, x0, x1, d in ((-0.45, -0.78, 0.78, -0.08), (0.75, -1.0, 1.0, 0.11)):
            x = x0 + (x1 - x0) * t
            p.line([(x, y), (x * 1.01, y + d)], 0.022, p.palette.trim.rgb)
    p.blob(quad, p.palette.body, radius=0.05, height=0.6)
    inner = quad * np.array([0.88, 0.8]) + np.array([0, 0.03])
    p.line(np.concatenate([inner, inner[:1]]), 0.05, p.palette.trim.rgb, opacity=0.9, curved=False)


def blanket(p: Pen) -> None:
    for i, (y, w) in enumerate(((0.62, 0.92), (0.28, 0.9), (-0.06, 0.88))):
        body = p.palette.body
        p.blob(rounded(-w, y - 0.15, w, y + 0.25, 0.19), body, radius=0.17, cast=0.3)
        p.line([(w - 0.1, y + 0.05), (-w + 0.3, y + 0.06)], 0.02, (0, 0, 0), opacity=0.18 + 0.02 * i)
    p.blob(
        [(-0.86, -0.22), (-0.7, -0.36), (0.7, -0.36), (0.86, -0.22), (0.8, 0.05), (-0.8, 0.05)],
        p.palette.body,
        radius=0.14,
    )
    for x in np.linspace(-0.74, 0.74, 26):
        p.line([(x, 0.04), (x + 0.015, 0.19)], 0.028, p.palette.trim.rgb)


SHAPES: dict[str, Callable[[Pen], None]] = {
    "vase": vase,
    "clock": clock,
    "cushion": cushion,
    "plant pot": plant_pot,
    "candle": candle,
    "basket": basket,
    "mirror": mirror,
    "rug": rug,
    "blanket": blanket,
}
