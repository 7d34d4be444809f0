"""Conversations on the wire: the turn before as a client sends it back, and what is said, liked or disliked after it.

Knows the wire's shapes only; what is meant is read by `sightline.Conversation`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from sightline import Conversation, Results, Sightline, Turn

MOST_JUDGED = 1_000
Id = Annotated[str, Field(max_length=1000)]
Words = Annotated[str, Field(max_length=4000)]


class TurnBody(BaseModel):
    """`turn` of the response before, unchanged; {} begins a conversation."""

    model_config = ConfigDict(extra="forbid")

    query: Words = ""
    negative: list[Words] = Field(default_factory=list, max_length=20)
    above: Words = ""
    below: Words = ""
    sort: str = Field("", max_length=200)
    liked: list[Id] = Field(default_factory=list, max_length=MOST_JUDGED)
    disliked: list[Id] = Field(default_factory=list, max_length=MOST_JUDGED)
    shown: list[Id] = Field(default_factory=list, max_length=MOST_JUDGED)


def go_on(
    index: Sightline, before: TurnBody, said: str | None, judged: Mapping[str, Sequence[str]], asked: Mapping[str, Any]
) -> tuple[Results, Turn]:
    """The hits after this was said and judged ("liked", "disliked"), and the turn to send back next time.

    `asked` are the options of `Conversation`.
    """
    talk = Conversation(index, Turn.from_json(before.model_dump()).judged(**judged), **asked)
    found = talk.say(said) if said and said.strip() else talk.again()
    return found, talk.turn
