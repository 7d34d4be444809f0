"""What a text encoder of its own adds to an index, by what is asked: the table "Texts with an encoder of their own".

The collections and queries of `benchmarks.slices` that have words, asked with the text encoder, then of a copy that
it was taken out of. nDCG@10 of texts alone and of all channels, the paired difference (95 %), and milliseconds a query.

    SIGHTLINE_TEXT_ENCODER=SPEC python -m benchmarks.texts --data DIR [--encoder SPEC] [--out benchmarks/results]
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.report import run
from benchmarks.slices import Asked, catalog, gained, ndcg, products, scored
from sightline import Sightline
from sightline.evaluation import Case
from sightline.evaluation.asking import settled
from sightline.evaluation.cases import Task
from sightline.texts import NONE

Figures = dict[str, Any]


def _measured(source: Callable[[Path, str, Path], Iterator[Asked]]) -> Callable[[Path, str, Path], Figures]:
    def task(data: Path, encoder: str, work: Path) -> Figures:
        return {asked.name: _figures(asked) for asked in source(data, encoder, work) if _is_worded(asked)}

    return task


def _is_worded(asked: Asked) -> bool:
    with Sightline.open(asked.folder, create=False) as index:
        if index.text_encoder is None:
            raise SystemExit("SIGHTLINE_TEXT_ENCODER names no text encoder: there is nothing to measure")
        found = index.search("anything", least=0, k=50)
        return any(part.modality == "text" for hit in found for part in hit.item.parts)


def _figures(asked: Asked) -> Figures:
    without = asked.folder.with_name(f"{asked.folder.name}-without")
    if not without.exists():
        shutil.copytree(asked.folder, without)
        with Sightline.open(without, create=False) as index:
            index.migrate(text_encoder=NONE)
    figures: Figures = {}
    fused = []
    for name, folder, spec in (("without", without, NONE), ("with", asked.folder, None)):
        with Sightline.open(folder, create=False, **({"text_encoder": spec} if spec else {})) as index:
            cases = settled(Task("queries", asked.cases), index).cases
            fused.append(ndcg(index, cases, None))
            alone, ms = ndcg(index, cases, ("dense",)), _ms(index, cases)
            figures[name] = {"texts alone": scored(alone), "fused": scored(fused[-1]), "ms": ms}
    return {"queries": len(fused[0]), **figures, "added": gained(*fused)}


def _ms(index: Sightline, cases: Sequence[Case]) -> float:
    """Median of one search each; what it loads is there by then."""
    times = []
    for case in cases:
        started = time.perf_counter()
        index.search(case.text, negative=case.negative, where=case.where or None, least=0)
        times.append(time.perf_counter() - started)
    return round(1000 * float(np.median(times)), 1)


TASKS: Mapping[str, Callable[[Path, str, Path], Figures]] = {
    "catalog": _measured(catalog), "products": _measured(products),
}  # fmt: skip


if __name__ == "__main__":
    run("texts", __doc__, TASKS)
