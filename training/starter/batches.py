"""Draws training batches: which picture, which of its views, which true sentence, and which pairs are no negatives.

Knows the caches that `prepare` wrote; knows nothing of the networks.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

SHARES = {  # of a batch, before division by what is there
    "flickr8k": 0.36, "grocery": 0.09, "grocery_iconic": 0.02, "clothing": 0.10, "fashion": 0.12,
    "caltech101": 0.11, "imagenette": 0.05, "pacs_photo": 0.03, "rendered": 0.15,
}  # fmt: skip
MAX_FACTS, MAX_NEEDS = 48, 4


@dataclass(frozen=True)
class Caches:
    """The caches of one work folder; n pictures, m texts, v views ready."""

    sources: np.ndarray  # (n,) source names
    train: np.ndarray  # (n,) bool
    facts: np.ndarray  # (n, MAX_FACTS) int32, padded with -1
    needs: np.ndarray  # (m, MAX_NEEDS) int32, padded with -2 (needs nothing more); practice texts need fact -3
    texts_of: list[np.ndarray]  # per picture: text indices
    weights_of: list[np.ndarray]  # per picture: their probabilities
    tokens: np.ndarray  # (m, CONTEXT) int16
    known: int  # texts below this index belong to pictures
    fact_ids: dict[str, int]


def load(work: Path) -> Caches:
    """Read pictures, facts, sentences and tokens of a work folder into arrays."""
    pictures = json.loads((work / "pictures.json").read_text())
    links = json.loads((work / "links.json").read_text())
    fact_id: dict[str, int] = {}
    facts = np.full((len(pictures), MAX_FACTS), -1, np.int32)
    for row, own in enumerate(links["facts"]):
        ids = [fact_id.setdefault(fact, len(fact_id)) for fact in own][:MAX_FACTS]
        facts[row, : len(ids)] = ids
    tokens = np.load(work / "tokens.npy")
    needs = np.full((len(tokens), MAX_NEEDS), -2, np.int32)
    needs[links["known"] :, 0] = -3
    for row, wanted in enumerate(links["needs"]):
        ids = [fact_id.setdefault(fact, len(fact_id)) for fact in wanted]
        needs[row, : len(ids)] = ids
    for row, wanted in links.get("more_needs", []):  # texts that later sources gave a meaning
        ids = [fact_id.setdefault(fact, len(fact_id)) for fact in wanted]
        needs[row] = -2
        needs[row, : len(ids)] = ids
    texts_of, weights_of = [], []
    for pairs in links["linked"]:
        texts_of.append(np.array([index for index, _ in pairs], np.int64))
        weight = np.array([w for _, w in pairs], np.float64)
        weights_of.append(weight / weight.sum() if len(pairs) else weight)
    return Caches(
        sources=np.array([p["source"] for p in pictures]),
        train=np.array([p["split"] == "train" for p in pictures]),
        facts=facts, needs=needs, texts_of=texts_of, weights_of=weights_of, tokens=tokens, known=links["known"],
        fact_ids=fact_id,
    )  # fmt: skip


def true_pairs(facts: np.ndarray, needs: np.ndarray) -> np.ndarray:
    """Return (b, t) bool: whether all of a text's needs (t, MAX_NEEDS) are among a picture's facts (b, MAX_FACTS)."""
    out = np.ones((len(facts), len(needs)), bool)
    for k in range(needs.shape[1]):
        need = needs[:, k]  # (t,)
        if (need == -2).all():
            continue
        have = np.zeros_like(out)
        for column in facts.T:  # (b,)
            have |= column[:, None] == need[None, :]
        out &= have | (need == -2)[None, :]
    return out


class Sampler:
    """Draws pictures by source share, each with one true sentence (or -1 where none is stated)."""

    def __init__(self, caches: Caches, seed: int, *, leave: frozenset[str] = frozenset()) -> None:
        self.caches = caches
        self.rng = np.random.default_rng(seed)
        self.pools = {s: np.flatnonzero((caches.sources == s) & caches.train) for s in SHARES if s not in leave}
        self.pools = {s: pool for s, pool in self.pools.items() if len(pool)}
        share = np.array([SHARES[s] for s in self.pools])
        self.share = share / share.sum()
        self.left: dict[str, np.ndarray] = {s: np.empty(0, np.int64) for s in self.pools}
        practice = np.arange(caches.known, len(caches.tokens))
        length = (caches.tokens[practice] != 0).sum(1)
        self.by_length = practice[np.argsort(length, kind="stable")]

    def pictures(self, count: int) -> np.ndarray:
        """Return `count` picture indices; within a source every picture comes once before any comes again."""
        wanted = self.rng.multinomial(count, self.share)
        out = []
        for (source, pool), number in zip(self.pools.items(), wanted, strict=True):
            while len(self.left[source]) < number:
                self.left[source] = np.concatenate([self.left[source], self.rng.permutation(pool)])
            out.append(self.left[source][:number])
            self.left[source] = self.left[source][number:]
        return self.rng.permutation(np.concatenate(out))

    def sentences(self, pictures: np.ndarray) -> np.ndarray:
        """Return one true sentence index per picture, -1 where it has none."""
        texts, weights = self.caches.texts_of, self.caches.weights_of
        return np.array([self.rng.choice(texts[i], p=weights[i]) if len(texts[i]) else -1 for i in pictures])

    def practice(self, count: int) -> np.ndarray:
        """Return practice texts of about one length, so that little of the batch is padding."""
        start = self.rng.integers(0, max(1, len(self.by_length) - 4 * count))
        return self.rng.choice(self.by_length[start : start + 4 * count], count, replace=False)
