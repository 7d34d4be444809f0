"""The starter through onnxruntime and through open_clip: the same vectors, wherever the checkpoint lies."""

from __future__ import annotations

import json
import shutil
import tarfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import sightline.encoders
from sightline.encoders import open_encoder
from sightline.encoders.open_clip import OpenClipEncoder
from sightline.encoders.starter_open_clip import export_clip
from sightline.encoders.starter_towers import register
from sightline.errors import ConfigError
from sightline.types import Pixels, Vectors
from tests.extras import needs

needs("torch", "open_clip", "timm", "transformers", "onnx", extra="clip")

STARTER = Path(sightline.encoders.__file__).parent / "starter"
TEXTS = (
    "mug",
    "A RED mug",
    "ein blauer Becher – Größe 2",
    "a photo of two dogs running along a wide beach",
    "two children, one of them in a yellow raincoat, jump over a puddle in front of an old red brick building while "
    "their father holds an umbrella",
    "a story far longer than forty-eight tokens, told sentence after sentence. " * 12,
)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exported") / "starter-clip"
    assert export_clip("starter", folder) >= 0.999
    return folder


@pytest.fixture(scope="module")
def through_open_clip(checkpoint: Path) -> OpenClipEncoder:
    return OpenClipEncoder(f"local-dir:{checkpoint}", threads=1)


