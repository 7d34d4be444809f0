"""Clothes and shoes, mostly laid flat: outlines inflated like cloth, with seams and folds drawn on.
It knows proportions only."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np

from training.renderer.geometry import Field, Points, arc, as_points, mirrored, rounded, smooth
from training.renderer.pen import Pen

__all__ = ["SHAPES"]

_DARK = (0.05, 0.05, 0.08)


def _seam(p: Pen, points: Points, *, opacity: float = 0.28, width: float = 0.022) -> None:
    p.line(points, width, _DARK, opacity=opacity)


def _both(points: Points) -> tuple[Field, Field]:
    right = as_points(points)
    return right, right * np.array([-1.0, 1.0])


def _torso(sleeve: float, width: float, hem: float) -> Field:
    """A shirt's outline: `sleeve` from 0 (short) to 1 (long)."""
    end = np.array([0.98, -0.18]) * (1 - sleeve) + np.array([0.98, 0.72]) * sleeve
    inner = np.array([0.70, 0.0]) * (1 - sleeve) + np.array([0.74, 0.80]) * sleeve
    return mirrored(
        [
            (0.0, -0.80),
            (0.12, -0.81),
            (0.24, -0.9),
            (0.46, -0.82),
            (0.66, -0.68),
            (0.78, -0.52),
            (float(end[0]), float(end[1])),
            (float(inner[0]), float(inner[1])),
            (0.60, -0.16),
            (width - 0.02, 0.2),
            (width, hem),
            (0.3, hem + 0.04),
            (0.0, hem + 0.045),
        ]
    )


def tshirt(p: Pen) -> None:
    width, hem = p.vary(0.54, 0.6), p.vary(0.82, 0.92)
    p.blob(arc(0, -0.82, 0.25, 0.16), p.palette.plain.darker(0.55), radius=0.05)
    outline = _torso(0.0, width, hem)
    neck = arc(0, -0.88, 0.24, 0.24, 0, 180)
    p.blob(outline, p.palette.body, radius=0.16, height=0.8, holes=[neck])
    p.line(arc(0, -0.885, 0.265, 0.265, 8, 172), 0.055, tuple(0.8 * c for c in p.palette.plain.rgb))
    for side in _both([(0.6, -0.66), (0.52, -0.4), (0.59, -0.14)]):
        _seam(p, side)
    for side in _both([(0.91, -0.24), (0.69, -0.07)]):
        _seam(p, side, opacity=0.25)
    _seam(p, [(-width + 0.02, hem - 0.06), (0, hem - 0.02), (width - 0.02, hem - 0.06)], opacity=0.25)
    if p.form == "pocket":
        p.flat(rounded(0.16, -0.42, 0.42, -0.1, 0.03), p.palette.trim, cast=0.15)


def sweater(p: Pen) -> None:
    width, hem = p.vary(0.54, 0.6), 0.78
    plain = p.palette.plain
    p.blob(arc(0, -0.84, 0.24, 0.14), plain.darker(0.5), radius=0.05)
    p.blob(_torso(1.0, width, hem), p.palette.body, radius=0.2, height=0.9, holes=[arc(0, -0.9, 0.21, 0.16, 0, 180)])
    p.blob(rounded(-width, hem - 0.06, width, hem + 0.16, 0.05), p.palette.trim, radius=0.08, cast=0.1)
    for s in (-1, 1):
        cuff = [(s * 1.0, 0.66), (s * 1.0, 0.86), (s * 0.74, 0.92), (s * 0.72, 0.74)]
        p.blob(cuff, p.palette.trim, radius=0.07, cast=0.1)
    p.tube(arc(0, -0.9, 0.24, 0.19, 5, 175), 0.10, p.palette.trim)
    if p.form == "turtleneck":
        p.blob(rounded(-0.25, -1.1, 0.25, -0.76, 0.08), p.palette.trim, radius=0.1, cast=0.15)
    for x in np.linspace(-width + 0.04, width - 0.04, 22):
        p.line([(x, hem), (x, hem + 0.13)], 0.014, _DARK, opacity=0.22)
    for side in _both([(0.64, -0.68), (0.54, -0.4), (0.6, -0.1), (0.57, 0.3)]):
        _seam(p, side, opacity=0.3)


