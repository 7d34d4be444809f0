"""Indexing: sources → items → parts → vectors → store. Knows engines through `sightline.protocols` only."""

from __future__ import annotations

from indexer.ledger import Ledger
from indexer.migration import Reembedding
from indexer.passports import Passport
from indexer.pipeline import add, delete
from indexer.records import IndexOptions
from indexer.regioning import RegionPlan, plan, planned

__all__ = ["IndexOptions", "Ledger", "Passport", "Reembedding", "RegionPlan", "add", "delete", "plan", "planned"]
