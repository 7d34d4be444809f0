"""What the student is shown and what the teachers say about it: views, teacher features and joint vectors.

Knows the caches of `prepare` and the heads; knows nothing of the student or of how batches are drawn.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as fn

from training.starter.heads import Head, picture_features
from training.starter.towers import MEAN, STD


class Targets:
    """What the teachers say: features and joint vectors of every view, joint vectors of every text."""

    def __init__(self, work: Path, view_count: int) -> None:
        kept = torch.load(work / "heads.pt")
        image_head, text_head = Head(1024, 0.0).eval(), Head(384, 0.0).eval()
        image_head.load_state_dict(kept["image"])
        text_head.load_state_dict(kept["text"])
        self.work, self.image_head = work, image_head
        self.pixels: list[np.ndarray] = []
        self.features: list[np.ndarray] = []
        self.joint: list[Tensor] = []
        self.maps: list[np.ndarray] = []  # of the first views: the teacher's last map (n, 7, 7, 1024)
        self.sentences = np.load(work / "text_teacher.npy")  # (m, 384) float16
        with torch.inference_mode():
            parts = [text_head(torch.from_numpy(self.sentences[i : i + 4096]).float() * 20)
                     for i in range(0, len(self.sentences), 4096)]  # fmt: skip
        self.joint_text = torch.cat(parts).clone()  # (m, DIM)
        self.grow(view_count)
        drawn = work / "rendered_views.npy"
        self.drawn = np.load(drawn, mmap_mode="r") if drawn.exists() else None  # (k, 2, S, S, 3)
        self.taught = len(self.features[0])  # pictures from here on are drawn ones: the picture teacher is not asked

    def picture(self, row: int, view: int) -> np.ndarray:
        """Return one view (S, S, 3) of a picture of any source."""
        if row < self.taught:
            return self.pixels[view][row]
        assert self.drawn is not None
        return self.drawn[row - self.taught, view % self.drawn.shape[1]]

    def grow(self, limit: int) -> None:
        """Take up views that have been prepared since."""
        while len(self.pixels) < limit and (self.work / f"view_{len(self.pixels)}.done").exists():
            view = len(self.pixels)
            features = np.load(self.work / f"teacher_{view}.npy")
            with torch.inference_mode():
                starts = range(0, len(features), 4096)
                parts = [self.image_head(picture_features(features[i : i + 4096])) for i in starts]
            self.joint.append(torch.cat(parts).clone())  # (n, DIM)
            self.features.append(features)
            self.pixels.append(np.load(self.work / f"views_{view}.npy", mmap_mode="r"))
            if (self.work / f"maps_{view}.done").exists():
                self.maps.append(np.load(self.work / f"maps_{view}.npy", mmap_mode="r"))

    def map_of(self, row: int, view: int, flipped: bool) -> np.ndarray:
        """Return the teacher's last map (7, 7, 1024) of one view of a taught picture, turned as the picture was."""
        seen = self.maps[view][row]
        return seen[:, ::-1] if flipped else seen


def to_input(pixels: np.ndarray, side: int | None = None) -> Tensor:
    """Return normalised network input (b, 3, S, S) of uint8 pictures (b, S, S, 3)."""
    x = torch.from_numpy(np.ascontiguousarray(pixels)).permute(0, 3, 1, 2).float().div_(255)
    if side is not None and side != x.shape[-1]:
        x = fn.interpolate(x, size=(side, side), mode="bilinear", antialias=True, align_corners=False)
    return (x - torch.tensor(MEAN).view(1, 3, 1, 1)) / torch.tensor(STD).view(1, 3, 1, 1)


def side_at(sides: str, progress: float) -> int:
    """Return the picture side at a share of the run, from "80:0.45,96:0.8,112:1": small pictures first."""
    for part in sides.split(","):
        side, until = part.split(":")
        if progress < float(until):
            return int(side)
    return int(sides.rsplit(",", maxsplit=1)[-1].split(":", maxsplit=1)[0])


def jitter(x: Tensor) -> tuple[Tensor, Tensor]:
    """Flip half of the pictures and change light, contrast and saturation a little: colour words must stay true.

    Returns the pictures and which of them were flipped (b,).
    """
    b = len(x)
    flip = torch.rand(b) < 0.5
    x[flip] = x[flip].flip(-1)
    light = torch.empty(b, 1, 1, 1).uniform_(-0.25, 0.25)
    contrast = torch.empty(b, 1, 1, 1).uniform_(0.8, 1.2)
    colour = torch.empty(b, 1, 1, 1).uniform_(0.8, 1.2)
    grey = x.mean(1, keepdim=True)
    x = grey + (x - grey) * colour
    return (x * contrast + light).contiguous(memory_format=torch.channels_last), flip