def jacket(p: Pen) -> None:
    width, hem = p.vary(0.56, 0.62), 0.86
    plain, metal = p.palette.plain, p.surface("silver", "steel")
    if p.form == "hooded":
        p.blob(
            [(-0.38, -0.62), (-0.4, -0.95), (0, -1.16), (0.4, -0.95), (0.38, -0.62), (0, -0.5)],
            plain,
            radius=0.2,
            curved=True,
        )
        p.blob(arc(0, -0.82, 0.24, 0.24), plain.darker(0.5), radius=0.1)
    else:
        p.blob(arc(0, -0.84, 0.26, 0.16), plain.darker(0.5), radius=0.05)
    p.blob(_torso(1.0, width, hem), p.palette.body, radius=0.22, height=0.95)
    if p.form == "quilted":
        for y in np.arange(-0.5, hem, 0.22):
            _seam(p, [(-width, y), (0, y + 0.03), (width, y)], opacity=0.34, width=0.03)
    p.ink([(-0.15, -0.86), (0.15, -0.86), (0.0, -0.55)], tuple(0.4 * c for c in plain.rgb))
    for s in (-1, 1):
        p.blob(
            [(s * 0.04, -0.5), (s * 0.14, -0.9), (s * 0.36, -0.93), (s * 0.38, -0.62)],
            p.palette.trim,
            radius=0.06,
            cast=0.3,
        )
        p.blob(
            rounded(min(s * 0.2, s * 0.5), 0.3, max(s * 0.2, s * 0.5), 0.36, 0.03),
            p.palette.trim,
            radius=0.03,
            cast=0.15,
        )
        p.blob([(s * 1.0, 0.66), (s * 1.0, 0.8), (s * 0.74, 0.87), (s * 0.72, 0.72)], p.palette.trim, radius=0.06)
    p.tube([(0, -0.56), (0, hem + 0.02)], 0.05, metal, curved=False)
    p.line([(0, -0.55), (0, hem)], 0.02, _DARK, opacity=0.6, dashed=True, curved=False)
    if p.form not in ("hooded", "quilted"):
        for y in np.linspace(-0.4, 0.7, 5):
            p.ball(0.09, float(y), 0.04, metal)
    for side in _both([(0.64, -0.7), (0.54, -0.4), (0.6, -0.1), (0.57, 0.3)]):
        _seam(p, side, opacity=0.36)


def trousers(p: Pen) -> None:
    hem = p.vary(0.2, 0.3) if p.form == "shorts" else 0.98
    flare = 0.06 if p.form == "shorts" else 0.0
    right = [
        (0.0, -0.92),
        (0.38, -0.92),
        (0.44, -0.6),
        (0.5 + flare, -0.1),
        (0.46 + flare * 2, hem),
        (0.14 - flare, hem + 0.02),
        (0.05, -0.28),
        (0, -0.3),
    ]
    p.blob(arc(0, -0.91, 0.36, 0.06), p.palette.plain.darker(0.5), radius=0.03)
    p.blob(mirrored(right), p.palette.body, radius=0.2, height=0.9)
    band = [(-0.385, -0.93), (0, -0.88), (0.385, -0.93), (0.40, -0.78), (0, -0.73), (-0.40, -0.78)]
    p.flat(band, p.palette.plain.darker(0.9), cast=0.15)
    _seam(p, [(0, -0.74), (0.0, -0.28)], opacity=0.45)
    p.line([(0.07, -0.7), (0.09, -0.5), (0.02, -0.36)], 0.015, (0.95, 0.75, 0.35), opacity=0.8, dashed=True)
    for side in _both([(0.40, -0.5), (0.24, -0.56), (0.2, -0.75)]):
        _seam(p, side, opacity=0.45)
    for side in _both([(0.36, -0.94), (0.365, -0.76)]):
        p.line(side, 0.05, tuple(0.7 * c for c in p.palette.plain.rgb))
    p.ball(0, -0.82, 0.04, p.surface("gold", "metal"))
    for side in _both([(0.3, -0.3), (0.31, hem - 0.03)]):
        _seam(p, side, opacity=0.16)
    for side in _both([(0.13, hem - 0.06), (0.46 + flare * 2, hem - 0.07)]):
        _seam(p, side, opacity=0.3)


