"""Lets a chat model answer: packs, prompts, cuts its stream into sentences and passes on those that are borne out.

Does not decide what happens when the model fails; its errors pass through.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from generator.compose import Unit
from generator.packing import pack
from generator.prompt import NO_ANSWER, messages
from generator.sentences import abbreviated
from generator.verify import Asked, check
from sightline.protocols import ChatModel
from sightline.types import Hit, Part, Piece, Pixels

_LONGEST_CHARS = 8_000  # of a reply; what runs on is nonsense
_MARKERS = r"(?:\s*(?:\[[^\]\n]{0,24}\]|【[^】\n]{0,24}】))*"
_BOUNDARY = re.compile(rf"(?:[.!?…][\"”’)]*{_MARKERS}(?=\s+[^\s\[【])|[。！？]{_MARKERS}|\n\s*(?=[^\s\[【]))")
_THOUGHT = re.compile(r"<think>.*?(?:</think>|$)", re.DOTALL)


def spoken(
    question: str,
    hits: Sequence[Hit],
    chat: ChatModel,
    picture: Callable[[Part], Pixels | None],
    *,
    image: Pixels | None,
    warnings: list[str],
    timeout_s: float,
) -> Iterator[Unit]:
    """The sentences that the evidence bears out, each as soon as it is whole. Raises EngineError, EngineTimeout."""
    blocks = pack(hits, picture)
    if not blocks:
        return
    asked = Asked.of(question)
    for sentence in cut(chat.stream(messages(question, blocks, image), timeout_s=timeout_s), warnings):
        if refuses(sentence):
            return
        checked = check(sentence, asked, blocks)
        warnings.extend(warning for warning in checked.warnings if warning not in warnings)
        if checked.unit is not None:
            yield checked.unit


def refuses(sentence: str) -> bool:
    """Whether the model says that it has no answer."""
    plain = re.sub(r"[^a-z]", "", sentence.casefold())
    return NO_ANSWER.replace("_", "").casefold() in plain


def cut(pieces: Iterator[Piece], warnings: list[str]) -> Iterator[str]:
    """Whole sentences out of a stream of pieces; a marker after the full stop belongs to the sentence before it."""
    waiting, length = "", 0
    for piece in pieces:
        waiting += piece.text
        length += len(piece.text)
        if "<think>" in waiting:
            if "</think>" not in waiting and length <= _LONGEST_CHARS * 4:
                continue
            waiting = _THOUGHT.sub("", waiting)
            length = len(waiting)
        while match := _whole(waiting):
            yield waiting[: match.end()].strip()
            waiting = waiting[match.end() :].lstrip()
        if length > _LONGEST_CHARS:
            warnings.append("The chat model ran on; the rest of its reply was left out.")
            return
    rest = _THOUGHT.sub("", waiting).strip()
    if rest:
        yield rest


def _whole(waiting: str) -> re.Match[str] | None:
    """The first boundary that ends a sentence, not an abbreviation or a list number."""
    return next(
        (
            match
            for match in _BOUNDARY.finditer(waiting)
            if waiting[: match.start()].strip()
            and not (match.group().startswith(".") and abbreviated(waiting[: match.start()]))
        ),
        None,
    )
