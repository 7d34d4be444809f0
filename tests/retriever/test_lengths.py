"""Queries longer than the encoder reads: cut at sentences, nothing lost, weights shared, and told."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import retriever
from retriever.accounts import Account
from retriever.lengths import MOST_PIECES, fitted, reading, split
from retriever.terms import read
from sightline.encoders.adapter import AdaptedEncoder, Adapter
from sightline.protocols import Store
from sightline.types import Content, Query, Term, Vectors
from tests.retriever.colours import ColourEncoder, picture
from tests.retriever.conftest import Shelve


class ShortSighted(ColourEncoder):
    """Reads six words at a time, two of them its own marks, and keeps what it was given."""

    most_tokens = 8

    def __init__(self) -> None:
        super().__init__()
        self.read: list[str] = []

    def count_tokens(self, text: str) -> int:
        return len(text.split()) + 2

    def encode_queries(self, contents: Sequence[Content], *, instruction: str | None = None) -> Vectors:
        self.read += [piece for content in contents for piece in content if isinstance(piece, str)]
        return super().encode_queries(contents, instruction=instruction)


def count(text: str) -> int:
    return len(text.split()) + 2


def test_sentences_are_pieces_and_a_long_one_is_cut_at_clauses_then_between_words() -> None:
    text = "A red vase. It is tall, stands in a hall, and one two three four five six seven eight nine."
    assert split(text, most=8, count=count) == [
        "A red vase.", "It is tall,", "stands in a hall,", "and one two three four", "five six seven eight nine.",
    ]  # fmt: skip


def test_languages_without_spaces_are_cut_at_their_own_signs() -> None:
    assert split("赤い花瓶です。背が高い、木の棚。", most=9, count=lambda text: len(text) + 2) == [
        "赤い花瓶です。",
        "背が高い、",
        "木の棚。",
    ]


@given(st.text(alphabet="ab .,!?\n。、é-", max_size=120), st.integers(3, 12))
def test_nothing_but_white_space_is_lost_and_every_piece_fits(text: str, most: int) -> None:
    pieces = split(text, most=most, count=lambda some: len(some) + 2, at_most=1000)
    assert "".join("".join(pieces).split()) == "".join(text.split())
    if len(text) + 2 > most:
        assert all(len(piece) + 2 <= most for piece in pieces)


def test_pieces_share_the_weight_of_their_text_and_short_texts_stay() -> None:
    query = Query(
        (Term("red tall. green wide and some more words here.", 2.0), Term("blue"), Term("a b c d e f g", -1))
    )
    terms, told = fitted(read(query), ShortSighted())
    assert [term.content for term in terms.wanted] == ["red tall.", "green wide and", "some more words here.", "blue"]
    assert sum(term.weight for term in terms.wanted) == pytest.approx(3.0)
    assert terms.wanted[0].weight == pytest.approx(2.0 * 4 / 15)
    assert terms.unwanted == query.terms[2:]
    assert told == (
        "The query is longer than colours reads at once (11 tokens, it reads 8), so it was searched in several "
        "pieces together.",
    )


@pytest.mark.parametrize("text", ["a.\n" * 1333, "one two three four five six. " * 200, "a. b c d e f. " * 100])
def test_many_sentences_are_joined_where_they_fit_and_the_rest_is_one_piece(text: str) -> None:
    terms, told = fitted(read(Query((Term(text),))), ShortSighted())
    pieces = [str(term.content) for term in terms.wanted]
    assert len(pieces) <= MOST_PIECES
    assert " ".join(pieces).split() == text.split()
    assert all(count(piece) <= ShortSighted.most_tokens for piece in pieces[:-1])
    assert sum(term.weight for term in terms.wanted) == pytest.approx(1.0)
    assert len(told) == 1


@given(st.text(alphabet="ab .,!?\n。、é-", max_size=120), st.integers(3, 12), st.integers(1, 9))
def test_however_few_pieces_lose_nothing(text: str, most: int, at_most: int) -> None:
    pieces = split(text, most=most, count=lambda some: len(some) + 2, at_most=at_most)
    assert len(pieces) <= at_most
    assert "".join("".join(pieces).split()) == "".join(text.split())
    assert all(len(piece) + 2 <= most for piece in pieces[:-1]) or len(text) + 2 <= most


def test_pieces_that_are_few_enough_stay_apart() -> None:
    assert len(split("a. " * MOST_PIECES, most=8, count=count)) == MOST_PIECES
    assert len(split("a. " * (MOST_PIECES + 1), most=8, count=count)) == MOST_PIECES // 2 + 1


def test_an_encoder_that_tells_nothing_gets_the_text_whole() -> None:
    query = Query((Term("word " * 500),))
    terms, told = fitted(read(query), ColourEncoder())
    assert terms.wanted == query.terms
    assert told == ()


def test_an_adapter_hides_no_limit() -> None:
    encoder = ShortSighted()
    adapted = AdaptedEncoder(encoder, Adapter(encoder.space.fingerprint, {}))
    assert reading(adapted) is encoder


def test_a_long_query_finds_what_every_sentence_names_and_says_so(store: Store, shelve: Shelve) -> None:
    shelve("red-tall", pictures=["red tall"])
    shelve("green-wide", pictures=["green wide"])
    encoder, account = ShortSighted(), Account()
    text = "something that nobody can see. red is what it is. tall is how it stands."
    results = retriever.search(Query((Term(text),)), k=2, store=store, encoder=encoder, account=account)
    assert results[0].id == "red-tall"
    assert "longer than colours reads" in results.warnings[0]
    assert encoder.read == ["something that nobody can see.", "red is what it is.", "tall is how it stands."]
    assert account.asked is not None
    aim = account.asked.aims["image"]
    assert len(aim.rows) == 3
    weights = np.asarray([term.weight for term in aim.terms], np.float32)
    together = weights @ aim.rows
    assert np.allclose(aim.wanted[0], together / np.linalg.norm(together), atol=1e-6)


def test_a_picture_beside_a_long_text_keeps_its_weight() -> None:
    query = Query((Term(picture("red", "tall")), Term("one two three four. five six seven eight.")))
    terms, told = fitted(read(query), ShortSighted())
    assert [term.weight for term in terms.wanted] == [1.0, 0.5, 0.5]
    assert terms.picture_share == pytest.approx(0.5)
    assert told
