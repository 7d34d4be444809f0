"""The bodies of the HTTP interface as pydantic models, with examples for /docs; each also reads as a multipart form.

Knows the wire's shapes only: what they mean is the engine's.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Literal, TypeVar

from fastapi import Path, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from starlette.datastructures import UploadFile

from service.terms import EXAMPLE, MOST_TERMS, TermBody, expression_of
from service.turns import MOST_JUDGED, Id, TurnBody
from sightline.algebra import Expression
from sightline.errors import InputError
from sightline.showing import Show

Name = Annotated[
    str, Path(pattern=r"^[A-Za-z0-9_-]{1,64}$", description="letters, digits, _ and -", examples=["default"])
]
Image = Annotated[
    str | None, Field(description="a picture as base64, or as a data URI", examples=["data:image/png;base64,iVBORw0K…"])
]


def _written(value: Any) -> Any:
    """Refuse an object where the written form belongs, and say where objects go."""
    if isinstance(value, dict | list):
        raise ValueError('`where` is written, as "price < 50"; must, should and must_not go under the key `filter`')
    return value


WhereText = Annotated[str | None, BeforeValidator(_written)]
DATA_URI = re.compile(r"data:[\w.+/-]*(?:;[\w.+=-]+)*,", re.ASCII)
M = TypeVar("M", bound=BaseModel)


class _Body(BaseModel):
    """A body whose files (multipart only) are kept beside its fields."""

    model_config = ConfigDict(extra="forbid")

    _files: dict[str, bytes] = {}

    @property
    def files(self) -> dict[str, bytes]:
        """The uploaded files by the name each was sent under."""
        return self._files


class _Shown(_Body):
    """How hits are shown; what it says is `sightline.showing.Show`'s."""

    sort: str = Field("", max_length=200, description="field to order the relevant hits by; `-price`: largest first")
    fold: bool = Field(False, description="put near-duplicates under the better hit, as its `folded`")
    diversity: float = Field(0.0, ge=0, le=1, description="how much hits should differ from those before them")
    diversify: str = Field("", max_length=200, description="field of whose values a page shows few hits each")
    at_most: int = Field(2, ge=1, le=1000, description="how many: the others come on later pages")
    facets: list[Annotated[str, Field(max_length=200)]] = Field(
        default_factory=list,
        max_length=20,
        description="fields to count over all items that pass the filter, hits or not",
    )
    offset: int = Field(0, ge=0, lt=100_000, description="hits to skip")
    cursor: str = Field("", max_length=1_000_000, description="the next page: what the page before returned")


class SearchRequest(_Shown):
    """Words, a picture, or both; every other key is optional."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"query": "red running shoes", "where": "price < 100", "k": 12},
                {"query": "in blue", "image": "data:image/jpeg;base64,…", "negative": ["leather"], "target": "image"},
                {"query": "boots", "filter": {"must": [{"key": "price", "range": {"lt": 100}}]}},
                {"query": "boots", "sort": "price", "fold": True, "facets": ["brand"]},
                {"query": "boots", "liked": ["boot-003"], "disliked": ["boot-001", "boot-007"]},
                {"query": "the same but in blue", "before": {"query": "red boots", "shown": ["boot-003", "boot-001"]}},
                EXAMPLE,
            ]
        },
    )

    query: str | None = Field(None, max_length=4000, description="words")
    image: Image = None
    negative: list[Annotated[str, Field(max_length=4000)]] = Field(
        default_factory=list, max_length=20, description="what hits should not show"
    )
    terms: list[TermBody] = Field(
        default_factory=list, max_length=MOST_TERMS, description="more that is wanted or not, each with a weight"
    )
    exclude: list[Id] = Field(
        default_factory=list, max_length=10_000, description="ids of items that are not to be shown"
    )
    liked: list[Id] = Field(
        default_factory=list, max_length=MOST_JUDGED, description="ids of items that hits are to be like"
    )
    disliked: list[Id] = Field(
        default_factory=list,
        max_length=MOST_JUDGED,
        description="ids of items that hits are to be unlike; shown no more",
    )
    before: TurnBody | None = Field(
        None,
        description="goes on with a conversation: the `turn` of the response before, {} to begin; `query` is said next",
    )
    where: WhereText = Field(None, max_length=4000, description="filter, as `price < 50 and colour in (red, blue)`")
    filter: dict[str, Any] | None = Field(None, description="the same as Qdrant's must, should and must_not")
    target: Literal["image", "text", "any"] = Field("any", description="match pictures, texts, or whichever is better")
    k: int = Field(10, ge=1, le=1000, description="how many hits")
    least: float | None = Field(
        None, ge=0, le=1, description="leave out less relevant hits; 0 shows the nearest even if nothing matches"
    )
    as_typed: bool = Field(False, description="search for the words as they are typed, misspelt or not")
    rewrite: bool | None = Field(
        None, description="false: a short query is not put in other words too; true is an error without a model for it"
    )
    rerank: bool | None = Field(None, description="true asks for the service's reranker; it is an error without one")
    gate: bool | None = Field(None, description="false asks it of every query, not only of those that it helps")


class ExplainRequest(SearchRequest):
    """A search, and the item whose place in it is to be explained."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"id": "mug-014", "query": "blue mug", "map": True}]}
    )

    id: str = Field(min_length=1, max_length=1000, description="the item, shown or not")
    map: bool = Field(False, description="look where in its picture each term is answered")
    trace: bool = Field(False, description="return all it takes to ask the same again")


