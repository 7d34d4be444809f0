"""LangChain chat models over HTTP: what is sent, what comes back, and every way it can go wrong."""

from __future__ import annotations

import sys
import time

import numpy as np
import pytest

from sightline.errors import ConfigError, EngineError, EngineTimeout, MissingExtra
from sightline.mllms import open_chat
from sightline.types import Message
from tests.extras import needs
from tests.mllms.scripted_server import Reply, Script, is_red, redness_by_logprobs, says

needs("langchain", "langchain_openai", "langchain_ollama", extra="mllm")
pytestmark = pytest.mark.network

HELLO = [Message("user", ("hello",))]
RED = np.zeros((40, 60, 3), dtype=np.uint8) + np.asarray((220, 10, 10), dtype=np.uint8)


def reply(spec: str, messages: list[Message] = HELLO, *, timeout_s: float | None = 20) -> str:
    return "".join(piece.text for piece in open_chat(spec).stream(messages, timeout_s=timeout_s))


# -- against a real model


def test_a_real_model_answers_a_piece_at_a_time(tiny: str) -> None:
    pieces = list(open_chat(tiny).stream(HELLO, timeout_s=60))
    assert len(pieces) > 1
    assert all(piece.text and piece.logprobs is None for piece in pieces)


def test_a_real_model_sees_the_picture(tiny: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, RED.shape, dtype=np.uint8)
    said = [reply(tiny, [Message("user", ("what is it?", pixels))], timeout_s=60) for pixels in (RED, RED, noise)]
    assert said[0] == said[1] != said[2]


def test_a_real_model_that_is_too_slow_is_given_up(tiny: str) -> None:
    with pytest.raises(EngineTimeout, match=r"did not finish within 0\.001 s"):
        reply(tiny, timeout_s=0.001)


# -- what is sent


def test_texts_and_pictures_arrive_in_order(script: Script) -> None:
    asked = [Message("system", ("be brief",)), Message("user", ("first", RED, "then", 255 - RED))]
    assert reply(script.spec, asked) == "hello there"
    system, first, red, then, other = script.turns[0].pieces
    assert (system, first, then) == ("be brief", "first", "then")
    assert red.shape == other.shape == RED.shape  # type: ignore[union-attr]
    assert is_red(red)  # type: ignore[arg-type]
    assert not is_red(other)  # type: ignore[arg-type]


def test_pictures_travel_as_jpeg(script: Script) -> None:
    reply(script.spec, [Message("user", (RED,))])
    (block,) = script.turns[0].body["messages"][0]["content"]
    assert block["type"] == "image_url"
    assert block["image_url"]["url"].startswith("data:image/jpeg;base64,/9j/")


def test_roles_and_model_arrive(script: Script) -> None:
    reply(script.spec, [Message("user", ("q",)), Message("assistant", ("a",)), Message("user", ("again",))])
    body = script.turns[0].body
    assert body["model"] == "scripted"
    assert [(m["role"], m["content"]) for m in body["messages"]] == [
        ("user", "q"),
        ("assistant", "a"),
        ("user", "again"),
    ]
    assert body["temperature"] == 0
    assert "logprobs" not in body


