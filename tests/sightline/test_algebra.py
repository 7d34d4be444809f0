"""The algebra of queries in Python: weights multiply out, boxes are checked, and what is no number is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sightline import image, like, text
from sightline.algebra import Clipped, Expression
from sightline.decoding import Limits
from sightline.errors import InputError
from sightline.filters import Exists
from sightline.media import clipped
from sightline.queries import Asked, query_of
from sightline.types import Like, Query, Term


def asked(query: Asked, **given: object) -> Query:
    options: dict[str, object] = {"image": None, "negative": (), "where": None, "target": None, **given}
    return query_of(query, limits=Limits(), resolve=lambda where: where, **options)  # type: ignore[arg-type]


def weights(expression: Expression) -> list[tuple[object, float]]:
    return [(one.sought, one.weight) for one in expression.operands]


def test_weights_multiply_out_over_brackets() -> None:
    whole = 2 * (text("red") - text("blue") / 4) - (like("a") - text("dress")) * np.float32(0.5)
    assert weights(whole) == [("red", 2.0), ("blue", -0.5), (Like("a"), -0.5), ("dress", 0.5)]


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: text("a") * text("b"),
        lambda: text("a") + "b",  # type: ignore[operator]
        lambda: 2 + text("a"),  # type: ignore[operator]
        lambda: text("a") / text("b"),
    ],
)
def test_only_expressions_are_added_and_only_numbers_multiply(wrong: Callable[[], Expression]) -> None:
    with pytest.raises(TypeError):
        wrong()


@pytest.mark.parametrize("weight", [float("nan"), float("inf")])
def test_a_weight_is_finite(weight: float) -> None:
    with pytest.raises(InputError, match="finite"):
        weight * text("a")
    with pytest.raises(InputError, match="zero"):
        text("a") / 0


@pytest.mark.parametrize(
    "box", [(0, 0, 1), (0, 0, 1.2, 1), (0.5, 0, 0.5, 1), (0, 0.6, 1, 0.5), (-0.1, 0, 1, 1), (0, 0, float("nan"), 1)]
)
def test_a_box_lies_in_the_picture_and_holds_something(box: tuple[float, ...]) -> None:
    with pytest.raises(InputError, match="x0, y0, x1, y1"):
        image("a.png", box=box)


def test_a_box_of_a_picture_is_clipped_before_it_is_embedded(tmp_path: Path) -> None:
    pixels = np.zeros((10, 20, 3), dtype=np.uint8)
    pixels[2:5, 10:15] = 255
    Image.fromarray(pixels).save(tmp_path / "a.png")
    query = asked(image(tmp_path / "a.png", box=(0.5, 0.2, 0.75, 0.5)))
    (term,) = query.terms
    assert isinstance(term.content, np.ndarray)
    assert term.content.shape == (3, 5, 3)
    assert (term.content == 255).all()
    assert len(query.pictures) == 1


@pytest.mark.parametrize("box", [(0.0, 0.0, 0.01, 0.01), (0.99, 0.99, 1.0, 1.0), (0.5, 0.5, 0.5001, 0.5001)])
def test_a_tiny_box_holds_a_pixel_at_least(box: tuple[float, float, float, float]) -> None:
    assert clipped(np.zeros((3, 4, 3), dtype=np.uint8), box).shape == (1, 1, 3)


def test_an_expression_becomes_terms_beside_words_filter_and_exclusions() -> None:
    given = asked(2 * text(" red ") - like("mug-003") + 0 * text("nothing"), negative=["blue"], exclude=["a", "b"])
    assert given.terms == (Term("red", 2.0), Term(Like("mug-003"), -1.0), Term("blue", -1.0))
    assert given.exclude == ("a", "b")
    assert given.text == "red"


def test_a_whole_query_keeps_what_it_says_and_takes_what_is_added() -> None:
    query = Query((Term("red"),), where=Exists("price"), target="image", exclude=("a",))
    assert asked(query) == query
    more = asked(query, negative=["blue"], target="text", exclude="b")
    assert more == Query((Term("red"), Term("blue", -1.0)), where=Exists("price"), target="text", exclude=("a", "b"))


def test_pictures_are_opened_when_the_search_begins() -> None:
    (operand,) = image("not there.png").operands
    assert isinstance(operand.sought, Clipped)
    with pytest.raises(InputError, match=r"not there\.png"):
        asked(Expression((operand,)))


@pytest.mark.parametrize("nothing", [None, "  ", 0 * text("a"), Query(())])
def test_nothing_asked_is_refused(nothing: Asked) -> None:
    with pytest.raises(InputError, match="the query is empty"):
        asked(nothing)
