"""What is counted over the fields of a collection: a plan, its table, and what is known of each field.

Knows no store; `sightline.types` passes these names on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sightline.filters import Value


@dataclass(frozen=True, slots=True)
class FieldSummary:
    """One field of a collection: how many items have it, and in how many of them it is a number."""

    name: str
    count: int
    numbers: Literal["all", "some", "none"]

    @property
    def numeric(self) -> bool:
        """Whether every value is a number, so that it can be summed and compared."""
        return self.numbers == "all"


@dataclass(frozen=True, slots=True)
class Aggregate:
    """What to compute over the items that pass a filter: `count`, or min/max/mean of a numeric `field`."""

    op: Literal["count", "min", "max", "mean"]
    field: str | None = None  # None only with count
    by: str | None = None  # one row per value of this field


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of (group, value), largest value first; one row with group None where nothing was grouped by."""

    rows: tuple[tuple[Value | None, float], ...]
