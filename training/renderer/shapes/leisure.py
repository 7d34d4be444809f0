"""Outdoor things, toys and stationery.
It knows proportions only."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from training.renderer.geometry import arc, rounded, smooth, thick
from training.renderer.pen import Pen

__all__ = ["SHAPES"]

_DARK = (0.06, 0.06, 0.08)
_LETTERS = {
    "A": [[(0.3, 0.2), (0.5, 0.8)], [(0.5, 0.8), (0.7, 0.2)], [(0.38, 0.42), (0.62, 0.42)]],
    "B": [[(0.32, 0.2), (0.32, 0.8)], [(0.32, 0.8), (0.66, 0.66), (0.34, 0.5), (0.7, 0.35), (0.32, 0.2)]],
    "C": [[(0.7, 0.72), (0.45, 0.8), (0.3, 0.5), (0.45, 0.2), (0.7, 0.28)]],
    "T": [[(0.5, 0.2), (0.5, 0.8)], [(0.28, 0.8), (0.72, 0.8)]],
}


def tent(p: Pen) -> None:
    if p.form == "dome":
        dome = np.concatenate([arc(0, 0.86, 1.1, 1.3, 180, 360, steps=40), [(1.1, 0.88), (-1.1, 0.88)]])
        p.blob(dome, p.palette.body, radius=0.8, height=0.9)
        p.ink(smooth([(-0.44, 0.87), (-0.4, 0.3), (0, -0.1), (0.4, 0.3), (0.44, 0.87)]), _DARK, opacity=0.82)
        p.blob([(0.12, 0.87), (0.1, 0.1), (0.36, 0.26), (0.6, 0.87)], p.palette.trim, radius=0.1, cast=0.2)
        for s in (-1, 1):
            p.tube([(s * 1.08, 0.86), (s * 0.7, -0.12), (-s * 0.1, -0.45), (-s * 0.7, 0.0)], 0.035, p.palette.trim)
        return
    apex, back = (-0.32, -0.72), (0.55, -0.58)
    p.line([(0.55, -0.58), (1.3, 0.72)], 0.018, "white")
    p.blob([apex, back, (1.18, 0.68), (0.5, 0.88)], p.palette.body, radius=0.3, height=0.5)
    p.blob([apex, (0.5, 0.88), (-1.0, 0.88)], p.palette.body.darker(0.9), radius=0.08, height=0.6)
    p.ink([(apex[0] + 0.02, -0.42), (0.12, 0.87), (-0.5, 0.87)], _DARK, opacity=0.85)
    p.blob([(apex[0], -0.5), (-0.28, 0.3), (-0.62, 0.87), (-0.84, 0.87)], p.palette.trim, radius=0.08, cast=0.2)
    p.tube([apex, back], 0.035, p.palette.trim, curved=False)
    p.line([apex, (-1.25, 0.9)], 0.018, "white")


def sleeping_bag(p: Pen) -> None:
    body = smooth(
        [
            (-0.4, -0.92),
            (0.0, -1.02),
            (0.4, -0.92),
            (0.58, -0.5),
            (0.54, 0.1),
            (0.38, 0.88),
            (0.0, 1.0),
            (-0.38, 0.88),
            (-0.54, 0.1),
            (-0.58, -0.5),
        ],
        closed=True,
    )
    p.blob(body, p.palette.body, radius=0.35)
    for y in np.arange(-0.22, 0.95, 0.2):
        w = 0.55 - 0.17 * max(0.0, float(y))
        p.line([(-w, y), (0, y + 0.07), (w, y)], 0.035, _DARK, opacity=0.34)
    p.flat(
        smooth(
            [
                (-0.36, -0.80),
                (0, -0.9),
                (0.36, -0.80),
                (0.44, -0.52),
                (0.3, -0.38),
                (0, -0.33),
                (-0.3, -0.38),
                (-0.44, -0.52),
            ],
            closed=True,
        ),
        p.palette.trim,
        cast=0.3,
    )
    p.blob(rounded(-0.27, -0.80, 0.27, -0.54, 0.1), p.surface("white", "cotton"), radius=0.12, cast=0.25)
    p.flat(
        smooth(
            [(-0.44, -0.5), (0, -0.58), (0.3, -0.55), (0.46, -0.28), (0.3, -0.28), (0, -0.26), (-0.42, -0.3)],
            closed=True,
        ),
        p.palette.trim.darker(0.8),
        cast=0.35,
    )
    p.line([(0.34, -0.4), (0.40, 0.1), (0.30, 0.78)], 0.05, (0.9, 0.9, 0.9), opacity=0.85)
    p.line([(0.34, -0.4), (0.40, 0.1), (0.30, 0.78)], 0.02, _DARK, opacity=0.85, dashed=True)


def watering_can(p: Pen) -> None:
    plain = p.palette.plain
    p.tube([(0.42, -0.1), (0.98, -0.26), (1.02, 0.4), (0.5, 0.66)], 0.09, plain)
    p.blob(thick([(-0.3, 0.62), (-1.02, -0.42)], 0.26, 0.12), plain, radius=0.1)
    p.blob([(-0.98, -0.62), (-1.26, -0.34), (-1.14, -0.28), (-0.92, -0.5)], p.palette.trim, radius=0.05)
    p.lathe([(-0.12, 0.5), (0.84, 0.58), (0.9, 0.54)], p.palette.body, curved=False)
    p.rim(0, -0.12, 0.5, plain, plain.darker(0.8), width=0.1)
    p.tube([(-0.42, -0.12), (-0.2, -0.55), (0.25, -0.55), (0.46, -0.1)], 0.08, plain, cast=0.15)


def hammock(p: Pen) -> None:
    for s in (-1, 1):
        p.tube([(s * 1.12, 0.95), (s * 1.12, -0.8)], 0.1, p.surface("light brown", "wood"), curved=False)
        for y in (-0.2, 0.05, 0.3):
            p.line([(s * 1.12, -0.55), (s * 0.78, y)], 0.018, "beige")
    top = smooth([(-0.8, -0.22), (-0.4, 0.18), (0.0, 0.3), (0.4, 0.18), (0.8, -0.22)])
    low = smooth([(-0.8, 0.32), (-0.4, 0.68), (0.0, 0.78), (0.4, 0.68), (0.8, 0.32)])
    p.blob(np.concatenate([top, low[::-1]]), p.palette.body, radius=0.2)
    for s in (-1, 1):
        p.tube([(s * 0.8, -0.28), (s * 0.8, 0.36)], 0.06, p.surface("light brown", "wood"), curved=False)


def bicycle(p: Pen) -> None:
    frame, black = p.palette.body, p.surface("black", "rubber")
    steel = p.surface("silver", "steel")
    for x in (-0.72, 0.72):
        for i in range(10):
            a = np.radians(i * 36 + 10)
            p.line([(x, 0.45), (x + 0.46 * np.cos(a), 0.45 + 0.46 * np.sin(a))], 0.008, (0.6, 0.6, 0.62))
        p.tube(arc(x, 0.45, 0.48, 0.48, steps=50), 0.06, black, curved=False)
        p.ball(x, 0.45, 0.06, steel)
    crank, seat, head = (-0.12, 0.5), (-0.26, -0.2), (0.5, -0.24)
    for a, b in ((crank, seat), (seat, head), (crank, (0.52, -0.12)), (crank, (-0.72, 0.45)), (seat, (-0.72, 0.45))):
        p.tube([a, b], 0.06, frame, curved=False)
    p.tube([(0.46, -0.42), (0.55, -0.05), (0.72, 0.45)], 0.06, frame)
    p.tube([seat, (-0.3, -0.42)], 0.045, steel, curved=False)
    p.blob([(-0.52, -0.48), (-0.1, -0.46), (-0.06, -0.4), (-0.34, -0.36), (-0.52, -0.38)], p.palette.trim, radius=0.06)
    p.tube([(0.46, -0.42), (0.62, -0.56), (0.34, -0.6), (0.26, -0.54)], 0.05, black)
    p.tube(arc(-0.12, 0.5, 0.12, 0.12, steps=24), 0.03, steel)
    p.tube([(-0.2, 0.4), (-0.02, 0.64)], 0.04, black, curved=False)


def ball(p: Pen) -> None:
    p.ball(0, 0.1, 0.82, p.palette.body)
    if p.palette.body.pattern == "plain":
        dark = tuple(0.45 * c for c in p.palette.plain.rgb)
        for seam in (
            [(-0.81, 0.16), (0, 0.3), (0.81, 0.1)],
            [(0.06, -0.72), (0.2, 0.1), (0.04, 0.92)],
            [(-0.5, -0.55), (-0.2, 0.1), (-0.46, 0.78)],
            [(0.55, -0.5), (0.46, 0.1), (0.58, 0.68)],
        ):
            p.line(seam, 0.03, dark, opacity=0.8)


def toy_car(p: Pen) -> None:
    body = p.palette.plain
    cabin = smooth([(-0.6, 0.14), (-0.46, -0.34), (-0.3, -0.42), (0.26, -0.42), (0.42, -0.32), (0.64, 0.14)])
    p.blob(cabin, p.palette.body, radius=0.2)
    for x0, x1 in ((-0.44, -0.05), (0.05, 0.46)):
        p.blob(
            [(x0 + (0.08 if x0 < 0 else 0), -0.28), (x1 - (0.12 if x0 > 0 else 0), -0.28), (x1, 0.12), (x0, 0.12)],
            p.surface("light blue", "ceramic"),
            radius=0.06,
            height=0.4,
        )
    shell = smooth(
        [(-1.05, 0.6), (-1.06, 0.26), (-0.9, 0.14), (-0.5, 0.1), (0.6, 0.1), (0.98, 0.24), (1.08, 0.42), (1.06, 0.62)]
    )
    p.blob(np.concatenate([shell, [(1.0, 0.7), (-1.0, 0.7)]]), p.palette.body, radius=0.25)
    p.line([(0.0, 0.14), (0.0, 0.64)], 0.016, _DARK, opacity=0.45)
    p.line([(-1.03, 0.56), (1.04, 0.56)], 0.05, p.palette.trim.rgb)
    p.tube([(0.08, 0.24), (0.18, 0.24)], 0.04, p.surface("silver", "steel"), curved=False)
    p.ball(1.0, 0.36, 0.08, p.surface("yellow", "ceramic"), ry=0.1)
    p.ball(-1.03, 0.34, 0.05, p.surface("red", "ceramic"), ry=0.09)
    for x in (-0.58, 0.6):
        p.ball(x, 0.68, 0.29, p.surface("black", "rubber"), cast=0.35)
        p.ball(x, 0.68, 0.15, p.palette.trim if p.form == "wooden" else p.surface("silver", "metal"))
        p.ball(x, 0.68, 0.05, body.darker(0.8))


def teddy(p: Pen) -> None:
    fur = p.palette.body
    light = fur.plain().darker(1.0)
    muzzle = p.surface("beige", "plush")
    for s in (-1, 1):
        p.ball(s * 0.44, -0.74, 0.2, fur.plain())
        p.ball(s * 0.44, -0.73, 0.11, muzzle)
        p.ball(s * 0.62, 0.2, 0.2, light, ry=0.4)
    p.ball(0, 0.36, 0.56, fur, ry=0.56)
    p.ball(0, 0.4, 0.32, muzzle, ry=0.36)
    p.ball(0, -0.42, 0.52, fur.plain(), ry=0.47, cast=0.3)
    for s in (-1, 1):
        p.ball(s * 0.46, 0.78, 0.27, light, ry=0.24, cast=0.3)
        p.ball(s * 0.48, 0.8, 0.15, muzzle, ry=0.14)
        p.ball(s * 0.2, -0.5, 0.055, p.surface("black", "ceramic"))
    p.ball(0, -0.3, 0.22, muzzle, ry=0.18)
    p.ball(0, -0.39, 0.075, p.surface("black", "ceramic"), ry=0.055)
    p.line([(-0.1, -0.24), (0, -0.2), (0.1, -0.24)], 0.022, _DARK)
    for s in (-1, 1):
        p.blob([(0, -0.0), (s * 0.28, -0.12), (s * 0.28, 0.12)], p.palette.trim, radius=0.08, cast=0.2)
    p.ball(0, 0.0, 0.07, p.palette.trim)


def blocks(p: Pen) -> None:
    names = ["red", "blue", "yellow", "green"]
    order = list(p.rng.permutation(4))
    wood = p.palette.body.material
    surfaces = [p.surface(names[i], wood) for i in order]
    surfaces[2 if p.form == "tower" else 4 - 1] = p.palette.body
    s = 0.5
    places = [(-0.55, 0.0, -0.1), (0.05, 0.0, 0.05), (-0.28, 0.5, -0.05)]
    places.append((-0.24, 1.0, -0.02) if p.form == "tower" else (0.62, 0.0, 0.3))
    for (x, y, z), surface in zip(places, surfaces, strict=True):
        p.box((x, y, z), (x + s, y + s, z + s), surface, bevel=0.05, cast=0.2)
        letter = "ABCT"[int(p.rng.integers(4))]
        for stroke in _LETTERS[letter]:
            p.line([p.place(x + a * s, y + b * s, z + s) for a, b in stroke], 0.05, "white", opacity=0.9)


def robot(p: Pen) -> None:
    metal, trim = p.palette.body, p.palette.trim
    p.tube([(0, -0.9), (0, -0.7)], 0.04, p.surface("silver", "steel"), curved=False)
    p.ball(0, -0.94, 0.08, p.surface("red", "ceramic"))
    for s in (-1, 1):
        p.blob(rounded(min(s * 0.14, s * 0.42), 0.5, max(s * 0.14, s * 0.42), 0.86, 0.05), metal, radius=0.1)
        p.blob(rounded(min(s * 0.08, s * 0.52), 0.78, max(s * 0.08, s * 0.52), 0.94, 0.06), trim, radius=0.06)
        p.tube([(s * 0.56, -0.02), (s * 0.78, 0.14), (s * 0.76, 0.42)], 0.15, metal)
        p.ball(s * 0.76, 0.48, 0.13, trim)
    p.blob(rounded(-0.58, -0.14, 0.58, 0.6, 0.1), metal, radius=0.14, cast=0.2)
    p.blob(rounded(-0.46, -0.76, 0.46, -0.2, 0.1), metal, radius=0.14, cast=0.2)
    for s in (-1, 1):
        p.ball(s * 0.2, -0.52, 0.12, p.surface("white", "ceramic"))
        p.ball(s * 0.2, -0.51, 0.055, p.surface("black", "ceramic"))
    p.blob(rounded(-0.22, -0.37, 0.22, -0.28, 0.03), p.surface("black"), radius=0.03)
    p.blob(rounded(-0.36, 0.02, 0.36, 0.42, 0.06), trim, radius=0.06, cast=0.2)
    for i, name in enumerate(("red", "yellow", "green")):
        p.ball(-0.2 + 0.2 * i, 0.2, 0.07, p.surface(name, "ceramic"))


def duck(p: Pen) -> None:
    body = smooth(
        [
            (-0.98, 0.08),
            (-0.72, 0.22),
            (-0.2, 0.1),
            (0.3, 0.1),
            (0.66, 0.36),
            (0.6, 0.72),
            (0.2, 0.92),
            (-0.4, 0.92),
            (-0.8, 0.66),
        ],
        closed=True,
    )
    p.blob(body, p.palette.body, radius=0.4)
    p.ball(0.32, -0.28, 0.45, p.palette.body.plain(), cast=0.2)
    p.blob(
        smooth([(0.66, -0.34), (0.9, -0.3), (1.06, -0.2), (0.9, -0.1), (0.66, -0.12)], closed=True),
        p.surface("orange"),
        radius=0.1,
        cast=0.2,
    )
    p.line([(0.7, -0.2), (1.0, -0.2)], 0.02, _DARK, opacity=0.5)
    p.ball(0.46, -0.4, 0.085, p.surface("white", "ceramic"))
    p.ball(0.48, -0.4, 0.05, p.surface("black", "ceramic"))
    wing = smooth([(-0.6, 0.36), (-0.1, 0.32), (0.2, 0.48), (0.0, 0.7), (-0.36, 0.66)], closed=True)
    p.blob(wing, p.palette.body.plain().darker(0.96), radius=0.15, cast=0.35)


def boat(p: Pen) -> None:
    p.tube([(0.02, 0.5), (0.02, -0.98)], 0.06, p.surface("light brown", "wood"), curved=False)
    p.blob([(0.1, -0.92), (0.82, 0.3), (0.1, 0.34)], p.palette.trim, radius=0.14, height=0.8)
    p.blob([(-0.06, -0.8), (-0.06, 0.32), (-0.64, 0.26)], p.palette.trim, radius=0.14, height=0.8)
    p.blob([(0.02, -1.02), (0.3, -0.93), (0.02, -0.84)], p.palette.plain, radius=0.04)
    hull = smooth(
        [(-1.0, 0.44), (0.0, 0.5), (1.04, 0.4), (0.86, 0.74), (0.6, 0.92), (-0.62, 0.92), (-0.86, 0.72)], closed=True
    )
    p.blob(hull, p.palette.body, radius=0.25, cast=0.2)
    p.tube([(-0.98, 0.47), (0.0, 0.53), (1.02, 0.43)], 0.06, p.surface("light brown", "wood"))


def kite(p: Pen) -> None:
    t = np.linspace(0, 1, 24)
    tail = np.stack([-0.16 - 0.5 * t + 0.16 * np.sin(t * 9), 0.5 + 0.52 * t], 1)
    p.line(tail, 0.025, p.palette.trim.rgb)
    for i in (7, 14, 21):
        x, y = tail[i]
        for s in (-1, 1):
            p.blob([(x, y), (x + s * 0.13, y - 0.08), (x + s * 0.13, y + 0.07)], p.palette.trim, radius=0.04)
    a, b, c, d = (0.12, -1.0), (0.78, -0.28), (-0.14, 0.55), (-0.62, -0.42)
    p.blob([a, b, c, d], p.palette.body, radius=0.12, height=0.6)
    centre = (0.02, -0.37)
    if p.palette.body.pattern == "plain":
        p.ink([a, b, centre], p.palette.trim.rgb, opacity=0.85)
        p.ink([c, d, centre], p.palette.trim.rgb, opacity=0.85)
    for x, y in ((a, c), (d, b)):
        p.tube([x, y], 0.03, p.surface("light brown", "wood"), curved=False)


def notebook(p: Pen) -> None:
    cover = p.palette.body
    w, h = p.vary(0.66, 0.74), 0.95
    p.blob(rounded(-w + 0.05, -h + 0.06, w + 0.05, h + 0.06, 0.05), cover.plain().darker(0.7), radius=0.03)
    p.blob(rounded(-w + 0.03, -h + 0.04, w + 0.03, h + 0.03, 0.03), p.surface("white", "paper"), radius=0.02)
    p.blob(rounded(-w, -h, w, h, 0.06), cover, radius=0.04, height=0.6, cast=0.2)
    if p.form == "spiral":
        for y in np.linspace(-h + 0.1, h - 0.1, 17):
            p.ink(arc(-w + 0.09, float(y), 0.03, 0.03), _DARK)
            p.tube(arc(-w + 0.01, float(y), 0.09, 0.035, 90, 360, steps=12), 0.022, p.surface("silver", "steel"))
    else:
        p.line([(-w + 0.16, -h + 0.02), (-w + 0.16, h - 0.02)], 0.03, _DARK, opacity=0.25)
        p.tube([(w - 0.18, -h), (w - 0.18, h)], 0.05, p.palette.trim, curved=False, cast=0.25)
        p.ink([(0.1, h), (0.18, h), (0.18, h + 0.16), (0.14, h + 0.12), (0.1, h + 0.16)], p.palette.trim.rgb)
    if p.form == "labelled":
        p.flat(rounded(-0.3, -0.6, 0.34, -0.24, 0.04), p.surface("white", "paper"), cast=0.15)
        for y in (-0.48, -0.36):
            p.line([(-0.2, y), (0.24, y)], 0.022, _DARK, opacity=0.5)


def pencils(p: Pen) -> None:
    names = ["red", "orange", "yellow", "green", "blue", "purple"]
    mixed = p.form == "coloured"
    for i in range(6):
        x = -0.75 + 0.3 * i
        y = -0.62 + 0.07 * ((i * 2) % 3)
        surface = p.surface(names[i], "plastic") if mixed else p.palette.body
        p.blob([(x - 0.1, y), (x + 0.1, y), (x, y - 0.34)], p.surface("beige", "wood"), radius=0.06, cast=0.25)
        p.ink([(x - 0.035, y - 0.22), (x + 0.035, y - 0.22), (x, y - 0.34)], surface.rgb if mixed else "black")
        p.blob(
            [
                (x - 0.1, y),
                (x - 0.05, y + 0.04),
                (x, y),
                (x + 0.05, y + 0.04),
                (x + 0.1, y),
                (x + 0.1, 0.9),
                (x - 0.1, 0.9),
            ],
            surface,
            radius=0.1,
            cast=0.3,
        )
        if not mixed:
            p.blob(rounded(x - 0.105, 0.72, x + 0.105, 0.82, 0.01), p.surface("gold", "steel"), radius=0.06)
            p.blob(rounded(x - 0.1, 0.8, x + 0.1, 0.97, 0.06), p.surface("pink", "rubber"), radius=0.08)


def scissors(p: Pen) -> None:
    steel = p.surface("silver", "steel")
    for s in (1, -1):
        m = np.array([s * 1.0, 1.0])
        p.blob(
            np.array([(-0.06, 0.12), (0.04, 0.04), (0.34, -1.0), (0.22, -0.9), (-0.1, -0.06)]) * m,
            steel,
            radius=0.06,
            height=0.7,
            cast=0.25,
        )
        p.blob(
            smooth(np.array([(-0.02, 0.02), (0.06, 0.1), (-0.12, 0.42), (-0.26, 0.42)]) * m, closed=True),
            p.palette.body,
            radius=0.08,
        )
        ring = arc(-s * 0.32, 0.62, 0.30, 0.34, steps=40)
        p.blob(ring, p.palette.body, radius=0.1, holes=[arc(-s * 0.32, 0.63, 0.17, 0.21, steps=40)], cast=0.2)
    p.ball(0, 0.03, 0.06, steel)


def pen(p: Pen) -> None:
    gold = p.surface("gold" if p.form == "fountain" else "silver", "steel")
    axis = np.array([0.8, -0.6])
    side = np.array([0.6, 0.8])

    def along(t0: float, t1: float, w0: float, w1: float) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        return np.stack([axis * t0 - side * w0, axis * t1 - side * w1, axis * t1 + side * w1, axis * t0 + side * w0])

    p.blob(along(-1.12, -0.86, 0.012, 0.075), gold, radius=0.05)
    p.line([tuple(axis * -1.1), tuple(axis * -0.92)], 0.012, _DARK, opacity=0.7)
    p.blob(along(-0.88, -0.66, 0.075, 0.10), p.surface("black"), radius=0.07)
    p.blob(along(-0.68, 0.3, 0.115, 0.125), p.palette.body, radius=0.11)
    p.blob(along(0.28, 0.34, 0.13, 0.13), gold, radius=0.08)
    p.blob(along(0.33, 1.05, 0.125, 0.10), p.palette.plain.darker(0.9), radius=0.11)
    p.tube([tuple(axis * 1.02 - side * 0.04), tuple(axis * 0.5 - side * 0.06)], 0.045, gold, curved=False, cast=0.3)


SHAPES: dict[str, Callable[[Pen], None]] = {
    "tent": tent,
    "sleeping bag": sleeping_bag,
    "watering can": watering_can,
    "hammock": hammock,
    "bicycle": bicycle,
    "ball": ball,
    "toy car": toy_car,
    "teddy bear": teddy,
    "building blocks": blocks,
    "toy robot": robot,
    "rubber duck": duck,
    "toy boat": boat,
    "kite": kite,
    "notebook": notebook,
    "pencils": pencils,
    "scissors": scissors,
    "pen": pen,
}
