"""The rerankers of one open collection, each with how far it is believed here, kept in the collection's ledger.

Knows what is kept; what it means is the retriever's, what it is fitted by the evaluation's.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable
from threading import Lock

from indexer import Ledger
from retriever.reranking import Reranking, Trust
from sightline.compacting import Writing
from sightline.protocols import Reranker
from sightline.rerankers import open_reranker
from sightline.settings import Settings
from sightline.types import Part, Pixels

NOTE = "trust in rerankers"
OPEN = 4  # rerankers that stay open, with what they judged


class Rerankers:
    """By spec. Safe to share between threads."""

    def __init__(
        self, settings: Settings, ledger: Ledger, picture: Callable[[Part], Pixels | None], writing: Writing
    ) -> None:
        self._settings, self._ledger, self._picture, self._writing = settings, ledger, picture, writing
        self._opened: OrderedDict[str, Reranker] = OrderedDict()
        self._opening = Lock()
        self._coming: dict[str, Lock] = {}  # by spec, held while it is opened

    def named(self, spec: str | None, *, gated: bool | None = None, depth: int | None = None) -> Reranking | None:
        """The reranker of a spec, None or the setting; none for "". Raises ConfigError, MissingExtra."""
        settings = self._settings
        spec = settings.rerank if spec is None else spec
        if not spec:
            return None
        return Reranking(
            self.open(spec),
            depth or settings.rerank_depth,
            self.trust(spec),
            settings.rerank_gate if gated is None else gated,
        )

    def open(self, spec: str) -> Reranker:
        """Opened once and kept, so that it remembers what it judged. Raises ConfigError, MissingExtra."""
        if found := self._found(spec):
            return found
        with self._opening:
            coming = self._coming.setdefault(spec, Lock())
        with coming:  # and not under the lock of all: who wants one that is open waits for no download
            if found := self._found(spec):  # opened by who was quicker
                return found
            timeout_s, tokens = self._settings.rerank_timeout_s, self._settings.rerank_tokens
            found = open_reranker(spec, picture=self._picture, timeout_s=timeout_s, tokens=tokens)
            with self._opening:
                self._opened[spec] = found
                if len(self._opened) > OPEN:
                    self._opened.popitem(last=False)
            return found

    def _found(self, spec: str) -> Reranker | None:
        with self._opening:
            if spec in self._opened:
                self._opened.move_to_end(spec)
            return self._opened.get(spec)

    def trust(self, spec: str) -> Trust:
        """How far it is believed: as tuned here, else as by default."""
        kept = self._kept().get(spec)
        return Trust() if kept is None or kept["of"] != self._of() else Trust.from_json(kept)

    def set_trust(self, spec: str, trust: Trust | None) -> None:
        """From now on, for every process; None: as by default again."""
        with self._writing():
            kept = {name: told for name, told in self._kept().items() if name != spec}
            if trust is not None:
                kept[spec] = trust.to_json() | {"of": self._of()}
            self._ledger.note(NOTE, json.dumps(kept) if kept else "")

    def _of(self) -> str:
        """What the first order was made by: by another, nothing is proved."""
        return f"{self._ledger.built_by()} {self._ledger.adapter_state()[0]}"

    def _kept(self) -> dict[str, dict[str, object]]:
        text = self._ledger.noted(NOTE)
        found: dict[str, dict[str, object]] = json.loads(text) if text else {}
        return found
