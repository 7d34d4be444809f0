"""Chat models, some of which see pictures, and vision-language models on this machine. One file per engine, each
imported when it is asked for.

Knows the forms of a spec; knows nothing of questions, evidence or hits.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from sightline.errors import ConfigError
from sightline.protocols import ChatModel
from sightline.suggesting import did_you_mean

if TYPE_CHECKING:
    from sightline.mllms.local import LocalVision
    from sightline.mllms.onnx import OnnxVision

__all__ = ["VisionCard", "open_chat", "open_vision", "vision_cards"]


@dataclass(frozen=True, slots=True)
class VisionCard:
    """What `sightline models` shows of one vision-language model."""

    spec: str
    licence: str  # of the weights
    size_bytes: int
    note: str


def vision_cards() -> list[VisionCard]:
    """The vision-language models that come with Sightline."""
    folder = Path(str(files("sightline.mllms") / "starter"))
    size = sum(file.stat().st_size for file in folder.iterdir())
    note = "reranks, answers short questions, writes a line; ships with Sightline: no download, no torch"
    return [VisionCard("vlm:starter", f"research and education only: {folder / 'LICENSE'}", size, note)]


def open_chat(spec: str, *, logprobs: bool = False) -> ChatModel:
    """The chat model a spec names: `openai:MODEL@BASE_URL`, `ollama:MODEL`, or any `PROVIDER:MODEL` of LangChain.

    With `logprobs`, the first piece of a reply carries log-probabilities where the server gives them. No server is
    asked yet. Raises ConfigError for a spec that names no model or lacks a key, MissingExtra.
    """
    from sightline.mllms.langchain import LangChainChat

    return LangChainChat(spec, logprobs=logprobs)


def open_vision(spec: str) -> LocalVision | OnnxVision:
    """The vision-language model a spec names, loaded once a process: `vlm:starter` needs no torch, `vlm:FOLDER` does.

    Raises ConfigError, MissingExtra.
    """
    reference = spec.removeprefix("vlm:")
    folder = Path(reference).expanduser()
    if reference == spec or not reference or (reference != "starter" and not folder.is_dir()):
        meant = did_you_mean(spec, ["vlm:starter"])
        raise ConfigError(
            f"there is no vision-language model {spec!r}.{meant} Take vlm:starter, or vlm:FOLDER, the folder that "
            "holds one"
        )
    if reference == "starter":
        from sightline.mllms.onnx import open_starter

        return open_starter()
    from sightline.mllms.local import open_local

    return open_local(folder.resolve())
