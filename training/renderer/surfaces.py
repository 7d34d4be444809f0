"""What things are made of: colours, patterns, materials, and how a lit surface looks.
It works on arrays of normals and surface coordinates; it knows no shapes and no scenes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from training.renderer.geometry import Field

__all__ = ["COLOURS", "MATERIALS", "PATTERNS", "Light", "Surface", "noise", "shade", "soft_step"]

COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (204, 30, 38),
    "orange": (240, 122, 24),
    "yellow": (250, 205, 40),
    "green": (42, 142, 66),
    "teal": (12, 138, 140),
    "light blue": (132, 194, 236),
    "blue": (30, 88, 205),
    "navy": (26, 38, 88),
    "purple": (116, 56, 164),
    "pink": (244, 140, 178),
    "brown": (122, 74, 42),
    "beige": (219, 194, 152),
    "white": (246, 245, 241),
    "grey": (142, 145, 150),
    "black": (36, 36, 40),
    "light brown": (206, 158, 102),
    "dark brown": (98, 60, 36),
    "silver": (196, 200, 206),
    "gold": (218, 172, 70),
    "copper": (202, 120, 78),
}


@dataclass(frozen=True, slots=True)
class Material:
    """How light meets a material: highlight strength and tightness, mirror share, opacity and relief."""

    shine: float = 0.0
    tight: float = 20.0
    mirror: float = 0.0
    opacity: float = 1.0
    relief: float = 0.0
    grain: str = ""


MATERIALS: dict[str, Material] = {
    "ceramic": Material(shine=0.55, tight=70, mirror=0.10),
    "stoneware": Material(shine=0.16, tight=16, grain="speckle"),
    "terracotta": Material(shine=0.03, tight=8, grain="fine"),
    "glass": Material(shine=0.9, tight=90, mirror=0.25, opacity=0.36),
    "steel": Material(shine=0.75, tight=60, mirror=0.75),
    "metal": Material(shine=0.5, tight=40, mirror=0.22),
    "enamel": Material(shine=0.5, tight=60, mirror=0.08),
    "cast iron": Material(shine=0.22, tight=14, mirror=0.05, grain="fine"),
    "wood": Material(shine=0.10, tight=14, grain="wood"),
    "plastic": Material(shine=0.35, tight=28, mirror=0.03),
    "rubber": Material(shine=0.22, tight=16, mirror=0.02),
    "cotton": Material(relief=0.16, grain="weave"),
    "linen": Material(relief=0.13, grain="linen"),
    "wool": Material(relief=0.12, grain="knit"),
    "denim": Material(relief=0.14, grain="denim"),
    "felt": Material(relief=0.08, grain="fine"),
    "plush": Material(relief=0.10, grain="fur"),
    "velvet": Material(shine=0.05, tight=4, relief=0.12, grain="fine"),
    "canvas": Material(relief=0.12, grain="weave"),
    "nylon": Material(shine=0.14, tight=10, relief=0.24),
    "leather": Material(shine=0.28, tight=18, mirror=0.03, relief=0.08, grain="pebble"),
    "wicker": Material(shine=0.06, tight=10, grain="wicker"),
    "paper": Material(shine=0.02, tight=6, grain="fine"),
    "wax": Material(shine=0.12, tight=12),
    "glow": Material(),
}


@dataclass(frozen=True, slots=True)
class Light:
    """One lamp in screen space (x right, y down, z towards the viewer) with a colour tint."""

    x: float
    y: float
    z: float
    tint: tuple[float, float, float] = (1.0, 1.0, 1.0)


@dataclass(frozen=True, slots=True)
class Surface:
    """Colours, material and pattern of one part; `period` is the pattern's size in object units."""

    rgb: tuple[float, float, float]
    material: str = "plastic"
    pattern: str = "plain"
    second: tuple[float, float, float] = (0.95, 0.95, 0.94)
    period: float = 0.28
    glow: float = 0.0

    def plain(self) -> Surface:
        """The same surface without its pattern."""
        return replace(self, pattern="plain")

    def darker(self, factor: float) -> Surface:
        """The same surface with its colours multiplied by `factor`."""
        return replace(self, rgb=_times(self.rgb, factor), second=_times(self.second, factor))


def _times(rgb: tuple[float, float, float], factor: float) -> tuple[float, float, float]:
    return (min(rgb[0] * factor, 1.0), min(rgb[1] * factor, 1.0), min(rgb[2] * factor, 1.0))


def soft_step(inside: Field, width: float) -> Field:
    """0 to 1 across an edge: `inside` is a signed distance (positive inside), `width` its blur."""
    ramp: Field = np.clip(inside / width + 0.5, 0, 1)
    return ramp


_TILE = 512  # pixels; a power of two


