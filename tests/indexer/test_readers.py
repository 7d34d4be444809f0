"""What counts as a source, what in a folder is read, and why the rest is not."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from indexer.readers import open_sources
from indexer.records import IndexOptions, Lost, Record
from sightline.errors import InputError
from sightline.types import Skipped
from tests.indexer.indexing import png


def read(*sources: Path | dict[str, object], prefix: str = "") -> tuple[list[str], dict[str, str]]:
    """(ids in order, label -> reason)."""
    ids: list[str] = []
    reasons: dict[str, str] = {}
    for source in open_sources(sources, IndexOptions(prefix=prefix)):
        for entry in source.read():
            if isinstance(entry, Record):
                ids.append(entry.id)
            else:
                skipped = entry.skipped if isinstance(entry, Lost) else entry
                assert isinstance(skipped, Skipped)
                reasons[skipped.source] = skipped.reason
    return ids, reasons


def test_a_folder_is_read_in_order_and_its_rest_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    for name in ("b/2.png", "b/10.jpg", "a.PNG", "z.md", "c/d/e.txt"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(png(1))
    (folder / "no extension").write_bytes(png(2))
    (folder / "scan.dat").write_bytes(b"II*\0" + b"\0" * 20)
    (folder / "data.bin").write_bytes(b"\0\1\2")
    (folder / "catalog.jsonl").write_text("{}")
    (folder / ".DS_Store").write_bytes(b"x")
    (folder / ".git").mkdir()
    (folder / ".git" / "x.png").write_bytes(png(1))
    ids, reasons = read(folder)
    assert ids == ["a.PNG", "b/10.jpg", "b/2.png", "c/d/e.txt", "no extension", "scan.dat", "z.md"]
    assert reasons == {
        str(folder / "catalog.jsonl"): "a catalog: index it by naming the file itself",
        str(folder / "data.bin"): "neither a picture nor a text (.txt, .md)",
    }
    assert read(folder, prefix="shop/")[0][0] == "shop/a.PNG"


def test_links_and_pipes_do_not_lead_anywhere_else(tmp_path: Path) -> None:
    folder, outside = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    outside.mkdir()
    (outside / "secret.png").write_bytes(png(1))
    (folder / "a.png").write_bytes(png(2))
    (folder / "same.png").symlink_to(folder / "a.png")
    (folder / "away.png").symlink_to(outside / "secret.png")
    (folder / "gone.png").symlink_to(folder / "nothing")
    (folder / "round").symlink_to(folder)
    os.mkfifo(folder / "pipe.png")
    ids, reasons = read(folder)
    assert ids == ["a.png", "same.png"]
    assert {Path(label).name: reason for label, reason in reasons.items()} == {
        "away.png": "a link that leaves the folder",
        "gone.png": "a link to nothing",
        "round": "a link to a folder: links to folders are not followed",
        "pipe.png": "not a regular file",
    }


def test_odd_names_are_ids_and_broken_ones_are_named(tmp_path: Path) -> None:
    names = ["Bild\u202fam Meer.png", "日本 (1).png", "a#b.png", "quote'\".png", "👨‍👩‍👧.png"]
    for name in names:
        (tmp_path / name).write_bytes(png(1))
    broken = os.fsencode(tmp_path) + b"/caf\xe9.png"
    try:
        shutil.copyfile(tmp_path / names[0], broken)
    except OSError:
        pytest.skip("this file system takes only valid Unicode as a name: no broken one can be made")
    ids, reasons = read(tmp_path)
    assert ids == sorted(names)
    assert list(reasons.values()) == ["the name is not valid Unicode"]
    assert next(iter(reasons)).encode()


def test_a_file_is_a_source_of_one_item_named_by_its_name(photos: Path) -> None:
    assert read(photos / "sub" / "3.png") == (["3.png"], {})
    assert read(photos / "0.png", photos / "0.png", prefix="x-") == (["x-0.png"], {})
    (photos / "a.exe").write_bytes(b"MZ")
    assert read(photos / "a.exe")[1] == {str(photos / "a.exe"): "neither a picture nor a text (.txt, .md)"}


def test_rows_handed_in_are_one_source() -> None:
    ids, reasons = read({"id": 1, "title": "a"}, {"title": "b"}, {"ID": "2", "text": "c"})
    assert ids == ["1", "2"]
    assert reasons == {"row 2": "the row has no 'id' (its keys: title); --map id=KEY names another"}


def test_a_second_row_of_the_same_id_is_skipped(tmp_path: Path) -> None:
    catalog = tmp_path / "c.jsonl"
    catalog.write_text('{"id": 1, "title": "a"}\n{"id": "1", "title": "b"}\n{"id": 2, "title": "c"}\n')
    assert read(catalog) == (["1", "2"], {"c.jsonl:2": "the id '1' is already that of c.jsonl:1"})


def test_what_does_not_exist_is_an_error_before_anything_else(tmp_path: Path, photos: Path) -> None:
    with pytest.raises(InputError, match="nowhere does not exist"):
        read(photos, tmp_path / "nowhere")
    with pytest.raises(InputError, match="nothing to index"):
        read()
    with pytest.raises(InputError, match=r"one by one, not as a list: add\(\*rows\)"):
        open_sources([[{"id": "a", "title": "A"}]], IndexOptions())  # type: ignore[list-item]
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="neither a file nor a folder"):
        read(tmp_path / "pipe")


def test_a_folder_that_cannot_be_listed_is_named(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.scandir

    def scandir(path: Path) -> object:
        if Path(path).name == "sub":
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    ids, reasons = read(photos)
    assert ids == ["0.png", "1.png", "2.png"]
    assert reasons == {str(photos / "sub"): "cannot be opened: Permission denied"}
