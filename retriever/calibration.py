"""From evidence to probability: whether anything here answers a query, and whether a hit does.

Knows numbers only. A logistic regression per sight (what is asked with, and what a collection can be judged by); its
coefficients start from what was learned on judged collections, and for words are fitted on queries made from the
collection's own items. Cosines enter as `Background` counts them, so that no encoder's scale is built in.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from importlib import resources
from typing import Any, Literal, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from retriever.background import Background, is_alike
from retriever.evidence import Evidence
from retriever.words import is_name
from sightline.errors import InputError
from sightline.types import Modality

Manner: TypeAlias = Literal["name", "description", "picture"]  # how a text is put; a query that shows something
Described: TypeAlias = Literal["all", "some", "none"]
# Below this, nothing matches. Who says what a thing is called can be told that it is not there; who describes it may
# use words that nobody here does. Chosen with `benchmarks/relevance.py`: it costs no collection more than 2.5 points,
# but for searches that are narrowed to texts.
LEAST: Mapping[Manner, float] = {"name": 0.4, "description": 0.11, "picture": 0.08}
KINDS: tuple[Modality, ...] = ("image", "text")
FAR = 3.0  # standard deviations: how far behind the best an item is taken to be that was not found at all
FARTHER = 1.5  # the same as a log of distances, beside what is alike
VERSION = 4  # of what is kept
_WORDS_ALONE, _UNDENIED = 2, 3  # those before it: one knows of words alone, both judge them by other features
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
class _View:
    """One way to look at evidence: the log-odds that something answers by it, and its part in what is told."""

    evidence: Evidence
    sight: str
    odds: float
    share: float

    @property
    def items(self) -> set[str]:
        return {item for found in self.evidence.cosines.values() for item in found}


@dataclass(frozen=True, slots=True)
class Calibration:
    """What one collection's evidence means. Made by `fit`; kept as JSON."""

    key: str  # of the encoder and adapter whose cosines it reads
    background: Background
    weights: Mapping[str, tuple[float, ...]]  # sight -> coefficients of `features`
    gaps: Mapping[str, tuple[float, ...]]  # sight -> coefficients of `gap_features`
    described: Described = "all"  # which items words say something of
    pictured: Described = "all"  # which items have a picture
    least: Mapping[Manner, float] = field(default_factory=lambda: dict(LEAST))
    items: int = 0  # when it was made
    queries: int = 0  # it was made from
    told: Mapping[str, Any] = field(default_factory=dict)  # what was measured when it was made
    version: int = VERSION  # it was made by

    def answered(self, evidence: Evidence) -> float | None:
        """0-1: the probability that something here answers; None where it cannot be told by what was looked at."""
        views = self._views(evidence)
        if not views:
            return None
        return 1.0 if self._same(evidence) else _sigmoid(sum(view.share * view.odds for view in self._counted(views)))

    def bar(self, manner: Manner) -> float:
        """What `answered` must reach for what is put in such a manner, else nothing matches."""
        return self.least.get(manner, LEAST[manner])

    def relevance(self, evidence: Evidence, ids: Sequence[str]) -> list[float]:
        """0-1 for each of ranked items, from the first on: the probability that it answers. Raises InputError."""
        views, same = self._views(evidence), self._same(evidence)
        if not views:
            raise InputError("nothing is known of such evidence")
        return [1.0 if item in same else self._share(views, item, rank) for rank, item in enumerate(ids, start=1)]

    def _share(self, views: Sequence[_View], item: str, rank: int) -> float:
        odds = 0.0
        for view in self._counted(views, item):
            row = _gap_features(view.evidence, self.background, _sigmoid(view.odds), item, rank)
            odds += view.share * float(np.dot(list(row.values()), self.gaps[view.sight]))
        return _sigmoid(odds)

    def reasons(self, evidence: Evidence) -> list[Reason]:
        """What adds up to the log-odds of `answered`; nothing where it cannot be told, or is certain."""
        views = [] if self._same(evidence) else self._counted(self._views(evidence))
        rows = [(view, _features(view.evidence, self.background)) for view in views]
        return _together([_reasons(row, self.weights[view.sight], view.share) for view, row in rows])

    def reasons_of(self, evidence: Evidence, item: str, rank: int) -> list[Reason]:
        """What adds up to the log-odds of the `relevance` of the item at a rank, from 1."""
        views = [] if item in self._same(evidence) else self._counted(self._views(evidence), item)
        rows = [
            (view, _gap_features(view.evidence, self.background, _sigmoid(view.odds), item, rank)) for view in views
        ]
        return _together([_reasons(row, self.gaps[view.sight], view.share) for view, row in rows])

    def _views(self, evidence: Evidence) -> list[_View]:
        """The ways to look at it that something is known of.

        Silence says nothing of pictures that nobody describes. Nothing can be told of words once there are parts of a
        kind that were not there when this was made. What shows something is compared with pictures and texts apart.
        """
        known = {kind: found for kind, found in evidence.cosines.items() if found}
        if not (evidence.sought or known.keys() <= self.background.words.keys()):
            return []
        seen = replace(evidence, cosines=known)
        pictures = Evidence({"image": known["image"]} if "image" in known else {}, sought=evidence.sought)
        texts = replace(seen, cosines={kind: found for kind, found in known.items() if kind != "image"})
        how = "some" if evidence.sought and self.described == "all" else self.described
        ways = {"all": [seen], "some": [pictures, texts], "none": [pictures]}[how]
        usable = [way for way in ways if self._is_known(way)]
        if evidence.sought and pictures.cosines and pictures not in usable:
            return []  # of too few pictures to know what is usual; texts alone would deny them
        together = bool(evidence.sought) and self.described == self.pictured == "all"
        return [
            _View(way, sight := sight_of(way), self._odds(way, sight), 1 / len(usable) if together else 1.0)
            for way in usable
        ]

    def _counted(self, views: Sequence[_View], item: str = "") -> Sequence[_View]:
        """Those that count: all that have a part in it; else of what is shown, one that the item is in; else the
        loudest, for where only some items are described, either the pictures answer or the texts do.
        """
        if len(views) < 2 or views[0].share < 1:
            return views
        ordered = sorted(views, key=lambda view: -view.odds)
        shown = [view for view in ordered if view.evidence.sought and item in view.items]
        return (shown or ordered)[:1]

    def _is_known(self, view: Evidence) -> bool:
        """Whether it is of a form that was learned: an item and a picture together, say, were not."""
        usual = not view.sought or all(self.background.knows(view, kind) for kind in view.cosines)
        if not usual or not view.cosines or (sight := sight_of(view)) not in self.weights:
            return False
        return len(features(view, self.background)) == len(self.weights[sight])

    def _same(self, evidence: Evidence) -> frozenset[str]:
        """The items of which one picture is the very one that is sought."""
        found = evidence.cosines.get("image", {}) if evidence.sought else {}
        return frozenset(item for item, cosine in found.items() if self.background.is_same(evidence, cosine))

    def _odds(self, view: Evidence, sight: str) -> float:
        return float(np.dot(features(view, self.background), self.weights[sight]))

    def facts(self) -> dict[str, Any]:
        """What a person is told of it."""
        return {"items": self.items, "queries": self.queries, "least": {**LEAST, **self.least}, **self.told}

    def to_json(self) -> str:
        return json.dumps(
            {
                "version": self.version, "key": self.key, "background": self.background.to_json(),
                "weights": self.weights, "gaps": self.gaps, "described": self.described, "pictured": self.pictured,
                "least": dict(self.least), "items": self.items, "queries": self.queries, "told": self.told,
            }
        )  # fmt: skip

    @classmethod
    def from_json(cls, text: str) -> Self | None:
        """None for one that an unknown version wrote; one of before tells of words by what others taught."""
        data = json.loads(text)
        if data.get("version") not in (_WORDS_ALONE, _UNDENIED, VERSION):
            return None
        if data["version"] == _WORDS_ALONE:
            data["background"] = {"words": data["background"], "nearest": {}, "everyday": None}
        rows = {name: {sight: tuple(row) for sight, row in data[name].items()} for name in ("weights", "gaps")}
        if data["version"] < VERSION:
            for some, taught in zip(rows.values(), priors(), strict=True):
                some.update({sight: tuple(taught[sight].mean) for sight in some if "words" in sight.split()})
            if not data["told"].get("set"):
                data["least"] = {name: LEAST[name] if least else 0.0 for name, least in data["least"].items()}
        return cls(**data | rows | {"background": Background.from_json(data["background"])})