def dress(p: Pen) -> None:
    right = [
        (0.0, -0.68),
        (0.12, -0.7),
        (0.19, -0.82),
        (0.22, -0.98),
        (0.31, -0.98),
        (0.36, -0.66),
        (0.34, -0.4),
        (0.28, -0.1),
        (0.48, 0.36),
        (0.74, 0.9),
        (0.4, 0.98),
        (0.0, 1.0),
    ]
    p.blob(mirrored(right), p.palette.body, radius=0.22, height=0.9)
    p.tube([(-0.29, -0.11), (0, -0.07), (0.29, -0.11)], 0.08, p.palette.trim)
    for x0, x1 in ((-0.16, -0.4), (0, 0.02), (0.16, 0.42), (-0.07, -0.18), (0.09, 0.2)):
        _seam(p, [(x0, 0.0), ((x0 + x1) / 2, 0.5), (x1, 0.95)], opacity=0.2, width=0.03)


def skirt(p: Pen) -> None:
    right = [(0.0, -0.62), (0.46, -0.64), (0.62, -0.2), (0.94, 0.8), (0.5, 0.88), (0.0, 0.9)]
    p.blob(mirrored(right), p.palette.body, radius=0.22, height=0.9)
    for x in np.linspace(-0.36, 0.36, 7):
        _seam(p, [(x, -0.5), (x * 1.5, 0.1), (x * 2.1, 0.84)], opacity=0.26, width=0.03)
    p.blob([(-0.47, -0.72), (0.47, -0.72), (0.49, -0.52), (-0.49, -0.52)], p.palette.trim, radius=0.05, cast=0.15)


def socks(p: Pen) -> None:
    leg = [
        (-0.30, -0.95),
        (0.10, -0.95),
        (0.11, -0.3),
        (0.14, 0.2),
        (0.3, 0.42),
        (0.66, 0.54),
        (0.78, 0.74),
        (0.62, 0.92),
        (0.2, 0.9),
        (-0.16, 0.72),
        (-0.29, 0.4),
        (-0.30, -0.2),
    ]
    for dx, dy in ((-0.36, -0.06), (0.18, 0.04)):
        d = np.array([dx, dy])
        p.blob(smooth(np.array(leg) + d, closed=True), p.palette.body, radius=0.18, cast=0.3)
        toe = smooth(np.array([(0.50, 0.5), (0.68, 0.54), (0.79, 0.74), (0.62, 0.92), (0.44, 0.92)]) + d, closed=True)
        p.blob(toe, p.palette.trim, radius=0.1)
        heel = smooth(np.array([(-0.29, 0.36), (-0.06, 0.5), (0.02, 0.83), (-0.17, 0.72)]) + d, closed=True)
        p.blob(heel, p.palette.trim, radius=0.1)
        p.blob(rounded(-0.32 + dx, -1.0 + dy, 0.12 + dx, -0.76 + dy, 0.05), p.palette.trim, radius=0.09)
        for x in np.linspace(-0.27, 0.07, 9):
            p.line([(x + dx, -0.98 + dy), (x + dx, -0.78 + dy)], 0.012, _DARK, opacity=0.25)


def cap(p: Pen) -> None:
    brim = [(-0.5, 0.56), (-1.02, 0.72), (-1.16, 0.86), (-0.9, 0.92), (-0.3, 0.82), (0.2, 0.72)]
    p.blob(brim, p.palette.trim, radius=0.12, curved=True)
    dome = smooth([(-0.56, 0.68), (-0.5, 0.18), (-0.14, -0.22), (0.3, -0.24), (0.68, 0.1), (0.76, 0.64)])
    base = smooth([(0.76, 0.66), (0.1, 0.76), (-0.56, 0.70)])
    p.blob(np.concatenate([dome, base]), p.palette.body, radius=0.45, height=1.0, cast=0.25)
    for x in (-0.3, 0.34):
        _seam(p, [(0.1, -0.26), ((0.1 + x) / 2 + x * 0.3, 0.1), (x, 0.72)], opacity=0.35)
    p.line([(-0.54, 0.66), (0.1, 0.71), (0.72, 0.62)], 0.016, (1, 1, 1), opacity=0.4, dashed=True)
    p.ball(0.1, -0.27, 0.06, p.palette.trim, ry=0.04)


