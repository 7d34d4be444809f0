"""Adding again, changing, removing, failing, going on: nothing is embedded twice, nothing acknowledged is lost."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from sightline import media
from sightline.errors import EngineError, InputError
from sightline.types import Content, Vectors
from tests.indexer.grid import GridEncoder
from tests.indexer.indexing import Collection, counts, png, write_rows

# -- again -------------------------------------------------------------------------------------------------------------


def test_a_second_run_embeds_and_opens_nothing(
    collection: Collection, photos: Path, settled: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    settled()
    first = collection.add(photos)
    assert (counts(first), first.images, collection.embedded) == ((5, 0, 0, 0, 0), 5, 5)

    def never(*_: object, **__: object) -> None:
        raise AssertionError("an unchanged file was opened")

    monkeypatch.setattr("sightline.files.read", never)
    second = collection.add(photos)
    assert (counts(second), second.images, collection.embedded) == ((0, 0, 5, 0, 0), 0, 5)


def test_a_file_too_young_to_trust_its_time_is_read_but_not_embedded(collection: Collection, photos: Path) -> None:
    collection.add(photos)
    status = (photos / "0.png").stat()
    other = png(9)
    (photos / "0.png").write_bytes(other + b"\0" * (status.st_size - len(other)))
    os.utime(photos / "0.png", ns=(status.st_mtime_ns, status.st_mtime_ns))
    assert counts(collection.add(photos)) == (0, 1, 4, 0, 0)


def test_a_touched_file_is_unchanged_and_a_changed_one_updated(
    collection: Collection, photos: Path, settled: Callable[[], None]
) -> None:
    settled()
    collection.add(photos)
    os.utime(photos / "0.png", ns=(1, 1))
    (photos / "1.png").write_bytes(png(77))
    report = collection.add(photos)
    assert (counts(report), report.images) == ((0, 1, 4, 0, 0), 1)
    assert collection.store.stats().parts == 5
    assert counts(collection.add(photos)) == (0, 0, 5, 0, 0)


def test_files_of_one_size_and_time_that_swap_names_are_noticed(
    collection: Collection, photos: Path, settled: Callable[[], None]
) -> None:
    settled()
    most = max(path.stat().st_size for path in photos.rglob("*.png"))
    for path in photos.rglob("*.png"):
        path.write_bytes(path.read_bytes().ljust(most, b"\0"))
        os.utime(path, ns=(1, 1))
    collection.add(photos)
    (photos / "0.png").rename(photos / "swap")
    (photos / "1.png").rename(photos / "0.png")
    (photos / "swap").rename(photos / "1.png")
    report = collection.add(photos)
    assert (counts(report), report.images) == ((0, 2, 3, 0, 0), 0)
    (zero,) = collection.store.get(["0.png"])
    assert zero.parts[0].digest == hashlib.sha256((photos / "0.png").read_bytes()).hexdigest()


def test_a_file_rewritten_with_its_time_put_back_is_noticed(
    collection: Collection, photos: Path, settled: Callable[[], None]
) -> None:
    settled()
    data = (photos / "0.png").read_bytes()
    (photos / "0.png").write_bytes(data + bytes(200))
    os.utime(photos / "0.png", ns=(1, 1))
    collection.add(photos)
    (photos / "0.png").write_bytes((other := png(9)) + bytes(len(data) + 200 - len(other)))
    os.utime(photos / "0.png", ns=(1, 1))
    assert counts(collection.add(photos)) == (0, 1, 4, 0, 0)


def test_changing_only_fields_embeds_nothing(collection: Collection, tmp_path: Path, photos: Path) -> None:
    row = {"id": "a", "title": "Mug", "text": "For tea.", "image": "photos/0.png", "price": 1}
    catalog = write_rows(tmp_path / "c.jsonl", row)
    collection.add(catalog)
    before = collection.embedded
    report = collection.add(write_rows(catalog, {**row, "price": 2, "new": "x"}))
    assert (counts(report), collection.embedded) == ((0, 1, 0, 0, 0), before)
    assert collection.store.get(["a"])[0].fields["price"] == 2
    vectors = collection.encoder.encode_queries([(media.decode(png(0)),)])
    assert collection.store.search(collection.encoder.space, vectors, 1)[0][0].score == pytest.approx(1, abs=1e-5)


def test_equal_bytes_are_embedded_once_and_stay_separate_items(collection: Collection, photos: Path) -> None:
    for number in range(40):
        (photos / f"copy{number}.png").write_bytes(png(0))
    report = collection.add(photos, batch_size=4)
    assert (report.added, report.images, collection.embedded) == (45, 5, 5)
    assert collection.store.stats().vectors == 45
    (photos / "later.png").write_bytes(png(0))
    assert (collection.add(photos).added, collection.embedded) == (1, 5)


def test_a_moved_file_is_not_embedded_again(collection: Collection, photos: Path) -> None:
    collection.add(photos)
    (photos / "0.png").rename(photos / "moved.png")
    report = collection.add(photos)
    assert (counts(report), report.moved, report.images) == ((0, 0, 4, 0, 0), 1, 0)
    assert collection.store.get(["0.png"]) == []
    assert collection.ledger.thumbnail(collection.store.get(["moved.png"])[0].parts[0].digest)


def test_pictures_that_change_places_are_decoded_again_where_they_were_known(
    collection: Collection, tmp_path: Path, photos: Path
) -> None:
    names = ["0", "1", "2", "sub/3", "sub/4"]

    def catalog(shift: int) -> Path:
        images = [f"photos/{name}.png" for name in [*names[shift:], *names[:shift]]]
        return write_rows(tmp_path / "c.jsonl", *({"id": f"i{n}", "image": image} for n, image in enumerate(images)))

    collection.add(catalog(0))
    report = collection.add(catalog(2), batch_size=2)  # what a batch replaces, a later one shows
    assert counts(report) == (0, 5, 0, 0, 0)
    for number in range(5):
        (item,) = collection.store.get([f"i{number}"])
        assert collection.ledger.thumbnail(item.parts[0].digest)
    assert collection.store.stats().vectors == 5


# -- two sources, pruning, deleting ------------------------------------------------------------------------------------


def test_prune_removes_what_is_gone_from_this_source_only(collection: Collection, photos: Path, tmp_path: Path) -> None:
    other = write_rows(tmp_path / "c.jsonl", {"id": "x", "title": "X"})
    collection.add(photos, other, {"id": "row", "title": "Row"})
    (photos / "0.png").unlink()
    assert counts(collection.add(photos)) == (0, 0, 4, 0, 0)
    assert counts(collection.add(photos, prune=True)) == (0, 0, 4, 1, 0)
    assert [item.id for item in collection.store.get(["0.png", "1.png", "x", "row"])] == ["1.png", "x", "row"]


def test_nothing_is_pruned_while_part_of_the_source_cannot_be_read(collection: Collection, tmp_path: Path) -> None:
    catalog = write_rows(tmp_path / "c.jsonl", {"id": "a", "title": "A"}, {"id": "b", "title": "B"})
    collection.add(catalog)
    catalog.write_text('{"id": "a", "title": "A"}\n{"id": "b", "title": "B"\n')
    report = collection.add(catalog, prune=True)
    assert counts(report) == (0, 0, 1, 0, 2)
    assert "nothing was pruned: what could not be read (c.jsonl:2) may be the 1 it no longer has" in (
        report.skipped[-1].reason
    )
    catalog.write_text('{"id": "a", "title": "A"}\n')
    assert counts(collection.add(catalog, prune=True)) == (0, 0, 1, 1, 0)


@pytest.mark.parametrize("prefix", ["", "shop/"])
def test_a_row_that_cannot_be_read_but_for_its_id_does_not_keep_others_from_being_pruned(
    collection: Collection, tmp_path: Path, prefix: str
) -> None:
    rows = [{"id": name, "title": name.upper()} for name in "abc"]
    catalog = write_rows(tmp_path / "c.jsonl", *rows)
    collection.add(catalog, prefix=prefix)
    write_rows(catalog, rows[0], {"id": "b"})  # of b there is nothing else; c is gone
    report = collection.add(catalog, prefix=prefix, prune=True)
    assert counts(report) == (0, 0, 1, 1, 1)
    there = [item.id for item in collection.store.get([prefix + name for name in "abc"])]
    assert there == [f"{prefix}a", f"{prefix}b"]


def test_an_id_of_another_source_in_a_row_that_cannot_be_read_is_nobodys_claim(
    collection: Collection, tmp_path: Path
) -> None:
    collection.add(write_rows(tmp_path / "one.jsonl", {"id": "a", "title": "A"}))
    report = collection.add(write_rows(tmp_path / "two.jsonl", {"id": "a"}, {"id": "b", "title": "B"}), prune=True)
    assert counts(report) == (1, 0, 0, 0, 1)
    assert len(collection.store.get(["a", "b"])) == 2


def test_many_places_that_cannot_be_read_are_named_as_far_as_that_helps(collection: Collection, tmp_path: Path) -> None:
    catalog = write_rows(tmp_path / "c.jsonl", {"id": "a", "title": "A"}, {"id": "b", "title": "B"})
    collection.add(catalog)
    catalog.write_text('{"id": "a", "title": "A"}\n' + "{broken\n" * 9)
    told = collection.add(catalog, prune=True).skipped[-1].reason
    assert "(c.jsonl:2, c.jsonl:3, c.jsonl:4, c.jsonl:5, c.jsonl:6 and 4 more)" in told


def test_a_second_source_may_not_take_an_id(collection: Collection, photos: Path, tmp_path: Path) -> None:
    collection.add(photos)
    other = tmp_path / "other"
    other.mkdir()
    (other / "0.png").write_bytes(png(50))
    (other / "new.png").write_bytes(png(51))
    with pytest.raises(InputError, match=r"'0\.png'.*photos.*--prefix"):
        collection.add(other)
    assert collection.store.get(["new.png"]) == []
    assert counts(collection.add(other, prefix="other/")) == (2, 0, 0, 0, 0)
    assert counts(collection.add(photos, prune=True)) == (0, 0, 5, 0, 0)
    assert len(collection.store.get(["0.png", "other/0.png"])) == 2


def test_two_sources_of_one_call_may_not_share_an_id_either(
    collection: Collection, photos: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="--prefix"):
        collection.add(photos, write_rows(tmp_path / "c.jsonl", {"id": "0.png", "title": "x"}))
    assert collection.store.stats().items == 0


def test_a_row_handed_in_updates_the_item_it_names(collection: Collection, tmp_path: Path) -> None:
    catalog = write_rows(tmp_path / "c.jsonl", {"id": "a", "title": "A", "price": 1}, {"id": "b", "title": "B"})
    collection.add(catalog)
    assert counts(collection.add({"id": "a", "title": "A", "price": 2})) == (0, 1, 0, 0, 0)
    assert collection.store.get(["a"])[0].fields["price"] == 2
    assert counts(collection.add({"id": "a", "title": "A", "price": 2})) == (0, 0, 1, 0, 0)
    assert counts(collection.add(catalog, prune=True)) == (0, 1, 1, 0, 0)
    assert collection.store.get(["a"])[0].fields["price"] == 1


def test_delete_removes_items_and_their_thumbnails(collection: Collection, photos: Path) -> None:
    collection.add(photos)
    digest = collection.store.get(["0.png"])[0].parts[0].digest
    assert collection.delete("0.png", "nothing") == 1
    assert collection.ledger.thumbnail(digest) is None
    assert counts(collection.add(photos)) == (1, 0, 4, 0, 0)


# -- engines -----------------------------------------------------------------------------------------------------------


class Failing(GridEncoder):
    """Breaks at the nth batch."""

    def __init__(self, at: int, error: BaseException) -> None:
        super().__init__()
        self.left, self.error = at, error

    def encode_documents(self, contents: Sequence[Content]) -> Vectors:
        self.left -= 1
        if not self.left:
            raise self.error
        return super().encode_documents(contents)


@pytest.mark.parametrize("error", [EngineError("no more"), KeyboardInterrupt()])
def test_what_was_acknowledged_is_kept_and_the_next_run_goes_on(
    collection: Collection, photos: Path, error: BaseException
) -> None:
    collection.encoder = Failing(3, error)
    with pytest.raises(type(error)):
        collection.add(photos, batch_size=2)
    assert collection.store.stats().items == 4
    assert len(collection.ledger.owned(str(photos))) == 4
    assert counts(collection.add(photos)) == (1, 0, 4, 0, 0)
    assert collection.embedded == 5


def test_a_stop_between_store_and_ledger_redoes_one_batch_and_embeds_nothing(
    collection: Collection, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(collection.ledger, "record", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            collection.add(photos)
    assert collection.store.stats().items == 5
    assert counts(collection.add(photos)) == (5, 0, 0, 0, 0)
    assert collection.embedded == 5
    assert counts(collection.add(photos)) == (0, 0, 5, 0, 0)


def test_a_stop_between_ledger_and_store_is_noticed(
    collection: Collection, photos: Path, settled: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    settled()
    collection.add(photos)
    with monkeypatch.context() as patched:
        patched.setattr(collection.ledger, "forget", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            collection.delete("0.png")
    assert collection.store.get(["0.png"]) == []
    assert counts(collection.add(photos)) == (0, 1, 4, 0, 0)
    assert len(collection.store.get(["0.png"])) == 1


def test_a_store_that_lost_its_items_is_filled_again(
    collection: Collection, photos: Path, settled: Callable[[], None]
) -> None:
    settled()
    collection.add(photos)
    collection.store.delete([f"{number}.png" for number in range(3)])
    assert counts(collection.add(photos)) == (0, 5, 0, 0, 0)
    assert collection.store.stats().items == 5
    assert collection.embedded == 8


@pytest.mark.parametrize("wrong", ["short", "wide", "nan"])
def test_an_encoder_that_answers_nonsense_is_an_engine_error(
    collection: Collection, photos: Path, wrong: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def encode(contents: Sequence[Content]) -> Vectors:
        rows = GridEncoder().encode_documents(contents)
        broken = {"short": rows[:-1], "wide": np.hstack([rows, rows]), "nan": rows * np.float32("nan")}
        return broken[wrong].astype(np.float32)

    monkeypatch.setattr(collection.encoder, "encode_documents", encode)
    with pytest.raises(EngineError, match="'grid' gave vectors of shape"):
        collection.add(photos)
    assert collection.store.stats().items == 0


def test_an_encoder_of_words_leaves_pictures_out_and_says_so_once(
    collection: Collection, photos: Path, tmp_path: Path
) -> None:
    collection.encoder = GridEncoder(frozenset({"text"}))
    (photos / "note.txt").write_text("A note.")
    report = collection.add(photos)
    assert (report.added, len(report.skipped)) == (1, 1)
    assert "embeds no pictures" in report.skipped[0].reason
    row = write_rows(tmp_path / "c.jsonl", {"id": "a", "title": "A", "image": "photos/0.png"})
    assert collection.add(row).added == 1
    (item,) = collection.store.get(["a"])
    assert collection.ledger.thumbnail(item.parts[0].digest)
    assert set(collection.encoder.embedded) == {"text"}


def test_an_encoder_of_pictures_keeps_texts_for_the_words_channel(collection: Collection) -> None:
    collection.encoder = GridEncoder(frozenset({"image"}))
    collection.add({"id": "a", "title": "Waterproof tent", "image": png(1)})
    assert collection.encoder.embedded == ["image"]
    assert collection.store.search_text("tent", 1)[0].item_id == "a"


# -- sources that moved ------------------------------------------------------------------------------------------------


def test_a_renamed_folder_is_the_same_folder(collection: Collection, photos: Path) -> None:
    collection.add(photos)
    moved = photos.rename(photos.with_name("pictures"))
    (moved / "0.png").unlink()
    report = collection.add(moved, prune=True)
    assert counts(report) == (0, 4, 0, 1, 0)
    assert report.images == 0  # nothing is embedded again
    assert report.notes == (f"4 items of {photos.resolve()}, which is no longer there, are now of {moved}",)
    assert collection.ledger.owned(str(photos.resolve())) == []
    assert collection.ledger.owned(str(moved.resolve())) == ["1.png", "2.png", "sub/3.png", "sub/4.png"]
    assert counts(collection.add(moved, prune=True)) == (0, 0, 4, 0, 0)


def test_without_prune_a_renamed_folder_loses_nothing(collection: Collection, photos: Path) -> None:
    collection.add(photos, prefix="a (prefix b) ")
    moved = photos.rename(photos.with_name("pictures"))
    (moved / "0.png").unlink()
    report = collection.add(moved, prefix="a (prefix b) ")
    assert (report.updated, report.deleted, len(report.notes)) == (4, 0, 1)
    assert len(collection.store.get(["a (prefix b) 0.png"])) == 1
