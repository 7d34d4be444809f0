"""Several vectors of a part in several spaces at once, against numpy: on every store that is exact, at every change."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from sightline.filters import parse
from sightline.protocols import Store
from sightline.types import PartVectors, Space, Vectors
from tests.contracts.catalogs import OTHER, SPACE, item, unit
from tests.contracts.conftest import SERVER, Opener

N = 24
Truth = dict[Space, dict[str, Vectors]]  # space -> part -> (m, dim)


def _vectors(number: int, seed: int) -> Mapping[Space, int]:
    """How many vectors the picture of an item has in each space: one to three in one, none to two in the other."""
    return {SPACE: 1 + (number + seed) % 3, OTHER: (number * 2 + seed) % 3}


def write(store: Store, truth: Truth, numbers: range, seed: int = 0) -> None:
    items, given = [], []
    for number in numbers:
        one = item(f"i{number:02d}", ("image-0", "image", None), ("text-0", "text", "words"), price=number)
        items.append(one)
        for part in one.parts:
            for space, count in _vectors(number + (part.modality == "text"), seed).items():
                truth[space].pop(part.id, None)
                if count:
                    rows = unit(count, space.dim, seed=1000 * seed + 10 * number + (part.modality == "text"))
                    truth[space][part.id] = rows
                    given.append(PartVectors(part.id, space, rows))
    store.upsert(items, given)


def agrees(store: Store, truth: Truth) -> None:
    """Every search in both spaces finds what numpy finds: a part once, by the best of its vectors."""
    for space in truth:
        queries = unit(4, space.dim, seed=77)
        for k, where, modality in ((3, None, None), (100, None, None), (5, "price < 9", None), (4, None, "image")):
            keep = parse(where) if where else None
            kinds = frozenset({modality}) if modality else None
            found = store.search(space, queries, k, where=keep, modalities=kinds)  # type: ignore[arg-type]
            for query, hits in zip(queries, found, strict=True):
                scores = {
                    part: float((rows @ query).max())
                    for part, rows in truth[space].items()
                    if not (where and int(part[1:3]) >= 9) and (not modality or modality in part)
                }
                best = sorted(scores, key=lambda part: (-scores[part], part))[:k]
                assert [hit.part_id for hit in hits] == best
                assert [hit.score for hit in hits] == pytest.approx([scores[part] for part in best], abs=1e-5)
    assert store.stats().vectors == sum(len(rows) for parts in truth.values() for rows in parts.values())


@pytest.mark.parametrize("kept", ["faiss", "faiss flat", "faiss int8", "qdrant", *SERVER], indirect=True)
def test_several_vectors_in_several_spaces_through_every_change(kept: Opener) -> None:
    store = kept()
    truth: Truth = {SPACE: {}, OTHER: {}}
    write(store, truth, range(N))
    agrees(store, truth)

    write(store, truth, range(4, 12), seed=1)  # replaced: one becomes several, and several one
    agrees(store, truth)

    gone = [f"i{number:02d}" for number in (0, 5, 11, 23)]
    assert store.delete(gone) == 4
    for parts in truth.values():
        for part in [part for part in parts if part[:3] in gone]:
            del parts[part]
    agrees(store, truth)

    fresh = {part: unit(1 + n % 3, OTHER.dim, seed=500 + n) for n, part in enumerate(sorted(truth[SPACE])[:9])}
    store.add_vectors([PartVectors(part, OTHER, rows) for part, rows in fresh.items()])
    truth[OTHER] |= fresh
    agrees(store, truth)
    store.close()

    store = kept()
    agrees(store, truth)
    digests = [f"digest of {part}" for part in truth[OTHER]]
    known = store.known(OTHER, digests)
    for part, rows in truth[OTHER].items():
        np.testing.assert_allclose(known[f"digest of {part}"], rows, atol=1e-6)
    store.forget_space(SPACE.fingerprint)
    agrees(store, {OTHER: truth[OTHER]})
    assert store.search(SPACE, unit(1), 5) == [[]]