def hat(p: Pen) -> None:
    tilt = 0.36
    p.lathe([(0.52, 1.0), (0.56, 1.02)], p.palette.plain, tilt=tilt, curved=False)
    p.disc(0, 0.52, 1.0, p.palette.body, tilt=tilt)
    p.lathe([(-0.32, 0.42), (-0.2, 0.52), (0.2, 0.58), (0.5, 0.62)], p.palette.body, tilt=tilt, cast=0.35)
    p.disc(0, -0.32, 0.42, p.palette.body, tilt=tilt)
    p.lathe([(0.30, 0.605), (0.44, 0.628)], p.palette.trim, tilt=tilt, curved=False)


def beanie(p: Pen) -> None:
    dome = smooth([(-0.72, 0.5), (-0.72, 0.0), (-0.45, -0.48), (0.0, -0.62), (0.45, -0.48), (0.72, 0.0), (0.72, 0.5)])
    p.ball(0, -0.72, 0.25, p.palette.trim)
    p.blob(dome, p.palette.body, radius=0.5, cast=0.2)
    p.blob(rounded(-0.78, 0.32, 0.78, 0.78, 0.14), p.palette.plain, radius=0.18, cast=0.3)
    for x in np.linspace(-0.68, 0.68, 19):
        p.line([(x, 0.36), (x, 0.74)], 0.02, _DARK, opacity=0.24)


def scarf(p: Pen) -> None:
    body, fringe = p.palette.body, p.palette.trim.rgb
    p.blob(arc(0, -0.58, 0.52, 0.24, steps=40), body.darker(0.5), radius=0.1)
    for x0, x1, top, bottom in ((-0.42, -0.06, -0.2, 0.72), (0.02, 0.38, -0.2, 0.9)):
        lean = 0.08 if x0 > 0 else -0.1
        for x in np.linspace(x0 + lean + 0.02, x1 + lean - 0.02, 10):
            p.line([(x, bottom - 0.02), (x, bottom + 0.14)], 0.026, fringe)
        p.blob([(x0, top), (x1, top), (x1 + lean, bottom), (x0 + lean, bottom)], body, radius=0.12, cast=0.3)
        _seam(p, [(x0 + 0.14, top), (x0 + 0.16 + lean, bottom - 0.1)], opacity=0.14, width=0.04)
    p.blob(
        arc(0, -0.42, 0.8, 0.5, steps=50),
        body,
        radius=0.22,
        height=1.1,
        holes=[arc(0, -0.6, 0.44, 0.17, steps=40)],
        cast=0.35,
    )
    for low, wide in ((-0.22, 0.62), (-0.06, 0.7)):
        _seam(
            p,
            [(-wide, low - 0.32), (-0.34, low - 0.04), (0.1, low), (0.5, low - 0.12), (wide, low - 0.32)],
            opacity=0.3,
            width=0.035,
        )
    p.blob(
        [(-0.34, -0.32), (0.0, -0.4), (0.32, -0.26), (0.36, 0.06), (0.04, 0.14), (-0.32, 0.02)],
        body,
        radius=0.16,
        cast=0.4,
        curved=True,
    )
    _seam(p, [(-0.26, -0.2), (0.0, -0.12), (0.28, -0.14)], opacity=0.25)


def gloves(p: Pen) -> None:
    shape = [
        (-0.26, 0.5),
        (-0.3, 0.1),
        (-0.30, -0.4),
        (-0.2, -0.66),
        (0.02, -0.74),
        (0.24, -0.62),
        (0.3, -0.3),
        (0.3, 0.02),
        (0.46, -0.14),
        (0.58, -0.08),
        (0.56, 0.1),
        (0.34, 0.36),
        (0.26, 0.5),
    ]
    for s in (-1, 1):
        at = np.array([s * 0.36, 0.0])
        p.blob(smooth(np.array(shape) * np.array([s, 1.0]) + at, closed=True), p.palette.body, radius=0.2, cast=0.25)
        p.blob(rounded(at[0] - 0.29, 0.44, at[0] + 0.29, 0.86, 0.08), p.palette.trim, radius=0.12, cast=0.2)
        for x in np.linspace(-0.24, 0.24, 10):
            p.line([(at[0] + x, 0.5), (at[0] + x, 0.82)], 0.016, _DARK, opacity=0.24)


