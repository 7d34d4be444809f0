"""What became of a reranker in one search: who was asked, of how many hits, and why, or why not.

A value only; it decides nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Reranked:
    """Told with every search that names a reranker."""

    by: str
    read: int  # hits that it judged, from the first; 0: it was not asked, or failed
    weight: float  # what its log-odds were multiplied by, beside the first order
    why: str  # for people, as "attributes: read by default"

    def to_json(self) -> dict[str, Any]:
        return {"by": self.by, "read": self.read, "weight": round(self.weight, 4), "why": self.why}
