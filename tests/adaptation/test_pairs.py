"""Every shape a row may have, what is one and the same, and the line of every row that cannot be used."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sightline import Sightline, media
from sightline.adaptation.pairs import Pairs, read_pairs
from sightline.errors import InputError

Write = Callable[..., Path]


def read(index: Sightline, *paths: Path) -> Pairs:
    return read_pairs(paths, index, tell=lambda what, done, total: None)


@pytest.fixture
def pictures(tmp_path: Path) -> dict[str, Path]:
    """Plain pictures beside the file of pairs."""
    made = {}
    for name, colour in {"red": (200, 30, 30), "blue": (30, 30, 200), "green": (30, 180, 30)}.items():
        made[name] = tmp_path / f"{name}.png"
        Image.new("RGB", (48, 48), colour).save(made[name])
    (tmp_path / "red again.png").write_bytes(made["red"].read_bytes())
    return made


def test_rows_of_every_shape(index: Sightline, write: Write, pictures: dict[str, Path]) -> None:
    found = read(
        index,
        write(
            {"text": "something red", "image": "red.png"},
            {"label": "blue", "image": str(pictures["blue"])},
            {"query_image": "green.png", "item": "item-yalpo"},
            {"caption": "hold my tea", "passage": "a red ceramic mug"},
            {"query": "  hold   my tea", "item": "item-zorp"},
        ),
    )
    assert not found.skipped
    assert found.counts == {"text": 4, "image": 1}
    words = found.examples["text"]
    assert len(words.queries) == 3  # "hold my tea" is one query, however it is spaced
    assert words.right[2].tolist() == [2, 3]
    space = index.encoder.space
    stored = index.known([part.digest for part in index.get("item-yalpo").parts])
    np.testing.assert_array_equal(found.examples["image"].answers, *stored.values())
    assert words.answers.shape == (4, space.dim)


def test_equal_things_are_one(index: Sightline, write: Write, pictures: dict[str, Path]) -> None:
    assert pictures
    rows = ({"text": "red", "image": "red.png"}, {"text": "red", "image": "red again.png"})
    found = read(index, write(*rows, {"text": "crimson", "image": "red.png"}, {"text": "blue", "image": "blue.png"}))
    words = found.examples["text"]
    assert (found.counts["text"], found.repeated) == (3, 1)
    assert [ids.tolist() for ids in words.right] == [[0], [0], [1]]
    assert len(words.answers) == 2


def test_pictures_that_the_index_holds_are_not_embedded_again(
    tmp_path: Path, write: Write, pictures: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    with Sightline.open(tmp_path / "photos", threads=1) as index:
        index.add(*({"id": name, "image": str(path)} for name, path in pictures.items()))
        stored = index.known([part.digest for part in index.get("blue").parts])
        monkeypatch.setattr(media, "decode", None)  # what is not opened is not embedded
        found = read(index, write({"text": "blue", "image": "blue.png"}, {"text": "red", "item": "red"}))
    np.testing.assert_array_equal(found.examples["text"].answers[:1], *stored.values())


def test_an_item_and_its_own_picture_are_one_answer(tmp_path: Path, write: Write, pictures: dict[str, Path]) -> None:
    with Sightline.open(tmp_path / "photos", threads=1) as index:
        index.add(*({"id": name, "image": str(path)} for name, path in pictures.items()))
        rows = ({"text": "red", "item": "red"}, {"text": "crimson", "image": "red again.png"})
        blue = ({"text": "blue", "image": "blue.png"}, {"query_image": "red.png", "item": "red"})
        found = read(index, write(*rows, *blue))
    words = found.examples["text"]
    assert [ids.tolist() for ids in words.right] == [[0], [0], [1]]
    assert len(words.answers) == 2
    assert found.items == {"red", "blue"}
    assert [one.reason for one in found.skipped] == ["the picture asks for itself"]


def test_spellings_are_numbered(index: Sightline, write: Write) -> None:
    asks = ("Red mug", "red  mug.", "C", "RED-MUG!", "?!")
    words = read(index, write(*({"text": one, "item": "item-zorp"} for one in asks))).examples["text"]
    assert words.spelling is not None
    assert len(words.queries) == 5
    assert len(set(words.spelling[[0, 1, 3]].tolist())) == 1
    assert len(set(words.spelling.tolist())) == 3


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ('{"text": "a", "image": ', "not JSON"),
        ('["a", "b"]', "not a JSON object"),
        ({"image": "red.png"}, "neither a text"),
        ({"text": "a", "query_image": "red.png", "item": "item-zorp"}, "both a text and a query_image"),
        ({"text": "a"}, "none of image, item, passage"),
        ({"text": "a", "item": "item-zorp", "image": "red.png"}, "image and item at once"),
        ({"text": "a", "item": "item-zorpp"}, "no item 'item-zorpp' in collection 'default'"),
        ({"text": "a", "image": "no such.png"}, "cannot read no such.png: No such file"),
        ({"text": "a", "image": "pairs.jsonl"}, "picture"),
        ({"text": "a", "image": "nul\0.png"}, "cannot read nul"),
        ({"text": "a", "image": 7}, "path of a picture, not 7"),
        ({"text": ["a"], "item": "item-zorp"}, "must be words, not ['a']"),
        ({"text": "  ", "item": "item-zorp"}, "must be words"),
        ({"query_image": "red.png", "image": "red again.png"}, "asks for itself"),
    ],
)
def test_rows_that_cannot_be_used_are_told_with_their_line(
    index: Sightline, write: Write, pictures: dict[str, Path], row: object, reason: str
) -> None:
    assert pictures
    found = read(index, write({"text": "good", "item": "item-zorp"}, row, {"text": "good too", "item": "item-quam"}))
    assert found.counts == {"text": 2}
    (skipped,) = found.skipped
    assert skipped.source == "pairs.jsonl:2"
    assert reason in skipped.reason


def test_where_no_row_can_be_used_the_first_reason_is_told(index: Sightline, write: Write) -> None:
    with pytest.raises(
        InputError, match=r"no row of pairs.jsonl .*2 were left out; the first, pairs.jsonl:1: .*no item"
    ):
        read(index, write({"text": "a", "item": "x"}, {"text": "b", "item": "y"}))
    with pytest.raises(InputError, match=r"cannot read the pairs in .*no such file\.jsonl"):
        read(index, Path("no such file.jsonl"))


def test_a_csv_will_do(index: Sightline, tmp_path: Path) -> None:
    path = tmp_path / "clicks.csv"
    path.write_text("query,item\nsomething for soup,item-dorrin\nwarm neck,item-fendle\n", encoding="utf-8")
    assert read(index, path).counts == {"text": 2}
