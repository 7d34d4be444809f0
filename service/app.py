"""The web application: routes, guard and page put together, and the rule that only a keyed service leaves this machine.

Knows how it is served; knows nothing of search.
"""

from __future__ import annotations

import contextlib
import errno
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles

from service import failures
from service.guard import LOOPBACK, Guard
from service.routes import router
from service.shelf import Shelf
from sightline import __version__, decoding
from sightline.errors import ConfigError
from sightline.settings import Settings

WEB = Path(__file__).parent / "web"


def create_app(settings: Settings, *, host: str = "127.0.0.1") -> FastAPI:
    """The application over `settings.index`. Raises ConfigError for a host beyond this machine without a key."""
    key = settings.api_key.get_secret_value() if settings.api_key else ""
    local = host in LOOPBACK
    if not local and not key:
        raise ConfigError(f"to listen on {host} set SIGHTLINE_API_KEY: without a key the service stays on 127.0.0.1")

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        decoding.begin()  # so that the first picture does not wait for it
        yield
        shelf.close()

    app = FastAPI(
        title="Sightline",
        version=__version__,
        description="Finds things in pictures and words, and answers questions with evidence that can be opened.",
        lifespan=lifespan,
        redoc_url=None,
    )
    shelf = Shelf(settings)
    app.state.shelf = shelf
    app.include_router(router)
    app.mount("/web", StaticFiles(directory=WEB), name="web")

    @app.get("/", include_in_schema=False)
    def page() -> FileResponse:
        return FileResponse(WEB / "index.html", headers={"Cache-Control": "no-cache"})

    @app.get("/favicon.ico", include_in_schema=False)
    def icon() -> FileResponse:
        return FileResponse(WEB / "icon.svg")

    failures.install(app)
    app.add_middleware(
        Guard, key=key or None, hosts=LOOPBACK if local else None, max_body_bytes=settings.max_upload_bytes
    )
    return app


def run(settings: Settings, *, host: str, port: int, announce: Callable[[str], None]) -> None:
    """Serve until interrupted, telling `announce` the address. Raises ConfigError when it may not listen there, or a
    model that is named is not there.
    """
    import uvicorn

    if settings.index.exists() and not settings.index.is_dir():
        raise ConfigError(f"{settings.index} is no folder: name the folder that holds the index with --index")
    _try_models(settings)
    app = create_app(settings, host=host)
    bound = _bound(host, port)
    where = f"[{host}]" if ":" in host else host
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", server_header=False, access_log=False))
    with bound, contextlib.suppress(KeyboardInterrupt):
        announce(f"http://{where}:{bound.getsockname()[1]}/")
        server.run(sockets=[bound])


def _try_models(settings: Settings) -> None:
    """Open what is named beside the encoder, else every search would say that it is not there. Raises ConfigError."""
    from sightline.mllms import open_chat
    from sightline.rerankers import open_reranker

    if settings.rerank:
        open_reranker(settings.rerank, picture=lambda _: None, timeout_s=settings.rerank_timeout_s)
    for spec in filter(None, (settings.mllm, settings.rewrite)):
        open_chat(spec)


def _bound(host: str, port: int) -> socket.socket:
    """A listening socket, so that a taken port is a sentence and port 0 has a number to show."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family, backlog=128)
    except OSError as exc:
        if exc.errno == errno.EADDRINUSE:
            raise ConfigError(f"port {port} on {host} is taken; choose another with --port") from exc
        raise ConfigError(f"cannot listen on {host}:{port}: {exc.strerror or exc}") from exc
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # inherited: else a body waits 40 ms for an ACK
    return listening
