"""The pen that paints parts of a product onto a transparent sheet: turned bodies, soft shapes, tubes, faces, lines.
It knows light and surfaces, but not what it draws: the shapes say that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from training.renderer.geometry import Field, Points, arc, as_points, orient, smooth
from training.renderer.surfaces import COLOURS, Light, Surface, shade

__all__ = ["Frame", "Palette", "Pen", "blurred", "colour"]


def colour(name: str) -> tuple[float, float, float]:
    """A named colour as three numbers from 0 to 1."""
    red, green, blue = COLOURS[name]
    return red / 255, green / 255, blue / 255


def blurred(a: Field, radius: int) -> Field:
    """Three box blurs along both axes, about a Gaussian of sigma = radius; outside counts as zero."""
    for _ in range(2):
        for axis in (0, 1):
            pad = [(0, 0), (0, 0)]
            pad[axis] = (radius + 1, radius)
            total = np.cumsum(np.pad(a, pad), axis=axis, dtype=np.float32)
            n, w = a.shape[axis], 2 * radius + 1
            a = (total[w:] - total[:n]) / w if axis == 0 else (total[:, w:] - total[:, :n]) / w
    return a


@dataclass(frozen=True, slots=True)
class Frame:
    """Where object units fall on the sheet: `n` pixels square, `unit` pixels per unit, turned by `angle` radians."""

    n: int
    unit: float
    x: float
    y: float
    angle: float = 0.0
    flip: bool = False

    def matrix(self) -> Field:
        """The (2, 2) turn and mirror, without scale."""
        c, s, m = np.cos(self.angle), np.sin(self.angle), -1.0 if self.flip else 1.0
        turn: Field = np.array([[c * m, -s], [s * m, c]])
        return turn

    def to_pixels(self, points: Field) -> Field:
        """Object points (n, 2) as pixel points."""
        placed: Field = points @ self.matrix().T * self.unit + np.array([self.x, self.y])
        return placed

    def to_object(self, px: Field, py: Field) -> tuple[Field, Field]:
        """Pixel coordinates as object coordinates."""
        m = self.matrix()  # orthogonal, so its inverse is its transpose
        dx, dy = (px - self.x) / self.unit, (py - self.y) / self.unit
        return m[0, 0] * dx + m[1, 0] * dy, m[0, 1] * dx + m[1, 1] * dy


@dataclass(frozen=True, slots=True)
class Palette:
    """The surfaces a product offers to its shape: the patterned body, the plain body, and the second colour."""

    body: Surface
    plain: Surface
    trim: Surface


@dataclass(slots=True)
class _Patch:
    """A part's coverage inside its box on the sheet."""

    mask: Field
    x: int
    y: int


