"""The algebra of a query: what is refused, what is summed, what is kept apart."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retriever.terms import aim, read
from sightline.errors import InputError
from sightline.types import Like, Query, Term
from tests.retriever.colours import ColourEncoder, picture

WORDS = ("red", "green", "blue", "tall", "wide", "red tall")


def terms(*pairs: tuple[str, float]) -> Query:
    return Query(tuple(Term(text, weight) for text, weight in pairs))


@pytest.mark.parametrize("query", [Query(()), terms(("", 1.0)), terms((" \n", 1.0), ("red", 0.0))])
def test_an_empty_query_is_refused(query: Query) -> None:
    with pytest.raises(InputError, match="empty query"):
        read(query)


def test_a_query_that_only_refuses_is_refused() -> None:
    with pytest.raises(InputError, match="not wanted"):
        read(terms(("red", -1.0)))


@pytest.mark.parametrize("weight", [float("nan"), float("inf")])
def test_a_weight_is_a_finite_number(weight: float) -> None:
    with pytest.raises(InputError, match="finite"):
        read(terms(("red", weight)))


def test_the_share_of_text_is_that_of_its_weight() -> None:
    query = Query((Term("tall", 1.0), Term(picture("red"), 3.0), Term("green", -1.0)))
    assert read(query).text_share == 0.25
    assert read(query).text == "tall"
    assert read(query).unwanted_texts == ("green",)


def test_what_is_wanted_and_not_wanted_alike_is_refused() -> None:
    both = (Term("red Jar"), Term(Like("a")), Term("red  jar", -2.0), Term(Like("a"), -1.0))
    with pytest.raises(InputError, match="cancel each other out"):
        read(Query(both))
    assert read(Query((*both, Term("blue jar")))).wanted[-1].content == "blue jar"


@given(st.lists(st.tuples(st.sampled_from(WORDS), st.floats(0.1, 3)), min_size=1, max_size=4))
def test_what_is_wanted_is_the_weighted_sum_of_unit_vectors(pairs: list[tuple[str, float]]) -> None:
    encoder = ColourEncoder()
    aimed, warnings = aim(read(terms(*pairs)), encoder)
    assert aimed
    expected = sum(weight * encoder.encode_queries([(text,)])[0] for text, weight in pairs)
    assert aimed["image"].wanted[0] == pytest.approx(expected / np.linalg.norm(expected), abs=1e-5)
    assert warnings == ()


def test_unwanted_terms_are_kept_apart_with_their_weights() -> None:
    encoder = ColourEncoder()
    aimed, _ = aim(read(terms(("red", 1.0), ("blue", -2.0), ("tall", 0.5), ("green", -0.5))), encoder)
    assert aimed
    assert aimed["image"].unwanted == pytest.approx(encoder.encode_queries([("blue",), ("green",)]))
    assert [one.weight for one in aimed["image"].refusals] == [2.0, 0.5]
    assert all(one.one_word and one.comparable and not one.said for one in aimed["text"].refusals)


def test_a_term_the_encoder_cannot_embed_is_left_out_and_said_so() -> None:
    reader = ColourEncoder(frozenset({"text"}))
    query = Query((Term("tall"), Term(picture("red"))))
    aimed, warnings = aim(read(query), reader)
    assert aimed
    assert aimed["image"].wanted == pytest.approx(reader.encode_queries([("tall",)]))
    assert warnings == ("the encoder colours cannot embed pictures",)
    assert not aim(read(Query((Term(picture("red")),))), reader)[0]
