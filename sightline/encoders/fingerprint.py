"""Fingerprints of encoders: equal only where weights, preprocessing and the recipe of `content` are equal.

Does not know what the settings mean. Reads weights, writes nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sightline.encoders.content import RECIPE

if TYPE_CHECKING:
    import torch


DESCRIBED = (
    *("config.json", "modules.json", "sentence_bert_config.json"),
    *("preprocessor_config.json", "processor_config.json", "tokenizer_config.json"),
)
TOKENIZER = "tokenizer.json"  # says everything where it is there; else the files of `VOCABULARY` do
VOCABULARY = ("vocab.*", "merges.txt", "*.model", "added_tokens.json", "special_tokens_map.json")
_NO_MATTER = frozenset(  # of such files: who wrote them, and names of classes that nobody here asks for
    ("transformers_version", "__version__", "_name_or_path", "name_or_path", "_commit_hash", "id2label", "label2id")
)


@dataclass(frozen=True, slots=True)
class Printed:
    """A fingerprint, and what it was taken of: names of files and settings with their digests or values."""

    fingerprint: str  # hex SHA-256
    made_of: Mapping[str, str]
    formerly: tuple[str, ...] = ()  # what it was before the files beside the weights were taken in


def of_files(paths: Iterable[Path], settings: Mapping[str, Any]) -> Printed:
    """Over the files' names and bytes, and the settings. Raises OSError."""
    parts = {}
    for path in paths:
        with path.open("rb") as file:
            parts[path.name] = hashlib.file_digest(file, "sha256").hexdigest()
    return Printed(_together(parts, settings), {name: digest[:16] for name, digest in parts.items()} | _flat(settings))


def of_state(
    state: Mapping[str, torch.Tensor], settings: Mapping[str, Any], beside: Mapping[str, Any] | None = None
) -> Printed:
    """Over a state dict (names, shapes, types, bytes), the settings, and what is told `beside` the weights.

    Tensors are hashed on two threads, for hashing holds no lock: under a second for the 605 MB of ViT-B/32.
    """
    with ThreadPoolExecutor(2) as pool:
        parts = dict(zip(state, pool.map(_digest, state.values()), strict=True))
    weights = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
    known = {"weights": weights[:16]} | _flat(settings)
    if not beside:
        return Printed(_together(parts, settings), known)
    return Printed(_together(parts, {**settings, **beside}), known | _flat(beside), (_together(parts, settings),))


def beside_weights(folder: Path) -> dict[str, Any]:
    """What the files of a model say that leaves no trace in its weights: activations, preparation, tokenizer.

    Read from the files, for what a library makes of them changes with its version. Raises OSError, ValueError.
    """
    modules = json.loads((folder / "modules.json").read_bytes()) if (folder / "modules.json").is_file() else []
    within = dict.fromkeys(["", *(one.get("path", "") for one in modules)])
    found: dict[str, Any] = {}
    for path in within:
        at, name = folder / path, f"{path}/" if path else ""
        told = {file: json.loads((at / file).read_bytes()) for file in DESCRIBED if (at / file).is_file()}
        found |= {name + file: _essential(said) for file, said in told.items()}
        vocabulary = sorted(chain.from_iterable(at.glob(pattern) for pattern in VOCABULARY))
        files = [at / TOKENIZER] if (at / TOKENIZER).is_file() else vocabulary
        found |= {name + file.name: hashlib.sha256(file.read_bytes()).hexdigest()[:16] for file in files}
    return found


def _essential(said: Any) -> Any:
    """A JSON value without what does not matter."""
    if isinstance(said, list):
        return [_essential(one) for one in said]
    if not isinstance(said, dict):
        return said
    return {name: _essential(value) for name, value in said.items() if name not in _NO_MATTER}


def _digest(tensor: torch.Tensor) -> str:
    import torch

    flat = tensor.detach().cpu().contiguous()
    raw = flat.reshape(-1).view(torch.uint8).numpy()  # bfloat16 has no numpy type: bytes have
    return f"{flat.dtype} {tuple(flat.shape)} {hashlib.sha256(raw).hexdigest()}"


def _flat(settings: Mapping[str, Any], within: str = "") -> dict[str, str]:
    """Nested settings as "image.size": "112"; texts, numbers and lists as JSON writes them."""
    found: dict[str, str] = {}
    for name, value in settings.items():
        if isinstance(value, Mapping):
            found |= _flat(value, f"{within}{name}.")
        else:
            found[within + name] = json.dumps(value, default=list)
    return found


def _together(parts: Mapping[str, str], settings: Mapping[str, Any]) -> str:
    described = json.dumps({"recipe": RECIPE, "parts": parts, "settings": settings}, sort_keys=True, default=list)
    return hashlib.sha256(described.encode()).hexdigest()
