"""What a migration refuses, waits for and leaves to be mended: beside other writers, to an encoder that changed."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from indexer.migration import Reembedding
from sightline import Sightline, admission, lock, places
from sightline.encoders.onnx import OnnxEncoder
from sightline.errors import PassportMismatch, UnsupportedModality
from sightline.lock import locked
from sightline.types import Part, PartVectors, Progress
from tests.indexer.grid import GridEncoder


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A folder of two pictures and a text."""
    folder = tmp_path / "shop"
    folder.mkdir()
    for name, colour in {"red": (200, 20, 20), "blue": (20, 40, 200)}.items():
        Image.new("RGB", (90, 60), colour).save(folder / f"{name}.png")
    (folder / "note.txt").write_text("Everything here is painted by hand.")
    return folder


@pytest.fixture(params=["faiss", "qdrant"])
def index(request: pytest.FixtureRequest, tmp_path: Path, shop: Path) -> Path:
    """An index of the shop, built by the starter."""
    with Sightline.open(tmp_path / "index", store=request.param) as opened:
        opened.add(shop)
    return tmp_path / "index"


@pytest.fixture
def words(monkeypatch: pytest.MonkeyPatch) -> str:
    """The spec of an encoder of texts alone."""
    encoder, opened = GridEncoder(frozenset({"text"})), admission.opened
    monkeypatch.setattr(admission, "opened", lambda spec, threads: encoder if spec == "grid" else opened(spec, threads))
    return "grid"


@pytest.fixture
def shouting() -> Iterator[pytest.MonkeyPatch]:
    """Call `shout`: from then on the encoder reads texts backwards, as if a library had changed."""
    with pytest.MonkeyPatch.context() as patch:
        yield patch
    _forget()


def _shout(patch: pytest.MonkeyPatch) -> None:
    def backwards(self: Any, texts: list[str]) -> Any:
        ids = [encoding.ids[::-1] for encoding in self._tokenizer.encode_batch(list(texts))]
        return np.concatenate([self._text_batch([one]) for one in ids])

    patch.setattr(OnnxEncoder, "_texts", backwards)
    _forget()


def _forget() -> None:
    """As in a new process."""
    admission.opened.cache_clear()
    admission.probed.cache_clear()


def _vectors(opened: Sightline) -> dict[str, np.ndarray]:
    items = [opened.get(name) for name in ("red.png", "blue.png", "note.txt")]
    return opened.known([part.digest for item in items for part in item.parts])


# -- to an encoder that embeds less


def test_pictures_do_not_lose_their_vectors_to_an_encoder_of_texts(index: Path, shop: Path, words: str) -> None:
    with Sightline.open(index) as opened:
        before = opened.info()
        with pytest.raises(UnsupportedModality, match="'grid' embeds no pictures: 2 of them would lose their vectors"):
            opened.migrate(words)
        assert opened.info() | {"bytes_disk": 0} == before | {"bytes_disk": 0}
        assert opened.search(shop / "red.png", target="image", k=1)[0].item.id == "red.png"


def test_texts_alone_go_to_an_encoder_of_texts(tmp_path: Path, shop: Path, words: str) -> None:
    with Sightline.open(tmp_path / "index") as opened:
        opened.add(shop / "note.txt")
        assert opened.migrate(words).texts == 1
        assert opened.info()["encoder"] == words


# -- to the same encoder


def test_an_encoder_that_changed_under_its_name_is_migrated_to_and_back(
    tmp_path: Path, index: Path, shop: Path, shouting: pytest.MonkeyPatch
) -> None:
    with Sightline.open(index) as opened:
        first = _vectors(opened)
    _shout(shouting)
    with Sightline.open(index) as opened:
        with pytest.raises(PassportMismatch, match=r"the same vectors.*sightline migrate --encoder starter"):
            opened.search("painted")
        report = opened.migrate("starter")
        assert (report.before, report.after, report.pictures, report.texts) == ("starter", "starter", 2, 1)
        assert opened.search("painted by hand", channels=["dense"], k=1)[0].item.id == "note.txt"
        assert opened.add(shop).unchanged == 3
        assert opened.migrate("starter").texts == 0  # it is that encoder's now
        now = _vectors(opened)
    with Sightline.open(tmp_path / "anew") as anew:
        anew.add(shop)
        expected = _vectors(anew)
    for digest, rows in now.items():
        np.testing.assert_allclose(rows, expected[digest], atol=1e-5)
    _forget()
    with Sightline.open(index) as opened:  # in another process, too
        assert opened.search("painted by hand", channels=["dense"], k=1)[0].item.id == "note.txt"
    shouting.undo()
    _forget()
    with Sightline.open(index) as opened:
        with pytest.raises(PassportMismatch, match="the same vectors"):
            opened.search("painted")
        assert opened.migrate("starter").texts == 1
        for digest, rows in _vectors(opened).items():
            np.testing.assert_allclose(rows, first[digest], atol=1e-5)
        assert opened.info()["vectors"] == 3


