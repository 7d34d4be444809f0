"""One suite over every store: what one promises, all keep. numpy is the truth for vectors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sightline.errors import ConfigError, EngineError, InputError
from sightline.filters import parse
from sightline.protocols import Store
from sightline.stores import open_store
from sightline.types import Aggregate, Item, Modality, PartVectors, Space
from tests.contracts.catalogs import DIM, EVERYTHING, OTHER, SPACE, found, item, nearest, pictures, unit

Opener = Callable[..., Store]


# -- writing and reading -----------------------------------------------------------------------------------------------


def test_a_new_collection_is_empty(store: Store) -> None:
    assert store.get(["a"]) == []
    assert store.search(SPACE, unit(2), 5) == [[], []]
    assert store.search_text("anything", 5) == []
    assert store.fields() == []
    assert store.known(SPACE, ["d"]) == {}
    assert store.delete(["a"]) == 0
    assert store.aggregate(Aggregate("count")).rows == ((None, 0.0),)
    stats = store.stats()
    assert (stats.items, stats.parts, stats.vectors) == (0, 0, 0)


def test_an_item_comes_back_as_it_was_written(store: Store) -> None:
    store.upsert([EVERYTHING], [])
    (back,) = store.get(["nobody", EVERYTHING.id])
    assert back == EVERYTHING
    assert {name: type(value) for name, value in back.fields.items()} == {
        name: type(value) for name, value in EVERYTHING.fields.items()
    }


def test_items_come_back_in_the_order_asked_for(store: Store) -> None:
    items, vectors, _ = pictures(5)
    store.upsert(items, vectors)
    asked = ["item-003", "item-000", "nobody", "item-004"]
    assert [one.id for one in store.get(asked)] == ["item-003", "item-000", "item-004"]


def test_upsert_is_idempotent(store: Store) -> None:
    items, vectors, rows = pictures(6)
    for _ in range(2):
        store.upsert(items, vectors)
    assert (store.stats().items, store.stats().parts, store.stats().vectors) == (6, 6, 6)
    assert found(store, rows[2], 6).count("item-002") == 1


def test_upsert_replaces_the_whole_item(store: Store) -> None:
    rows = unit(3)
    before = item("mug", ("image-0", "image", None), ("title", "text", "old kettle"), colour="red", price=5)
    store.upsert([before], [PartVectors("mug#image-0", SPACE, rows[:1])])
    assert found(store, rows[0]) == ["mug"]
    after = item("mug", ("title", "text", "new teapot"), digest="2", colour="blue")
    store.upsert([after], [PartVectors("mug#title", SPACE, rows[1:2])])
    assert store.get(["mug"]) == [after]
    assert [hit.part_id for hit in store.search(SPACE, rows[:1], 5)[0]] == ["mug#title"]
    assert store.search_text("kettle", 5) == []
    assert [hit.part_id for hit in store.search_text("teapot", 5)] == ["mug#title"]
    assert [field.name for field in store.fields()] == ["colour"]
    assert found(store, rows[1], where=parse("colour = red")) == []
    assert store.stats().parts == 1
    assert store.known(SPACE, [before.parts[0].digest]) == {}


def test_delete_removes_everything_of_an_item(store: Store) -> None:
    items, vectors, rows = pictures(4)
    store.upsert([*items, item("note", ("text-0", "text", "a lantern"), kind="note")], vectors)
    assert found(store, rows[1], 1) == ["item-001"]
    assert store.delete(["item-001", "note", "nobody", "note"]) == 2
    assert store.get(["item-001", "note"]) == []
    assert sorted(found(store, rows[1])) == ["item-000", "item-002", "item-003"]
    assert store.search_text("lantern", 5) == []
    assert store.fields() == []
    assert store.stats().items == 3


def test_stats_tell_the_size(store: Store) -> None:
    items, vectors, _ = pictures(7)
    store.upsert([*items, SHELF[0]], vectors)
    stats = store.stats()
    assert (stats.items, stats.parts, stats.vectors) == (8, 9, 7)
    assert stats.bytes_memory >= 7 * DIM / 2  # half a byte a number is what the smallest codes take
    assert "exact" in stats.kind or "Qdrant at" in stats.kind


# -- vectors -----------------------------------------------------------------------------------------------------------


def test_search_agrees_with_numpy(store: Store) -> None:
    items, vectors, rows = pictures(150)
    for start in range(0, 150, 40):
        store.upsert(items[start : start + 40], vectors[start : start + 40])
    store.delete([f"item-{i:03d}" for i in range(0, 150, 7)])
    left = [i for i in range(150) if i % 7]
    queries = unit(25, seed=1)
    for query, hits in zip(queries, store.search(SPACE, queries, 10), strict=True):
        expected = nearest([items[i].id for i in left], rows[left], query, 10)
        assert [hit.item_id for hit in hits] == [name for name, _ in expected]
        assert [hit.score for hit in hits] == pytest.approx([score for _, score in expected], abs=1e-5)


def test_k_over_n_gives_n(store: Store) -> None:
    items, vectors, rows = pictures(5)
    store.upsert(items, vectors)
    hits = store.search(SPACE, rows[:1], 1000)[0]
    assert len(hits) == 5
    assert hits[0].score == pytest.approx(1, abs=1e-5)
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)


@pytest.mark.parametrize("k", [1, 7, 40])
def test_ties_go_by_part_id(store: Store, k: int) -> None:
    items, _, rows = pictures(60)
    order = np.random.default_rng(3).permutation(60)
    same = [PartVectors(items[i].parts[0].id, SPACE, rows[:1]) for i in range(50)]  # the first fifty are one picture
    rest = [PartVectors(items[i].parts[0].id, SPACE, rows[i : i + 1]) for i in range(50, 60)]
    store.upsert([items[i] for i in order], [[*same, *rest][i] for i in order])
    assert found(store, rows[0], k) == [f"item-{i:03d}" for i in range(k)]


def test_a_part_with_several_vectors_scores_by_its_best_and_appears_once(store: Store) -> None:
    rows = unit(40)
    many, one, two = (
        item("many", ("page", "image", None)),
        item("one", ("page", "image", None)),
        item("two", ("p", "text", None)),
    )
    vectors = [
        PartVectors("many#page", SPACE, rows[:30]),
        PartVectors("one#page", SPACE, rows[30:31]),
        PartVectors("two#p", SPACE, rows[31:33]),
    ]
    store.upsert([many, one, two], vectors)
    for query in (rows[7], rows[30], rows[32], unit(1, seed=9)[0]):
        best = {"many": (rows[:30] @ query).max(), "one": rows[30] @ query, "two": (rows[31:33] @ query).max()}
        hits = store.search(SPACE, query[None], 10)[0]
        assert [hit.item_id for hit in hits] == sorted(best, key=lambda name: -best[name])
        assert [hit.score for hit in hits] == pytest.approx(sorted(best.values(), reverse=True), abs=1e-5)
        assert len(store.search(SPACE, query[None], 2)[0]) == 2
    assert store.stats().vectors == 33
    np.testing.assert_allclose(store.known(SPACE, [many.parts[0].digest])[many.parts[0].digest], rows[:30], atol=1e-6)


def test_spaces_do_not_mix(store: Store) -> None:
    rows, others = unit(4), unit(4, 8, seed=5)
    items = [item(f"i{i}", ("image-0", "image", None)) for i in range(4)]
    first = [PartVectors(f"i{i}#image-0", SPACE, rows[i : i + 1]) for i in range(3)]
    second = [PartVectors(f"i{i}#image-0", OTHER, others[i : i + 1]) for i in range(1, 4)]
    store.upsert(items, first + second)
    assert sorted(found(store, rows[0])) == ["i0", "i1", "i2"]
    assert [hit.item_id for hit in store.search(OTHER, others[3:4], 1)[0]] == ["i3"]
    assert store.search(Space("never seen", 8, "c" * 64), others[:1], 5) == [[]]
    assert store.stats().vectors == 6


def test_known_vectors_need_not_be_computed_again(store: Store) -> None:
    rows = unit(2)
    twins = [item("a", ("image-0", "image", None)), item("b", ("image-0", "image", None))]
    twins = [replace(one, parts=(replace(one.parts[0], digest="the same"),)) for one in twins]
    store.upsert([*twins, item("c", ("text-0", "text", "no vector"))], [
        PartVectors("a#image-0", SPACE, rows[:1]), PartVectors("b#image-0", SPACE, rows[:1])
    ])  # fmt: skip
    known = store.known(SPACE, ["the same", "digest of c#text-0", "nobody"])
    assert list(known) == ["the same"]
    assert known["the same"].dtype == np.float32
    np.testing.assert_array_equal(known["the same"], rows[:1])
    assert store.known(OTHER, ["the same"]) == {}


def test_modalities_are_restricted_before_k(store: Store) -> None:
    rows = unit(20)
    items = [item(f"i{i:02d}", ("part", "text" if i % 5 == 0 else "image", "lamp")) for i in range(20)]
    store.upsert(items, [PartVectors(one.parts[0].id, SPACE, rows[i : i + 1]) for i, one in enumerate(items)])
    texts: frozenset[Modality] = frozenset({"text"})
    assert sorted(found(store, rows[1], 4, modalities=texts)) == ["i00", "i05", "i10", "i15"]
    assert sorted(hit.item_id for hit in store.search_text("lamp", 4, modalities=texts)) == ["i00", "i05", "i10", "i15"]
    assert found(store, rows[1], 4, modalities=frozenset()) == []


# -- words -------------------------------------------------------------------------------------------------------------

SHELF = [
    item(
        "boots",
        ("title", "text", "Waterproof hiking boots"),
        ("text-0", "text", "For long hikes in the rain and snow."),
    ),
    item("tent", ("title", "text", "A tent for two"), ("fields", "fields", "material: Baumwolle\nname: Café")),
    item("mug", ("title", "text", "The mug"), ("image-0", "image", None)),
]


@pytest.mark.parametrize(
    ("text", "items"),
    [
        ("boot", {"boots"}),
        ("HIKE", {"boots"}),
        ("hikers' tents", {"tent"}),
        ("cafe", {"tent"}),
        ("CAFÉ baumwolle", {"tent"}),
        ("mug tent", {"mug", "tent"}),
        ("the", set()),
        ("what is the mug", {"mug"}),
        ("", set()),
        ("zebra", set()),
        ('") OR * NEAR(', set()),
        ('mug" AND tent NOT', {"mug", "tent"}),
        ("title:mug -tent ^boots*", {"mug", "tent", "boots"}),
        ("text\x00 mug\x00", {"mug"}),
    ],
)
def test_words_are_found_stemmed_and_folded(store: Store, text: str, items: set[str]) -> None:
    store.upsert(SHELF, [])
    assert {hit.item_id for hit in store.search_text(text, 10)} == items


def test_words_rank_by_how_well_they_fit(store: Store) -> None:
    store.upsert(SHELF, [])
    hits = store.search_text("waterproof boots for a hike in the rain", 10)
    assert {hits[0].part_id, hits[1].part_id} == {"boots#title", "boots#text-0"}
    assert hits[0].score >= hits[1].score > 0
    assert len(store.search_text("waterproof hike", 1)) == 1


def test_equal_words_tie_by_part_id(store: Store) -> None:
    store.upsert([item(f"i{i:02d}", ("title", "text", "a red lamp")) for i in reversed(range(40))], [])
    assert [hit.item_id for hit in store.search_text("lamp", 5)] == [f"i{i:02d}" for i in range(5)]


# -- bad input writes nothing ------------------------------------------------------------------------------------------

GOOD = item("good", ("image-0", "image", None), price=1)
ROW = unit(1)


@pytest.mark.parametrize(
    ("items", "vectors", "says"),
    [
        ([GOOD, GOOD], [], "item id 'good' is given twice"),
        ([GOOD, Item("")], [], "must not be empty"),
        ([GOOD, item("two", ("x", "image", None), ("x", "image", None))], [], "part id 'two#x' is given twice"),
        ([GOOD, replace(GOOD, id="two")], [], "claims to belong to 'good'"),
        ([GOOD, item("two", price=float("nan"))], [], "field 'price' of item 'two' holds a number that is not finite"),
        ([GOOD, item("two", price=None)], [], "must hold texts, numbers or booleans, not NoneType"),
        ([GOOD, item("two\ud800")], [], "not valid Unicode"),
        ([GOOD], [PartVectors("nobody", SPACE, ROW)], "'nobody', which is of none of the items"),
        ([GOOD], [PartVectors("good#image-0", SPACE, ROW)] * 2, "given twice"),
        ([GOOD], [PartVectors("good#image-0", SPACE, ROW * 2)], "must have length 1, not 2"),
        ([GOOD], [PartVectors("good#image-0", SPACE, ROW * np.float32("nan"))], "not finite"),
        ([GOOD], [PartVectors("good#image-0", SPACE, ROW[:, :8])], r"shape \(n, 16\)"),
        ([GOOD], [PartVectors("good#image-0", SPACE, ROW[:0])], "n >= 1"),
        ([GOOD], [PartVectors("good#image-0", SPACE, ROW.astype(np.float64))], "must be float32"),  # type: ignore[arg-type]
        ([GOOD], [PartVectors("good#image-0", replace(SPACE, dim=8), unit(1, 8))], "have 16 numbers here, not 8"),
        ([GOOD, item("thief")], [], None),
    ],
)
def test_bad_input_is_refused_and_writes_nothing(
    store: Store, items: list[Item], vectors: list[PartVectors], says: str | None
) -> None:
    old = item("old", ("image-0", "image", None), kind="old")
    store.upsert([old], [PartVectors("old#image-0", SPACE, ROW)])
    if says is None:  # a part id that another item has
        stolen = replace(old.parts[0], item_id="thief")
        items, says = [items[0], replace(items[1], parts=(stolen,))], "belongs to item 'old' already"
    with pytest.raises(InputError, match=says):
        store.upsert(items, vectors)
    assert store.get(["good", "two", "thief"]) == []
    assert store.get(["old"]) == [old]
    assert (store.stats().items, store.stats().parts, store.stats().vectors) == (1, 1, 1)


def test_bad_queries_are_refused(store: Store) -> None:
    items, vectors, rows = pictures(2)
    store.upsert(items, vectors)
    with pytest.raises(InputError, match="k must be at least 1"):
        store.search(SPACE, rows[:1], 0)
    with pytest.raises(InputError, match="k must be at least 1"):
        store.search_text("x", -1)
    with pytest.raises(InputError, match="shape"):
        store.search(SPACE, rows[0], 1)
    with pytest.raises(InputError, match="length 1"):
        store.search(SPACE, rows * 0, 1)
    with pytest.raises(InputError, match="16 numbers here, not 8"):
        store.search(replace(SPACE, dim=8), unit(1, 8), 1)


# -- collections, closing, opening again -------------------------------------------------------------------------------


def test_collections_do_not_see_each_other(opener: Opener) -> None:
    one, two = opener("one"), opener("two")
    items, vectors, rows = pictures(4)
    one.upsert(items[:2], vectors[:2])
    two.upsert(items[2:], vectors[2:])
    assert sorted(found(one, rows[3])) == ["item-000", "item-001"]
    assert one.get(["item-003"]) == []
    assert two.delete(["item-000"]) == 0
    assert one.stats().items == 2


def test_a_closed_store_says_so(store: Store) -> None:
    store.close()
    store.close()
    with pytest.raises(EngineError, match="closed"):
        store.get(["a"])


def test_a_collection_opens_again_with_everything_in_it(kept: Opener) -> None:
    items, vectors, rows = pictures(30, fields=[{"price": i, "Colour": "Red"} for i in range(30)])
    first = kept()
    first.upsert([*items, *SHELF, EVERYTHING], vectors)
    first.delete(["item-005"])
    before = (first.search(SPACE, rows[:3], 5), first.search_text("boots", 5), first.fields())
    first.close()
    again = kept()
    assert (again.search(SPACE, rows[:3], 5), again.search_text("boots", 5), again.fields()) == before
    assert again.get([EVERYTHING.id, "item-005"]) == [EVERYTHING]
    assert again.stats().items == 33
    again.upsert([item("later", ("image-0", "image", None))], [PartVectors("later#image-0", SPACE, rows[5:6])])
    assert found(again, rows[5], 1) == ["later"]


def test_a_dropped_collection_is_gone(kept: Opener) -> None:
    items, vectors, _ = pictures(3)
    first = kept()
    first.upsert(items, vectors)
    first.drop()
    assert kept().stats().items == 0


def test_an_unknown_spec_names_the_known_ones(tmp_path: Path) -> None:
    for spec in ("fais", "faiss:x", ""):
        with pytest.raises(ConfigError, match=r"Known are: faiss, qdrant"):
            open_store(spec, tmp_path, collection="x")


# -- what a search finds, measured -------------------------------------------------------------------------------------


def test_a_certificate_is_measured_by_kind_of_query_and_kept(store: Store) -> None:
    assert store.verify(SPACE) == []
    items, vectors, rows = pictures(60)
    store.upsert([*items, SHELF[0]], [*vectors, PartVectors("boots#title", SPACE, unit(1, seed=8))])
    told = {one.parts: one for one in store.verify(SPACE)}
    assert set(told) == {"image", "text"}
    assert told["image"].vectors == 60
    assert [(one.queries, one.probes) for one in told["image"].measured] == [("text", 1), ("image", 60)]
    assert all(one.recall == 1.0 and one.low < 1 for one in told["image"].measured)
    told = {one.parts: one for one in store.verify(SPACE, {"text": unit(20, seed=9)})}
    assert [(one.queries, one.probes) for one in told["image"].measured] == [("text", 20), ("image", 60)]
    with pytest.raises(InputError, match="the text queries must have length 1"):
        store.verify(SPACE, {"text": rows * 2})


def test_a_kind_of_query_that_has_no_vectors_is_not_measured(store: Store) -> None:
    items, vectors, _ = pictures(30)
    store.upsert(items, vectors)
    (told,) = store.verify(SPACE)
    assert [one.queries for one in told.measured] == ["image"]
    assert "text queries not measured" in told.told()
