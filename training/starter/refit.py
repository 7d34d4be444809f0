"""Fits both towers' last linear maps anew on the trained towers' own features, in large batches, the towers frozen.

Knows a checkpoint and the caches; changes nothing but the two heads and the scale. Takes minutes: features are computed
once, and a batch of hundreds of pairs then costs next to nothing.
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
from training.starter.prepare_texts import CONTEXT
from training.starter.targets import to_input
from training.starter.towers import ImageTower, TextTower
from training.starter.train import dev_set


@torch.inference_mode()
def image_features(tower: ImageTower, work: Path, view: int, rows: np.ndarray, side: int) -> Tensor:
    """Return pooled features (rows, 1024) of one view; rows past the taught pictures are drawn products."""
    pixels = np.load(work / f"views_{view}.npy", mmap_mode="r")
    drawn = np.load(work / "rendered_views.npy", mmap_mode="r")
    parts = []
    for start in range(0, len(rows), 100):
        some = rows[start : start + 100]
        shown = np.stack(
            [pixels[i] if i < len(pixels) else drawn[i - len(pixels), view % drawn.shape[1]] for i in some]
        )
        with torch.autocast("cpu", torch.bfloat16):
            parts.append(tower.features(to_input(shown, side)).float())
    return torch.cat(parts) if parts else torch.empty(0, tower.head.in_features)


@torch.inference_mode()
def text_features(tower: TextTower, tokens: np.ndarray) -> Tensor:
    """Return pooled features (n, width) of token rows, in length order inside so that little is padding."""
    lengths = (tokens != 0).sum(1)
    order = np.argsort(lengths, kind="stable")
    out = torch.zeros(len(tokens), tower.head.in_features)
    for start in range(0, len(order), 512):
        some = order[start : start + 512]
        cut = tokens[some][:, : max(1, int(lengths[some].max()))].astype(np.int64)
        with torch.autocast("cpu", torch.bfloat16):
            out[torch.from_numpy(some)] = tower.features(torch.from_numpy(cut)).float()
    return out


class Refit:
    """The frozen features, the two heads being fitted, and their measure on the dev photos."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.args = args
        self.kept = torch.load(args.checkpoint)
        weights = self.kept[args.weights]
        self.image, self.text = ImageTower().eval(), TextTower(self.kept["vocabulary"], CONTEXT).eval()
        self.image.load_state_dict({k[6:]: v for k, v in weights.items() if k.startswith("image.")})
        self.image.to(memory_format=torch.channels_last)
        self.text.load_state_dict({k[5:]: v for k, v in weights.items() if k.startswith("text.")})
        self.scale = nn.Parameter(weights["scale"].clone())
        self.caches = batches.load(args.work)
        self.sampler = batches.Sampler(self.caches, args.seed)
        sources, train = self.caches.sources, self.caches.train
        told = np.array([len(t) > 0 for t in self.caches.texts_of])
        self.place = np.full(len(sources), -1)  # picture -> row of a view's features
        pools = {source: np.flatnonzero(train & told & (sources == source)) for source in np.unique(sources)}
        every = {s: 1 if s == "flickr8k" else max(1, len(pool) // args.limit) for s, pool in pools.items()}
        rows = np.sort(np.concatenate([pool[:: every[s]] for s, pool in pools.items()]))
        self.place[rows] = np.arange(len(rows))
        self.views = [image_features(self.image, args.work, v, rows, args.side) for v in range(args.views)]
        used = np.unique(np.concatenate([t for t in self.caches.texts_of if len(t)]))
        self.text_place = np.full(len(self.caches.tokens), -1)
        self.text_place[used] = np.arange(len(used))
        self.texts = text_features(self.text, self.caches.tokens[used])
        dev = dev_set(args.work)
        self.dev_x = image_features(self.image, args.work, 0, dev["rows"], args.side)
        self.dev_y = text_features(self.text, dev["tokens"].numpy())
        self.iconic = np.flatnonzero(sources == "grocery_iconic")
        self.shop = np.flatnonzero((sources == "grocery") & (self.place >= 0))
        self.shop_class = self.classes(self.shop)
        val = np.flatnonzero((sources == "grocery") & ~train)
        self.val_class, self.val_x = self.classes(val), image_features(self.image, args.work, 0, val, args.side)

    def classes(self, rows: np.ndarray) -> Tensor:
        """Return which of the shop's own pictures is of each photo's class."""
        named = {self.caches.fact_ids[f]: None for f in self.caches.fact_ids if f.startswith("fine:")}
        fine = [next(int(f) for f in self.caches.facts[i] if f in named) for i in self.iconic]
        return torch.tensor([fine.index(next(int(f) for f in self.caches.facts[i] if f in named)) for i in rows])

    def heads(self, x: Tensor, head: nn.Linear) -> Tensor:
        return fn.normalize(head(x), dim=-1)

    @torch.no_grad()
    def report(self) -> str:
        x, y = self.heads(self.dev_x, self.image.head), self.heads(self.dev_y, self.text.head)
        wanted = torch.arange(len(y))[:, None] // 5 == torch.arange(len(x))[None]
        icons = self.heads(self.views[0][self.place[self.iconic]], self.image.head)
        hit = self.val_class[:, None] == torch.arange(len(icons))[None]
        photos = recall(self.heads(self.val_x, self.image.head), icons, hit, (1, 5))
        return f"dev t2i {recall(y, x, wanted)} i2t {recall(x, y, wanted.T)} photo2product {photos}"

    def fit(self) -> None:
        args, rng = self.args, self.sampler.rng
        image_head, text_head = self.image.head, self.text.head
        first = [p.detach().clone() for p in (image_head.weight, text_head.weight)]
        params = [*image_head.parameters(), *text_head.parameters(), self.scale]
        optimiser = torch.optim.AdamW(params, lr=args.rate, weight_decay=0.0)
        began = time.time()
        print(f"before: {self.report()}", flush=True)
        for step in range(args.steps):
            for group in optimiser.param_groups:
                group["lr"] = float(args.rate * min(1.0, step / 50) * 0.5 * (1 + np.cos(np.pi * step / args.steps)))
            rows = self.sampler.pictures(args.batch)
            rows = rows[self.place[rows] >= 0]
            texts = self.sampler.sentences(rows)
            true = torch.from_numpy(batches.true_pairs(self.caches.facts[rows], self.caches.needs[texts]))
            x = self.views[rng.integers(len(self.views))][self.place[rows]]
            y = self.texts[self.text_place[texts]]
            z = self.heads(fn.dropout(x, args.dropout), image_head)
            t = self.heads(fn.dropout(y, args.dropout / 2), text_head)
            loss = masked_loss(self.scale.exp().clamp(max=60) * z @ t.T, true)
            some = torch.from_numpy(rng.choice(len(self.shop), min(128, len(self.shop)), replace=False))
            photos = self.views[rng.integers(len(self.views))][self.place[self.shop[some.numpy()]]]
            icons = self.heads(self.views[rng.integers(len(self.views))][self.place[self.iconic]], image_head)
            photos = self.heads(fn.dropout(photos, args.dropout), image_head)
            loss = loss + args.w_shop * fn.cross_entropy(15 * photos @ icons.T, self.shop_class[some])
            moved = sum(((p - q) ** 2).sum() for p, q in zip((image_head.weight, text_head.weight), first, strict=True))
            loss = loss + args.stay * moved
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            if step % 200 == 199 or step == args.steps - 1:
                spent = time.time() - began
                print(
                    f"{step + 1} {spent:.0f}s loss {loss.item():.3f} moved {float(moved.detach()):.2f} {self.report()}",
                    flush=True,
                )

    def save(self) -> None:
        weights = self.kept[self.args.weights]
        for name, tower in (("image", self.image), ("text", self.text)):
            for part, value in tower.head.state_dict().items():
                weights[f"{name}.head.{part}"] = value
        weights["scale"] = self.scale.detach()
        torch.save({"average": weights, "vocabulary": self.kept["vocabulary"], "step": self.kept["step"],
                    "seen": self.kept["seen"], "spent_s": self.kept["spent_s"]}, self.args.out)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="checkpoint with the fitted heads, for `export`")
    parser.add_argument("--weights", default="average", choices=("average", "student"))
    parser.add_argument("--side", type=int, default=112)
    parser.add_argument("--views", type=int, default=2)
    parser.add_argument("--limit", type=int, default=3000, help="pictures of a source with labels, about")
    parser.add_argument("--steps", type=int, default=800)
    parser.add_argument("--batch", type=int, default=512)
    parser.add_argument("--rate", type=float, default=5e-4)
    parser.add_argument("--dropout", type=float, default=0.1)
    parser.add_argument("--stay", type=float, default=0.0, help="weight of the squared distance to the trained heads")
    parser.add_argument("--w-shop", type=float, default=0.3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    torch.set_num_threads(args.threads)
    refit = Refit(args)
    refit.fit()
    refit.save()


if __name__ == "__main__":
    main()
