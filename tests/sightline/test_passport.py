"""One collection, one encoder and one store, however many processes opened it before there was anything in it."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sightline import Sightline, admission, encoders, media, pictures, probes
from sightline.errors import ConfigError, InputError, NotFound, PassportMismatch

BOAT = {"id": "boat", "title": "A blue boat"}


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
    admission.opened.cache_clear()
    admission.probed.cache_clear()
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


# -- other weights, other preprocessing, other answers: refused, and called by their names


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Path]:
    """A folder that holds the starter under a name of its own; what was loaded of it is forgotten."""
    folder = tmp_path / "own"
    shutil.copytree(Path(encoders.__file__).parent / "starter", folder)
    yield folder
    _forget()


def _forget() -> None:
    """As in a new process."""
    admission.opened.cache_clear()
    admission.probed.cache_clear()


def _configured(folder: Path, tower: str, key: str, value: Any) -> None:
    config = json.loads((folder / "config.json").read_text())
    assert config[tower][key] != value
    config[tower][key] = value
    (folder / "config.json").write_text(json.dumps(config))


def _other_weights(folder: Path) -> None:
    data = bytearray((folder / "image.onnx").read_bytes())
    data[len(data) // 2] ^= 1
    (folder / "image.onnx").write_bytes(data)


def _other_tokenizer(folder: Path) -> None:
    told = json.loads((folder / "tokenizer.json").read_text())
    told["normalizer"] = None
    (folder / "tokenizer.json").write_text(json.dumps(told))


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda folder: _configured(folder, "image", "mean", [0.4, 0.5, 0.5]), r"image\.mean is \[0\.4"),
        (lambda folder: _configured(folder, "image", "std", [0.3, 0.25, 0.25]), r"image\.std is \[0\.3"),
        (lambda folder: _configured(folder, "image", "size", 112), r"image\.size is 112, was 128"),
        (lambda folder: _configured(folder, "image", "resize", "shortest"), r'image\.resize is "shortest", was'),
        (lambda folder: _configured(folder, "text", "context", 20), r"text\.context is 20"),
        (lambda folder: _configured(folder, "text", "pad_id", 1), r"text\.pad_id is 1"),
        (_other_weights, r"image\.onnx is [0-9a-f]{16}, was [0-9a-f]{16}"),
        (_other_tokenizer, r"tokenizer\.json is [0-9a-f]{16}, was [0-9a-f]{16}"),
    ],
    ids=["mean", "std", "size", "resize", "context", "padding", "weights", "tokenizer"],
)
def test_what_changed_under_a_name_is_named(
    tmp_path: Path, own: Path, change: Callable[[Path], None], named: str
) -> None:
    with Sightline.open(tmp_path / "index", encoder=f"onnx:{own}") as index:
        index.add(BOAT)
    change(own)
    _forget()
    with Sightline.open(tmp_path / "index") as index:
        with pytest.raises(PassportMismatch, match=named):
            index.search("boat")
        with pytest.raises(PassportMismatch, match=named):
            index.add({"id": "car", "title": "A red car"})
        assert index.info()["items"] == 1


def test_an_encoder_that_answers_otherwise_is_refused_by_what_it_sees(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _forget()
    with Sightline.open(tmp_path / "index") as index:
        index.add(BOAT)
        kept = index._ledger.passport()
    assert kept is not None
    assert "image.onnx" in kept.made_of
    assert "onnxruntime" in kept.versions
    for planted, named in (
        (lambda: monkeypatch.setattr(pictures, "_UPRIGHT", {}), "an EXIF turn comes out differently"),
        (lambda: monkeypatch.setattr(admission.open_encoder("starter").__class__, "_texts", _shouted), "the text"),
    ):
        _forget()
        probes.pictures.cache_clear()
        planted()
        with Sightline.open(tmp_path / "index") as index, pytest.raises(PassportMismatch, match=named):
            index.search("boat")
        monkeypatch.undo()
    _forget()
    probes.pictures.cache_clear()
    with Sightline.open(tmp_path / "index") as index:
        assert index.search("boat")[0].item.id == "boat"


def _shouted(self: Any, texts: list[str]) -> Any:
    """Texts in another case order, as another tokenizer would cut them."""
    ids = [encoding.ids[::-1] for encoding in self._tokenizer.encode_batch(list(texts))]
    return np.concatenate([self._text_batch([one]) for one in ids])


def test_a_vector_that_is_no_longer_of_length_one_is_told() -> None:
    before = np.eye(12, 16, dtype=np.float32)
    assert probes.differences(before, before) == []
    now = before.copy()
    now[2] *= 7
    [told] = probes.differences(before, now)
    assert told.startswith('the text "two dogs run')
    assert "length 7.00, before of 1.00" in told
    nothing = before.copy()
    nothing[6:] = 0  # an encoder of texts alone
    assert probes.differences(nothing, nothing) == []


def test_a_picture_resized_another_way_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _forget()
    with Sightline.open(tmp_path / "index") as index:
        index.add(BOAT)

    def nearest(picture: Any, size: int, **_: Any) -> Any:
        return np.asarray(Image.fromarray(picture).resize((size, size), Image.Resampling.NEAREST))

    monkeypatch.setattr(media, "resize", nearest)
    _forget()
    with (
        Sightline.open(tmp_path / "index") as index,
        pytest.raises(PassportMismatch, match="fine rings comes out diff"),
    ):
        index.search("boat")
    monkeypatch.undo()
    _forget()


def test_where_a_graphics_card_took_part_answers_may_differ_more() -> None:
    before = np.eye(16, 32, dtype=np.float32)
    now = before.copy()
    now[3, 30] = 0.05
    now[3] /= np.linalg.norm(now[3])  # cosine 0.9988
    for one, other, told in (("cpu", "cpu", 1), ("cpu", "cuda", 0), ("cuda", "cuda", 0)):
        least = probes.least({"device": one}, {"device": other})
        assert len(probes.differences(before, now, least=least)) == told
    assert probes.least({}, {"device": "cpu"}) == probes.least({}, {}) < probes.LEAST


def test_the_first_probes_are_those_of_the_first_passports() -> None:
    first = [text.encode() for text in probes.TEXTS[:6]] + [picture.tobytes() for picture in probes.pictures()[:6]]
    assert hashlib.sha256(b"".join(first)).hexdigest()[:16] == "8b2d0fc9f3b641fc"
    assert probes.names()[5:7] == (f'the text "{probes.TEXTS[5][:40]}"', "a plain picture")
    assert len(probes.names()) == 16


@pytest.mark.parametrize("less", [("probes",), ("made_of",), ("probes", "made_of")], ids="-".join)
def test_a_passport_of_fewer_probes_opens_is_heeded_and_gets_the_rest_with_the_next_add(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, less: tuple[str, ...]
) -> None:
    with Sightline.open(tmp_path / "index") as index:
        index.add(BOAT)
        whole = index._ledger.passport()
        assert whole is not None
        size = 4 * whole.dim
        assert len(whole.probes) == 16 * size
        _as_first_written(index, less)
    with Sightline.open(tmp_path / "index") as index:
        assert index.search("boat")[0].item.id == "boat"
    monkeypatch.setattr(admission.open_encoder("starter").__class__, "_texts", _shouted)
    _forget()
    with Sightline.open(tmp_path / "index") as index, pytest.raises(PassportMismatch, match="the text"):
        index.search("boat")
    monkeypatch.undo()
    _forget()
    with Sightline.open(tmp_path / "index") as index:
        index.add(BOAT)
        assert index._ledger.passport() == whole


def _as_first_written(index: Sightline, less: tuple[str, ...]) -> None:
    """Make the passport what the first ones were: twelve probes, or nothing of the device, or both."""
    whole = index._ledger.passport()
    assert whole is not None
    made_of = json.dumps({name: value for name, value in whole.made_of.items() if name != "device"})
    first = {"probes": whole.probes[: 12 * 4 * whole.dim], "made_of": made_of}
    with index._ledger._writing() as db:
        for name in less:
            db.execute("UPDATE meta SET value = ? WHERE key = ?", (first[name], f"passport.{name}"))


def test_a_collection_from_before_there_were_probes_gets_them_with_the_next_add(tmp_path: Path) -> None:
    with Sightline.open(tmp_path / "index") as index:
        index.add(BOAT)
        with index._ledger._writing() as db:
            db.execute("DELETE FROM meta WHERE key IN ('passport.probes', 'passport.made_of', 'passport.versions')")
    with Sightline.open(tmp_path / "index") as index:
        assert index.search("boat")[0].item.id == "boat"
        index.add(BOAT)
        kept = index._ledger.passport()
        assert kept is not None
        assert len(kept.probes) == 16 * kept.dim * 4
