"""The open_clip encoder against CLIP's reference tensor, open_clip itself, files on disk and a hub out of reach."""

from __future__ import annotations

import io
import json
import shutil
import tarfile
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sightline.encoders import fingerprint, open_encoder
from sightline.encoders.open_clip import OpenClipEncoder
from sightline.errors import ConfigError
from sightline.types import Pixels
from tests.encoders.checkpoints import TINY, clip_vit_b_32, tiny_clip, tiny_siglip, vit_b_32
from tests.extras import needs

needs("torch", "open_clip", extra="clip")

COMMIT = "a" * 40


@pytest.fixture(scope="module")
def clip() -> OpenClipEncoder:
    return clip_vit_b_32()


@pytest.fixture
def tiny(tmp_path: Path) -> OpenClipEncoder:
    return OpenClipEncoder(f"local-dir:{tiny_clip(tmp_path / 'tiny')}")


@pytest.fixture(scope="module")
def reference(data: Path) -> tuple[Pixels, np.ndarray]:
    """A photo, and the tensor that CLIP's own preprocessing makes of it."""
    with tarfile.open(data / "clip_reference.tar") as tar:
        photo, tensor = (
            io.BytesIO(tar.extractfile(f"preprocess/{name}").read())  # type: ignore[union-attr]
            for name in ("franz-kafka.jpg", "expected_preprocessed_image.npy")
        )
    return np.asarray(Image.open(photo).convert("RGB")), np.load(tensor)


def pictures() -> list[Pixels]:
    """Wide, tall, square, small, almost square and thin."""
    rng = np.random.default_rng(3)
    sizes = [(300, 500), (517, 233), (224, 224), (31, 47), (225, 224), (64, 640)]
    return [rng.integers(0, 256, (*size, 3), dtype=np.uint8) for size in sizes]


def assert_prepared_as_open_clip_does(encoder: OpenClipEncoder) -> None:
    from open_clip.transform import PreprocessCfg, image_transform_v2

    transform = image_transform_v2(PreprocessCfg(**encoder._model.visual.preprocess_cfg), is_train=False)
    for pixels in pictures():
        expected = transform(Image.fromarray(pixels)).numpy()[None]
        np.testing.assert_allclose(encoder.preprocess([pixels]), expected, atol=1e-5)


def test_preprocessing_is_clips_own(clip: OpenClipEncoder, reference: tuple[Pixels, np.ndarray]) -> None:
    photo, expected = reference
    np.testing.assert_allclose(clip.preprocess([photo]), expected.reshape(1, 3, 224, 224), atol=1e-5)


def test_preprocessing_is_open_clips_own(clip: OpenClipEncoder) -> None:
    assert_prepared_as_open_clip_does(clip)


@pytest.mark.parametrize("resize_mode", ["squash", "shortest"])
@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
def test_preprocessing_follows_the_configuration(tmp_path: Path, resize_mode: str, interpolation: str) -> None:
    own = {"resize_mode": resize_mode, "interpolation": interpolation, "mean": [0.1, 0.2, 0.3]}
    assert_prepared_as_open_clip_does(OpenClipEncoder(f"local-dir:{tiny_clip(tmp_path, preprocess=own)}"))


def test_text_computed_to_its_end_is_text_computed_whole(clip: OpenClipEncoder) -> None:
    import torch

    texts = ["a red mug", "two dogs on a beach, one of them wet", "a"]
    with torch.no_grad():
        whole = clip._model.encode_text(clip._tokenizer(texts), normalize=True).numpy()
    assert clip._causal
    np.testing.assert_allclose(clip.encode_queries([(text,) for text in texts]), whole, atol=1e-5)