def test_what_such_an_index_exports_is_taken_in_elsewhere(
    tmp_path: Path, shop: Path, shouting: pytest.MonkeyPatch
) -> None:
    with Sightline.open(tmp_path / "index") as opened:
        opened.add(shop)
        _shout(shouting)
        opened.migrate("starter")
        opened.transfer.export(tmp_path / "out")
    with Sightline.open(tmp_path / "index", collection="other") as other:
        assert other.transfer.take_in(tmp_path / "out").vectors == 3
        assert other.search("painted by hand", channels=["dense"], k=1)[0].item.id == "note.txt"


# -- beside others


def test_it_waits_for_another_writer_however_long_and_says_for_whom(
    index: Path, other: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock, "LOCK_WAIT_S", 0.05)
    holds, let_go, told = threading.Event(), threading.Event(), set[str]()

    def write(folder: Path) -> None:
        with locked(folder / places.LOCK):
            holds.set()
            let_go.wait(30)

    def listen(progress: Progress) -> None:
        if progress.waiting_for:
            told.add(progress.waiting_for)
            let_go.set()

    with Sightline.open(index) as opened:
        writer = threading.Thread(target=write, args=(opened.folder,))
        writer.start()
        holds.wait(30)
        assert opened.migrate(other, progress=listen).pictures == 2
        writer.join()
        assert opened.info()["encoder"] == other
    assert len(told) == 1
    assert told.pop().isdigit()


@pytest.mark.parametrize("index", ["faiss"], indirect=True)  # which two can have open at once
def test_who_migrates_to_the_encoder_on_record_does_not_undo_half_of_anothers_migration(
    index: Path, shop: Path, other: str
) -> None:
    with Sightline.open(index) as one, Sightline.open(index) as two:
        between: list[str] = []

        def migrated(_: Progress) -> None:
            if not between:
                between.append(two.migrate(other).after)

        one.migrate("starter", progress=migrated)
        assert between == [other]
        for opened in (one, two):
            assert opened.info()["encoder"] == "starter"
            assert opened.info()["vectors"] == 3
            assert opened.search(shop / "red.png", target="image", k=1)[0].item.id == "red.png"


@pytest.mark.parametrize("look", range(1, 6))
@pytest.mark.parametrize("index", ["faiss"], indirect=True)  # which two can have open at once
def test_who_asks_for_the_encoder_while_it_changes_is_not_refused(
    index: Path, shop: Path, other: str, monkeypatch: pytest.MonkeyPatch, look: int
) -> None:
    with Sightline.open(index) as writer, Sightline.open(index) as reader:
        reader.search("painted")
        looks, built_by = [0], reader._ledger.built_by

        def between() -> str:
            looks[0] += 1
            if looks[0] == look:
                writer.migrate(other)
            return built_by()

        monkeypatch.setattr(reader._ledger, "built_by", between)
        assert reader.search(shop / "red.png", target="image", k=1)[0].item.id == "red.png"
        assert reader.plain_encoder.space.name == (other if looks[0] >= look else "starter")


