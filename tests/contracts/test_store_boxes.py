"""Where in a part its regions are: on every store, at every change."""

from __future__ import annotations

import numpy as np
import pytest

from sightline.errors import InputError
from sightline.protocols import Store
from sightline.stores.chance import Chance
from sightline.stores.faiss import FaissStore
from sightline.types import Box, PartVectors, Stored, Vectors
from tests.contracts.catalogs import OTHER, SPACE, item, unit
from tests.contracts.conftest import SERVER, Opener

LEFT: Box = (0.0, 0.0, 0.5, 1.0)
RIGHT: Box = (0.5, 0.25, 1.0, 0.75)
ITEMS = [item(name, ("image-0", "image", None), ("title", "text", f"a {name}")) for name in ("a", "b", "c")]
DIGESTS = [one.parts[0].digest for one in ITEMS]


def written(store: Store) -> None:
    """`a` with two regions, `b` with two vectors of which nobody said where, `c` with one."""
    rows = unit(6)
    store.upsert(
        ITEMS,
        [
            PartVectors("a#image-0", SPACE, rows[:3], (LEFT, RIGHT)),
            PartVectors("b#image-0", SPACE, rows[3:5]),
            PartVectors("c#image-0", SPACE, rows[5:]),
        ],
    )


def test_boxes_come_back_by_what_a_part_holds(store: Store) -> None:
    assert store.boxes(SPACE, DIGESTS) == {}
    written(store)
    assert store.boxes(SPACE, [*DIGESTS, "nobody's"]) == {DIGESTS[0]: (LEFT, RIGHT)}
    assert store.boxes(OTHER, DIGESTS) == {}
    assert len(store.known(SPACE, DIGESTS)[DIGESTS[0]]) == 3


def test_boxes_go_with_their_vectors(store: Store) -> None:
    written(store)
    rows = unit(4, seed=3)
    store.add_vectors([PartVectors("a#image-0", SPACE, rows[:2], (RIGHT,)), PartVectors("c#image-0", SPACE, rows[2:3])])
    assert store.boxes(SPACE, DIGESTS) == {DIGESTS[0]: (RIGHT,)}
    store.add_vectors([PartVectors("a#image-0", SPACE, rows[:1]), PartVectors("c#image-0", SPACE, rows[:2], (LEFT,))])
    assert store.boxes(SPACE, DIGESTS) == {DIGESTS[2]: (LEFT,)}
    store.upsert([ITEMS[2]], [PartVectors("c#image-0", SPACE, rows[:1])])
    assert store.boxes(SPACE, DIGESTS) == {}
    written(store)
    store.delete(["a"])
    assert store.boxes(SPACE, DIGESTS) == {}


def test_boxes_are_of_a_space(store: Store) -> None:
    written(store)
    store.add_vectors([PartVectors("a#image-0", OTHER, unit(2, dim=OTHER.dim), (LEFT,))])
    assert store.boxes(SPACE, DIGESTS) == {DIGESTS[0]: (LEFT, RIGHT)}
    assert store.boxes(OTHER, DIGESTS) == {DIGESTS[0]: (LEFT,)}
    store.forget_space(SPACE.fingerprint)
    assert store.boxes(SPACE, DIGESTS) == {}
    assert store.boxes(OTHER, DIGESTS) == {DIGESTS[0]: (LEFT,)}
    store.add_vectors([PartVectors("a#image-0", SPACE, unit(3))])  # the space again, and nobody says where
    assert store.boxes(SPACE, DIGESTS) == {}


def test_a_moment_holds_boxes(store: Store) -> None:
    written(store)
    with store.moment() as seen:
        found: dict[str, Stored] = {one.item.id: one for one in seen.items()}
    assert {name: one.vectors[0].boxes for name, one in found.items()} == {"a": (LEFT, RIGHT), "b": (), "c": ()}
    np.testing.assert_allclose(found["a"].vectors[0].vectors, unit(6)[:3], atol=1e-6)


def test_boxes_outlive_compaction(store: Store) -> None:
    written(store)
    store.delete(["b"])
    store.compact()
    assert store.boxes(SPACE, DIGESTS) == {DIGESTS[0]: (LEFT, RIGHT)}
    assert not store.remains().left


