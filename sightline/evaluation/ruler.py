"""The ruler itself: a task and a setting, or two, in; figures with intervals out. Two runs give the same report.

Wires reading, asking and scoring together; does not know how a report looks.
"""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sightline import filters
from sightline.encoders import open_encoder
from sightline.engine import Sightline
from sightline.errors import InputError
from sightline.evaluation.asking import Run, Settled, Show, ask, drop, opened, settled
from sightline.evaluation.cases import Case, Task
from sightline.evaluation.likeness import Likeness, likeness
from sightline.evaluation.metrics import Score, by_query, compared, mean
from sightline.evaluation.report import CURVE, MEASURES, Comparison, Figures, Reliability, Report, Tried
from sightline.evaluation.setting import Setting, names_of
from sightline.texts import NONE
from sightline.types import Skipped
from sightline.versions import versions

DEPTH = 100  # items of a ranking that are judged
LEAST = 10  # nDCG@10 and recall@10 look as far
_ASKED = ("text", "image", "text + image")  # the order of directions in a report
_BINS = 10  # of a reliability curve


def evaluate(
    task: Task,
    setting: Setting | None = None,
    *,
    against: Setting | None = None,
    k: int = DEPTH,
    slices: Sequence[str] = (),
    seed: int = 0,
    inputs: Mapping[str, str] | None = None,
    show: Show = lambda what, done, total: None,
) -> Report:
    """Ask every case of `task` under a setting, and under a second one, and score what came back.

    `slices` are facts of queries, or else fields of their right answers, to give figures by. `inputs` (name -> digest)
    is told in the report. Raises InputError when nothing can be measured, MissingExtra without the extra `eval`.
    """
    settings = tuple(filter(None, (setting or Setting(), against)))
    _check(task, settings, k)
    names = [*task.slices, *slices]
    with tempfile.TemporaryDirectory() as work:
        try:
            trials = _trials(task, settings, Path(work), slices=names, k=k, seed=seed, show=show)
        finally:
            drop(Path(work))
    left_out = dict.fromkeys((*task.left_out, *(one for trial in trials for one in trial.left_out)))
    runs = [trial.run for trial in trials]
    cases = tuple(case for case in trials[0].cases if all(case.id in run.ranked for run in runs))
    if not cases:
        reason = next(iter(left_out), Skipped(task.kind, "there is no query"))
        raise InputError(f"no query could be asked: {reason.source}: {reason.reason}")
    scored = _scored(cases, runs, names, k=k, seed=seed)
    tried = tuple(
        replace(trial.tried, name=name, figures=figures)
        for trial, name, figures in zip(trials, _names(settings, trials), scored.figures, strict=True)
    )
    return Report(
        task=task.kind,
        notes=task.notes,
        tried=tried,
        comparisons=scored.comparisons,
        left_out=tuple(left_out),
        cases=cases,
        ranks=tuple(_ranks(cases, run) for run in runs),
        depth=k,
        seed=seed,
        inputs=dict(inputs or {}),
        versions=versions(spec for one in tried for spec in (one.encoder, one.text_encoder, one.store, one.rerank)),
    )


def _check(task: Task, settings: Sequence[Setting], k: int) -> None:
    """Raise what is wrong before the work rather than after it."""
    if k < LEAST:
        raise InputError(f"rankings must be at least {LEAST} deep for the measures taken, not {k}")
    if task.documents and any(one.index or one.collection for one in settings):
        raise InputError("pairs and catalogs are indexed anew for the measurement: no index can be named with them")
    by_query({"q": ["a"]}, {"q": {"a": 1}}, MEASURES)  # a missing package
    for one in settings[1:]:  # else it is found missing when the first one is measured
        for spec, first in ((one.encoder, settings[0].encoder), (one.text_encoder, settings[0].text_encoder)):
            if spec not in ("", NONE, first):
                open_encoder(spec)


@dataclass(frozen=True, slots=True)
class _Trial:
    """One setting, asked."""

    cases: tuple[Case, ...]
    run: Run
    tried: Tried
    left_out: tuple[Skipped, ...]


def _trials(
    task: Task, settings: Sequence[Setting], work: Path, *, slices: Sequence[str], k: int, seed: int, show: Show
) -> list[_Trial]:
    """Ask every case under every setting. What is right is settled in the first one's index."""
    trials: list[_Trial] = []
    for setting in settings:
        with opened(task, setting, work, show) as (index, skipped):
            there = settled(task, index)
            cases = trials[0].cases if trials else _facts(there, slices)
            run = ask(task, cases, index, setting, k=k, seed=seed, show=show)
            show("comparing words and pictures", 0, None)
            alike = likeness(index, cases, there.items, seed=seed)
            left_out = (*skipped, *there.left_out, *run.left_out.values())
            trials.append(_Trial(cases, run, _tried(setting, index, run, alike), left_out))
    return trials


def _names(settings: Sequence[Setting], trials: Sequence[_Trial]) -> tuple[str, ...]:
    """What sets the settings apart, with the engines each came to; "" where there is only one."""
    spelt = [
        replace(setting, encoder=trial.tried.encoder, store=trial.tried.store, text_encoder=trial.tried.text_encoder)
        for setting, trial in zip(settings, trials, strict=True)
    ]
    return names_of(*spelt) if len(spelt) == 2 else ("",)


@dataclass(frozen=True, slots=True)
class _Scored:
    figures: tuple[tuple[Figures, ...], ...]  # by setting
    comparisons: tuple[Comparison, ...]


