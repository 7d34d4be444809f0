"""Asking and reranking with a chat model over the true HTTP path: a real vision-language model, a scripted server."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from sightline import Answer, Citation, Sightline
from tests.extras import needs
from tests.mllms import tiny_vlm
from tests.mllms.scripted_server import Reply, Script, Turn, orders_by_redness, says, scripted

pytestmark = pytest.mark.network
COLOURS = {"red": (200, 30, 30), "blue": (30, 60, 200), "green": (30, 150, 60)}


@pytest.fixture
def index(tmp_path: Path) -> Path:
    rows = []
    for price, (name, rgb) in enumerate(COLOURS.items(), start=5):
        picture = Image.new("RGB", (96, 96), (235, 235, 235))
        ImageDraw.Draw(picture).ellipse((8, 8, 88, 88), fill=rgb)
        picture.save(tmp_path / f"{name}.png")
        rows.append({"id": name, "title": f"{name.title()} ball", "image": f"{name}.png", "price": price})
    (tmp_path / "catalog.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    with Sightline.open(tmp_path / "index") as opened:
        assert opened.add(tmp_path / "catalog.jsonl").added == 3
    return tmp_path / "index"


@pytest.fixture
def script() -> Iterator[Script]:
    needs("langchain", "langchain_openai", extra="mllm")
    with scripted(says("")) as running:
        yield running


def test_a_real_model_sees_the_pictures_and_its_nonsense_becomes_no_answer(index: Path) -> None:
    needs("transformers", "torch", "langchain", "langchain_openai", extra="dev")
    spec = tiny_vlm.running()
    with Sightline.open(index, mllm=spec, mllm_timeout_s=90) as opened:
        answer = opened.ask("How much does the blue ball cost?")
        # its weights are random: whatever it says, no sentence may stand without evidence
        assert answer.abstained or all(f"[{citation.marker}]" in answer.text for citation in answer.citations)
        assert answer.abstained or answer.citations
        reranked = opened.search("a red ball", rerank=spec, gate=False)
        assert {hit.id for hit in reranked} == set(COLOURS)
        assert reranked.warnings or any("rerank" in hit.via for hit in reranked)


def test_a_chat_answer_is_checked_and_cited_and_the_model_saw_the_pictures(index: Path, script: Script) -> None:
    def reply(turn: Turn) -> Reply:
        blocks = re.findall(r'<evidence number="(\d+)">(.*?)</evidence>', turn.text, re.DOTALL)
        number = next(number for number, said in blocks if "Blue ball" in said and "6" in said)
        return says(f"The blue ball costs 6 [{number}]. It costs 99 in the sale [{number}]. See [42].")(turn)

    script.rule = reply
    with Sightline.open(index, mllm=script.spec) as opened:
        pieces = list(opened.stream("How much does the blue ball cost?"))
    answer = pieces[-1]
    assert isinstance(answer, Answer)
    assert "costs 6" in answer.text
    assert "99" not in answer.text  # no evidence says so
    assert "[42]" not in answer.text
    assert answer.warnings
    assert {citation.item_id for citation in answer.citations} == {"blue"}
    assert any(isinstance(piece, Citation) for piece in pieces)
    assert len(script.turns[-1].pictures) >= 1


def test_a_listwise_order_is_followed_and_nonsense_is_not(index: Path, script: Script) -> None:
    with Sightline.open(index) as opened:
        script.rule = orders_by_redness
        reranked = opened.search("ball", rerank=script.spec, gate=False)
        assert reranked[0].id == "red"
        assert "rerank" in reranked[0].via
        script.rule = says("I would rather not.")
        assert [hit.id for hit in opened.search("ball", rerank=script.spec, gate=False)] == [
            hit.id for hit in reranked
        ]  # kept
        kept = opened.search("a ball", rerank=script.spec, gate=False)
        assert [hit.id for hit in kept] == [hit.id for hit in opened.search("a ball")]
        assert any("first order stands" in warning for warning in kept.warnings)


def test_a_server_that_hangs_is_given_up_and_the_answer_is_quoted(index: Path, script: Script) -> None:
    script.rule = says("too late", wait_s=5)
    with Sightline.open(index, mllm=script.spec, mllm_timeout_s=0.5, rerank_timeout_s=0.5) as opened:
        answer = opened.ask("How much does the blue ball cost?")
        assert "6" in answer.text
        assert answer.citations[0].item_id == "blue"
        assert answer.warnings
        kept = opened.search("ball", rerank=script.spec, gate=False)
        assert any("first order stands" in warning for warning in kept.warnings)
