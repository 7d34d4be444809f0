"""URLs are fetched from public addresses only, whatever the name, the redirects or the answers of a name server say."""

from __future__ import annotations

import ipaddress
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from sightline import fetch as guard
from sightline.errors import UnreadableSource
from sightline.fetch import fetch, is_public

BODY = b"\x89PNG a picture"


class Pages(BaseHTTPRequestHandler):
    """A small web site with a way to misbehave on every path."""

    seen: list[tuple[str, str]]

    def do_GET(self) -> None:
        type(self).seen.append((self.path, self.headers["Host"]))
        page, _, argument = self.path.lstrip("/").partition("?")
        if page == "to":
            self._answer(302, {"Location": argument})
        elif page == "again":
            count = int(argument or 0)
            self._answer(307, {"Location": f"/again?{count + 1}"} if count < 9 else {"Location": "/picture"})
        elif page == "hop":
            left = int(argument)
            self._answer(301, {"Location": f"/hop?{left - 1}" if left else "/picture"})
        elif page == "endless":
            self._endless()
        elif page == "packed":
            self._answer(200, {"Content-Encoding": "gzip"}, b"\x1f\x8b")
        elif page == "slow":
            threading.Event().wait(3)
        elif page == "drip":
            self._drip()
        elif page == "headers":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
            self._drip(started=True)
        elif page == "picture":
            self._answer(200, {}, BODY)
        else:
            self._answer(404, {})

    def _answer(self, status: int, headers: dict[str, str], body: bytes = b"") -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def _endless(self) -> None:
        self.send_response(200)
        self.end_headers()
        try:
            while True:
                self.wfile.write(b"x" * 65536)
        except OSError:
            return

    def _drip(self, *, started: bool = False) -> None:
        if not started:
            self.send_response(200)
            self.end_headers()
        try:
            for _ in range(50):
                self.wfile.write(b"x")
                self.wfile.flush()
                threading.Event().wait(0.05)
        except OSError:
            return

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def site() -> Iterator[str]:
    Pages.seen = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Pages)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def loopback(address: guard.Address) -> bool:
    return address == ipaddress.ip_address("127.0.0.1")


def refused(url: str, **options: Any) -> str:
    with pytest.raises(UnreadableSource) as caught:
        fetch(url, **options)
    assert caught.value.source == url
    return caught.value.reason


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.8.8.8", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
        "192.0.2.1", "198.18.0.1", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255", "192.0.0.170",
        "::", "::1", "fe80::1", "fc00::1", "fd12::1", "fec0::1", "ff02::1", "2001:db8::1", "100::1",
        "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "2002:7f00:1::", "2002:a00:1::1",
        "64:ff9b::7f00:1", "64:ff9b::a00:1", "2001:0:7f00:1::",
    ],
)  # fmt: skip
def test_addresses_that_are_not_of_the_open_internet(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "93.184.216.34", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]
)
def test_public_addresses(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.network
def test_loopback_is_refused_and_never_connected_to(site: str) -> None:
    port = site.rpartition(":")[2]
    for host in ("127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]", "[::1]", "0"):
        assert "not a public address" in refused(f"http://{host}:{port}/picture")
    assert Pages.seen == []


@pytest.mark.network
def test_a_picture_is_fetched_where_the_address_is_allowed(site: str) -> None:
    assert fetch(f"{site}/picture", allowed=loopback) == BODY


@pytest.mark.network
def test_redirects_are_followed_up_to_five_and_checked_each_time(site: str) -> None:
    assert fetch(f"{site}/hop?4", allowed=loopback) == BODY
    assert "more than 5 redirects" in refused(f"{site}/again", allowed=loopback)
    for forbidden in ("http://169.254.169.254/latest/", "http://127.0.0.2:1/", "http://[::1]:1/", "http://10.0.0.1/"):
        assert "not a public address" in refused(f"{site}/to?{forbidden}", allowed=loopback)
    assert "only http and https" in refused(f"{site}/to?file:///etc/passwd", allowed=loopback)


@pytest.mark.network
def test_the_connection_goes_to_the_address_that_was_checked(site: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name server that changes its answer after the check must not matter."""
    port = site.rpartition(":")[2]
    answers = iter(["127.0.0.1", "10.0.0.1", "10.0.0.1"])
    asked: list[str] = []
    real: Callable[..., Any] = socket.getaddrinfo

    def rebinding(host: str, port: int, *args: Any, **kwargs: Any) -> Any:
        if host == "pictures.example":
            asked.append(host)
            host = next(answers)
        return real(host, port, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    assert fetch(f"http://pictures.example:{port}/picture", allowed=loopback) == BODY
    assert asked == ["pictures.example"]
    assert Pages.seen == [("/picture", f"pictures.example:{port}")]


def test_one_forbidden_address_among_several_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, 80)) for ip in ("8.8.8.8", "10.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answer)
    assert "not a public address" in refused("http://two-faced.example/a.png")


@pytest.mark.network
def test_size_time_and_encoding_are_capped(site: str) -> None:
    assert "larger than" in refused(f"{site}/endless", allowed=loopback, max_bytes=300_000)
    assert "in time" in refused(f"{site}/slow", allowed=loopback, timeout_s=0.2)
    assert "in time" in refused(f"{site}/drip", allowed=loopback, deadline_s=0.3)
    assert "encoding" in refused(f"{site}/packed", allowed=loopback)
    assert "404" in refused(f"{site}/nothing", allowed=loopback)


@pytest.mark.network
def test_headers_that_drip_are_cut_off_too(site: str) -> None:
    started = time.monotonic()
    assert "in time" in refused(f"{site}/headers", allowed=loopback, timeout_s=2.0, deadline_s=0.3)
    assert time.monotonic() - started < 2.0


def test_a_host_that_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert "no-such-host.example is not known" in refused("http://no-such-host.example/a.png")


@pytest.mark.network
def test_what_is_no_address_at_all() -> None:
    for url in ("ftp://8.8.8.8/a.png", "file:///etc/passwd", "gopher://8.8.8.8/", "http:///a.png"):
        assert "only http and https" in refused(url)
    assert refused("http://example.org:port/") == "not a valid URL"
    closed = socket.socket()
    closed.bind(("127.0.0.1", 0))
    assert "could not be reached" in refused(f"http://127.0.0.1:{closed.getsockname()[1]}/", allowed=loopback)
    closed.close()
