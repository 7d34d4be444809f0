"""What vision-language models are asked here, and in what portions.

Knows no model.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sightline.types import Pixels

CAPTION = "Describe this picture in one line."
CAPTION_TOKENS, ANSWER_TOKENS = 40, 32  # at most, of a reply
AT_ONCE = 16  # questions in one batch


def match_question(text: str) -> str:
    """The question whose "yes" means that a picture fits a query."""
    return f'Does this picture match "{text}"? Answer yes or no.'


def portions(asked: Sequence[tuple[str, Pixels]]) -> Iterator[Sequence[tuple[str, Pixels]]]:
    """The questions, a batch at a time."""
    for start in range(0, len(asked), AT_ONCE):
        yield asked[start : start + AT_ONCE]
