"""Collections on the move: exports that any store reads back, and snapshots of one collection's files.

Knows ledger and store by what each tells of one moment; knows nothing of terminals.
"""

from __future__ import annotations

from sightline.transfer.door import Transfer
from sightline.transfer.reports import ExportReport, ImportReport, Snapshot
from sightline.transfer.restoring import restore
from sightline.transfer.snapshots import remove_snapshot, snapshots

__all__ = ["ExportReport", "ImportReport", "Snapshot", "Transfer", "remove_snapshot", "restore", "snapshots"]
