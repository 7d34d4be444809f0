"""Where a product is seen: background, light, shadow, and the picture put together.
It knows places, not products: a drawn product arrives as a transparent sheet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageFilter

from training.renderer.geometry import Field
from training.renderer.surfaces import Light, noise, soft_step

__all__ = ["PLACES", "Scene", "choose_scene", "compose", "draw_background"]

_WALLS: dict[str, tuple[float, float, float]] = {
    "white": (0.95, 0.95, 0.94),
    "grey": (0.72, 0.73, 0.75),
    "beige": (0.90, 0.85, 0.76),
    "light blue": (0.72, 0.84, 0.93),
    "green": (0.60, 0.74, 0.62),
    "pink": (0.95, 0.79, 0.81),
    "yellow": (0.97, 0.87, 0.55),
    "blue": (0.36, 0.52, 0.76),
    "dark grey": (0.34, 0.35, 0.38),
}


@dataclass(frozen=True, slots=True)
class Place:
    """A kind of background: its phrase ("{}" takes the colour of wall or paper) and its usual colour."""

    phrase: str
    floor: tuple[float, float, float] | None
    wall: bool


PLACES: dict[str, Place] = {
    "studio": Place("on a plain {} studio background", None, True),
    "paper": Place("on {} paper", None, True),
    "table": Place("on a wooden table", (0.68, 0.49, 0.31), True),
    "tiles": Place("in front of a tiled wall", (0.85, 0.86, 0.86), False),
    "marble": Place("on a white marble surface", (0.92, 0.92, 0.92), True),
    "room": Place("in a room with a {} wall", (0.66, 0.48, 0.32), True),
    "concrete": Place("on a concrete floor", (0.62, 0.62, 0.61), True),
    "grass": Place("outdoors on grass", (0.36, 0.56, 0.22), False),
    "sand": Place("on sand", (0.88, 0.79, 0.60), False),
    "boards": Place("on wooden boards", (0.66, 0.47, 0.30), False),
    "linen": Place("on a linen cloth", (0.88, 0.84, 0.76), False),
    "slate": Place("on concrete", (0.62, 0.62, 0.61), False),
    "slab": Place("on white marble", (0.92, 0.92, 0.92), False),
    "wall": Place("on a {} wall", None, True),
    "brick": Place("on a brick wall", (0.66, 0.36, 0.28), False),
    "behind": Place("in front of a {} wall", None, True),
    "bricks": Place("in front of a brick wall", (0.66, 0.36, 0.28), False),
    "sky": Place("against a blue sky", (0.55, 0.75, 0.94), False),
}
_BY_SETTING: dict[str, tuple[str, ...]] = {
    "stand": ("studio", "studio", "paper", "table", "table", "tiles", "marble"),
    "floor": ("studio", "room", "room", "room", "concrete"),
    "outdoor": ("grass", "grass", "grass", "sand", "studio", "concrete"),
    "lay": ("studio", "paper", "boards", "linen", "slate", "slab"),
    "wall": ("wall", "wall", "brick", "studio"),
    "ceiling": ("behind", "behind", "bricks", "studio"),
}


@dataclass(frozen=True, slots=True)
class Scene:
    """What surrounds one view of a product, in words and numbers."""

    place: str
    wall: str
    phrase: str
    light: Light
    mood: str = ""
    dim: float = 1.0


def _distance(a: tuple[float, float, float], b: tuple[float, float, float]) -> float:
    return float(np.linalg.norm(np.subtract(a, b)))


def choose_scene(
    setting: str,
    rgb: tuple[float, float, float],
    rng: np.random.Generator,
    *,
    lit: bool = False,
    soft: bool = False,
    kite: bool = False,
) -> Scene:
    """A scene for a setting in which a thing of this colour stands out."""
    options = ("sky",) if kite else _BY_SETTING[setting]
    place, wall = options[0], "white"
    for _ in range(12):
        place = options[int(rng.integers(len(options)))]
        wall = list(_WALLS)[int(rng.integers(len(_WALLS)))]
        spec = PLACES[place]
        seen = [spec.floor] if spec.floor else []
        if spec.wall:
            seen.append(_WALLS[wall])
        if min(_distance(rgb, s) for s in seen) > 0.32:
            break
    side = 1.0 if rng.random() < 0.5 else -1.0
    tints = (
        ((1.0, 1.0, 1.0), ""),
        ((1.0, 1.0, 1.0), ""),
        ((1.03, 1.0, 0.93), "in warm light"),
        ((0.95, 1.0, 1.04), "in cool light"),
    )
    tint, mood = tints[int(rng.integers(len(tints)))]
    direction = np.array([side * rng.uniform(0.25, 0.6), -rng.uniform(0.45, 0.75), rng.uniform(0.6, 0.85)])
    x, y, z = direction / np.linalg.norm(direction)
    dim = float(rng.uniform(0.5, 0.85)) if lit else 1.0
    return Scene(place, wall, PLACES[place].phrase.format(wall), Light(float(x), float(y), float(z), tint), mood, dim)


# -- grounds: colour of a surface at (u, v) -----------------------------------------------------------------------

Ground = Callable[[Field, Field, np.random.Generator], Field]


def _flat(rgb: tuple[float, float, float], factor: Field) -> Field:
    return np.asarray(rgb, np.float32) * factor[..., None].astype(np.float32)


def _wood(u: Field, v: Field, rng: np.random.Generator) -> Field:
    tone = ((0.72, 0.51, 0.32), (0.60, 0.41, 0.26), (0.80, 0.64, 0.45))[int(rng.integers(3))]
    plank = np.floor(v / 0.42)
    shift = np.sin(plank * 12.9898) * 4.3
    tint = 1 + 0.10 * np.sin(plank * 78.233)
    w = v * 1.0 + shift
    grain = 0.06 * np.sin((w * 7 + noise("cloud", u * 0.2 + shift, w, 0.6)) * 4) + 0.05 * noise("grain", u * 0.4, w)
    gap = np.abs(v / 0.42 - plank - 0.5) > 0.485
    return _flat(tone, (tint + grain) * np.where(gap, 0.55, 1.0))


def _stone(u: Field, v: Field, rng: np.random.Generator) -> Field:
    grey = float(rng.uniform(0.56, 0.70))
    return _flat(
        (grey, grey, grey * 0.985),
        1 + 0.05 * noise("cloud", u, v, 0.6) + 0.025 * noise("spot", u, v) + 0.02 * noise("fine", u, v),
    )


def _marble(u: Field, v: Field, rng: np.random.Generator) -> Field:
    base = noise("cloud", u + 0.6 * v, v, 0.35) + 0.25 * noise("spot", u, v, 0.3)
    vein = np.clip(1 - np.abs(base) * 5, 0, 1) ** 1.5
    return _flat((0.94, 0.94, 0.945), 1 - 0.20 * vein + 0.02 * base)


def _linen(u: Field, v: Field, rng: np.random.Generator) -> Field:
    tone = ((0.90, 0.86, 0.78), (0.80, 0.80, 0.79), (0.72, 0.78, 0.80))[int(rng.integers(3))]
    folds = 0.05 * noise("cloud", u + v, v, 0.35)
    return _flat(tone, 1 + folds + 0.035 * noise("grain", u, v, 1.3) + 0.035 * noise("grain", v, u, 1.3))


def _grass(u: Field, v: Field, rng: np.random.Generator) -> Field:
    blades = noise("grain", v * 0.6, u, 1.5) + 0.6 * noise("fine", u, v)
    return _flat((0.36, 0.57, 0.20), 1 + 0.13 * blades + 0.10 * noise("cloud", u, v, 0.5))


def _sand(u: Field, v: Field, rng: np.random.Generator) -> Field:
    ripples = np.sin(v * 16 + noise("cloud", u, v, 0.5) * 2.2)
    return _flat((0.90, 0.80, 0.60), 1 + 0.025 * ripples + 0.03 * noise("fine", u, v) + 0.02 * noise("cloud", u, v))


def _brick(u: Field, v: Field, rng: np.random.Generator) -> Field:
    row = np.floor(v / 0.2)
    x = u / 0.5 + 0.5 * (row % 2)
    column = np.floor(x)
    tint = 1 + 0.12 * np.sin(row * 12.9 + column * 78.2)
    edge = np.minimum(0.5 - np.abs(x - column - 0.5), (0.5 - np.abs(v / 0.2 - row - 0.5)) * 0.4)
    mortar = soft_step(0.03 - edge, 0.02)[..., None]
    brick = _flat((0.69, 0.37, 0.28), tint + 0.06 * noise("fine", u, v) + 0.04 * noise("spot", u, v))
    return brick * (1 - mortar) + np.asarray((0.80, 0.77, 0.73), np.float32) * mortar


def _tiles(u: Field, v: Field, rng: np.random.Generator) -> Field:
    tone = ((0.95, 0.95, 0.95), (0.75, 0.87, 0.86), (0.74, 0.82, 0.91), (0.93, 0.89, 0.80))[int(rng.integers(4))]
    x, y = u / 0.36, v / 0.36
    edge = 0.5 - np.maximum(np.abs(x - np.floor(x) - 0.5), np.abs(y - np.floor(y) - 0.5))
    sheen = 0.03 * np.sin(np.floor(x) * 3.1 + np.floor(y) * 5.7) + 0.04 * (x - np.floor(x) - y + np.floor(y))
    return _flat(tone, (1 + sheen) * (1 - 0.22 * soft_step(0.035 - edge, 0.03)))


_GROUNDS: dict[str, Ground] = {
    "boards": _wood,
    "linen": _linen,
    "slate": _stone,
    "slab": _marble,
    "brick": _brick,
    "bricks": _brick,
    "table": _wood,
    "marble": _marble,
    "room": _wood,
    "concrete": _stone,
    "grass": _grass,
    "sand": _sand,
    "tiles": _marble,
}


def _coloured(wall: tuple[float, float, float], size: int, light: Light, x: Field, y: Field) -> Field:
    glow = 1.03 - 0.22 * ((x - 0.5 - 0.25 * light.x) ** 2 + (y - 0.45) ** 2)
    return _flat(wall, glow)


def draw_background(scene: Scene, size: int, horizon: float, rng: np.random.Generator) -> Field:
    """The (size, size, 3) picture of an empty place; `horizon` is where the ground ends, as a share of the height."""
    axis = (np.arange(size, dtype=np.float32) + 0.5) / size
    x, y = np.broadcast_to(axis[None, :], (size, size)), np.broadcast_to(axis[:, None], (size, size))
    wall = _WALLS[scene.wall]
    offset = rng.uniform(0, 2, size=2)
    if scene.place == "sky":
        cloud = np.clip(noise("cloud", x * 0.8 + offset[0], y * 1.4 + offset[1], 0.5) - 0.2, 0, 1)[..., None]
        blue = np.array([0.30, 0.56, 0.88], np.float32) + y[..., None] * np.array([0.36, 0.28, 0.10], np.float32)
        return np.asarray(blue * (1 - 0.85 * cloud) + 0.97 * 0.85 * cloud)
    if scene.place in ("paper", "wall", "behind"):
        return _coloured(wall, size, scene.light, x, y) * (1 + 0.012 * noise("fine", x, y))[..., None]
    if scene.place == "studio":
        sweep = soft_step(y - horizon - 0.05, 0.35)
        return _coloured(wall, size, scene.light, x, y) * (0.93 + 0.07 * sweep)[..., None]
    ground = _GROUNDS[scene.place]
    if scene.place in ("boards", "linen", "slate", "slab", "brick", "bricks"):
        angle = 0.0 if scene.place.startswith("brick") else float(rng.uniform(-0.5, 0.5))
        c, s = np.cos(angle), np.sin(angle)
        u, v = 2.2 * (c * x - s * y) + offset[0], 2.2 * (s * x + c * y) + offset[1]
        flat = ground(u, v, rng)
        return flat * (1.03 - 0.22 * ((x - 0.5 - 0.25 * scene.light.x) ** 2 + (y - 0.45) ** 2))[..., None]
    return _with_horizon(scene, ground, (x, y), horizon=horizon, offset=offset, rng=rng)


def _with_horizon(
    scene: Scene, ground: Ground, at: tuple[Field, Field], *, horizon: float, offset: Field, rng: np.random.Generator
) -> Field:
    x, y = at
    depth = 0.30 / (np.maximum(y - horizon, 0) + 0.16)
    floor = ground((x - 0.5) * depth * 2.4 + offset[0], depth * 2.6 + offset[1], rng)
    floor = floor * (0.86 + 0.2 * np.clip((y - horizon) / 0.5, 0, 1))[..., None]
    wall = _coloured(_WALLS[scene.wall], x.shape[0], scene.light, x, y)
    if scene.place == "tiles":
        wall = _tiles(x * 2.2 + offset[0], (y - horizon) * 2.2, rng)
    elif scene.place in ("grass", "sand"):
        top, low = ((0.46, 0.70, 0.93), (0.86, 0.93, 0.97))
        t = np.clip(y / max(horizon, 0.01), 0, 1)[..., None]
        wall = np.asarray(top, np.float32) * (1 - t) + np.asarray(low, np.float32) * t
        if scene.place == "grass":
            hedge = soft_step(y - horizon + 0.09 + 0.02 * noise("cloud", x, x * 0, 1.2), 0.03)[..., None]
            wall = wall * (1 - hedge) + _flat((0.36, 0.52, 0.30), 1 + 0.1 * noise("spot", x, y)) * hedge
    elif scene.place == "room":
        skirting = (np.abs(y - horizon + 0.025) < 0.025)[..., None]
        wall = np.where(skirting, 0.93, wall)
    edge = soft_step(y - horizon, 1.5 / x.shape[0])[..., None]
    shade = 1 - 0.18 * np.exp(-np.abs(y - horizon) * 40)
    place: Field = (wall * (1 - edge) + floor * edge) * shade[..., None]
    return place


# -- shadow and composition --------------------------------------------------------------------------------------


def _soft(image: Image.Image, radius: float) -> Field:
    return np.asarray(image.filter(ImageFilter.GaussianBlur(radius)), np.float32) / 255


def _shadow(alpha: Field, setting: str, light: Light, ground: float) -> Field:
    """How much light is taken from each place of the background, 0 to 1."""
    size = alpha.shape[0]
    cover = Image.fromarray(np.clip(alpha * 255, 0, 255).astype(np.uint8))
    if setting in ("stand", "floor", "outdoor"):
        flat, lean, base = 0.20, -light.x * 0.95, ground * size
        # a point h above the ground casts to x + lean * h, flat * h behind: read back from the cast place
        k = lean / flat
        cast = cover.transform(
            cover.size,
            Image.Transform.AFFINE,
            (1, k, -k * base, 0, 1 / flat, base - base / flat),
            Image.Resampling.BILINEAR,
        )
        low = np.zeros_like(alpha)
        start = int(base - 0.10 * size)
        low[start:] = alpha[start:]
        contact = _soft(Image.fromarray((np.roll(low, int(0.008 * size), axis=0) * 255).astype(np.uint8)), 0.018 * size)
        return np.clip(0.36 * _soft(cast, 0.022 * size) + 0.45 * contact, 0, 0.7)
    reach = 0.03 if setting == "lay" else 0.05
    moved = cover.transform(
        cover.size,
        Image.Transform.AFFINE,
        (1, 0, light.x * reach * size, 0, 1, light.y * reach * size),
        Image.Resampling.BILINEAR,
    )
    near = _soft(cover, 0.012 * size)
    return np.clip(0.30 * _soft(moved, 0.03 * size) + 0.22 * near, 0, 0.6)


def compose(
    rgb: Field,
    alpha: Field,
    glows: list[tuple[float, float, float, float]],
    *,
    scene: Scene,
    setting: str,
    ground: float,
    horizon: float,
    rng: np.random.Generator,
) -> Image.Image:
    """The final picture from a premultiplied sheet; glows are (x, y, radius) in shares of the size, and strength."""
    size = alpha.shape[0]
    place = draw_background(scene, size, horizon, rng) * np.asarray(scene.light.tint, np.float32) * scene.dim
    place = place * (1 - _shadow(alpha, setting, scene.light, ground))[..., None]
    picture = place * (1 - alpha[..., None]) + rgb
    axis = (np.arange(size, dtype=np.float32) + 0.5) / size
    for x, y, radius, strength in glows:
        halo = strength * np.exp(-(((axis[None, :] - x) ** 2 + (axis[:, None] - y) ** 2) / (radius * radius * 0.32)))
        picture = picture + halo[..., None] * np.array([0.50, 0.40, 0.20], np.float32) * (1.1 - np.clip(picture, 0, 1))
    return Image.fromarray((np.clip(picture, 0, 1) * 255 + 0.5).astype(np.uint8))