@lru_cache(maxsize=8)
def _tile(kind: str) -> Field:
    """A periodic square noise tile of zero mean, about one in amplitude; scales are waves across the tile."""
    rng = np.random.default_rng({"fine": 11, "cloud": 12, "grain": 13, "fur": 14, "spot": 15}[kind])
    white = rng.standard_normal((_TILE, _TILE))
    fy, fx = np.meshgrid(np.fft.fftfreq(_TILE) * _TILE, np.fft.rfftfreq(_TILE) * _TILE, indexing="ij")
    scale_x, scale_y = {"fine": (60, 60), "cloud": (5, 5), "grain": (3, 40), "fur": (18, 40), "spot": (22, 22)}[kind]
    spectrum = np.fft.rfft2(white) * np.exp(-((fx / scale_x) ** 2 + (fy / scale_y) ** 2))
    spectrum[0, 0] = 0
    tile = np.fft.irfft2(spectrum, s=(_TILE, _TILE))
    return np.asarray(tile / tile.std(), dtype=np.float32)


def noise(kind: str, u: Field, v: Field, zoom: float = 1.0) -> Field:
    """Noise of a kind at surface coordinates; one tile covers 2 / zoom object units."""
    column = (u * (_TILE / 2 * zoom)).astype(np.int32) & (_TILE - 1)
    row = (v * (_TILE / 2 * zoom)).astype(np.int32) & (_TILE - 1)
    values: Field = _tile(kind)[row, column]
    return values


def _fraction(x: Field) -> Field:
    return x - np.floor(x)


def _stripes(u: Field, v: Field, p: float, w: float) -> Field:
    return soft_step(p * 0.25 - np.abs(_fraction(v / p) - 0.5) * p, w)


def _pinstripes(u: Field, v: Field, p: float, w: float) -> Field:
    return soft_step(p * 0.2 - np.abs(_fraction(u / p) - 0.5) * p, w)


def _cells(u: Field, v: Field, p: float) -> tuple[Field, Field]:
    """Coordinates from the nearest centre of a brick grid with spacing p."""
    row = np.floor(v / (p * 0.9))
    x = _fraction(u / p + 0.5 * (row % 2)) - 0.5
    y = v / (p * 0.9) - row - 0.5
    return x * p, y * p * 0.9


def _dots(u: Field, v: Field, p: float, w: float) -> Field:
    x, y = _cells(u, v, p)
    return soft_step(p * 0.27 - np.hypot(x, y), w)


def _checks(u: Field, v: Field, p: float, w: float) -> Field:
    q = p * 1.15
    return 0.5 * _stripes(u, v, q, w) + 0.5 * _stripes(v, u, q, w)


def _zigzag(u: Field, v: Field, p: float, w: float) -> Field:
    tooth = np.abs(_fraction(u / (p * 1.1)) - 0.5) * p * 1.3
    return soft_step(p * 0.26 - np.abs(_fraction((v + tooth) / (p * 1.15)) - 0.5) * p * 1.15, w)


def _floral(u: Field, v: Field, p: float, w: float) -> Field:
    x, y = _cells(u, v, p * 1.5)
    radius, angle = np.hypot(x, y), np.arctan2(y, x)
    petals = soft_step(p * (0.36 + 0.17 * np.cos(5 * angle)) - radius, w)
    return petals * (1 - soft_step(p * 0.13 - radius, w))


def _stars(u: Field, v: Field, p: float, w: float) -> Field:
    x, y = _cells(u, v, p * 1.3)
    radius, angle = np.hypot(x, y), np.arctan2(x, -y)
    turn = np.abs(_fraction(angle / (2 * np.pi / 5) + 0.5) - 0.5) * (2 * np.pi / 5)
    # a straight edge from the tip (radius 1) to the notch (radius 0.42)
    tip, notch, step = p * 0.5, p * 0.21, np.pi / 5
    edge = tip * notch * np.sin(step) / (tip * np.sin(turn) + notch * np.sin(step - turn))
    return soft_step(edge - radius, w)


def _hearts(u: Field, v: Field, p: float, w: float) -> Field:
    x, y = _cells(u, v, p * 1.35)
    x, y = np.abs(x) / (p * 0.36), -y / (p * 0.36) + 0.1
    shape = x**2 + (y - 0.62 * np.sqrt(x)) ** 2
    return soft_step((1 - shape) * p * 0.16, w)


def _speckles(u: Field, v: Field, p: float, w: float) -> Field:
    return soft_step(noise("spot", u, v, 1.2) - 1.27, 0.25)


def _two_tone(u: Field, v: Field, p: float, w: float) -> Field:
    low, high = float(v.min()), float(v.max())
    return soft_step(v - (low + 0.56 * (high - low)), w)


PATTERNS: dict[str, Callable[[Field, Field, float, float], Field]] = {
    "striped": _stripes,
    "vertical stripes": _pinstripes,
    "dotted": _dots,
    "checked": _checks,
    "zigzag": _zigzag,
    "floral": _floral,
    "starry": _stars,
    "hearts": _hearts,
    "speckled": _speckles,
    "two-tone": _two_tone,
}


def _wood(u: Field, v: Field) -> Field:
    wave: Field = np.sin((v * 9 + noise("cloud", u * 0.25, v, 0.7) * 1.1) * 4)
    return 1 + 0.07 * wave + 0.045 * noise("grain", u * 0.5, v)


