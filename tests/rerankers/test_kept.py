"""Judgements that are kept: what is asked again, what never is, and what is forgotten."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from threading import Thread

import numpy as np
import pytest

from sightline.errors import EngineError, EngineTimeout
from sightline.rerankers.kept import Kept
from sightline.types import Hit, Item, Like, Locator, Part, Query, Term

RED = Query((Term("red"),))


class Reader:
    """Judges a hit by the length of its title, and a whole set by that and its place; says how often it read what."""

    name = "reader"

    def __init__(self, *, alone: bool | None = True, learns: bool | None = None) -> None:
        self.alone, self._learns = alone, learns
        self.read: list[list[str]] = []
        self.fails: Exception | None = None
        self.says: list[float | None] | None = None

    def judge(self, query: Query, hits: Sequence[Hit]) -> list[float | None]:
        self.read.append([hit.id for hit in hits])
        if self._learns is not None:
            self.alone = self._learns
        if self.fails:
            raise self.fails
        if self.says is not None:
            return self.says
        return [float(len(hit.item.title)) + (0 if self.alone else at / 10) for at, hit in enumerate(hits)]


def hit(name: str, *, digest: str = "", title: str = "") -> Hit:
    parts = (Part(f"{name}#0", name, "image", digest=digest or name),)
    return Hit(Item(name, {"title": title or name * 2}, parts), parts, score=1.0, rank=1, via=("clip",))


A, B, C, D = (hit(name) for name in "abcd")


def test_what_was_read_is_not_read_again() -> None:
    reader = Reader()
    kept = Kept(reader)
    first = kept.judge(RED, [A, B])
    assert kept.judge(RED, [B, A]) == first[::-1]
    assert kept.judge(RED, [A, C, B, D]) == [2.0] * 4
    assert reader.read == [["a", "b"], ["c", "d"]]


@pytest.mark.parametrize(
    "other",
    [
        Query((Term("blue"),)),
        Query((Term("red"), Term("blue", -1.0))),
        Query((Term("red"), Term("blue"))),
        Query((Term("red", -1.0),)),
        Query((Term(np.zeros((4, 4, 3), np.uint8)),)),
        Query((Term(Like("red")),)),
    ],
)
def test_another_question_is_asked_anew(other: Query) -> None:
    reader = Reader()
    kept = Kept(reader)
    kept.judge(RED, [A])
    kept.judge(other, [A])
    kept.judge(other, [A])
    assert len(reader.read) == 2


def test_pictures_are_told_apart_by_their_pixels_and_their_shape() -> None:
    reader = Reader()
    kept = Kept(reader)
    flat = np.zeros((2, 6, 3), np.uint8)
    spot = flat.copy()
    spot[0, 0, 0] = 1
    for pixels in (flat, spot, flat.reshape(3, 4, 3), flat[:, ::-1], spot[:, ::-1]):
        kept.judge(Query((Term(pixels),)), [A])
    assert len(reader.read) == 4  # a mirrored flat picture is the same


def test_a_weight_is_read_by_nobody_but_for_its_sign() -> None:
    reader = Reader()
    kept = Kept(reader)
    kept.judge(Query((Term("red", 2.0),)), [A])
    kept.judge(RED, [A])
    assert len(reader.read) == 1


def test_a_changed_picture_or_field_is_judged_anew_and_an_id_is_not_what_counts() -> None:
    reader = Reader()
    kept = Kept(reader)
    kept.judge(RED, [A, hit("a", digest="another"), hit("a", title="other")])
    kept.judge(RED, [hit("z", digest="a", title="aa")])
    assert reader.read == [["a", "a", "a"]]


def test_another_region_of_a_picture_is_read_anew_and_the_same_is_not() -> None:
    reader = Reader()
    kept = Kept(reader)

    def by(*box: float) -> Hit:
        return replace(A, parts=tuple(replace(part, locator=Locator(box=box)) for part in A.parts))  # type: ignore[arg-type]

    for one in (A, by(0, 0, 0.5, 0.5), by(0, 0, 0.5, 0.6), by(0, 0, 0.5, 0.5), A):
        kept.judge(RED, [one])
    assert reader.read == [["a"]] * 3


def test_a_part_that_is_a_piece_of_a_picture_is_known_by_its_digest_alone() -> None:
    reader = Reader()
    kept = Kept(reader)
    parts = tuple(replace(part, locator=Locator(box=(0, 0, 0.5, 0.5))) for part in A.parts)
    kept.judge(RED, [A])
    kept.judge(RED, [replace(A, parts=parts, item=replace(A.item, parts=parts))])
    assert reader.read == [["a"]]


def test_other_parts_of_an_item_are_read_anew() -> None:
    reader = Reader()
    kept = Kept(reader)
    words = Part("a#1", "a", "text", digest="t", text="t")
    kept.judge(RED, [A])
    kept.judge(RED, [replace(A, parts=(words, *A.parts))])
    assert len(reader.read) == 2


def test_what_failed_is_asked_again() -> None:
    reader = Reader()
    kept = Kept(reader)
    reader.fails = EngineTimeout("late")
    with pytest.raises(EngineTimeout):
        kept.judge(RED, [A, B])
    reader.fails = None
    reader.says = [1.0, float("nan")]
    with pytest.raises(EngineError, match="reader did not judge each"):
        kept.judge(RED, [A, B])
    reader.says = [1.0]
    with pytest.raises(EngineError, match="reader did not judge each"):
        kept.judge(RED, [A, B])
    reader.says = [1.0, None]
    assert kept.judge(RED, [A, B]) == [1.0, None]
    reader.says = [5.0]
    assert kept.judge(RED, [A, B]) == [1.0, 5.0]  # what could not be read is asked again
    assert len(reader.read) == 5


@pytest.mark.parametrize("alone", [False, None])
def test_an_order_is_of_the_whole_set_as_it_stood(alone: bool | None) -> None:
    reader = Reader(alone=alone)
    kept = Kept(reader)
    first = kept.judge(RED, [A, B])
    assert kept.judge(RED, [A, B]) == first
    kept.judge(RED, [B, A])
    kept.judge(RED, [A, B, C])
    assert reader.read == [["a", "b"], ["b", "a"], ["a", "b", "c"]]


def test_who_turns_out_to_judge_each_alone_is_kept_by_hit() -> None:
    reader = Reader(alone=None, learns=True)
    kept = Kept(reader)
    kept.judge(RED, [A, B])
    kept.judge(RED, [B, C])
    assert reader.read == [["a", "b"], ["c"]]


def test_the_longest_unused_is_forgotten() -> None:
    reader = Reader()
    kept = Kept(reader, most=2)
    kept.judge(RED, [A, B])
    kept.judge(RED, [A])
    kept.judge(RED, [C])  # B goes
    kept.judge(RED, [A])
    kept.judge(RED, [B])
    assert reader.read == [["a", "b"], ["c"], ["b"]]
    assert kept.judge(RED, [A, B, C, D]) == [2.0] * 4  # more than are kept


def test_threads_may_share_it() -> None:
    kept = Kept(Reader(), most=5)
    many = [hit(f"h{at}") for at in range(12)]
    found: list[list[float | None]] = []
    threads = [
        Thread(target=lambda at=at: found.extend(kept.judge(RED, many[at : at + 8]) for _ in range(50)))
        for at in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 200
    assert {tuple(row) for row in found} <= {
        tuple(float(len(one.item.title)) for one in many[at : at + 8]) for at in range(4)
    }


def test_no_hits_ask_nothing_of_who_judges_each() -> None:
    reader = Reader()
    assert Kept(reader).judge(RED, []) == []
    assert reader.read == []


class Sparing(Reader):
    """Reads no more than two of the hits it is given."""

    def within(self, query: Query, hits: Sequence[Hit]) -> int:
        return min(len(hits), 2)

    def judge(self, query: Query, hits: Sequence[Hit]) -> list[float | None]:
        odds = super().judge(query, hits[:2])
        return [*odds, *[None] * (len(hits) - len(odds))]


@pytest.mark.parametrize("alone", [True, None])
def test_what_one_query_may_spend_is_not_spent_again_on_the_rest(alone: bool | None) -> None:
    reader = Sparing(alone=alone, learns=True)
    kept = Kept(reader)
    pages = [kept.judge(RED, [A, B, C, D]) for _ in range(3)]
    assert pages == [[2.0, 2.0, None, None]] * 3
    assert reader.read == [["a", "b"]]
    assert kept.judge(RED, [C, A, B]) == [2.0, 2.0, 2.0]  # in another order: the first two, and what is known
