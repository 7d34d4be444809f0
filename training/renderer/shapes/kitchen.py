"""Kitchen things: cups, pots, bottles, boards. Mostly turned bodies with handles.
It knows proportions only."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from training.renderer.geometry import arc, rounded, smooth, thick
from training.renderer.pen import Pen

__all__ = ["SHAPES"]


def mug(p: Pen) -> None:
    r, top = p.vary(0.52, 0.66), p.vary(-0.62, -0.35)
    foot = r * p.vary(0.78, 1.0)
    cx = -0.16
    middle = (top + 1) / 2
    loop = arc(cx + r * 0.94, middle - 0.02, 0.46, (0.98 - top) * 0.33, -80, 80, steps=12)
    p.tube(loop, 0.15, p.palette.plain)
    p.lathe([(top, r), (middle, (r + foot) / 2 + 0.01), (0.80, foot), (0.88, foot * 0.9)], p.palette.body, cx=cx)
    p.rim(cx, top, r, p.palette.plain, p.palette.plain, width=0.09)


def teapot(p: Pen) -> None:
    r = p.vary(0.62, 0.74)
    plain = p.palette.plain
    p.tube([(-r * 0.75, -0.12), (-r - 0.34, -0.22), (-r - 0.4, 0.2), (-r * 0.85, 0.52)], 0.13, plain)
    spout = thick(smooth([(r * 0.7, 0.5), (r + 0.12, 0.3), (r + 0.22, -0.02), (r + 0.42, -0.2)]), 0.36, 0.13)
    p.blob(spout, plain, radius=0.12)
    p.lathe([(-0.32, 0.36), (-0.12, r * 0.8), (0.22, r), (0.6, r * 0.86), (0.84, 0.46), (0.88, 0.42)], p.palette.body)
    p.lathe([(-0.52, 0.05), (-0.48, 0.18), (-0.36, 0.34), (-0.3, 0.37)], p.palette.trim, cast=0.25)
    p.ball(0, -0.58, 0.1, p.palette.trim)


def bowl(p: Pen) -> None:
    r, top = p.vary(0.85, 0.98), p.vary(0.05, 0.25)
    tilt = p.tilt * 1.15
    profile = [(top, r), (top + 0.3, r * 0.88), (0.7, r * 0.5), (0.78, 0.38), (0.88, 0.36)]
    p.lathe(profile, p.palette.body, tilt=tilt * 0.9)
    p.rim(0, top, r, p.palette.plain, p.palette.trim, width=0.06, tilt=tilt)


def plate(p: Pen) -> None:
    tilt = 0.80
    p.disc(0, 0.13, 1.0, p.palette.plain.darker(0.6), tilt=tilt)
    p.disc(0, 0.07, 1.0, p.palette.body, tilt=tilt)
    p.line(arc(0, 0.07, 0.97, 0.97 * tilt, steps=60), 0.035, (1, 1, 1), opacity=0.35)
    p.line(arc(0, 0.09, 0.62, 0.62 * tilt, steps=60), 0.03, (0.1, 0.1, 0.1), opacity=0.28)
    p.line(arc(0, 0.075, 0.64, 0.64 * tilt, 200, 340, steps=30), 0.02, (1, 1, 1), opacity=0.4)


def bottle(p: Pen) -> None:
    r = p.vary(0.27, 0.36)
    steel = p.surface("silver", "steel")
    if p.form == "sports":
        p.tube(arc(0, -0.86, 0.2, 0.16, 180, 360, steps=9), 0.07, p.palette.trim)
    p.lathe([(-0.5, r * 0.62), (-0.38, r * 0.7), (-0.2, r), (0.3, r), (0.82, r), (0.9, r * 0.94)], p.palette.body)
    p.lathe([(-0.56, r * 0.64), (-0.5, r * 0.66)], steel, curved=False)
    p.lathe([(-0.82, r * 0.6), (-0.78, r * 0.68), (-0.56, r * 0.68)], p.palette.trim, curved=False)
    p.disc(0, -0.82, r * 0.6, p.palette.trim)


def glass(p: Pen) -> None:
    r = p.vary(0.36, 0.46)
    body = p.palette.plain
    p.disc(0, 0.86, r * 0.92, body, tilt=0.24)
    p.lathe([(0.2, 0.06), (0.5, 0.045), (0.76, 0.06), (0.84, 0.16)], body)
    p.disc(0, -0.78, r * 0.8, body.darker(0.85), hollow=True, tilt=0.22)
    p.lathe([(-0.78, r * 0.8), (-0.4, r), (-0.08, r * 0.92), (0.12, r * 0.5), (0.2, 0.08)], body, tilt=0.22)
    p.line(arc(0, -0.78, r * 0.8, r * 0.8 * 0.22, steps=40), 0.022, (1, 1, 1), opacity=0.75)


def kettle(p: Pen) -> None:
    r = p.vary(0.62, 0.72)
    black = p.surface("black")
    p.tube(
        [(-r * 0.72, -0.1), (-r * 0.62, -0.78), (0, -0.92), (r * 0.62, -0.78), (r * 0.72, -0.1)],
        0.055,
        p.surface("silver", "steel"),
    )
    p.tube([(-0.3, -0.885), (0, -0.925), (0.3, -0.885)], 0.14, black)
    p.blob(thick(smooth([(r * 0.7, 0.3), (r + 0.12, 0.1), (r + 0.34, -0.14)]), 0.3, 0.13), p.palette.plain, radius=0.1)
    p.lathe([(-0.28, 0.3), (-0.1, r * 0.7), (0.3, r * 0.96), (0.7, r), (0.86, r * 0.95)], p.palette.body)
    p.lathe([(-0.4, 0.08), (-0.36, 0.22), (-0.26, 0.31)], p.palette.plain, cast=0.2)
    p.ball(0, -0.45, 0.08, black)


def frying_pan(p: Pen) -> None:
    tilt = 0.62
    grip = p.surface("light brown", "wood") if p.form == "wooden handle" else p.surface("black")
    p.blob(thick([(-0.2, 0.3), (1.2, -0.42)], 0.15, 0.19), grip, radius=0.07, cast=0.2)
    p.line([(1.08, -0.36), (1.15, -0.395)], 0.05, (0.1, 0.1, 0.1), opacity=0.7)
    p.lathe([(0.16, 0.74), (0.3, 0.70), (0.42, 0.62)], p.palette.plain, cx=-0.32, tilt=tilt, curved=False)
    p.disc(-0.32, 0.16, 0.74, p.palette.plain, tilt=tilt)
    p.disc(-0.32, 0.19, 0.69, p.surface("black", "cast iron"), hollow=True, tilt=tilt)
    p.disc(-0.32, 0.27, 0.58, p.surface("black", "cast iron"), tilt=tilt)
    p.line(arc(-0.32, 0.27, 0.58, 0.58 * tilt, 20, 160), 0.025, (0.6, 0.6, 0.62), opacity=0.6)


def saucepan(p: Pen) -> None:
    r = p.vary(0.66, 0.76)
    for s in (-1, 1):
        p.tube(
            [(s * r * 0.9, 0.06), (s * (r + 0.22), 0.06), (s * (r + 0.22), 0.24), (s * r * 0.9, 0.24)],
            0.09,
            p.palette.plain,
        )
    p.lathe([(-0.06, r), (0.78, r), (0.88, r * 0.93)], p.palette.body, curved=False)
    p.lathe(
        [(-0.38, 0.1), (-0.32, r * 0.5), (-0.16, r * 0.92), (-0.1, r + 0.03), (-0.04, r + 0.03)],
        p.palette.plain,
        cast=0.3,
    )
    p.lathe([(-0.5, 0.13), (-0.44, 0.14), (-0.36, 0.06)], p.surface("black"))
    p.disc(0, -0.5, 0.13, p.surface("black"))


def jug(p: Pen) -> None:
    r = p.vary(0.46, 0.54)
    plain = p.palette.plain
    p.tube([(-r * 0.7, -0.66), (-r - 0.4, -0.5), (-r - 0.36, 0.1), (-r * 0.9, 0.36)], 0.12, plain)
    p.blob([(0.1, -0.86), (r * 0.6, -0.86), (r + 0.16, -0.84), (r * 0.8, -0.56), (r * 0.4, -0.3)], plain, radius=0.1)
    p.lathe(
        [(-0.8, r * 0.72), (-0.5, r * 0.66), (-0.05, r * 0.85), (0.4, r), (0.78, r * 0.86), (0.88, r * 0.74)],
        p.palette.body,
    )
    p.rim(0, -0.8, r * 0.72, plain, plain, width=0.1)


def cutting_board(p: Pen) -> None:
    outline = rounded(-0.72, -0.45, 0.72, 0.92, 0.14)
    if p.form == "round":
        outline = arc(0, 0.25, 0.72, 0.70, steps=50)
    handle = rounded(-0.14, -1.0, 0.14, -0.3, 0.12)
    hole = arc(0, -0.84, 0.055, 0.055)
    p.blob(handle + np.array([0.02, 0.03]), p.palette.body.darker(0.62), radius=0.04, holes=[hole])
    p.blob(outline + np.array([0.02, 0.05]), p.palette.body.darker(0.62), radius=0.04)
    p.blob(handle, p.palette.body, radius=0.05, height=0.6, holes=[hole])
    p.blob(outline, p.palette.body, radius=0.05, height=0.6)
    inner = arc(0, 0.25, 0.6, 0.58, steps=50) if p.form == "round" else rounded(-0.6, -0.33, 0.6, 0.80, 0.1)
    p.line(np.concatenate([inner, inner[:1]]), 0.03, (0.2, 0.12, 0.05), opacity=0.4, curved=False)


def knife(p: Pen) -> None:
    p.blob(
        [(-1.05, 0.06), (0.12, -0.13), (0.14, 0.17), (-0.3, 0.2), (-0.8, 0.16)],
        p.surface("silver", "steel"),
        radius=0.05,
        height=0.6,
    )
    p.line([(-0.98, 0.08), (-0.3, 0.12), (0.12, 0.1)], 0.012, (1, 1, 1), opacity=0.7)
    p.blob(rounded(0.1, -0.13, 1.0, 0.08, 0.09), p.palette.body, radius=0.08, cast=0.3)
    for x in (0.28, 0.55, 0.82):
        p.ball(x, -0.03, 0.035, p.surface("silver", "steel"))


def spoon_set(p: Pen) -> None:
    for i, x in enumerate((-0.48, 0.0, 0.48)):
        lean = (i - 1) * 0.12
        body = p.palette.body
        p.tube([(x - lean, 0.95), (x, 0.3), (x + lean, -0.35)], 0.10, body, cast=0.3)
        head = arc(x + lean * 1.3, -0.6, 0.2, 0.32, steps=30)
        if i == 1:
            head = rounded(x - 0.19, -0.95, x + 0.19, -0.28, 0.1)
        slots = (-0.09, 0.0, 0.09) if i == 1 else ()
        holes = [rounded(x + d - 0.025, -0.84, x + d + 0.025, -0.45, 0.02) for d in slots]
        p.blob(head, body, radius=0.08, height=0.8, holes=holes, cast=0.2)
        if i != 1:
            p.ink(arc(x + lean * 1.3, -0.58, 0.12, 0.22), (0.1, 0.05, 0.0), opacity=0.2)


SHAPES: dict[str, Callable[[Pen], None]] = {
    "mug": mug,
    "teapot": teapot,
    "bowl": bowl,
    "plate": plate,
    "bottle": bottle,
    "wine glass": glass,
    "kettle": kettle,
    "frying pan": frying_pan,
    "cooking pot": saucepan,
    "jug": jug,
    "cutting board": cutting_board,
    "knife": knife,
    "cooking spoons": spoon_set,
}
