"""Adding: what ends up in the store, in the ledger and in the report, and what cannot be read."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from indexer import IndexOptions
from sightline import media
from sightline.decoding import Limits
from sightline.errors import InputError
from sightline.types import AddReport, Content, Item, Locator, PartVectors, Progress, Skipped, Vectors
from tests.indexer.indexing import Collection, counts, png, write_rows


def reasons(report: AddReport) -> dict[str, str]:
    return {Path(one.source).name: one.reason for one in report.skipped}


# -- what an item is made of -------------------------------------------------------------------------------------------


def test_a_row_becomes_an_item_with_all_its_parts(collection: Collection, tmp_path: Path) -> None:
    (tmp_path / "front.png").write_bytes(png(1))
    inline = "data:image/png;base64," + base64.b64encode(png(2)).decode()
    row = {"id": "mug", "title": "Blue mug", "text": "A mug for tea.", "images": ["front.png", inline]}
    catalog = write_rows(tmp_path / "c.jsonl", {**row, "price": 9.5, "tags": ["a", "b"]})
    assert counts(collection.add(catalog)) == (1, 0, 0, 0, 0)
    (item,) = collection.store.get(["mug"])
    assert item.fields == {"title": "Blue mug", "price": 9.5, "tags": ("a", "b")}
    assert [(part.id, part.modality) for part in item.parts] == [
        ("mug#image-0", "image"),
        ("mug#image-1", "image"),
        ("mug#title", "text"),
        ("mug#text-0", "text"),
        ("mug#fields", "fields"),
    ]
    front, second, title, text, fields = item.parts
    assert (front.uri, second.uri, text.uri) == (str(tmp_path / "front.png"), None, str(catalog))
    assert (title.text, title.locator) == ("Blue mug", Locator(field="title"))
    assert (text.text, text.locator) == ("A mug for tea.", Locator(chars=(0, 14)))
    assert fields.text == "title: Blue mug\nprice: 9.5\ntags: a, b"
    thumbnail = collection.ledger.thumbnail(front.digest)
    assert thumbnail is not None
    assert media.decode(thumbnail).shape == (16, 24, 3)


def test_the_vectors_stored_are_those_of_the_contents(collection: Collection, photos: Path) -> None:
    collection.add(photos, batch_size=2)
    for number in range(5):
        name = f"sub/{number}.png" if number > 2 else f"{number}.png"
        vectors = collection.encoder.encode_queries([(media.decode(png(number)),)])
        (hits,) = collection.store.search(collection.encoder.space, vectors, 1)
        assert hits[0].part_id == f"{name}#image-0"
        assert hits[0].score == pytest.approx(1, abs=1e-5)


def test_documents_are_told_by_content(collection: Collection, tmp_path: Path) -> None:
    folder = tmp_path / "mixed"
    folder.mkdir()
    (folder / "guide.md").write_text("# Wool care\n\nWash cold.\n\n## Drying\n\nDry flat.\n")
    (folder / "note.txt").write_bytes("﻿Übergrößen gibt es nicht.".encode())
    (folder / "lies.heic").write_bytes(png(1))
    (folder / "picture.txt").write_bytes(png(2))
    (folder / "words.jpg").write_text("not a picture")
    (folder / "latin.txt").write_bytes("Größe".encode("latin-1"))
    (folder / "empty.txt").write_text("")
    (folder / "blank.md").write_text(" \n")
    (folder / "rule.txt").write_text("-----")
    report = collection.add(folder)
    assert report.added == 4
    assert reasons(report) == {
        "words.jpg": "not a picture in a format that is read",
        "latin.txt": "the text is not UTF-8",
        "empty.txt": "the file is empty",
        "blank.md": "the text is empty",
        "rule.txt": "there are no words in it",
    }
    guide, note = collection.store.get(["guide.md", "note.txt"])
    assert guide.title == "Wool care"
    text = (folder / "guide.md").read_text()
    passages = [part for part in guide.parts if part.locator.chars]
    assert [text[slice(*part.locator.chars)] for part in passages if part.locator.chars] == [p.text for p in passages]
    assert [p.text.splitlines()[0] for p in passages if p.text] == ["# Wool care", "## Drying"]
    assert note.fields == {}
    assert [part.id for part in note.parts] == ["note.txt#text-0"]
    for name in ("lies.heic", "picture.txt"):
        assert [part.modality for part in collection.store.get([name])[0].parts] == ["image"]


def test_a_catalog_is_read_with_a_mapping(collection: Collection, tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "7.png").write_bytes(png(7))
    (tmp_path / "c.json").write_text(json.dumps([{"Id": 7, "Name": "Tent", "Description": "Dry.", "Price": 99}]))
    mapping = {"id": "Id", "title": "Name", "text": "Description", "image": "images/{Id}.png"}
    assert counts(collection.add(tmp_path / "c.json", mapping=mapping)) == (1, 0, 0, 0, 0)
    (item,) = collection.store.get(["7"])
    assert item.fields == {"title": "Tent", "Price": 99}
    assert len(item.parts) == 4


# -- what cannot be read -----------------------------------------------------------------------------------------------


def test_broken_parts_are_rows_of_the_report_and_the_rest_is_added(collection: Collection, tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(png(1)[:60])
    (tmp_path / "good.png").write_bytes(png(2))
    catalog = write_rows(
        tmp_path / "c.jsonl",
        {"id": "a", "title": "A", "images": ["good.png", "bad.png", "none.png", "http://8.8.8.8/x.png"]},
        {"title": "no id"},
        {"id": "b", "image": "none.png"},
        {"id": "c", "image": "good.png\0"},
    )
    report = collection.add(catalog)
    assert (report.added, report.images) == (2, 1)
    assert {one.source: one.reason for one in report.skipped} == {
        "c.jsonl:1 bad.png": "the picture is cut short",
        "c.jsonl:1 none.png": "there is no such file",
        "c.jsonl:1 http://8.8.8.8/x.png": "URLs are not fetched; allow it with --allow-urls",
        "c.jsonl:2": "the row has no 'id' (its keys: title); --map id=KEY names another",
        "c.jsonl:3 none.png": "there is no such file",
    }
    assert [part.id for part in collection.store.get(["a"])[0].parts] == ["a#image-0", "a#title", "a#fields"]
    assert sorted(collection.ledger.skipped(), key=str) == sorted(report.skipped, key=str)


def test_skips_are_told_again_until_mended(collection: Collection, tmp_path: Path) -> None:
    catalog = write_rows(tmp_path / "c.jsonl", {"id": "a", "title": "A", "image": "late.png"})
    assert counts(collection.add(catalog)) == (1, 0, 0, 0, 1)
    assert counts(collection.add(catalog)) == (0, 0, 1, 0, 1)
    (tmp_path / "late.png").write_bytes(png(1))
    assert counts(collection.add(catalog)) == (0, 1, 0, 0, 0)
    assert collection.ledger.skipped() == []


@pytest.mark.network
def test_urls_to_this_machine_are_refused_even_when_urls_are_allowed(collection: Collection) -> None:
    row = {"id": "a", "title": "A", "images": ["http://127.0.0.1:1/x.png", "ftp://8.8.8.8/x.png"]}
    report = collection.add(row, allow_urls=True)
    assert [one.reason for one in report.skipped] == [
        "the host 127.0.0.1 is not a public address",
        "only http and https URLs are fetched",
    ]


def test_too_large_a_picture_is_skipped_by_the_callers_cap(collection: Collection, photos: Path) -> None:
    report = collection.add(photos, limits=Limits(pixels=300))
    assert counts(report) == (0, 0, 0, 0, 5)
    assert "24 x 16" in report.skipped[0].reason
    assert collection.add(photos).added == 5


@pytest.mark.parametrize("files", [{}, {"a.bin": b"\0"}, {".hidden.png": b"x"}])
def test_a_folder_with_nothing_usable_is_the_callers_mistake(
    collection: Collection, tmp_path: Path, files: dict[str, bytes]
) -> None:
    folder = tmp_path / "f"
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    with pytest.raises(InputError, match="no picture and no text file"):
        collection.add(folder, prune=True)
    assert collection.ledger.skipped() == []


def test_an_empty_catalog_is_a_row_of_the_report(collection: Collection, tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text("")
    assert collection.add(tmp_path / "c.csv").skipped == (Skipped("c.csv", "the file is empty"),)
    (tmp_path / "c.csv").write_text("id,title\n")
    assert counts(collection.add(tmp_path / "c.csv")) == (0, 0, 0, 0, 0)
    assert collection.ledger.skipped() == []


# -- batches and progress ----------------------------------------------------------------------------------------------


def test_batches_are_bounded_and_cross_items(
    collection: Collection, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[tuple[int, int]] = []
    upsert, encode = collection.store.upsert, collection.encoder.encode_documents
    asked: list[int] = []

    def counted_upsert(items: Sequence[Item], vectors: Sequence[PartVectors]) -> None:
        sizes.append((len(items), len(vectors)))
        upsert(items, vectors)

    def counted_encode(contents: Sequence[Content]) -> Vectors:
        asked.append(len(contents))
        return encode(contents)

    monkeypatch.setattr(collection.store, "upsert", counted_upsert)
    monkeypatch.setattr(collection.encoder, "encode_documents", counted_encode)
    (photos / "long.txt").write_text("Every sentence says something of its own kind here. " * 200)
    collection.add(photos, batch_size=3)
    assert max(asked) <= 3
    assert sizes[0] == (3, 3)
    assert sum(items for items, _ in sizes) == 6


def test_progress_comes_steadily_and_ends_complete(
    collection: Collection, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("indexer.pipeline.PROGRESS_S", 0.0)
    (photos / "bad.png").write_bytes(b"bad")
    told: list[Progress] = []
    collection.add(photos, batch_size=2, progress=told.append)
    assert [one.done for one in told] == sorted(one.done for one in told)
    assert {one.total for one in told if one.done} == {6}
    assert told[0].total is None
    assert (told[-1].done, told[-1].skipped, told[-1].images) == (6, 1, 5)


def test_options_have_the_names_the_engine_uses() -> None:
    options = IndexOptions(prefix="", prune=False, mapping={}, allow_urls=False, batch_size=32, limits=Limits(pixels=1))
    assert options.batch_size == 32
