"""The eye: the starter's picture tower, before its last stage, as a stock residual network of `transformers`.

Knows both networks' shapes. All blocks are the same and are copied; only the first convolution differs in form, so it
is fitted anew until the stock network sees what the tower sees. Knows nothing of texts.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as fn

from sightline.encoders.torchvision_repair import repair
from training.starter.targets import jitter, to_input
from training.starter.towers import Block, ImageTower

SIDE, CELL = 112, 16  # px of a picture and of one place of its map: 7 x 7 places
WIDTH = 256  # numbers a place


def stock(widths: tuple[int, ...] = (64, 128, 256), depths: tuple[int, ...] = (1, 2, 4)) -> Any:
    """A new `ResNetModel`: pixels (n, 3, S, S) to `last_hidden_state` (n, widths[-1], S/16, S/16)."""
    repair()
    from transformers import ResNetConfig, ResNetModel

    config = ResNetConfig(
        embedding_size=widths[0], hidden_sizes=list(widths), depths=list(depths), layer_type="basic", hidden_act="relu"
    )
    return ResNetModel(config)


def copy_blocks(tower: ImageTower, eye: Any) -> None:
    """Give the eye the tower's blocks up to its last stage, number for number."""
    layers = [layer for stage in eye.encoder.stages for layer in stage.layers]
    blocks = list(tower.blocks)[: len(layers)]
    for block, layer in zip(blocks, layers, strict=True):
        assert isinstance(block, Block)
        pairs = [(block.conv1, block.bn1, layer.layer[0]), (block.conv2, block.bn2, layer.layer[1])]
        if isinstance(block.shortcut, nn.Sequential):
            pairs.append((block.shortcut[0], block.shortcut[1], layer.shortcut))
        for conv, norm, target in pairs:
            target.convolution.load_state_dict(conv.state_dict())
            target.normalization.load_state_dict(norm.state_dict())


def starter_tower(checkpoint: Path) -> ImageTower:
    """The picture tower of a checkpoint of the starter encoder."""
    weights = torch.load(checkpoint)["average"]
    tower = ImageTower().eval()
    tower.load_state_dict({name[6:]: value for name, value in weights.items() if name.startswith("image.")})
    return tower.to(memory_format=torch.channels_last)


def seen_map(eye: Any, x: Tensor) -> Tensor:
    """The eye's last map (n, WIDTH, S/16, S/16) of pixels (n, 3, S, S)."""
    state: Tensor = eye.encoder(eye.embedder(x)).last_hidden_state
    return state


class Pixels:
    """Training pictures of the starter's caches and of the drawn swaps, (S, S, 3) uint8, by row."""

    def __init__(self, starter: Path, work: Path, views: int = 4) -> None:
        paths = [starter / f"views_{view}.npy" for view in range(views)]
        self.views = [np.load(path, mmap_mode="r") for path in paths if path.exists()]
        self.drawn = np.load(starter / "rendered_views.npy", mmap_mode="r")
        swaps = work / "swaps.npy"
        self.swaps = np.load(swaps, mmap_mode="r") if swaps.exists() else self.drawn[:0, 0]
        self.first = (len(self.views[0]), len(self.views[0]) + len(self.drawn))

    def __len__(self) -> int:
        return self.first[1] + len(self.swaps)

    def of(self, row: int, view: int) -> np.ndarray:
        if row < self.first[0]:
            return self.views[view % len(self.views)][row]
        if row < self.first[1]:
            return self.drawn[row - self.first[0], view % self.drawn.shape[1]]
        return self.swaps[row - self.first[1]]


def fit_stem(tower: ImageTower, pixels: Pixels, rows: np.ndarray, args: argparse.Namespace) -> Any:
    """An eye with the tower's blocks whose maps follow the tower's on `rows`; the blocks may move a little."""
    batch, most = 48, 4000
    eye = stock()
    copy_blocks(tower, eye)
    eye = eye.to(memory_format=torch.channels_last)
    stem = list(eye.embedder.parameters())
    ids = {id(p) for p in stem}
    rest = [p for p in eye.parameters() if id(p) not in ids]
    optimiser = torch.optim.AdamW([{"params": stem}, {"params": rest}], weight_decay=0.0)
    rng = np.random.default_rng(args.seed)
    began, average = time.time(), None
    for step in range(most):
        done = max(step / most, (time.time() - began) / 60 / args.eye_minutes)
        if done >= 1:
            break
        warm = min(1.0, step / 30) * 0.5 * (1 + np.cos(np.pi * done))
        optimiser.param_groups[0]["lr"], optimiser.param_groups[1]["lr"] = 4e-3 * warm, 2e-4 * warm
        eye.eval()
        eye.embedder.train()
        some = rng.choice(rows, batch)
        x, _ = jitter(to_input(np.stack([pixels.of(int(i), int(rng.integers(4))) for i in some]), SIDE))
        with torch.autocast("cpu", torch.bfloat16):
            with torch.no_grad():
                wanted = tower.maps(x)[0].float()
            seen = seen_map(eye, x).float()
        loss = fn.mse_loss(seen, wanted) / wanted.var()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        average = loss.item() if average is None else 0.95 * average + 0.05 * loss.item()
        if step % 50 == 49:
            print(f"stem {step + 1} {time.time() - began:.0f}s unexplained {average:.3f}", flush=True)
    return eye.eval()
