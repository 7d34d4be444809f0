"""From what a caller asks with (words, a picture, both, or a whole `Query`) to the one `Query` a search takes.

Knows what may be asked; knows no index: a filter is checked by whoever has the fields.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np

from sightline import decoding
from sightline.decoding import Limits, Picture
from sightline.errors import InputError
from sightline.filters import Filter
from sightline.stores.checks import check_text
from sightline.types import Pixels, Query, Term

Where: TypeAlias = str | Mapping[str, Any] | Filter | None
Asked: TypeAlias = str | Path | Pixels | Query | None


def query_of(
    query: Asked,
    *,
    image: Picture | None,
    negative: Sequence[str],
    where: Where,
    target: Literal["image", "text"] | None,
    limits: Limits,
    resolve: Callable[[Where], Filter | None],
) -> Query:
    """The query, its words and pictures checked and its filter resolved. Raises InputError for an empty one."""
    if isinstance(query, Query):
        return replace(query, where=resolve(query.where if where is None else where))
    terms: list[Term] = []
    if isinstance(query, str) and query.strip():
        terms.append(Term(query.strip()))
    pictures = (query if isinstance(query, Path | np.ndarray) else None, image)
    terms.extend(Term(decoding.pixels_of(picture, limits)) for picture in pictures if picture is not None)
    if not terms:
        raise InputError("the query is empty: give words, a picture, or both")
    terms.extend(Term(text.strip(), -1.0) for text in negative if text.strip())
    check_text(" ".join(term.content for term in terms if isinstance(term.content, str)), "the query")
    return Query(tuple(terms), where=resolve(where), target=target)
