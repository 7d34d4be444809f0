"""From one encoder to another while the collection keeps serving: at once, resumable, and for every process."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sightline import Sightline
from sightline.encoders.adapter import Adapter
from sightline.errors import ConfigError, EngineError, InputError, PassportMismatch
from sightline.types import Progress

COLOURS = {"red": (200, 20, 20), "green": (20, 160, 40), "blue": (20, 40, 200), "yellow": (240, 220, 30)}


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A folder of four plain pictures and a text."""
    folder = tmp_path / "shop"
    folder.mkdir()
    for name, colour in COLOURS.items():
        Image.new("RGB", (90, 60), colour).save(folder / f"{name}.png")
    (folder / "note.txt").write_text("Everything here is painted by hand.")
    return folder


@pytest.fixture(params=["faiss", "qdrant"])
def index(request: pytest.FixtureRequest, tmp_path: Path, shop: Path) -> Path:
    """An index of the shop, built by the starter."""
    with Sightline.open(tmp_path / "index", store=request.param) as opened:
        opened.add(shop)
    return tmp_path / "index"


def vectors_of(opened: Sightline) -> dict[str, np.ndarray]:
    items = [opened.get(name) for name in ("red.png", "green.png", "blue.png", "yellow.png", "note.txt")]
    return opened.known([part.digest for item in items for part in item.parts])


def test_after_it_everything_is_as_if_indexed_anew(tmp_path: Path, index: Path, shop: Path, other: str) -> None:
    told: list[Progress] = []
    with Sightline.open(index) as opened:
        store = opened.info()["store"]
        report = opened.migrate(other, progress=told.append)
        assert (report.before, report.after, report.pictures, report.from_thumbnails) == ("starter", other, 4, 0)
        assert report.lost == ()
        assert told[-1].done == told[-1].total == report.pictures + report.texts
        after, info = vectors_of(opened), opened.info()
        assert opened.add(shop).unchanged == 5
    with Sightline.open(tmp_path / "anew", store=store, encoder=other) as anew:
        anew.add(shop)
        expected = vectors_of(anew)
        assert info["vectors"] == anew.info()["vectors"]
    assert info["encoder"] == other
    assert after.keys() == expected.keys()
    for digest, rows in after.items():
        np.testing.assert_allclose(rows, expected[digest], atol=1e-5)
    with Sightline.open(index) as again:
        assert again.search(shop / "blue.png", target="image")[0].item.id == "blue.png"
    with Sightline.open(index, encoder="starter") as old, pytest.raises(PassportMismatch, match="image"):
        old.search("red")


def test_it_serves_throughout_and_takes_what_is_added_meanwhile(index: Path, shop: Path, other: str) -> None:
    answers: list[str] = []
    stop = threading.Event()

    def ask(opened: Sightline) -> None:
        while not stop.is_set():
            answers.append(opened.search(shop / "red.png", target="image", k=1)[0].item.id)

    with Sightline.open(index, batch_size=1) as opened:
        asking = threading.Thread(target=ask, args=(opened,))
        asking.start()
        added: list[int] = []

        def late(progress: Progress) -> None:
            if progress.images >= 1 and not added:
                added.append(opened.add({"id": "late", "title": "a late arrival"}).added)

        opened.migrate(other, progress=late)
        before = len(answers)
        while len(answers) < before + 3:
            time.sleep(0.01)
        stop.set()
        asking.join()
        assert added == [1]
        assert set(answers) == {"red.png"}
        assert opened.search("a late arrival", channels=["dense"], k=1)[0].item.id == "late"
        assert opened.info()["encoder"] == other


