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
from retriever.reranking import KINDS, Kind, Trust, kind_of, weighed
from sightline.engine import Sightline
from sightline.errors import EngineError, InputError
from sightline.evaluation.cases import Case
from sightline.evaluation.metrics import Difference, Score, by_query, compared, mean

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
    """One judged query, the first order, and what the reranker said of each hit of it."""

    case: Case
    kind: Kind
    first: tuple[str, ...]  # ids, best first
    relevances: tuple[float | None, ...]  # as many
    odds: tuple[float | None, ...]  # as many
    ms: float  # that the reranker took

    def order(self, weight: float, depth: int) -> list[str]:
        """The ids as they come back when the first `depth` are read and believed so far."""
        head = (
            weighed(self.odds[:depth], self.relevances[:depth], weight)
            if weight
            else range(min(depth, len(self.first)))
        )
        return [*(self.first[at] for at in head), *self.first[depth:]]


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
    """Quality against time, all queries together, at the weights found."""

    depth: int
    gained: Difference
    ms: float  # median a query that is read; the share that the hits of this depth have of all that were read


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

    A query that it fails at is one of those; when it fails at the first `PATIENCE`, that is raised, as it was. Raises
    ConfigError, MissingExtra for the spec.
    """
    reranking = index.rerankers.named(spec, gated=False, depth=max(DEPTHS))
    assert reranking  # a spec is never empty here
    found: list[Read] = []
    failed = 0
    for done, case in enumerate(cases):
        show("reading", done, len(cases))
        account = retriever.Account()
        hits = index.search(
            case.text or None, image=case.image, negative=case.negative, where=case.where or None, target=case.target,
            k=max(DEPTHS), rerank="", least=0, account=account,
        )  # fmt: skip
        if not account.asked or not set(case.relevant) & {hit.id for hit in hits}:
            continue
        started = time.perf_counter()
        try:
            odds = reranking.judged(account.asked.query, hits.hits)
        except EngineError:
            failed += 1
            if failed == PATIENCE and not found:
                raise
            continue
        took_ms = (time.perf_counter() - started) * 1000
        if any(one is not None for one in odds):
            ids, relevances = tuple(hit.id for hit in hits), tuple(hit.relevance for hit in hits)
            kind = kind_of(account.asked.terms, relevances)
            found.append(Read(case, kind, ids, relevances, tuple(odds), took_ms))
    show("reading", len(cases), len(cases))
    return found, len(cases) - len(found)


def tune(spec: str, reads: Sequence[Read], *, before: Trust, left_out: int = 0) -> Tuned:
    """How far the reranker is to be believed, by kind of query: chosen on some, proved on the others.

    Believed is what gains on queries held out, the whole interval above 0; not asked at all is who loses, the whole
    interval below, or gains at no weight. All else is left as it was, unless that is shown to lose. Kinds of which
    there are few are tried together. Raises InputError without reads, MissingExtra without the metrics.
    """
    if not reads:
        raise InputError("no query can be used: each needs something relevant among the first hits that can be read")
    by_kind = {kind: [one for one in reads if one.kind == kind] for kind in KINDS}
    rare = [one for kind, some in by_kind.items() if len(some) < FEWEST and kind != "clear" for one in some]
    kinds = tuple(
        _believed(kind, rare if some and some[0] in rare else some, before.weights[kind], of=len(some))
        for kind, some in by_kind.items()
    )
    weights = {one.kind: one.after for one in kinds}
    asked = [one for one in reads if weights[one.kind]]
    depths = tuple(_at_depth(depth, asked, reads, weights) for depth in DEPTHS) if asked else ()
    return Tuned(spec, kinds, depths, left_out)


def _believed(kind: Kind, reads: Sequence[Read], before: float, *, of: int) -> Believed:
    """`of` them are of this kind: the others are of rare kinds as well, which are tried together."""
    if len(reads) < FEWEST:
        return Believed(kind, of, before, before, None, None, f"fewer than {FEWEST} queries of this kind")
    tried = {weight: _values(reads, weight) for weight in WEIGHTS}
    best = _best(tried, np.arange(len(reads)))
    held_out = np.zeros(len(reads))
    for fold in _folds(reads):
        held_out[fold] = tried[_best(tried, np.setdiff1d(np.arange(len(reads)), fold))][fold]
    groups = [one.case.group or one.case.id for one in reads]
    first = mean({MEASURE: tried[0.0]}, groups=groups)[MEASURE]
    gained = compared({MEASURE: tried[0.0]}, {MEASURE: held_out}, groups=groups)[MEASURE]
    loses = (
        before and compared({MEASURE: tried[0.0]}, {MEASURE: _values(reads, before)}, groups=groups)[MEASURE].high < 0
    )
    if not best:
        after, why = 0.0, "no weight gains: not asked"
    elif gained.low > 0:
        after, why = best, ""
    elif gained.high < 0 or loses:
        after, why = 0.0, "it loses: not asked"
    else:
        after, why = before, "neither gain nor loss is shown: left"
    shared = f"tried with {len(reads) - of} of other rare kinds" if of < len(reads) else ""
    return Believed(kind, of, before, after, first, gained, "; ".join(filter(None, (why, shared))))


def _at_depth(depth: int, asked: Sequence[Read], reads: Sequence[Read], weights: Mapping[Kind, float]) -> AtDepth:
    groups = [one.case.group or one.case.id for one in reads]
    first = _ndcg(reads, [list(one.first) for one in reads])
    then = _ndcg(reads, [one.order(weights[one.kind], depth) for one in reads])
    ms = float(np.median([one.ms * min(1.0, depth / len(one.first)) for one in asked]))
    return AtDepth(depth, compared({MEASURE: first}, {MEASURE: then}, groups=groups)[MEASURE], ms)


def _values(reads: Sequence[Read], weight: float) -> NDArray[np.float64]:
    """(q,): nDCG@10 at the product's own depth."""
    return _ndcg(reads, [one.order(weight, DEPTH) for one in reads])


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
