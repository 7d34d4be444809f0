"""From pairs to an installed adapter: read, judge, fit, install; or a report that says why not.

Knows the order of these steps and the public door of an index.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from sightline.adaptation.fitting import Examples, fit, kept
from sightline.adaptation.judging import Verdict, judge
from sightline.adaptation.pairs import Kind, Tell, read_pairs
from sightline.adaptation.rivals import rivals
from sightline.encoders.adapter import Adapter
from sightline.engine import Sightline
from sightline.errors import InputError
from sightline.types import Modality, Skipped, Vectors

LEAST_PAIRS = 30  # of one kind: with fewer no gain could be proven


@dataclass(frozen=True, slots=True)
class Adapted:
    """What became of one `adapt`. `adapter` holds the maps that proved to help; None where none did."""

    adapter: Adapter | None
    installed: bool
    verdicts: tuple[Verdict, ...]
    skipped: tuple[Skipped, ...]  # rows, and kinds with too few of them
    pairs: int
    repeated: int
    rivals: int  # stored vectors of no pair that answers were ranked among when the maps were judged
    seconds: float

    def to_json(self) -> dict[str, Any]:
        return {
            "installed": self.installed,
            "digest": self.adapter.digest if self.adapter else None,
            "verdicts": [verdict.to_json() for verdict in self.verdicts],
            "pairs": self.pairs,
            "repeated": self.repeated,
            "rivals": self.rivals,
            "skipped": [{"source": one.source, "reason": one.reason} for one in self.skipped],
            "seconds": round(self.seconds, 3),
        }


def adapt(
    index: Sightline,
    paths: Sequence[Path],
    *,
    closed: bool = False,
    seed: int = 0,
    dry_run: bool = False,
    tell: Tell = lambda what, done, total: None,
) -> Adapted:
    """Fit a map for each kind of query that has pairs, and install those that prove to help; see `Verdict`.

    With `closed`, queries are said to ask only for what pairs speak of: the rest may get worse. A map takes the
    place of the one there was for its kind of query, and is judged against the encoder alone; where nothing helps, or
    with `dry_run`, all stays as it is. Equal pairs and seed give equal maps.
    Raises InputError without usable pairs, PassportMismatch when another encoder built the index.
    """
    started = time.perf_counter()
    if not index.info()["items"]:
        raise InputError("nothing is indexed yet: index first, then adapt")
    read = read_pairs(paths, index, tell=tell)
    few = {kind: count for kind, count in read.counts.items() if count < LEAST_PAIRS or _alone(read.examples[kind])}
    if len(few) == len(read.counts):
        raise InputError(
            f"too few pairs ({_told(few)}): {LEAST_PAIRS} with two answers at least, else nothing is proven"
        )
    skipped = [*read.skipped, *(Skipped(f"{kind} that asks", _why(few[kind])) for kind in few)]
    answers = np.concatenate([examples.answers for kind, examples in read.examples.items() if kind not in few])
    tell("taking vectors of the rest of the index to judge among", 0, 1)
    others = rivals(index, read.items, answers, seed=seed)
    maps: dict[Modality, Any] = {}
    facts: dict[str, Any] = {}
    verdicts = []
    for kind, examples in read.examples.items():
        if kind not in few:
            made, verdict = _fitted(kind, examples, others, closed=closed, seed=seed, tell=tell)
            verdicts.append(verdict)
            if verdict.good:
                maps[kind] = made
                facts[kind] = {"pairs": read.counts[kind], "seed": seed, "closed": closed} | verdict.to_json()
    adapter = _beside(index.adapter, index.plain_encoder.space.fingerprint, maps, facts) if maps else None
    if adapter and not dry_run:
        index.install(adapter)
    return Adapted(
        adapter,
        installed=adapter is not None and not dry_run,
        verdicts=tuple(verdicts),
        skipped=tuple(skipped),
        pairs=sum(read.counts.values()),
        repeated=read.repeated,
        rivals=sum(map(len, others.values())),
        seconds=time.perf_counter() - started,
    )


def _beside(
    before: Adapter | None, fingerprint: str, maps: Mapping[Modality, Any], facts: Mapping[str, Any]
) -> Adapter:
    """New maps, and those of other kinds that were there, each with what is told of it.

    Before figures were kept by kind, an adapter told its pairs and verdicts once for all maps.
    """
    kept_maps = {kind: made for kind, made in before.maps.items() if kind not in maps} if before else {}
    by_kind = dict(facts)
    for kind in kept_maps:
        told = before.facts if before else {}
        old = {name: told[name] for name in ("pairs", "seed", "closed") if name in told}
        figures: dict[str, Any] = next((one for one in told.get("verdicts", []) if one["asks"] == kind), {})
        by_kind[kind] = told.get("kinds", {}).get(kind, old | figures)
    pairs = sum(one.get("pairs", 0) for one in by_kind.values())
    return Adapter(fingerprint, {**kept_maps, **maps}, {"pairs": pairs, "kinds": by_kind})


def _fitted(
    kind: Kind, examples: Examples, others: Mapping[Modality, Vectors], *, closed: bool, seed: int, tell: Tell
) -> tuple[Any, Verdict]:
    doing = f"judging on pairs held out ({kind} asks)"
    tell(doing, 0, None)
    with threadpool_limits(1, user_api="blas"):  # thousands of small products: on a busy machine threads only wait
        asked_anew, unseen = judge(
            examples, rivals=others, seed=seed, tell=lambda done, total: tell(doing, done, total)
        )
        tell(f"fitting on all pairs ({kind} asks)", 0, 1)
        made = fit(examples, seed=seed)
        neighbours = kept(made, examples.queries, seed=seed)
    return made, Verdict(kind, asked_anew, unseen, neighbours, closed)


def _why(count: int) -> str:
    return f"too few pairs: {count}" if count < LEAST_PAIRS else f"all {count} pairs have the same answer"


def _alone(examples: Examples) -> bool:
    """Whether there is nothing to tell the one answer from."""
    return int(examples.owner[-1]) == 0


def _told(counts: dict[Kind, int]) -> str:
    return ", ".join(f"{count} where {kind} asks" for kind, count in counts.items())
