"""Where in a part its regions are: on every store, at every change."""

from __future__ import annotations

import numpy as np
import pytest

from sightline.errors import InputError
from sightline.protocols import Store
from sightline.types import Box, PartVectors, Stored
from tests.contracts.catalogs import OTHER, SPACE, item, unit

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
