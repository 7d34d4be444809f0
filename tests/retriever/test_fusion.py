"""Fusion by rank: what must hold for any lists."""

from __future__ import annotations

import random

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from retriever.fusion import RRF_K, TEXT_WEIGHTS, Vote, fuse, weights_for

ITEMS = [f"item-{n}" for n in range(8)]
rankings = st.fixed_dictionaries(
    {}, optional={name: st.lists(st.sampled_from(ITEMS), unique=True, min_size=1) for name in TEXT_WEIGHTS}
)


def votes(items: list[str]) -> list[Vote]:
    return [Vote(f"{item}#text-0", item, score=-at) for at, item in enumerate(items)]


def run(lists: dict[str, list[str]], **options: object) -> dict[str, float]:
    fused = fuse({name: votes(items) for name, items in lists.items()}, TEXT_WEIGHTS, **options)  # type: ignore[arg-type]
    return {one.item_id: one.score for one in fused}


def test_the_formula_by_hand() -> None:
    scores = run({"clip": ["a", "b"], "dense": ["b", "c"]})
    assert scores["b"] == pytest.approx(1 / (RRF_K + 2) + 1 / (RRF_K + 1))
    assert scores["a"] == pytest.approx(1 / (RRF_K + 1))
    assert scores["c"] == pytest.approx(1 / (RRF_K + 2))
    assert list(scores) == ["b", "a", "c"]


@given(rankings)
def test_the_order_of_channels_does_not_matter(lists: dict[str, list[str]]) -> None:
    names = list(lists)
    random.Random(0).shuffle(names)
    assert list(run({name: lists[name] for name in names}).items()) == list(run(lists).items())


@given(rankings, st.data())
def test_a_better_place_in_one_channel_never_lowers_an_item(lists: dict[str, list[str]], data: st.DataObject) -> None:
    long = sorted(name for name, items in lists.items() if len(items) > 1)
    assume(long)
    channel = data.draw(st.sampled_from(long))
    at = data.draw(st.integers(1, len(lists[channel]) - 1))
    item = lists[channel][at]
    better = list(lists[channel])
    better[at - 1], better[at] = better[at], better[at - 1]
    before, after = run(lists), run({**lists, channel: better})
    assert after[item] >= before[item]
    assert list(after).index(item) <= list(before).index(item)


@given(rankings)
def test_an_absent_channel_changes_nothing(lists: dict[str, list[str]]) -> None:
    for name in TEXT_WEIGHTS.keys() - lists.keys():
        assert list(run({**lists, name: []}).items()) == list(run(lists).items())


@given(rankings)
def test_every_item_comes_once_scores_fall_and_ties_go_by_id(lists: dict[str, list[str]]) -> None:
    fused = fuse({name: votes(items) for name, items in lists.items()}, TEXT_WEIGHTS)
    assert sorted(one.item_id for one in fused) == sorted({item for items in lists.values() for item in items})
    keys = [(-one.score, one.item_id) for one in fused]
    assert keys == sorted(keys)


def test_equal_scores_are_ordered_by_id() -> None:
    assert list(run({"clip": ["z", "a"], "dense": ["a", "z"]})) == ["a", "z"]


def test_equal_scores_in_a_channel_share_a_place() -> None:
    said = [Vote("a#0", "a", 0.9), Vote("b#0", "b", 0.5), Vote("b#1", "b", 0.5), Vote("c#0", "c", 0.5)]
    fused = fuse({"clip": [*said, Vote("d#0", "d", 0.1)]}, TEXT_WEIGHTS)
    assert [(one.item_id, one.places["clip"]) for one in fused] == [("a", 1), ("b", 2), ("c", 2), ("d", 4)]


def test_an_item_without_pictures_is_not_behind_for_lack_of_them() -> None:
    lists = {"clip": ["shoe", "hat"], "dense": ["guide", "shoe", "hat"]}
    assert list(run(lists)) == ["shoe", "hat", "guide"]
    assert list(run(lists, without={"clip": frozenset({"guide"})})) == ["guide", "shoe", "hat"]


def test_lending_never_makes_more_of_a_channel_than_the_lower_weight() -> None:
    fused = fuse(
        {"clip": votes(["photo"]), "dense": votes(["guide"])},
        {"clip": 1.0, "dense": 0.3},
        without={"clip": frozenset({"guide"}), "dense": frozenset({"photo"})},
    )
    assert [(one.item_id, one.score) for one in fused] == [
        ("photo", pytest.approx(1.3 / (RRF_K + 1))),
        ("guide", pytest.approx(0.6 / (RRF_K + 1))),
    ]


def test_first_and_last_stand_apart_and_keep_their_own_order() -> None:
    lists = {"clip": ["a", "b", "c", "d"]}
    assert list(run(lists, first=frozenset({"c", "new"}), last=frozenset({"a"}))) == ["c", "new", "b", "d", "a"]


def test_a_weak_match_is_a_weak_vote() -> None:
    said = {"clip": votes(["a", "b"]), "words": [Vote("b#text-0", "b", 1.0, strength=0.0001)]}
    assert [one.item_id for one in fuse(said, TEXT_WEIGHTS)] == ["a", "b"]


def test_an_items_parts_come_best_first_and_it_is_counted_once() -> None:
    said = {
        "clip": [Vote("a#image-1", "a", 0.9), Vote("b#image-0", "b", 0.8), Vote("a#image-0", "a", 0.7)],
        "dense": [Vote("b#text-0", "b", 0.9), Vote("a#text-0", "a", 0.8)],
        "words": [Vote("a#text-0", "a", 5.0)],
    }
    first, second = fuse(said, TEXT_WEIGHTS)
    assert first.item_id == "a"
    assert first.parts == ("a#text-0", "a#image-1", "a#image-0")
    assert (first.places, second.places) == ({"clip": 1, "dense": 2, "words": 1}, {"clip": 2, "dense": 1})


def test_a_picture_gives_words_no_vote() -> None:
    assert weights_for(1.0) == TEXT_WEIGHTS
    assert weights_for(0.0)["words"] == 0
    assert weights_for(0.5)["words"] == pytest.approx(0.5 * TEXT_WEIGHTS["words"])
