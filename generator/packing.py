"""Chooses what a chat model reads: the hits worth it, within a budget, the best one last, pictures beside their text.

Does not know the model; the numbers it gives the blocks are the markers the model may use.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from generator.compose import defused
from generator.evidence import Source, Statement, source
from generator.words import numbers
from sightline.types import Hit, Part, Pixels

_CUT_OFF = 0.35  # of the best hit's score: one irrelevant example costs more than it brings
_BUDGET_CHARS = 12_000  # of evidence in all, about 3,000 tokens
_BLOCK_CHARS = 2_000  # of one item
_PICTURES = 4


@dataclass(frozen=True)
class Block:
    """One numbered item of the evidence, as it is shown."""

    number: int
    source: Source
    shown: tuple[Statement, ...]
    picture: Pixels | None = None
    picture_part: Part | None = None

    @cached_property
    def text(self) -> str:
        """The item's statements, one a line; nothing in them can close the block or pose as a marker."""
        lines = [self.source.label, *(statement.quote for statement in self.shown)]
        return "\n".join(defused(line).replace("<", "‹").replace(">", "›") for line in dict.fromkeys(lines) if line)

    @cached_property
    def stems(self) -> frozenset[str]:
        return self.source.title_stems.union(*(s.stems | s.context for s in self.shown))

    @cached_property
    def numbers(self) -> frozenset[str]:
        said = (numbers(f"{s.quote}") for s in self.shown)
        return numbers(f"{self.source.label} {self.source.item.id}").union(*said)


def pack(hits: Sequence[Hit], picture: Callable[[Part], Pixels | None]) -> list[Block]:
    """The blocks in reading order, numbered from 1, best last."""
    kept = _worth_reading(hits)
    blocks: list[Block] = []
    left, pictures = _BUDGET_CHARS, _PICTURES
    for hit in kept:
        evidence = source(hit.item, hit.rank)
        shown = _fitting(hit, evidence, min(left, _BLOCK_CHARS))
        part = _picture_part(hit) if pictures else None
        pixels = picture(part) if part else None
        if not shown and pixels is None:
            continue
        left -= sum(len(statement.quote) for statement in shown)
        pictures -= pixels is not None
        blocks.append(Block(0, evidence, shown, pixels, part if pixels is not None else None))
    return [replace(block, number=n) for n, block in enumerate(reversed(blocks), 1)]


def _worth_reading(hits: Sequence[Hit]) -> list[Hit]:
    best = max((hit.score for hit in hits), default=0.0)
    return [hit for hit in hits if best <= 0 or hit.score >= _CUT_OFF * best]


def _fitting(hit: Hit, evidence: Source, budget: int) -> tuple[Statement, ...]:
    """The item's facts, then the sentences of the parts that were found, then the rest, as far as the budget goes."""
    found = {part.id for part in hit.parts}
    facts = [s for s in evidence.facts if len(s.quote) <= _BLOCK_CHARS // 2]
    ordered = sorted(evidence.sentences, key=lambda s: s.part.id not in found)
    title = [evidence.title] if evidence.title and not any(f.naming for f in facts) else []
    shown: list[Statement] = []
    for statement in [*title, *facts, *ordered]:
        budget -= len(statement.quote)
        if budget < 0:
            break
        shown.append(statement)
    return tuple(shown)


def _picture_part(hit: Hit) -> Part | None:
    return next((part for part in (*hit.parts, *hit.item.parts) if part.modality == "image"), None)
