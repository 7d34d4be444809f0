"""What the `qdrant` store says when a server is not there, refuses, is too old, or answers nonsense."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from sightline.errors import ConfigError
from sightline.stores import open_store

pytestmark = pytest.mark.network


@contextmanager
def answering(status: int, body: bytes) -> Iterator[str]:
    """The address of a server that always answers the same."""

    class Same(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Same)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no usable Qdrant server at http://127.0.0.1:9: .* cannot be reached"):
        open_store("qdrant:http://127.0.0.1:9", tmp_path, collection="x")


@pytest.mark.parametrize(
    ("status", "body", "says"),
    [
        (401, b"{}", "refuses the key. Set QDRANT_API_KEY"),
        (500, b'{"status": "disk on fire"}', "answered 500: .*disk on fire"),
        (200, b'{"title": "qdrant", "version": "1.9.2"}', "is version 1.9.2; 1.18 or later is needed"),
        (200, b"<html>not Qdrant</html>", "no usable Qdrant server at"),
    ],
)
def test_a_server_that_does_not_serve(status: int, body: bytes, says: str, tmp_path: Path) -> None:
    with answering(status, body) as address, pytest.raises(ConfigError, match=says):
        open_store(f"qdrant:{address}", tmp_path, collection="x")


def test_an_address_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="such as http://localhost:6333"):
        open_store("qdrant:localhost", tmp_path, collection="x")
