"""Where "nothing matches" begins, by the user's own judged queries: each asked as it is, and with its answers left out.

Asks through the public door; what the answers mean is the calibration's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from retriever.calibration import Manner, manner
from sightline.engine import Sightline
from sightline.errors import InputError, UnreadableSource, UnsupportedModality
from sightline.evaluation.cases import Case
from sightline.types import Results

FIRST = 10  # hits that count
LOST = 0.03  # of what is found among them, that a bar may cost
FOLDS = 5
FEWEST = 20  # judged queries of a manner: fewer say nothing of the next
STEPS = np.linspace(0, 0.98, 50)
Show = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Bar:
    """What was tried for one manner of asking, on queries that had no part in it."""

    manner: Manner
    queries: int
    before: float
    after: float  # as before where it was left
    lost: float  # of R@10 at `after`, 0-1, on queries held out where the bar moves
    empty: float | None  # share of absent queries left empty at `after`; None: none could be made absent
    lost_before: float
    empty_before: float | None
    why: str = ""  # it was left as it was


@dataclass(frozen=True, slots=True)
class Tuned:
    """The bars of a collection, set or proposed."""

    bars: tuple[Bar, ...]
    left_out: int  # queries that nothing relevant is known of in the index, or that no relevance is told of

    @property
    def least(self) -> dict[Manner, float]:
        return {bar.manner: bar.after for bar in self.bars if not bar.why}

    def to_json(self) -> dict[str, Any]:
        return {"bars": [asdict(bar) for bar in self.bars], "left_out": self.left_out}


@dataclass(frozen=True, slots=True)
class _Asked:
    there: float  # probability told that anything answers
    recall: float
    gone: float | None  # the same with the answers left out; None: too little would be left


def tune(index: Sightline, cases: Sequence[Case], *, show: Show = lambda what, done, total: None) -> Tuned:
    """The bar of each manner of asking that keeps most of what is absent out and costs at most `LOST` of what is found,
    proved on queries held out. Where several keep out as much, the middle of them.

    Changes nothing. Raises InputError where nothing is calibrated, or no case can be used.
    """
    found = index.calibrations.current()
    if found is None:
        raise InputError("nothing is calibrated here yet: index something first")
    asked: dict[Manner, list[_Asked]] = {"name": [], "description": [], "picture": []}
    left_out = 0
    items = int(index.info()["items"])
    for done, case in enumerate(cases):
        show("asking", done, len(cases))
        one = _asked(index, case, items)
        if one is None:
            left_out += 1
        else:
            asked["picture" if case.image is not None else manner(case.text)].append(one)
    show("asking", len(cases), len(cases))
    if not any(asked.values()):
        raise InputError("no query can be used: each needs something relevant that is in the index")
    return Tuned(tuple(_bar(kind, some, found.bar(kind)) for kind, some in asked.items() if some), left_out)


def _asked(index: Sightline, case: Case, items: int) -> _Asked | None:
    own = frozenset({case.own} - {""})  # else each picture would find itself
    right = frozenset(case.relevant) - own
    if not right or not (case.text or case.image):
        return None
    found = _searched(index, case, own)
    if found is None or found.answered is None:
        return None
    recall = len(right & {hit.id for hit in found}) / min(FIRST, len(right))
    hidden = right | own | (index.calibrations.saying(case.text) if case.text and case.image is None else frozenset())
    if len(hidden) > items / 2:
        return _Asked(found.answered, recall, None)
    without = _searched(index, case, hidden)
    return _Asked(found.answered, recall, without.answered if without else None)


def _searched(index: Sightline, case: Case, exclude: frozenset[str]) -> Results | None:
    """None where the picture cannot be read, or the encoder takes no such query."""
    try:
        return index.search(
            case.text or None, image=case.image, exclude=sorted(exclude), where=case.where or None, target=case.target,
            k=FIRST, least=0,
        )  # fmt: skip
    except (UnreadableSource, UnsupportedModality):
        return None


def _bar(kind: Manner, asked: Sequence[_Asked], before: float) -> Bar:
    now = _cost(asked, before)
    if len(asked) < FEWEST:
        return Bar(kind, len(asked), before, before, *now, *now, why=f"fewer than {FEWEST} queries of this kind")
    after, found = _best(asked), _found(asked)
    held_out = [
        (one, _best([other for at, other in enumerate(asked) if at % FOLDS != fold]))
        for fold in range(FOLDS)
        for one in asked[fold::FOLDS]
    ]
    lost, empty = _cost([one for one, _ in held_out], [bar for _, bar in held_out])
    if lost > LOST * found:
        most = f"{100 * LOST * found:.1f} are the most ({LOST:.0%} of what is found)"
        why = f"a higher one loses {100 * lost:.1f} points of R@10 on queries held out, where {most}"
        return Bar(kind, len(asked), before, before, *now, *now, why=why)
    return Bar(kind, len(asked), before, after, lost, empty, *now)


def _best(asked: Sequence[_Asked]) -> float:
    """As far from what is absent as from what is there: who asks next asks a little otherwise than these did."""
    costs = {float(step): _cost(asked, float(step)) for step in STEPS}
    kept_out = {step: empty or 0.0 for step, (lost, empty) in costs.items() if lost <= LOST * _found(asked)}
    as_good = [step for step, empty in kept_out.items() if empty == max(kept_out.values())]
    return (as_good[0] + as_good[-1]) / 2


def _found(asked: Sequence[_Asked]) -> float:
    return float(np.mean([one.recall for one in asked]))


def _cost(asked: Sequence[_Asked], bar: float | Sequence[float]) -> tuple[float, float | None]:
    """R@10 lost, and the share of absent queries left empty, at one bar or at one each."""
    bars = [bar] * len(asked) if isinstance(bar, float) else list(bar)
    lost = float(np.mean([one.recall * (one.there < at) for one, at in zip(asked, bars, strict=True)]))
    gone = [one.gone < at for one, at in zip(asked, bars, strict=True) if one.gone is not None]
    return lost, float(np.mean(gone)) if gone else None
