"""Lamps, lanterns: shades, stands, and the light they give.
It knows proportions only."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from training.renderer.geometry import arc, rounded
from training.renderer.pen import Pen
from training.renderer.surfaces import Surface

__all__ = ["SHAPES"]

_BULB = (1.0, 0.93, 0.72)


def _cone(
    p: Pen, x: float, y: float, *, angle: float, length: float, narrow: float, wide: float, surface: Surface
) -> None:
    """A lamp head opening along `angle` degrees, with a lit mouth."""
    a = np.radians(angle)
    d, s = np.array([np.cos(a), np.sin(a)]), np.array([-np.sin(a), np.cos(a)])
    c = np.array([x, y])
    mouth = c + d * length
    t = np.linspace(0, 2 * np.pi, 36)
    ellipse = mouth + np.cos(t)[:, None] * s * wide + np.sin(t)[:, None] * d * wide * 0.34
    back = (
        c
        + np.cos(np.linspace(np.pi, 2 * np.pi, 12))[:, None] * s * narrow
        + np.sin(np.linspace(np.pi, 2 * np.pi, 12))[:, None] * d * narrow
    )
    p.blob(np.concatenate([[mouth - s * wide], back, [mouth + s * wide]]), surface, radius=0.22, cast=0.2)
    p.flat(ellipse, surface.plain())
    p.ink((ellipse - mouth) * 0.9 + mouth, (1.0, 0.88, 0.55))
    p.ink((ellipse - mouth) * 0.55 + mouth, _BULB)
    p.shine(float(mouth[0] + d[0] * 0.3), float(mouth[1] + d[1] * 0.3), 0.75, 0.4)


def desk_lamp(p: Pen) -> None:
    arm = p.palette.trim
    p.lathe([(0.78, 0.34), (0.86, 0.42), (0.9, 0.42)], p.palette.plain, cx=0.3)
    p.disc(0.3, 0.78, 0.34, p.palette.plain)
    p.tube([(0.3, 0.76), (0.62, 0.05)], 0.08, arm, curved=False)
    p.tube([(0.62, 0.05), (-0.05, -0.62)], 0.08, arm, curved=False)
    p.ball(0.62, 0.05, 0.085, p.palette.plain)
    p.ball(-0.05, -0.62, 0.085, p.palette.plain)
    _cone(p, -0.1, -0.62, angle=125, length=0.5, narrow=0.15, wide=0.38, surface=p.palette.body)


def table_lamp(p: Pen) -> None:
    p.lathe([(-0.05, 0.07), (0.1, 0.16), (0.36, 0.34), (0.62, 0.3), (0.8, 0.2), (0.88, 0.28)], p.palette.plain)
    lit = Surface(
        rgb=p.palette.body.rgb,
        second=p.palette.body.second,
        pattern=p.palette.body.pattern,
        period=p.palette.body.period,
        material="linen",
        glow=0.35,
    )
    p.lathe([(-0.88, 0.36), (-0.06, 0.62)], lit, curved=False, cast=0.3)
    p.disc(0, -0.88, 0.36, p.surface("yellow", glow=1))
    p.ink(arc(0, -0.88, 0.3, 0.3 * p.tilt), _BULB)
    p.shine(0, -0.4, 1.2, 0.4)


def pendant_lamp(p: Pen) -> None:
    p.tube([(0, -1.5), (0, -0.6)], 0.035, p.surface("black"), curved=False)
    p.lathe([(-0.66, 0.06), (-0.5, 0.1)], p.surface("black"), curved=False, tilt=0.1)
    body = p.palette.body
    if p.form == "globe":
        p.ball(0, 0.15, 0.66, Surface(rgb=body.rgb, second=body.second, pattern=body.pattern, glow=0.45))
        p.shine(0, 0.15, 1.3, 0.5)
        return
    if p.form == "dome":
        profile = [(-0.5, 0.1), (-0.42, 0.34), (-0.15, 0.68), (0.15, 0.88), (0.4, 0.95)]
    else:
        profile = [(-0.5, 0.12), (-0.3, 0.22), (0.1, 0.6), (0.4, 0.95)]
    tilt = 0.16
    y, r = profile[-1]
    p.lathe(profile, body, tilt=tilt)
    # seen from a little below, so the lit mouth shows
    p.disc(0, y, r, p.palette.plain.darker(0.75), tilt=tilt)
    p.ink(arc(0, y + 0.005, r * 0.95, r * 0.95 * tilt, steps=50), (1.0, 0.86, 0.55))
    p.ink(arc(0, y - 0.01, 0.24, 0.24 * tilt * 1.6), _BULB)
    p.shine(0, y + 0.3, 1.3, 0.5)


def floor_lamp(p: Pen) -> None:
    if p.form == "tripod":
        for x in (-0.5, 0.52, 0.08):
            p.tube([(x, 0.92 if x != 0.08 else 0.98), (0, -0.35)], 0.06, p.palette.trim)
    else:
        p.lathe([(0.84, 0.3), (0.9, 0.34)], p.palette.trim)
        p.disc(0, 0.84, 0.3, p.palette.trim)
        p.tube([(0, 0.84), (0, -0.4)], 0.06, p.palette.trim, curved=False)
    lit = Surface(
        rgb=p.palette.body.rgb,
        second=p.palette.body.second,
        pattern=p.palette.body.pattern,
        period=p.palette.body.period,
        material="linen",
        glow=0.35,
    )
    p.lathe([(-1.0, 0.36), (-0.42, 0.48)], lit, curved=False, cast=0.3)
    p.disc(0, -1.0, 0.36, p.surface("yellow", glow=1))
    p.ink(arc(0, -1.0, 0.3, 0.3 * p.tilt), _BULB)
    p.shine(0, -0.65, 1.0, 0.4)


def lantern(p: Pen) -> None:
    metal = p.palette.plain
    p.tube(arc(0, -0.62, 0.46, 0.36, 180, 360, steps=12), 0.045, metal)
    p.lathe([(-0.82, 0.1), (-0.7, 0.16), (-0.58, 0.4), (-0.5, 0.46)], metal)
    p.ink(rounded(-0.4, -0.46, 0.4, 0.62, 0.12), (1.0, 0.87, 0.55), opacity=0.85)
    p.ball(0, 0.2, 0.2, p.surface("yellow", glow=1), ry=0.3)
    p.ink(arc(0, 0.22, 0.1, 0.2), _BULB)
    p.lathe([(-0.46, 0.36), (-0.2, 0.42), (0.3, 0.42), (0.62, 0.36)], p.surface("white", "glass"))
    for x in (-0.44, -0.16, 0.16, 0.44):
        p.tube([(x * 0.95, -0.48), (x * 1.08, 0.1), (x * 0.95, 0.64)], 0.04, metal)
    p.lathe([(0.6, 0.42), (0.7, 0.5), (0.86, 0.52), (0.92, 0.46)], metal)
    p.shine(0, 0.2, 1.1, 0.5)


def string_lights(p: Pen) -> None:
    for row, (y, sag) in enumerate(((-0.55, 0.42), (0.15, 0.42))):
        t = np.linspace(-1.25, 1.25, 33)
        curve = np.stack([t, y + sag * (1 - (t / 1.25) ** 2)], 1)
        p.line(curve, 0.03, "black", curved=False)
        names = (p.palette.body.rgb, p.palette.trim.rgb) if p.form == "coloured" else (_BULB, _BULB)
        for i, (x, yy) in enumerate(curve[2:-1:4]):
            p.lathe([(yy, 0.035), (yy + 0.08, 0.045)], p.surface("black"), cx=float(x), curved=False)
            bulb = Surface(rgb=names[(i + row) % 2], material="plastic", glow=0.55)
            p.ball(float(x), float(yy) + 0.17, 0.1, bulb, ry=0.13)
            p.shine(float(x), float(yy) + 0.17, 0.3, 0.35)


SHAPES: dict[str, Callable[[Pen], None]] = {
    "desk lamp": desk_lamp,
    "table lamp": table_lamp,
    "pendant lamp": pendant_lamp,
    "floor lamp": floor_lamp,
    "lantern": lantern,
    "string lights": string_lights,
}
