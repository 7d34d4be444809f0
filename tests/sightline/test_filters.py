"""The filter language, Qdrant's JSON, the meaning of a filter, and the check against the fields there are."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.errors import InputError
from sightline.filters import (
    Among,
    And,
    Compare,
    Exists,
    Filter,
    HasId,
    Not,
    Or,
    from_qdrant,
    matches,
    parse,
    resolve,
    to_expression,
)
from sightline.types import FieldSummary

MUG = {
    "colour": ("Red", "dark blue"),
    "price": 19.5,
    "stock": 3,
    "new": True,
    "since": "2024-05-01",
    "Straße": "x",
    "none": (),
}

values = st.one_of(
    st.text(max_size=8), st.integers(-(2**40), 2**40), st.floats(allow_nan=False, allow_infinity=False), st.booleans()
)
names = st.one_of(st.sampled_from(["price", "id", "and", "dark-mode", "a.b", "0"]), st.text(min_size=1, max_size=6))
conditions = st.one_of(
    st.builds(Compare, names, st.sampled_from(["=", "!=", "<", "<=", ">", ">="]), values),
    st.builds(Among, names, st.lists(values, min_size=1, max_size=3).map(tuple)),
    st.builds(Exists, names),
    st.builds(HasId, st.lists(st.text(max_size=5), min_size=1, max_size=3).map(tuple)),
    st.sampled_from([And(()), Or(())]),
)
trees = st.recursive(
    conditions,
    lambda inner: st.one_of(
        st.builds(And, st.lists(inner, min_size=2, max_size=3).map(tuple)),
        st.builds(Or, st.lists(inner, min_size=2, max_size=3).map(tuple)),
        st.builds(Not, inner),
    ),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("price < 50", Compare("price", "<", 50)),
        ("price<50.5", Compare("price", "<", 50.5)),
        ("price >= -1e3", Compare("price", ">=", -1000.0)),
        ("a == b", Compare("a", "=", "b")),
        ("a != true", Compare("a", "!=", True)),
        ("sku = 007", Compare("sku", "=", "007")),
        ("since > 2024-05-01", Compare("since", ">", "2024-05-01")),
        ("size = 10.5cm", Compare("size", "=", "10.5cm")),
        ("größe = außen", Compare("größe", "=", "außen")),
        (r"a = 'it\'s \\ \"'", Compare("a", "=", "it's \\ \"")),
        ('a = "two\nlines"', Compare("a", "=", "two\nlines")),
        ("`my field` = 1", Compare("my field", "=", 1)),
        ("'my field' = 1", Compare("my field", "=", 1)),
        ("a.b = 1", Compare("a.b", "=", 1)),
        ("colour in (red, 'dark blue', 3)", Among("colour", ("red", "dark blue", 3))),
        ("colour NOT IN (red)", And((Exists("colour"), Not(Among("colour", ("red",)))))),
        ("Exists price", Exists("price")),
        ("id = 007", HasId(("007",))),
        ("id != a-b", Not(HasId(("a-b",)))),
        ("id in (a, 'b c', 1.50)", HasId(("a", "b c", "1.50"))),
        ("`id` = a", Compare("id", "=", "a")),
        ("a=1 and b=2 or c=3", Or((And((Compare("a", "=", 1), Compare("b", "=", 2))), Compare("c", "=", 3)))),
        (
            "a=1 and (b=2 or not c=3)",
            And((Compare("a", "=", 1), Or((Compare("b", "=", 2), Not(Compare("c", "=", 3)))))),
        ),
        ("NOT NOT exists a", Not(Not(Exists("a")))),
        ("true or false", Or((And(()), Or(())))),
    ],
)
def test_parse(expression: str, expected: Filter) -> None:
    assert parse(expression) == expected


@pytest.mark.parametrize(
    ("expression", "position", "says"),
    [
        ("", 1, "expected a field's name, found the end"),
        ("price", 6, "expected a comparison after 'price'"),
        ("price <", 8, "expected a value, found the end"),
        ("price < < 5", 9, "expected a value, found '<'"),
        ("a = and", 5, "quote it if it is a keyword"),
        ("colour = dark blue", 15, "a value of several words needs quotes"),
        ("(a = 1", 7, "expected ')', found the end"),
        ("a = 1)", 6, "expected 'and', 'or' or the end"),
        ("a in red", 6, "expected '('"),
        ("a in ()", 7, "expected a value"),
        ("a in (1", 8, "expected ',' or ')'"),
        ("a not = 1", 7, "expected 'in'"),
        ("a = 'x", 5, "the quote ' is never closed"),
        ("a ! 1", 3, "'!' means nothing here"),
        ("a = 1e999", 5, "too large"),
        ("a < 1" + "0" * 400, 5, "too large"),
        ("a < 1" + "0" * 5000, 5, "too large"),
        ("id < 5", 4, "an id is compared with"),
    ],
)
def test_parse_says_where_and_what_was_expected(expression: str, position: int, says: str) -> None:
    with pytest.raises(InputError) as caught:
        parse(expression)
    assert f"position {position}:" in str(caught.value)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    "expression", ["(" * 60 + "a=1" + ")" * 60, "not " * 2000 + "a=1", " or ".join(["a=1"] * 1001)]
)
def test_parse_refuses_monsters(expression: str) -> None:
    with pytest.raises(InputError, match="more than"):
        parse(expression)


@given(st.text(max_size=40))
def test_parse_never_fails_in_another_way(expression: str) -> None:
    with contextlib.suppress(InputError):
        parse(expression)


@given(trees)
def test_to_expression_is_read_back_as_the_same_filter(tree: Filter) -> None:
    assert parse(to_expression(tree)) == tree


@pytest.mark.parametrize(
    ("expression", "passes"),
    [
        ("colour = RED", True),
        ("colour = 'DARK BLUE'", True),
        ("colour = blue", False),
        ("colour != green", True),
        ("colour != red", False),  # one of its values is
        ("straße != x", False),
        ("weight != 5", False),  # an item without the field matches no comparison
        ("not weight = 5", True),  # but it is in the complement
        ("weight not in (5)", False),
        ("price < 20", True),
        ("price < 19.5", False),
        ("stock = 3.0", True),
        ("stock = '3'", False),
        ("stock < '4'", False),
        ("new = true", True),
        ("new = 1", False),
        ("new < 2", False),
        ("since >= 2024-01-01 and since < 2024-06-01", True),
        ("colour > E", True),
        ("colour in (green, red)", True),
        ("exists none", False),
        ("exists price", True),
        ("id = mug", True),
        ("id = MUG", False),
        ("true", True),
        ("false", False),
    ],
)
def test_matches(expression: str, passes: bool) -> None:
    assert matches(parse(expression), "mug", MUG) is passes


def test_matches_folds_case_as_unicode_does() -> None:
    assert matches(Compare("a", "=", "STRASSE"), "x", {"a": "straße"})


known = [FieldSummary(name, 1, "some") for name in ("price", "Colour", "Size", "size")]


def test_resolve_maps_names_that_differ_in_case() -> None:
    asked = parse("not (PRICE < 5 or exists colour) and size in (1) and Size = 2 and id = x")
    assert resolve(asked, known) == parse("not (price < 5 or exists Colour) and size in (1) and Size = 2 and id = x")


@pytest.mark.parametrize(
    ("expression", "says"),
    [
        ("pirce < 5", "no item has a field 'pirce'. Did you mean 'price'?"),
        ("a = 1 or not exists coluor", "no item has a field 'a'. The fields are: Colour, Size, price, size"),
        ("SIZE = 1", "could be 'Size' or 'size'"),
    ],
)
def test_resolve_refuses_unknown_fields(expression: str, says: str) -> None:
    with pytest.raises(InputError) as caught:
        resolve(parse(expression), known)
    assert says in str(caught.value)


KINDS = [FieldSummary("price", 9, "none"), FieldSummary("stock", 9, "all"), FieldSummary("size", 9, "some")]


@pytest.mark.parametrize(
    ("expression", "says"),
    [
        ("price < 100", "'price' holds texts here, and no text is < the number 100: index it as numbers"),
        ("stock > 0 and not price = 42", 'write the text in quotes: price = "…"'),
        ("price in (1, 2.5)", "no text is in the number 1, 2.5"),
        ("stock = many", "'stock' holds numbers here, and no number is = the text 'many'"),
        ('stock >= "10"', "no number is >= the text '10'"),
    ],
)
def test_resolve_refuses_what_nothing_can_pass(expression: str, says: str) -> None:
    with pytest.raises(InputError) as caught:
        resolve(parse(expression), KINDS)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    "expression",
    ["price != 42", "price in (42, cheap)", "size = 42", "size = M", "price = true", "stock < 5", "price < cheap"],
)
def test_resolve_lets_through_what_something_could_pass(expression: str) -> None:
    assert resolve(parse(expression), KINDS) == parse(expression)


def test_resolve_without_any_field() -> None:
    with pytest.raises(InputError, match="no fields at all"):
        resolve(parse("price < 5"), [])


RED = {"key": "colour", "match": {"value": "red"}}


@pytest.mark.parametrize(
    ("data", "passes"),
    [
        ({}, True),
        ({"must": [RED]}, True),
        ({"must": RED}, True),
        (RED, True),
        ({"must": [], "should": [], "must_not": []}, True),
        ({"must_not": [RED]}, False),
        ({"must_not": [{"key": "weight", "match": {"value": 5}}]}, True),  # the plain complement
        ({"must": [{"key": "weight", "match": {"except": [5]}}]}, False),  # needs the field
        ({"must": [{"key": "stock", "match": {"except": [5]}}]}, True),
        ({"must": [{"key": "colour[]", "match": {"any": ["green", "RED"]}}]}, True),
        ({"should": [{"key": "stock", "match": {"value": 4}}, RED]}, True),
        ({"should": [{"key": "stock", "match": {"value": 4}}]}, False),
        ({"must": [RED], "should": [{"key": "stock", "match": {"value": 4}}]}, False),
        ({"must": [{"key": "price", "range": {"gte": 19.5, "lt": 20, "gt": None}}]}, True),
        ({"must": [{"key": "price", "range": {"gt": 19.5}}]}, False),
        ({"must": [{"key": "since", "range": {"lte": "2024-12-31"}}]}, True),
        ({"must": [{"is_empty": {"key": "weight"}}]}, True),
        ({"must": [{"is_null": {"key": "price"}}]}, False),
        ({"must": [{"key": "price", "is_empty": False}]}, True),
        ({"must": [{"has_id": ["mug", 7]}]}, True),
        ({"must_not": [{"should": [RED, {"has_id": ["jug"]}]}]}, False),
        ({"min_should": {"conditions": [RED, {"has_id": ["mug"]}, {"has_id": ["jug"]}], "min_count": 2}}, True),
        ({"min_should": {"conditions": [RED, {"has_id": ["mug"]}, {"has_id": ["jug"]}], "min_count": 3}}, False),
        ({"min_should": {"conditions": [RED], "min_count": 2}}, False),
    ],
)
def test_from_qdrant(data: dict[str, Any], passes: bool) -> None:
    assert matches(from_qdrant(data), "mug", MUG) is passes


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ({"price": {"lt": 5}}, "cannot read filter: unknown key 'price'"),
        ({"must": [RED, {"key": "a", "match": {"text": "x"}}]}, "filter.must[1].match: unknown key 'text'"),
        ({"must": [{"key": "a"}]}, "'a' needs one of match, range"),
        ({"must": [{"key": "a", "geo_radius": {}}]}, "unknown condition 'geo_radius'"),
        ({"must": [{"key": "", "match": {"value": 1}}]}, "filter.must[0].key"),
        ({"must": [{"key": "a", "range": {"below": 5}}]}, "unknown key 'below'"),
        ({"must": [{"key": "a", "match": {"value": [1]}}]}, "match.value: expected a text, a number"),
        ({"must": [{"key": "a", "match": {"any": 1}}]}, "match.any: expected a list"),
        ({"must": "a"}, "filter.must: expected a list"),
        ({"must": ["a"]}, "filter.must[0]: expected an object"),
        ({"min_should": {"conditions": [RED]}}, "conditions and min_count"),
        ({"should": [RED] * 1001}, "more than 1000 conditions"),
    ],
)
def test_from_qdrant_says_where(data: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError) as caught:
        from_qdrant(data)
    assert says in str(caught.value)


def test_from_qdrant_refuses_monsters() -> None:
    deep: dict[str, Any] = RED
    for _ in range(60):
        deep = {"must": [deep]}
    with pytest.raises(InputError, match="levels deep"):
        from_qdrant(deep)
