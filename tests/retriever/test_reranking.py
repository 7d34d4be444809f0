"""What a reranker's judgements amount to, and which queries it is asked of."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retriever.reranking import KINDS, Kind, Reranking, Trust, kind_of, priors, weighed
from retriever.terms import read
from sightline.types import Hit, Item, Like, Query, Term

PICTURE = np.zeros((4, 4, 3), np.uint8)
ODDS = st.lists(st.one_of(st.none(), st.floats(-14, 14)), max_size=30)


@dataclass
class Judge:
    """Gives what it was told to give, and keeps whom it was asked about."""

    odds: Sequence[float | None]
    asked: list[str] = field(default_factory=list)
    name: str = "judge"

    def judge(self, query: Query, hits: Sequence[Hit]) -> list[float | None]:
        self.asked += [hit.id for hit in hits]
        return list(self.odds[: len(hits)])


def hits(count: int, *, called: Sequence[int] = ()) -> list[Hit]:
    return [
        Hit(Item(str(at), {}, ()), (), 9.0 - at, at + 1, ("id", "clip") if at in called else ("clip",))
        for at in range(count)
    ]


def order(judge: Judge, given: Sequence[Hit], said: str = "a red mug", **options: object) -> list[str]:
    query = Query((Term(said),))
    made = Reranking(judge, **options).rerank(query, read(query), given)  # type: ignore[arg-type]
    return [hit.id for hit in made.hits]


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("mug", "simple"),
        ("red mug", "simple"),
        ("a striped red mug", "attributes"),
        ("a red mug and a blue bowl", "composed"),
        ("a dog in the snow", "composed"),
        ("with a handle", "simple"),  # nothing before it: it relates no two things
        ("a mug without a handle", "negated"),
    ],
)
def test_a_query_is_of_a_kind_by_its_words(said: str, kind: Kind) -> None:
    assert kind_of(read(Query((Term(said),)))) == kind


def test_a_query_is_of_a_kind_by_its_terms() -> None:
    assert kind_of(read(Query((Term("mug"), Term("red", -1.0))))) == "negated"
    assert kind_of(read(Query((Term("mug"), Term("red"))))) == "composed"
    assert kind_of(read(Query((Term(PICTURE),)))) == "pictured"
    assert kind_of(read(Query((Term(Like("one")), Term("mug"))))) == "pictured"


def test_a_first_hit_that_leads_clearly_needs_no_second_look() -> None:
    terms = read(Query((Term("a red mug and a blue bowl"),)))
    assert kind_of(terms, [0.9, 0.5, 0.5]) == "clear"
    assert kind_of(terms, [0.6, 0.5]) == kind_of(terms, [0.6]) == kind_of(terms, [None, None]) == "composed"
    unwanted = read(Query((Term("mug"), Term("red", -1.0))))
    assert kind_of(unwanted, [0.9, 0.5]) == "negated"
    judge, clear = (
        Judge([0.0, 9.0]),
        [replace(hit, relevance=share) for hit, share in zip(hits(2), (0.9, 0.5), strict=True)],
    )
    assert order(judge, clear) == ["0", "1"]
    assert judge.asked == []
    assert order(judge, clear, gated=False) == ["1", "0"]


@given(ODDS, st.floats(0.01, 4))
def test_an_order_has_each_hit_once_and_who_was_not_judged_stays(odds: list[float | None], weight: float) -> None:
    made = weighed(odds, [None] * len(odds), weight)
    assert sorted(made) == list(range(len(odds)))
    assert all(made[at] == at for at, one in enumerate(odds) if one is None)


@given(st.lists(st.just(0.7), max_size=30), st.floats(0.01, 4))
def test_judgements_of_one_mind_leave_the_order(odds: list[float], weight: float) -> None:
    assert weighed(odds, [None] * len(odds), weight) == list(range(len(odds)))


def test_who_is_sure_decides_and_who_is_not_does_not() -> None:
    assert weighed([-3.0, 3.0, 0.0], [0.5] * 3, 1.0) == [1, 2, 0]
    assert weighed([-0.1, 0.1, 0.0], [0.5] * 3, 1.0) == [0, 1, 2]
    assert weighed([-0.1, 0.1, 0.0], [0.5] * 3, 9.0) == [1, 0, 2]


def test_relevance_and_rank_count_as_odds_and_no_relevance_halves_the_weight() -> None:
    assert priors([0.5, 0.5]) == pytest.approx([0.0, -math.log(2)])
    assert priors([0.8, None]) == pytest.approx([math.log(4), -math.log(2)])
    sure = [0.9, 0.1]  # 9 : 1 and 1 : 9, halved by its rank: 162 to 1 in all
    assert weighed([0.0, math.log(161)], sure, 1.0) == [0, 1]
    assert weighed([0.0, math.log(163)], sure, 1.0) == [1, 0]
    assert weighed([0.0, math.log(3)], [None, None], 1.0) == [0, 1]
    assert weighed([0.0, math.log(5)], [None, None], 1.0) == [1, 0]


def test_only_the_first_are_read_and_scores_stay_in_place() -> None:
    judge = Judge([0.0, 0.0, 9.0])
    query, given = Query((Term("a red mug"),)), hits(5)
    made = Reranking(judge, depth=3).rerank(query, read(query), given)
    assert [hit.id for hit in made.hits] == ["2", "0", "1", "3", "4"]
    assert [hit.rank for hit in made.hits] == [1, 2, 3, 4, 5]
    assert [hit.score for hit in made.hits] == [hit.score for hit in given]
    assert ["rerank" in hit.via for hit in made.hits] == [True] * 3 + [False] * 2
    assert (made.told.by, made.told.read, made.told.weight) == ("judge", 3, 0.5)  # no relevance was told


def test_who_is_called_by_name_is_not_judged() -> None:
    judge = Judge([0.0, 9.0])
    assert order(judge, hits(3, called=[0])) == ["0", "2", "1"]
    assert judge.asked == ["1", "2"]
    alone = Judge([])
    assert order(alone, hits(2, called=[0, 1])) == ["0", "1"]
    assert alone.asked == []


def test_where_a_reranker_is_not_believed_it_is_not_asked_unless_all_is() -> None:
    trust = Trust({kind: 0.0 if kind == "simple" else 1.0 for kind in KINDS}, tuned=True)
    judge = Judge([0.0, 9.0])
    assert order(judge, hits(2), trust=trust) == ["0", "1"]
    assert judge.asked == []
    assert order(judge, hits(2), trust=trust, gated=False) == ["1", "0"]
    assert order(Judge([0.0, 9.0]), hits(2), "a red mug and a bowl", trust=trust) == ["1", "0"]


@pytest.mark.parametrize("odds", [[1.0], [1.0, float("nan")], [1.0, float("inf")]])
def test_judgements_that_are_none_leave_the_order_and_are_told(odds: list[float]) -> None:
    query, given = Query((Term("a red mug"),)), hits(2)
    made = Reranking(Judge(odds)).rerank(query, read(query), given)
    assert made.hits == given
    assert made.told.read == 0
    assert "did not judge each of the hits" in made.warnings[0]


def test_trust_is_kept_as_it_was() -> None:
    trust = Trust({kind: at / 4 for at, kind in enumerate(KINDS)}, tuned=True)
    assert Trust.from_json(trust.to_json()) == trust
