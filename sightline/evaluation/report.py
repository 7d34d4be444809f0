"""What was measured, as JSON and as Markdown: every figure with its interval, and what it rests on.

Computes nothing; holds no time and no path of this run's own, so that two runs write the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sightline.evaluation.cases import Case
from sightline.evaluation.judged import write_cases
from sightline.evaluation.likeness import Likeness
from sightline.evaluation.metrics import RESAMPLES, Difference, Score
from sightline.types import Skipped

MEASURES = ("success@1", "success@5", "success@10", "recall@10", "precision@10", "mrr", "ndcg@10", "map")
CURVE = (1, 2, 3, 5, 7, 10, 20, 30, 50, 70, 100, 200, 500, 1000)  # the k of recall by k
TITLES = {
    "success@1": "R@1",
    "success@5": "R@5",
    "success@10": "R@10",
    "recall@10": "recall@10",
    "mrr": "MRR",
    "ndcg@10": "nDCG@10",
    "map": "mAP",
}
SHOWN = tuple(TITLES)  # report.json has all measures
MAIN = "ndcg@10"  # what a comparison is judged by
SLICES_SHOWN = 20  # of one name; report.json has all
DIGITS = 6

LEGEND = """\
R@k is the share of queries with a right answer among the first k (trec_eval's `success`; what image-text papers call
R@k). recall@10 is the share of a query's right answers among the first 10. MRR, nDCG@10 and mAP are trec_eval's, over
rankings {depth} deep. In brackets: 95 % bootstrap intervals ({resamples:,} resamples, seed {seed}) over queries; those
about one picture are drawn together. Order among equals is the search's own."""


@dataclass(frozen=True, slots=True)
class Figures:
    """The scores of one direction, or of a slice of it."""

    direction: str
    slice_name: str  # "": the whole direction
    slice_value: str
    scores: Mapping[str, Score]
    curve: Mapping[int, Score]  # k -> R@k

    @property
    def n(self) -> int:
        return self.scores[MAIN].n


@dataclass(frozen=True, slots=True)
class Comparison:
    """What the second setting changes in one direction, or in a slice of it."""

    direction: str
    slice_name: str
    slice_value: str
    changes: Mapping[str, Difference]

    def sentence(self, second: str) -> str:
        """Whether nDCG@10 really differs, for a reader in a hurry."""
        change = self.changes[MAIN]
        more, low, high = (100 * one for one in (change.mean, change.low, change.high))
        if change.mean == change.low == change.high == 0:
            return f"{self.direction}: with {second} every query scores the same."
        said = f"{abs(more):.1f} points {'higher' if more > 0 else 'lower'}"
        interval = f"95 % interval of the difference {low:+.1f} to {high:+.1f}"
        if change.real:
            return f"{self.direction}: with {second} nDCG@10 is {said} ({interval}): the difference is real."
        return (
            f"{self.direction}: with {second} nDCG@10 is {said} ({interval}): that may be chance, "
            f"{change.n:,} queries do not tell the two apart."
        )


@dataclass(frozen=True, slots=True)
class Reliability:
    """Hits that were given about the same relevance."""

    told: float  # mean relevance, 0-1
    right: float  # share judged right
    hits: int


@dataclass(frozen=True, slots=True)
class Tried:
    """One setting: what it was, and what it scored."""

    encoder: str
    fingerprint: str
    dim: int
    text_encoder: str  # "" where there is none
    store: str
    search: str
    items: int
    parts: int
    channels: str
    rerank: str
    wrong_modality: Mapping[str, float | None]  # direction -> share of the first 10
    mixed: Mapping[str, tuple[float | None, int]]  # direction -> (the same where nothing is said, hits looked at)
    likeness: Likeness | None
    reliability: tuple[Reliability, ...]
    warnings: Mapping[str, int]
    figures: tuple[Figures, ...] = ()
    name: str = ""  # what sets it apart; "" where there is only one


