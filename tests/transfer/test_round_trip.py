"""What goes out comes back the same: items, parts, vectors bit for bit, thumbnails, claims and search results."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from indexer.readers import MOST_ID
from sightline import media
from sightline.types import Item, Locator, Part, PartVectors, Space, Stored
from tests.indexer.grid import DIM
from tests.indexer.indexing import png
from tests.transfer.collections import contents, fill, opened, shop, unit

OTHER = Space("another", 5, "e" * 64)


def test_a_folder_goes_from_faiss_by_jsonl_to_qdrant_by_parquet_to_faiss(tmp_path: Path) -> None:
    source = shop(tmp_path / "shop")
    (source / "broken.png").write_bytes(b"no picture")
    with opened(tmp_path / "1") as first:
        first.add(source)
        before, seen, skipped = contents(first), list(first._ledger.register.sources()), first.skipped()
        assert len(skipped) == 1
        told = first.transfer.export(tmp_path / "a", format="jsonl")
        asked = [first.search(words, k=5) for words in ("note number 3", "日本語 passage")]
        asked.append(first.search(source / "2.png", k=3, target="image"))
    assert (told.items, told.parts, told.thumbnails) == (12, 12, 5)
    with opened(tmp_path / "2", "qdrant") as second:
        report = second.transfer.take_in(tmp_path / "a")
        assert (report.added, report.overwritten, report.parts, report.vectors) == (12, 0, 12, told.vectors)
        assert contents(second) == before
        second.transfer.export(tmp_path / "b", format="parquet")
    with opened(tmp_path / "3") as third:
        third.transfer.take_in(tmp_path / "b")
        assert contents(third) == before
        assert list(third._ledger.register.sources()) == seen
        assert third.skipped() == skipped
        again = [third.search(words, k=5) for words in ("note number 3", "日本語 passage")]
        again.append(third.search(source / "2.png", k=3, target="image"))
        assert [one.hits for one in again] == [one.hits for one in asked]
        embedded = len(third.plain_encoder.embedded)  # type: ignore[attr-defined]
        again_indexed = third.add(source)
        assert (again_indexed.unchanged, again_indexed.images) == (12, 0)
        assert len(third.plain_encoder.embedded) == embedded  # type: ignore[attr-defined]
        assert third._ledger.passport() is not None


def test_a_copy_of_the_folder_elsewhere_is_indexed_without_embedding(tmp_path: Path) -> None:
    source = shop(tmp_path / "shop")
    with opened(tmp_path / "1") as first:
        first.add(source)
        first.transfer.export(tmp_path / "a")
    source.rename(tmp_path / "moved")
    with opened(tmp_path / "2") as second:
        second.transfer.take_in(tmp_path / "a")
        embedded = len(second.plain_encoder.embedded)  # type: ignore[attr-defined]
        report = second.add(tmp_path / "moved")
        assert report.images == 0
        assert len(second.plain_encoder.embedded) == embedded  # type: ignore[attr-defined]
        assert second.info()["items"] == 12


TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30) | st.sampled_from(
    ["", "\n", "\r\n\t", "\u2028\u2029\x85", "\u202eabc", "e\u0301 é", "x" * 5000, '{"a": [1]}', "\ufeff", "x" * 70_000]
)
WORDS = TEXTS.filter(str.strip)  # of what is embedded
NAMES = TEXTS.filter(lambda text: 0 < len(text) <= 5000)
NOTES = TEXTS.filter(lambda text: len(text) <= 5000)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**62), 2**62) | st.just(-0.0)
SCALARS = st.one_of(TEXTS, st.booleans(), NUMBERS)
FIELDS = st.dictionaries(NAMES, SCALARS | st.lists(SCALARS, max_size=3).map(tuple), max_size=4)
SHARE = st.floats(0, 1)
LOCATORS = st.builds(
    Locator,
    page=st.none() | st.integers(1, 9999),
    box=st.none() | st.tuples(SHARE, SHARE, SHARE, SHARE),
    chars=st.none() | st.tuples(st.integers(0, 10**9), st.integers(0, 10**9)),
    time_s=st.none() | st.tuples(SHARE, SHARE),
    field=st.none() | TEXTS,
)


@st.composite
def an_item(draw: st.DrawFn, name: str) -> Stored:
    """An item of up to three parts, each with none to three vectors in none to two spaces."""
    parts, vectors = [], []
    for number in range(draw(st.integers(0, 3))):
        modality = draw(st.sampled_from(["image", "text", "fields"]))
        text = None if modality == "image" else draw(WORDS)
        digest = hashlib.sha256(f"{draw(st.integers(0, 4))}".encode()).hexdigest()
        made = Part(
            f"{name}#part-{number}", name, modality, digest, draw(st.none() | NOTES), text, draw(LOCATORS),
            draw(st.none() | NOTES),
        )  # fmt: skip
        parts.append(made)
        for space, dim in ((GRID, DIM), (OTHER, OTHER.dim)):
            if count := draw(st.integers(0, 3)):
                vectors.append(PartVectors(made.id, space, unit(count, dim, draw(st.integers(0, 99)))))
    return Stored(Item(name, draw(FIELDS), tuple(parts), draw(NOTES)), tuple(vectors))


GRID = Space("grid", DIM, "9" * 64)
ITEMS = st.lists(NAMES, unique=True, max_size=4).flatmap(lambda names: st.tuples(*map(an_item, names)).map(list))
MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # what is tested here is not the disk
JPEG = media.thumbnail(media.decode(png(1)))


def thumbnail(number: int) -> bytes:
    """One like no other: with a comment before its end."""
    return JPEG[:-2] + b"\xff\xfe\0\3" + bytes([number]) + JPEG[-2:]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(ITEMS)
def test_whatever_is_stored_comes_back_the_same(stored: list[Stored]) -> None:
    thumbnails = {hashlib.sha256(str(number).encode()).hexdigest(): thumbnail(number) for number in range(3)}
    with tempfile.TemporaryDirectory(dir=MEMORY) as name:
        folder = Path(name)
        with opened(folder / "1") as first:
            fill(first, stored, thumbnails)
            before = contents(first)
            first.transfer.export(folder / "a", format="jsonl")
        with opened(folder / "2", "qdrant::memory:") as second:
            second.transfer.take_in(folder / "a")
            assert contents(second) == before
            second.transfer.export(folder / "b", format="parquet")
        with opened(folder / "3") as third:
            third.transfer.take_in(folder / "b")
            assert contents(third) == before
            third.transfer.export(folder / "c", format="parquet")
            third.transfer.take_in(folder / "c")  # onto itself
            assert contents(third) == before


@pytest.mark.parametrize("format", ["parquet", "jsonl"])
def test_every_float_comes_back_bit_for_bit(tmp_path: Path, format: str) -> None:
    rows = unit(40, DIM, 3)
    rows[0, :4] = [-0.0, 1e-45, -1e-38, 3e-39]  # minus zero and numbers below the normal ones
    rows[0, 4:] /= np.linalg.norm(rows[0, 4:])
    rows[1] = -0.0
    rows[1, 5] = -1.0
    part = Part("a#image-0", "a", "image", "d" * 64)
    item = Item("a", {}, (part,), "x")
    with opened(tmp_path / "1") as first:
        fill(first, [Stored(item, (PartVectors(part.id, GRID, rows),))], {})
        first.transfer.export(tmp_path / "a", format=format)  # type: ignore[arg-type]
    with opened(tmp_path / "2") as second:
        second.transfer.take_in(tmp_path / "a")
        ((_, vectors, _, _),) = contents(second).values()
    assert vectors[part.id, GRID.fingerprint] == np.ascontiguousarray(rows, "<f4").tobytes()


@pytest.mark.parametrize("prefix", ["", "shop/"])
def test_whatever_id_is_taken_in_goes_through_an_export(tmp_path: Path, prefix: str) -> None:
    """One that is too long is refused with its row; of all others the same is there after an import."""
    longest = "y" * (MOST_ID - len(prefix))
    rows = [{"id": longest, "title": "a"}, {"id": longest + "y", "title": "b"}, {"id": longest, "title": "twice"}]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with opened(tmp_path / "old") as old:
        report = old.add(tmp_path / "rows.jsonl", prefix=prefix)
        assert report.added == 1
        assert [one.source.rpartition("/")[2] for one in report.skipped] == ["rows.jsonl:2", "rows.jsonl:3"]
        assert "its id has 32,001 characters, of which it may have 32,000" in report.skipped[0].reason
        old.transfer.export(tmp_path / "out")
        with opened(tmp_path / "new") as new:
            new.transfer.take_in(tmp_path / "out")
            assert contents(new) == contents(old)
            assert list(contents(new)) == [prefix + longest]
