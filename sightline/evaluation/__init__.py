"""The ruler: metrics by a library, with intervals.

Knows ranked ids and judged ids only; nothing of how a ranking came about.
"""

from __future__ import annotations

from sightline.evaluation.metrics import Judged, Score, score

__all__ = ["Judged", "Score", "score"]
