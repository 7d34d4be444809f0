"""One other way to put a short query, as a chat model gave it.

A value only; it decides nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

Kind: TypeAlias = Literal["whole", "object", "attributes"]


@dataclass(frozen=True, slots=True)
class Rewrite:
    """What a query says as a whole sentence, or of the thing alone, or of what it is like."""

    kind: Kind
    text: str

    def to_json(self) -> dict[str, str]:
        return {"kind": self.kind, "text": self.text}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Rewrite:
        return cls(data["kind"], str(data["text"]))
