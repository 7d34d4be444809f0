"""A stranger's catalog, end to end: 101 outdoor products with fields called what their shop calls them."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import pytest

from sightline import Sightline

MAPPING = {"id": "Id", "title": "Name", "text": "Description", "image": "images/{Id}.webp"}


@pytest.fixture(scope="module")
def catalog(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("outdoor")
    with tarfile.open(data / "outdoor_catalog.tar") as tar:
        tar.extractall(folder, filter="data")
    return folder / "catalog.json"


@pytest.fixture(scope="module")
def outdoor(catalog: Path, tmp_path_factory: pytest.TempPathFactory) -> Sightline:
    index = Sightline.open(tmp_path_factory.mktemp("index"))
    report = index.add(catalog, mapping=MAPPING)
    assert (report.added, report.skipped) == (101, ())
    return index


@pytest.fixture(scope="module")
def rows(catalog: Path) -> list[dict[str, object]]:
    return json.loads(catalog.read_text())  # type: ignore[no-any-return]


def test_every_product_keeps_its_fields_and_its_picture(outdoor: Sightline, rows: list[dict[str, object]]) -> None:
    for row in rows:
        item = outdoor.get(str(row["Id"]))
        assert item.fields["Price"] == row["Price"]
        assert item.title == row["Name"]
        assert {part.modality for part in item.parts} == {"image", "text", "fields"}


@pytest.mark.parametrize(
    ("query", "where", "words", "least"),
    [
        ("waterproof hiking boots", None, ("boots", "hiking shoes"), 5),
        ("something to sleep in outdoors", None, (" tent", "sleeping bag"), 2),
        ("warm jacket", "price<180", ("jacket",), 5),
    ],
)
def test_the_right_products_come_first(
    outdoor: Sightline, query: str, where: str | None, words: tuple[str, ...], least: int
) -> None:
    hits = outdoor.search(query, where=where, k=5)
    texts = [" ".join(str(p.text) for p in hit.item.parts if p.text).lower() for hit in hits]
    right = [any(word in text for word in words) for text in texts]
    assert right[0]
    assert sum(right) >= least
    if where:
        assert all(float(hit.item.fields["Price"]) < 180 for hit in hits)  # type: ignore[arg-type]


def test_a_picture_finds_its_product_among_pictures_only(outdoor: Sightline, catalog: Path) -> None:
    for number in (1, 20, 50, 101):
        hits = outdoor.search(catalog.parent / "images" / f"{number}.webp", k=3)
        assert hits[0].id == str(number)


def test_every_price_is_answered_and_cited(outdoor: Sightline, rows: list[dict[str, object]]) -> None:
    wrong = []
    for row in rows:
        answer = outdoor.ask(f"How much does the {row['Name']} cost?")
        opened = {outdoor.get(citation.item_id).id for citation in answer.citations}  # a few products share a name
        if str(row["Price"]) not in answer.text or str(row["Id"]) not in opened:
            wrong.append((row["Name"], answer.text))
    assert not wrong


@pytest.mark.parametrize(
    "question",
    [
        "How much does the Zephyr canoe cost?",
        "What is the Nimbus espresso machine made of?",
        "What is the warranty of the Summit Pro Harness?",
        "What is the voltage of the Alpine Fusion Goggles?",
    ],
)
def test_what_is_not_there_is_not_invented(outdoor: Sightline, question: str) -> None:
    answer = outdoor.ask(question)
    assert answer.abstained
    assert not answer.citations


def test_what_it_is_made_of(outdoor: Sightline) -> None:
    answer = outdoor.ask("What are the Wanderer Black Hiking Boots made of?")
    assert "leather" in answer.text
    assert answer.citations[0].item_id == "1"
    quoted = answer.citations[0]
    assert quoted.quote
    source = next(p for p in outdoor.get("1").parts if p.id == quoted.part.id)
    assert quoted.quote in str(source.text)