def test_vectors_are_open_clips_own(tmp_path: Path, tiny: OpenClipEncoder) -> None:
    import open_clip
    import torch

    model = open_clip.create_model(f"local-dir:{tmp_path / 'tiny'}").eval()
    with torch.no_grad():
        of_text = model.encode_text(open_clip.get_tokenizer("ViT-B-32")(["a red mug"]), normalize=True).numpy()
        of_picture = model.encode_image(torch.from_numpy(tiny.preprocess(pictures()[:1])), normalize=True).numpy()
    np.testing.assert_allclose(tiny.encode_queries([("a red mug",)]), of_text, atol=1e-5)
    np.testing.assert_allclose(tiny.encode_documents([(pictures()[0],)]), of_picture, atol=1e-5)


def test_a_batch_gives_what_single_calls_give(clip: OpenClipEncoder) -> None:
    contents = [*((pixels,) for pixels in pictures()[:2]), ("a",), ("nine words and more, and more, and more",)]
    single = np.concatenate([clip.encode_documents([content]) for content in contents])
    np.testing.assert_allclose(clip.encode_documents(contents), single, atol=1e-5)


def test_the_passport_of_a_checkpoint_names_its_file(clip: OpenClipEncoder) -> None:
    assert clip.space.name == f"open_clip:ViT-B-32/{vit_b_32()}"
    assert clip.space.dim == 512


def test_the_fingerprint_of_a_large_model_takes_less_than_two_seconds(clip: OpenClipEncoder) -> None:
    started = time.process_time()
    fingerprint.of_state(clip._model.state_dict(), {})
    assert time.process_time() - started < 2  # 0.8 s of two threads for 605 MB on a Zen 3


def test_quick_gelu_comes_from_the_model_and_makes_another_space(tmp_path: Path) -> None:
    tiny_clip(tmp_path / "plain")
    tiny_clip(tmp_path / "quick", quick_gelu=True)
    plain, quick = (OpenClipEncoder(f"local-dir:{tmp_path / name}") for name in ("plain", "quick"))
    assert "QuickGELU" in repr(quick._model)
    assert "QuickGELU" not in repr(plain._model)
    assert np.abs(plain.encode_queries([("a",)]) - quick.encode_queries([("a",)])).max() > 1e-4
    assert plain.space.fingerprint != quick.space.fingerprint


def test_the_model_does_not_train(tmp_path: Path) -> None:
    vision = {"image_size": 32, "layers": 2, "width": 32, "head_width": 16, "patch_size": 8, "patch_dropout": 0.5}
    encoder = OpenClipEncoder(f"local-dir:{tiny_clip(tmp_path, vision_cfg=vision)}")
    rows = encoder.encode_documents([(pictures()[0],)] * 8)
    assert not encoder._model.training
    assert np.ptp(rows, axis=0).max() < 1e-6


def test_long_texts_are_read_to_the_end(tiny: OpenClipEncoder) -> None:
    story = "a dog runs on the beach and then " * 20
    ends = [tiny.encode_documents([(story + end,)]) for end in ("a red kite flies", "the tide comes in")]
    assert np.abs(ends[0] - ends[1]).max() > 1e-4
    assert tiny.count_tokens(story) > 77
    assert all(tiny.count_tokens(window) == size <= 77 for window, size in tiny._windows(story))


def test_a_relative_checkpoint_is_found_and_named_in_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import open_clip

    shutil.move(tiny_clip(tmp_path) / "open_clip_pytorch_model.bin", tmp_path / "weights.pt")
    (tmp_path / "Tiny-Test.json").write_text(json.dumps(TINY))
    open_clip.add_model_config(tmp_path / "Tiny-Test.json")
    monkeypatch.chdir(tmp_path)
    space = open_encoder("open_clip:Tiny-Test/weights.pt").space
    assert space.name == f"open_clip:Tiny-Test/{tmp_path}/weights.pt"
    assert open_encoder(space.name).space == space


