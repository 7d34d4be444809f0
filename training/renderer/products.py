"""A product, drawn by lot from a seed: its kind, colours, material, pattern and form.
It knows what may go together (no gold wool, no striped glass), not how anything looks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from training.renderer.kinds import KINDS, Form, Kind
from training.renderer.surfaces import COLOURS

__all__ = ["Product", "colours_for", "sample_product"]

_METALS = ("silver", "gold", "copper")
_WOODS = ("light brown", "dark brown", "brown")
_BRIGHT = tuple(name for name in COLOURS if name not in (*_METALS, "light brown", "dark brown"))
_PALETTES: dict[str, tuple[str, ...]] = {
    "wood": (*_WOODS, "light brown", "white", "black", "red", "blue", "green", "yellow", "grey", "teal"),
    "steel": (*_METALS, "silver", "red", "blue", "green", "black", "teal", "pink"),
    "metal": (*_BRIGHT, *_METALS),
    "cast iron": ("black", "grey", "red", "blue", "green", "teal", "orange"),
    "terracotta": ("orange", "brown", "white", "beige", "teal", "blue"),
    "leather": ("brown", "black", "dark brown", "light brown", "red", "navy", "green", "beige", "white", "pink"),
    "denim": ("blue", "light blue", "navy", "black", "grey", "white"),
    "wicker": ("light brown", "brown", "beige", "white"),
    "glass": ("blue", "green", "light blue", "pink", "orange", "purple", "red", "teal", "yellow"),
}
_NO_PATTERN = ("glass", "steel", "cast iron", "leather", "denim", "velvet", "wicker", "terracotta", "felt")
# Pairs that read well together on a patterned thing; any colour may also meet white.
_CONTRASTS: dict[str, tuple[str, ...]] = {
    "white": ("red", "blue", "black", "green", "navy", "pink", "teal", "purple", "orange"),
    "black": ("white", "red", "yellow", "pink", "light blue", "orange"),
    "yellow": ("white", "navy", "red", "black", "blue", "purple"),
    "beige": ("red", "navy", "brown", "black", "teal", "green", "blue"),
    "pink": ("white", "red", "navy", "purple", "black"),
    "light blue": ("white", "navy", "red", "yellow", "brown"),
    "orange": ("white", "navy", "black", "brown", "yellow"),
    "grey": ("white", "black", "yellow", "red", "pink"),
    "light brown": ("white", "navy", "dark brown", "red", "black"),
}
_DEEP_CONTRASTS = ("white", "white", "yellow", "beige", "light blue", "pink", "orange")


@dataclass(frozen=True, slots=True)
class Product:
    """One product. `colours` holds its main colour, then the pattern's or the trim's; `form` is a variant's key."""

    seed: int
    kind: str
    colours: tuple[str, ...]
    material: str
    pattern: str = "plain"
    form: str = ""

    @property
    def category(self) -> str:
        """The shop department."""
        return KINDS[self.kind].category

    def variant(self) -> Form:
        """The words of its form."""
        return next((f for f in KINDS[self.kind].forms if f.key == self.form), Form())


def colours_for(kind: Kind, material: str) -> tuple[str, ...]:
    """The main colours a kind may have in a material."""
    return kind.colours or _PALETTES.get(material, _BRIGHT)


def _patterns_for(kind: Kind, material: str) -> tuple[str, ...]:
    wicker = kind.name == "basket"
    return kind.patterns if wicker or material not in _NO_PATTERN else ()


def _one(rng: np.random.Generator, options: tuple[str, ...]) -> str:
    return options[int(rng.integers(len(options)))]


def sample_product(seed: int, *, kind: str | None = None) -> Product:
    """A product by lot; the same seed gives the same product, and `kind` fixes what it is."""
    rng = np.random.default_rng([seed, 0])
    names = tuple(KINDS)
    drawn = _one(rng, names)
    spec = KINDS[kind or drawn]
    material = _one(rng, spec.materials)
    main = _one(rng, colours_for(spec, material))
    form = spec.forms[int(rng.integers(len(spec.forms)))].key
    patterns = _patterns_for(spec, material)
    pattern = _one(rng, patterns) if patterns and rng.random() < 0.55 else "plain"
    second = _one(rng, _CONTRASTS.get(main, _DEEP_CONTRASTS))
    two = pattern != "plain" or (spec.trim != "" and rng.random() < 0.5)
    if spec.name == "string lights":
        two, main = form == "coloured", main if form == "coloured" else "white"
        second = _one(rng, tuple(c for c in spec.colours if c != main))
    return Product(seed, spec.name, (main, second) if two else (main,), material, pattern, form)
