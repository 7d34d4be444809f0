"""Questions to grounded, cited answers or an honest abstention, from a search that is handed in.

Knows no indexer, retriever, store or encoder.
"""

from generator.answering import answer, stream

__all__ = ["answer", "stream"]
