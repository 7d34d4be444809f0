"""Chat models, some of which see pictures. One file per engine, each imported when it is asked for.

Knows the forms of a spec; knows nothing of questions, evidence or hits.
"""

from __future__ import annotations

from sightline.protocols import ChatModel

__all__ = ["open_chat"]


def open_chat(spec: str, *, logprobs: bool = False) -> ChatModel:
    """The chat model a spec names: `openai:MODEL@BASE_URL`, `ollama:MODEL`, or any `PROVIDER:MODEL` of LangChain.

    With `logprobs`, the first piece of a reply carries log-probabilities where the server gives them. No server is
    asked yet. Raises ConfigError for a spec that names no model or lacks a key, MissingExtra.
    """
    from sightline.mllms.langchain import LangChainChat

    return LangChainChat(spec, logprobs=logprobs)
