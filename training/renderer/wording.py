"""True plain words for a product and its view: names, phrases, captions.
It knows vocabulary and grammar, and nothing that is not visible in the picture."""

from __future__ import annotations

from training.renderer.kinds import KINDS
from training.renderer.products import Product
from training.renderer.scene import Scene

__all__ = ["article", "captions", "colour_word", "material_word", "name", "pattern_phrase"]

_PATTERN = {
    "striped": "with {} stripes",
    "vertical stripes": "with vertical {} stripes",
    "dotted": "with {} dots",
    "checked": "with {} checks",
    "zigzag": "with {a} zigzag pattern",
    "floral": "with {} flowers",
    "starry": "with {} stars",
    "hearts": "with {} hearts",
    "speckled": "with {} speckles",
    "two-tone": "with {a} half",
}
_ADJECTIVE = {
    "striped": "striped",
    "vertical stripes": "striped",
    "dotted": "polka dot",
    "checked": "checked",
    "zigzag": "zigzag",
    "floral": "flowery",
    "starry": "starry",
    "hearts": "heart-patterned",
    "speckled": "speckled",
    "two-tone": "two-tone",
}
_MATERIAL = {"wood": "wooden", "wool": "wool", "steel": "stainless steel", "wicker": "wicker", "wax": "", "glow": ""}
_SHAPES = ("round", "tall", "square", "oval", "cone-shaped", "domed", "padded")  # said before the colour
_SILENT = {
    ("scissors", "plastic"),
    ("string lights", "plastic"),
    ("pencils", "wood"),
    ("rubber duck", "rubber"),
    ("floor lamp", "linen"),
    ("floor lamp", "cotton"),
    ("knife", "wood"),
    ("knife", "plastic"),
    ("teddy bear", "plush"),
    ("sunglasses", "plastic"),
    ("wine glass", "glass"),
}


def article(phrase: str) -> str:
    """The phrase with "a" or "an" before it."""
    return ("an " if phrase[:1] in "aeiou" else "a ") + phrase


def material_word(product: Product) -> str:
    """The material as an adjective, or nothing where it goes without saying."""
    if (product.kind, product.material) in _SILENT:
        return ""
    return _MATERIAL.get(product.material, product.material)


def _noun(product: Product) -> str:
    if product.kind == "trousers" and product.material == "denim":
        return "jeans"
    return product.kind


def _join(*words: str) -> str:
    return " ".join(w for w in words if w)


def _tail(product: Product, detail: str) -> str:
    """The phrases after the noun: "with blue hearts and a chest pocket"."""
    after = product.variant().after
    if detail.startswith("with ") and after.startswith("with "):
        return f"{detail} and {after.removeprefix('with ')}"
    return _join(after, detail)


def _counted(kind: str, phrase: str) -> str:
    unit = KINDS[kind].unit
    return f"a {unit} of {phrase}" if unit else article(phrase)


def pattern_phrase(product: Product) -> str:
    """What the second colour does: "with white stripes", "with a red lid", or nothing."""
    if len(product.colours) < 2:
        return ""
    second = product.colours[1]
    if product.kind == "string lights":
        return f"and {second}"
    if product.pattern != "plain":
        return _PATTERN[product.pattern].format(second, a=article(second))
    trim = KINDS[product.kind].trim
    plural = trim.endswith("s") or trim == "feet"
    return f"with {second if plural else article(second)} {trim}"


def _colour(product: Product) -> str:
    """The colour word, where one colour tells the truth about the thing."""
    if (product.kind, product.form) in (("pencils", "coloured"), ("string lights", "warm")):
        return ""
    if product.kind == "string lights":
        return _join(product.colours[0], "and", product.colours[1])
    if product.kind == "building blocks":
        return "colourful"
    return product.colours[0]


def colour_word(product: Product) -> str:
    """The main colour as a shop would file it."""
    if (product.kind, product.form) == ("string lights", "warm"):
        return "warm white"
    if (product.kind, product.form) == ("pencils", "coloured") or product.kind == "building blocks":
        return "multicoloured"
    return _colour(product)


def name(product: Product) -> str:
    """A short name such as "red striped ceramic mug"."""
    adjective = _ADJECTIVE.get(product.pattern, "")
    return _full(product, adjective)


def _full(product: Product, adjective: str = "") -> str:
    before = product.variant().before
    words = [_colour(product), adjective, material_word(product)]
    return _join(*([before, *words] if before in _SHAPES else [*words, before]), _noun(product))


def captions(product: Product, scene: Scene | None = None) -> list[str]:
    """Plain true phrases and sentences about a product; with a scene, some name its surroundings too."""
    noun, colour = _noun(product), _colour(product)
    material = material_word(product)
    detail = "" if product.kind in ("string lights", "building blocks") else pattern_phrase(product)
    full = _full(product)
    tail = _tail(product, detail)
    found = [
        _join(_counted(product.kind, full), tail),
        name(product),
        _counted(product.kind, _join(colour, noun)),
        f"a picture of {_join(_counted(product.kind, _join(colour, noun)), detail)}",
        _join(colour, noun),
    ]
    if material:
        found.append(_counted(product.kind, _join(material, noun)))
    if product.pattern != "plain":
        found.append(_counted(product.kind, _join(_ADJECTIVE[product.pattern], noun)))
        found.append(f"{noun} {detail}")
    found.extend(_join(colour, _ADJECTIVE.get(product.pattern, ""), word) for word in KINDS[product.kind].words)
    if scene:
        found.append(f"{_join(_counted(product.kind, full), tail)} {_join(scene.phrase, scene.mood)}")
        found.append(f"{_counted(product.kind, _join(colour, noun))} {scene.phrase}")
    return list(dict.fromkeys(found))
