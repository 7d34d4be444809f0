"""Encoders: pictures and texts as vectors in one space. One file per engine, each imported when it is asked for.

Knows the forms of a spec and which licence a model has; knows nothing of indexes or queries.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from sightline.encoders.cards import ModelCard, known_models
from sightline.errors import ConfigError
from sightline.protocols import Encoder
from sightline.suggesting import did_you_mean

__all__ = ["ModelCard", "licence_of", "model_cards", "open_encoder"]

FORMS = (
    "starter",
    "onnx:FOLDER",
    "open_clip:NAME/TAG",
    "open_clip:hf-hub:ORG/REPO",
    "open_clip:NAME//path/to/checkpoint.pt",
    "open_clip:local-dir:FOLDER",
    "sentence-transformers:FOLDER-OR-ID",
)


def open_encoder(spec: str, *, threads: int | None = None) -> Encoder:
    """Load the encoder a spec names; `threads` None means as many as the engine likes.

    Raises ConfigError for a spec, folder or model that is not there, MissingExtra when its packages are not installed.
    """
    engine, _, rest = spec.partition(":")
    if spec == "starter" or (engine == "onnx" and rest):
        from sightline.encoders.onnx import OnnxEncoder

        folder = _starter() if spec == "starter" else Path(rest).expanduser().resolve()
        return OnnxEncoder(folder, name="starter" if spec == "starter" else f"onnx:{folder}", threads=threads)
    if engine == "open_clip" and rest:
        from sightline.encoders.open_clip import OpenClipEncoder

        return OpenClipEncoder(rest, threads=threads)
    if engine == "sentence-transformers" and rest:
        from sightline.encoders.sentence_transformers import SentenceTransformersEncoder

        return SentenceTransformersEncoder(rest, threads=threads)
    meant = did_you_mean(spec, ("starter", "onnx:", "sentence-transformers:", *(one.spec for one in known_models())))
    raise ConfigError(f"there is no encoder {spec!r}.{meant} An encoder is one of: {', '.join(FORMS)}")


def model_cards() -> list[ModelCard]:
    """The starter, as installed, and models worth knowing, with the licence of their weights."""
    from sightline.encoders.onnx import FILES, OnnxConfig

    config = OnnxConfig.read(_starter())
    size = sum((_starter() / name).stat().st_size for name in FILES)
    note = f"version {config.version}, ships with Sightline: no download, no torch"
    return [ModelCard(config.name, "starter", config.licence, config.dim, size, note), *known_models()]


def licence_of(spec: str) -> str:
    """The licence of a model's weights, or where to read it."""
    engine, _, rest = spec.partition(":")
    if spec == "starter" or (engine == "onnx" and rest):
        from sightline.encoders.onnx import OnnxConfig

        return OnnxConfig.read(_starter() if spec == "starter" else Path(rest).expanduser()).licence
    unpinned = spec.partition("@")[0]
    listed = next((card.licence for card in known_models() if card.spec == unpinned), None)
    return listed or "not known here: see the model's own page before you use it"


def _starter() -> Path:
    return Path(str(files("sightline.encoders") / "starter"))
