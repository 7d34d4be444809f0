"""What was probably meant by a spec that names nothing, and that every kind of engine says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from sightline.encoders import open_encoder
from sightline.errors import ConfigError
from sightline.mllms import open_vision
from sightline.rerankers import open_reranker
from sightline.stores import open_store
from sightline.suggesting import did_you_mean
from tests.extras import needs

KNOWN = ("starter", "vlm:starter", "cross-encoder:org/name-L6-v2", "ollama:")


@pytest.mark.parametrize(
    ("spec", "meant"),
    [
        ("vlm:startr", "vlm:starter"),
        ("vml:starter", "vlm:starter"),
        ("VLM:Starter", "vlm:starter"),
        ("startr", "starter"),
        ("crossencoder:org/name-L6", "cross-encoder:org/name-L6-v2"),
        ("crossencoder:/a/folder", "cross-encoder:/a/folder"),
        ("olama:x", "ollama:x"),
        ("vlm:starter", None),
        ("vlm:", None),
        ("foo", None),
        ("foo:bar", None),
        ("foo:starter", None),
        ("", None),
    ],
)
def test_the_nearest_is_named_where_one_is_near(spec: str, meant: str | None) -> None:
    assert did_you_mean(spec, KNOWN) == (f" Did you mean {meant}?" if meant else "")


def test_every_kind_of_engine_says_what_was_meant_and_what_there_is(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"Did you mean starter\? An encoder is one of: starter, onnx:FOLDER"):
        open_encoder("startr")
    with pytest.raises(ConfigError, match=r"Did you mean faiss\? Known are: faiss, qdrant"):
        open_store("fais", tmp_path, collection="default")
    with pytest.raises(ConfigError, match=r"'vlm:startr'\. Did you mean vlm:starter\? Take vlm:starter, or"):
        open_vision("vlm:startr")
    for spec, said in (
        ("vml:starter", r"no reranker 'vml:starter'\. Did you mean vlm:starter\? A reranker is one of: vlm:starter"),
        ("foo", r"no reranker 'foo'\. A reranker is one of: vlm:starter"),
    ):
        with pytest.raises(ConfigError, match=said):
            open_reranker(spec, picture=lambda part: None, timeout_s=1)


def test_a_provider_nobody_knows_is_told_in_our_words() -> None:
    needs("langchain", extra="mllm")
    from sightline.mllms import open_chat

    with pytest.raises(ConfigError, match=r"no chat model 'olama:x'\. Did you mean ollama:x\? A chat model is one of"):
        open_chat("olama:x")
