"""The algebra as written: what is an expression, what stays words, and errors that name the place."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sightline.algebra import Clipped, Expression
from sightline.errors import InputError
from sightline.types import Like
from sightline.written import clip, nearest, parse, path_of, pictures


def read(query: str) -> list[tuple[float, object]]:
    found = parse(query)
    assert isinstance(found, Expression), found
    shown: list[tuple[float, object]] = []
    for one in found.operands:
        seen = one.sought
        if isinstance(seen, Clipped):
            shown.append((one.weight, (seen.picture, seen.box) if seen.box else seen.picture))
        else:
            shown.append((one.weight, seen))
    return shown


def test_the_example_of_the_documentation() -> None:
    assert read('2:"red dress" + photo.jpg - stripes') == [(2, "red dress"), (1, Path("photo.jpg")), (-1, "stripes")]


@pytest.mark.parametrize(
    ("query", "means"),
    [
        ("like:mug-003", [(1, Like("mug-003"))]),
        ("photo.jpg[0.1,0.2,0.5,0.6]", [(1, (Path("photo.jpg"), (0.1, 0.2, 0.5, 0.6)))]),
        ('"red dress"', [(1, "red dress")]),
        ('.5:"red dress" - t-shirt', [(0.5, "red dress"), (-1, "t-shirt")]),
        ("red dress + a/b.PNG", [(1, "red dress"), (1, Path("a/b.PNG"))]),
        ("2:photo.jpg", [(2, Path("photo.jpg"))]),
        ("2.5:like:a - 3:photo.webp", [(2.5, Like("a")), (-3, Path("photo.webp"))]),
        ('image:"my photo.jpg"[0,0,.5,1]', [(1, (Path("my photo.jpg"), (0, 0, 0.5, 1)))]),
        ('image:scan - like:"two words"', [(1, Path("scan")), (-1, Like("two words"))]),
        ('"she said \\"hi\\" - twice"', [(1, 'she said "hi" - twice')]),
        ('- stripes + "red dress"', [(-1, "stripes"), (1, "red dress")]),
        ('C++ - "t-shirt"', [(1, "C++"), (-1, "t-shirt")]),
        ("= red dress - stripes", [(1, "red dress"), (-1, "stripes")]),
        ("= photo.jpg", [(1, Path("photo.jpg"))]),
    ],
)
def test_what_is_an_expression(query: str, means: list[tuple[float, object]]) -> None:
    assert read(query) == means


@pytest.mark.parametrize(
    "words",
    [
        "t-shirt",
        "C++",
        "C++ - Java",
        "size: M",
        "16:9 screen - black",
        "red - blue",
        "+ 1",
        "-",
        "photo.jpg",
        "like: new",
        "like:new jacket",
        '5" pipe - 6" pipe',
        '"red dress" shoes',
        "a [b] - c",
        "=3/4 thread",
        'an unclosed "quote',
        "",
    ],
)
def test_every_other_text_means_its_words(words: str) -> None:
    assert parse(words) == words


@pytest.mark.parametrize(
    ("query", "at", "why"),
    [
        ('2:"red dress" photo.jpg - stripes', "character 14,", "space on each side"),
        ('"red dress" photo.jpg - stripes', "character 12,", "space on each side"),
        ('"red dress" like:mug-003', "character 12,", "space on each side"),
        ('2:"red dress', "character 3,", "not closed"),
        ('"red" +', "at its end", "belongs here"),
        ('"red" + - "blue"', "character 9,", "belongs here"),
        ("photo.jpg[0.1,0.2] + red", "character 10,", "x0 < x1"),
        ("photo.jpg[a,b,c,d]", "character 10,", "four numbers"),
        ('0:"red"', "character 1,", "above zero"),
        ('nan:"red"', "character 1,", "above zero"),
        ('"red" + -Inf:"blue"', "character 9,", "above zero"),
        ('2:dress + "red"', "character 1,", "is quoted"),
        ('"red" + 5" pipe', "character 10,", "quotes go around"),
        ("= like:a b", "character 8,", "is quoted"),
        ('"" + photo.jpg', "character 1,", "nothing is quoted"),
        ('= ""', "character 3,", "nothing is quoted"),
    ],
)
def test_what_is_meant_as_one_and_is_none_is_refused_at_its_place(query: str, at: str, why: str) -> None:
    with pytest.raises(InputError, match="the query cannot be read") as refused:
        parse(query)
    assert at in str(refused.value)
    assert why in str(refused.value)


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ('"red dress" shoes - blue', '"red dress" + shoes - blue'),
        ('red - "red" shoes', 'red - "red" + shoes'),
        ('"red dress" shoes', None),
        ('The "Quay" beanie - red', None),
        ("red - blue", None),
        ('2:"red dress" - blue', None),
    ],
)
def test_words_that_are_nearly_an_expression(words: str, meant: str | None) -> None:
    assert nearest(words) == meant
    assert meant is None or parse(words) == words


def test_what_may_be_a_picture_is_named_whole_first() -> None:
    assert pictures("my photo.jpg") == ["my photo.jpg", "photo.jpg"]
    assert pictures(" photo.jpg ") == ["photo.jpg"]
    assert pictures("a.png in blue") == ["a.png"]
    assert pictures("in blue") == []


def test_a_home_that_is_nobodys_is_a_name() -> None:
    assert path_of("~nobody-at-all/a.jpg") == Path("~nobody-at-all/a.jpg")
    assert read("red + ~nobody-at-all/a.jpg") == [(1, "red"), (1, Path("~nobody-at-all/a.jpg"))]


@given(st.text(st.sampled_from('ab 2:"+-=[],.\\'), max_size=25))
def test_anything_is_an_expression_words_or_refused(query: str) -> None:
    try:
        found = parse(query)
    except InputError as refused:
        found = str(refused).partition(" at ")[0]
    assert found in (query, "the query cannot be read") or (isinstance(found, Expression) and found.operands)


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=20))
def test_quoted_words_come_back_as_they_are(words: str) -> None:
    quoted = '"' + words.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if words.strip():
        assert read(f"2:{quoted} - x") == [(2, words), (-1, "x")]


BOX = (0.1, 0.204, 0.5, 0.603)


@pytest.mark.parametrize(
    ("path", "written"),
    [
        ("shelf/photo.JPG", "shelf/photo.JPG[0.10,0.20,0.50,0.61]"),
        ("my photo.jpg", 'image:"my photo.jpg"[0.10,0.20,0.50,0.61]'),
        ("2:photo.jpg", 'image:"2:photo.jpg"[0.10,0.20,0.50,0.61]'),
        ("all.tar!/photo.jpg", "all.tar!/photo.jpg[0.10,0.20,0.50,0.61]"),
        ('a "quoted" one.jpg', 'image:"a \\"quoted\\" one.jpg"[0.10,0.20,0.50,0.61]'),
        ("scan.jp2", 'image:"scan.jp2"[0.10,0.20,0.50,0.61]'),
    ],
)
def test_a_box_of_a_picture_is_written_as_it_is_searched_for(path: str, written: str) -> None:
    assert clip(path, BOX) == written


edge = st.floats(0, 1).map(lambda at: round(at, 4))


@given(
    st.one_of(st.text(st.sampled_from('ab 2:"+-=[],.\\/'), max_size=12), st.text(max_size=12)).map(
        lambda name: f"{name.replace(chr(0), '')}.png"
    ),
    edge, edge, edge, edge,
)  # fmt: skip
def test_what_is_written_is_read_as_the_same_picture_and_holds_the_box(
    path: str, a: float, b: float, c: float, d: float
) -> None:
    box = (min(a, b), min(c, d), max(a, b), max(c, d))
    assume(box[0] < box[2] and box[1] < box[3])
    found = parse(clip(path, box))
    assert isinstance(found, Expression)
    (one,) = found.operands
    assert isinstance(one.sought, Clipped)
    assert str(one.sought.picture) == str(path_of(path))
    held = one.sought.box
    assert held is not None
    assert all(0 <= inner - outer < 0.0101 for inner, outer in zip(box[:2], held[:2], strict=True))
    assert all(0 <= outer - inner < 0.0101 for inner, outer in zip(box[2:], held[2:], strict=True))
