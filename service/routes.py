"""The HTTP interface: every route checks its body, makes one call on `Sightline` and returns what comes back as JSON.

Knows no engine and no key: `service.guard` has let the request through, `service.failures` words what goes wrong.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse

from service import drawing, failures
from service.models import (
    AskRequest,
    ExplainRequest,
    ItemsRequest,
    Name,
    SearchRequest,
    body_of,
    described,
    picture_of,
    rows_of,
    shown_of,
    sought_of,
)
from service.shelf import Shelf
from service.turns import go_on
from sightline.errors import InputError, NotFound, SightlineError
from sightline.types import Answer, Citation, Hit, Item, Results

log = logging.getLogger("sightline.service")
router = APIRouter()


def shelf_of(request: Request) -> Shelf:
    """The collections this application serves."""
    shelf = request.app.state.shelf
    assert isinstance(shelf, Shelf)
    return shelf


Collections = Annotated[Shelf, Depends(shelf_of)]


@router.get("/healthz", tags=["health"], summary="The process is alive")
def healthz() -> dict[str, str]:
    return {"status": "ok"}


@router.get("/readyz", tags=["health"], summary="The index opens and its encoder is loaded")
def readyz(shelf: Collections) -> Response:
    """503 with the reason until then. An index that does not exist yet is ready: it is empty."""
    try:
        if shelf.settings.collection in shelf.names():
            with shelf.using(shelf.settings.collection) as opened:
                _ = opened.encoder
                if opened.text_encoder:
                    opened.text_encoder.encode_queries([("ready",)])
    except SightlineError as exc:
        return JSONResponse({"status": "not ready"} | failures.body(type(exc).__name__, str(exc)), 503)
    return JSONResponse({"status": "ready"})


@router.get("/v1/collections", tags=["collections"], summary="Which collections there are")
def list_collections(shelf: Collections) -> dict[str, Any]:
    return {"collections": shelf.names(), "default": shelf.settings.collection}


@router.put("/v1/collections/{name}", tags=["collections"], summary="Make a collection")
def make_collection(name: Name, shelf: Collections, response: Response) -> dict[str, Any]:
    """201 when it is new, 200 when it was there; its facts either way."""
    response.status_code = 201 if shelf.make(name) else 200
    with shelf.using(name) as opened:
        return opened.info()


@router.get("/v1/collections/{name}", tags=["collections"], summary="What is in a collection")
def describe_collection(name: Name, shelf: Collections) -> dict[str, Any]:
    """Items, parts, encoder, licence, store, sizes, and the fields to filter by."""
    with shelf.using(name) as opened:
        return opened.info()


@router.delete("/v1/collections/{name}", tags=["collections"], summary="Delete a collection with everything in it")
def drop_collection(name: Name, shelf: Collections) -> dict[str, Any]:
    shelf.drop(name)
    return {"deleted": name}


@router.post(
    "/v1/collections/{name}/items",
    tags=["items"],
    summary="Insert items, or replace those whose id exists",
    openapi_extra=described(ItemsRequest, files="pictures, named in the rows by their file names"),
)
def upsert_items(
    name: Name, shelf: Collections, body: Annotated[ItemsRequest, Depends(body_of(ItemsRequest))]
) -> dict[str, Any]:
    """What became of every row, as `sightline index --json` says it. Found by the next search."""
    with shelf.using(name) as opened:
        return opened.add(*rows_of(body), regions=body.regions).to_json()


@router.get("/v1/collections/{name}/items/{item_id:path}", tags=["items"], summary="One item with its parts")
def get_item(name: Name, item_id: str, shelf: Collections) -> dict[str, Any]:
    with shelf.using(name) as opened:
        return item_json(opened.get(item_id))


@router.delete("/v1/collections/{name}/items/{item_id:path}", tags=["items"], summary="Delete an item")
def delete_item(name: Name, item_id: str, shelf: Collections) -> dict[str, Any]:
    with shelf.using(name) as opened:
        deleted = opened.delete([item_id])
    if not deleted:
        raise NotFound(f"no item {item_id!r} in collection {name!r}")
    return {"deleted": deleted}


@router.get(
    "/v1/collections/{name}/parts/{part_id:path}/picture",
    tags=["items"],
    summary="The picture of a part, as a JPEG of at most 320 px",
    response_class=Response,
    responses={200: {"content": {"image/jpeg": {}}}},
)
def get_picture(name: Name, part_id: str, shelf: Collections, request: Request) -> Response:
    with shelf.using(name) as opened:
        jpeg = opened.picture(part_id)
    headers = {"ETag": f'"{hashlib.sha256(jpeg).hexdigest()[:32]}"', "Cache-Control": "private, max-age=60"}
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    return Response(jpeg, media_type="image/jpeg", headers=headers)


@router.post(
    "/v1/collections/{name}/search",
    tags=["search"],
    summary="Find items by words, a picture, or both",
    openapi_extra=described(SearchRequest, files="the picture to search with"),
)
def search(
    name: Name, shelf: Collections, body: Annotated[SearchRequest, Depends(body_of(SearchRequest))]
) -> dict[str, Any]:
    """Hits best first, each with the parts that matched. Nothing found is a success with `no_match`.

    As `sightline search --json` says it, and for each hit its `title` and the id of the `picture` to show for it. The
    next page is asked for with all of this and the `cursor` that came; null: there is none. With `before`, `query` is
    read against the turn before ("the same but in blue", "cheaper"), and the `turn` to send back comes with the hits.
    """
    asked = _options(body, shelf)
    if body.before is not None and (body.terms or body.negative):
        raise InputError("a conversation says what it means: `terms` and `negative` do not go with `before`")
    with shelf.using(name) as opened:
        if body.before is None:
            return _found(opened.search(sought_of(body), **asked))
        judged = {name: asked.pop(name) for name in ("liked", "disliked")}
        asked.pop("negative")
        found, turn = go_on(opened, body.before, body.query, judged, asked)
    return _found(found) | {"turn": turn.to_json()}


@router.post(
    "/v1/collections/{name}/explain",
    tags=["search"],
    summary="Why an item is where it is among the hits of a search, or is none",
    openapi_extra=described(ExplainRequest, files="the picture to search with"),
    responses={200: {"content": {"image/png": {}}}},
)
def explain(
    name: Name,
    shelf: Collections,
    request: Request,
    body: Annotated[ExplainRequest, Depends(body_of(ExplainRequest))],
) -> Response:
    """As `sightline explain --json` says it; each of its `maps` also as a see-through `layer` for the picture.

    With `Accept: image/png` the picture comes with the map drawn over it, and nothing else.
    """
    as_picture, asked = "image/png" in request.headers.get("accept", ""), _options(body, shelf)
    with shelf.using(name) as opened:
        found = opened.explain(sought_of(body), body.id, maps=body.map or as_picture, **asked)
        pixels = opened.explain.picture(found) if as_picture else None
    if not as_picture:
        told = found.to_json() | ({"trace": found.trace} if body.trace else {})
        for one in told["maps"]:
            one["layer"] = drawing.layer(one["values"])
        return JSONResponse(told)
    if pixels is None:
        raise NotFound(f"item {body.id!r} has no picture to draw a map over")
    return Response(drawing.drawn(pixels, found.maps[0].values), media_type="image/png")


@router.post(
    "/v1/collections/{name}/ask",
    tags=["search"],
    summary="Answer a question with citations",
    openapi_extra=described(AskRequest, files="a picture the question is about"),
    responses={200: {"content": {"text/event-stream": {}}}},
)
def ask(
    name: Name, shelf: Collections, request: Request, body: Annotated[AskRequest, Depends(body_of(AskRequest))]
) -> Response:
    """JSON, or server-sent events with `"stream": true` or `Accept: text/event-stream`.

    Events: `sentence` {"text"}, `citation` as in the answer, `answer` (the whole of it, last), or `error`.
    """
    image, where = picture_of(body), _where(body)
    if not (body.stream or "text/event-stream" in request.headers.get("accept", "")):
        with shelf.using(name) as opened:
            return JSONResponse(opened.ask(body.question, image=image, where=where, k=body.k).to_json())
    pieces = _pieces(shelf, name, body.question, image=image, where=where, k=body.k)
    first = next(pieces, None)  # what is wrong with the request itself still gets its status
    return StreamingResponse(
        _events(first, pieces), media_type="text/event-stream", headers={"Cache-Control": "no-store"}
    )


def item_json(item: Item) -> dict[str, Any]:
    """An item in its public shape."""
    fields = {name: list(value) if isinstance(value, tuple) else value for name, value in item.fields.items()}
    return {"id": item.id, "title": item.title, "fields": fields, "parts": [part.to_json() for part in item.parts]}


def hit_json(hit: Hit) -> dict[str, Any]:
    """A hit in its public shape, with a title and a picture to show for it: the best that matched, else the first."""
    pictures = (part.id for part in (*hit.parts, *hit.item.parts) if part.modality == "image")
    return hit.to_json() | {"title": hit.item.title, "picture": next(pictures, None)}


def _found(found: Results) -> dict[str, Any]:
    return found.to_json() | {"hits": [hit_json(hit) for hit in found]}


def _where(body: SearchRequest | AskRequest) -> str | dict[str, Any] | None:
    if body.where and body.filter:
        raise InputError("give `where` or `filter`, not both")
    return body.where or body.filter


def _options(body: SearchRequest, shelf: Shelf) -> dict[str, Any]:
    """What a search takes beside what is sought. Raises InputError."""
    return {
        "image": picture_of(body),
        "negative": body.negative,
        "exclude": body.exclude,
        "liked": body.liked,
        "disliked": body.disliked,
        "k": body.k,
        "where": _where(body),
        "target": None if body.target == "any" else body.target,
        "rerank": _reranker(body, shelf),
        "as_typed": body.as_typed,
        "rewrite": _rewriter(body, shelf),
        "gate": body.gate,
        "least": body.least,
        "show": shown_of(body),
    }


def _reranker(body: SearchRequest, shelf: Shelf) -> str | None:
    """The service's own reranker: a caller may ask for it but not choose it, for a spec can name any server."""
    if body.rerank and not shelf.settings.rerank:
        raise InputError("this service has no reranker: start it with --rerank SPEC")
    return "" if body.rerank is False else None