def test_threads_of_the_process_that_migrates_are_not_refused_either(
    tmp_path: Path, shop: Path, other: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Sightline.open(tmp_path / "index", encoder="starter") as opened:
        opened.add(shop)
        migrated, found = opened._ledger.migrate, list[str]()

        def asked_at_once(passport: Any) -> None:
            migrated(passport)
            found.append(opened.search(shop / "red.png", target="image", k=1)[0].item.id)

        monkeypatch.setattr(opened._ledger, "migrate", asked_at_once)
        opened.migrate(other)
        assert found == ["red.png"]


# -- what it could not embed


def test_what_it_lost_is_mended_by_the_next_add(tmp_path: Path, shop: Path, other: str) -> None:
    with Sightline.open(tmp_path / "index") as opened:
        opened.add(shop)
        with opened._ledger._writing() as db:
            db.execute("DELETE FROM thumbnails")
        shutil.move(shop / "red.png", tmp_path / "red.png")
        assert [one.source for one in opened.migrate(other).lost] == ["red.png#image-0"]
        shutil.move(tmp_path / "red.png", shop / "red.png")
        report = opened.add(shop)
        assert (report.updated, report.unchanged) == (1, 2)
        assert opened.search(shop / "red.png", target="image", k=1)[0].item.id == "red.png"
        assert opened.add(shop).unchanged == 3


# -- where it takes pictures from


def test_what_is_written_anew_while_it_is_embedded_gets_no_vector_of_what_it_was(
    tmp_path: Path, index: Path, shop: Path, other: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    embedded = Reembedding._embedded

    def beside(self: Reembedding, parts: Sequence[Part]) -> list[PartVectors]:
        found = embedded(self, parts)
        monkeypatch.setattr(Reembedding, "_embedded", embedded)
        Image.new("RGB", (90, 60), (20, 200, 20)).save(shop / "red.png")
        (shop / "note.txt").write_text("Now everything here is printed.")
        assert opened.add(shop).updated == 2
        return found

    with Sightline.open(index) as opened:
        monkeypatch.setattr(Reembedding, "_embedded", beside)
        opened.migrate(other)
        moved = _vectors(opened)
    with Sightline.open(tmp_path / "anew", encoder=other) as anew:
        anew.add(shop)
        for part, vector in _vectors(anew).items():
            assert float(np.sum(vector * moved[part])) > 0.999, part


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_pictures_of_an_archive_come_from_the_archive(tmp_path: Path, other: str, kind: str) -> None:
    folder = tmp_path / "pictures!" / "fine"  # with "!/" in its path, as between an archive and its member
    folder.mkdir(parents=True)
    noise = np.random.default_rng(3)
    for number in range(3):
        Image.fromarray(noise.integers(0, 255, (500, 700, 3), dtype=np.uint8)).save(folder / f"{number}.png")
    archive = Path(shutil.make_archive(str(tmp_path / "pictures!" / "shop"), kind, tmp_path / "pictures!", "fine"))
    with Sightline.open(tmp_path / "index") as opened:
        opened.add(archive)
        report = opened.migrate(other)
        assert (report.pictures, report.from_thumbnails, report.reasons) == (3, 0, {})
        items = [opened.get(f"fine/{number}.png") for number in range(3)]
        vectors = opened.known([item.parts[0].digest for item in items])
    with Sightline.open(tmp_path / "anew", encoder=other) as anew:
        anew.add(archive)
        for digest, rows in anew.known(list(vectors)).items():
            np.testing.assert_allclose(vectors[digest], rows, atol=1e-5)


def test_why_a_picture_came_from_its_thumbnail_is_told_truly(tmp_path: Path, shop: Path, other: str) -> None:
    archive = Path(shutil.make_archive(str(tmp_path / "shop"), "zip", shop))
    for name in ("gone", "changed"):
        Image.new("RGB", (50, 50), (len(name), 100, 0)).save(tmp_path / f"{name}.png")
    with Sightline.open(tmp_path / "index") as opened:
        opened.add(archive, tmp_path / "gone.png", tmp_path / "changed.png")
        archive.write_bytes(archive.read_bytes()[:100])
        (tmp_path / "gone.png").unlink()
        Image.new("RGB", (50, 50), "white").save(tmp_path / "changed.png")
        report = opened.migrate(other)
    assert (report.pictures, report.from_thumbnails) == (4, 4)
    reasons = {"it is no longer in its archive": 2, "there is no such file": 1, "the file is another one by now": 1}
    assert report.reasons == reasons
