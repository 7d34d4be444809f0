"""Rerankers: engines that read a query and its hits together. One file per engine, each imported when asked for.

Knows the forms of a spec; knows nothing of how the hits were found.
"""

from __future__ import annotations

from collections.abc import Callable

from sightline.errors import ConfigError
from sightline.rerankers.cards import RerankerCard, reranker_cards
from sightline.rerankers.kept import Judging, Kept
from sightline.suggesting import did_you_mean
from sightline.types import Part, Pixels

__all__ = ["TOKENS", "RerankerCard", "open_reranker", "reranker_cards"]

FORMS = (
    "vlm:starter", "vlm:FOLDER", "cross-encoder:FOLDER-OR-NAME",
    "or a chat model: openai:MODEL@BASE_URL, ollama:MODEL, PROVIDER:MODEL as LangChain writes it",
)  # fmt: skip
TOKENS = 50_000  # that a chat model may be sent for one query


def open_reranker(
    spec: str, *, picture: Callable[[Part], Pixels | None], timeout_s: float, tokens: int = TOKENS
) -> Kept:
    """The reranker a spec names: `vlm:FOLDER`, a vision-language model on this machine that says yes or no,
    `cross-encoder:FOLDER` or a name on the hub, or any chat model that `sightline.mllms.open_chat` takes.

    It remembers what it judged for as long as it is held. `picture` gives the pixels of an image part, None where there
    are none; `tokens` bounds what a chat model is sent for one query. Raises ConfigError, MissingExtra.
    """
    return Kept(_opened(spec, picture, timeout_s, tokens))


def _opened(spec: str, picture: Callable[[Part], Pixels | None], timeout_s: float, tokens: int) -> Judging:
    if spec.startswith("vlm:"):
        from sightline.mllms import open_vision
        from sightline.rerankers.yes_no import YesNoReranker

        return YesNoReranker(open_vision(spec), picture, timeout_s=timeout_s)
    if spec.startswith("cross-encoder:"):
        from sightline.rerankers.cross_encoder import CrossEncoderReranker, open_cross_encoder

        return CrossEncoderReranker(open_cross_encoder(spec), picture, timeout_s=timeout_s)
    from sightline.mllms import open_chat
    from sightline.rerankers.chat import ChatReranker

    meant = did_you_mean(spec, [card.spec for card in reranker_cards()])
    if meant or ":" not in spec:
        raise ConfigError(f"there is no reranker {spec!r}.{meant} A reranker is one of: {', '.join(FORMS)}")
    return ChatReranker(open_chat(spec, logprobs=True), picture, timeout_s=timeout_s, tokens=tokens)
