"""The losses both training steps share, and recall, the measure they report on the way.

Knows vectors and which pairs are true; knows nothing of pictures, texts or networks.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as fn


def masked_loss(logits: Tensor, true: Tensor) -> Tensor:
    """Return the two-way softmax loss of a square of pairs, other true pairs neither pulled nor pushed."""
    own = torch.eye(len(logits), dtype=torch.bool)
    logits = logits.masked_fill(true & ~own, -1e4)
    target = torch.arange(len(logits))
    return (fn.cross_entropy(logits, target) + fn.cross_entropy(logits.T, target)) / 2


def recall(queries: Tensor, keys: Tensor, wanted: Tensor, ks: tuple[int, ...] = (1, 5, 10)) -> list[float]:
    """Return the share of queries with a wanted key, by (q, n) bool `wanted`, among the first k, in percent.

    Empty where there is nothing to ask, as in a training without the dev photos.
    """
    if not len(queries):
        return []
    order = (queries @ keys.T).topk(min(max(ks), len(keys))).indices  # (q, max k)
    found = wanted.gather(1, order)
    return [round(100 * found[:, :k].any(1).float().mean().item(), 1) for k in ks]


def mimic(student: Tensor, teacher: Tensor) -> Tensor:
    """Return 1 - cosine + 0.1 x squared error, the teacher at rms 1."""
    width = teacher.shape[-1] ** 0.5
    teacher = fn.normalize(teacher, dim=-1) * width
    return (1 - fn.cosine_similarity(student, teacher)).mean() + 0.1 * fn.mse_loss(student, teacher)


def mimic_map(student: Tensor, teacher: Tensor) -> Tensor:
    """Return `mimic` place by place: student map (b, c, h, w) of any size against the teacher's (b, c, 7, 7)."""
    side = teacher.shape[-1]
    if student.shape[-1] > side - 2:
        student = fn.interpolate(student.float(), size=(side, side), mode="bilinear", align_corners=False)
    else:
        teacher = fn.adaptive_avg_pool2d(teacher, student.shape[-1])
    width = student.shape[1]
    return mimic(student.float().permute(0, 2, 3, 1).reshape(-1, width), teacher.permute(0, 2, 3, 1).reshape(-1, width))


def bank_loss(queries: Tensor, own: Tensor, bank: Tensor, true: Tensor, scale: Tensor) -> Tensor:
    """Return the softmax loss of each query for its own vector against a bank; bank rows true of it do not count."""
    against = (scale * queries @ bank.T).masked_fill(true, -1e4)  # (b, k)
    logits = torch.cat([scale * (queries * own).sum(-1, keepdim=True), against], 1)  # (b, 1 + k)
    return fn.cross_entropy(logits, torch.zeros(len(queries), dtype=torch.long))
