"""Built indexes over pictures with regions: what a search finds of what exact search would, and what is told of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from sightline.stores import sqlite, sqlite_boxes
from sightline.stores.chance import SAMPLE, Chance
from sightline.stores.faiss import FaissStore
from sightline.stores.faiss_build import Plan
from sightline.stores.faiss_built import Built
from sightline.stores.faiss_exact import SPARE
from sightline.types import Modality, PartVectors, Space, Vectors
from tests.contracts.catalogs import item

PARTS, REGIONS, DIM, CLUSTERS = 4000, 8, 32, 60
SPACE = Space("regions", DIM, "c" * 64)
BOXES = tuple((0.1 * n, 0.0, 0.1 * n + 0.2, 1.0) for n in range(REGIONS))


def clustered(count: int, seed: int, spread: float = 0.6) -> Vectors:
    """(count, DIM) unit rows about the same CLUSTERS centres."""
    centres = np.random.default_rng(1).normal(size=(CLUSTERS, DIM)) / DIM**0.5
    rng = np.random.default_rng(seed)
    rows = centres[rng.integers(CLUSTERS, size=count)] + spread * rng.normal(size=(count, DIM)) / DIM**0.5
    unit: Vectors = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return unit


@pytest.fixture(scope="module")
def rows() -> Vectors:
    """(PARTS, 1 + REGIONS, DIM): the whole first, every region about some other centre."""
    return clustered(PARTS * (1 + REGIONS), seed=2).reshape(PARTS, 1 + REGIONS, DIM)


@pytest.fixture(scope="module")
def store(rows: Vectors, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaissStore]:
    """All of them, without an index yet; a build replaces the one before."""
    folder: Path = tmp_path_factory.mktemp("regions")
    opened = FaissStore(folder, plan=Plan(build_from=10**9))
    items = [item(f"item-{n:04d}", ("image-0", "image", None)) for n in range(PARTS)]
    given = zip(items, rows, strict=True)
    opened.upsert(items, [PartVectors(one.parts[0].id, SPACE, some, BOXES) for one, some in given])
    yield opened
    opened.close()


def share_found(store: FaissStore, rows: Vectors, queries: Vectors, k: int) -> float:
    """Of the k best parts as regions count, how many the store's own search finds."""
    with store._database.reading() as connection:
        chance = Chance.of(sqlite_boxes.sample(connection, SPACE, SAMPLE))
        assert sqlite.vector_count(connection, SPACE) == rows.shape[0] * rows.shape[1]
    assert chance is not None
    less = chance.less(queries)
    assert (less > 0.05).all()
    cosines = np.einsum("qd,pmd->qpm", queries, rows)
    best = np.maximum(cosines[:, :, 0], cosines[:, :, 1:].max(axis=2) - less[:, None])
    expected = np.sort(best, axis=1)[:, -k]
    found = store.search(SPACE, queries, k)
    pairs = zip(found, expected, strict=True)
    return float(np.mean([[hit.score >= last - 1e-5 for hit in hits] for hits, last in pairs]))


@pytest.mark.parametrize("kind", ["hnsw", "ivf-int8", "int8"])
def test_a_built_index_finds_pictures_by_regions_and_says_how_many(store: FaissStore, rows: Vectors, kind: str) -> None:
    queries: dict[Modality, Vectors] = {"image": clustered(150, seed=3), "text": clustered(150, seed=4, spread=0.9)}
    (built,) = store.build(SPACE, queries, kind=kind)
    assert built.kind == kind
    (verified,) = store.verify(SPACE)
    for certificate in (built, verified):
        assert certificate.holds
        for told in certificate.measured:
            real = share_found(store, rows, queries[told.queries], 10)
            assert real >= 0.97
            assert told.recall == pytest.approx(real, abs=0.02)
    assert share_found(store, rows, queries["image"][:20], 100) >= 0.97


@pytest.mark.parametrize("kind", ["hnsw", "ivf-int8", "int8"])
def test_what_is_read_again_grows_with_what_is_found_and_every_hit_scores_by_its_best(
    store: FaissStore, rows: Vectors, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.build(SPACE, kind=kind)
    query, read = clustered(1, seed=5), []
    real = sqlite.vectors_of
    store.search(SPACE, query, 1)
    monkeypatch.setattr(sqlite, "vectors_of", lambda c, ids, dim: read.append(len(ids)) or real(c, ids, dim))  # type: ignore[func-returns-value]
    (hits,) = store.search(SPACE, query, 100)
    # two searches, of wholes and of regions: twice the hits asked for and four times that, and what is beside the best
    assert sum(read) <= 2 * 100 * (1 + 4) + 2 * SPARE + 100 * (REGIONS - 1)
    with store._database.reading() as connection:
        less = Chance.of(sqlite_boxes.sample(connection, SPACE, SAMPLE)).less(query)  # type: ignore[union-attr]
    cosines = rows @ query[0]  # (p, m)
    best = np.maximum(cosines[:, 0], cosines[:, 1:].max(axis=1) - less)
    numbers = [int(hit.item_id.removeprefix("item-")) for hit in hits]
    assert [hit.score for hit in hits] == pytest.approx(best[numbers], abs=1e-5)


def test_a_certificate_knows_a_search_that_misses_wholes(
    store: FaissStore, rows: Vectors, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A measure by another search than the store's would not see it."""
    real = Built.search

    def half(self: Built, *given: object, which: str = "all", **how: object) -> object:
        found = real(self, *given, which=which, **how)  # type: ignore[arg-type]
        return [hits[::2] for hits in found] if which == "wholes" else found

    store.build(SPACE, kind="int8")
    monkeypatch.setattr(Built, "search", half)
    (told,) = store.verify(SPACE, {"image": rows[:60, 0]})
    assert told.holds is False
