"""How an encoder places words and pictures: the gap between the two, and how true pairs differ from mismatched ones.

Knows an index by its public calls; nothing of rankings. Pictures are those the index keeps (at most 320 px).
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sightline import decoding
from sightline.engine import Sightline
from sightline.evaluation.cases import Case
from sightline.types import Item, Vectors

MOST = 1000  # pairs
FEWEST = 10  # of which a mean says something
AT_A_TIME = 64  # pictures decoded
BINS, MANY = 20, 300  # of the histograms; twice as many for so many pairs


@dataclass(frozen=True, slots=True)
class Likeness:
    """Cosines of texts and pictures that belong together and of those that do not.

    The modality gap is the distance of the two centroids (Liang et al., NeurIPS 2022): 0 when words and pictures lie
    together, up to 2. Alignment is the mean cosine of true pairs less that of mismatched ones.
    """

    pairs: int
    gap: float
    true: float  # mean cosine
    mismatched: float  # mean cosine
    edges: tuple[float, ...]  # of the histograms' bins
    true_share: tuple[float, ...]  # of the pairs, by bin
    mismatched_share: tuple[float, ...]

    @property
    def alignment(self) -> float:
        return self.true - self.mismatched


def likeness(index: Sightline, cases: Sequence[Case], items: Mapping[str, Item], *, seed: int) -> Likeness | None:
    """Measure it on at most MOST pairs of a text query and the first picture it should find, one an item.

    None where there are fewer than FEWEST, or no mismatched ones, or the encoder does not embed both.
    """
    if index.encoder.space.modalities != {"image", "text"}:
        return None
    asked = [case for case in cases if case.direction == "text → image"]
    asked = asked or [case for case in cases if case.direction == "text → item"]
    random.Random(seed).shuffle(asked)
    pairs: dict[str, tuple[Case, str]] = {}  # item -> a query for it, and its first picture
    for case in asked:
        best = max(case.relevant, key=lambda item: case.relevant[item])
        shown = [part.id for part in items[best].parts if part.modality == "image"] if best in items else []
        if shown and len(pairs) < MOST:
            pairs.setdefault(best, (case, shown[0]))
    if len(pairs) < FEWEST:
        return None
    texts = index.encoder.encode_queries([(case.text,) for case, _ in pairs.values()])  # (n, dim)
    pictures = _embedded(index, [part for _, part in pairs.values()])  # (n, dim)
    right = np.array([[item in case.relevant for item in pairs] for case, _ in pairs.values()])  # (n, n)
    return None if right.all() else _measured(texts, pictures, right)


def _embedded(index: Sightline, parts: Sequence[str]) -> Vectors:
    rows = []
    for at in range(0, len(parts), AT_A_TIME):
        pixels = [decoding.decode(index.picture(part), source=part) for part in parts[at : at + AT_A_TIME]]
        rows.append(index.encoder.encode_documents([(one,) for one in pixels]))
    return np.concatenate(rows)


def _measured(texts: Vectors, pictures: Vectors, right: NDArray[np.bool_]) -> Likeness:
    cosines = np.einsum("nd,md->nm", texts, pictures).astype(np.float64)  # (n, dim), (n, dim) -> (n, n)
    true, mismatched = np.diag(cosines), cosines[~right]
    gap = float(np.linalg.norm(texts.mean(axis=0, dtype=np.float64) - pictures.mean(axis=0, dtype=np.float64)))
    low, high = np.floor(cosines.min() * 20) / 20, np.ceil(cosines.max() * 20) / 20
    edges = np.linspace(low, max(high, low + 0.05), BINS * (1 + (len(texts) >= MANY)) + 1)
    true_share, mismatched_share = (np.histogram(values, edges)[0] / len(values) for values in (true, mismatched))
    return Likeness(
        len(texts),
        gap,
        float(true.mean()),
        float(mismatched.mean()),
        tuple(edges.tolist()),
        tuple(true_share.tolist()),
        tuple(mismatched_share.tolist()),
    )
