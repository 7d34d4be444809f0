"""Image-caption pairs in the forms they come in, and what is said of those that are none."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import pytest

from sightline.errors import InputError
from sightline.evaluation import Task, read_pairs


def asked(task: Task) -> dict[str, set[str]]:
    """Caption -> what it should find."""
    return {case.text: set(case.relevant) for case in task.cases if case.text}


def lines(path: Path, *rows: object) -> Path:
    path.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows) + "\n")
    return path


def test_captions_look_for_their_picture_and_pictures_for_their_captions(tmp_path: Path) -> None:
    path = lines(tmp_path / "p.jsonl", {"image": "a.png", "captions": ["one", "two"]}, {"image": "b.png", "text": "b"})
    task = read_pairs([path], work=tmp_path / "work")
    assert asked(task) == {"one": {"a.png"}, "two": {"a.png"}, "b": {"b.png"}}
    by_picture = {case.image: set(case.relevant) for case in task.cases if case.image}
    assert by_picture == {tmp_path / "a.png": {"a.png:0", "a.png:1"}, tmp_path / "b.png": {"b.png:0"}}
    assert {case.group for case in task.cases if "a.png" in (*case.relevant, case.id)} == {"a.png"}
    rows = {one.row["id"]: one.row for one in task.documents}
    assert rows["a.png:1"] == {"id": "a.png:1", "text": "two"}
    assert len(rows) == 5


def test_rows_of_one_picture_are_one(tmp_path: Path) -> None:
    written = "image,caption\na.png,one\na.png,two\na.png,one\n"
    (tmp_path / "p.csv").write_text(written)
    task = read_pairs([tmp_path / "p.csv"], work=tmp_path / "work")
    assert asked(task) == {"one": {"a.png"}, "two": {"a.png"}}


def test_the_karpathy_json_with_its_image_folder(tmp_path: Path) -> None:
    images = [
        {"filename": "1.jpg", "split": "test", "sentences": [{"raw": "A dog ."}, {"raw": "A brown dog ."}]},
        {"filename": "2.jpg", "filepath": "val2014", "split": "test", "sentences": [{"raw": "A cat ."}]},
        {"filename": "3.jpg", "split": "train", "sentences": [{"raw": "A car ."}]},
    ]
    (tmp_path / "dataset.json").write_text(json.dumps({"dataset": "tiny", "images": images}))
    task = read_pairs(
        [tmp_path / "dataset.json"], work=tmp_path / "work", images=tmp_path / "photos", where="split = test"
    )
    assert asked(task) == {"A dog .": {"1.jpg"}, "A brown dog .": {"1.jpg"}, "A cat .": {"val2014/2.jpg"}}
    assert {case.image for case in task.cases if case.image} == {
        tmp_path / "photos" / "1.jpg",
        tmp_path / "photos" / "val2014" / "2.jpg",
    }


def shard(path: Path, members: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w") as tar:
        for name, data in members.items():
            told = tarfile.TarInfo(name)
            told.size = len(data)
            tar.addfile(told, io.BytesIO(data))
    return path


def test_webdataset_shards_are_unpacked_where_asked_and_nowhere_else(tmp_path: Path) -> None:
    one = shard(tmp_path / "0.tar", {"a/1.jpg": b"x", "a/1.txt": b"one", "../../2.png": b"y", "../../2.txt": b"two"})
    more = {"3.jpg": b"z", "3.json": b'{"caption": "three", "lang": "en"}', "4.jpg": b"-", "4.txt": b"\xff"}
    two = shard(tmp_path / "1.tar", more)
    task = read_pairs([one, two], work=tmp_path / "work")
    assert set(asked(task)) == {"one", "two", "three"}
    pictures = [case.image for case in task.cases if case.image]
    assert all(path.is_relative_to(tmp_path / "work") for path in pictures)
    assert sorted(path.read_bytes() for path in pictures) == [b"x", b"y", b"z"]
    assert [(one.source, one.reason) for one in task.left_out] == [("1.tar:4", "4.txt is not readable UTF-8 text")]


def test_other_keys_are_named(tmp_path: Path) -> None:
    path = lines(tmp_path / "p.jsonl", {"photo": "a.png", "alt": "one"})
    with pytest.raises(InputError, match=r"p.jsonl:1: the row names no picture .* --map"):
        read_pairs([path], work=tmp_path / "work")
    task = read_pairs([path], work=tmp_path / "work", mapping={"image": "photo", "caption": "alt"})
    assert asked(task) == {"one": {"a.png"}}
    with pytest.raises(InputError, match="--map knows image, caption"):
        read_pairs([path], work=tmp_path / "work", mapping={"title": "alt"})


def test_rows_that_are_no_pair_are_left_out_with_their_line(tmp_path: Path) -> None:
    path = lines(
        tmp_path / "p.jsonl",
        {"image": "a.png", "caption": "one"},
        "{broken",
        {"image": "b.png", "caption": " "},
        {"caption": "of nothing"},
    )
    task = read_pairs([path], work=tmp_path / "work")
    assert [one.source for one in task.left_out] == ["p.jsonl:2", "p.jsonl:3", "p.jsonl:4"]
    assert "has no caption" in task.left_out[1].reason


def test_names_with_spaces_are_ids_as_an_index_writes_them(tmp_path: Path) -> None:
    path = lines(tmp_path / "p.jsonl", {"image": " my  photo.png", "caption": "one"})
    task = read_pairs([path], work=tmp_path / "work")
    assert asked(task) == {"one": {"my photo.png"}}
    assert {case.image for case in task.cases if case.image} == {tmp_path / " my  photo.png"}


def test_equal_captions_are_told(tmp_path: Path) -> None:
    path = lines(tmp_path / "p.jsonl", *({"image": name, "caption": "a dog"} for name in ("a.png", "b.png")))
    assert "1 captions are equal" in read_pairs([path], work=tmp_path / "work").notes[1]


def test_filters_name_a_field_that_is_there_and_leave_something(tmp_path: Path) -> None:
    path = lines(tmp_path / "p.jsonl", {"image": "a.png", "caption": "one", "split": "dev"})
    with pytest.raises(InputError, match="split"):
        read_pairs([path], work=tmp_path / "work", where="spilt = dev")
    with pytest.raises(InputError, match="nothing passes"):
        read_pairs([path], work=tmp_path / "work", where="split = test")


def test_what_is_no_file_of_pairs(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        read_pairs([tmp_path / "none.jsonl"], work=tmp_path / "work")
    with pytest.raises(InputError, match="not a file of pairs"):
        read_pairs([tmp_path], work=tmp_path / "work")
    (tmp_path / "broken.tar").write_bytes(b"not a tar" * 100)
    with pytest.raises(InputError, match="not a readable tar"):
        read_pairs([tmp_path / "broken.tar"], work=tmp_path / "work")
    (tmp_path / "empty.jsonl").touch()
    with pytest.raises(InputError, match="no pair of a picture and a caption"):
        read_pairs([tmp_path / "empty.jsonl"], work=tmp_path / "work")
