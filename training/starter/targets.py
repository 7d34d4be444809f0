"""What the student is shown and what the teachers say about it: views, teacher features and joint vectors.

Knows the caches of `prepare` and the heads; knows nothing of the student or of how batches are drawn.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as fn

from training.starter.heads import Head, picture_features
from training.starter.towers import DIM, MEAN, STD


@dataclass(frozen=True, slots=True)
class Shown:
    """A batch of b pictures as the student is shown them, with what the teachers say; drawn pictures have zeros."""

    pixels: Tensor  # (b, 3, S, S)
    features: Tensor  # (b, 1024) of the picture teacher
    joint: Tensor  # (b, DIM) where the heads put it
    joined: np.ndarray  # (b,) bool: a piece of another picture is in it, so no sentence is true of it
    mapped: np.ndarray  # (m,) the rows that `maps` tells of
    maps: Tensor | None  # (m, 1024, 7, 7) the teacher's last map


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

    def show(self, rows: np.ndarray, side: int, share: float, rng: np.random.Generator) -> Shown:
        """One view of each picture, jittered; a `share` of those with a map get a piece of another picture."""
        view = rng.integers(len(self.pixels), size=len(rows))
        pixels = np.stack([self.picture(row, at) for row, at in zip(rows, view, strict=True)])
        shown, flipped = jitter(to_input(pixels, side))
        raw, joint = np.zeros((len(rows), 1024), np.float32), torch.zeros(len(rows), DIM)
        for at in np.flatnonzero(rows < self.taught):
            raw[at], joint[at] = self.features[view[at]][rows[at]], self.joint[view[at]][rows[at]]
        joined = np.zeros(len(rows), bool)
        mapped = np.flatnonzero((rows < self.taught) & (view < len(self.maps)))
        if not len(mapped):
            return Shown(shown, picture_features(raw), joint, joined, mapped, None)
        maps = np.stack([self.map_of(rows[at], view[at], bool(flipped[at])) for at in mapped])
        several = np.sort(rng.permutation(len(mapped))[: round(share * len(mapped))])
        cut_and_paste(shown, maps, mapped, several, rng)
        joined[mapped[several]] = True
        if len(several):
            raw[joined] = maps[several].mean((1, 2), dtype=np.float32)
            with torch.no_grad():
                joint[joined] = self.image_head(picture_features(raw[joined])).float()
        seen = torch.from_numpy(maps).float().sqrt().permute(0, 3, 1, 2)
        return Shown(shown, picture_features(raw), joint, joined, mapped, seen)

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


def cut_and_paste(
    shown: Tensor, maps: np.ndarray, mapped: np.ndarray, several: np.ndarray, rng: np.random.Generator
) -> None:
    """Put a piece of another picture into some, in place, and the teacher's view of that piece into their maps.

    The mean of a joined map is, near enough, what the teacher would say of the joined picture: so it is known of far
    more pictures than there are. `mapped` are the rows of `shown` (b, 3, S, S) that `maps` (m, 7, 7, 1024) tells of,
    `several` the ones among these m to be changed.
    """
    side, cells = shown.shape[-1], maps.shape[1]
    pixels, whole = shown.clone(), maps.copy()
    for place in several:
        other = int(rng.integers(len(mapped)))
        height, width = rng.integers(2, cells - 1, size=2)
        top, left = int(rng.integers(cells - height + 1)), int(rng.integers(cells - width + 1))
        maps[place, top : top + height, left : left + width] = whole[other, top : top + height, left : left + width]
        y0, y1, x0, x1 = (round(at * side / cells) for at in (top, top + height, left, left + width))
        shown[mapped[place], :, y0:y1, x0:x1] = pixels[mapped[other], :, y0:y1, x0:x1]


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
