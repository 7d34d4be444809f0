"""Outlines as point lists: smooth curves, arcs, rounded and mirrored shapes, and turning boxes in space.
It knows no pixels, colours or light. Object units: x right, y down, the ground at y = 1."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Field", "Points", "arc", "as_points", "mirrored", "orient", "rounded", "smooth", "thick"]

Field = npt.NDArray[np.floating[Any]]
Points = Field | Sequence[tuple[float, float]]


def as_points(points: Points) -> Field:
    """The points as an (n, 2) array."""
    return np.asarray(points, dtype=np.float64).reshape(-1, 2)


def smooth(points: Points, *, closed: bool = False, steps: int = 8) -> Field:
    """A Catmull-Rom curve through the points."""
    p = as_points(points)
    before, after = (p[-1:], p[:2]) if closed else (2 * p[:1] - p[1:2], 2 * p[-1:] - p[-2:-1])
    p = np.concatenate([before, p, after])
    t = np.linspace(0, 1, steps, endpoint=False)[:, None]
    pieces = []
    for a, b, c, d in zip(p[:-3], p[1:-2], p[2:-1], p[3:], strict=True):
        pieces.append(0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3))
    if not closed:
        pieces.append(p[-2:-1])
    return np.concatenate(pieces)


def arc(  # noqa: PLR0917 - an ellipse reads best as plain numbers
    cx: float, cy: float, rx: float, ry: float, start: float = 0, end: float = 360, *, steps: int = 28
) -> Field:
    """Points on an ellipse, angles in degrees, clockwise on screen from three o'clock."""
    t = np.radians(np.linspace(start, end, steps))
    return np.stack([cx + rx * np.cos(t), cy + ry * np.sin(t)], axis=1)


def rounded(x0: float, y0: float, x1: float, y1: float, radius: float) -> Field:
    """A rectangle with round corners."""
    r = min(radius, (x1 - x0) / 2, (y1 - y0) / 2)
    corners = [(x1 - r, y0 + r, -90), (x1 - r, y1 - r, 0), (x0 + r, y1 - r, 90), (x0 + r, y0 + r, 180)]
    return np.concatenate([arc(x, y, r, r, a, a + 90, steps=7) for x, y, a in corners])


def mirrored(right: Points) -> Field:
    """A closed outline from its right half, listed from top to bottom."""
    p = as_points(right)
    return np.concatenate([p, p[::-1] * np.array([-1.0, 1.0])])


def thick(points: Points, start: float, end: float) -> Field:
    """The outline of a stroke whose width runs from `start` to `end`."""
    p = as_points(points)
    direction = np.gradient(p, axis=0)
    direction /= np.maximum(np.linalg.norm(direction, axis=1, keepdims=True), 1e-9)
    side = np.stack([-direction[:, 1], direction[:, 0]], axis=1)
    half = np.linspace(start / 2, end / 2, len(p))[:, None]
    return np.concatenate([p + side * half, (p - side * half)[::-1]])


def orient(yaw: float, pitch: float) -> Field:
    """The (3, 3) turn from object space (x right, y up, z near) to the screen (x right, y down, depth near)."""
    c, s = np.cos(yaw), np.sin(yaw)
    cp, sp = np.cos(pitch), np.sin(pitch)
    return np.array([[c, 0, s], [-s * sp, -cp, c * sp], [-s * cp, sp, c * cp]])
