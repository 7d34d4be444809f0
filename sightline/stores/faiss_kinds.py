"""The kinds of FAISS index: what each is made of, what it costs, which one a size calls for, and the graphics card.

Does not know where vectors are kept. Every kind but `flat` finds candidates; their scores come from stored vectors.
"""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from sightline.errors import ConfigError
from sightline.types import Vectors

log = logging.getLogger("sightline.stores")

BUILD_FROM = 50_000  # vectors of a space: up to here exact search in memory takes 8 ms of one core at 512 numbers
LISTS_FROM = 200_000  # vectors: up to here a whole pass over int8 codes takes about as long as re-scoring what it finds
LINKS = 32  # neighbours of a vector in the graph; twice as many at its lowest level, 4 bytes each
SAMPLE_A_LIST = (
    40  # vectors that each list's centre is found from; FAISS asks for 39 at least, and time grows with them
)
GPU_MOST = 1024  # hits that FAISS finds at a time on every graphics card
_GPU_TURN = threading.Lock()  # one search at a time on a card: FAISS' memory there is not shared


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of index. `effort` are lists visited or graph nodes kept in view, tried from the left at a build."""

    name: str
    factory: Callable[[int], str]  # vectors -> a string for faiss.index_factory
    pool: int  # candidates looked at for each hit asked for
    finer: str | None  # what to build instead where this one finds too little
    effort: tuple[int, ...] = (0,)


def lists(n: int) -> int:
    """How many lists n vectors are put into: about 4 times the root, a power of 2."""
    return int(2 ** max(0, round(math.log2(max(1.0, 4 * math.sqrt(n)))))) if n >= SAMPLE_A_LIST else 1


_PROBES = (8, 16, 32, 64, 128, 256, 512, 1024)  # the last is a quarter of the lists of a million vectors
KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("flat", lambda n: "Flat", 1, None),
        Kind("int8", lambda n: "SQ8", 2, "flat"),
        Kind("int4", lambda n: "SQ4", 4, "int8"),
        Kind("hnsw", lambda n: f"HNSW{LINKS}_SQ8", 2, "int8", (32, 64, 128, 256, 512)),
        Kind("ivf-int8", lambda n: f"IVF{lists(n)},SQ8", 2, "int8", _PROBES),
        Kind("ivf-int4", lambda n: f"IVF{lists(n)},SQ4", 4, "ivf-int8", _PROBES),
    )
}


def kind_named(name: str) -> Kind:
    """Raises ConfigError for a kind there is not."""
    if name not in KINDS:
        raise ConfigError(f"unknown index kind {name!r}. Known are: {', '.join(KINDS)}")
    return KINDS[name]


def chosen(n: int) -> tuple[Kind, str]:
    """The kind for n vectors of one modality, and why."""
    if n < LISTS_FROM:
        return KINDS["int8"], f"{n:,} vectors are fewer than {LISTS_FROM:,}: one pass over int8 codes is quick and sure"
    return KINDS["ivf-int8"], f"{n:,} vectors: int8 codes in {lists(n):,} lists, of which the nearest are read"


def trained(kind: Kind, n: int, sample: Vectors) -> faiss.Index:
    """An empty index for n vectors, its codes learnt from a sample of them. Raises RuntimeError where FAISS cannot."""
    single_threaded()
    n = n if len(sample) >= lists(n) else len(sample)  # most of them were deleted since they were counted
    index = faiss.index_factory(sample.shape[1], kind.factory(n), faiss.METRIC_INNER_PRODUCT)
    inside = faiss.try_extract_index_ivf(index)
    if inside is not None:
        inside.cp.min_points_per_centroid = 1  # fewer make poorer lists; what they find is measured, not guessed
    index.train(sample)
    return index


def read(path: Path) -> faiss.Index:
    """The index in a file, mapped: pages are read when needed and given back when memory is short.

    Raises RuntimeError where FAISS cannot read it.
    """
    index = faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)
    return index if not is_lists(index) else faiss.read_index(str(path), faiss.IO_FLAG_MMAP)


def is_lists(index: faiss.Index) -> bool:
    """Whether vectors lie in lists of which a search visits some."""
    return faiss.try_extract_index_ivf(index) is not None


def nearest(
    index: faiss.Index,
    queries: Vectors,
    pool: int,
    *,
    effort: int,
    only: faiss.IDSelector | None,
    share: float,
    all_of_them: bool,
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """(q, pool) approximate scores and row numbers, best first, -1 where nobody is.

    `only` restricts the rows to a `share` of them; `all_of_them` looks at every one of those, instead of in the likely
    places.
    """
    single_threaded()
    inner = faiss.downcast_index(index)
    if isinstance(inner, faiss.IndexHNSW):
        if all_of_them:
            flat = faiss.downcast_index(inner.storage)
            return _pair(flat.search(queries, pool, params=_parameters(faiss.SearchParameters, sel=only)))
        kept = min(index.ntotal, math.ceil(max(effort, pool) / share))  # the graph keeps what `only` rejects, too
        parameters = _parameters(faiss.SearchParametersHNSW, sel=only, efSearch=kept)  # type: ignore[attr-defined]
        return _pair(index.search(queries, pool, params=parameters))
    inside = faiss.try_extract_index_ivf(index)
    if inside is None:
        return _pair(index.search(queries, pool, params=_parameters(faiss.SearchParameters, sel=only)))
    visited = inside.nlist if all_of_them else min(effort, inside.nlist)
    parameters = _parameters(faiss.SearchParametersIVF, sel=only, nprobe=visited)
    return _pair(index.search(queries, pool, params=parameters))


def _parameters(of: Callable[..., Any], *, sel: faiss.IDSelector | None, **others: int) -> Any:
    return of(**others) if sel is None else of(sel=sel, **others)


def _pair(found: Any) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    return found[0], found[1]


def single_threaded() -> None:
    """One OpenMP thread for FAISS in this thread: waiting for each other, two took 20 times longer on a busy machine.

    A batch of 20 queries or more goes through BLAS, which has threads of its own.
    """
    faiss.omp_set_num_threads(1)


def card() -> str:
    """Where FAISS searches, for people; "" with faiss-cpu, which knows the processor only."""
    if _cards() is None:
        return ""
    return "on a graphics card where there is no filter" if _cards() else "on the processor: faiss-gpu sees no card"


def _cards() -> int | None:
    """How many graphics cards there are; None without faiss-gpu."""
    return int(faiss.get_num_gpus()) if hasattr(faiss, "StandardGpuResources") else None


def on_gpu(index: faiss.Index, *, effort: int = 0) -> faiss.Index | None:
    """A copy on the first graphics card; None without faiss-gpu, without a card, or for a kind it does not take."""
    if not _cards():
        return None
    try:
        copy = faiss.index_cpu_to_gpu(faiss.StandardGpuResources(), 0, index)
        if effort and is_lists(index):
            faiss.GpuParameterSpace().set_index_parameter(copy, "nprobe", effort)
    except RuntimeError as exc:
        log.info("this index stays on the processor: %s", str(exc).splitlines()[0])
        return None
    return copy


def gpu_search(index: faiss.Index, queries: Vectors, pool: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """(q, pool) scores and row numbers by a copy that `on_gpu` made."""
    with _GPU_TURN:
        return _pair(index.search(queries, pool))
