"""Models worth knowing, with the licence of their weights: it differs from the code's, and is found out late elsewhere.

A list to choose from, not a limit: any other model of an engine opens too. Loads nothing.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What `sightline models` shows of one encoder."""

    name: str
    spec: str
    licence: str  # of the weights, as their publisher states it
    dim: int
    size_bytes: int  # of its files
    note: str


def known_models() -> list[ModelCard]:
    """Smallest first within an engine."""
    return [ModelCard(*row) for row in _ROWS]


_RESEARCH = "Apple ML Research Model licence: research only, no product"
_ROWS: tuple[tuple[str, str, str, int, int, str], ...] = (
    (
        "MobileCLIP2-S0",
        "open_clip:MobileCLIP2-S0/dfndr2b",
        _RESEARCH,
        512,
        216_000_000,
        "fast on a CPU",
    ),
    (
        "LAION CLIP ViT-B/32",
        "open_clip:ViT-B-32/laion2b_s34b_b79k",
        "MIT",
        512,
        605_000_000,
        "the usual first choice on a CPU",
    ),
    (
        "SigLIP B/16",
        "open_clip:ViT-B-16-SigLIP/webli",
        "Apache-2.0",
        768,
        813_000_000,
        "better than ViT-B/32, about four times the work",
    ),
    (
        "Marqo FashionSigLIP",
        "open_clip:hf-hub:Marqo/marqo-fashionSigLIP",
        "Apache-2.0",
        768,
        813_000_000,
        "clothes and fashion",
    ),
    (
        "SigLIP2 B/16",
        "open_clip:ViT-B-16-SigLIP2/webli",
        "Apache-2.0",
        768,
        1_500_000_000,
        "many languages",
    ),
    (
        "SigLIP2 So400m/14",
        "open_clip:ViT-SO400M-14-SigLIP2/webli",
        "Apache-2.0",
        1152,
        4_540_000_000,
        "for a GPU",
    ),
    (
        "all-MiniLM-L6-v2",
        "sentence-transformers:sentence-transformers/all-MiniLM-L6-v2",
        "Apache-2.0",
        384,
        91_000_000,
        "texts only: --text-encoder",
    ),
    (
        "multilingual MiniLM",
        "sentence-transformers:sentence-transformers/paraphrase-multilingual-MiniLM-L12-v2",
        "Apache-2.0",
        384,
        471_000_000,
        "texts only, 50 languages: --text-encoder",
    ),
)
