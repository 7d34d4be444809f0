"""One collection, one encoder and one store, however many processes opened it before there was anything in it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from sightline import Sightline, encoders
from sightline.errors import ConfigError, InputError, NotFound, PassportMismatch

BOAT = {"id": "boat", "title": "A blue boat"}


@pytest.fixture
def other(tmp_path: Path) -> str:
    """The spec of an encoder as large as the starter whose vectors mean something else."""
    shutil.copytree(Path(encoders.__file__).parent / "starter", tmp_path / "other")
    config = json.loads((tmp_path / "other" / "config.json").read_text())
    config["image"]["mean"] = [0.1, 0.2, 0.3]
    (tmp_path / "other" / "config.json").write_text(json.dumps(config))
    return f"onnx:{tmp_path / 'other'}"


def test_who_loaded_an_encoder_early_follows_the_one_that_built_the_collection(tmp_path: Path, other: str) -> None:
    with Sightline.open(tmp_path / "index") as early, Sightline.open(tmp_path / "index", encoder=other) as builder:
        assert early.encoder.space.name == "starter"
        builder.add(BOAT)
        assert early.search("blue boat")[0].via == ("dense", "words")
        early.add({"id": "car", "title": "A red car"})
        assert early.info()["encoder"] == other
        assert early.info()["vectors"] == len(early.search("car boat", target="text")) == 2


def test_who_asked_for_another_encoder_early_is_refused(tmp_path: Path, other: str) -> None:
    with Sightline.open(tmp_path / "index", encoder=other) as early, Sightline.open(tmp_path / "index") as builder:
        assert early.encoder.space.name == other
        builder.add(BOAT)
        with pytest.raises(PassportMismatch, match="starter"):
            early.add({"id": "car", "title": "A red car"})
        with pytest.raises(PassportMismatch, match="starter"):
            early.search("boat")
        assert builder.info()["items"] == 1


def test_who_opened_another_store_early_is_refused(tmp_path: Path) -> None:
    with Sightline.open(tmp_path / "index") as early, Sightline.open(tmp_path / "index", store="qdrant") as builder:
        builder.add(BOAT)
        with pytest.raises(PassportMismatch, match="qdrant"):
            early.add({"id": "car", "title": "A red car"})
        assert builder.info()["items"] == 1


def test_an_add_that_is_refused_binds_nobody(tmp_path: Path, other: str) -> None:
    with Sightline.open(tmp_path / "index", encoder=other) as mistaken, pytest.raises(InputError, match="not exist"):
        mistaken.add(tmp_path / "no such folder")
    with Sightline.open(tmp_path / "index", store="qdrant") as index:
        assert index.add(BOAT).added == 1
        assert index.info()["encoder"] == "starter"


def test_an_index_can_be_looked_at_without_its_encoder(tmp_path: Path, other: str) -> None:
    with Sightline.open(tmp_path / "index", encoder=other) as index:
        index.add(BOAT)
    shutil.rmtree(tmp_path / "other")
    encoders_loaded = Sightline.open.__globals__["_encoder"]
    encoders_loaded.cache_clear()
    with Sightline.open(tmp_path / "index") as index:
        info = index.info()
        assert (info["items"], info["encoder"]) == (1, other)
        assert info["licence"].startswith("not known: ")
        with pytest.raises(ConfigError, match="no encoder in"):
            index.search("boat")
        assert index.delete(["boat"]) == 1


def test_what_was_deleted_and_made_again_takes_nothing_through_the_old_door(tmp_path: Path) -> None:
    with Sightline.open(tmp_path / "index") as old:
        old.add(BOAT)
        assert not old.gone
        Sightline.drop(tmp_path / "index", "default")
        assert old.gone
        with Sightline.open(tmp_path / "index") as new:
            assert old.gone
            with pytest.raises(NotFound, match="deleted after it was opened"):
                old.add({"id": "car", "title": "A red car"})
            assert new.add({"id": "car", "title": "A red car"}).added == 1


def test_one_id_is_one_id(tmp_path: Path) -> None:
    with Sightline.open(tmp_path / "index") as index:
        index.add({"id": "ab", "title": "x"}, {"id": "a", "title": "y"})
        assert index.delete("ab") == 1
        assert index.get("a").title == "y"


def test_halves_of_surrogate_pairs_are_refused(tmp_path: Path) -> None:
    with Sightline.open(tmp_path / "index") as index:
        index.add(BOAT)
        for ask in (
            lambda: index.search("\ud800"),
            lambda: index.search("boat", negative=["\ud800"]),
            lambda: index.search("boat", where="title = '\ud800'"),
            lambda: index.search("boat", where={"key": "title", "match": {"value": "\ud800"}}),
            lambda: index.get("\ud800"),
            lambda: index.delete(["\ud800"]),
            lambda: index.picture("\ud800#image-0"),
        ):
            with pytest.raises(InputError, match="not valid Unicode"):
                ask()


def test_a_folder_that_cannot_be_locked_is_told(tmp_path: Path) -> None:
    with Sightline.open(tmp_path / "index") as index:
        (index.folder / "write.lock").mkdir()
        with pytest.raises(ConfigError, match="cannot write in"):
            index.add(BOAT)
        Sightline.open(tmp_path / "index").close()
        shutil.rmtree(index.folder)
        with pytest.raises(NotFound, match="is gone"):
            index.add(BOAT)