@dataclass(frozen=True, slots=True)
class Report:
    """Everything a measurement found."""

    task: str
    notes: tuple[str, ...]
    tried: tuple[Tried, ...]  # one setting, or two
    comparisons: tuple[Comparison, ...]
    left_out: tuple[Skipped, ...]
    cases: tuple[Case, ...]  # those asked
    ranks: tuple[Mapping[str, int | None], ...]  # by setting: case -> place of the first right answer
    depth: int
    seed: int
    inputs: Mapping[str, str]
    versions: Mapping[str, str]

    @property
    def legend(self) -> str:
        """What the measures mean."""
        return LEGEND.format(depth=self.depth, resamples=RESAMPLES, seed=self.seed)

    @property
    def verdicts(self) -> list[str]:
        """A sentence a direction on whether the second setting really differs."""
        return [one.sentence(self.tried[1].name) for one in self.comparisons if not one.slice_name]

    def to_json(self) -> dict[str, Any]:
        return {
            "task": self.task,
            "notes": list(self.notes),
            "queries": len(self.cases),
            "depth": self.depth,
            "seed": self.seed,
            "resamples": RESAMPLES,
            "inputs": dict(self.inputs),
            "versions": dict(self.versions),
            "settings": [_tried(one) for one in self.tried],
            "differences": [
                _place(one)
                | {"changes": {name: _score(change) | {"real": change.real} for name, change in one.changes.items()}}
                for one in self.comparisons
            ],
            "verdicts": self.verdicts,
            "left_out": [{"source": one.source, "reason": one.reason} for one in self.left_out],
        }

    def write(self, folder: Path) -> list[Path]:
        """Write report.json, report.md, report.png and queries.jsonl. Raises MissingExtra, OSError."""
        from sightline.evaluation.chart import draw
        from sightline.evaluation.markdown import markdown

        folder.mkdir(parents=True, exist_ok=True)
        paths = [folder / name for name in ("report.md", "report.json", "report.png", "queries.jsonl")]
        paths[0].write_text(markdown(self), encoding="utf-8")
        paths[1].write_text(json.dumps(self.to_json(), ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
        draw(self, paths[2])
        write_cases(paths[3], self.cases, self.ranks)
        return paths


def _tried(one: Tried) -> dict[str, Any]:
    alike = one.likeness
    return {
        "name": one.name,
        "encoder": {"spec": one.encoder, "fingerprint": one.fingerprint, "dim": one.dim},
        "text_encoder": one.text_encoder or None,
        "store": {"spec": one.store, "search": one.search, "items": one.items, "parts": one.parts},
        "channels": one.channels,
        "rerank": one.rerank or None,
        "figures": [
            _place(figures)
            | {"queries": figures.n}
            | {"scores": {name: _score(score) for name, score in figures.scores.items()}}
            | {"r_at_k": {str(k): _score(score) for k, score in figures.curve.items()}}
            for figures in one.figures
        ],
        "wrong_modality": {
            "among the first 10, with a target": {name: _rounded(share) for name, share in one.wrong_modality.items()},
            "among the first 10, without": {
                name: {"share": _rounded(share), "hits": hits} for name, (share, hits) in one.mixed.items()
            },
        },
        "likeness": alike
        and {
            "pairs": alike.pairs,
            "modality_gap": _rounded(alike.gap),
            "alignment": _rounded(alike.alignment),
            "cosine_of_true_pairs": _rounded(alike.true),
            "cosine_of_mismatched_pairs": _rounded(alike.mismatched),
            "histogram": {
                "edges": list(map(_rounded, alike.edges)),
                "true": list(map(_rounded, alike.true_share)),
                "mismatched": list(map(_rounded, alike.mismatched_share)),
            },
        },
        "reliability": [
            {"told": _rounded(bin_.told), "right": _rounded(bin_.right), "hits": bin_.hits} for bin_ in one.reliability
        ],
        "warnings": dict(one.warnings),
    }


def _place(one: Figures | Comparison) -> dict[str, Any]:
    sliced = {"slice": {one.slice_name: one.slice_value}} if one.slice_name else {}
    return {"direction": one.direction, **sliced}


def _score(score: Score) -> dict[str, float | None]:
    return {"mean": _rounded(score.mean), "low": _rounded(score.low), "high": _rounded(score.high)}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, DIGITS) + 0.0  # + 0.0: no minus before a zero


def shown(measure: str, score: Score, *, signed: bool = False) -> tuple[str, str]:
    """("32.0", "30.7–33.4"): shares in per cent, the others from 0 to 1."""
    scale, digits = (100, 1) if measure.startswith(("success", "recall", "precision")) else (1, 3)
    sign = "+" if signed else ""
    mean, low, high = (f"{scale * one + 0.0:{sign}.{digits}f}" for one in (score.mean, score.low, score.high))
    return mean, f"{low} to {high}" if signed else f"{low}–{high}"


def wholes(figures: Iterable[Figures]) -> list[Figures]:
    """The figures of whole directions."""
    return [one for one in figures if not one.slice_name]


def sliced(figures: Sequence[Figures]) -> dict[str, list[Figures]]:
    """The figures of slices, by what they are sliced by."""
    names = dict.fromkeys(one.slice_name for one in figures if one.slice_name)
    return {name: [one for one in figures if one.slice_name == name] for name in names}
