"""What every reranker promises: a judgement of each hit it is given, finite, and more of one for what fits better."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from sightline.errors import EngineError
from sightline.mllms import open_chat
from sightline.protocols import Reranker
from sightline.rerankers.chat import ChatReranker
from sightline.types import Hit, Item, Part, Pixels, Query, Term
from tests.extras import needs
from tests.mllms.scripted_server import orders_by_redness, red_is_yes, redness_by_logprobs, says, scripted

needs("langchain", "langchain_openai", extra="mllm")
pytestmark = pytest.mark.network

RULES = {"pointwise": red_is_yes, "auto": redness_by_logprobs, "listwise": orders_by_redness}
Open = Callable[..., Reranker]


def picture(part: Part) -> Pixels | None:
    return np.zeros((16, 16, 3), dtype=np.uint8) + np.asarray((int(part.digest), 30, 30), dtype=np.uint8)


def hits(count: int) -> list[Hit]:
    """Hits of rising redness, so that the best comes last."""
    made = []
    for at in range(count):
        parts = (Part(f"{at}#image-0", str(at), "image", digest=str(at * 255 // max(1, count - 1))),)
        made.append(Hit(Item(str(at), {}, parts), parts, score=float(count - at), rank=at + 1, via=("clip", "words")))
    return made


@pytest.fixture(params=RULES)
def reranker(request: pytest.FixtureRequest) -> Iterator[Open]:
    with scripted(RULES[request.param]) as script:

        def opened(*, nonsense: bool = False) -> Reranker:
            script.rule = says("perhaps") if nonsense else script.rule
            return ChatReranker(open_chat(script.spec, logprobs=True), picture, timeout_s=60, mode=request.param)

        yield opened


@pytest.mark.parametrize("count", [0, 1, 2, 9])
def test_each_hit_is_judged(reranker: Open, count: int) -> None:
    odds = reranker().judge(Query((Term("red"),)), hits(count))
    assert len(odds) == count
    assert all(one is not None and math.isfinite(one) for one in odds)


def test_what_fits_is_judged_better_for_words_and_for_pictures(reranker: Open) -> None:
    given = hits(5)
    for term in (Term("red"), Term(picture(given[-1].parts[0]))):  # type: ignore[arg-type]
        odds = reranker().judge(Query((term,)), given)
        assert odds[-1] > odds[0]  # type: ignore[operator]


def test_the_given_hits_are_left_as_they_were(reranker: Open) -> None:
    given = hits(3)
    reranker().judge(Query((Term("red"),)), given)
    assert given == hits(3)


def test_it_has_a_name(reranker: Open) -> None:
    assert "scripted" in reranker().name


def test_nonsense_is_an_engine_error(reranker: Open) -> None:
    with pytest.raises(EngineError):
        reranker(nonsense=True).judge(Query((Term("red"),)), hits(3))