def _reasons(row: Mapping[str, float], weights: Sequence[float], share: float) -> list[Reason]:
    pairs = zip(row.items(), weights, strict=True)
    return [Reason(name, value, share * value * weight) for (name, value), weight in pairs]


def _together(views: Sequence[Sequence[Reason]]) -> list[Reason]:
    """The reasons of all views; those of one name as one, by their mean value and what they added together."""
    named: dict[str, list[Reason]] = {}
    for one in (one for view in views for one in view):
        named.setdefault(one.name, []).append(one)
    return [
        Reason(name, sum(one.value for one in some) / len(some), sum(one.added for one in some))
        for name, some in named.items()
    ]


def manner(text: str) -> Manner:
    return "name" if is_name(text) else "description"


def sight_of(evidence: Evidence) -> str:
    """What is asked with, if not with words alone, and what there is to judge by: "text words", "picture: image", …"""
    seen = [kind for kind in KINDS if evidence.cosines.get(kind)]
    if not evidence.sought:
        return " ".join([*seen, *(["words"] if evidence.covers is not None else [])])
    sources = frozenset(source for kind in seen for source in evidence.sought[kind].shares)
    by = next(iter(sources)) if len(sources) == 1 else "mixture" if "words" in sources else "item"
    return f"{by}: {' '.join(seen)}"


