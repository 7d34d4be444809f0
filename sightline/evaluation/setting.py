"""What is measured: which encoder, store and index, which channels, which reranker; and how a second one differs.

Does not open any of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path

from sightline.errors import InputError

CHANNELS: Mapping[str, tuple[str, ...]] = {"all": (), "vectors": ("clip", "dense"), "words": ("words",)}
ONE_BY_ONE = ("clip", "dense", "words")  # the channels themselves may be named too, with + between them

# what a name left empty stands for, in words
DEFAULTS = {"channels": "all", "rerank": "none", "text_encoder": "none", "index": ".sightline"}


@dataclass(frozen=True, slots=True)
class Setting:
    """One way to search. What is empty is as `Sightline.open` and `Sightline.search` have it."""

    encoder: str = ""
    text_encoder: str = ""
    store: str = ""
    index: str = ""
    collection: str = ""
    channels: str = ""  # "words", "vectors", "clip+dense", "all"
    rerank: str = ""

    def __post_init__(self) -> None:
        _ = self.asked  # an unknown channel is told at once

    def changed(self, pairs: Mapping[str, str]) -> Setting:
        """The same setting but for `pairs`. Raises InputError for a name that is none, or when nothing differs."""
        names = [field.name for field in fields(self)]
        if unknown := sorted(set(pairs) - set(names)):
            raise InputError(f"--against takes {', '.join(names)}; not {unknown[0]!r}")
        other = replace(self, **pairs)
        if other == self:
            raise InputError("--against names the setting itself: there is nothing to compare")
        return other

    @property
    def asked(self) -> tuple[str, ...] | None:
        """The channels to ask; None: all. Raises InputError for one that is none."""
        if not self.channels:
            return None
        names = CHANNELS.get(self.channels, tuple(self.channels.split("+")))
        if unknown := [name for name in names if name not in ONE_BY_ONE]:
            raise InputError(f"channels are {', '.join((*CHANNELS, *ONE_BY_ONE[:2]))}; not {unknown[0]!r}")
        return names or None

    @property
    def folder(self) -> Path | None:
        """Where an index that exists is kept."""
        return Path(self.index) if self.index else None


def names_of(first: Setting, second: Setting) -> tuple[str, str]:
    """What to call two settings: what sets them apart."""
    apart = [field.name for field in fields(first) if getattr(first, field.name) != getattr(second, field.name)]
    one, other = (
        ", ".join(f"{name}={getattr(setting, name) or DEFAULTS.get(name, 'default')}" for name in apart)
        for setting in (first, second)
    )
    return one, other