def sample_pictures(sample: Path, count: int) -> list[Pixels]:
    paths = sorted((sample / "images").glob("*.webp"))
    return [np.asarray(Image.open(path).convert("RGB")) for path in paths[:: len(paths) // count]]


def lowest_cosine(one: Vectors, other: Vectors) -> float:
    return float((one * other).sum(axis=1).min())


def test_pictures_have_the_same_vectors(through_open_clip: OpenClipEncoder, sample: Path) -> None:
    contents = [(picture,) for picture in sample_pictures(sample, 40)]
    contents += [(np.ascontiguousarray(picture[:90]),) for (picture,) in contents[:4]]  # wide ones: both squash
    ours, theirs = (encoder.encode_documents(contents) for encoder in (open_encoder("starter"), through_open_clip))
    assert lowest_cosine(ours, theirs) >= 0.999
    assert np.abs(ours @ ours.T - theirs @ theirs.T).max() < 1e-3


def test_texts_have_the_same_vectors(through_open_clip: OpenClipEncoder) -> None:
    contents = [(text,) for text in TEXTS]
    ours, theirs = (encoder.encode_queries(contents) for encoder in (open_encoder("starter"), through_open_clip))
    assert lowest_cosine(ours, theirs) >= 0.999


def test_photos_have_the_same_vectors(through_open_clip: OpenClipEncoder, data: Path) -> None:
    contents = [(picture,) for picture in photos(data / "flickr8k.tar", 30)]
    ours, theirs = (encoder.encode_documents(contents) for encoder in (open_encoder("starter"), through_open_clip))
    assert lowest_cosine(ours, theirs) >= 0.999


def photos(tar: Path, count: int) -> Iterator[Pixels]:
    with tarfile.open(tar) as opened:
        members = [member for member in opened.getmembers() if member.name.endswith(".webp")][:count]
        for member in members:
            file = opened.extractfile(member)
            assert file is not None
            yield np.asarray(Image.open(BytesIO(file.read())).convert("RGB"))


def test_preparation_and_context_are_the_starters(through_open_clip: OpenClipEncoder) -> None:
    config = json.loads((STARTER / "config.json").read_text())
    prepared = dict(through_open_clip._prepare)
    assert {key: prepared[key] for key in ("size", "resize", "interpolation")} == {
        key: config["image"][key] for key in ("size", "resize", "interpolation")
    }
    assert [*prepared["mean"], *prepared["std"]] == [*config["image"]["mean"], *config["image"]["std"]]
    assert through_open_clip._context == config["text"]["context"]
    assert through_open_clip.space.dim == config["dim"]


def test_open_clip_itself_loads_it(checkpoint: Path, through_open_clip: OpenClipEncoder, sample: Path) -> None:
    import open_clip
    import torch

    register()
    model, _, prepare = open_clip.create_model_and_transforms(f"local-dir:{checkpoint}")
    model.eval()
    path = next((sample / "images").glob("*.webp"))
    with torch.inference_mode():
        of_picture = model.encode_image(prepare(Image.open(path).convert("RGB"))[None], normalize=True).numpy()
        tokens = open_clip.get_tokenizer(f"local-dir:{checkpoint}")(["a red mug"])
        of_text = model.encode_text(tokens, normalize=True).numpy()
    own = through_open_clip.encode_documents([(np.asarray(Image.open(path).convert("RGB")),), ("a red mug",)])
    np.testing.assert_allclose(np.concatenate([of_picture, of_text]), own, atol=1e-5)
    config = json.loads((STARTER / "config.json").read_text())
    assert model.logit_scale.exp().item() == pytest.approx(config["logit_scale"], rel=1e-5)


def test_a_folder_may_move_and_stays_the_same_space(
    checkpoint: Path, through_open_clip: OpenClipEncoder, tmp_path: Path
) -> None:
    moved = shutil.copytree(checkpoint, tmp_path / "moved")
    config = json.loads((moved / "open_clip_config.json").read_text())
    config["model_cfg"]["text_cfg"]["hf_model_name"] = "/no/longer/there/text"
    (moved / "open_clip_config.json").write_text(json.dumps(config))
    again = open_encoder(f"open_clip:local-dir:{moved}")
    assert again.space.fingerprint == through_open_clip.space.fingerprint
    assert lowest_cosine(again.encode_queries([("mug",)]), through_open_clip.encode_queries([("mug",)])) > 0.99999


def test_another_number_of_heads_is_another_space(
    checkpoint: Path, through_open_clip: OpenClipEncoder, tmp_path: Path
) -> None:
    other = shutil.copytree(checkpoint, tmp_path / "other")
    config = json.loads((other / "text" / "config.json").read_text())
    (other / "text" / "config.json").write_text(json.dumps(config | {"encoder_attention_heads": 2}))
    assert open_encoder(f"open_clip:local-dir:{other}").space.fingerprint != through_open_clip.space.fingerprint


def test_a_fine_tuned_checkpoint_brings_its_own_weights(
    checkpoint: Path, through_open_clip: OpenClipEncoder, sample: Path, tmp_path: Path
) -> None:
    """As open_clip's training writes it: a dictionary with `state_dict`, its names behind `module.`."""
    import open_clip
    import torch

    model = open_clip.create_model(f"local-dir:{checkpoint}").train()
    pictures = sample_pictures(sample, 8)
    pixels = torch.from_numpy(through_open_clip.preprocess(pictures))
    tokens = open_clip.get_tokenizer(f"local-dir:{checkpoint}")([f"thing number {n}" for n in range(len(pictures))])
    optimiser = torch.optim.SGD(model.parameters(), lr=0.02)
    losses = []
    for _ in range(4):
        loss = open_clip.ClipLoss()(*model(pixels, tokens))
        losses.append(loss.item())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert losses[-1] < losses[0]
    tuned = shutil.copytree(checkpoint, tmp_path / "tuned")
    (tuned / "open_clip_model.safetensors").unlink()
    state = {f"module.{name}": value for name, value in model.state_dict().items()}
    torch.save({"epoch": 1, "state_dict": state}, tuned / "open_clip_pytorch_model.bin")
    encoder = OpenClipEncoder(f"local-dir:{tuned}", threads=1)
    with torch.inference_mode():
        expected = model.eval().encode_image(pixels, normalize=True).numpy()
    found = encoder.encode_documents([(picture,) for picture in pictures])
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert lowest_cosine(found, through_open_clip.encode_documents([(picture,) for picture in pictures])) < 0.9999
    assert encoder.space.fingerprint != through_open_clip.space.fingerprint


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("kept")
    with pytest.raises(ConfigError, match="is not empty"):
        export_clip("starter", tmp_path)


def test_a_folder_of_another_layout_is_refused(tmp_path: Path) -> None:
    other = shutil.copytree(STARTER, tmp_path / "other")
    shutil.copyfile(STARTER / "text.onnx", other / "image.onnx")
    with pytest.raises(ConfigError, match="0 convolutions"):
        export_clip(f"onnx:{other}", tmp_path / "out")
    (other / "image.onnx").write_bytes(b"no model")
    with pytest.raises(ConfigError, match="cannot be read as an ONNX model"):
        export_clip(f"onnx:{other}", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_only_starters_can_be_written(checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="only starter and onnx:FOLDER"):
        export_clip(f"open_clip:local-dir:{checkpoint}", tmp_path / "out")
