"""What stands before the routes: key, host, origin, size, and the headers a browser obeys."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from starlette.types import Message

from service import failures
from service.app import _bound, create_app
from sightline import errors
from sightline.errors import ConfigError
from sightline.settings import Settings

SEARCH = "/v1/collections/default/search"


@pytest.fixture
def keyed(index: Path) -> Iterator[TestClient]:
    app = create_app(Settings.read(index=index, api_key="s3cret", max_upload_bytes=2000), host="0.0.0.0")
    with TestClient(app, base_url="http://shop.example") as client:
        yield client


def test_another_host_needs_a_key(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SIGHTLINE_API_KEY", raising=False)
    for host in ("0.0.0.0", "::", "192.168.1.5", "example.org"):
        with pytest.raises(ConfigError, match="SIGHTLINE_API_KEY"):
            create_app(Settings.read(index=index), host=host)
    with pytest.raises(ConfigError, match="SIGHTLINE_API_KEY"):
        create_app(Settings.read(index=index, api_key=""), host="0.0.0.0")


def test_only_health_and_the_page_are_open(keyed: TestClient) -> None:
    for path in ("/", "/web/app.js", "/web/app.css", "/healthz", "/readyz"):
        assert keyed.get(path).status_code == 200, path
    for path in ("/v1/collections", "/docs", "/openapi.json", "/v1/collections/default", "/webx", "/web"):
        response = keyed.get(path, follow_redirects=False)
        assert response.status_code == 401, path
        assert response.json()["error"]["type"] == "Unauthorized"
    assert keyed.get("/web/../v1/collections").status_code == 401


def test_a_key_may_hold_any_letter(index: Path) -> None:
    app = create_app(Settings.read(index=index, api_key="ключ"), host="0.0.0.0")
    with TestClient(app, base_url="http://shop.example") as client:
        headers = [(b"x-api-key", "ключ".encode())]
        assert client.get("/v1/collections", headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Authorization": "Bearer s3cret"}, 200),
        ({"authorization": "bearer s3cret"}, 200),
        ({"X-API-Key": "s3cret"}, 200),
        ({"X-API-Key": "s3cre"}, 401),
        ({"X-API-Key": ""}, 401),
        ({"Authorization": "Basic s3cret"}, 401),
        ({"Authorization": "Bearer sécret".encode("latin-1").decode("latin-1")}, 401),
    ],
)
def test_the_key_is_taken_both_ways(keyed: TestClient, headers: dict[str, str], status: int) -> None:
    encoded = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    assert keyed.get("/v1/collections", headers=encoded).status_code == status


def test_a_body_is_capped_by_its_length_and_while_it_streams(keyed: TestClient) -> None:
    headers = {"X-API-Key": "s3cret", "content-type": "application/json"}
    declared = keyed.post(SEARCH, content=b" " * 2001, headers=headers)
    assert (declared.status_code, declared.json()["error"]["type"]) == (413, "TooLarge")
    streamed = keyed.post(SEARCH, content=(b" " * 500 for _ in range(5)), headers=headers)
    assert (streamed.status_code, streamed.json()["error"]["type"]) == (413, "TooLarge")
    form = keyed.post(SEARCH, data={"query": "x" * 3000}, files={"image": b"x"}, headers={"X-API-Key": "s3cret"})
    assert form.status_code == 413
    assert keyed.post(SEARCH, content=b'{"query": "bowl"}' + b" " * 1900, headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8000", 200),
        ("localhost", 200),
        ("LOCALHOST:99", 200),
        ("[::1]:8000", 200),
        ("evil.example", 403),
        ("127.0.0.1.evil.example", 403),
        ("localhost.evil.example:8000", 403),
        ("", 403),
    ],
)
def test_on_this_machine_only_its_own_names_are_answered(client: TestClient, host: str, status: int) -> None:
    assert client.get("/healthz", headers={"Host": host}).status_code == status


def test_pages_of_other_sites_may_not_write(own_client: TestClient) -> None:
    row = {"items": '[{"id": "x", "title": "x"}]'}
    items = "/v1/collections/default/items"
    for origin in ("https://evil.example", "null", "http://[", "http://127.0.0.1:9999"):
        refused = own_client.post(items, data=row, files={"f": b"1"}, headers={"Origin": origin})
        assert refused.status_code == 403
    own = own_client.post(items, data=row, files={"f": b"1"}, headers={"Origin": "http://127.0.0.1:8000"})
    assert own.status_code == 200
    assert "access-control-allow-origin" not in own.headers


def test_the_page_may_run_its_own_script_only(client: TestClient) -> None:
    page = client.get("/")
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    assert "<script>" not in page.text
    assert "style=" not in page.text
    assert "http://" not in page.text.replace("http://www.w3.org", "")
    assert "https://" not in page.text
    for path in ("/", "/web/app.js", "/healthz", "/v1/collections/none"):
        assert client.get(path).headers["x-content-type-options"] == "nosniff"


def test_every_error_has_its_status() -> None:
    ours = [thing for thing in vars(errors).values() if isinstance(thing, type) and issubclass(thing, Exception)]
    expected = {
        "ConfigError": 503, "MissingExtra": 503, "InputError": 422, "UnreadableSource": 422, "UnsupportedModality": 422,
        "PassportMismatch": 409, "NotFound": 404, "Unauthorized": 401, "EngineError": 502, "EngineTimeout": 504,
        "SightlineError": 500,
    }  # fmt: skip
    arguments = {"MissingExtra": ("torch", "clip"), "UnreadableSource": ("a.png", "broken")}
    found = {kind.__name__: failures.status_of(kind(*arguments.get(kind.__name__, ("x",)))) for kind in ours}
    assert found == expected


def test_a_client_that_leaves_in_the_middle_of_its_request_is_no_failure(index: Path) -> None:
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    headers = [(b"host", b"127.0.0.1"), (b"content-type", b"application/json"), (b"content-length", b"100")]
    scope = {"type": "http", "method": "POST", "path": SEARCH, "query_string": b"", "headers": headers}
    asyncio.run(create_app(Settings.read(index=index))(scope, receive, send))
    assert sent[0]["status"] == 400


@pytest.mark.network
def test_a_connection_does_not_wait_to_fill_a_packet() -> None:
    with (
        _bound("127.0.0.1", 0) as listening,
        socket.create_connection(listening.getsockname()),
        listening.accept()[0] as accepted,
    ):
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