class AskRequest(_Body):
    """A question, and what to restrict the evidence to."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"question": "How much does the camping stove cost?", "stream": False}]},
    )

    question: str = Field(min_length=1, max_length=4000)
    image: Image = None
    where: WhereText = Field(None, max_length=4000, description="filter, as in search")
    filter: dict[str, Any] | None = Field(None, description="filter, as in search")
    k: int = Field(8, ge=1, le=100, description="how many items to read")
    stream: bool = Field(False, description="answer as server-sent events: sentence, citation, answer")


class Row(BaseModel):
    """A catalog row: `id`, `title`, `text`, `image` or `images`; every other key is a field to filter and cite by."""

    model_config = ConfigDict(extra="allow")

    id: str = Field(min_length=1, max_length=1000)
    image: str | None = Field(None, description="a data URI, a URL, or (multipart) the name of an uploaded file")
    images: list[str] | None = Field(None, description="several of them: one item, several pictures")


class ItemsRequest(_Body):
    """Rows to insert, or to replace where their id exists."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "items": [
                        {
                            "id": "mug-014",
                            "title": "Speckled mug",
                            "text": "Stoneware, holds 300 ml.",
                            "images": ["data:image/webp;base64,…"],
                            "colour": "blue",
                            "price": 14.5,
                        }
                    ]
                }
            ]
        },
    )

    items: list[Row] = Field(min_length=1, max_length=10_000)
    regions: Literal["none", "grid", "salient"] | None = Field(
        None, description="parts of pictures that get vectors of their own, kept with the collection; null: as before"
    )


def picture_of(body: SearchRequest | AskRequest) -> bytes | None:
    """The picture of a request, whichever way it was sent. Raises InputError."""
    if "image" in body.files:
        return body.files["image"]
    return None if body.image is None else decoded(body.image, name="image")


def sought_of(body: SearchRequest) -> Expression | str | None:
    """The words and terms of a request. Raises InputError."""
    return expression_of(body.query, body.terms, body.files, lambda text, name: decoded(text, name=name))


def shown_of(body: SearchRequest) -> Show:
    """How the hits of a request are to be shown. Raises InputError for what contradicts itself."""
    return Show(**{name: getattr(body, name) for name in _Shown.model_fields})


def rows_of(body: ItemsRequest) -> list[dict[str, Any]]:
    """Rows as the indexer takes them, pictures as bytes; a path is refused, for it would name a file of the server.

    URLs stay what they are: the indexer fetches them only where that is allowed. Raises InputError.
    """
    rows = []
    for row in body.items:
        data = row.model_dump(exclude_none=True)
        named = [key for key in data if key.casefold() in ("image", "images")]  # as the indexer reads keys
        given = [one for key in named for one in _several(data.pop(key))]
        if given:
            data["images"] = [_picture(value, row.id, body.files) for value in given]
        rows.append(data)
    return rows


