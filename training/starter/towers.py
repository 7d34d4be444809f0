"""The two towers of the starter encoder: a plain residual picture network and a small text transformer.

Knows shapes only: no files, no losses, no tokenizer. Both towers end in unit rows of the same width.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as fn

DIM = 256
MEAN = (0.5, 0.5, 0.5)
STD = (0.25, 0.25, 0.25)


class Block(nn.Module):
    """Two 3x3 convolutions and a shortcut; dense convolutions are what a CPU trains fastest."""

    def __init__(self, width_in: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width_in, width, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or width_in != width:
            self.shortcut = nn.Sequential(nn.Conv2d(width_in, width, 1, stride, bias=False), nn.BatchNorm2d(width))

    def forward(self, x: Tensor) -> Tensor:
        y = fn.relu(self.bn1(self.conv1(x)))
        return fn.relu(self.bn2(self.conv2(y)) + self.shortcut(x))


class ImageTower(nn.Module):
    """Pixels (n, 3, S, S), S a multiple of 4, to features (n, 1024) and unit vectors (n, DIM)."""

    def __init__(
        self,
        widths: tuple[int, ...] = (64, 128, 256, 384),
        depths: tuple[int, ...] = (1, 2, 4, 2),
        features: int = 1024,
    ) -> None:
        super().__init__()
        self.stem = nn.Conv2d(48, widths[0], 3, 1, 1, bias=False)
        self.stem_bn = nn.BatchNorm2d(widths[0])
        blocks: list[nn.Module] = []
        before = widths[0]
        for stage, (width, depth) in enumerate(zip(widths, depths, strict=True)):
            for position in range(depth):
                blocks.append(Block(before, width, 2 if stage and not position else 1))
                before = width
        self.blocks = nn.Sequential(*blocks)
        self.early = sum(depths[:-1])  # blocks before the last stage
        self.widen = nn.Conv2d(before, features, 1, bias=False)
        self.widen_bn = nn.BatchNorm2d(features)
        self.head = nn.Linear(features, DIM)

    def maps(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return what is seen before the last stage (n, 256, S/16, S/16) and at the end (n, 1024, S/32, S/32)."""
        x = fn.pixel_unshuffle(x, 4).contiguous(memory_format=torch.channels_last)  # (n, 48, S/4, S/4)
        early = self.blocks[: self.early](fn.relu(self.stem_bn(self.stem(x))))
        late = self.blocks[self.early :](early)  # (n, 384, S/32, S/32)
        return early, fn.relu(self.widen_bn(self.widen(late)))

    def features(self, x: Tensor) -> Tensor:
        return self.maps(x)[1].float().mean((2, 3))  # (n, 1024)

    def forward(self, x: Tensor) -> Tensor:
        return fn.normalize(self.head(self.features(x)), dim=-1)


class Layer(nn.Module):
    """One pre-norm transformer layer; padding is masked, so a row does not feel its neighbours' length."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        n, length, width = x.shape
        q, k, v = self.qkv(self.norm1(x)).reshape(n, length, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        scores = q @ k.transpose(-1, -2) * (width // self.heads) ** -0.5 + bias  # (n, h, l, l) + (n, 1, 1, l)
        mixed = (scores.float().softmax(-1).to(v.dtype) @ v).transpose(1, 2).reshape(n, length, width)
        x = x + self.out(mixed)
        return x + self.down(fn.gelu(self.up(self.norm2(x))))


class TextTower(nn.Module):
    """Token ids (n, l), 0 is padding, to features (n, width) and unit vectors (n, DIM)."""

    def __init__(self, vocabulary: int, context: int, width: int = 256, depth: int = 4, heads: int = 4) -> None:
        super().__init__()
        self.embed = nn.Embedding(vocabulary, width)
        self.place = nn.Parameter(torch.randn(context, width) * 0.01)
        self.layers = nn.ModuleList(Layer(width, heads) for _ in range(depth))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, DIM)
        nn.init.normal_(self.embed.weight, std=0.02)
        for name, parameter in self.named_parameters():
            if name.endswith(("out.weight", "down.weight")):
                nn.init.normal_(parameter, std=0.02 / (2 * depth) ** 0.5)

    def features(self, tokens: Tensor) -> Tensor:
        real = tokens != 0  # (n, l)
        bias = torch.where(real, 0.0, -1e9)[:, None, None, :]
        x = self.embed(tokens) + self.place[: tokens.shape[1]]
        for layer in self.layers:
            x = layer(x, bias)
        weight = real[..., None].float()
        return (self.norm(x).float() * weight).sum(1) / weight.sum(1).clamp(min=1.0)

    def forward(self, tokens: Tensor) -> Tensor:
        return fn.normalize(self.head(self.features(tokens)), dim=-1)