def test_a_server_here_needs_no_key_and_gets_the_one_there_is(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    reply(script.spec)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret-1")
    reply(script.spec)
    assert [turn.headers["authorization"] for turn in script.turns] == ["Bearer none", "Bearer sk-secret-1"]


# -- log-probabilities


def test_logprobs_are_asked_for_only_on_demand(script: Script) -> None:
    script.rule = redness_by_logprobs
    asked = [Message("user", ("red?", RED))]
    (plain,), (graded,) = (list(open_chat(script.spec, logprobs=on).stream(asked)) for on in (False, True))
    assert plain.logprobs is None
    assert graded.text == plain.text == "yes"
    assert set(graded.logprobs) == {"yes", "no"}  # type: ignore[arg-type]
    assert graded.logprobs["yes"] > graded.logprobs["no"]  # type: ignore[index]


def test_a_server_that_ignores_logprobs_gives_none(script: Script) -> None:
    assert [p.logprobs for p in open_chat(script.spec, logprobs=True).stream(HELLO)] == [None, None]


def test_a_server_that_refuses_logprobs_is_asked_without_from_then_on(script: Script) -> None:
    script.rule = lambda turn: Reply(status=400, error="no logprobs") if "logprobs" in turn.body else Reply.of("fine")
    chat = open_chat(script.spec, logprobs=True)
    assert ["".join(p.text for p in chat.stream(HELLO)) for _ in range(2)] == ["fine", "fine"]
    assert ["logprobs" in turn.body for turn in script.turns] == [True, False, False]


# -- what goes wrong


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (401, "refused the key it was given for 'scripted'"),
        (403, "refused the key"),
        (404, "knows no model 'scripted' at this address"),
        (429, "takes no more requests for now"),
        (400, r"failed: this model sees no pictures \(HTTP 400\)"),
        (500, r"failed: .* \(HTTP 500\)"),
    ],
)
def test_a_refusal_is_one_sentence(script: Script, status: int, said: str) -> None:
    script.rule = says("", status=status, error="this model sees no pictures\nTraceback: at line 1")
    with pytest.raises(EngineError, match=said) as raised:
        reply(script.spec)
    assert script.url in str(raised.value)
    assert "\n" not in str(raised.value)
    assert "Traceback" not in str(raised.value)


def test_a_key_is_never_repeated(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret-1")
    script.rule = says("", status=400, error="key sk-secret-1 may not use http://me:word@proxy/ here")
    with pytest.raises(EngineError) as raised:
        reply(script.spec)
    assert "sk-secret-1" not in str(raised.value)
    assert "me:word" not in str(raised.value)


def test_the_name_holds_no_password() -> None:
    assert open_chat("openai:m@http://me:word@127.0.0.1:9/v1").name == "openai:m@http://127.0.0.1:9/v1"


def test_a_server_that_is_not_there_is_named() -> None:
    with pytest.raises(EngineError, match=r"http://127\.0\.0\.1:9/v1 cannot be reached"):
        reply("openai:m@http://127.0.0.1:9/v1")
    with pytest.raises(EngineError, match="cannot be reached"):
        reply("ollama:m@http://127.0.0.1:9")


def test_a_server_that_hangs_up_in_the_middle_is_an_error_after_its_pieces(script: Script) -> None:
    script.rule = says("one two three", hang_up=True)
    stream = open_chat(script.spec).stream(HELLO, timeout_s=20)
    assert next(stream).text == "one "
    with pytest.raises(EngineError, match="hung up"):
        list(stream)


@pytest.mark.parametrize("slow", [{"wait_s": 1.5}, {"pause_s": 0.2}], ids=["before the first piece", "between pieces"])
def test_the_time_is_for_the_whole_reply(script: Script, slow: dict[str, float]) -> None:
    script.rule = says("word " * 10, **slow)
    started = time.monotonic()
    with pytest.raises(EngineTimeout, match=r"within 0\.5 s"):
        reply(script.spec, timeout_s=0.5)
    assert 0.5 <= time.monotonic() - started < 1.2


def test_a_reader_who_leaves_early_waits_for_nothing(script: Script) -> None:
    script.rule = says("word " * 50, pause_s=0.1)
    stream = open_chat(script.spec).stream(HELLO)
    started = time.monotonic()
    assert next(stream).text == "word "
    stream.close()  # type: ignore[attr-defined]
    assert time.monotonic() - started < 3


# -- specs


@pytest.mark.parametrize("spec", ["", "gpt", "openai:", "OpenAI:gpt"])
def test_a_spec_that_names_no_model_lists_the_forms(spec: str) -> None:
    with pytest.raises(ConfigError, match="openai:MODEL@BASE_URL"):
        open_chat(spec)


def test_an_unknown_provider_is_named() -> None:
    with pytest.raises(ConfigError, match="nobody:x"):
        open_chat("nobody:x")


def test_a_hosted_model_without_a_key_says_which_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(ConfigError, match=r"openai:gpt-4o needs a key: set OPENAI_API_KEY in the environment$"):
        open_chat("openai:gpt-4o")


@pytest.mark.parametrize("package", ["langchain.chat_models", "langchain_openai"])
def test_a_missing_package_says_what_to_install(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtra, match=r"pip install '\.\[mllm\]'"):
        open_chat("openai:m@http://127.0.0.1:9/v1")