def features(evidence: Evidence, background: Background) -> NDArray[np.float64]:
    """(n,) for a logistic regression, n by the sight: the best cosine of each kind, shares of the words, products."""
    return np.asarray(list(_features(evidence, background).values()))


def _features(evidence: Evidence, background: Background) -> dict[str, float]:
    bests = {kind: best for kind in KINDS if (best := evidence.best(kind)) is not None}
    if evidence.sought:
        names = ("how far the best {}", "how much farther than neighbours")
        rows = {kind: background.far(evidence, kind, best) for kind, best in bests.items()}
        far = {name.format(kind): value for kind, row in rows.items() for name, value in zip(names, row, strict=False)}
        return {"always": 1.0, **far}
    above = {kind: background.above(kind, best) for kind, best in bests.items()}
    if evidence.covers is not None and "text" in above:
        above.pop("image", None)  # beside texts, what is pictured but not there scored as high as what is there
    row = {"always": 1.0, **{f"best {kind}": above[kind] for kind in above}}
    if evidence.covers is not None:
        named = evidence.named
        row |= {"words said": evidence.cover, "words known here": evidence.known, "words in a title or field": named}
        row |= {"words in a title or field, squared": named**2, "all words in a title or field": float(named > _FULL)}
        if "text" in above:
            row |= {"best text x known": evidence.known * above["text"]}
        row |= {"words that fields deny": evidence.contradicted}
    return row


def gap_features(
    evidence: Evidence, background: Background, answered: float, item: str, rank: int
) -> NDArray[np.float64]:
    """(n,) for the hit at a rank: the odds that anything answers, and how far it is behind the best."""
    return np.asarray(list(_gap_features(evidence, background, answered, item, rank).values()))


def _gap_features(
    evidence: Evidence, background: Background, answered: float, item: str, rank: int
) -> dict[str, float]:
    behind = {
        kind: _behind(evidence, background, kind, found[item])
        for kind in KINDS
        if item in (found := evidence.cosines.get(kind, {}))
    }
    # an item without a picture is not behind for that
    alike = evidence.sought and all(is_alike(evidence, kind) for kind in evidence.cosines)
    elsewhere = min(behind.values(), default=FARTHER if alike else FAR)
    row = {"always": 1.0, "something here answers": _logit(answered)}
    row |= {f"behind the best {kind}": behind.get(kind, elsewhere) for kind in KINDS if evidence.cosines.get(kind)}
    if evidence.covers is not None:
        row |= {
            "words less than the most": evidence.cover - evidence.covers.get(item, 0.0),
            "words in a title or field less": evidence.named - evidence.names.get(item, 0.0),
        }
    row |= {"rank": math.log(rank)}
    return row if evidence.covers is None else {**row, "words its fields deny": evidence.denied.get(item, 0.0)}


def _behind(evidence: Evidence, background: Background, kind: Modality, cosine: float) -> float:
    best = evidence.best(kind)
    assert best is not None
    if evidence.sought:
        return background.far(evidence, kind, cosine)[0] - background.far(evidence, kind, best)[0]
    return (best - cosine) / background.spread(kind)


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


def _sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-max(-30.0, min(30.0, value))))


def _logit(share: float) -> float:
    share = min(max(share, 1e-6), 1 - 1e-6)
    return math.log(share / (1 - share))
