"""Archives are read in place; what a member says of its name, size or kind is not believed."""

from __future__ import annotations

import io
import random
import struct
import tarfile
import zipfile
from pathlib import Path

import pytest

from indexer import archives
from indexer.archives import Member
from indexer.records import Lost
from sightline.errors import UnreadableSource
from sightline.types import Skipped
from tests.indexer.indexing import Collection, counts, png
from tests.indexer.test_readers import read

CONTENT = {"a.png": png(1), "deep/er/b.PNG": png(2), "words.md": b"# Boots\n\nTo walk in.", "scan": png(3)}
REST = {"catalog.csv": b"id,title\n1,x\n", "more.zip": b"PK\3\4", "x.bin": b"\0\1"}
HIDDEN = {".DS_Store": b"x", "__MACOSX/a.png": png(1), "deep/.git/c.png": png(1)}
LEAVING = ("../up.png", "/etc/root.png", "a/../../up.png", "C:/win.png", "..\\up.png")


def zipped(path: Path, members: dict[str, bytes], *, packed: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", packed) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def taped(path: Path, members: dict[str, bytes], *, mode: str = "w") -> Path:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


MADE = pytest.mark.parametrize("make", [zipped, taped])


@MADE
def test_pictures_and_texts_are_read_in_place_and_the_rest_is_named(
    make: object, tmp_path: Path, collection: Collection
) -> None:
    path = tmp_path / ("in.zip" if make is zipped else "in.tar")
    make(path, CONTENT | REST | HIDDEN | {"empty.png": b"", "bad.png": b"no picture"})  # type: ignore[operator]
    before = sorted(tmp_path.iterdir())
    report = collection.add(path)
    assert report.added == 4
    assert {skipped.source.rpartition("!/")[2]: skipped.reason for skipped in report.skipped} == {
        **dict.fromkeys(REST, "neither a picture nor a text (.txt, .md): only these are read within an archive"),
        "empty.png": "the file is empty",
        "bad.png": "not a picture in a format that is read",
    }
    found = {item.id: item for item in collection.store.get(list(CONTENT))}
    assert found.keys() == CONTENT.keys()
    assert found["words.md"].fields["title"] == "Boots"
    assert found["a.png"].parts[0].uri == f"{path}!/a.png"
    assert sorted(tmp_path.iterdir()) == before
    assert counts(collection.add(path))[:4] == (0, 0, 4, 0)


@MADE
def test_a_changed_archive_is_read_again_and_what_left_it_can_be_pruned(
    make: object, tmp_path: Path, collection: Collection
) -> None:
    path = tmp_path / ("in.zip" if make is zipped else "in.tar")
    make(path, CONTENT)  # type: ignore[operator]
    collection.add(path)
    make(path, {"a.png": png(1), "deep/er/b.PNG": png(9)})  # type: ignore[operator]
    report = collection.add(path, prune=True)
    assert (report.updated, report.unchanged, report.deleted) == (1, 1, 2)


@MADE
def test_no_member_leads_out_of_the_archive(make: object, tmp_path: Path) -> None:
    path = tmp_path / ("in.zip" if make is zipped else "in.tar")
    make(path, dict.fromkeys(LEAVING, png(1)) | {"./b//c.png": png(2), "d\ne.png": png(3)})  # type: ignore[operator]
    ids, reasons = read(path)
    assert ids == ["b/c.png", "d\ne.png"]
    assert len(reasons) == len(LEAVING)
    assert set(reasons.values()) == {"the name leads out of the archive"}


def test_links_devices_and_broken_names_in_a_tar_are_named(tmp_path: Path, collection: Collection) -> None:
    path = tmp_path / "in.tar"
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT, encoding="latin-1") as archive:
        for name, kind in {"l.png": tarfile.SYMTYPE, "h.png": tarfile.LNKTYPE, "d.png": tarfile.BLKTYPE,
                           "p.png": tarfile.FIFOTYPE}.items():  # fmt: skip
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
        for name in ("caf\xe9.png", "x" * 5000 + ".png", "fine.png"):
            info = tarfile.TarInfo(name)
            info.size = len(png(1))
            archive.addfile(info, io.BytesIO(png(1)))
    report = collection.add(path)
    assert report.added == 1
    assert sorted(skipped.reason for skipped in report.skipped) == [
        *["not a regular file"] * 4, "the name is not valid Unicode", "the name is too long",
    ]  # fmt: skip