def sneaker(p: Pen) -> None:
    sole = p.surface("white", "rubber")
    high = -0.62 if p.form == "high-top" else -0.16
    upper = [
        (-0.94, 0.66),
        (-0.96, 0.2),
        (-0.9, high),
        (-0.66, high - 0.08),
        (-0.36, high),
        (-0.2, 0.04),
        (0.22, 0.22),
        (0.66, 0.34),
        (0.98, 0.48),
        (1.06, 0.68),
    ]
    p.blob(arc(-0.64, high, 0.28, 0.09), p.palette.plain.darker(0.45), radius=0.05)
    p.blob(np.concatenate([smooth(upper), [(1.0, 0.76), (-0.94, 0.76)]]), p.palette.body, radius=0.3)
    p.blob(
        smooth([(0.62, 0.36), (0.86, 0.40), (1.06, 0.66), (1.04, 0.76), (0.66, 0.76)], closed=True), sole, radius=0.12
    )
    p.blob(rounded(-1.0, 0.66, 1.1, 0.9, 0.1), sole, radius=0.1, cast=0.25)
    p.line([(-0.96, 0.75), (1.06, 0.75)], 0.03, p.palette.trim.rgb)
    tongue = [(-0.42, high - 0.03), (-0.18, high - 0.1), (0.02, 0.06), (0.3, 0.22), (0.2, 0.28)]
    p.blob(tongue, p.palette.plain.darker(0.85), radius=0.06)
    steps = np.linspace(0, 1, 5 if p.form == "high-top" else 4)
    for t in steps:
        x, y = (-0.26 + 0.42 * t, high + 0.1 + (0.22 - high - 0.1) * t)
        p.tube([(x - 0.12, y + 0.1), (x + 0.1, y - 0.04)], 0.045, p.surface("white", "cotton"), cast=0.3)
    swoosh = [(-0.7, 0.5), (-0.3, 0.42), (0.05, 0.5), (-0.3, 0.58)]
    p.blob(swoosh, p.palette.trim, radius=0.05, curved=True)
    p.flat([(-0.97, 0.2), (-0.8, 0.18), (-0.82, 0.62), (-0.96, 0.64)], p.palette.trim)


def boot(p: Pen) -> None:
    sole = p.surface("black", "rubber")
    top = -0.9
    upper = smooth(
        [
            (-0.62, 0.7),
            (-0.6, 0.2),
            (-0.58, top),
            (0.06, top),
            (0.1, -0.2),
            (0.22, 0.12),
            (0.62, 0.26),
            (0.86, 0.46),
            (0.88, 0.72),
        ]
    )
    p.blob(arc(-0.26, top, 0.32, 0.08), p.palette.plain.darker(0.4), radius=0.05)
    p.blob(upper, p.palette.body, radius=0.28)
    p.blob(
        [(-0.64, 0.66), (0.9, 0.66), (0.92, 0.84), (-0.1, 0.84), (-0.16, 0.94), (-0.64, 0.94)],
        sole,
        radius=0.07,
        cast=0.25,
    )
    if p.form == "rubber":
        p.blob(rounded(-0.62, top - 0.02, 0.1, top + 0.14, 0.05), p.palette.trim, radius=0.06, cast=0.2)
        p.line([(-0.6, 0.6), (0.1, 0.56), (0.86, 0.58)], 0.035, p.palette.trim.rgb)
        return
    _seam(p, [(-0.6, 0.1), (-0.2, 0.24), (0.1, 0.6)], opacity=0.35)
    p.line([(0.26, 0.62), (0.36, 0.36), (0.62, 0.28)], 0.018, (0.95, 0.85, 0.6), opacity=0.6, dashed=True)
    for y in np.linspace(top + 0.15, 0.08, 6):
        x = 0.0 + 0.1 * max(0.0, (y + 0.4))
        p.tube([(x - 0.13, float(y) + 0.05), (x + 0.1, float(y) - 0.03)], 0.045, p.palette.trim, cast=0.3)
    p.tube([(-0.57, top), (-0.56, top - 0.1), (-0.46, top - 0.1), (-0.45, top + 0.05)], 0.04, p.palette.trim)


