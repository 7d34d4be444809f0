"""What every chat model promises, behind a real server with a tiny model and behind a scripted one."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from sightline.errors import EngineError, EngineTimeout
from sightline.mllms import open_chat
from sightline.protocols import ChatModel
from sightline.types import Message, Piece
from tests.extras import needs
from tests.mllms import tiny_vlm
from tests.mllms.scripted_server import says, scripted

needs("langchain", "langchain_openai", extra="mllm")
pytestmark = pytest.mark.network

PICTURE = np.random.default_rng(1).integers(0, 256, (48, 64, 3), dtype=np.uint8)
CONVERSATIONS = {
    "text": [Message("user", ("hello",))],
    "system": [Message("system", ("be brief",)), Message("user", ("hello",))],
    "picture": [Message("user", ("what is this?", PICTURE))],
    "several": [Message("user", (PICTURE, "and", PICTURE, "which?"))],
    "turns": [Message("user", ("hello",)), Message("assistant", ("hi",)), Message("user", ("again",))],
}


@pytest.fixture(params=["transformers serve", "scripted"])
def spec(request: pytest.FixtureRequest) -> Iterator[str]:
    if request.param == "scripted":
        with scripted(says("four words for you")) as running:
            yield running.spec
    else:
        yield tiny_vlm.running()


@pytest.fixture
def chat(spec: str) -> ChatModel:
    return open_chat(spec)


@pytest.mark.parametrize("messages", CONVERSATIONS.values(), ids=CONVERSATIONS)
def test_every_conversation_gets_a_reply_in_pieces(chat: ChatModel, messages: list[Message]) -> None:
    pieces = list(chat.stream(messages, timeout_s=60))
    assert len(pieces) > 1
    assert all(isinstance(piece, Piece) and piece.text for piece in pieces)


def test_the_same_question_gets_the_same_reply(chat: ChatModel) -> None:
    replies = {"".join(p.text for p in chat.stream(CONVERSATIONS["picture"], timeout_s=60)) for _ in range(2)}
    assert len(replies) == 1


def test_the_name_is_the_spec(spec: str, chat: ChatModel) -> None:
    assert chat.name == spec


def test_one_model_serves_several_threads(chat: ChatModel) -> None:
    def ask(_: int) -> str:
        return "".join(piece.text for piece in chat.stream(CONVERSATIONS["text"], timeout_s=60))

    with ThreadPoolExecutor(3) as pool:
        assert len(set(pool.map(ask, range(3)))) == 1


def test_no_time_is_a_timeout(chat: ChatModel) -> None:
    started = time.monotonic()
    with pytest.raises(EngineTimeout):
        list(chat.stream(CONVERSATIONS["text"], timeout_s=0.0001))
    assert time.monotonic() - started < 2


def test_a_stream_may_be_left(chat: ChatModel) -> None:
    next(iter(chat.stream(CONVERSATIONS["text"], timeout_s=60)))
    assert list(chat.stream(CONVERSATIONS["text"], timeout_s=60))


def test_a_model_the_server_does_not_have_is_an_engine_error(spec: str) -> None:
    if "scripted" in spec:
        spec = "openai:scripted@http://127.0.0.1:9/v1"
    else:
        spec = f"openai:/no/such/model@{spec.partition('@')[2]}"
    with pytest.raises(EngineError) as raised:
        list(open_chat(spec).stream(CONVERSATIONS["text"], timeout_s=60))
    assert "\n" not in str(raised.value)