def test_an_encrypted_or_oddly_packed_member_is_named(tmp_path: Path) -> None:
    path = zipped(tmp_path / "in.zip", {"a.png": png(1)})
    raw = bytearray(path.read_bytes())
    central = raw.index(b"PK\1\2")
    raw[6] |= 1
    raw[central + 8] |= 1
    path.write_bytes(raw)
    assert list(read(path)[1].values()) == ["it is encrypted"]
    zipped(path, {"a.png": png(1)}, packed=zipfile.ZIP_LZMA)
    assert list(read(path)[1].values()) == ["compressed in another way than zip files usually are"]


def test_a_bomb_is_cut_by_what_a_member_may_hold_and_by_the_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    zeros = b"\0" * 2_000_000
    path = zipped(tmp_path / "bomb.zip", {f"{number}.png": zeros for number in range(10)})
    monkeypatch.setattr(archives, "_FREE_BYTES", 1_000_000)
    monkeypatch.setattr(archives, "_TIMES", 300)
    found = list(archives.members(path))
    assert sum(isinstance(one, Member) for one in found) < 6
    assert isinstance(found[-1], Lost)
    assert "would unpack to more than 0.0 GB" in found[-1].skipped.reason
    first = found[0]
    assert isinstance(first, Member)
    with pytest.raises(UnreadableSource, match="too large"):
        first.read(source="x", cap=1_000_000)
    assert len(first.read(source="x", cap=2_000_000)) == 2_000_000


def test_a_member_is_no_larger_than_it_says(tmp_path: Path) -> None:
    path = zipped(tmp_path / "in.zip", {"a.png": b"\0" * 1_000_000})
    raw = path.read_bytes()
    path.write_bytes(raw.replace(struct.pack("<I", 1_000_000), struct.pack("<I", 1000)))
    (member,) = archives.members(path)
    assert isinstance(member, Member)
    with pytest.raises(UnreadableSource, match="damaged here"):
        member.read(source="x", cap=2000)


@MADE
def test_damage_loses_members_and_never_more(make: object, tmp_path: Path) -> None:
    suffix = "zip" if make is zipped else "tar"
    whole = make(tmp_path / f"whole.{suffix}", {f"{n}.png": png(n) for n in range(8)}).read_bytes()  # type: ignore[operator]
    chance = random.Random(5)
    for round_ in range(300):
        raw = bytearray(whole)
        for _ in range(chance.randint(1, 12)):
            raw[chance.randrange(len(raw))] = chance.choice((0, 255, 0x80, chance.randrange(256)))
        path = tmp_path / f"odd.{suffix}"
        path.write_bytes(raw[: chance.randint(0, len(raw))] if round_ % 3 == 0 else raw)
        for found in archives.members(path):
            assert isinstance(found, Member | Skipped | Lost)
            if isinstance(found, Member):
                try:
                    found.read(source="x", cap=1_000_000)
                except UnreadableSource as exc:
                    assert "archive" in exc.reason or "too large" in exc.reason or "empty" in exc.reason  # noqa: PT017


def test_an_archive_that_is_none_is_a_row_of_the_report(tmp_path: Path, collection: Collection) -> None:
    for name in ("none.zip", "none.tar"):
        (tmp_path / name).write_bytes(b"nothing of the kind" * 99)
        report = collection.add(tmp_path / name)
        assert [skipped.reason for skipped in report.skipped] == [
            "the archive is damaged: what follows in it cannot be read"
        ]
    packed = taped(tmp_path / "in.tar.gz", CONTENT, mode="w:gz")
    assert "only .zip and plain .tar" in next(iter(read(packed)[1].values()))


def test_an_archive_in_a_folder_is_named(tmp_path: Path) -> None:
    zipped(tmp_path / "a.zip", CONTENT)
    (tmp_path / "b.7z").write_bytes(b"7z")
    (tmp_path / "c.png").write_bytes(png(1))
    ids, reasons = read(tmp_path)
    assert ids == ["c.png"]
    assert list(reasons.values()) == [
        "an archive: index it by naming the file itself",
        "of archives only .zip and plain .tar are read: unpack it and index the folder",
    ]


def test_a_picture_in_an_archive_did_not_move_to_the_folder_it_was_unpacked_to(
    tmp_path: Path, collection: Collection
) -> None:
    collection.add(zipped(tmp_path / "in.zip", {"a.png": png(1)}))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "b.png").write_bytes(png(1))
    report = collection.add(tmp_path / "out")
    assert (report.added, report.moved) == (1, 0)
    assert {item.id for item in collection.store.get(["a.png", "b.png"])} == {"a.png", "b.png"}