def _several(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _picture(value: Any, item_id: str, files: dict[str, bytes]) -> str | bytes:
    if isinstance(value, str) and value in files:
        return files[value]
    if isinstance(value, str) and re.match(r"https?://", value, re.IGNORECASE):
        return value
    if isinstance(value, str) and value.startswith("data:"):
        return decoded(value, name=f"a picture of item {item_id!r}")
    raise InputError(
        f"item {item_id!r}: {str(value)[:80]!r} is neither a data URI nor a URL nor the name of a file sent along; "
        f"the service opens no files of its own"
    )


def decoded(text: str, *, name: str) -> bytes:
    """The bytes of a base64 text or data URI. Raises InputError."""
    if re.match(r"https?://", text, re.IGNORECASE):
        raise InputError(f"{name}: send the picture itself, as base64 or as a data URI, not its address")
    header = DATA_URI.match(text)
    if header and not header.group().endswith(";base64,"):
        raise InputError(f"{name}: a data URI must be base64")
    try:
        data = base64.b64decode(text[header.end() :] if header else text, validate=True)
    except (binascii.Error, ValueError) as exc:
        raise InputError(f"{name}: not valid base64") from exc
    if not data:
        raise InputError(f"{name}: the picture is empty")
    return data


def body_of(model: type[M]) -> Callable[[Request], Awaitable[M]]:
    """A dependency that reads `model` from JSON or from a multipart form."""

    async def read(request: Request) -> M:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind == "multipart/form-data":
            data, files = await _form(request)
        elif kind == "application/json":
            data, files = _json(await request.body()), {}
        else:
            raise InputError(f"send application/json or multipart/form-data, not {kind or 'nothing'}")
        try:
            body = model.model_validate(data)
        except ValidationError as exc:
            raise RequestValidationError(exc.errors()) from exc
        if isinstance(body, _Body):
            body._files = files
        return body

    return read


def described(model: type[BaseModel], *, files: str) -> dict[str, Any]:
    """The OpenAPI description of a body that `body_of` reads; `files` says what may be uploaded in a form."""
    schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
    for name, inner in schema.pop("$defs", {}).items():
        named = {"$ref": f"#/components/schemas/{name}"}
        for shape in schema["properties"].values():
            if shape.get("items") == named:
                shape["items"] = inner
            if named in shape.get("anyOf", ()):
                shape["anyOf"][shape["anyOf"].index(named)] = inner
    form = {
        "type": "object",
        "properties": schema["properties"] | {"image": {"type": "string", "format": "binary", "description": files}},
    }
    return {
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": schema}, "multipart/form-data": {"schema": form}},
        }
    }


def _json(raw: bytes, what: str = "the body") -> Any:
    try:
        return json.loads(raw)
    except ValueError as exc:
        raise InputError(f"{what} is not JSON: {exc}") from exc
    except RecursionError as exc:
        raise InputError(f"{what} is nested too deeply") from exc


async def _form(request: Request) -> tuple[dict[str, Any], dict[str, bytes]]:
    """A form's fields, lists and objects written as JSON, and its files by field and by file name."""
    data: dict[str, Any] = {}
    files: dict[str, bytes] = {}
    async with request.form(max_files=1000) as form:
        for key, value in form.multi_items():
            if isinstance(value, UploadFile):
                content = await value.read()
                name = value.filename or key
                if name in files:
                    raise InputError(f"two files are called {name!r}; give each a name of its own")
                files[name] = files[key] = content
            elif key in ("negative", "facets", "exclude", "liked", "disliked"):
                data.setdefault(key, []).append(value)
            elif value != "":  # an empty box of an HTML form
                data[key] = _json(value.encode(), repr(key)) if key in ("items", "filter", "terms", "before") else value
    return data, files
