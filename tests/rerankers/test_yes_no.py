"""The yes/no reranker over a real tiny model and over one whose sureness is known."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sightline import Sightline
from sightline.errors import ConfigError, EngineError, EngineTimeout
from sightline.rerankers import open_reranker
from sightline.rerankers.reading import log_odds
from sightline.rerankers.yes_no import YesNoReranker
from sightline.types import Hit, Item, Part, Pixels, Query, Term
from tests.extras import needs


class Redness:
    """Holds a picture to match "red" as far as it is red, and "blue" as far as it is not: an engine of one rule."""

    name = "redness"

    def __init__(self, wait_s: float = 0.0) -> None:
        self.wait_s, self.batches = wait_s, 0

    def match(self, text: str, pictures: Sequence[Pixels]) -> list[float]:
        time.sleep(self.wait_s)
        self.batches += 1
        red = [float(one[..., 0].mean()) / 255 for one in pictures]
        return red if "red" in text else [1 - share for share in red]


def picture(part: Part) -> Pixels | None:
    return np.full((8, 8, 3), int(part.digest), np.uint8) if part.digest.isdigit() else None


def hits(*reds: int | None) -> list[Hit]:
    made = []
    for at, red in enumerate(reds):
        parts = (Part(f"{at}#0", str(at), "text" if red is None else "image", digest="" if red is None else str(red)),)
        made.append(Hit(Item(str(at), {}, parts), parts, score=9.0 - at, rank=at + 1, via=("clip",)))
    return made


def judged(query: Query, given: list[Hit], model: Redness | None = None) -> list[float | None]:
    return YesNoReranker(model or Redness(), picture, timeout_s=9).judge(query, given)


def test_each_hit_has_the_log_odds_of_yes() -> None:
    odds = judged(Query((Term("red mug"),)), hits(10, 200, 90))
    assert odds == pytest.approx([math.log(red / (255 - red)) for red in (10, 200, 90)])


def test_unwanted_words_count_against() -> None:
    odds = judged(Query((Term("blue mug"), Term("red", -1.0))), hits(200, 10, 90))
    assert odds == pytest.approx([-2 * math.log(red / (255 - red)) for red in (200, 10, 90)])


def test_of_a_hit_without_a_picture_nothing_is_said() -> None:
    odds = judged(Query((Term("red"),)), hits(10, None, 90, 200, None))
    assert [one is None for one in odds] == [False, True, False, False, True]


def test_no_hits_and_hits_without_pictures_ask_nothing() -> None:
    model = Redness()
    assert judged(Query((Term("red"),)), [], model) == []
    assert judged(Query((Term("red"),)), hits(None, None), model) == [None, None]
    assert model.batches == 0


@pytest.mark.parametrize(
    "query",
    [
        Query((Term(np.zeros((4, 4, 3), np.uint8)),)),
        Query((Term("red"), Term(np.zeros((4, 4, 3), np.uint8)))),
        Query((Term("red", -1.0),)),
    ],
)
def test_a_query_not_of_words_alone_is_refused(query: Query) -> None:
    with pytest.raises(EngineError, match="redness judges pictures by words"):
        judged(query, hits(1, 2))


def test_the_time_is_for_all_pictures_together() -> None:
    model = Redness(wait_s=0.15)
    with pytest.raises(EngineTimeout, match=r"redness did not judge the hits within 0\.2 s"):
        YesNoReranker(model, picture, timeout_s=0.2).judge(Query((Term("red"),)), hits(*range(40)))
    assert model.batches == 2


def test_a_real_model_by_its_spec(tmp_path: Path) -> None:
    needs("torch", "transformers", extra="vlm")
    from sightline.mllms.local import open_local
    from tests.mllms import tiny_vlm

    folder = tiny_vlm.build(tmp_path / "model")
    given = hits(*range(0, 250, 25))
    odds = open_reranker(f"vlm:{folder}", picture=picture, timeout_s=60).judge(Query((Term("red mug"),)), given)
    direct = open_local(folder).match("red mug", [picture(one.parts[0]) for one in given])  # type: ignore[misc]
    assert odds == pytest.approx([log_odds(one) for one in direct])


def test_a_spec_without_a_model_is_a_sentence(tmp_path: Path) -> None:
    needs("torch", "transformers", extra="vlm")
    with pytest.raises(ConfigError, match="there is no vision-language model in"):
        open_reranker(f"vlm:{tmp_path}", picture=picture, timeout_s=1)


def test_a_search_follows_it_and_keeps_the_first_order_where_it_fails(tmp_path: Path) -> None:
    needs("torch", "transformers", extra="vlm")
    from sightline.mllms.local import open_local
    from tests.mllms import tiny_vlm

    folder = tiny_vlm.build(tmp_path / "model")
    for name, rgb in (("red", (200, 30, 30)), ("blue", (30, 60, 200)), ("green", (30, 150, 60))):
        Image.new("RGB", (64, 64), rgb).save(tmp_path / f"{name}.png")
    with Sightline.open(tmp_path / "index") as opened:
        opened.add(*(tmp_path / f"{name}.png" for name in ("red", "blue", "green")))
        plain = opened.search("a red ball", least=0)
        made = opened.search("a red ball", rerank=f"vlm:{folder}", least=0, gate=False)
        seen = {hit.id: opened._pixels(hit.parts[0]) for hit in plain}
        odds = dict(zip(seen, open_local(folder).match("a red ball", list(seen.values())), strict=True))  # type: ignore[arg-type]
        weighed = {hit.id: log_odds(odds[hit.id]) + log_odds(hit.relevance) - math.log(hit.rank) for hit in plain}
        assert [hit.id for hit in made] == sorted(weighed, key=lambda name: -weighed[name])
        assert {hit.via[-1] for hit in made} == {"rerank"}
        by_picture = opened.search(tmp_path / "red.png", rerank=f"vlm:{folder}")
        assert [hit.id for hit in by_picture] == [hit.id for hit in opened.search(tmp_path / "red.png")]
        assert by_picture.warnings == (
            "Reranking failed, so the first order stands: vlm:model judges pictures by words, and this query is not of "
            "words alone",
        )
