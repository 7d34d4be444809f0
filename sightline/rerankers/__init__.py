"""Rerankers: engines that read a query and its hits together. One file per engine, each imported when asked for.

Knows the forms of a spec; knows nothing of how the hits were found.
"""

from __future__ import annotations

from collections.abc import Callable

from sightline.protocols import Reranker
from sightline.types import Part, Pixels

__all__ = ["open_reranker"]


def open_reranker(spec: str, *, picture: Callable[[Part], Pixels | None], timeout_s: float) -> Reranker:
    """The reranker a spec names: `vlm:FOLDER`, a vision-language model on this machine that says yes or no, or any
    chat model that `sightline.mllms.open_chat` takes.

    `picture` gives the pixels of an image part, None where there are none. Raises ConfigError, MissingExtra.
    """
    if spec.startswith("vlm:"):
        from sightline.mllms import open_vision
        from sightline.rerankers.yes_no import YesNoReranker

        return YesNoReranker(open_vision(spec), picture, timeout_s=timeout_s)
    from sightline.mllms import open_chat
    from sightline.rerankers.chat import ChatReranker

    return ChatReranker(open_chat(spec, logprobs=True), picture, timeout_s=timeout_s)
