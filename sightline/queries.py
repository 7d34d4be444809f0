"""From what a caller asks with (words, a picture, an expression, or a whole `Query`) to the one `Query` a search takes.

Knows what may be asked; knows no index: the fields that a filter may name are handed in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np

from sightline import decoding, filters
from sightline.algebra import Clipped, Expression
from sightline.decoding import Limits, Picture
from sightline.errors import InputError
from sightline.filters import Filter
from sightline.media import clipped
from sightline.stores.checks import check_text
from sightline.types import FieldSummary, Like, Pixels, Query, Term

Where: TypeAlias = str | Mapping[str, Any] | Filter | None
Asked: TypeAlias = str | Path | Pixels | Query | Expression | None


def query_of(
    query: Asked,
    *,
    image: Picture | None,
    negative: Sequence[str],
    where: Where,
    target: Literal["image", "text"] | None,
    limits: Limits,
    resolve: Callable[[Where], Filter | None],
    exclude: Sequence[str] = (),
    liked: Sequence[str] = (),
    disliked: Sequence[str] = (),
) -> Query:
    """The query, its words and pictures checked and its filter resolved. Liked items alone ask for more like them.

    Raises InputError for an empty query, and for an item that is both liked and disliked.
    """
    given = query if isinstance(query, Query) else Query(())
    terms = [*given.terms, *_terms_of(query, limits)]
    if image is not None:
        terms.append(Term(decoding.pixels_of(image, limits)))
    good, bad = _several(given.liked, liked), _several(given.disliked, disliked)
    if both := sorted(frozenset(good).intersection(bad)):
        raise InputError(f"item {both[0]!r} is both liked and disliked")
    if not terms:
        terms = [Term(Like(item_id)) for item_id in good]
    if not terms:
        raise InputError("the query is empty: give words, a picture, or both")
    terms.extend(Term(text.strip(), -1.0) for text in negative if text.strip())
    hidden = _several(given.exclude, exclude)
    check_text(" ".join(term.content for term in terms if isinstance(term.content, str)), "the query")
    named = (term.content.item_id for term in terms if isinstance(term.content, Like))
    check_text("".join((*hidden, *good, *bad, *named)), "an id")
    return Query(
        tuple(terms),
        where=resolve(given.where if where is None else where),
        target=given.target if target is None else target,
        exclude=hidden,
        liked=good,
        disliked=bad,
        rewrites=given.rewrites,
    )


def filter_of(where: Where, fields: Callable[[], Sequence[FieldSummary]]) -> Filter | None:
    """A filter in any of its forms, checked: every field it names is one of `fields`. Raises InputError."""
    tree = tree_of(where)
    return None if tree is None else filters.resolve(tree, fields())


def tree_of(where: Where) -> Filter | None:
    """A filter in any of its forms; None for none. Raises InputError for one that cannot be read."""
    if where is None or where in ("", {}):
        return None
    if isinstance(where, str):
        return filters.parse(where)
    return filters.from_qdrant(where) if isinstance(where, Mapping) else where


def _several(given: tuple[str, ...], more: Sequence[str]) -> tuple[str, ...]:
    """All ids, each once; one that is not in a list counts as one."""
    return tuple(dict.fromkeys((*given, *((more,) if isinstance(more, str) else more))))


def _terms_of(query: Asked, limits: Limits) -> list[Term]:
    """The terms of what is no `Query` yet."""
    if isinstance(query, str):
        return [Term(query.strip())] if query.strip() else []
    if isinstance(query, Path | np.ndarray):
        return [Term(decoding.pixels_of(query, limits))]
    if isinstance(query, Expression):
        return [Term(_content(one.sought, limits), one.weight) for one in query.operands if one.weight]
    return []


def _content(sought: str | Clipped | Like, limits: Limits) -> str | Pixels | Like:
    """What is sought, its picture opened and clipped."""
    if isinstance(sought, Clipped):
        pixels = decoding.pixels_of(sought.picture, limits)
        return pixels if sought.box is None else clipped(pixels, sought.box)
    return sought.strip() if isinstance(sought, str) else sought