def test_interrupted_it_goes_on_where_it_stopped(index: Path, other: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with Sightline.open(index, batch_size=2) as opened:
        control, calls = opened._control, []
        encoder = control.whole.other(other)
        control.whole.issue(encoder)  # the probes, which are no part of the collection
        real = type(encoder).encode_documents

        def failing(self: object, contents: list[object]) -> object:
            calls.append(len(contents))
            if len(calls) == 3:
                raise EngineError("the encoder is out of breath")
            return real(self, contents)  # type: ignore[arg-type]

        monkeypatch.setattr(type(encoder), "encode_documents", failing)
        with pytest.raises(EngineError, match="out of breath"):
            opened.migrate(other)
        done = sum(calls[:2])
        monkeypatch.undo()
        assert opened.info()["encoder"] == "starter"
        assert opened.search("painted by hand", channels=["dense"])[0].item.id == "note.txt"
        report = opened.migrate(other)
        assert 5 - done <= report.pictures + report.texts <= 5 - done + 1  # of the batch of two that failed, one
        assert opened.info()["encoder"] == other


def test_killed_it_goes_on_where_it_stopped(tmp_path: Path, shop: Path, other: str) -> None:
    code = (
        "import os, signal, sys\n"
        "from sightline import Sightline\n"
        "opened = Sightline.open(sys.argv[1], batch_size=1)\n"
        "def die(progress):\n"
        "    if progress.done >= 3: os.kill(os.getpid(), signal.SIGKILL)\n"
        "opened.migrate(sys.argv[2], progress=die)\n"
    )
    with Sightline.open(tmp_path / "index") as opened:
        opened.add(shop)
        whole = opened.info()["vectors"]
    ended = subprocess.run([sys.executable, "-c", code, str(tmp_path / "index"), other], check=False, env=os.environ)
    assert ended.returncode == -signal.SIGKILL
    with Sightline.open(tmp_path / "index") as opened:
        assert opened.info()["encoder"] == "starter"
        assert opened.info()["vectors"] == whole
        assert opened.info()["migration"] == {"to": other, "done": 3, "parts": whole, "option": "--encoder"}
        assert opened.search("painted by hand", channels=["dense"])[0].item.id == "note.txt"
        report = opened.migrate(other)
        assert report.pictures + report.texts == whole - 3
        assert opened.info()["vectors"] == whole
        assert opened.info()["migration"] is None


def stopped(opened: Sightline, other: str, monkeypatch: pytest.MonkeyPatch, *, after: int) -> None:
    """Stop a migration before one more than `after` batches are embedded."""
    encoder, calls = opened._control.whole.other(other), []
    opened._control.whole.issue(encoder)
    real = type(encoder).encode_documents

    def failing(self: object, contents: list[object]) -> object:
        calls.append(len(contents))
        if len(calls) > after:
            raise KeyboardInterrupt
        return real(self, contents)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(type(encoder), "encode_documents", failing)
        with pytest.raises(KeyboardInterrupt):
            opened.migrate(other)


def test_given_up_nothing_of_it_is_left(
    tmp_path: Path, index: Path, other: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    third = f"onnx:{shutil.copytree(other.removeprefix('onnx:'), tmp_path / 'third')}"
    config = json.loads((tmp_path / "third" / "config.json").read_text())
    config["image"]["mean"] = [0.3, 0.2, 0.1]
    (tmp_path / "third" / "config.json").write_text(json.dumps(config))
    with Sightline.open(index, batch_size=1) as opened:
        before = opened.info()
        assert opened.cancel_migration() is None
        stopped(opened, other, monkeypatch, after=2)
        with pytest.raises(InputError, match=r"migrate --encoder .*goes on.*--cancel` gives it up"):
            opened.migrate(third)
        halfway = opened.cancel_migration()
        assert halfway is not None
        assert (halfway.to, halfway.done) == (other, 2)
        after = opened.info()
        assert (after["vectors"], after["encoder"], after["migration"]) == (before["vectors"], "starter", None)
        assert opened._store.spaces() == [opened._ledger.built_by()]
        assert opened._store.stats().vectors == before["vectors"]
        assert opened.search("painted by hand", channels=["dense"])[0].item.id == "note.txt"
        assert opened.migrate(other).pictures == 4


def test_who_is_at_it_stops_when_another_gives_it_up(index: Path, other: str) -> None:
    with Sightline.open(index, batch_size=1) as opened:

        def give_up(progress: Progress) -> None:
            if progress.done == 2:
                opened.cancel_migration()

        with pytest.raises(EngineError, match="gave this migration up"):
            opened.migrate(other, progress=give_up)
        assert opened._store.spaces() == [opened._ledger.built_by()]
        assert opened.info()["migration"] is None


def test_giving_up_can_be_killed_and_done_again(index: Path, other: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Killed(BaseException):
        pass

    def dies(*_: object) -> None:
        raise Killed

    with Sightline.open(index, batch_size=1) as opened:
        for at in ("forget_space", "note"):
            stopped(opened, other, monkeypatch, after=2)
            with monkeypatch.context() as patched:
                patched.setattr(opened._store if at == "forget_space" else opened._ledger, at, dies)
                with pytest.raises(Killed):
                    opened.cancel_migration()
            assert opened.info()["migration"] == {
                "to": other,
                "done": 2 * (at == "forget_space"),
                "parts": 5,
                "option": "--encoder",
            }
            assert opened.cancel_migration() is not None
            assert opened.info()["migration"] is None


def test_what_a_kill_left_after_the_change_is_told_and_can_be_removed(
    index: Path, other: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Sightline.open(index) as opened:
        whole = opened.info()["vectors"]
        with monkeypatch.context() as patched:
            patched.setattr(opened._store, "forget_space", lambda _: None)
            opened.migrate(other)
        assert opened.info()["migration"] == {"to": "", "done": whole, "parts": whole, "option": "--encoder"}
        assert opened.info()["vectors"] == whole
        halfway = opened.cancel_migration()
        assert halfway is not None
        assert opened.info()["migration"] is None
        assert opened._store.stats().vectors == whole
        assert opened.info()["encoder"] == other


def test_others_who_have_it_open_follow(tmp_path: Path, shop: Path, other: str) -> None:
    with Sightline.open(tmp_path / "index") as opened, Sightline.open(tmp_path / "index") as reader:
        opened.add(shop)
        assert reader.search(shop / "green.png", k=1)[0].item.id == "green.png"
        opened.migrate(other)
        assert reader.search(shop / "green.png", target="image", k=1)[0].item.id == "green.png"
        assert reader.info()["encoder"] == other


def test_pictures_whose_files_are_gone_come_from_their_thumbnails(tmp_path: Path, shop: Path, other: str) -> None:
    with Sightline.open(tmp_path / "index") as opened:
        opened.add(shop)
        (shop / "red.png").unlink()
        Image.new("RGB", (90, 60), (9, 9, 9)).save(shop / "green.png")  # another picture under the name
        with opened._ledger._writing() as db:
            digest = next(part.digest for part in opened.get("yellow.png").parts if part.modality == "image")
            db.execute("DELETE FROM thumbnails WHERE digest = ?", (digest,))
        (shop / "yellow.png").unlink()
        report = opened.migrate(other)
        assert (report.pictures, report.from_thumbnails) == (3, 2)
        assert [one.source for one in report.lost] == ["yellow.png#image-0"]
        assert opened.search(Path(shop / "blue.png"), target="image", k=3)[0].item.id == "blue.png"


def test_the_adapter_goes_with_its_encoder(tmp_path: Path, shop: Path, other: str) -> None:
    with Sightline.open(tmp_path / "index") as opened:
        opened.add(shop)
        space = opened.plain_encoder.space
        opened.install(Adapter(space.fingerprint, {"text": np.eye(space.dim, dtype=np.float32)}))
        assert opened.migrate(other).adapter_removed
        assert opened.adapter is None
        assert not opened.migrate("starter").adapter_removed


def test_to_the_same_encoder_nothing_is_done_but_tidying(tmp_path: Path, shop: Path) -> None:
    with Sightline.open(tmp_path / "index") as opened:
        opened.add(shop)
        before = opened.info()
        report = opened.migrate("starter")
        assert (report.pictures, report.texts) == (0, 0)
        assert opened.info() | {"bytes_disk": 0} == before | {"bytes_disk": 0}


@pytest.mark.parametrize(
    ("spec", "error", "reason"),
    [("nonsense", ConfigError, "no encoder 'nonsense'"), ("onnx:/nowhere", ConfigError, "no encoder in")],
)
def test_an_encoder_that_is_not_there_changes_nothing(
    tmp_path: Path, shop: Path, spec: str, error: type[Exception], reason: str
) -> None:
    with Sightline.open(tmp_path / "index") as opened:
        with pytest.raises(InputError, match="nothing was indexed"):
            opened.migrate("starter")
        opened.add(shop)
        with pytest.raises(error, match=reason):
            opened.migrate(spec)
        assert opened.search(shop / "blue.png", k=1)[0].item.id == "blue.png"
