"""What a stranger's export says of itself is believed as far as it makes sense, and that is settled before a write."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from service.cli import app
from sightline import disk
from sightline.errors import InputError, PassportMismatch, SightlineError, UnreadableSource
from sightline.transfer import manifest, restore, snapshots
from sightline.transfer.snapshots import KIND, VERSION
from tests.indexer.grid import GridEncoder
from tests.soak.shop import Opened
from tests.transfer.collections import contents, edit, opened, refused, sign

# -- the passport ------------------------------------------------------------------------------------------------------


def passport_of(export: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((export / manifest.FILE).read_text())["passport"]
    return told


def encoded(rows: Any) -> str:
    return base64.b64encode(np.asarray(rows, "<f4").tobytes()).decode()


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"dim": 0}, "0 numbers a vector"),
        ({"dim": -1}, "the width of a vector is '-1'"),
        ({"dim": True}, "the width of a vector is 'True'"),
        ({"dim": 10**9}, "numbers a vector"),
        ({"dim": 7}, "encoder that gives 7|probes of another width"),
        ({"probes": "!"}, "probes that are not base64"),
        ({"probes": encoded(np.zeros(7))}, "probes of another width"),
        ({"probes": encoded(np.zeros((300, 49)))}, "more than 256"),
        ({"probes": encoded(np.full((16, 49), np.nan))}, "probes that are not finite"),
        ({"space": "gr\0id"}, "a NUL character"),
        ({"space": 7}, "'7' where there should be a text"),
        ({"fingerprint": "\ud800"}, "not valid Unicode"),
        ({"adapter": "x" * 70_000}, "70,000 characters"),
        ({"made_of": {"x": "y" * 1_000_000}}, "1,000,000 characters"),
        ({"made_of": {str(number): "y" for number in range(1001)}}, "1,001 notes"),
        ({"versions": ["numpy"]}, "AttributeError"),
    ],
)
def test_a_passport_that_makes_no_sense_is_refused(
    tmp_path: Path, export: Path, changed: dict[str, Any], reason: str
) -> None:
    sign(export, passport=passport_of(export) | changed)
    with opened(tmp_path / "new") as new:
        refused(new, export, UnreadableSource, f"{manifest.FILE}: makes no sense: .*({reason}).*Nothing was written")
        assert new._ledger.passport() is None


@pytest.mark.parametrize("probes", ["", encoded(np.zeros((16, 49)))])
def test_vectors_of_an_encoder_whose_answers_nobody_knows_are_not_taken_over(
    tmp_path: Path, export: Path, probes: str
) -> None:
    sign(export, passport=passport_of(export) | {"probes": probes})
    with opened(tmp_path / "new") as new:
        refused(new, export, InputError, "does not say what its encoder answered to the probes.*--embed")
        assert new._ledger.passport() is None
        assert new.transfer.take_in(export, embed=True).embedded == 6


def test_a_passport_that_tells_other_things_of_an_encoder_than_are_so_is_refused(
    tmp_path: Path, export: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(GridEncoder, "__init__", _made_of_weights)
    sign(export, passport=passport_of(export) | {"made_of": {"weights": "others"}})
    with opened(tmp_path / "new") as new:
        monkeypatch.setattr(new._control.whole, "other", lambda spec: GridEncoder())
        refused(new, export, PassportMismatch, "tells other things of 'grid'.*Nothing was written.*--embed")
        assert new._ledger.passport() is None
        sign(export, passport=passport_of(export) | {"made_of": {"weights": "these"}})
        assert new.transfer.take_in(export).added == 6


def _made_of_weights(self: GridEncoder, *_: object, **__: object) -> None:
    _MADE(self)
    object.__setattr__(self.space, "made_of", {"weights": "these"})


_MADE = GridEncoder.__init__


# -- spaces ------------------------------------------------------------------------------------------------------------


def with_second_space(export: Path, out: Path, dim: int) -> Path:
    """A copy with a vector of another space, of so many numbers."""
    shutil.copytree(export, out)
    told = json.loads((out / manifest.FILE).read_text())
    row = json.loads((out / "vectors.jsonl").read_text().splitlines()[-1])
    vector = [1.0] + [0.0] * (dim - 1)
    (out / "vectors-2.jsonl").write_text(json.dumps(row | {"vector": vector}) + "\n")
    second = {"name": "x", "dim": dim, "fingerprint": "f" * 64, "table": "vectors-2", "rows": 1}
    sign(out, files=told["files"] | {"vectors-2.jsonl": {}}, spaces=[*told["spaces"], second])
    return out


@pytest.mark.parametrize("store", ["faiss", "qdrant::memory:"])
def test_a_second_space_of_another_width_than_here_is_found_out_first(tmp_path: Path, export: Path, store: str) -> None:
    four, five = (with_second_space(export, tmp_path / str(dim), dim) for dim in (4, 5))
    with opened(tmp_path / "new", store) as new:
        new.transfer.take_in(four)
        assert len(new._store.spaces()) == 2
        refused(new, five, UnreadableSource, "vectors of 'x' have 4 numbers here, not 5. Nothing was written")
        assert not new._ledger.register.unfinished()
        assert new.transfer.take_in(four).overwritten == 6


# -- places ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "uri", ["https://example.org/a.png?signed=" + "x" * 5000, "/" + "x" * 60_000, "/a.zip!/" + "y" * 9000, "/dev/zero"]
)
def test_a_picture_whose_place_is_no_name_of_a_file_is_embedded_from_its_thumbnail(
    tmp_path: Path, export: Path, uri: str
) -> None:
    edit(export, "parts", lambda rows: [row.update(uri=uri) for row in rows if row["modality"] == "image"])
    with opened(tmp_path / "new") as new:
        report = new.transfer.take_in(export, embed=True)
        assert (report.embedded, report.from_thumbnails, report.lost) == (6, 2, ())  # the third equals the first


# -- in the middle -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_a_new_collection_is_not_left_behind_by_an_import_that_came_to_nothing(
    tmp_path: Path, export: Path, monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("sightline.transfer.importing.take_in", interrupted)
    done = CliRunner().invoke(app, ["import", str(export), "--index", str(tmp_path / "never")])
    assert done.exit_code != 0
    assert not (tmp_path / "never").exists()


def test_ctrl_c_between_the_two_renames_of_a_restore_leaves_a_whole_collection(
    tmp_path: Path, filled: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = filled.settings.index
    filled.transfer.snapshot("first")
    filled.add({"id": "after", "title": "a lamp"})
    before = contents(filled)
    filled.close()
    synced: Callable[[Path], None] = disk.sync
    hits = []

    def sync(path: Path) -> None:
        synced(path)
        if not hits and list((index / "collections").glob(".replaced-*")):
            hits.append(path)
            raise KeyboardInterrupt  # a real signal would be ignored where the tests run in the background

    monkeypatch.setattr(disk, "sync", sync)
    with pytest.raises(KeyboardInterrupt):
        restore(index, "default", "first", force=True)
    assert hits
    with opened(index) as again:
        assert contents(again) == before
    restore(index, "default", "first", force=True)
    with opened(index) as again:
        assert len(contents(again)) == 6


def test_a_snapshot_whose_manifest_says_nothing_is_told_and_hinders_nobody(filled: Opened) -> None:
    index = filled.settings.index
    filled.transfer.snapshot("good")
    place = index / "snapshots" / "default" / "odd"
    place.mkdir()
    manifest.write_manifest(place, KIND, VERSION, {"items": "many"}, [])
    good, odd = sorted(snapshots(index, "default"), key=lambda one: one.problem)
    assert (good.name, good.problem, odd.name) == ("good", "", "odd")
    assert "does not say of what it is a snapshot" in odd.problem
    for entry in ({"bytes": "1", "sha256": "x"}, {"bytes": 1}, [1]):
        told = {"format": KIND, "version": VERSION, "files": {"ledger.db": entry}}
        told["sha256"] = manifest._own_digest(told)
        (place / manifest.FILE).write_text(json.dumps(told))
        with pytest.raises(SightlineError, match="a file without its size and digest"):
            restore(index, "default", "odd", force=True)
        assert [one.name for one in snapshots(index, "default")].count("good") == 1
