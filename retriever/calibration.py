"""From evidence to probability: whether anything here answers a text, and whether a hit does.

Knows numbers only. A logistic regression per sight (what a collection can be judged by: pictures, texts, words); its
coefficients start from what was learned on judged collections and are fitted on queries made from the collection's own
items. Cosines enter as standard deviations above those of unrelated pairs, so that no encoder's scale is built in.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from importlib import resources
from typing import Any, Literal, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from retriever.evidence import Evidence
from retriever.words import is_name
from sightline.errors import InputError
from sightline.types import Modality

Manner: TypeAlias = Literal["name", "description"]  # how a text is put
Described: TypeAlias = Literal["all", "some", "none"]
# Below this, nothing matches. Who says what a thing is called can be told that it is not there; who describes it may
# use words that nobody here does. Chosen with `benchmarks/relevance.py`: it costs no collection more than 2 points.
LEAST: Mapping[Manner, float] = {"name": 0.3, "description": 0.1}
KINDS: tuple[Modality, ...] = ("image", "text")
FAR = 3.0  # standard deviations: how far behind the best an item is taken to be that was not found at all
_VERSION = 2
_UNTOLD = (0.0, 1.0)  # the background of a kind of which there are too few pairs
_FULL = 0.999
_STEPS = 50


@dataclass(frozen=True, slots=True)
class Prior:
    """A normal distribution of coefficients: `mean` (n,) and `precision` (n, n)."""

    mean: NDArray[np.float64]
    precision: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Reason:
    """One feature of a probability, its value, and what it added to the log-odds."""

    name: str
    value: float
    added: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """What one collection's evidence means. Made by `fit`; kept as JSON."""

    key: str  # of the encoder and adapter whose cosines it reads
    background: Mapping[Modality, tuple[float, float]]  # mean and standard deviation of unrelated pairs' cosines
    weights: Mapping[str, tuple[float, ...]]  # sight -> coefficients of `features`
    gaps: Mapping[str, tuple[float, ...]]  # sight -> coefficients of `gap_features`
    described: Described = "all"  # which items words say something of
    least: Mapping[Manner, float] = field(default_factory=lambda: dict(LEAST))
    items: int = 0  # when it was made
    queries: int = 0  # it was made from
    told: Mapping[str, Any] = field(default_factory=dict)  # what was measured when it was made

    def answered(self, evidence: Evidence) -> float | None:
        """0-1: the probability that something here answers; None where it cannot be told by what was looked at."""
        evidence = self._as_seen(evidence)
        weights = self.weights.get(sight_of(evidence))
        return None if weights is None else _sigmoid(float(np.dot(features(evidence, self.background), weights)))

    def bar(self, text: str) -> float:
        """What `answered` must reach for a text, else nothing matches."""
        return self.least[manner(text)]

    def relevance(self, evidence: Evidence, ids: Sequence[str]) -> list[float]:
        """0-1 for each of ranked items, from the first on: the probability that it answers."""
        evidence = self._as_seen(evidence)
        answered, weights = self.answered(evidence), self.gaps.get(sight_of(evidence))
        if answered is None or weights is None:
            raise InputError(f"nothing is known of {sight_of(evidence) or 'nothing'}")
        rows = (gap_features(evidence, self.background, answered, item, rank) for rank, item in enumerate(ids, start=1))
        return [_sigmoid(float(np.dot(row, weights))) for row in rows]

    def reasons(self, evidence: Evidence) -> list[Reason]:
        """What adds up to the log-odds of `answered`; nothing where it cannot be told."""
        evidence = self._as_seen(evidence)
        return _reasons(_features(evidence, self.background), self.weights.get(sight_of(evidence)))

    def reasons_of(self, evidence: Evidence, item: str, rank: int) -> list[Reason]:
        """What adds up to the log-odds of the `relevance` of the item at a rank, from 1."""
        evidence = self._as_seen(evidence)
        answered, weights = self.answered(evidence), self.gaps.get(sight_of(evidence))
        return _reasons(_gap_features(evidence, self.background, answered or 0.0, item, rank), weights)

    def _as_seen(self, evidence: Evidence) -> Evidence:
        """What counts: silence says nothing of pictures that nobody describes.

        Where only some are described, either the pictures answer or the texts do. Nothing can be told once there are
        parts of a kind that were not there when this was made.
        """
        known = {kind: found for kind, found in evidence.cosines.items() if found}
        if not known.keys() <= self.background.keys():
            return Evidence()
        seen = replace(evidence, cosines=known)
        if self.described == "all":
            return seen
        pictures = Evidence({"image": known["image"]} if "image" in known else {})
        texts = replace(seen, cosines={kind: found for kind, found in known.items() if kind != "image"})
        views = [view for view in (pictures, texts)[: 1 if self.described == "none" else 2] if view.cosines]
        return max(views, key=self._odds, default=Evidence())

    def _odds(self, evidence: Evidence) -> float:
        weights = self.weights.get(sight_of(evidence))
        return -math.inf if weights is None else float(np.dot(features(evidence, self.background), weights))

    def facts(self) -> dict[str, Any]:
        """What a person is told of it."""
        return {"items": self.items, "queries": self.queries, "least": dict(self.least), **self.told}

    def to_json(self) -> str:
        return json.dumps(
            {
                "version": _VERSION, "key": self.key, "background": self.background, "weights": self.weights,
                "gaps": self.gaps, "described": self.described, "least": dict(self.least), "items": self.items,
                "queries": self.queries, "told": self.told,
            }
        )  # fmt: skip

    @classmethod
    def from_json(cls, text: str) -> Self | None:
        """None for one that another version wrote."""
        data = json.loads(text)
        if data.pop("version", None) != _VERSION:
            return None
        return cls(
            **data
            | {"background": {kind: (mean, spread) for kind, (mean, spread) in data["background"].items()}}
            | {name: {sight: tuple(row) for sight, row in data[name].items()} for name in ("weights", "gaps")}
        )


