"""Asks every case of an index through the public door, `Sightline.search`, and keeps what came back.

Knows engine and cases; nothing of metrics. A query that cannot be asked is a row in the report, not the end.
"""

from __future__ import annotations

import hashlib
import logging
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeAlias
from uuid import uuid4

from sightline.engine import Sightline
from sightline.errors import InputError, NotFound, SightlineError, UnreadableSource, UnsupportedModality
from sightline.evaluation.cases import Case, Task
from sightline.evaluation.setting import Setting
from sightline.types import Item, Part, Progress, Results, Skipped

Show: TypeAlias = Callable[[str, int, int | None], None]  # what is being done, how many are done, of how many
FIRST = 10  # hits whose modality and relevance are looked at
MIXED = 200  # queries of a direction that are asked again without a target
ABSENT_MOST = 0.2  # of the judged items may be missing from an index before its figures mean nothing

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Count:
    """How many of those looked at."""

    hits: int = 0
    of: int = 0

    def add(self, hits: int, of: int) -> None:
        self.hits += hits
        self.of += of

    @property
    def share(self) -> float | None:
        return self.hits / self.of if self.of else None


@dataclass(slots=True)
class Run:
    """What one setting answered."""

    ranked: dict[str, tuple[str, ...]] = field(default_factory=dict)  # case -> item ids, best first
    left_out: dict[str, Skipped] = field(default_factory=dict)  # case -> why it could not be asked
    wrong: dict[str, Count] = field(default_factory=lambda: defaultdict(Count))  # direction -> hits of wrong modality
    mixed: dict[str, Count] = field(default_factory=lambda: defaultdict(Count))  # the same without a target
    said: list[tuple[float, bool]] = field(default_factory=list)  # a hit's relevance as told, and whether it is right
    warnings: Counter[str] = field(default_factory=Counter)


@contextmanager
def opened(task: Task, setting: Setting, work: Path, show: Show) -> Iterator[tuple[Sightline, list[Skipped]]]:
    """The index a setting asks, and what could not be indexed.

    Documents are indexed into a folder of `work`, which two settings share if they embed and store alike: call `drop`
    when all is measured.
    """
    engines = {"encoder": setting.encoder, "text_encoder": setting.text_encoder, "store": setting.store}
    told: dict[str, Any] = {name: spec or None for name, spec in engines.items()}
    if not task.documents:
        with Sightline.open(setting.folder, collection=setting.collection or None, create=False, **told) as index:
            yield index, []
        return
    place = work / hashlib.sha256(" ".join(engines.values()).encode()).hexdigest()[:16]
    # On a server, collections are not in `work`: one of a name that nobody has.
    name = next(iter(Sightline.collections(place)), f"measured-{uuid4().hex}")
    with Sightline.open(place, collection=name, **told) as index:
        if not index.info()["items"]:
            index.add(*(one.row for one in task.documents), progress=_shown(show))
        yield index, [_labelled(one, task) for one in index.skipped()]


def drop(work: Path) -> None:
    """Remove what `opened` indexed, wherever it is kept; what cannot be removed is left, the figures are not lost."""
    for place in work.iterdir():
        for name in Sightline.collections(place):
            try:
                Sightline.drop(place, name)
            except SightlineError as exc:
                log.warning("the temporary collection %s was left behind: %s", name, exc)


def ask(task: Task, cases: Sequence[Case], index: Sightline, setting: Setting, *, k: int, seed: int, show: Show) -> Run:
    """Ask all cases, k items deep; of pairs, some again with nothing said of what is looked for."""
    run = Run()
    for done, case in enumerate(cases):
        show("asking", done, len(cases))
        results = _asked(case, index, setting, k, run)
        if results is None:
            continue
        run.ranked[case.id] = tuple(hit.id for hit in results)
        run.warnings.update(results.warnings)
        first = results.hits[:FIRST]
        if case.target:
            run.wrong[case.direction].add(sum(not _is(hit.parts, case.target) for hit in first), len(first))
        run.said += [(hit.relevance, hit.id in case.relevant) for hit in first if hit.relevance is not None]
    show("asking", len(cases), len(cases))
    if task.kind == "pairs":
        _mixed(run, cases, index, setting, draw=random.Random(seed), show=show)
    return run


def _asked(case: Case, index: Sightline, setting: Setting, k: int, run: Run) -> Results | None:
    """The answer to one case; None, and a row in `left_out`, when it cannot be asked. Raises InputError."""
    if case.image is not None and not case.image.is_file():
        run.left_out[case.id] = Skipped(f"{case.label} (query)", "there is no such picture")
        return None
    try:
        return index.search(
            case.text or None,
            image=case.image,
            negative=case.negative,
            k=k,
            where=case.where or None,
            target=case.target,
            rerank=setting.rerank or None,
            channels=setting.asked,
            least=0,  # the ranking is judged, not whether it would be shown
        )
    except UnreadableSource as exc:
        run.left_out[case.id] = Skipped(f"{case.label} (query)", exc.reason)
    except UnsupportedModality as exc:
        run.left_out[case.id] = Skipped(f"every query {case.direction}", str(exc))
    except InputError as exc:
        raise InputError(f"{case.label}: {exc}") from exc
    return None


