"""Learns the joint space from the two frozen teachers: a small head for each, pulled together on true pairs.

Knows teacher vectors and pairs; knows nothing of pixels or tokens. The student towers later learn to land where these
heads put their teachers, so the hard part of the alignment is done here in minutes.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as fn

from training.starter import batches
from training.starter.losses import masked_loss, recall

DIM = 256


class Head(nn.Module):
    """A linear map with a small gated correction, from a teacher's width to the joint space, unit rows."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.drop = nn.Dropout(dropout)
        self.line = nn.Linear(width, DIM)
        self.bend = nn.Sequential(nn.Linear(width, 1024), nn.GELU(), nn.Dropout(dropout), nn.Linear(1024, DIM))
        self.gate = nn.Parameter(torch.tensor(0.5))

    def forward(self, x: Tensor) -> Tensor:
        x = self.drop(x)
        return fn.normalize(self.line(x) + self.gate * self.bend(x), dim=-1)  # (b, width) -> (b, DIM)


def picture_features(raw: np.ndarray) -> Tensor:
    """Return teacher features (b, 1024) from their uint8 form: square roots, unit rows times 32."""
    x = torch.from_numpy(np.asarray(raw)).float().sqrt()
    return fn.normalize(x, dim=-1) * 32


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--batch", type=int, default=512)
    parser.add_argument("--dropout", type=float, default=0.3)
    parser.add_argument("--decay", type=float, default=0.05)
    parser.add_argument("--views", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    torch.set_num_threads(args.threads)
    caches = batches.load(args.work)
    # the picture teacher has not seen the drawn products
    sampler = batches.Sampler(caches, args.seed, leave=frozenset({"rendered"}))
    views = [np.load(args.work / f"teacher_{v}.npy", mmap_mode="r") for v in range(args.views)]
    teacher_text = np.load(args.work / "text_teacher.npy")
    image_head, text_head = Head(1024, args.dropout), Head(384, args.dropout / 3)
    scale = nn.Parameter(torch.tensor(np.log(20.0)))
    params = [*image_head.parameters(), *text_head.parameters(), scale]
    optimiser = torch.optim.AdamW(params, lr=1e-3, weight_decay=args.decay)
    dev = dev_set(args.work)
    began = time.time()
    for step in range(args.steps):
        for group in optimiser.param_groups:
            group["lr"] = 1e-3 * min(1.0, step / 100) * 0.5 * (1 + np.cos(np.pi * step / args.steps))
        rows = sampler.pictures(args.batch)
        texts = sampler.sentences(rows)
        rows, texts = rows[texts >= 0], texts[texts >= 0]
        view = views[sampler.rng.integers(len(views))]
        true = torch.from_numpy(batches.true_pairs(caches.facts[rows], caches.needs[texts]))
        images = image_head(picture_features(view[rows]))
        sentences = text_head(torch.from_numpy(teacher_text[texts]).float() * 20)
        loss = masked_loss(scale.exp().clamp(max=100) * images @ sentences.T, true)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if step % 500 == 499 or step == args.steps - 1:
            image_head.eval()
            text_head.eval()
            with torch.no_grad():
                x = image_head(picture_features(views[0][dev["rows"]]))
                y = text_head(dev["vectors"] * 20)
            wanted = torch.arange(len(y))[:, None] // 5 == torch.arange(len(x))[None]
            print(f"{step + 1} {time.time() - began:.0f}s loss {loss.item():.3f} scale {scale.exp().item():.1f} "
                  f"dev t2i {recall(y, x, wanted)} i2t {recall(x, y, wanted.T)}", flush=True)  # fmt: skip
            image_head.train()
            text_head.train()
    torch.save({"image": image_head.state_dict(), "text": text_head.state_dict(), "scale": scale.item(),
                "dropout": args.dropout}, args.work / "heads.pt")  # fmt: skip


def dev_set(work: Path) -> dict[str, np.ndarray | Tensor]:
    """Return the dev photos' rows and the teacher's vectors of their captions, computed once and kept."""
    import json

    from training.starter.prepare_texts import teacher_vectors

    pictures = json.loads((work / "pictures.json").read_text())
    rows = np.array([i for i, p in enumerate(pictures) if p["source"] == "flickr8k" and p["split"] == "val"], np.int64)
    kept = work / "dev_text_teacher.npy"
    if not kept.exists():
        np.save(kept, teacher_vectors([c.rstrip(" .") for i in rows for c in pictures[i]["labels"]["captions"]]))
    return {"rows": rows, "vectors": torch.from_numpy(np.load(kept)).float()}


if __name__ == "__main__":
    main()
