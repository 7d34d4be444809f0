"""Opens what training saved as a whole model with its tokenizer, ready to be measured or written out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from sightline.encoders.torchvision_repair import repair
from training.mllm.model import Size, build
from training.mllm.packing import Tongue


def opened(work: Path, weights: str) -> tuple[Any, Tongue]:
    """The model of `<weights>.pt` in a work folder, in float32, and its tokenizer."""
    repair()
    from transformers import PreTrainedTokenizerFast

    kept = torch.load(work / f"{weights}.pt")
    tokenizer = PreTrainedTokenizerFast.from_pretrained(work / "tokenizer")
    model = build(tokenizer, Size(**kept["size"]))
    model.load_state_dict(kept["model"])
    return model.eval(), Tongue(tokenizer)