def _mixed(
    run: Run, cases: Sequence[Case], index: Sightline, setting: Setting, *, draw: random.Random, show: Show
) -> None:
    """How many of the first hits are not what is looked for when nothing says what is; the query itself is no hit."""
    by_direction: dict[str, list[Case]] = defaultdict(list)
    for case in cases:
        if case.id in run.ranked and case.target:
            by_direction[case.direction].append(case)
    chosen = [one for several in by_direction.values() for one in draw.sample(several, min(MIXED, len(several)))]
    for done, case in enumerate(chosen):
        show("asking without a target", done, len(chosen))
        results = _asked(replace(case, target=None), index, setting, FIRST + 1, Run())
        hits = [hit for hit in results or () if hit.id != case.own][:FIRST]
        run.mixed[case.direction].add(sum(not _is(hit.parts, str(case.target)) for hit in hits), len(hits))


def _is(parts: Sequence[Part], target: str) -> bool:
    """Whether what was found of an item is, first of all, of the modality looked for."""
    return bool(parts) and (parts[0].modality == "image") == (target == "image")


# -- what is right, as the index has it --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Settled:
    """Cases whose right answers are ids of the index, and what was learnt on the way."""

    cases: tuple[Case, ...]
    left_out: tuple[Skipped, ...]
    items: Mapping[str, Item]  # the right answers that are there


def settled(task: Task, index: Sightline) -> Settled:
    """Find the right answers in the index. Raises InputError when too many are not there, or no case is left.

    In an index made for the task, an answer that could not be indexed is no longer one; in the user's own it still is,
    as trec_eval has it, and counts as not found.
    """
    cases = [_told(case, index) if case.relevant_where else case for case in task.cases]
    judged = dict.fromkeys(item for case in cases for item in case.relevant)
    items = {item: found for item in judged if (found := _item(index, item)) is not None}
    absent = len(judged) - len(items)
    if not task.documents:
        if absent > ABSENT_MOST * len(judged):
            example = next(item for item in judged if item not in items)
            raise InputError(
                f"{absent:,} of {len(judged):,} judged items are not in this index, as {example!r}: are the judgements "
                f"those of another collection? More than {ABSENT_MOST:.0%} missing, and the figures would mean nothing."
            )
        reason = "judged, but not in this index; counted as not found"
        return Settled(tuple(cases), tuple(Skipped(item, reason) for item in judged if item not in items), items)
    kept, left_out = [], []
    for case in cases:
        there = {item: grade for item, grade in case.relevant.items() if _has(items.get(item), case.target)}
        if there:
            kept.append(replace(case, relevant=there))
        else:
            left_out.append(Skipped(case.label, "not asked: what it should find could not be indexed"))
    if not kept:
        raise InputError(f"no query is left: {left_out[0].source}: {left_out[0].reason}")
    return Settled(tuple(kept), tuple(left_out), items)


def _told(case: Case, index: Sightline) -> Case:
    """The case with the ids of the items that its filter lets through: every item a search under it can find."""
    try:
        found = index.search(case.text or None, image=case.image, k=_all(index), where=case.relevant_where, least=0)
    except InputError as exc:
        raise InputError(f"{case.label}: {exc}") from exc
    if not found.hits:
        raise InputError(f"{case.label}: nothing in the index passes its 'relevant_where': {case.relevant_where}")
    return replace(case, relevant={hit.id: 1 for hit in sorted(found, key=lambda hit: hit.id)})


def _all(index: Sightline) -> int:
    return max(1, int(index.info()["items"]))


def _item(index: Sightline, item_id: str) -> Item | None:
    try:
        return index.get(item_id)
    except NotFound:
        return None


def _has(item: Item | None, target: str | None) -> bool:
    """Whether an item has anything of the modality looked for."""
    return item is not None and (target is None or any(_is([part], target) for part in item.parts))


def _labelled(skipped: Skipped, task: Task) -> Skipped:
    """ "row 17 images/a.jpg" under the name that the user knows it by."""
    first, _, rest = skipped.source.partition(" ")
    number, _, picture = rest.partition(" ")
    if first != "row" or not number.isdigit() or int(number) > len(task.documents):
        return skipped
    label = task.documents[int(number) - 1].label
    return Skipped(
        f"{label} {Path(picture).name}" if picture and Path(picture).name not in label else label, skipped.reason
    )


def _shown(show: Show) -> Callable[[Progress], None]:
    return lambda progress: show("indexing", progress.done, progress.total)