def _knit(u: Field, v: Field) -> Field:
    stitch = np.abs(_fraction(u * 9) - 0.5)
    rows: Field = 0.13 * np.cos((v * 13 + stitch * 1.1) * 2 * np.pi) * (0.3 + stitch)
    ribs: Field = 0.97 + rows - 0.10 * (stitch > 0.44)
    return ribs


def _wicker(u: Field, v: Field) -> Field:
    over = np.sin(u * 28) * np.sin(v * 34) > 0
    strands: Field = 0.86 + 0.16 * np.where(over, np.abs(np.sin(v * 34)), np.abs(np.sin(u * 28)))
    return strands


# A material's own texture: a brightness factor around one.
_GRAINS: dict[str, Callable[[Field, Field], Field]] = {
    "wood": _wood,
    "knit": _knit,
    "wicker": _wicker,
    "weave": lambda u, v: 1 + 0.035 * np.sin(u * 95) * np.sin(v * 95) + 0.018 * noise("fine", u, v),
    "linen": lambda u, v: 1 + 0.022 * noise("grain", u, v, 1.5) + 0.022 * noise("grain", v, u, 1.5),
    "denim": lambda u, v: 1 + 0.06 * np.sin((u + v) * 110) + 0.05 * noise("fine", u, v),
    "fur": lambda u, v: 1 + 0.06 * noise("fur", u, v, 1.6),
    "pebble": lambda u, v: 1 + 0.035 * noise("spot", u, v, 2.5),
    "speckle": lambda u, v: 1 - 0.3 * np.clip(noise("spot", u, v, 1.8) - 1.9, 0, 1),
    "fine": lambda u, v: 1 + 0.03 * noise("fine", u, v),
}


def albedo(surface: Surface, u: Field, v: Field, pixel: float) -> Field:
    """The (h, w, 3) colour of a surface before light; `pixel` is a pixel's width in object units."""
    rgb = np.empty((*u.shape, 3), np.float32)
    rgb[:] = surface.rgb
    if surface.pattern in PATTERNS:
        weight = PATTERNS[surface.pattern](u, v, surface.period, pixel * 1.5)
        rgb += weight[..., None].astype(np.float32) * (np.asarray(surface.second, np.float32) - rgb)
    grain = MATERIALS[surface.material].grain
    if grain:
        rgb *= _GRAINS[grain](u, v).astype(np.float32)[..., None]
    return rgb


def _mirror(nx: Field, ny: Field) -> Field:
    """What a mirror sees: a bright sky, a dark horizon, a lit floor, and tall windows at the sides."""
    height = -ny + 0.12 * nx
    sky = np.clip((height - 0.02) * 3.5, 0, 1)
    floor = np.clip((-height - 0.1) * 1.6, 0, 1)
    windows = np.clip(np.cos(nx * 7.5 + 0.9) * 1.6, -1, 1)
    seen: Field = 0.50 + 0.28 * sky + 0.18 * floor + 0.26 * windows
    return seen


def shade(
    surface: Surface, normal: tuple[Field, Field, Field], uv: tuple[Field, Field], light: Light, pixel: float
) -> tuple[Field, Field | float]:
    """Colour (h, w, 3) and opacity of a lit surface."""
    nx, ny, nz = normal
    u, v = uv
    rgb = albedo(surface, u, v, pixel)
    if surface.glow >= 1:
        return rgb * (0.9 + 0.15 * nz[..., None]), 1.0
    material = MATERIALS[surface.material]
    if material.relief:
        nx = nx + material.relief * 0.6 * noise("cloud", u, v * 0.7, 0.8)
        ny = ny + material.relief * 0.6 * noise("cloud", v, u * 0.8 + 0.37, 0.8)
    facing = nx * light.x + ny * light.y + nz * light.z
    lit = 0.54 - 0.09 * ny + 0.50 * np.clip(facing, -0.25, 1)
    if material.mirror > 0.5:
        lit = lit * (1 - material.mirror) + material.mirror * 1.25 * _mirror(nx, ny)
    rgb *= lit[..., None].astype(np.float32) * np.asarray(light.tint, np.float32)
    gleam: Field | float = 0.0
    if material.shine:
        length = np.sqrt(light.x**2 + light.y**2 + (light.z + 1) ** 2)
        half = np.clip((nx * light.x + ny * light.y + nz * (light.z + 1)) / length, 0, 1)
        gleam = material.shine * (half**material.tight + 0.16 * half ** (material.tight / 8) * half**4)
    edge = (1 - np.clip(nz, 0, 1)) ** 3
    if 0 < material.mirror <= 0.5:
        gleam = gleam + material.mirror * edge * (0.8 - 0.6 * ny)
    rgb += np.asarray(gleam, np.float32)[..., None]
    if surface.glow:
        rgb += surface.glow * (np.asarray(surface.rgb, np.float32) * 1.1 - rgb)
    if material.opacity < 1:
        return rgb, np.clip(material.opacity + 0.45 * edge + gleam, 0, 1)
    return rgb, 1.0
