"""Any chat model that LangChain can call, local or hosted, behind one method that streams.

Translates messages, pictures and failures. Does not know what is asked, nor whether the reply is true.
"""

from __future__ import annotations

import base64
import os
import queue
import re
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from typing import Any, TypeAlias

import httpx

from sightline import media
from sightline.errors import ConfigError, EngineError, EngineTimeout, MissingExtra
from sightline.suggesting import did_you_mean
from sightline.types import Message, Piece, Pixels

JPEG_QUALITY = 90
CANDIDATES = 5  # log-probabilities asked for: the most that OpenAI's API gave at first, so that every server knows it
FORMS = "openai:MODEL@BASE_URL, ollama:MODEL, ollama:MODEL@BASE_URL, or PROVIDER:MODEL as LangChain writes it"

_SPEC = re.compile(r"(?P<provider>[a-z][a-z0-9_-]*):(?P<model>.+?)(?:@(?P<url>https?://\S+))?")
_KEY = re.compile(r"\b[A-Z][A-Z0-9_]*_(?:KEY|TOKEN)\b")  # the variable that a provider asks for
_STATUSES = {
    401: "refused the key it was given for {model!r}",
    403: "refused the key it was given for {model!r}",
    404: "knows no model {model!r} at this address",
    429: "takes no more requests for now",
}
_END = object()
_Event: TypeAlias = Any  # a Piece, an exception, or _END


class LangChainChat:
    """One chat model at one address. Safe to share between threads: every call has a stream of its own."""

    def __init__(self, spec: str, *, logprobs: bool = False) -> None:
        """See `sightline.mllms.open_chat`."""
        parsed = _SPEC.fullmatch(spec)
        if parsed is None:
            raise ConfigError(f"there is no chat model {spec!r}. A chat model is one of: {FORMS}")
        provider, model, url = parsed["provider"], parsed["model"], parsed["url"]
        self._name = f"{provider}:{model}" + (f"@{_public(url)}" if url else "")
        self._asked_for = model
        self._where = _public(url) if url else provider
        self._model = _opened(provider, model, url, name=self._name)
        self._logprobs = logprobs and provider == "openai"

    @property
    def name(self) -> str:
        """The spec, without credentials."""
        return self._name

    def stream(self, messages: Sequence[Message], *, timeout_s: float | None = None) -> Iterator[Piece]:
        """The reply, a piece at a time. Raises EngineError; EngineTimeout when the whole took longer than `timeout_s`.

        The provider's client runs in a thread of its own, so that the time holds whatever the client makes of it.
        """
        until = None if timeout_s is None else time.monotonic() + timeout_s
        events: queue.SimpleQueue[_Event] = queue.SimpleQueue()
        given_up = threading.Event()
        sent = [{"role": message.role, "content": _blocks(message)} for message in messages]
        worker = threading.Thread(target=self._produce, args=(sent, timeout_s, events, given_up), daemon=True)
        worker.start()
        try:
            while (event := self._next(events, until, timeout_s)) is not _END:
                if isinstance(event, BaseException):
                    raise self._failure(event) from event
                yield event
        finally:
            given_up.set()

    def _next(self, events: queue.SimpleQueue[_Event], until: float | None, timeout_s: float | None) -> _Event:
        try:
            return events.get(timeout=None if until is None else max(0.0, until - time.monotonic()))
        except queue.Empty as exc:
            raise EngineTimeout(f"{self._name} did not finish within {timeout_s:g} s") from exc

    def _produce(
        self,
        sent: list[dict[str, Any]],
        timeout_s: float | None,
        events: queue.SimpleQueue[_Event],
        given_up: threading.Event,
    ) -> None:
        """Put the pieces, then _END or what went wrong. Stops, and hangs up, soon after `given_up` is set."""
        try:
            for chunk in self._chunks(sent, timeout_s):
                if given_up.is_set():
                    return
                text = str(chunk.text)
                found = _first_logprobs(chunk.response_metadata) if self._logprobs else None
                if text or found:
                    events.put(Piece(text, found))
            events.put(_END)
        except BaseException as exc:  # noqa: BLE001 - raised again where the pieces are read
            events.put(exc)

    def _chunks(self, sent: list[dict[str, Any]], timeout_s: float | None) -> Iterator[Any]:
        asked: dict[str, Any] = {}
        if timeout_s is not None and self._name.startswith("openai:"):
            asked["timeout"] = timeout_s  # lets the connection go, too
        if self._logprobs:
            try:
                yield from self._model.stream(sent, logprobs=True, top_logprobs=CANDIDATES, **asked)
                return
            except Exception as exc:
                if _status(exc) not in (400, 422):
                    raise
        yield from self._model.stream(sent, **asked)
        self._logprobs = False  # never asked for, or refused by this server or model: no need to ask again

    def _failure(self, exc: BaseException) -> EngineError:
        """The sentence for what the provider's client raised, without its traceback, the key or the prompt."""
        kinds = " ".join(kind.__name__ for kind in type(exc).__mro__)
        status = _status(exc)
        if "Timeout" in kinds:
            return EngineTimeout(f"{self._name} did not answer in time")
        if status is not None:
            said = _STATUSES[status].format(model=self._asked_for) if status in _STATUSES else f"failed: {_said(exc)}"
            return EngineError(f"{self._where} {said} (HTTP {status})")
        if isinstance(exc, ConnectionError | httpx.TransportError) or "Connection" in kinds:
            return EngineError(f"{self._where} cannot be reached, or hung up")
        return EngineError(f"{self._name} failed: {_said(exc)}")


