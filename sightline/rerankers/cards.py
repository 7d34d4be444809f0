"""Rerankers worth knowing, with the licence of their weights: it differs from the code's.

A list to choose from, not a limit: any other model of an engine opens too. Loads nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from sightline.mllms import vision_cards


@dataclass(frozen=True, slots=True)
class RerankerCard:
    """What `sightline models` shows of one reranker."""

    spec: str
    licence: str  # of the weights, as their publisher states it
    size_bytes: int  # of its files
    note: str


def reranker_cards() -> list[RerankerCard]:
    """The one that ships with Sightline, then others, smallest first."""
    ours = [RerankerCard(card.spec, card.licence, card.size_bytes, card.note) for card in vision_cards()]
    return ours + [RerankerCard(*row) for row in _ROWS]


_ROWS: tuple[tuple[str, str, int, str], ...] = (
    (
        "cross-encoder:cross-encoder/ms-marco-MiniLM-L6-v2",
        "Apache-2.0",
        91_000_000,
        "reads titles, fields and passages, no pictures; English; not measured here",
    ),
    (
        "cross-encoder:BAAI/bge-reranker-v2-m3",
        "Apache-2.0",
        2_270_000_000,
        "the same in many languages; not measured here",
    ),
    (
        "cross-encoder:Qwen/Qwen3-VL-Reranker-2B",
        "Apache-2.0",
        4_260_000_000,
        "reads words and pictures on both sides; for a GPU; not measured here",
    ),
)
