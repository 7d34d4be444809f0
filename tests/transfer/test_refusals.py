"""An export that was torn, changed or made up is refused by name, and the collection is as it was."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sightline.errors import ConfigError, InputError, PassportMismatch, UnreadableSource
from sightline.transfer import jsonl, manifest, reading
from tests.soak.shop import TURNED, Opened
from tests.transfer.collections import Rows, contents, edit, opened, refused, shop, sign

BAD = "\ud800"  # half of a pair


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return shop(tmp_path / "shop", 3)


@pytest.fixture
def filled(tmp_path: Path, source: Path) -> Iterator[Opened]:
    with opened(tmp_path / "filled") as index:
        index.add(source)
        yield index


@pytest.fixture(params=["parquet", "jsonl"])
def export(request: pytest.FixtureRequest, tmp_path: Path, filled: Opened) -> Path:
    filled.transfer.export(tmp_path / "out", format=request.param)
    return tmp_path / "out"


def files_of(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.name != manifest.FILE)


def test_every_file_that_is_torn_or_changed_or_missing_is_named(export: Path, filled: Opened) -> None:
    for path in files_of(export):
        data = path.read_bytes()
        if data:
            path.write_bytes(data[:-1])
            refused(filled, export, UnreadableSource, f"{path.name}: was torn")
            flipped = bytearray(data)
            flipped[len(data) // 2] ^= 1
            path.write_bytes(flipped)
            refused(filled, export, UnreadableSource, f"{path.name}: was changed: its SHA-256")
        path.write_bytes(data + b" ")
        refused(filled, export, UnreadableSource, f"{path.name}: was changed: it has")
        path.unlink()
        refused(filled, export, UnreadableSource, f"{path.name}: is missing")
        path.symlink_to("/etc/passwd")
        refused(filled, export, UnreadableSource, f"{path.name}: is missing")
        path.unlink()
        path.write_bytes(data)
    filled.transfer.take_in(export)


def test_a_manifest_that_is_torn_or_changed_is_refused(export: Path, filled: Opened) -> None:
    path = export / manifest.FILE
    text = path.read_text()
    for changed, reason in (
        (text[:-30], "torn or changed"),
        (text.replace('"items": 6', '"items": 7'), "changed after it was written"),
        ("[]", "not the manifest"),
        ("[" * 100_000, "torn or changed"),
        (text.replace('"version": 1', '"version": 2'), "format 2"),
    ):
        path.write_text(changed)
        refused(filled, export, UnreadableSource, f"{manifest.FILE}: .*{reason}")
    path.unlink()
    refused(filled, export, InputError, "no export")


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"spaces": [{"name": "grid", "dim": 10**9, "fingerprint": "9", "table": "vectors"}]}, "numbers a vector"),
        ({"spaces": [{"name": "grid", "dim": 49, "fingerprint": "9", "table": "../../etc/vectors"}]}, "a table"),
        ({"spaces": [{"name": "grid", "dim": 49, "fingerprint": "9", "table": "nowhere"}]}, "no file nowhere"),
        ({"spaces": 7}, "TypeError"),
        ({"spaces": [{"name": BAD, "dim": 49, "fingerprint": "9", "table": "vectors"}]}, "not valid Unicode"),
        ({"spaces": [{"name": "g", "dim": 0, "fingerprint": "9", "table": "vectors"}]}, "0 numbers a vector"),
        ({"spaces": [{"name": "g", "dim": 2.5, "fingerprint": "9", "table": "vectors"}]}, "is '2.5'"),
        ({"spaces": [{"name": "g", "dim": 5, "fingerprint": "9" * 64, "table": "vectors"}]}, "encoder that gives 49"),
        ({"spaces": [{"name": "g", "dim": 49, "fingerprint": str(n), "table": f"v-{n}"} for n in range(9)]}, "than 8"),
        ({"passport": {"space": "grid"}}, "KeyError"),
        ({"counts": {"items": "many"}}, "count of items is 'many'"),
        ({"counts": {"items": -1}}, "count of items is '-1'"),
        ({"readings": [["s", 1e300, 1]]}, "no time between 1970 and 9999"),
        ({"readings": [[BAD, 1, 1]]}, "not valid Unicode"),
        ({"table_format": "pickle"}, "of tables"),
        ({"readings": [[1]]}, "ValueError"),
    ],
)
def test_a_manifest_that_makes_no_sense_is_refused(
    export: Path, filled: Opened, changed: dict[str, Any], reason: str
) -> None:
    sign(export, **changed)
    refused(filled, export, UnreadableSource, reason)


def test_a_manifest_cannot_name_files_elsewhere(export: Path) -> None:
    for name in ("../items.parquet", "/etc/passwd", "a/../../b", "", "x\0y", manifest.FILE):
        with pytest.raises(UnreadableSource, match="none of its folder"):
            manifest.inside(export, name)


def first(name: str, value: Any) -> Callable[[Rows], None]:
    def change(rows: Rows) -> None:
        rows[0][name] = value

    return change


def last(name: str, value: Any) -> Callable[[Rows], None]:
    def change(rows: Rows) -> None:
        rows[-1][name] = value

    return change


def twice(rows: Rows) -> None:
    rows.append(dict(rows[0]))


UNREAD = {"source": "/shop", "label": "x.png", "reason": "is damaged", "at": 1.0}
EDITS: list[tuple[str, Callable[[Rows], None], str]] = [
    ("items", twice, "is there twice"),
    ("items", lambda rows: rows.pop(), "no item, or out of order"),
    ("items", lambda rows: rows.reverse(), "no item, or out of order"),
    ("items", first("id", ""), "must not be empty"),
    ("items", first("id", BAD), "not valid Unicode"),
    ("items", first("id", 7), "row 1 has a value of 'id' that is not a text"),
    ("items", first("id", None), "row 1 has no 'id'"),
    ("items", first("fields", [1]), "not an object"),
    ("items", first("fields", {"a": {"b": 1}}), "must hold texts, numbers or booleans"),
    ("items", first("fields", {"": 1}), "field without a name"),
    ("items", first("fields", {"a": 10**400}), "too large"),
    ("items", first("fields", {"a": 2**63}), "too large"),
    ("items", first("fields", {"a": ["x", None]}), "not NoneType"),
    ("items", first("fields", {"a": BAD}), "row 1: field 'a' of item '0.png' holds .*not valid Unicode"),
    ("items", first("fields", {"a\0b": 1}), "NUL"),
    ("items", first("title", BAD), "row 1 has .*not valid Unicode in 'title'"),
    ("items", first("id", "a\0b"), "row 1 has a NUL character in 'id'"),
    ("items", first("id", "x" * 70_000), "row 1 has 70,000 characters, of which it may have 65,536 in 'id'"),
    ("parts", first("part", "1.png#image-0"), "cannot be of item '0.png'"),
    ("parts", first("part", "no number sign"), "cannot be of item '0.png'"),
    ("parts", first("item", "nobody"), "which is of none of the items"),
    ("parts", first("modality", "smell"), "smell"),
    ("parts", first("digest", "../../etc/passwd"), "not a SHA-256"),
    ("parts", first("box", [0.0, 1.0]), "4 finite numbers"),
    ("parts", first("page", 1.5), "value of 'page' that is not a whole number"),
    ("parts", first("chars", [0.5, 2.0]), "two whole numbers"),
    ("parts", first("chars", [0, 1e300]), "two whole numbers"),
    ("parts", first("chars", [-1, 4]), "two whole numbers"),
    ("parts", first("box", [1e999] * 4), "not JSON"),
    ("parts", first("box", [2**70] * 4), "not a list of numbers"),
    ("parts", first("box", [0.0] * 5), "not a list of numbers, at most 4"),
    ("parts", first("page", 2**63), "whole number of 64 bits"),
    ("parts", first("uri", "/a\0b"), "row 1 has a NUL character in 'uri'"),
    ("parts", first("uri", "/" + "x" * 2_000_000), "row 1 has 2,000,001 characters, of which it may have 65,536"),
    ("parts", last("text", " \u3000\n"), "parts.jsonl: row 6: the part '2.txt#text-0' holds no words"),
    ("parts", last("text", None), "holds no words"),
    ("parts", last("text", "a\0b"), "NUL"),
    ("parts", last("text", BAD), "not valid Unicode"),
    ("parts", last("field", BAD), "not valid Unicode"),
    ("parts", last("derived_by", BAD), "not valid Unicode"),
    ("parts", last("digest", BAD), "not valid Unicode"),
    ("parts", twice, "no item, or out of order"),
    ("vectors", first("vector", [2.0] + [0.0] * 48), "length 1"),
    ("vectors", first("vector", [1.0] * 48), "vector of 49 numbers"),
    ("vectors", first("vector", [1e300] + [0.0] * 48), "not finite"),
    ("vectors", first("vector", ["1.0"] + [0.0] * 48), "something else than numbers"),
    ("vectors", first("part", "0.png#nothing"), "which is of none of the items"),
    ("thumbnails", first("digest", "a" * 64), "shows no picture"),
    ("thumbnails", first("jpeg", base64.b64encode(b"GIF89a").decode()), "no JPEG"),
    ("thumbnails", first("jpeg", "not base64!"), "not base64"),
    ("thumbnails", first("jpeg", "é"), "not base64"),
    ("ledger", first("outcome", "stolen"), "no outcome"),
    ("ledger", first("history", [[1]]), "ledger.jsonl: row 1: .*makes no sense"),
    ("ledger", first("history", {"a": 1}), "makes no sense"),
    ("ledger", first("history", [[1.0, "added", ""]] * 1001), "at most 1,000 events"),
    ("ledger", first("history", [[1.0, "stolen", ""]]), "no such event"),
    ("ledger", first("history", [[1.0, "added", BAD]]), "no such event"),
    ("ledger", first("history", [[1.0, ["added"], ""]]), "no such event"),
    ("ledger", first("history", [[1e300, "added", ""]]), "no time between 1970 and 9999"),
    ("ledger", first("history", [[True, "added", ""]]), "no time"),
    ("ledger", first("at", 1e18), "row 1 has no time between 1970 and 9999 in 'at'"),
    ("ledger", first("at", -1), "no time"),
    ("ledger", first("at", 10**400), "no time"),
    ("ledger", first("first_at", 1e300), "no time"),
    ("ledger", first("at", True), "not a number"),
    ("ledger", first("stamp", BAD), "not valid Unicode"),
    ("ledger", first("source", "a\0b"), "NUL"),
    ("unread", lambda rows: rows.append(dict(UNREAD, at=1e300)), "unread.jsonl: row 1 has no time"),
    ("unread", lambda rows: rows.append(dict(UNREAD, reason=BAD)), "not valid Unicode in 'reason'"),
    ("ledger", twice, "no item, or out of order"),
]


@pytest.mark.parametrize(("table", "change", "reason"), EDITS)
def test_rows_that_nothing_here_wrote_are_refused_though_signed(
    tmp_path: Path, filled: Opened, table: str, change: Callable[[Rows], None], reason: str
) -> None:
    folder = tmp_path / "out"
    filled.transfer.export(folder, format="jsonl")
    edit(folder, table, change)
    refused(filled, folder, UnreadableSource, reason)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"{\n", "row 7 is not JSON"),
        (b"[1]\n", "row 7 is not a JSON object"),
        (b"\xff\xfe\n", "row 7 is not JSON"),
        (b'{"id": NaN}\n', "row 7 is not JSON"),
        (b"[" * 100_000 + b"\n", "row 7 is not JSON"),
    ],
)
def test_lines_that_are_no_rows_are_refused(tmp_path: Path, filled: Opened, line: bytes, reason: str) -> None:
    filled.transfer.export(tmp_path / "out", format="jsonl")
    with (tmp_path / "out" / "items.jsonl").open("ab") as file:
        file.write(line)
    sign(tmp_path / "out")
    refused(filled, tmp_path / "out", UnreadableSource, reason)


def test_a_row_without_end_is_refused(tmp_path: Path, filled: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    filled.transfer.export(tmp_path / "out", format="jsonl")
    monkeypatch.setattr(jsonl, "MOST_LINE_BYTES", 300)
    refused(filled, tmp_path / "out", UnreadableSource, "longer than")


def test_an_item_without_end_is_refused(tmp_path: Path, filled: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    filled.transfer.export(tmp_path / "out")
    monkeypatch.setattr(reading, "MOST_ROWS", 0)
    refused(filled, tmp_path / "out", UnreadableSource, "more than 0 rows")


def test_not_a_number_is_refused_in_parquet(tmp_path: Path, filled: Opened) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder = tmp_path / "out"
    filled.transfer.export(folder)
    path = folder / "vectors.parquet"
    plain = pq.read_table(path)
    rows = plain["vector"].combine_chunks().flatten().to_numpy().reshape(-1, 49).copy()
    rows[2, 5] = np.nan
    vectors = pa.FixedSizeListArray.from_arrays(pa.array(rows.ravel()), 49)
    pq.write_table(plain.set_column(2, "vector", vectors), path)
    sign(folder)
    refused(filled, folder, UnreadableSource, "not finite")
    pq.write_table(plain.set_column(2, "vector", plain["vector"].cast(pa.list_(pa.float64(), 49))), path)
    sign(folder)
    refused(filled, folder, UnreadableSource, "vectors.parquet: the column 'vector' holds .*double")
    pq.write_table(plain.drop_columns(["part"]), path)
    sign(folder)
    refused(filled, folder, UnreadableSource, "the column 'part' is not there")
    path.write_bytes(path.read_bytes()[:100])
    sign(folder)
    refused(filled, folder, UnreadableSource, "vectors.parquet: not a whole Parquet file")


def test_vectors_of_another_encoder_are_refused_and_embedded_again_when_asked(
    tmp_path: Path, export: Path, source: Path
) -> None:
    with opened(tmp_path / "other") as other:
        other.add({"id": "mine", "title": "A thing of another kind"})
        other.migrate(TURNED)
        refused(other, export, PassportMismatch, "holds vectors of 'grid'.*--embed")
        report = other.transfer.take_in(export, embed=True)
        assert (report.added, report.vectors, report.embedded, report.from_thumbnails) == (6, 0, 6, 0)
        got = contents(other)
        assert other.add(source).unchanged == 6
    with opened(tmp_path / "anew") as anew:
        anew.add(source)
        anew.migrate(TURNED)
        expected = contents(anew)
    assert {name: got[name][:2] for name in expected} == {name: one[:2] for name, one in expected.items()}


def test_an_export_without_vectors_must_be_embedded(tmp_path: Path, filled: Opened, source: Path) -> None:
    filled.transfer.export(tmp_path / "out", vectors=False)
    before = contents(filled)
    for path in source.glob("*.png"):
        path.unlink()
    with opened(tmp_path / "new") as new:
        refused(new, tmp_path / "out", InputError, "without vectors.*--embed")
        report = new.transfer.take_in(tmp_path / "out", embed=True)
        assert (report.embedded, report.from_thumbnails) == (6, 2)
        assert contents(new).keys() == before.keys()


def test_an_encoder_that_gives_other_vectors_than_it_gave_is_refused(export: Path, tmp_path: Path) -> None:
    told = json.loads((export / manifest.FILE).read_text())["passport"]
    probes = np.frombuffer(base64.b64decode(told["probes"]), "<f4").reshape(-1, 49)
    sign(export, passport=told | {"probes": base64.b64encode(np.roll(probes, 3, axis=1).tobytes()).decode()})
    with opened(tmp_path / "new") as new:
        refused(new, export, PassportMismatch, "gives others here.*comes out differently")


def test_an_export_is_not_written_over_what_is_there(tmp_path: Path, filled: Opened) -> None:
    target = tmp_path / "out"
    filled.transfer.export(target)
    with pytest.raises(InputError, match=r"there already.*--force"):
        filled.transfer.export(target)
    assert filled.transfer.export(target, force=True, format="jsonl").items == 6
    assert (target / "items.jsonl").is_file()
    assert not (target / "items.parquet").exists()
    (tmp_path / "diary").mkdir()
    (tmp_path / "diary" / "monday.txt").write_text("dear diary")
    for folder in (tmp_path / "diary", tmp_path / "diary" / "monday.txt"):
        with pytest.raises(InputError, match="not written over"):
            filled.transfer.export(folder, force=True)
    (target / "notebook.ipynb").write_text("work of weeks")
    with pytest.raises(InputError, match=r"holds 'notebook.ipynb' beside an export"):
        filled.transfer.export(target, force=True)
    assert (target / "notebook.ipynb").is_file()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["diary", "filled", "out", "shop"]


def test_a_disk_without_room_leaves_nothing(tmp_path: Path, filled: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("sightline.disk.sync_tree", full)
    with pytest.raises(ConfigError, match="No space left"):
        filled.transfer.export(tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["filled", "shop"]