@pytest.mark.parametrize(
    "boxes", [(LEFT,), (LEFT, RIGHT, LEFT), (LEFT, (0.5, 0.0, 0.5, 1.0)), (LEFT, (0.0, 0.0, 1.5, 1.0))]
)
def test_boxes_that_make_no_sense_are_refused(store: Store, boxes: tuple[Box, ...]) -> None:
    with pytest.raises(InputError, match="box"):
        store.upsert(ITEMS[:1], [PartVectors("a#image-0", SPACE, unit(3), boxes)])
    assert store.get(["a"]) == []


# -- what a region counts ----------------------------------------------------------------------------------------------

EXACT = ["faiss", "faiss flat", "faiss int8", "qdrant", *SERVER]
COUNT, REGIONS = 40, 5  # parts: fewer than a sample, so that every store draws all of them


def many(store: Store) -> Vectors:
    """COUNT pictures with regions, and as many without; (COUNT, 1 + REGIONS, dim) vectors of the former."""
    rows = unit(COUNT * (1 + REGIONS), seed=4)
    boxes = tuple((0.1 * n, 0.0, 0.1 * n + 0.5, 1.0) for n in range(REGIONS))
    items = [item(f"item-{n:02d}", ("image-0", "image", None)) for n in range(2 * COUNT)]
    grouped = rows.reshape(COUNT, 1 + REGIONS, -1)
    given = [PartVectors(one.parts[0].id, SPACE, some, boxes) for one, some in zip(items, grouped, strict=False)]
    plain = unit(COUNT, seed=5)
    given += [PartVectors(one.parts[0].id, SPACE, plain[n : n + 1]) for n, one in enumerate(items[COUNT:])]
    store.upsert(items, given)
    return grouped


@pytest.mark.parametrize("kept", EXACT, indirect=True)
@pytest.mark.parametrize("k", [1, 7, 2 * COUNT])
def test_a_region_counts_less_by_what_it_is_nearer_by_chance(kept: Opener, k: int) -> None:
    store = kept()
    grouped, plain = many(store), unit(COUNT, seed=5)
    queries = np.concatenate([unit(4, seed=6), grouped[3, :1], grouped[5, 2:3]])
    chance = Chance.of(list(grouped))
    assert chance is not None
    less = chance.less(queries)
    assert (less > 0).all()
    for query, by, hits in zip(queries, less, store.search(SPACE, queries, k), strict=True):
        best = {f"item-{n:02d}": max(rows[0] @ query, (rows[1:] @ query).max() - by) for n, rows in enumerate(grouped)}
        best |= {f"item-{n + COUNT:02d}": row @ query for n, row in enumerate(plain)}
        order = sorted(best, key=lambda name: -best[name])[:k]
        assert [hit.score for hit in hits] == pytest.approx([best[name] for name in order], abs=1e-4)
        assert [hit.item_id for hit in hits] == order


def test_the_place_of_what_was_found_is_the_region_that_it_scores_by(store: Store) -> None:
    grouped = many(store)
    digests = {n: item(f"item-{n:02d}", ("image-0", "image", None)).parts[0].digest for n in (3, 5, 60)}
    some = list(digests.values())
    assert store.places(SPACE, grouped[3, :1], some).get(digests[3]) is None  # the whole of it
    assert store.places(SPACE, grouped[5, 2:3], some)[digests[5]] == pytest.approx((0.1, 0.0, 0.6, 1.0))
    assert digests[60] not in store.places(SPACE, grouped[5, 2:3], some)
    assert store.places(OTHER, unit(1, dim=OTHER.dim), some) == {}


@pytest.mark.parametrize("kept", EXACT, indirect=True)
def test_a_store_opened_again_counts_regions_alike(kept: Opener) -> None:
    store = kept()
    grouped, queries = many(store), unit(5, seed=8)
    before = store.search(SPACE, queries, 10)
    store.close()
    again = kept()
    for one, other in zip(before, again.search(SPACE, queries, 10), strict=True):
        assert [hit.part_id for hit in one] == [hit.part_id for hit in other]
    again.delete([f"item-{n:02d}" for n in range(30)])  # too few are left to tell what is chance
    for query, hits in zip(queries, again.search(SPACE, queries, 200), strict=True):
        best = [float((rows @ query).max()) for rows in grouped[30:]] + list(unit(COUNT, seed=5) @ query)
        if isinstance(again, FaissStore):
            assert [hit.score for hit in hits] == pytest.approx(sorted(best, reverse=True), abs=1e-4)


def test_what_regions_count_does_not_belittle_recall(store: Store) -> None:
    many(store)
    told = store.verify(SPACE, {"text": unit(30, seed=9), "image": unit(30, seed=10)})
    assert [one.holds for one in told] == [True]
