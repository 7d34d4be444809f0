"""The query algebra on the wire: a typed list of terms beside a request's words, read into an expression.

Knows the wire's shapes only; what the terms mean is `sightline.algebra`'s and the retriever's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from sightline import algebra
from sightline.algebra import Expression
from sightline.errors import InputError

MOST_TERMS = 20
HEAVIEST = 1_000_000.0
EXAMPLE: JsonDict = {
    "terms": [
        {"type": "text", "text": "red dress", "weight": 2},
        {"type": "image", "image": "data:image/jpeg;base64,…", "box": [0.1, 0.2, 0.5, 0.6]},
        {"type": "item", "id": "dress-014"},
        {"type": "text", "text": "stripes", "weight": -1},
    ],
    "exclude": ["dress-002"],
}


class TermBody(BaseModel):
    """One term: words, a picture or a box of it, or an item; wanted, or with a weight below 0 unwanted."""

    model_config = ConfigDict(extra="forbid")

    type: Literal["text", "image", "item"]
    text: str | None = Field(None, max_length=4000, description="with type text: words")
    image: str | None = Field(
        None, description="with type image: base64, a data URI, or (multipart) the name of an uploaded file"
    )
    box: Annotated[list[float], Field(min_length=4, max_length=4)] | None = Field(
        None, description="with type image: x0, y0, x1, y1 in 0-1 of the upright picture, if only that is meant"
    )
    id: str | None = Field(None, max_length=1000, description="with type item: hits are to be like this item")
    weight: float = Field(1.0, ge=-HEAVIEST, le=HEAVIEST, allow_inf_nan=False, description="below 0: not wanted")


def expression_of(
    query: str | None, terms: Sequence[TermBody], files: Mapping[str, bytes], decoded: Callable[[str, str], bytes]
) -> Expression | str | None:
    """The words and the terms of a request as one expression; the words alone where there are no terms.

    `decoded` gives the bytes of an encoded picture and its name for messages. Raises InputError naming the term.
    """
    if not terms:
        return query
    whole = Expression(())
    if query and query.strip():
        whole += algebra.text(query)
    for at, term in enumerate(terms):
        whole += term.weight * _operand(term, f"terms[{at}]", files, decoded)
    return whole


def _operand(term: TermBody, name: str, files: Mapping[str, bytes], decoded: Callable[[str, str], bytes]) -> Expression:
    own = {"text": ("text",), "image": ("image", "box"), "item": ("id",)}[term.type]
    for key in ("text", "image", "box", "id"):
        if key not in own and getattr(term, key) is not None:
            raise InputError(f"{name}: a term of type {term.type!r} has no {key!r}")
    sought = getattr(term, own[0])
    if not sought or not sought.strip():
        raise InputError(f"{name}: a term of type {term.type!r} needs {own[0]!r}")
    if term.type == "text":
        return algebra.text(sought)
    if term.type == "item":
        return algebra.like(sought)
    picture = files[sought] if sought in files else decoded(sought, f"the picture of {name}")
    try:
        return algebra.image(picture, box=term.box)
    except InputError as exc:
        raise InputError(f"{name}: {exc}") from exc