def _reasons(row: Mapping[str, float], weights: Sequence[float] | None) -> list[Reason]:
    if weights is None:
        return []
    return [Reason(name, value, value * weight) for (name, value), weight in zip(row.items(), weights, strict=True)]


def manner(text: str) -> Manner:
    return "name" if is_name(text) else "description"


def sight_of(evidence: Evidence) -> str:
    """What there is to judge by: "image", "text words", …"""
    seen = [kind for kind in KINDS if evidence.cosines.get(kind)]
    return " ".join([*seen, *(["words"] if evidence.covers is not None else [])])


def features(evidence: Evidence, background: Mapping[Modality, tuple[float, float]]) -> NDArray[np.float64]:
    """(n,) for a logistic regression, n by the sight: the best cosine of each kind, shares of the words, products."""
    return np.asarray(list(_features(evidence, background).values()))


def _features(evidence: Evidence, background: Mapping[Modality, tuple[float, float]]) -> dict[str, float]:
    above = {kind: _above(best, kind, background) for kind in KINDS if (best := evidence.best(kind)) is not None}
    row = {"always": 1.0, **{f"best {kind}": above[kind] for kind in above}}
    if evidence.covers is not None:
        named = evidence.named
        row |= {"words said": evidence.cover, "words known here": evidence.known, "words in a title or field": named}
        row |= {"words in a title or field, squared": named**2, "all words in a title or field": float(named > _FULL)}
        if "text" in above:
            row |= {"best text x named": named * above["text"], "best text x known": evidence.known * above["text"]}
        if "image" in above:
            row |= {"best image x not named": (1 - named) * above["image"]}
    return row


def gap_features(
    evidence: Evidence, background: Mapping[Modality, tuple[float, float]], answered: float, item: str, rank: int
) -> NDArray[np.float64]:
    """(n,) for the hit at a rank: the odds that anything answers, and how far it is behind the best."""
    return np.asarray(list(_gap_features(evidence, background, answered, item, rank).values()))


