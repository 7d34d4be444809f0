"""Does it know when nothing matches: absent concepts left empty, what that costs, how far relevance can be believed.

Each group of collections is judged by what the others taught, and by the queries it makes of itself. Asked with words,
pictures, both, and items. Data: a folder with the tars of flickr8k, grocery, clothing, outdoor_catalog, fashion,
caltech101, imagenette and pacs_photo.

    python -m benchmarks.relevance --data DIR [--encoder SPEC] [--only TASK ...] [--out benchmarks/results]
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.mobilenet import MobileNet
from benchmarks.report import run
from retriever.calibration import LEAST, Calibration, Manner, Prior, error, manner, sight_of
from retriever.generated import fitted
from sightline.evaluation.tuning import FEWEST, FOLDS, LOST, STEPS
from sightline.protocols import Encoder
from sightline.settings import Settings
from sightline.texts import NONE
from training.relevance import SIGHTS as TAUGHT
from training.relevance import Looked, Seen, learned, narrowed, seen

BARS = (0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9)
ABSENT_EMPTY = 0.95
CONCEPTS = ("kind", "combination", "name", "class")  # forms that name what is sought, and nothing more
SIGHTS: Mapping[str, str] = {
    "image text words": "words to everything", "image": "words to pictures",
    "picture: image": "picture to pictures", "picture: text": "picture to texts",
    "picture: image text": "picture to everything", "mixture: image": "picture and words to pictures",
    "mixture: text": "picture and words to texts", "mixture: image text": "picture and words to everything",
    "item: image text": "item to everything", "item: text": "item to texts",
}  # fmt: skip
FEW = 20  # hits of a group: fewer say nothing of it
EDGES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)  # of relevance: one threshold should mean the same whatever is asked with
Figures = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Told:
    """A question, the probability told that anything answers, and the relevance told of each hit."""

    looked: Looked
    answered: float
    hits: tuple[float, ...]

    @property
    def right(self) -> bool:
        return bool(self.looked.asked.relevant)


def absent(data: Path, encoder: str, work: Path) -> Figures:
    """Per group: AUROC, the share of absent questions left empty and the R@10 lost at each bar, ECE; then by form.

    Then, over all groups, how many of the hits that are told so relevant are right, by what is asked with.
    """
    return judged(list(seen(data, encoder, work)))


def elsewhere(data: Path, encoder: str, work: Path) -> Figures:
    """The same of other encoders, judged by what was learned with this one.

    A MobileNet; that MobileNet and a MiniLM, joined; this one in a cone.
    """
    from benchmarks.cone import pressed  # which needs onnx
    from benchmarks.joined import joined

    taught = list(seen(data, encoder, work))
    pressed(work / "cone")
    recalled = joined(data, work / "joined")
    others: Mapping[str, str | Encoder] = {
        "mobilenet": MobileNet(data), "joined": f"onnx:{work / 'joined'}", "cone": f"onnx:{work / 'cone'}",
    }  # fmt: skip
    figures = {name: judged(list(seen(data, other, work / name)), taught) for name, other in others.items()}
    return figures | {"recall of joined on Flickr8k dev, in percent": recalled}


def texts(data: Path, encoder: str, work: Path) -> Figures:
    """The same with the text encoder of the settings beside this one, judged by what was learned without."""
    taught = list(seen(data, encoder, work))
    spec = Settings.read().text_encoder or NONE
    return judged(list(seen(data, encoder, work / "texts", text_encoder=spec)), taught)


def judged(every: Sequence[Seen], taught: Sequence[Seen] = ()) -> Figures:
    """The figures of collections that were looked at, by what the other groups taught: of those, or of `taught`."""
    figures: Figures = {}
    by_sight: dict[str, list[list[Told]]] = {}
    for group in dict.fromkeys(one.shelf.group for one in every):
        answers, hits = learned([one for one in taught or every if one.shelf.group != group])
        for sight, named in SIGHTS.items():
            told = [one for shelf in every if shelf.shelf.group == group for one in _told(shelf, sight, answers, hits)]
            if told:
                figures[f"{group}, {named}"] = _figures(told)
                by_sight.setdefault(named, []).append(told)
    meaning = {named: _meaning(groups) for named, groups in by_sight.items()}
    return {"groups": figures, "of hits told so relevant, right": meaning}


def _told(shelf: Seen, sight: str, answers: Mapping[str, Prior], hits: Mapping[str, Prior]) -> list[Told]:
    if sight in TAUGHT:
        if sight not in answers or sight not in hits or ("words" in sight) != shelf.worded:
            return []
        own = [case for case in shelf.own if sight_of(case.evidence) == sight]
        weights = {sight: fitted(own, shelf.background, answers[sight])}
    else:
        weights = {known: tuple(prior.mean) for known, prior in answers.items()}
    gaps = {known: tuple(hits[known].mean) for known in weights if known in hits}
    made = Calibration("", shelf.background, {known: weights[known] for known in gaps}, gaps)
    told = []
    for looked in shelf.looked:
        evidence = narrowed(looked.evidence, sight)
        if evidence is None or made.answered(evidence) is None:
            continue
        exact = looked.exact and "words" in sight
        answered = 1.0 if exact else made.answered(evidence) or 0.0
        told.append(Told(looked, answered, tuple(made.relevance(evidence, looked.ids))))
    return told


def _figures(told: Sequence[Told]) -> Figures:
    there, gone = [one for one in told if one.right], [one for one in told if not one.right]
    forms = dict.fromkeys(one.looked.asked.form for one in told)
    concepts = [one for one in told if one.looked.asked.form in CONCEPTS]
    return {
        "answered": len(there), "absent": len(gone),
        "AUROC": _auroc(there, gone),
        "R@10": round(float(np.mean([one.looked.recall for one in there])), 3),
        "as it is set": _at(told),
        "names, tuned on others": _tuned([one for one in told if _manner(one.looked) == "name"]),
        "at": {f"{least:g}": _at(told, least) for least in BARS},
        "at 3 points lost": _affordable(told),
        f"where {ABSENT_EMPTY:.0%} of absent are empty": _enough(told),
        f"the same of {', '.join(CONCEPTS)} alone": _enough(concepts),
        "ECE of questions": round(error([one.answered for one in told], [one.right for one in told]), 3),
        "ECE of hits": round(_of_hits(told), 3),
        "by form, as it is set": {
            form: _at([one for one in told if one.looked.asked.form == form]) for form in forms
        },
    }  # fmt: skip


def _enough(told: Sequence[Told]) -> Figures:
    """The lowest bar at which `ABSENT_EMPTY` of the absent questions are left empty, and what it costs."""
    ordered = sorted(one.answered for one in told if not one.right)
    if not ordered:
        return {}
    bar = float(np.nextafter(ordered[int(np.ceil(ABSENT_EMPTY * len(ordered))) - 1], 2))
    return _at(told, bar) | {"bar": round(bar, 3)}


def _at(told: Sequence[Told], least: float | None = None) -> Figures:
    """Share of the absent questions left empty, and by how much R@10 of the others falls; at `LEAST` if none is set."""
    bars = [_bar(one.looked) if least is None else least for one in told]
    gone = [one.answered < bar for one, bar in zip(told, bars, strict=True) if not one.right]
    lost = [one.looked.recall * (one.answered < bar) for one, bar in zip(told, bars, strict=True) if one.right]
    return {
        name: round(float(np.mean(values)), 3) for name, values in (("empty", gone), ("lost", lost)) if values
    }  # fmt: skip


def _manner(looked: Looked) -> Manner:
    return "picture" if looked.evidence.sought else manner(looked.asked.text)


def _bar(looked: Looked) -> float:
    return LEAST[_manner(looked)]


def _tuned(told: Sequence[Told]) -> Figures:
    """What bars are worth that are chosen as `sightline tune` does, on queries of other words than judge them.

    By five folds of texts: all queries of four choose, all of the fifth judge.
    """
    texts = sorted({one.looked.asked.text for one in told})
    order = np.random.default_rng(0).permutation(len(texts))
    fold_of = {texts[at]: place % FOLDS for place, at in enumerate(order)}
    lost, empty, bars = [], [], []
    for fold in range(FOLDS):
        others = [one for one in told if fold_of[one.looked.asked.text] != fold]
        chosen = [one for one in others if one.right]
        if len(chosen) < FEWEST:
            return {}
        most = LOST * float(np.mean([one.looked.recall for one in chosen]))
        costs = {float(step): _at(others, float(step)) for step in STEPS}
        kept_out = {step: cost.get("empty", 0.0) for step, cost in costs.items() if cost["lost"] <= most}
        as_good = [step for step, empty in kept_out.items() if empty == max(kept_out.values())]
        bar = (as_good[0] + as_good[-1]) / 2
        held_out = [one for one in told if fold_of[one.looked.asked.text] == fold]
        lost += [one.looked.recall * (one.answered < bar) for one in held_out if one.right]
        empty += [one.answered < bar for one in held_out if not one.right]
        bars.append(round(bar, 3))
    return {"empty": round(float(np.mean(empty)), 3), "lost": round(float(np.mean(lost)), 3), "bars": bars}


def _affordable(told: Sequence[Told], most: float = 0.03) -> Figures:
    """The highest bar that costs at most so much of R@10, and what it leaves empty."""
    bars = [0.0, *sorted({one.answered for one in told})]
    bar = max(least for least in bars if _at(told, least).get("lost", 0.0) <= most)
    return _at(told, bar) | {"bar": round(bar, 3)}


def _meaning(groups: Sequence[Sequence[Told]]) -> Figures:
    """By how relevant hits are told to be: how many, told on average, right on average; each group counts alike."""
    figures: Figures = {}
    for low, high in pairwise(EDGES):
        of_groups = [
            [pair for pair in _pairs(told) if low <= pair[0] < high or pair[0] == high == 1.0] for told in groups
        ]
        seen_in = [np.asarray(pairs, float).mean(axis=0) for pairs in of_groups if len(pairs) >= FEW]
        if seen_in:
            told_mean, right = np.mean(seen_in, axis=0)
            means = {"told": round(float(told_mean), 3), "right": round(float(right), 3)}
            figures[f"{low:g} to {high:g}"] = {"hits": sum(map(len, of_groups)), "groups": len(seen_in), **means}
    return figures


def _auroc(there: Sequence[Told], gone: Sequence[Told]) -> float | None:
    if not there or not gone:
        return None
    low = np.asarray([one.answered for one in gone])
    ahead = [(low < one.answered).mean() + (low == one.answered).mean() / 2 for one in there]
    return round(float(np.mean(ahead)), 3)


def _pairs(told: Sequence[Told]) -> list[tuple[float, bool]]:
    return [
        (share, item in one.looked.asked.relevant)
        for one in told
        for item, share in zip(one.looked.ids, one.hits, strict=True)
    ]


def _of_hits(told: Sequence[Told]) -> float:
    pairs = _pairs(told)
    return error([share for share, _ in pairs], [right for _, right in pairs])


if __name__ == "__main__":
    tasks = {"absent": absent, "elsewhere": elsewhere}
    run("relevance", __doc__, tasks | ({"texts": texts} if Settings.read().text_encoder else {}))