@pytest.mark.parametrize("spec", ["open_clip:ViT-B-32/laion2b_s34b_b79k", "open_clip:hf-hub:timm/ViT-B-16-SigLIP2"])
def test_a_hub_out_of_reach_is_one_sentence(spec: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ConfigError) as raised:
        open_encoder(spec)
    assert repr(spec) in str(raised.value)
    assert "cannot be reached" in str(raised.value)
    assert "open_clip:ViT-B-32//path/to/checkpoint.pt" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_cached_repository_opens_without_a_hub_and_is_pinned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    repository = tmp_path / "models--shop--clip"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(COMMIT)
    tiny_clip(repository / "snapshots" / COMMIT)
    encoder = open_encoder("open_clip:hf-hub:shop/clip")
    assert encoder.space.name == f"open_clip:hf-hub:shop/clip@{COMMIT}"
    assert open_encoder(encoder.space.name).space == encoder.space


@pytest.mark.parametrize("at", ["beside the weights", "in the cache"])
def test_a_model_with_a_tokenizer_of_its_own_uses_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: str) -> None:
    import open_clip

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    model, cached = tmp_path / "model", tmp_path / "models--shop--words"
    (cached / "refs").mkdir(parents=True)
    (cached / "refs" / "main").write_text(COMMIT)
    files = cached / "snapshots" / COMMIT if at == "in the cache" else model
    encoder = OpenClipEncoder(f"local-dir:{tiny_siglip(model, tokenizer=files)}")
    tokenizer = open_clip.tokenizer.HFTokenizer(str(files), context_length=64, clean="canonicalize")
    expected = encoder._model.encode_text(tokenizer(["A red mug!"]), normalize=True).detach().numpy()
    np.testing.assert_allclose(encoder.encode_queries([("A red mug!",)]), expected, atol=1e-5)
    assert not encoder._causal
    assert encoder._context == 64
    assert all(encoder.count_tokens(window) == size <= 64 for window, size in encoder._windows("a red mug, " * 40))


def test_a_tokenizer_out_of_reach_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    model = tiny_siglip(tmp_path / "model", tokenizer=tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match=r"it is not in the cache and .* cannot be reached"):
        open_encoder(f"open_clip:local-dir:{model}")


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("ViT-B-33/openai", "no model 'ViT-B-33'; it has .*ViT-B-32"),
        ("ViT-B-32/laion", "no weights 'laion'; .*laion400m_e3"),
        ("ViT-B-32", "no weights ''"),
        ("ViT-B-32//no/such.pt", "there is no file /no/such.pt"),
        ("ViT-B-32/no/such.safetensors", "there is no file no/such.safetensors"),
        ("local-dir:/no/such", "no open_clip_config.json"),
        ("hf-hub:one/two/three", "organisation/model"),
    ],
)
def test_what_is_not_there_is_named(reference: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        open_encoder(f"open_clip:{reference}")


def test_a_damaged_checkpoint_is_refused(tmp_path: Path) -> None:
    (tmp_path / "broken.pt").write_bytes(b"PK\x03\x04 not weights")
    with pytest.raises(ConfigError, match=r"cannot load 'open_clip:ViT-B-32/.*broken\.pt'"):
        open_encoder(f"open_clip:ViT-B-32/{tmp_path / 'broken.pt'}")


def test_a_checkpoint_of_another_model_is_refused(tmp_path: Path) -> None:
    shutil.copy(tiny_clip(tmp_path) / "open_clip_pytorch_model.bin", tmp_path / "tiny.pt")
    with pytest.raises(ConfigError, match="cannot load"):
        open_encoder(f"open_clip:ViT-B-32/{tmp_path / 'tiny.pt'}")


def test_a_repository_without_weights_is_never_random(tmp_path: Path) -> None:
    (tiny_clip(tmp_path) / "open_clip_pytorch_model.bin").unlink()
    with pytest.raises(ConfigError, match="cannot load"):
        open_encoder(f"open_clip:local-dir:{tmp_path}")


def test_pictures_that_cannot_be_made_square_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="longest: only squares"):
        open_encoder(f"open_clip:local-dir:{tiny_clip(tmp_path, preprocess={'resize_mode': 'longest'})}")
