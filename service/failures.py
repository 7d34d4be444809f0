"""Which HTTP status each error of the tree becomes, and the one shape every failure has on the wire.

Knows no route; an error outside the tree is logged and answered without its text.
"""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from sightline.complaints import complaint
from sightline.errors import (
    ConfigError,
    EngineError,
    EngineTimeout,
    InputError,
    NotFound,
    PassportMismatch,
    SightlineError,
    Unauthorized,
)

# The nearest class in an error's family tree decides.
STATUS: dict[type[SightlineError], int] = {
    InputError: 422,
    NotFound: 404,
    PassportMismatch: 409,
    Unauthorized: 401,
    EngineTimeout: 504,
    EngineError: 502,
    ConfigError: 503,  # the operator must act before this can be served
    SightlineError: 500,
}
NAMES = {400: "BadRequest", 403: "Forbidden", 404: "NotFound", 405: "MethodNotAllowed", 413: "TooLarge"}


def status_of(error: SightlineError) -> int:
    """The HTTP status of an error."""
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


def body(kind: str, message: str) -> dict[str, Any]:
    """The one shape of a failure."""
    return {"error": {"type": kind, "message": message}}


def failure(error: SightlineError) -> JSONResponse:
    """The response to an error of the tree."""
    headers = {"WWW-Authenticate": "Bearer"} if isinstance(error, Unauthorized) else None
    return JSONResponse(body(type(error).__name__, str(error)), status_of(error), headers)


def unexpected() -> dict[str, Any]:
    """The body for an error nobody foresaw: its text stays in the server's log."""
    return body("InternalError", "the service failed in a way it did not foresee; its log says more")


def told(error: RequestValidationError) -> str:
    """The first complaint as a sentence that names the field."""
    first = error.errors()[0]
    steps = first["loc"]
    if len(steps) > 1 and steps[0] in ("body", "query", "path"):  # where it stands; alone it is a field's name
        steps = steps[1:]
    place = ".".join(map(str, steps if steps != ("body",) else ()))
    return f"{place or 'the request'} {complaint(first)}"


def install(app: FastAPI) -> None:
    """Teach `app` to answer every failure in the one shape."""

    def known(_: Request, error: Exception) -> Response:
        assert isinstance(error, SightlineError)
        return failure(error)

    def invalid(_: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        return JSONResponse(body("InputError", told(error)), 422)

    def plain(_: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        kind = NAMES.get(error.status_code, "RequestError")
        return JSONResponse(body(kind, str(error.detail)), error.status_code, error.headers)

    def left(_: Request, __: Exception) -> Response:
        return Response(status_code=400)  # nobody reads it: the client went away in the middle of its request

    def unforeseen(_: Request, __: Exception) -> Response:
        return JSONResponse(unexpected(), 500)  # the server logs it: Starlette raises it again after this

    app.add_exception_handler(SightlineError, known)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, plain)
    app.add_exception_handler(ClientDisconnect, left)
    app.add_exception_handler(Exception, unforeseen)