def _gap_features(
    evidence: Evidence, background: Mapping[Modality, tuple[float, float]], answered: float, item: str, rank: int
) -> dict[str, float]:
    behind: dict[Modality, float] = {}
    for kind in KINDS:
        found = evidence.cosines.get(kind)
        if found and item in found:
            behind[kind] = (max(found.values()) - found[item]) / background.get(kind, _UNTOLD)[1]
    elsewhere = min(behind.values(), default=FAR)  # an item without a picture is not behind for that
    row = {"always": 1.0, "something here answers": _logit(answered)}
    row |= {f"behind the best {kind}": behind.get(kind, elsewhere) for kind in KINDS if evidence.cosines.get(kind)}
    if evidence.covers is not None:
        row |= {
            "words less than the most": evidence.cover - evidence.covers.get(item, 0.0),
            "words in a title or field less": evidence.named - evidence.names.get(item, 0.0),
        }
    return {**row, "rank": math.log(rank)}


def fit(
    rows: Sequence[NDArray[np.float64]],
    right: Sequence[bool],
    shares: Sequence[float],
    prior: Prior,
) -> tuple[float, ...]:
    """The coefficients of highest posterior probability: (m, n) rows, m answers, m weights; by Newton's method.

    Raises InputError for rows that are not of the prior's width.
    """
    x = np.asarray(rows, float).reshape(len(rows), -1) if len(rows) else np.zeros((0, len(prior.mean)))  # (m, n)
    if x.shape[1] != len(prior.mean):
        raise InputError(f"rows of {x.shape[1]} features for a prior of {len(prior.mean)}")
    y, share = np.asarray(right, float), np.asarray(shares, float)
    weights = prior.mean.copy()
    for _ in range(_STEPS):
        told = 1 / (1 + np.exp(-np.clip(x @ weights, -30, 30)))
        slope = x.T @ (share * (y - told)) - prior.precision @ (weights - prior.mean)
        step = np.linalg.solve(curvature(x, share, told) + prior.precision, slope)
        weights = weights + step / max(1.0, float(np.abs(step).max()))
        if float(np.abs(step).max()) < 1e-8:
            break
    return tuple(float(weight) for weight in weights)


def curvature(x: NDArray[np.float64], share: NDArray[np.float64], told: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, n): the second derivative of the negative log-likelihood of (m, n) rows."""
    return (x * (share * told * (1 - told))[:, None]).T @ x


def error(told: Sequence[float], right: Sequence[bool], bins: int = 10) -> float:
    """Expected calibration error (Naeini et al., AAAI 2015): bins of equal width, absolute gaps weighted by size."""
    p, y = np.asarray(told, float), np.asarray(right, float)
    at = np.clip((p * bins).astype(int), 0, bins - 1)
    inside = [at == n for n in range(bins) if (at == n).any()]
    return float(sum(abs(p[here].mean() - y[here].mean()) * here.mean() for here in inside))


@cache
def priors() -> tuple[Mapping[str, Prior], Mapping[str, Prior]]:
    """By sight, for `features` and for `gap_features`: what judged collections taught (docs/relevance.md)."""
    data = json.loads(resources.files("retriever").joinpath("priors.json").read_text(encoding="utf-8"))
    answers, hits = (
        {sight: Prior(np.asarray(one["mean"]), np.asarray(one["precision"])) for sight, one in data[name].items()}
        for name in ("answers", "hits")
    )
    return answers, hits


def background_of(cosines: Iterable[NDArray[np.float32]]) -> tuple[float, float] | None:
    """Mean and standard deviation of blocks of cosines; None where there are too few or they do not vary."""
    values = np.concatenate([block.ravel() for block in cosines] or [np.zeros(0, np.float32)]).astype(float)
    spread = float(values.std()) if len(values) > 1 else 0.0
    return (float(values.mean()), spread) if spread > 1e-6 else None


def _above(cosine: float, kind: Modality, background: Mapping[Modality, tuple[float, float]]) -> float:
    mean, spread = background.get(kind, _UNTOLD)
    return (cosine - mean) / spread


def _sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-max(-30.0, min(30.0, value))))


def _logit(share: float) -> float:
    share = min(max(share, 1e-6), 1 - 1e-6)
    return math.log(share / (1 - share))