def sandals(p: Pen) -> None:
    for s, dx in ((-1, -0.44), (1, 0.44)):
        m, d = np.array([s * 1.0, 1.0]), np.array([dx, 0.0])
        foot = [
            (0.0, -0.94),
            (0.24, -0.84),
            (0.36, -0.5),
            (0.28, 0.1),
            (0.27, 0.6),
            (0.1, 0.9),
            (-0.14, 0.88),
            (-0.27, 0.6),
            (-0.22, 0.1),
            (-0.32, -0.4),
            (-0.24, -0.8),
        ]
        p.blob(
            smooth(np.array(foot) * 1.04 * m + d + np.array([0.02, 0.05]), closed=True),
            p.surface("dark brown", "rubber"),
            radius=0.06,
        )
        p.blob(smooth(np.array(foot) * m + d, closed=True), p.surface("beige", "leather"), radius=0.06, height=0.6)
        for y, w in ((-0.5, 0.36), (-0.06, 0.31)):
            p.blob(
                smooth(
                    np.array([(-w, y + 0.1), (0, y - 0.1), (w, y + 0.06), (w, y + 0.26), (0, y + 0.12), (-w, y + 0.3)])
                    * m
                    + d,
                    closed=True,
                ),
                p.palette.body,
                radius=0.08,
                cast=0.35,
            )
        p.blob(
            smooth(
                np.array([(-0.28, 0.4), (0, 0.3), (0.28, 0.4), (0.28, 0.52), (0, 0.42), (-0.28, 0.52)]) * m + d,
                closed=True,
            ),
            p.palette.body,
            radius=0.06,
            cast=0.3,
        )


def umbrella(p: Pen) -> None:
    p.tube([(0, -0.85), (0, 0.72)], 0.045, p.surface("silver", "steel"), curved=False)
    p.tube([(0, 0.62), (0, 0.78), (0.09, 0.92), (0.22, 0.9), (0.26, 0.76)], 0.075, p.surface("dark brown", "wood"))
    ribs = np.linspace(-1.05, 1.05, 7)
    edge = []
    for a, b in pairwise(ribs):
        edge.extend([(a, 0.10 - 0.1 * (1 - a * a / 1.2)), ((a + b) / 2, -0.04 - 0.02 * (a + b) ** 2)])
    edge.append((ribs[-1], 0.10))
    dome = arc(0, 0.08, 1.05, 0.92, 180, 360, steps=40)
    p.blob(np.concatenate([dome, smooth(edge)[::-1]]), p.palette.body, radius=0.55, height=0.9)
    for x in ribs[1:-1]:
        _seam(p, [(0, -0.84), (x * 0.75, -0.52), (x, 0.02)], opacity=0.35, width=0.022)
    p.tube([(0, -0.96), (0, -0.84)], 0.05, p.surface("silver", "steel"), curved=False)


def sunglasses(p: Pen) -> None:
    for s in (-1, 1):
        p.tube([(s * 0.95, -0.16), (s * 1.0, -0.4), (s * 0.84, -0.56)], 0.07, p.palette.plain)
        lens = smooth(
            np.array([(0.12, -0.18), (0.5, -0.26), (0.94, -0.2), (0.9, 0.18), (0.56, 0.34), (0.2, 0.18)])
            * np.array([s, 1]),
            closed=True,
        )
        p.blob(lens, p.surface("black", "ceramic"), radius=0.2, height=0.5)
        p.line([(s * 0.5 - 0.1, 0.12), (s * 0.5 + 0.1, -0.14)], 0.05, (1, 1, 1), opacity=0.3)
        p.tube(np.concatenate([lens, lens[:1]]), 0.085, p.palette.body, curved=False, cast=0.2)
    p.tube([(-0.16, -0.12), (0, -0.2), (0.16, -0.12)], 0.08, p.palette.body)


SHAPES: dict[str, Callable[[Pen], None]] = {
    "t-shirt": tshirt,
    "sweater": sweater,
    "jacket": jacket,
    "trousers": trousers,
    "dress": dress,
    "skirt": skirt,
    "socks": socks,
    "cap": cap,
    "hat": hat,
    "beanie": beanie,
    "scarf": scarf,
    "mittens": gloves,
    "sneaker": sneaker,
    "boot": boot,
    "sandals": sandals,
    "umbrella": umbrella,
    "sunglasses": sunglasses,
}
