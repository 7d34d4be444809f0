"""Specs, licences and missing packages: what `open_encoder` says before it loads anything."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest

from sightline.encoders import licence_of, model_cards, open_encoder
from sightline.encoders.onnx import FILES
from sightline.encoders.torchvision_repair import repair
from sightline.errors import ConfigError, MissingExtra
from tests.extras import needs

STARTER = Path(__file__).parents[2] / "sightline" / "encoders" / "starter"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The starter, copied out to be broken."""
    for name in FILES:
        shutil.copy(STARTER / name, tmp_path)
    return tmp_path


@pytest.mark.parametrize("spec", ["", "clip", "onnx:", "open_clip:", "sentence-transformers:", "Starter"])
def test_an_unknown_spec_names_the_known_forms(spec: str) -> None:
    with pytest.raises(ConfigError, match=r"starter.*onnx:FOLDER.*open_clip:NAME/TAG.*sentence-transformers:"):
        open_encoder(spec)


@pytest.mark.parametrize(
    ("spec", "package", "extra"),
    [
        ("open_clip:ViT-B-32/openai", "torch", "clip"),
        ("open_clip:ViT-B-32/openai", "open_clip", "clip"),
        ("sentence-transformers:x", "torch", "text"),
        ("sentence-transformers:x", "sentence_transformers", "text"),
    ],
)
def test_a_missing_package_says_what_to_install(
    spec: str, package: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if package != "torch":
        needs("torch", extra="clip")
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtra, match=rf"pip install '\.\[{extra}\]'"):
        open_encoder(spec)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(ConfigError, match=f"no encoder in .*: {name} missing"):
        open_encoder(f"onnx:{folder}")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "config.json is no encoder configuration"),
        ("{}", r"config.json is no encoder configuration: name"),
        ('{"dim": 0}', "no encoder configuration"),
    ],
)
def test_a_wrong_configuration_names_the_key(folder: Path, content: str, said: str) -> None:
    (folder / "config.json").write_text(content)
    with pytest.raises(ConfigError, match=said):
        open_encoder(f"onnx:{folder}")


def test_a_damaged_tokenizer_is_refused_at_once(folder: Path) -> None:
    (folder / "tokenizer.json").write_text("not json")
    with pytest.raises(ConfigError, match=r"tokenizer\.json is damaged"):
        open_encoder(f"onnx:{folder}")


def test_a_damaged_model_is_refused_when_it_is_needed(folder: Path) -> None:
    (folder / "text.onnx").write_bytes((folder / "text.onnx").read_bytes()[:5000])
    with pytest.raises(ConfigError, match=r"text\.onnx is damaged"):
        open_encoder(f"onnx:{folder}").encode_queries([("a",)])


def test_a_dimension_that_is_not_the_models_is_refused(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"dim": config["dim"] + 1}))
    with pytest.raises(ConfigError, match=r"config\.json says dim"):
        open_encoder(f"onnx:{folder}").encode_queries([("a",)])


def test_the_folder_form_is_the_starter_under_another_name(folder: Path) -> None:
    ours, starter = open_encoder(f"onnx:{folder}"), open_encoder("starter")
    assert ours.space.fingerprint == starter.space.fingerprint
    assert ours.space.name == f"onnx:{folder}"
    assert open_encoder(ours.space.name).space == ours.space


def test_every_model_states_its_licence() -> None:
    cards = model_cards()
    assert cards[0].spec == "starter"
    assert all(card.licence and card.dim and card.size_bytes and card.note for card in cards)
    assert len({card.spec for card in cards}) == len(cards)
    assert all(licence_of(card.spec) == card.licence for card in cards)


def test_the_starter_is_small_enough_to_ship() -> None:
    assert 0 < model_cards()[0].size_bytes <= 25_000_000


def test_a_pinned_revision_has_its_models_licence() -> None:
    assert licence_of("open_clip:hf-hub:Marqo/marqo-fashionSigLIP@" + "a" * 40) == "Apache-2.0"


def test_an_unlisted_model_says_where_its_licence_is() -> None:
    assert "model's own page" in licence_of("open_clip:ViT-B-16/openai")


def test_the_licence_of_a_folder_is_its_own(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"licence": "CC0-1.0"}))
    assert licence_of(f"onnx:{folder}") == "CC0-1.0"


def test_listed_open_clip_models_exist() -> None:
    needs("open_clip", extra="clip")
    repair()
    import open_clip

    for card in model_cards():
        name, _, tag = card.spec.removeprefix("open_clip:").partition("/")
        if card.spec.startswith("open_clip:") and not name.startswith("hf-hub:"):
            assert open_clip.get_pretrained_cfg(name, tag), card.spec
            assert open_clip.get_model_config(name)["embed_dim"] == card.dim
