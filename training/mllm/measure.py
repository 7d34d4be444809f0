"""Asks a model in training what `benchmarks/reranking.py` measures, each picture looked at once for all its questions.

Knows the packed form of questions; the figures themselves are defined in the benchmark, once.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from PIL import Image

from sightline.mllms.asking import match_question
from training.mllm.eye import CELL, seen_map
from training.mllm.packing import Tongue, foretold, pack
from training.mllm.questions import Lesson
from training.starter.targets import to_input


@torch.no_grad()
def matches(
    model: Any,
    tongue: Tongue,
    pictures: Sequence[np.ndarray],
    texts: Sequence[Sequence[str]],
    *,
    batch: int = 16,
    exact: bool = False,
) -> list[np.ndarray]:
    """P(yes) of every text asked of each picture (h, w, 3), a list of texts a picture; `exact` is slower, float32."""
    yes, no = (tongue.tokenizer.convert_tokens_to_ids(word) for word in ("yes", "no"))
    side = int(model.config.image_seq_length**0.5) * CELL
    order = sorted(range(len(texts)), key=lambda at: len(texts[at]))
    found: dict[int, np.ndarray] = {}
    for start in range(0, len(order), batch):
        some = [at for at in order[start : start + batch] if texts[at]]
        if not some:
            continue
        lessons = [[Lesson(match_question(text), "") for text in texts[at]] for at in some]
        packed = pack(tongue, lessons, (side // CELL) ** 2)
        shown = np.stack([_squashed(pictures[at], side) for at in some])
        with torch.autocast("cpu", torch.bfloat16, enabled=not exact):
            logits = foretold(model, packed, seen_map(model.model.vision_tower, to_input(shown))).float()
        odds = (logits[:, yes] - logits[:, no])[packed.first].sigmoid().numpy()
        ends = np.cumsum([len(texts[at]) for at in some])[:-1]
        found |= dict(zip(some, np.split(odds, ends), strict=True))
    return [found.get(at, np.empty(0)) for at in range(len(texts))]


def judge(model: Any, tongue: Tongue) -> partial[list[np.ndarray]]:
    """The model as a judge of the benchmark; exact, for bfloat16 makes ties of near misses."""
    return partial(matches, model, tongue, exact=True)


def _squashed(pixels: np.ndarray, side: int) -> np.ndarray:
    if pixels.shape[:2] == (side, side):
        return pixels
    return np.asarray(Image.fromarray(pixels).resize((side, side), Image.Resampling.BICUBIC))
