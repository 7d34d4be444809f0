"""Filters, fields and aggregates over every store. `filters.matches` is the truth."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.errors import InputError
from sightline.filters import Among, And, Compare, Exists, Filter, HasId, Not, Or, matches, parse
from sightline.protocols import Store
from sightline.stores import open_store
from sightline.types import Aggregate, Item, Part, PartVectors
from tests.contracts.catalogs import found, nearest, pictures, unit

# -- filters -----------------------------------------------------------------------------------------------------------

NAMES = ["price", "colour", "my field", "a.b", "0", 'q"', "é"]
VALUES: list[object] = [
    "red",
    "Red",
    "ÄRGER",
    "ärger",
    "b",
    "",
    "10",
    "2024-05-01",
    10,
    10.0,
    -3,
    0.5,
    1,
    0,
    True,
    False,
]
field_values = st.one_of(st.sampled_from(VALUES), st.lists(st.sampled_from(VALUES), max_size=3).map(tuple))
some_names = st.sampled_from(NAMES)
some_values = st.sampled_from(VALUES)
conditions = st.one_of(
    st.builds(Compare, some_names, st.sampled_from(["=", "!=", "<", "<=", ">", ">="]), some_values),
    st.builds(Among, some_names, st.lists(some_values, max_size=3).map(tuple)),
    st.builds(Exists, some_names),
    st.builds(HasId, st.lists(st.sampled_from(["item-000", "item-007", "ITEM-001", "nobody"]), max_size=3).map(tuple)),
)
filters = st.recursive(
    conditions,
    lambda inner: st.one_of(
        st.builds(And, st.lists(inner, max_size=3).map(tuple)),
        st.builds(Or, st.lists(inner, max_size=3).map(tuple)),
        st.builds(Not, inner),
    ),
    max_leaves=6,
)


def mixed_fields(n: int) -> list[dict[str, object]]:
    """n records over NAMES and VALUES, the same at every run."""
    rng = np.random.default_rng(11)

    def value() -> object:
        several = tuple(VALUES[i] for i in rng.integers(len(VALUES), size=rng.integers(0, 4)))
        return several if rng.random() < 0.3 else VALUES[rng.integers(len(VALUES))]

    return [{name: value() for name in NAMES if rng.random() < 0.6} for _ in range(n)]


def shelf_items() -> tuple[list[Item], list[PartVectors]]:
    items, vectors, _ = pictures(40, fields=mixed_fields(40))  # type: ignore[arg-type]
    return [replace(one, parts=(*one.parts, _title(one.id))) for one in items], vectors


def _title(name: str) -> Part:
    return Part(f"{name}#title", name, "text", digest=f"title of {name}", text="a shared word")


@pytest.fixture(scope="module", params=["faiss", "qdrant", "qdrant::memory:"])
def shelf(request: pytest.FixtureRequest, memory: Path) -> Iterator[Store]:
    """A store that is only read, so that many examples can share it."""
    made = open_store(request.param, memory / request.param, collection="shelf")
    made.upsert(*shelf_items())
    yield made
    made.close()


@given(st.text(max_size=30))
@settings(max_examples=40, deadline=None)
def test_no_text_is_a_syntax_error(shelf: Store, text: str) -> None:
    shelf.search_text(text, 3)


@given(where=filters)
@settings(max_examples=100, deadline=None)
def test_filters_mean_what_matches_says(shelf: Store, where: Filter) -> None:
    items, _ = shelf_items()
    passing = {one.id for one in items if matches(where, one.id, one.fields)}
    assert set(found(shelf, unit(1, seed=4)[0], 100, where=where)) == passing
    assert {hit.item_id for hit in shelf.search_text("shared", 100, where=where)} == passing
    assert shelf.aggregate(Aggregate("count"), where=where).rows == ((None, float(len(passing))),)


def test_filters_apply_before_k_is_counted(store: Store) -> None:
    items, vectors, rows = pictures(
        100, fields=[{"price": i, "colour": "red" if i > 95 else "blue"} for i in range(100)]
    )
    store.upsert(items, vectors)
    assert found(store, rows[0], 3, where=parse("price > 90 and colour = red")) == [
        name for name, _ in nearest([items[i].id for i in range(96, 100)], rows[96:], rows[0], 3)
    ]


def test_a_filter_as_wide_as_the_language_allows(store: Store) -> None:
    items, vectors, rows = pictures(3, fields=[{"price": 1}, {"price": 2}, {"price": 3}])
    store.upsert(items, vectors)
    wide = parse(" or ".join(f"price = {i}" for i in range(2, 1000)))
    assert sorted(found(store, rows[0], where=wide)) == ["item-001", "item-002"]


# -- fields and aggregates ---------------------------------------------------------------------------------------------


def test_fields_are_listed_with_their_counts(store: Store) -> None:
    fields = [
        {"price": 1, "size": "M", "tags": ("a", "b"), "fits": (38, "M")},
        {"price": 2.5, "size": 42, "fits": (39, "L")},
        {"new": True, "tags": ()},
    ]
    items, vectors, _ = pictures(3, fields=fields)
    store.upsert(items, vectors)
    listed = [(field.name, field.count, field.numbers) for field in store.fields()]
    expected = [("fits", 2, "some"), ("new", 1, "none"), ("price", 2, "all"), ("size", 2, "some"), ("tags", 1, "none")]
    assert listed == expected


@pytest.mark.parametrize(
    ("plan", "where", "rows"),
    [
        (Aggregate("count"), None, [(None, 5.0)]),
        (Aggregate("count"), "price > 100", [(None, 0.0)]),
        (Aggregate("count", "price"), "exists stock", [(None, 3.0)]),
        (Aggregate("min", "price"), None, [(None, 5.0)]),
        (Aggregate("max", "price"), "brand = aCME", [(None, 20.0)]),
        (Aggregate("mean", "price"), None, [(None, 11.25)]),
        (Aggregate("mean", "price"), "price > 100", []),
        (Aggregate("min", "brand"), None, []),
        (Aggregate("count", by="brand"), None, [("ACME", 3.0), ("Zeta", 2.0)]),
        (Aggregate("count", by="tags"), None, [("a", 2.0), ("b", 1.0)]),
        (Aggregate("count", by="stock"), None, [(3, 2.0), (True, 1.0)]),
        (Aggregate("max", "price", by="brand"), None, [("ACME", 20.0), ("Zeta", 10.0)]),
        (Aggregate("mean", "price", by="brand"), "price < 20", [("Zeta", 10.0), ("Acme", 7.5)]),
        (Aggregate("count", by="nobody"), None, []),
    ],
)
def test_aggregate(store: Store, plan: Aggregate, where: str | None, rows: list[tuple[object, float]]) -> None:
    fields: list[dict[str, object]] = [
        {"brand": "acme", "price": 5, "tags": ("a", "A")},
        {"brand": "Acme", "price": 10, "stock": 3},
        {"brand": "ACME", "price": 20, "stock": True},
        {"brand": "Zeta", "price": 10, "tags": ("a", "b")},
        {"brand": "Zeta", "price": "on request", "stock": 3.0},
    ]
    items, vectors, _ = pictures(5, fields=fields)  # type: ignore[arg-type]
    store.upsert(items, vectors)
    got = store.aggregate(plan, where=parse(where) if where else None).rows
    assert list(got) == [(group, pytest.approx(value)) for group, value in rows]  # a text goes by its least spelling
    assert [type(group) is bool for group, _ in got] == [type(group) is bool for group, _ in rows]


def test_an_aggregate_without_its_field_is_refused(store: Store) -> None:
    with pytest.raises(InputError, match="mean needs the field"):
        store.aggregate(Aggregate("mean"))
