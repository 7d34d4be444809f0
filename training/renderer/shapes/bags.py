"""Bags and cases: soft bodies, straps, flaps, zips and wheels.
It knows proportions only."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from training.renderer.geometry import arc, rounded, smooth
from training.renderer.pen import Pen

__all__ = ["SHAPES"]

_DARK = (0.06, 0.06, 0.08)


def backpack(p: Pen) -> None:
    plain, trim = p.palette.plain, p.palette.trim
    for s in (-1, 1):
        p.tube([(s * 0.4, -0.7), (s * 0.86, -0.2), (s * 0.8, 0.5), (s * 0.6, 0.78)], 0.13, trim)
    p.tube(arc(0, -0.88, 0.17, 0.17, 180, 360, steps=9), 0.07, trim)
    w = p.vary(0.6, 0.68)
    body = [
        (-w, 0.82),
        (-w - 0.03, 0.2),
        (-w + 0.05, -0.5),
        (-0.36, -0.88),
        (0.0, -0.94),
        (0.36, -0.88),
        (w - 0.05, -0.5),
        (w + 0.03, 0.2),
        (w, 0.82),
        (0.3, 0.95),
        (-0.3, 0.95),
    ]
    p.blob(smooth(body, closed=True), p.palette.body, radius=0.35)
    p.line(
        [
            (-w + 0.1, 0.02),
            (-w + 0.14, -0.44),
            (-0.3, -0.74),
            (0.0, -0.79),
            (0.3, -0.74),
            (w - 0.14, -0.44),
            (w - 0.1, 0.02),
        ],
        0.04,
        _DARK,
        opacity=0.55,
    )
    p.blob(rounded(-w + 0.12, 0.16, w - 0.12, 0.84, 0.16), p.palette.body.plain(), radius=0.16, cast=0.3)
    p.line([(-w + 0.2, 0.3), (0, 0.28), (w - 0.2, 0.3)], 0.035, _DARK, opacity=0.6)
    p.tube([(w - 0.26, 0.31), (w - 0.26, 0.42)], 0.045, p.surface("silver", "steel"), curved=False)
    p.flat(rounded(-0.13, -0.34, 0.13, -0.12, 0.04), trim, cast=0.2)
    p.line([(-w + 0.18, 0.22), (-w + 0.17, 0.7)], 0.014, plain.second, opacity=0.25)


def tote(p: Pen) -> None:
    for dx, dy, shade in ((0.06, -0.06, 0.75), (0.0, 0.0, 1.0)):
        p.tube(
            [
                (-0.36 + dx, -0.3),
                (-0.32 + dx, -0.72 + dy),
                (0 + dx, -0.96 + dy),
                (0.32 + dx, -0.72 + dy),
                (0.36 + dx, -0.3),
            ],
            0.09,
            p.palette.trim.darker(shade),
            cast=0.15,
        )
        if dx:
            p.blob([(-0.66, -0.38), (0.7, -0.38), (0.72, 0.0), (-0.7, 0.0)], p.palette.plain.darker(0.55), radius=0.05)
    body = [(-0.7, -0.34), (0.7, -0.34), (0.74, 0.3), (0.76, 0.92), (-0.76, 0.92), (-0.74, 0.3)]
    p.blob(body, p.palette.body, radius=0.16, height=0.8)
    p.line([(-0.7, -0.24), (0.7, -0.24)], 0.016, _DARK, opacity=0.35, dashed=True)
    for x in (-0.37, 0.37):
        p.tube([(x, -0.4), (x * 1.02, -0.12)], 0.09, p.palette.trim, curved=False, cast=0.2)


def suitcase(p: Pen) -> None:
    metal = p.surface("grey", "metal")
    for x in (-0.24, 0.24):
        p.tube([(x, -1.04), (x, -0.5)], 0.05, metal, curved=False)
    p.tube([(-0.27, -1.06), (0.27, -1.06)], 0.09, p.surface("black"), curved=False)
    for x in (-0.44, 0.44):
        p.ball(x, 0.93, 0.1, p.surface("black", "rubber"))
    p.blob(rounded(-0.64, -0.68, 0.64, 0.88, 0.16), p.palette.body, radius=0.18)
    for x in np.linspace(-0.42, 0.42, 5):
        p.line([(x, -0.6), (x, 0.8)], 0.04, _DARK, opacity=0.20)
        p.line([(x + 0.035, -0.6), (x + 0.035, 0.8)], 0.02, (1, 1, 1), opacity=0.30)
    for s in (-1, 1):
        for y in (-0.58, 0.78):
            p.blob(
                rounded(min(s * 0.64, s * 0.5), y - 0.1, max(s * 0.64, s * 0.5), y + 0.1, 0.07),
                p.palette.trim,
                radius=0.06,
                cast=0.2,
            )
    p.tube([(-0.16, -0.69), (-0.12, -0.76), (0.12, -0.76), (0.16, -0.69)], 0.05, p.surface("black"))


def handbag(p: Pen) -> None:
    gold = p.surface("gold", "steel")
    p.tube([(-0.52, -0.22), (-0.42, -0.8), (0, -0.98), (0.42, -0.8), (0.52, -0.22)], 0.09, p.palette.trim)
    body = smooth(
        [
            (-0.66, -0.24),
            (0, -0.3),
            (0.66, -0.24),
            (0.84, 0.3),
            (0.84, 0.78),
            (0.5, 0.9),
            (-0.5, 0.9),
            (-0.84, 0.78),
            (-0.84, 0.3),
        ],
        closed=True,
    )
    p.blob(body, p.palette.body, radius=0.28)
    flap = smooth(
        [(-0.68, -0.26), (0, -0.31), (0.68, -0.26), (0.72, 0.1), (0.36, 0.38), (0, 0.44), (-0.36, 0.38), (-0.72, 0.1)],
        closed=True,
    )
    p.blob(flap, p.palette.plain, radius=0.12, cast=0.4)
    p.line(
        [(-0.64, 0.1), (-0.32, 0.31), (0, 0.37), (0.32, 0.31), (0.64, 0.1)],
        0.016,
        (0.95, 0.9, 0.8),
        opacity=0.5,
        dashed=True,
    )
    p.blob(rounded(-0.09, 0.3, 0.09, 0.5, 0.04), gold, radius=0.04, cast=0.3)
    for s in (-1, 1):
        p.tube(arc(s * 0.52, -0.2, 0.08, 0.09, steps=16), 0.035, gold)


def wallet(p: Pen) -> None:
    p.blob(rounded(-0.9, -0.5, 0.9, 0.66, 0.1), p.palette.plain.darker(0.75), radius=0.08)
    p.blob(rounded(-0.72, -0.58, 0.72, 0.2, 0.05), p.surface("light blue", "paper"), radius=0.03)
    p.blob(rounded(-0.8, -0.5, 0.8, 0.3, 0.05), p.surface("white", "paper"), radius=0.03, cast=0.2)
    p.blob(rounded(-0.92, -0.38, 0.92, 0.72, 0.1), p.palette.body, radius=0.1, cast=0.3)
    edge = rounded(-0.85, -0.31, 0.85, 0.65, 0.07)
    p.line(np.concatenate([edge, edge[:1]]), 0.016, (0.98, 0.92, 0.8), opacity=0.6, dashed=True, curved=False)
    p.blob([(0.5, 0.05), (0.96, 0.05), (0.96, 0.31), (0.5, 0.31), (0.42, 0.18)], p.palette.trim, radius=0.05, cast=0.35)
    p.ball(0.58, 0.18, 0.06, p.surface("gold", "steel"))


def pencil_case(p: Pen) -> None:
    p.blob(
        smooth(
            [
                (-0.98, -0.2),
                (-0.5, -0.34),
                (0.5, -0.34),
                (0.98, -0.2),
                (1.0, 0.3),
                (0.6, 0.5),
                (-0.6, 0.5),
                (-1.0, 0.3),
            ],
            closed=True,
        ),
        p.palette.body,
        radius=0.3,
    )
    p.line([(-0.92, -0.16), (-0.4, -0.24), (0.4, -0.24), (0.92, -0.16)], 0.09, p.palette.trim.rgb)
    p.line([(-0.92, -0.16), (-0.4, -0.24), (0.4, -0.24), (0.92, -0.16)], 0.03, _DARK, opacity=0.8, dashed=True)
    p.tube([(0.72, -0.19), (0.84, 0.02)], 0.07, p.surface("silver", "steel"), curved=False, cast=0.3)


SHAPES: dict[str, Callable[[Pen], None]] = {
    "backpack": backpack,
    "tote bag": tote,
    "suitcase": suitcase,
    "handbag": handbag,
    "wallet": wallet,
    "pencil case": pencil_case,
}