def _scored(cases: Sequence[Case], runs: Sequence[Run], slices: Sequence[str], *, k: int, seed: int) -> _Scored:
    """Figures a direction and a slice of it, and what the second setting changes."""
    curve = [f"success@{cut}" for cut in CURVE if cut <= k]
    figures: list[list[Figures]] = [[] for _ in runs]
    comparisons = []
    for direction, several in _by_direction(cases).items():
        judged = {case.id: case.relevant for case in several}
        values = [by_query(run.ranked, judged, list(dict.fromkeys((*MEASURES, *curve)))) for run in runs]
        groups = [case.group or case.id for case in several]
        for slice_name, slice_value, rows in _slices(several, slices):
            chosen = [{name: one[name][rows] for name in one} for one in values]
            drawn = [groups[row] for row in rows]
            for found, one in zip(figures, chosen, strict=True):
                scores = mean(one, groups=drawn, seed=seed)
                found.append(Figures(direction, slice_name, slice_value, *_parted(scores)))
            if len(runs) == 2:
                first, second = ({name: one[name] for name in MEASURES} for one in chosen)
                changes = compared(first, second, groups=drawn, seed=seed)
                comparisons.append(Comparison(direction, slice_name, slice_value, changes))
    return _Scored(tuple(map(tuple, figures)), tuple(comparisons))


def _parted(scores: Mapping[str, Score]) -> tuple[dict[str, Score], dict[int, Score]]:
    """The measures, and the curve of R@k by k."""
    curve = {int(name.partition("@")[2]): one for name, one in scores.items() if name.startswith("success@")}
    return {name: scores[name] for name in MEASURES}, dict(sorted(curve.items()))


def _by_direction(cases: Sequence[Case]) -> dict[str, list[Case]]:
    found: dict[str, list[Case]] = defaultdict(list)
    for case in cases:
        found[case.direction].append(case)
    return {one: found[one] for one in sorted(found, key=lambda one: (_ASKED.index(one.partition(" →")[0]), one))}


def _slices(cases: Sequence[Case], slices: Sequence[str]) -> list[tuple[str, str, NDArray[np.intp]]]:
    """("", "", all rows), then (name, value, rows) with the largest of a name first; one slice of all is none."""
    found = [("", "", np.arange(len(cases)))]
    for name in dict.fromkeys(slices):
        rows: dict[str, list[int]] = defaultdict(list)
        for at, case in enumerate(cases):
            if name in case.facts:
                rows[case.facts[name]].append(at)
        if len(rows) > 1:
            ranked = sorted(rows.items(), key=lambda pair: (-len(pair[1]), pair[0]))
            found += [(name, value, np.asarray(places)) for value, places in ranked]
    return found


def _facts(first: Settled, slices: Sequence[str]) -> tuple[Case, ...]:
    """Cases with a value for every slice that they or, where they agree, their right answers have one for."""
    cases = first.cases
    for name in dict.fromkeys(slices):
        cases = tuple(_with_fact(case, first, name) for case in cases)
        if not any(name in case.facts for case in cases):
            known = sorted({*(fact for case in cases for fact in case.facts), *_fields(first)})
            raise InputError(
                f"no query has a {name!r} to make slices by, nor have its right answers; {_nearest(known)}"
            )
    return cases


def _fields(first: Settled) -> set[str]:
    return {field for item in first.items.values() for field in item.fields}


def _nearest(known: Sequence[str]) -> str:
    return f"there are: {', '.join(known[:20])}" if known else "they have no field at all"


def _with_fact(case: Case, first: Settled, name: str) -> Case:
    if name in case.facts:
        return case
    answers = [first.items[item].fields for item in case.relevant if item in first.items]
    values = {str(value) for fields in answers for value in filters.values_of(fields, name)}
    return replace(case, facts={**case.facts, name: values.pop()}) if len(values) == 1 else case


def _ranks(cases: Sequence[Case], run: Run) -> dict[str, int | None]:
    """The place of each case's first right answer, from 1; None where it is not in the ranking."""
    return {
        case.id: next((at for at, item in enumerate(run.ranked[case.id], start=1) if item in case.relevant), None)
        for case in cases
    }


def _tried(setting: Setting, index: Sightline, run: Run, alike: Likeness | None) -> Tried:
    info, space = index.info(), index.encoder.space
    return Tried(
        encoder=space.name,
        fingerprint=space.fingerprint,
        dim=space.dim,
        text_encoder=str(info["text_encoder"] or ""),
        store=str(info["store"]),
        search=str(info["kind"]),
        items=int(info["items"]),
        parts=int(info["parts"]),
        channels=setting.channels or "all",
        rerank=setting.rerank or index.settings.rerank or "",
        wrong_modality={direction: one.share for direction, one in run.wrong.items()},
        mixed={direction: (one.share, one.of) for direction, one in run.mixed.items()},
        likeness=alike,
        reliability=_reliability(run.said),
        warnings=dict(run.warnings),
    )


def _reliability(said: Sequence[tuple[float, bool]]) -> tuple[Reliability, ...]:
    """Hits in bins of equal width by the relevance they were given: how many of them were right."""
    if not said:
        return ()
    told, right = np.asarray([one for one, _ in said]), np.asarray([one for _, one in said])
    bins = np.minimum((told * _BINS).astype(int), _BINS - 1)
    return tuple(
        Reliability(float(told[bins == one].mean()), float(right[bins == one].mean()), int((bins == one).sum()))
        for one in np.unique(bins)
    )
