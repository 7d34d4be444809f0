"""The ruler: judged queries asked through the public door, metrics by a library, with intervals.

Reads pairs, catalogs and qrels; asks, scores and compares; knows nothing of terminals.
"""

from __future__ import annotations

from sightline.evaluation.cases import Case, Document, Task, pictures_only
from sightline.evaluation.catalog import read_catalog
from sightline.evaluation.clicks import read_clicks
from sightline.evaluation.files import digest
from sightline.evaluation.judged import read_judged
from sightline.evaluation.metrics import Difference, Judged, Score, score
from sightline.evaluation.pairs import read_pairs
from sightline.evaluation.report import Report
from sightline.evaluation.ruler import evaluate
from sightline.evaluation.setting import Setting

__all__ = [
    "Case",
    "Difference",
    "Document",
    "Judged",
    "Report",
    "Score",
    "Setting",
    "Task",
    "digest",
    "evaluate",
    "pictures_only",
    "read_catalog",
    "read_clicks",
    "read_judged",
    "read_pairs",
    "score",
]