def _rewriter(body: SearchRequest, shelf: Shelf) -> str | None:
    """The service's own chat model, for the same reason."""
    if body.rewrite and not shelf.settings.rewrite:
        raise InputError("this service rewrites no queries: start it with --rewrite SPEC")
    return "" if body.rewrite is False else None


def _pieces(shelf: Shelf, name: str, question: str, **asked: Any) -> Iterator[str | Citation | Answer]:
    """What `Sightline.stream` yields, the collection kept open until the last of it."""
    with shelf.using(name) as opened:
        yield from opened.stream(question, **asked)


def _events(first: str | Citation | Answer | None, rest: Iterator[str | Citation | Answer]) -> Iterator[str]:
    try:
        if first is not None:
            yield _event(first)
        for piece in rest:
            yield _event(piece)
    except SightlineError as exc:
        yield _sse("error", failures.body(type(exc).__name__, str(exc)))
    except Exception:
        log.exception("an answer broke off")
        yield _sse("error", failures.unexpected())


def _event(piece: str | Citation | Answer) -> str:
    if isinstance(piece, str):
        return _sse("sentence", {"text": piece})
    return _sse("citation" if isinstance(piece, Citation) else "answer", piece.to_json())


def _sse(event: str, data: dict[str, Any]) -> str:
    return f"event: {event}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n"
