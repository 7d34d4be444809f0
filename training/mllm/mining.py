"""Near misses for photos: captions of other photos that the starter encoder holds close to this one.

They are what a reranker meets among the first twenty hits. Knows the starter's caches and checkpoint.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as fn

from training.mllm.eye import SIDE, starter_tower
from training.starter.prepare_texts import CONTEXT
from training.starter.refit import image_features, text_features
from training.starter.towers import TextTower

SKIPPED, KEPT = 8, 64  # the very nearest captions are often true of this photo, too


def mine_flickr(starter: Path, checkpoint: Path, work: Path) -> None:
    """Write `flickr_hard.json`: row of a training photo -> rows of texts near it that were said of others."""
    pictures = json.loads((starter / "pictures.json").read_text())
    linked = json.loads((starter / "links.json").read_text())["linked"]
    rows = np.array([
        at for at, one in enumerate(pictures) if one["source"] == "flickr8k" and one["split"] == "train"
    ])  # fmt: skip
    texts = np.array([text for at in rows for text, _ in linked[at]])
    owner = np.array([place for place, at in enumerate(rows) for _ in linked[at]])
    kept = torch.load(checkpoint)
    tower = starter_tower(checkpoint)
    words = TextTower(kept["vocabulary"], CONTEXT).eval()
    words.load_state_dict({k[5:]: v for k, v in kept["average"].items() if k.startswith("text.")})
    with torch.inference_mode():
        x = fn.normalize(tower.head(image_features(tower, starter, 0, rows, SIDE)), dim=-1)
        y = fn.normalize(words.head(text_features(words, np.load(starter / "tokens.npy")[texts])), dim=-1)
        found = {}
        for place, at in enumerate(rows):
            near = (x[place] @ y.T).topk(SKIPPED + KEPT + 5).indices.numpy()
            found[int(at)] = [int(texts[n]) for n in near if owner[n] != place][SKIPPED : SKIPPED + KEPT]
    (work / "flickr_hard.json").write_text(json.dumps(found))
    print(f"near misses for {len(found)} photos", flush=True)
