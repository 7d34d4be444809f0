"""How far a reranker is to be believed, by the user's own judged queries: each is read once, every setting tried on it.

Asks through the public doors; what judgements amount to beside the first order is the retriever's.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

import retriever
from retriever.reranking import KINDS, Kind, Reranking, Trust, kind_of, weighed
from sightline.engine import Sightline
from sightline.errors import EngineError, InputError
from sightline.evaluation.cases import Case
from sightline.evaluation.metrics import Difference, Score, by_query, compared, mean
from sightline.types import Hit, Query, Results

WEIGHTS = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0)
DEPTH = 20  # hits that are read where nobody says how many
DEPTHS = (10, 20, 50)
MEASURE = "ndcg@10"
FOLDS = 5
PATIENCE = 3  # queries that a reranker may fail at before any is read
FEWEST = 20  # judged queries of a kind: fewer say nothing of the next
Show = Callable[[str, int, int], None]
Values = Mapping[float, NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class Read:
    """One judged query, the first order, and what the reranker said of so many of its hits."""

    case: Case
    kind: Kind
    first: tuple[str, ...]  # ids, best first
    relevances: tuple[float | None, ...]  # as many
    judged: Mapping[int, tuple[float | None, ...]]  # depth -> log-odds of that many hits; it failed at depths not here
    ms: Mapping[int, float]  # depth -> what that took

    def order(self, weight: float, depth: int) -> list[str]:
        """The ids as they come back when the first `depth` are read and believed so far."""
        odds = self.judged.get(depth, ()) if weight else ()
        head = weighed(odds, self.relevances[: len(odds)], weight)
        return [*(self.first[at] for at in head), *self.first[len(odds) :]]


@dataclass(frozen=True, slots=True)
class Believed:
    """What was tried for one kind of query; `gained` is of queries that had no part in choosing."""

    kind: Kind
    queries: int
    before: float
    after: float  # as before where it was left
    first: Score | None  # nDCG@10 without the reranker
    gained: Difference | None  # nDCG@10, as chosen on the other folds, against the first order
    why: str


@dataclass(frozen=True, slots=True)
class AtDepth:
    """Quality against time, all queries that were read together, each at a weight that it had no part in choosing."""

    depth: int
    gained: Difference
    ms: float | None  # median of a query that is read; None: it failed at this depth


@dataclass(frozen=True, slots=True)
class Tuned:
    """How far a reranker is to be believed here, proposed or set."""

    reranker: str
    kinds: tuple[Believed, ...]
    depths: tuple[AtDepth, ...]
    left_out: int  # queries that could not be read, or with nothing relevant in the index

    @property
    def trust(self) -> Trust:
        return Trust({one.kind: one.after for one in self.kinds}, tuned=True)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def read(
    index: Sightline, cases: Sequence[Case], spec: str, *, show: Show = lambda what, done, total: None
) -> tuple[list[Read], int]:
    """Each case's first order and the reranker's judgements of it, and how many cases could not be read.

    Each depth is read as a search of that depth reads it. A query that cannot be asked, or that the reranker fails at,
    is left out; when it fails at the first `PATIENCE`, that is raised, as it was, and so is the last reason where no
    case can be asked. Raises ConfigError, MissingExtra for the spec.
    """
    reranking = index.rerankers.named(spec, gated=False)
    assert reranking  # a spec is never empty here
    found: list[Read] = []
    failed, why = 0, None
    for done, case in enumerate(cases):
        show("reading", done, len(cases))
        account = retriever.Account()
        try:
            hits = _first(index, case, max(*DEPTHS, reranking.depth), account)
        except InputError as exc:
            why = exc
            continue
        if not account.asked or not set(case.relevant) & {hit.id for hit in hits}:
            continue
        try:
            judged, ms = _judged(reranking, account.asked.query, hits.hits)
        except EngineError:
            failed += 1
            if failed == PATIENCE and not found:
                raise
            continue
        if any(one is not None for one in judged[reranking.depth]):
            ids, relevances = tuple(hit.id for hit in hits), tuple(hit.relevance for hit in hits)
            kind = kind_of(account.asked.terms, relevances)
            found.append(Read(case, kind, ids, relevances, judged, ms))
    show("reading", len(cases), len(cases))
    if why and not found:
        raise why
    return found, len(cases) - len(found)


def _first(index: Sightline, case: Case, depth: int, account: retriever.Account) -> Results:
    """The hits before any is read; the item that the query is a part of is not one, for it would find itself."""
    return index.search(
        case.text or None, image=case.image, negative=case.negative, where=case.where or None, target=case.target,
        exclude=[case.own] if case.own else (), k=depth, rerank="", least=0, account=account,
    )  # fmt: skip


def _judged(
    reranking: Reranking, query: Query, hits: Sequence[Hit]
) -> tuple[dict[int, tuple[float | None, ...]], dict[int, float]]:
    """By depth the log-odds, and milliseconds. Who judges each hit alone keeps what was said at the depths before."""
    judged: dict[int, tuple[float | None, ...]] = {}
    ms: dict[int, float] = {}
    before = 0.0
    for depth in sorted({*DEPTHS, reranking.depth}):
        started = time.perf_counter()
        try:
            judged[depth] = tuple(reranking.judged(query, hits[:depth]))
        except EngineError:
            if depth <= reranking.depth:
                raise
            break  # deeper it takes too long: what a search would meet with, too
        ms[depth] = before + (time.perf_counter() - started) * 1000
        if getattr(reranking.reranker, "alone", None):
            before = ms[depth]
    return judged, ms


def tune(spec: str, reads: Sequence[Read], *, before: Trust, depth: int = DEPTH, left_out: int = 0) -> Tuned:
    """How far the reranker is to be believed, by kind of query: chosen on some, proved on the others.

    Believed is what gains on queries held out, the whole interval above 0; not asked at all is who loses, the whole
    interval below, or gains at no weight. All else is left as it was, unless that is shown to lose. Kinds of which
    there are few are tried together. `depth` hits are read. Raises InputError without reads, MissingExtra without the
    metrics.
    """
    if not reads:
        raise InputError("no query can be used: each needs something relevant among the first hits that can be read")
    by_kind = {kind: [one for one in reads if one.kind == kind] for kind in KINDS}
    rare = [one for kind, some in by_kind.items() if len(some) < FEWEST and kind != "clear" for one in some]
    kinds: list[Believed] = []
    weighing: list[tuple[Read, float]] = []  # each read with a weight that it had no part in choosing
    for kind, own in by_kind.items():
        tried = rare if own and own[0] in rare else own
        one, weights = _believed(kind, tried, before.weights[kind], depth=depth, of=len(own))
        kinds.append(one)
        weighing += [(read, weight) for read, weight in zip(tried, weights, strict=True) if read.kind == kind]
    asked = any(one.after for one in kinds if one.queries)
    depths = tuple(_at_depth(at, weighing) for at in sorted({*DEPTHS, depth})) if asked else ()
    return Tuned(spec, tuple(kinds), depths, left_out)


def _believed(
    kind: Kind, reads: Sequence[Read], before: float, *, depth: int, of: int
) -> tuple[Believed, NDArray[np.float64]]:
    """What is found of a kind, and (q,) for each read the weight that the others would give it.

    `of` them are of this kind: the others are of rare kinds as well, which are tried together.
    """
    if len(reads) < FEWEST:
        few = f"fewer than {FEWEST} queries of this kind"
        return Believed(kind, of, before, before, None, None, few), np.full(len(reads), before)
    tried = {weight: _ndcg(reads, [one.order(weight, depth) for one in reads]) for weight in {*WEIGHTS, before}}
    best = _best(tried, np.arange(len(reads)))
    chosen, held_out = np.zeros(len(reads)), np.zeros(len(reads))
    for fold in _folds(reads):
        chosen[fold] = weight = _best(tried, np.setdiff1d(np.arange(len(reads)), fold))
        held_out[fold] = tried[weight][fold]
    groups = [one.case.group or one.case.id for one in reads]
    first = mean({MEASURE: tried[0.0]}, groups=groups)[MEASURE]
    gained = compared({MEASURE: tried[0.0]}, {MEASURE: held_out}, groups=groups)[MEASURE]
    as_it_is = compared({MEASURE: tried[0.0]}, {MEASURE: tried[before]}, groups=groups)[MEASURE]
    if not best:
        after, why = 0.0, "no weight gains: not asked"
    elif gained.low > 0:
        after, why = best, ""
    elif gained.high < 0 or as_it_is.high < 0:
        after, why = 0.0, "it loses: not asked"
    else:
        after, why = before, "neither gain nor loss is shown: left"
    shared = f"tried with {len(reads) - of} of other rare kinds" if of < len(reads) else ""
    told = Believed(kind, of, before, after, first, gained, "; ".join(filter(None, (why, shared))))
    return told, chosen if why == "" else np.full(len(reads), after)


def _at_depth(depth: int, weighing: Sequence[tuple[Read, float]]) -> AtDepth:
    reads = [one for one, _ in weighing]
    groups = [one.case.group or one.case.id for one in reads]
    first = _ndcg(reads, [list(one.first) for one in reads])
    then = _ndcg(reads, [one.order(weight, depth) for one, weight in weighing])
    took = [one.ms[depth] for one, weight in weighing if weight and depth in one.ms]
    gained = compared({MEASURE: first}, {MEASURE: then}, groups=groups)[MEASURE]
    return AtDepth(depth, gained, float(np.median(took)) if took else None)


def _ndcg(reads: Sequence[Read], orders: Sequence[Sequence[str]]) -> NDArray[np.float64]:
    names = [str(at) for at in range(len(reads))]
    judged = {name: one.case.relevant for name, one in zip(names, reads, strict=True)}
    return by_query(dict(zip(names, orders, strict=True)), judged, [MEASURE])[MEASURE]


def _best(tried: Values, rows: NDArray[np.int_]) -> float:
    """The weight of greatest mean on some rows; of equals the least."""
    return max(tried, key=lambda weight: (round(float(tried[weight][rows].mean()), 9), -weight))


def _folds(reads: Sequence[Read]) -> list[NDArray[np.int_]]:
    """Places of the reads, a fold each; those of one group stay together."""
    groups = {name: at for at, name in enumerate(dict.fromkeys(one.case.group or one.case.id for one in reads))}
    fold = np.asarray([groups[one.case.group or one.case.id] % FOLDS for one in reads])
    return [np.flatnonzero(fold == at) for at in range(FOLDS) if (fold == at).any()]
