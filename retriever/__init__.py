"""The retriever: from a query to ranked hits. Knows engines through `sightline.protocols` only."""

from __future__ import annotations

from retriever.accounts import Account
from retriever.refining import Refined, Turn, refine
from retriever.retrieval import search

__all__ = ["Account", "Refined", "Turn", "refine", "search"]
