"""What stands before every route: host and origin, the key, the size of a body, and the headers a browser obeys.

Pure ASGI, so that nothing is buffered; knows no route but which paths are open without a key.
"""

from __future__ import annotations

import secrets
from collections.abc import MutableMapping
from typing import Any, Final
from urllib.parse import urlsplit

from fastapi.responses import JSONResponse
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service import failures
from sightline.errors import Unauthorized

LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
OPEN: Final = frozenset({"/", "/healthz", "/readyz", "/favicon.ico"})  # without a key; and everything below /web/
PAGE_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)
# FastAPI's interactive description loads its script and style from this one host.
DOCS_POLICY: Final = (
    "default-src 'none'; script-src 'unsafe-inline' https://cdn.jsdelivr.net; style-src https://cdn.jsdelivr.net; "
    "img-src 'self' data: https://fastapi.tiangolo.com; connect-src 'self'; frame-ancestors 'none'"
)
HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


class Guard:
    """Refuses what must not reach the application, and puts the security headers on what leaves it.

    `hosts` None accepts any Host header: right only behind a key, where another site's page cannot speak for the user.
    """

    def __init__(self, app: ASGIApp, *, key: str | None, hosts: frozenset[str] | None, max_body_bytes: int) -> None:
        self.app = app
        self.key = key.encode() if key else None
        self.hosts = hosts
        self.max_body_bytes = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        dressed = _dressed(scope["path"], send)
        refusal = self._refusal(scope, headers)
        if refusal is not None:
            await refusal(scope, receive, dressed)
            return
        await self.app(scope, self._counted(receive), dressed)

    def _refusal(self, scope: Scope, headers: Headers) -> JSONResponse | None:
        host = headers.get("host", "")
        if self.hosts is not None and _name(host) not in self.hosts:
            message = f"this service answers to {', '.join(sorted(self.hosts))} only"
            return JSONResponse(failures.body("Forbidden", message), 403)
        origin = headers.get("origin")
        if origin and scope["method"] not in ("GET", "HEAD", "OPTIONS") and _site(origin) != host:
            return JSONResponse(failures.body("Forbidden", "pages of other sites may not write here"), 403)
        if self.key and not self._has_key(headers) and not _is_open(scope["path"]):
            message = "this service needs a key: send it as 'Authorization: Bearer KEY' or 'X-API-Key: KEY'"
            return failures.failure(Unauthorized(message))
        length = headers.get("content-length", "")
        if length.isdecimal() and int(length) > self.max_body_bytes:
            return JSONResponse(failures.body("TooLarge", self._too_large), 413, {"Connection": "close"})
        return None

    def _has_key(self, headers: Headers) -> bool:
        scheme, _, token = headers.get("authorization", "").partition(" ")
        given = token.strip() if scheme.lower() == "bearer" else headers.get("x-api-key", "")
        return secrets.compare_digest(given.encode("latin-1"), self.key or b"")  # headers are bytes read as Latin-1

    def _counted(self, receive: Receive) -> Receive:
        seen = 0

        async def counted() -> MutableMapping[str, Any]:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self.max_body_bytes:
                raise HTTPException(413, self._too_large)
            return message

        return counted

    @property
    def _too_large(self) -> str:
        return f"the request is larger than {self.max_body_bytes:,} bytes (SIGHTLINE_MAX_UPLOAD_BYTES)"


def _name(host: str) -> str:
    """The host of a Host header without its port or an IPv6 address's brackets."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower()


def _site(origin: str) -> str | None:
    """The host and port of an Origin header; None where it names none."""
    try:
        return urlsplit(origin).netloc or None
    except ValueError:
        return None


def _is_open(path: str) -> bool:
    return path in OPEN or path.startswith("/web/")


def _dressed(path: str, send: Send) -> Send:
    async def dressed(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers[name] = value
            headers["Content-Security-Policy"] = DOCS_POLICY if path.startswith("/docs") else PAGE_POLICY
        await send(message)

    return dressed
