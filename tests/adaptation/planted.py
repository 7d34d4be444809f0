"""Pairs whose truth is known: answers of which queries are a turned and noisy copy, or nothing at all."""

from __future__ import annotations

import numpy as np

from sightline.adaptation.fitting import Examples
from sightline.encoders.adapter import unit

DIM = 24


def planted(n: int = 120, *, each: int = 1, noise: float = 0.5, turn: float = 0.6, seed: int = 0) -> Examples:
    """n answers, `each` queries to every one; `turn` is how far queries are turned away from what they mean."""
    rng = np.random.default_rng(seed)
    answers = unit(rng.standard_normal((n, DIM)).astype(np.float32))
    turned = np.eye(DIM) + turn * rng.standard_normal((DIM, DIM))
    meant = np.repeat(np.arange(n), each)
    queries = unit((answers[meant] @ turned.T + noise * rng.standard_normal((n * each, DIM)) / 5).astype(np.float32))
    right = tuple(np.asarray([one]) for one in meant)
    return Examples(queries, answers, np.arange(n), right, right)


def unrelated(n: int = 120, *, seed: int = 0) -> Examples:
    """Pairs that chance put together."""
    rng = np.random.default_rng(seed)
    queries, answers = (unit(rng.standard_normal((n, DIM)).astype(np.float32)) for _ in range(2))
    right = tuple(np.asarray([one]) for one in range(n))
    return Examples(queries, answers, np.arange(n), right, right)
