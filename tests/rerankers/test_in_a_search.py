"""Rerankers inside a collection: opened once, followed, and asked nothing twice."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from PIL import Image

from sightline import Sightline
from sightline.errors import ConfigError, MissingExtra
from sightline.rerankers import open_reranker, reranker_cards
from sightline.reranking import OPEN
from tests.extras import needs

COLOURS = {"red": (200, 30, 30), "blue": (30, 60, 200), "green": (30, 150, 60)}


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Sightline]:
    """Three pictures, one of which has no words."""
    rows: list[dict[str, Any]] = []
    for name, rgb in COLOURS.items():
        Image.new("RGB", (64, 64), rgb).save(tmp_path / f"{name}.png")
        rows.append({"id": name, "images": [str(tmp_path / f"{name}.png")]})
    rows[0]["title"], rows[1]["text"] = "Red ball", "a ball of blue glass"
    with Sightline.open(tmp_path / "index") as index:
        index.add(*rows)
        yield index


def test_a_reranker_stays_open_and_the_longest_unused_goes(opened: Sightline, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []

    def opening(spec: str, **_: Any) -> Any:
        made.append(spec)
        return object()

    monkeypatch.setattr("sightline.reranking.open_reranker", opening)
    first = opened.rerankers.open("a")
    assert opened.rerankers.open("a") is first
    for at in range(OPEN - 1):
        opened.rerankers.open(str(at))
    assert opened.rerankers.open("a") is first
    opened.rerankers.open("one more")
    assert opened.rerankers.open("a") is first
    opened.rerankers.open("0")
    assert made.count("a") == 1
    assert made.count("0") == 2


def test_who_wants_one_that_is_open_does_not_wait_for_another(
    opened: Sightline, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []
    loaded = Event()

    def opening(spec: str, **_: Any) -> Any:
        made.append(spec)
        assert spec != "slow" or loaded.wait(10)
        return object()

    monkeypatch.setattr("sightline.reranking.open_reranker", opening)
    quick = opened.rerankers.open("quick")
    with ThreadPoolExecutor(3) as pool:
        try:
            slow = [pool.submit(opened.rerankers.open, "slow") for _ in range(2)]
            assert pool.submit(opened.rerankers.open, "quick").result(5) is quick
        finally:
            loaded.set()
        assert slow[0].result(5) is slow[1].result(5)
    assert made == ["quick", "slow"]


def test_one_that_did_not_open_is_tried_again(opened: Sightline, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(2):
        with pytest.raises(ConfigError):
            opened.rerankers.open("vlm:no such folder")
    monkeypatch.setattr("sightline.reranking.open_reranker", lambda spec, **_: object())
    assert opened.rerankers.open("vlm:no such folder")


def test_the_same_search_again_reads_nothing(opened: Sightline, monkeypatch: pytest.MonkeyPatch) -> None:
    from sightline.mllms import open_vision

    model, asked = open_vision("vlm:starter"), []
    match = model.match
    monkeypatch.setattr(model, "match", lambda text, shown: asked.append(len(shown)) or match(text, shown))
    searches = [opened.search("a ball", k=k, rerank="vlm:starter", gate=False, least=0) for k in (2, 3, 3)]
    assert asked == [3]
    assert [hit.id for hit in searches[1]] == [hit.id for hit in searches[2]]
    assert [one.reranked.read for one in searches if one.reranked] == [3, 3, 3]
    opened.search("a red ball", rerank="vlm:starter", gate=False, least=0)
    assert asked == [3, 3]


def test_a_cross_encoder_by_its_spec_reads_what_has_words(opened: Sightline, tmp_path: Path) -> None:
    needs("torch", "transformers", "sentence_transformers", extra="text")
    from tests.rerankers import tiny_cross_encoders as tiny

    spec = f"cross-encoder:{tiny.of_words(tmp_path / 'judge')}"
    found = opened.search("a ball", rerank=spec, gate=False, least=0)
    assert found.warnings == ()
    assert found.reranked is not None
    assert (found.reranked.by, found.reranked.read) == ("cross-encoder:judge", 2)
    assert {hit.id: "rerank" in hit.via for hit in found} == {"red": True, "blue": True, "green": False}
    by_picture = opened.search(tmp_path / "red.png", rerank=spec, gate=False)
    assert [hit.id for hit in by_picture] == [hit.id for hit in opened.search(tmp_path / "red.png")]
    assert "first order stands: cross-encoder:judge reads words" in by_picture.warnings[0]


def test_without_the_extra_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(MissingExtra, match=r"pip install '\.\[text\]'"):
        open_reranker(f"cross-encoder:{tmp_path}", picture=lambda part: None, timeout_s=1)


def test_cards_name_specs_that_are_known_and_their_licences() -> None:
    cards = reranker_cards()
    assert cards[0].spec == "vlm:starter"
    assert {card.spec.partition(":")[0] for card in cards} == {"vlm", "cross-encoder"}
    assert all(card.licence and card.size_bytes and card.note for card in cards)
    assert all("not measured here" in card.note for card in cards[1:])
