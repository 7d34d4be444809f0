"""Explanations add up: to the score, to the cosine, to the log-odds; and they say why an item is no hit."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import pytest

import retriever
from retriever import Account
from retriever.calibration import Calibration
from retriever.explaining import explain
from retriever.generated import calibrated
from retriever.reasons import Explanation
from retriever.reranking import Reranking
from sightline.filters import Compare
from sightline.protocols import Store
from sightline.showing import Show
from sightline.types import Hit, Item, Like, Query, Term
from tests.retriever.colours import ColourEncoder, picture

Why: TypeAlias = Callable[..., Explanation]
WANTED = Query((Term("red tall"),))


@pytest.fixture
def shop(shelve: Callable[..., Item]) -> None:
    for colour in ("red", "green", "blue"):
        for shape in ("tall", "wide"):
            shelve(
                f"{colour}-{shape}",
                pictures=[f"{colour} {shape}"],
                texts=[f"A vase that stands {shape} in many rooms"],
                glaze=colour,
                price=10 if shape == "tall" else 20,
            )
    shelve("note", texts=["Vases are fired twice"])
    shelve("photo", pictures=["red"])


@pytest.fixture
def why(shop: None, store: Store, encoder: ColourEncoder) -> Why:
    def run(query: Query, item_id: str, *, k: int = 10, **options: Any) -> Explanation:
        account = Account()
        results = retriever.search(query, k=k, store=store, encoder=encoder, account=account, **options)
        (item,) = store.get([item_id])
        told = explain(account, results, item, store=store, calibration=options.get("calibration"))
        hit = next((one for one in results if one.id == item_id), None)
        assert told.rank == (hit.rank if hit else None)
        assert bool(told.absent) == (hit is None)
        return told

    return run


QUERIES = {
    "words": WANTED,
    "a name": Query((Term("red-tall"),)),
    "a picture": Query((Term(picture("red", "tall")),)),
    "both": Query((Term("vase", 2.0), Term(picture("red", "tall")))),
    "without": Query((Term("vase tall"), Term("red", -1.0))),
    "like": Query((Term(Like("red-wide")), Term("tall"))),
}


@pytest.mark.parametrize("name", QUERIES)
@pytest.mark.parametrize("item_id", ["red-tall", "note", "photo", "blue-wide"])
def test_what_channels_added_is_the_score(why: Why, name: str, item_id: str) -> None:
    told = why(QUERIES[name], item_id)
    if told.score is None:
        assert told.absent
        return
    assert sum(one.added for one in told.channels) + sum(told.adjustments.values()) == pytest.approx(
        told.score, abs=1e-12
    )
    for one in told.channels:
        if one.place is not None:
            assert one.added == pytest.approx((one.weight + one.lent) * one.strength / (60 + one.place))


def test_the_score_explained_is_the_hits(why: Why, store: Store, encoder: ColourEncoder) -> None:
    for hit in retriever.search(WANTED, k=10, store=store, encoder=encoder):
        assert why(WANTED, hit.id).score == pytest.approx(hit.score)


def test_hits_of_deeper_pools_add_up_too(why: Why, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("retriever.gathering.POOLS", (2, 4, 100))
    for item_id in ("red-tall", "blue-wide", "note", "green-wide"):
        told = why(WANTED, item_id)
        assert told.score is not None
        assert sum(one.added for one in told.channels) + sum(told.adjustments.values()) == pytest.approx(told.score)


def test_an_item_of_one_kind_is_lent_the_place_of_the_other(why: Why) -> None:
    lent = {one.channel: one.lent for one in why(WANTED, "photo").channels}
    assert lent["clip"] > 0
    assert lent["dense"] == 0


def test_what_terms_added_is_the_cosine(why: Why) -> None:
    told = why(QUERIES["both"], "red-tall")
    for channel, kind in (("clip", "image"), ("dense", "text")):
        cosine = next(one.cosine for one in told.channels if one.channel == channel)
        assert sum(one.added[kind] for one in told.terms) == pytest.approx(cosine, abs=1e-5)  # type: ignore[index]
    assert [one.term["type"] for one in told.terms] == ["text", "image"]


def test_words_are_told_where_they_stand_and_how_they_are_spelt(why: Why) -> None:
    told = {one.word: one for one in why(Query((Term("Room vases glazed red"),)), "red-tall").words}
    room, red = told["room"].said, told["red"].said
    assert [(one.place, one.written) for one in room] == [("passage", "rooms")]
    assert [(one.place, one.field, one.written) for one in red] == [("field", "glaze", "red")]
    assert told["vases"].said[0].written == "vase"
    assert sum(one.share for one in told.values()) == pytest.approx(1)
    assert not {one.word: one for one in why(WANTED, "blue-wide").words}["red"].said


def test_words_are_not_told_where_pictures_alone_decide(why: Why) -> None:
    assert why(Query((Term("red tall"),), target="image"), "red-tall").words == ()


def test_what_is_unwanted_pushes_back_by_words_and_by_looks(why: Why) -> None:
    told = why(QUERIES["without"], "red-tall")
    assert told.adjustments["last"] == -1
    by_words, *by_looks = told.pushed
    assert (by_words.term, by_words.channel, by_words.said[0].field) == ("red", None, "glaze")
    assert any(one.channel == "clip" and (one.cost or 0) > 0 for one in by_looks)
    assert not any(one.channel is None for one in why(QUERIES["without"], "blue-tall").pushed)
    unwanted = told.terms[-1]
    assert unwanted.weight == -1
    assert not unwanted.added
    assert unwanted.cosines["image"] > why(QUERIES["without"], "blue-tall").terms[-1].cosines["image"]


def test_why_an_item_is_no_hit(why: Why) -> None:
    reasons = {
        "excludes": why(Query((Term("vase"),), exclude=("red-tall",)), "red-tall"),
        "does not pass the filter price < 15": why(Query((Term("vase"),), where=Compare("price", "<", 15)), "red-wide"),
        "names it": why(Query((Term(Like("red-tall")),)), "red-tall"),
        "no channel": why(Query((Term("vase"),), target="image"), "note"),
        "number": why(Query((Term("red wide"),)), "blue-tall", k=1),
    }
    for said, told in reasons.items():
        assert said in told.absent, told.absent
        assert told.rank is None


def test_a_copy_is_told_under_its_hit(why: Why, shelve: Callable[..., Item]) -> None:
    shelve("red-tall-2", pictures=["red tall"], texts=["A vase that stands tall in many rooms"], glaze="red", price=10)
    under = why(Query((Term("red tall vase"),)), "red-tall-2", show=Show(fold=True))
    over = why(Query((Term("red tall vase"),)), "red-tall", show=Show(fold=True))
    assert "folded under" in under.absent
    assert over.folded == ("red-tall-2",)


@pytest.fixture
def calibration(shop: None, store: Store, encoder: ColourEncoder, monkeypatch: pytest.MonkeyPatch) -> Calibration:
    monkeypatch.setattr("retriever.background.THINGS", ("red tall", "green wide", "blue tall", "green tall"))
    made = calibrated(store, encoder, key="k")
    assert made is not None
    return made


def test_reasons_add_up_to_the_probabilities(why: Why, calibration: Calibration) -> None:
    told = why(WANTED, "red-tall", calibration=calibration, least=0.0)
    assert told.answered == pytest.approx(_sigmoid(sum(one.added for one in told.answered_of)))
    assert told.relevance == pytest.approx(_sigmoid(sum(one.added for one in told.relevance_of)))
    less = why(WANTED, "blue-wide", calibration=calibration, least=0.0)
    assert less.answered == told.answered
    assert (less.relevance or 0) < (told.relevance or 0)


def test_a_name_needs_no_reasons(why: Why, calibration: Calibration) -> None:
    told = why(Query((Term("red-tall"),)), "red-tall", calibration=calibration)
    assert (told.relevance, told.answered) == (1.0, 1.0)
    assert (told.relevance_of, told.answered_of) == ((), ())


def test_below_the_bar_and_below_what_was_asked(why: Why, calibration: Calibration) -> None:
    nothing = why(Query((Term("aeroplane"),)), "red-tall", calibration=calibration, least=0.99)
    assert "nothing here answers" in nothing.absent
    told = why(WANTED, "blue-wide", calibration=calibration, least=0.0)
    answered, least = told.answered or 0, told.relevance or 0
    assert answered > least
    assert "relevance" in why(WANTED, "blue-wide", calibration=calibration, least=(answered + least) / 2).absent


@dataclass
class Backwards:
    """A reranker that turns the order round."""

    name = "backwards"

    def judge(self, query: Query, hits: Sequence[Hit]) -> list[float | None]:
        return [10.0 * at for at in range(len(hits))]


def test_what_a_reranker_moved_is_told(why: Why) -> None:
    told = why(WANTED, "red-tall", reranking=Reranking(Backwards(), depth=4), k=4)
    assert told.places == {"fusion": 1, "reranker": 4, "shown": 4}
    assert told.reranked is not None
    assert (told.reranked.by, told.reranked.first, told.reranked.said) == ("backwards", 0.0, 0.0)
    behind = why(WANTED, "blue-wide", reranking=Reranking(Backwards(), depth=4), k=6)
    assert behind.places["fusion"] > 4
    assert behind.reranked is not None
    assert behind.reranked.said is None  # it stood behind those that were read
    assert why(WANTED, "red-tall").reranked is None
    assert sum(one.added for one in told.channels) + sum(told.adjustments.values()) == pytest.approx(told.score)


def test_reasons_add_up_where_a_reranker_moved_the_hit(why: Why, calibration: Calibration) -> None:
    for item in ("red-tall", "blue-wide", "red-wide"):
        told = why(WANTED, item, calibration=calibration, least=0.0, reranking=Reranking(Backwards(), gated=False))
        assert told.places["reranker"] != told.places["fusion"]
        assert told.relevance == pytest.approx(_sigmoid(sum(one.added for one in told.relevance_of)))


def _sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value))