class Pen:
    """Paints parts in order, each over the ones before. `tilt` is how far round rims open towards the viewer."""

    def __init__(
        self,
        frame: Frame,
        light: Light,
        palette: Palette,
        rng: np.random.Generator,
        *,
        form: str = "",
        yaw: float = 0.5,
        pitch: float = 0.3,
    ) -> None:
        self.frame, self.light, self.palette, self.rng, self.form = frame, light, palette, rng, form
        self.yaw, self.pitch, self.tilt = yaw, pitch, float(np.sin(pitch))
        self.turn = orient(yaw, pitch)
        self.rgb = np.zeros((frame.n, frame.n, 3), np.float32)
        self.alpha = np.zeros((frame.n, frame.n), np.float32)
        self.glows: list[tuple[float, float, float, float]] = []  # x, y, radius in object units; strength

    def vary(self, low: float, high: float) -> float:
        """A proportion of this product between two bounds."""
        return float(self.rng.uniform(low, high))

    def surface(self, name: str, material: str = "plastic", *, glow: float = 0.0) -> Surface:
        """A plain surface of a named colour."""
        return Surface(rgb=colour(name), material=material, glow=glow)

    # -- coverage ------------------------------------------------------------------------------------------------

    def _box(self, px: Field, margin: float = 2) -> tuple[int, int, int, int]:
        n = self.frame.n
        x0, y0 = np.clip(np.floor(px.min(axis=0) - margin), 0, n - 1).astype(int)
        x1, y1 = np.clip(np.ceil(px.max(axis=0) + margin), 1, n).astype(int)
        return int(x0), int(y0), max(int(x1), int(x0) + 1), max(int(y1), int(y0) + 1)

    def _fill(self, outline: Points, holes: Sequence[Points] = (), more: Sequence[Points] = ()) -> _Patch:
        px = self.frame.to_pixels(as_points(outline))
        extra = [self.frame.to_pixels(as_points(m)) for m in more]
        x0, y0, x1, y1 = self._box(np.concatenate([px, *extra]))
        image = Image.new("L", ((x1 - x0) * 2, (y1 - y0) * 2))
        draw = ImageDraw.Draw(image)
        cut = [self.frame.to_pixels(as_points(h)) for h in holes]
        for points, value in [(p, 255) for p in (px, *extra)] + [(p, 0) for p in cut]:
            draw.polygon([(float((x - x0) * 2), float((y - y0) * 2)) for x, y in points], fill=value)
        return _Patch(np.asarray(image.reduce(2), np.float32) / 255, x0, y0)

    def _stroke(self, points: Points, width: float) -> _Patch:
        px = self.frame.to_pixels(as_points(points))
        w = max(width * self.frame.unit, 1.0)
        x0, y0, x1, y1 = self._box(px, w / 2 + 2)
        image = Image.new("L", ((x1 - x0) * 2, (y1 - y0) * 2))
        draw = ImageDraw.Draw(image)
        xy = (px - np.array([x0, y0])) * 2
        for a, b in pairwise(xy):
            along = (b - a) / max(float(np.hypot(*(b - a))), 1e-6) * w
            side = np.array([-along[1], along[0]])
            draw.polygon([(float(x), float(y)) for x, y in (a + side, b + side, b - side, a - side)], fill=255)
        if w > 1.2:  # round joints and ends; a hairline has none
            for x, y in xy:
                draw.ellipse((float(x - w), float(y - w), float(x + w), float(y + w)), fill=255)
        return _Patch(np.asarray(image.reduce(2), np.float32) / 255, x0, y0)

    def _grid(self, patch: _Patch) -> tuple[Field, Field]:
        h, w = patch.mask.shape
        px = (np.arange(w, dtype=np.float32) + patch.x + 0.5)[None, :]
        py = (np.arange(h, dtype=np.float32) + patch.y + 0.5)[:, None]
        x, y = self.frame.to_object(px, py)
        return x.astype(np.float32), y.astype(np.float32)

    # -- paint ---------------------------------------------------------------------------------------------------

    def _cast(self, patch: _Patch, depth: float) -> None:
        """Darken what lies under a part, a little away from the light."""
        reach = max(int(0.05 * self.frame.unit), 1)
        h, w = patch.mask.shape
        pad = np.zeros((h + 4 * reach, w + 4 * reach), np.uint8)
        pad[2 * reach : 2 * reach + h, 2 * reach : 2 * reach + w] = patch.mask * 255
        shadow = np.asarray(Image.fromarray(pad).filter(ImageFilter.BoxBlur(reach)), np.float32) / 255
        x0 = patch.x - 2 * reach - round(self.light.x * reach)
        y0 = patch.y - 2 * reach - round(self.light.y * reach)
        n = self.frame.n
        left, top = max(x0, 0), max(y0, 0)
        right, bottom = min(x0 + shadow.shape[1], n), min(y0 + shadow.shape[0], n)
        if right > left and bottom > top:
            shadow = shadow[top - y0 : bottom - y0, left - x0 : right - x0]
            self.rgb[top:bottom, left:right] *= (1 - depth * shadow)[..., None]

    def _paint(
        self,
        patch: _Patch,
        normal: tuple[Field, Field, Field],
        uv: tuple[Field, Field],
        surface: Surface,
        *,
        cast: float = 0.0,
        dim: Field | float = 1.0,
    ) -> None:
        if cast:
            self._cast(patch, cast)
        rgb, opacity = shade(surface, normal, uv, self.light, 1 / self.frame.unit)
        h, w = patch.mask.shape
        alpha = patch.mask * opacity
        area = np.s_[patch.y : patch.y + h, patch.x : patch.x + w]
        if isinstance(dim, np.ndarray):
            rgb = rgb * dim[..., None]
        keep = (1 - alpha)[..., None]
        self.rgb[area] = self.rgb[area] * keep + np.clip(rgb, 0, 1) * alpha[..., None]
        self.alpha[area] = self.alpha[area] * (1 - alpha) + alpha

    def _to_screen(self, nx: Field, ny: Field, nz: Field) -> tuple[Field, Field, Field]:
        m = self.frame.matrix().astype(np.float32)
        return m[0, 0] * nx + m[0, 1] * ny, m[1, 0] * nx + m[1, 1] * ny, nz

    def _inflated(self, mask: Field, radius: float, height: float) -> tuple[Field, Field, Field]:
        """Normals of a cushion over the mask: steep at the edge, level `radius` units inside."""
        r = max(round(radius * self.frame.unit * 0.45), 1)
        body = blurred(np.pad(mask, r), r)
        gx = np.asarray(np.gradient(body, axis=1))[r:-r, r:-r]
        gy = np.asarray(np.gradient(body, axis=0))[r:-r, r:-r]
        nx, ny = -gx * (r * 2.3 * height), -gy * (r * 2.3 * height)
        length = np.sqrt(nx * nx + ny * ny)
        limit = np.minimum(1, 0.96 / np.maximum(length, 1e-6))
        nx, ny = nx * limit, ny * limit
        return nx, ny, np.sqrt(np.maximum(1 - nx * nx - ny * ny, 0))

    def blob(
        self,
        outline: Points,
        surface: Surface,
        *,
        radius: float = 0.25,
        height: float = 1.0,
        cast: float = 0.0,
        holes: Sequence[Points] = (),
        curved: bool = False,
    ) -> None:
        """A soft shape, inflated from its outline; `curved` smooths the outline first."""
        patch = self._fill(smooth(outline, closed=True) if curved else outline, holes)
        self._paint(patch, self._inflated(patch.mask, radius, height), self._grid(patch), surface, cast=cast)

    def flat(self, outline: Points, surface: Surface, *, cast: float = 0.0, holes: Sequence[Points] = ()) -> None:
        """A thin sheet with a faintly rounded edge."""
        self.blob(outline, surface, radius=0.03, height=0.5, cast=cast, holes=holes)

    def tube(self, points: Points, width: float, surface: Surface, *, cast: float = 0.0, curved: bool = True) -> None:
        """A round stroke along the points."""
        path = smooth(points) if curved and len(points) > 2 else as_points(points)
        patch = self._stroke(path, width)
        self._paint(patch, self._inflated(patch.mask, width * 0.5, 1.0), self._grid(patch), surface, cast=cast)

    def ball(
        self, cx: float, cy: float, rx: float, surface: Surface, *, ry: float | None = None, cast: float = 0.0
    ) -> None:
        """A sphere or an egg."""
        ry = rx if ry is None else ry
        patch = self._fill(arc(cx, cy, rx, ry, steps=40))
        x, y = self._grid(patch)
        nx, ny = (x - cx) / rx, (y - cy) / ry
        nz = np.sqrt(np.maximum(1 - nx * nx - ny * ny, 0))
        wide = 1.0 + 0.35 * (1 - nz)
        uv = ((x - cx) * wide, (y - cy) * wide)
        self._paint(patch, self._to_screen(nx, ny, nz), uv, surface, cast=cast)

    def lathe(
        self,
        profile: Points,
        surface: Surface,
        *,
        cx: float = 0.0,
        cast: float = 0.0,
        curved: bool = True,
        tilt: float | None = None,
    ) -> None:
        """A turned body: `profile` lists (y, radius) from top to bottom."""
        k = self.tilt if tilt is None else tilt
        line = smooth(profile) if curved else as_points(profile)
        order = np.argsort(line[:, 0], kind="stable")
        ys, rs = line[order, 0], np.maximum(line[order, 1], 0.004)
        top, bottom = arc(cx, ys[0], rs[0], k * rs[0], 180, 360), arc(cx, ys[-1], rs[-1], k * rs[-1], 0, 180)
        right, left = np.stack([cx + rs, ys], 1), np.stack([cx - rs, ys], 1)
        count = 256
        table_y = np.linspace(ys[0], ys[-1], count)
        table_r = np.interp(table_y, ys, rs).astype(np.float32)
        # near the foot a wider ring above may reach lower on the screen than the narrower one below it
        rings = [
            arc(cx, table_y[i], table_r[i], k * table_r[i], 0, 180, steps=20) for i in range(count * 3 // 4, count, 2)
        ]
        patch = self._fill(np.concatenate([top, right, bottom, left[::-1]]), more=rings)
        x, y = self._grid(patch)
        slope = np.pad(np.clip(np.gradient(table_r, table_y), -4, 4), 8, mode="edge")
        table_slope = np.convolve(slope, np.full(17, 1 / 17), mode="valid").astype(np.float32)
        step = (count - 1) / max(float(ys[-1] - ys[0]), 1e-6)
        v = y
        for _ in range(2):  # the front of the ring at height v lies k * depth lower on the screen
            index = np.clip((v - ys[0]) * step, 0, count - 1).astype(np.int32)
            v = y - k * np.sqrt(np.maximum(table_r[index] ** 2 - (x - cx) ** 2, 0))
        index = np.clip((v - ys[0]) * step, 0, count - 1).astype(np.int32)
        radius = table_r[index]
        sine = np.clip((x - cx) / radius, -1, 1)
        cosine = np.sqrt(1 - sine * sine)
        ny = -table_slope[index]
        length = np.sqrt(1 + ny * ny)
        normal = self._to_screen(*(a.astype(np.float32) for a in (sine / length, ny / length, cosine / length)))
        around = (np.arcsin(sine) + self.yaw) * float(rs.max()) * 0.8
        self._paint(patch, normal, (around.astype(np.float32), v.astype(np.float32)), surface, cast=cast)

    def disc(
        self,
        cx: float,
        y: float,
        r: float,
        surface: Surface,
        *,
        hollow: bool = False,
        tilt: float | None = None,
        cast: float = 0.0,
    ) -> None:
        """The round top of a turned body, or the view into it."""
        k = self.tilt if tilt is None else tilt
        patch = self._fill(arc(cx, y, r, k * r, steps=40))
        gx, gy = self._grid(patch)
        sine = np.clip((gx - cx) / r, -1, 1).astype(np.float32)
        depth = np.clip((gy - y) / max(k * r, 1e-6), -1, 1).astype(np.float32)
        uv = (gx - cx, (gy - y) / max(k, 0.2))
        if not hollow:
            flat = np.zeros_like(sine)
            normal = (flat, flat - float(np.cos(self.pitch)) * 0.8, flat + max(k, 0.3))
            self._paint(patch, normal, uv, surface, cast=cast)
            return
        cosine = np.sqrt(1 - sine * sine)
        normal = self._to_screen(-sine * 0.8, sine * 0, 0.3 + 0.7 * cosine)
        self._paint(patch, normal, uv, surface, dim=0.72 - 0.22 * depth)

    def rim(
        self,
        cx: float,
        y: float,
        r: float,
        edge: Surface,
        inside: Surface,
        *,
        width: float = 0.07,
        tilt: float | None = None,
    ) -> None:
        """An open top: a rim and the hollow inside it."""
        k = self.tilt if tilt is None else tilt
        self.disc(cx, y, r, edge.plain(), tilt=k)
        self.disc(cx, y + width * 0.12, r * (1 - width), inside.plain(), hollow=True, tilt=k)

    def line(
        self,
        points: Points,
        width: float,
        name: str | Sequence[float],
        *,
        opacity: float = 1.0,
        dashed: bool = False,
        curved: bool = True,
    ) -> None:
        """A drawn line: seams, folds, print. It is not lit."""
        path = smooth(points) if curved and len(points) > 2 else as_points(points)
        if dashed:
            at = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1))])
            for start in np.arange(0, float(at[-1]) - 0.02, 0.075):
                s = np.array([start, start + 0.042])
                self._ink(
                    self._stroke(np.stack([np.interp(s, at, path[:, i]) for i in (0, 1)], 1), width), name, opacity
                )
            return
        self._ink(self._stroke(path, width), name, opacity)

    def ink(self, outline: Points, name: str | Sequence[float], *, opacity: float = 1.0) -> None:
        """A printed area. It is not lit."""
        self._ink(self._fill(outline), name, opacity)

    def _ink(self, patch: _Patch, name: str | Sequence[float], opacity: float) -> None:
        rgb = np.asarray(colour(name) if isinstance(name, str) else name, np.float32)
        h, w = patch.mask.shape
        area = np.s_[patch.y : patch.y + h, patch.x : patch.x + w]
        alpha = patch.mask * opacity
        self.rgb[area] = self.rgb[area] * (1 - alpha[..., None]) + rgb * alpha[..., None]
        self.alpha[area] = self.alpha[area] * (1 - alpha) + alpha

    def shine(self, x: float, y: float, radius: float, strength: float = 0.6) -> None:
        """Mark a place that sends light into the scene."""
        self.glows.append((x, y, radius, strength))

    # -- things with corners -------------------------------------------------------------------------------------

    def place(self, x: float, y: float, z: float) -> tuple[float, float]:
        """Where a point in space (x right, y up, z near) falls in object units; the ground is y = 0 there."""
        p = self.turn @ np.array([x, y, z])
        return float(p[0]), float(p[1]) + 0.9

    def face(
        self,
        corner: Sequence[float],
        along: Sequence[float],
        across: Sequence[float],
        surface: Surface,
        *,
        cast: float = 0.0,
        bevel: float = 0.0,
    ) -> None:
        """A flat parallelogram in space, spanned from a corner; drawn whichever way it faces."""
        a, e, f = (np.asarray(p, np.float64) for p in (corner, along, across))
        normal = self.turn @ np.cross(e, f)
        normal = normal / max(float(np.linalg.norm(normal)), 1e-9)
        normal = normal if normal[2] > 0 else -normal
        origin = np.array(self.place(*a))
        e2, f2 = (self.turn @ e)[:2], (self.turn @ f)[:2]
        patch = self._fill(np.stack([origin, origin + e2, origin + e2 + f2, origin + f2]))
        x, y = self._grid(patch)
        span = e2[0] * f2[1] - e2[1] * f2[0]
        if abs(span) < 1e-6:
            return
        dx, dy = x - origin[0], y - origin[1]
        u = (dx * f2[1] - dy * f2[0]) / span * np.linalg.norm(e)
        v = (e2[0] * dy - e2[1] * dx) / span * np.linalg.norm(f)
        flat = np.zeros_like(x)
        nx, ny, nz = self._to_screen(flat + normal[0], flat + normal[1], flat + normal[2])
        if bevel:
            bx, by, _ = self._inflated(patch.mask, bevel, 0.7)
            nx, ny = nx + bx, ny + by
        self._paint(patch, (nx, ny, nz), (u.astype(np.float32), v.astype(np.float32)), surface, cast=cast)

    def box(
        self,
        low: Sequence[float],
        high: Sequence[float],
        surface: Surface,
        *,
        bevel: float = 0.04,
        cast: float = 0.0,
        side: Surface | None = None,
    ) -> None:
        """An upright box between two corners (x right, y up, z near); `side` colours all but the front."""
        x0, y0, z0 = low
        x1, y1, z1 = high
        dx, dy, dz = x1 - x0, y1 - y0, z1 - z0
        other = side or surface
        sx = x0 if self.turn[2, 0] < 0 else x1
        sz = z1 if self.turn[2, 2] > 0 else z0
        self.face((sx, y0, z0), (0, 0, dz), (0, dy, 0), other, bevel=bevel, cast=cast)
        self.face((x0, y1, z0), (dx, 0, 0), (0, 0, dz), other, bevel=bevel, cast=cast)
        self.face((x0, y0, sz), (dx, 0, 0), (0, dy, 0), surface, bevel=bevel, cast=cast)

    def boxes(self, parts: Sequence[tuple[Sequence[float], Sequence[float], Surface]], *, bevel: float = 0.03) -> None:
        """Several boxes, the farthest first."""

        def nearness(part: tuple[Sequence[float], Sequence[float], Surface]) -> float:
            return float((self.turn @ ((np.asarray(part[0]) + np.asarray(part[1])) / 2))[2])

        for low, high, surface in sorted(parts, key=nearness):
            self.box(low, high, surface, bevel=bevel)