def _opened(provider: str, model: str, url: str | None, *, name: str) -> Any:
    try:
        from langchain.chat_models import init_chat_model
    except ImportError as exc:
        raise MissingExtra("langchain", "mllm") from exc
    if provider in ("openai", "ollama") and find_spec(f"langchain_{provider}") is None:
        raise MissingExtra(f"langchain-{provider}", "mllm")
    options: dict[str, Any] = {}
    if url:
        options["base_url"] = url
    if provider == "openai":
        options["max_retries"] = 1
        if url and not os.environ.get("OPENAI_API_KEY"):
            options["api_key"] = "none"  # a server on this machine asks for no key, its client insists on one
    if url or provider == "ollama":
        options["temperature"] = 0  # the same question gives the same answer; some hosted models refuse to be told
    try:
        return init_chat_model(model, model_provider=provider, **options)
    except ImportError as exc:
        raise ConfigError(f"{name} needs LangChain's package for it: pip install langchain-{provider}") from exc
    except Exception as exc:  # each provider refuses a missing key or a wrong option in its own way
        if str(exc).startswith("Unsupported provider"):
            meant = did_you_mean(name, ("openai:", "ollama:"))
            raise ConfigError(f"there is no chat model {name!r}.{meant} A chat model is one of: {FORMS}") from exc
        if lacking := _KEY.search(str(exc)):
            raise ConfigError(f"{name} needs a key: set {lacking[0]} in the environment") from exc
        raise ConfigError(f"cannot open chat model {name}: {_said(exc)}") from exc


def _blocks(message: Message) -> str | list[dict[str, Any]]:
    """LangChain's standard content: plain text where there is no picture, else text and JPEG blocks in order."""
    if all(isinstance(piece, str) for piece in message.content):
        return "\n".join(str(piece) for piece in message.content)
    return [{"type": "text", "text": p} if isinstance(p, str) else _picture(p) for p in message.content]


def _picture(pixels: Pixels) -> dict[str, Any]:
    data = base64.b64encode(media.to_jpeg(pixels, quality=JPEG_QUALITY)).decode("ascii")
    return {"type": "image", "base64": data, "mime_type": "image/jpeg"}


def _first_logprobs(metadata: Mapping[str, Any]) -> dict[str, float] | None:
    """Candidate -> log-probability of the chunk's first token, from OpenAI's shape; None where there is none."""
    tokens = (metadata.get("logprobs") or {}).get("content") or []
    if not tokens:
        return None
    candidates = tokens[0].get("top_logprobs") or [tokens[0]]
    return {str(candidate["token"]): float(candidate["logprob"]) for candidate in candidates}


def _status(exc: BaseException) -> int | None:
    """The HTTP status an exception carries, as the clients of all providers do in one of two ways."""
    status = getattr(exc, "status_code", None) or getattr(getattr(exc, "response", None), "status_code", None)
    return int(status) if isinstance(status, int) and status >= 400 else None


def _said(exc: BaseException) -> str:
    """The first line of an error, short, without keys that this process knows or credentials in addresses."""
    body = getattr(exc, "body", None)
    message = body.get("message") if isinstance(body, Mapping) else None
    line = str(message or exc).strip().partition("\n")[0]
    for name, value in os.environ.items():
        if len(value) > 6 and name.upper().endswith(("KEY", "TOKEN", "SECRET", "PASSWORD")):
            line = line.replace(value, "***")
    return _public(line)[:200].rstrip(".") or type(exc).__name__


def _public(text: str) -> str:
    """The text without the user and password of any address in it."""
    return re.sub(r"//[^/@\s]+@", "//", text)
