"""A small OpenAI-compatible server that answers by rule from the request it really received.

For tests that need useful replies over the true HTTP path: prompts and pictures are encoded, sent, received and
decoded, replies are streamed. `tiny_vlm` proves the same path against a real model.
"""

from __future__ import annotations

import base64
import contextlib
import json
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image


@dataclass(frozen=True)
class Turn:
    """What one request said: every text and picture of it in order, and its whole JSON body."""

    pieces: tuple[str | NDArray[np.uint8], ...]
    body: Mapping[str, Any]
    headers: Mapping[str, str]  # names in lower case

    @property
    def text(self) -> str:
        return "\n".join(piece for piece in self.pieces if isinstance(piece, str))

    @property
    def pictures(self) -> list[NDArray[np.uint8]]:
        return [piece for piece in self.pieces if not isinstance(piece, str)]


@dataclass(frozen=True)
class Reply:
    """What to answer: the text in pieces, or an error; `wait_s` before the first piece, `pause_s` after each."""

    pieces: tuple[str, ...] = ()
    wait_s: float = 0.0
    pause_s: float = 0.0
    status: int = 200
    error: str = ""
    logprobs: Mapping[str, float] | None = None  # of the first piece
    hang_up: bool = False  # close the connection instead of ending the stream

    @classmethod
    def of(cls, text: str, **more: Any) -> Reply:
        """The text streamed a word at a time."""
        return cls(tuple(re.findall(r"\S+\s*", text)), **more)


Rule = Callable[[Turn], Reply]


@dataclass
class Script:
    """A running server: `rule` may be changed between requests, `turns` holds what came in."""

    rule: Rule
    url: str = ""
    turns: list[Turn] = field(default_factory=list)

    @property
    def spec(self) -> str:
        return f"openai:scripted@{self.url}"


# -- rules ----------------------------------------------------------------------------------------------------------


def says(text: str, **more: Any) -> Rule:
    """Always the same words."""
    return lambda turn: Reply.of(text, **more)


def cites_first_evidence(turn: Turn) -> Reply:
    """Repeats and cites the first numbered evidence: `[2] It is red`, or what follows `<evidence number="2">`."""
    found = re.search(r"""(?:number="|^\s*\[)(\d+)(?:">|\])\s*(.+)$""", turn.text, re.MULTILINE)
    return Reply.of(f"{found[2].strip().rstrip('.')} [{found[1]}]." if found else "I cannot tell.")


def is_red(picture: NDArray[np.uint8]) -> bool:
    red, green, blue = picture.reshape(-1, 3).mean(axis=0)
    return bool(red > 1.5 * max(green, blue))


def red_is_yes(turn: Turn) -> Reply:
    """Yes when the last picture is mostly red."""
    return Reply.of("Yes." if turn.pictures and is_red(turn.pictures[-1]) else "No.")


def redness_by_logprobs(turn: Turn) -> Reply:
    """Yes as probable as the last picture is red, told by log-probabilities of the first token."""
    share = float(turn.pictures[-1][..., 0].mean()) / 255 if turn.pictures else 0.0
    p = min(max(share, 0.01), 0.99)
    logprobs = {"yes": float(np.log(p)), "no": float(np.log(1 - p))}
    return Reply(("yes" if p > 0.5 else "no",), logprobs=logprobs if turn.body.get("logprobs") else None)


def orders_by_redness(turn: Turn) -> Reply:
    """`[2] > [1] …`: the numbers that stand before the pictures, reddest first."""
    number, redness = 0, {}
    for piece in turn.pieces:
        if isinstance(piece, str):
            marked = re.findall(r"^\s*\[(\d+)\]", piece, re.MULTILINE)
            number = int(marked[-1]) if marked else number
        elif number:
            redness[number] = float(piece[..., 0].mean() - piece[..., 1:].mean())
    return Reply.of(" > ".join(f"[{n}]" for n in sorted(redness, key=lambda n: -redness[n])))


# -- the server -----------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def scripted(rule: Rule) -> Iterator[Script]:
    """Serve `rule` on a free port of the loopback while the block runs."""
    script = Script(rule)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(script))
    script.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield script
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=5)


def _handler(script: Script) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            turn = Turn(tuple(_pieces(body)), body, {name.lower(): value for name, value in self.headers.items()})
            script.turns.append(turn)
            reply = script.rule(turn)
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # the client may have given up
                self._answer(body, reply)

        def _answer(self, body: Mapping[str, Any], reply: Reply) -> None:
            time.sleep(reply.wait_s)
            if reply.status != 200:
                self._whole({"error": {"message": reply.error, "type": "scripted"}}, reply.status)
            elif body.get("stream"):
                self._stream(reply)
            else:
                message = {"role": "assistant", "content": "".join(reply.pieces)}
                choice = {"index": 0, "message": message, "finish_reason": "stop"}
                self._whole(_completion("chat.completion") | {"choices": [choice]}, 200)

        def _whole(self, data: Mapping[str, Any], status: int) -> None:
            raw = json.dumps(data).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def _stream(self, reply: Reply) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            if reply.hang_up:
                self.send_header("Content-Length", "1000000")  # promised, never kept
            self.end_headers()
            for number, text in enumerate(reply.pieces):
                choice: dict[str, Any] = {"index": 0, "delta": {"content": text}, "finish_reason": None}
                if number == 0 and reply.logprobs:
                    choice["logprobs"] = {"content": [_token(text, reply.logprobs)]}
                self._event(json.dumps(_completion("chat.completion.chunk") | {"choices": [choice]}))
                time.sleep(reply.pause_s)
            if not reply.hang_up:
                end = {"index": 0, "delta": {}, "finish_reason": "stop"}
                self._event(json.dumps(_completion("chat.completion.chunk") | {"choices": [end]}))
                self._event("[DONE]")

        def _event(self, data: str) -> None:
            self.wfile.write(f"data: {data}\n\n".encode())
            self.wfile.flush()

        def log_message(self, *_: object) -> None:
            """Tests read `Script.turns`, not a log."""

    return Handler


def _completion(kind: str) -> dict[str, Any]:
    return {"id": "scripted-1", "object": kind, "created": 0, "model": "scripted"}


def _token(text: str, logprobs: Mapping[str, float]) -> dict[str, Any]:
    top = [{"token": token, "logprob": value, "bytes": None} for token, value in logprobs.items()]
    return {"token": text, "logprob": max(logprobs.values()), "bytes": None, "top_logprobs": top}


def _pieces(body: Mapping[str, Any]) -> Iterator[str | NDArray[np.uint8]]:
    for message in body["messages"]:
        content = message["content"]
        for block in [{"type": "text", "text": content}] if isinstance(content, str) else content:
            if block["type"] == "text":
                yield block["text"]
            else:
                _, _, data = block["image_url"]["url"].partition("base64,")
                yield np.asarray(Image.open(BytesIO(base64.b64decode(data))).convert("RGB"))
