"""What every reranker promises: a judgement of each hit it can read, finite, the same again, in time or not at all."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from sightline.errors import EngineError, EngineTimeout
from sightline.media import clipped
from sightline.rerankers import open_reranker
from sightline.rerankers.kept import Judging, Kept
from sightline.rerankers.yes_no import YesNoReranker
from sightline.types import Box, Hit, Item, Locator, Part, Pixels, Query, Term
from tests.extras import needs
from tests.mllms.scripted_server import Rule, orders_by_redness, red_is_yes, redness_by_logprobs, says, scripted

RED = Query((Term("red"),))
SCRIPTS: dict[str, Rule] = {
    "chat, pointwise": red_is_yes,
    "chat, auto": redness_by_logprobs,
    "chat, listwise": orders_by_redness,
}
OF_WORDS = "cross-encoder of words"
ASKED_PICTURES = (*SCRIPTS, "cross-encoder that sees")
READ_WORDS = (*ASKED_PICTURES, OF_WORDS)
APART = ("vlm:starter", "vlm:FOLDER", OF_WORDS, "cross-encoder that sees", "chat, pointwise", "chat, auto")
ENGINES = (*APART, "chat, listwise")
needs_a_server = pytest.mark.network


@dataclass(frozen=True)
class Opened:
    """An engine, opened with the time it may take."""

    name: str
    open: Callable[[float], Judging]

    @property
    def judge(self) -> Callable[[Query, Sequence[Hit]], list[float | None]]:
        return self.open(60).judge


LOWER_LEFT: Box = (0.0, 0.5, 0.5, 1.0)
PIECE = "piece of "  # a digest of what the lower left of a picture holds


def picture(part: Part) -> Pixels | None:
    red = part.digest.removeprefix(PIECE)
    if not red.isdigit():
        return None
    shown = np.random.default_rng(7).integers(0, 60, (24, 32, 3)).astype(np.uint8)
    shown[..., 0] = int(red)
    return clipped(shown, LOWER_LEFT) if part.digest.startswith(PIECE) else shown


def hits(count: int) -> list[Hit]:
    """Hits of rising redness, so that the best comes last; each has a picture and words."""
    made = []
    for at in range(count):
        red = str(at * 255 // max(1, count - 1))
        parts = (Part(f"{at}#image-0", str(at), "image", digest=red),)
        item = Item(str(at), {"title": f"mug {'red ' * (at % 5)}", "size": at}, parts)
        made.append(Hit(item, parts, score=float(count - at), rank=at + 1, via=("clip", "words")))
    return made


@cache
def models(folder: Path) -> dict[str, Path]:
    """Tiny models with random weights, built once."""
    from tests.mllms import tiny_vlm
    from tests.rerankers import tiny_cross_encoders

    return {
        "vlm:FOLDER": tiny_vlm.build(folder / "vlm"),
        OF_WORDS: tiny_cross_encoders.of_words(folder / "words"),
        "cross-encoder that sees": tiny_cross_encoders.that_sees(folder / "sees"),
    }


def opener(name: str, folder: Path) -> Callable[[float], Judging]:
    if name == "vlm:starter":
        from sightline.mllms import open_vision

        return lambda timeout_s: YesNoReranker(open_vision("vlm:starter"), picture, timeout_s=timeout_s)
    needs("torch", "transformers", "sentence_transformers", extra="text")
    if name == "vlm:FOLDER":
        from sightline.mllms.local import open_local

        return lambda timeout_s: YesNoReranker(open_local(models(folder)[name]), picture, timeout_s=timeout_s)
    from sightline.rerankers.cross_encoder import CrossEncoderReranker, open_cross_encoder

    model = open_cross_encoder(f"cross-encoder:{models(folder)[name]}")
    return lambda timeout_s: CrossEncoderReranker(model, picture, timeout_s=timeout_s)


def with_marks(names: Sequence[str]) -> list[object]:
    return [pytest.param(name, marks=needs_a_server if name in SCRIPTS else ()) for name in names]


@pytest.fixture
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opened]:
    name: str = request.param
    if name not in SCRIPTS:
        yield Opened(name, opener(name, tmp_path_factory.getbasetemp()))
        return
    needs("langchain", "langchain_openai", extra="mllm")
    from sightline.mllms import open_chat
    from sightline.rerankers.chat import ChatReranker

    with scripted(SCRIPTS[name]) as script:
        chat, mode = open_chat(script.spec, logprobs=True), name.removeprefix("chat, ")
        yield Opened(name, lambda timeout_s: ChatReranker(chat, picture, timeout_s=timeout_s, mode=mode))  # type: ignore[arg-type]


def over(*names: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("engine", with_marks(names), indirect=True)


# -- of each


@over(*ENGINES)
@pytest.mark.parametrize("count", [0, 1, 2, 9, 25])
def test_each_hit_is_judged(engine: Opened, count: int) -> None:
    odds = engine.judge(RED, hits(count))
    assert len(odds) == count
    assert all(one is not None and math.isfinite(one) for one in odds)


@over(*ENGINES)
def test_of_what_it_cannot_read_it_says_nothing(engine: Opened) -> None:
    whole, other = hits(2)
    bare = Hit(Item("photos/red mug.jpg", {}), (), 1.0, 1, ("clip",))  # its id says red, but an id is no word
    unseen = replace(whole, parts=(), item=replace(whole.item, parts=()))
    wordless = replace(whole, item=replace(whole.item, fields={}))
    odds = engine.judge(RED, [whole, bare, unseen, wordless, other])
    told = [one is not None for one in odds]
    assert told == [True, False, engine.name in READ_WORDS, engine.name != OF_WORDS, True]


@over(*ENGINES)
def test_the_same_again_is_judged_the_same(engine: Opened) -> None:
    first = engine.judge(RED, hits(9))
    assert engine.judge(RED, hits(9)) == pytest.approx(first, abs=1e-6)


@over(*ENGINES)
def test_what_is_kept_is_what_was_said(engine: Opened) -> None:
    kept, given = Kept(engine.open(60)), hits(9)
    first = kept.judge(RED, given)
    assert first == pytest.approx(engine.judge(RED, given), abs=1e-4)
    assert kept.judge(RED, given) == first


@over(*ENGINES)
def test_the_given_hits_are_left_as_they_were(engine: Opened) -> None:
    given = hits(3)
    engine.judge(RED, given)
    assert given == hits(3)


@over(*ENGINES)
def test_it_has_a_name_without_a_path(engine: Opened) -> None:
    name = engine.open(60).name
    assert name.partition(":")[0] in ("vlm", "cross-encoder", "openai")
    assert "/tmp" not in name


@over(*ENGINES)
def test_without_time_nothing_is_judged(engine: Opened) -> None:
    with pytest.raises(EngineTimeout):
        engine.open(1e-9).judge(RED, hits(9))


@over(*ENGINES)
def test_it_says_whether_it_judges_each_hit_apart(engine: Opened) -> None:
    opened = engine.open(60)
    opened.judge(RED, hits(2))
    assert opened.alone is (engine.name in APART)


# -- of those that judge each hit apart


@over(*APART)
def test_the_order_of_hits_does_not_matter(engine: Opened) -> None:
    given = hits(11)
    assert engine.judge(RED, given[::-1])[::-1] == pytest.approx(engine.judge(RED, given), abs=1e-4)


@over(*APART)
def test_many_are_judged_as_each_alone(engine: Opened) -> None:
    given = hits(19)
    together = engine.judge(RED, given)
    assert together[::6] == pytest.approx([engine.judge(RED, [one])[0] for one in given[::6]], abs=1e-4)


# -- of regions


def by_a_region(given: Hit) -> Hit:
    return replace(given, parts=tuple(replace(part, locator=Locator(box=LOWER_LEFT)) for part in given.parts))


@over("vlm:starter", "vlm:FOLDER", "cross-encoder that sees")
def test_where_a_region_answers_it_counts_as_much_as_the_picture(engine: Opened) -> None:
    wholes = hits(3)
    pieces = [
        replace(one, parts=parts, item=replace(one.item, parts=parts))
        for one in wholes
        for parts in [tuple(replace(part, digest=PIECE + part.digest) for part in one.parts)]
    ]
    apart = [(a or 0.0, b or 0.0) for a, b in zip(*(engine.judge(RED, some) for some in (wholes, pieces)), strict=True)]
    assert any(abs(a - b) > 1e-3 for a, b in apart)
    mixed = [by_a_region(wholes[0]), wholes[1], by_a_region(wholes[2])]
    truth = [sum(apart[0]) / 2, apart[1][0], sum(apart[2]) / 2]
    assert engine.judge(RED, mixed) == pytest.approx(truth, abs=1e-4)


@over("vlm:starter", "vlm:FOLDER", "cross-encoder that sees")
def test_what_is_unwanted_is_held_against_the_whole_picture(engine: Opened) -> None:
    given = [by_a_region(one) for one in hits(3)]
    wanted, whole = engine.judge(RED, given), engine.judge(Query((Term("mug"),)), hits(3))
    both = engine.judge(Query((Term("red"), Term("mug", -0.5))), given)
    assert both == pytest.approx([a - b for a, b in zip(wanted, whole, strict=True)], abs=1e-4)  # type: ignore[operator]


@over(OF_WORDS)
def test_who_reads_words_sees_no_region(engine: Opened) -> None:
    assert engine.judge(RED, [by_a_region(one) for one in hits(3)]) == engine.judge(RED, hits(3))


# -- of queries


@over(*ASKED_PICTURES)
def test_pictures_can_be_asked_for(engine: Opened) -> None:
    given = hits(5)
    shown = picture(given[-1].parts[0])
    assert shown is not None
    for query in (Query((Term(shown),)), Query((Term("mug"), Term(shown)))):
        assert all(one is not None and math.isfinite(one) for one in engine.judge(query, given))


@over(*(name for name in ENGINES if name not in ASKED_PICTURES))
def test_who_reads_words_refuses_pictures_in_one_sentence(engine: Opened) -> None:
    shown = picture(hits(1)[0].parts[0])
    assert shown is not None
    for query in (Query((Term(shown),)), Query((Term("mug"), Term(shown, -1.0)))):
        with pytest.raises(EngineError, match=rf"{engine.open(60).name} .* not of words alone"):
            engine.judge(query, hits(3))


@over("vlm:starter", "vlm:FOLDER", OF_WORDS, "cross-encoder that sees")
def test_what_is_unwanted_counts_against(engine: Opened) -> None:
    given = hits(4)
    wanted, unwanted = engine.judge(RED, given), engine.judge(Query((Term("mug"),)), given)
    both = engine.judge(Query((Term("red"), Term("mug", -0.5))), given)
    assert both == pytest.approx([a - b for a, b in zip(wanted, unwanted, strict=True)], abs=1e-4)  # type: ignore[operator]


# -- of chat models, which may say anything


@over(*SCRIPTS)
def test_what_fits_is_judged_better_for_words_and_for_pictures(engine: Opened) -> None:
    given = hits(5)
    for term in (Term("red"), Term(picture(given[-1].parts[0]))):  # type: ignore[arg-type]
        odds = engine.judge(Query((term,)), given)
        assert odds[-1] > odds[0]  # type: ignore[operator]


@needs_a_server
@pytest.mark.parametrize("mode", ["pointwise", "auto", "listwise"])
@pytest.mark.parametrize("said", ["perhaps", "I cannot help with that.", "", "[1] and [2]"])
def test_nonsense_and_refusals_are_engine_errors_and_are_not_kept(mode: str, said: str) -> None:
    needs("langchain", "langchain_openai", extra="mllm")
    from sightline.mllms import open_chat
    from sightline.rerankers.chat import ChatReranker

    with scripted(says(said)) as script:
        chat = open_chat(script.spec, logprobs=True)
        kept = Kept(ChatReranker(chat, picture, timeout_s=60, mode=mode))  # type: ignore[arg-type]
        for _ in range(2):
            with pytest.raises(EngineError):
                kept.judge(RED, hits(3))
        script.rule = SCRIPTS[f"chat, {mode}"]
        assert None not in kept.judge(RED, hits(3))


@needs_a_server
def test_a_spec_opens_each_kind(tmp_path_factory: pytest.TempPathFactory) -> None:
    needs("torch", "transformers", "sentence_transformers", "langchain", "langchain_openai", extra="dev")
    built = models(tmp_path_factory.getbasetemp())
    with scripted(redness_by_logprobs) as script:
        specs = ["vlm:starter", f"vlm:{built['vlm:FOLDER']}", f"cross-encoder:{built[OF_WORDS]}", script.spec]
        for spec in specs:
            assert open_reranker(spec, picture=picture, timeout_s=60).judge(RED, hits(2)) != [None, None]
