"""How a query is put before it is searched: misspelt words put right, and short queries rewritten by a chat model.

Holds the collection's vocabulary and what was rewritten; how either is done is the retriever's.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import cast

from retriever.cursors import searched_for, worded
from retriever.lengths import reading
from retriever.rewriting import may_be_rewritten, rewrites
from retriever.spelling import Vocabulary, corrected, rewritten, unquoted
from retriever.words import SAID
from sightline.errors import EngineError, EngineTimeout
from sightline.mllms import open_chat
from sightline.protocols import ChatModel, Encoder, Store
from sightline.queries import Asked
from sightline.rewrites import Rewrite
from sightline.settings import Settings
from sightline.showing import Show
from sightline.stores.checks import check_text
from sightline.types import Query, Results

MOST_TEXTS = 100_000  # that a vocabulary is read from
SHARE = 100  # times as long as it took to read, a vocabulary is used: at most 1 % of the time goes into it
MOST_KEPT = 1_000  # queries whose rewrites are kept


@dataclass(frozen=True, slots=True)
class Worded:
    """What is searched for, and what its asker should know of how that differs from what was typed."""

    query: Asked
    searched: str | None = None  # the words searched for, where they are not those typed
    warnings: tuple[str, ...] = ()
    show: Show | None = None  # with a cursor as the retriever knows it
    typed: str = ""

    def told_with(self, results: Results, *more: str) -> Results:
        """The results, saying so too, and `more`; their cursor keeps what was searched for, whatever is added."""
        cursor = results.cursor
        if cursor and self.searched is not None:
            cursor = worded(cursor, self.typed, self.searched)
        warnings = (*self.warnings, *more, *results.warnings)
        return replace(results, warnings=warnings, searched=self.searched, cursor=cursor)


class Wording:
    """The wording of one open collection's queries. Safe to share between threads."""

    def __init__(self, encoder: Callable[[], Encoder], store: Store, settings: Settings) -> None:
        """`encoder` opens the one in use, when a word is met that may be known to it."""
        self._encoder, self._store, self._settings = encoder, store, settings
        self._reading = threading.Lock()
        self._vocabulary, self._until = Vocabulary({}), float("-inf")
        self._keeping = threading.Lock()
        self._chats: dict[str, ChatModel] = {}
        self._kept: OrderedDict[tuple[str, str], tuple[Rewrite, ...]] = OrderedDict()

    def spelt(self, query: Asked, *, as_typed: bool = False, show: Show | None = None) -> Worded:
        """A query given as plain words, with those that nobody here says put right; every other one as it is.

        With a cursor to `show` from, it is what the first page searched for, whatever is said here by now. Raises
        InputError for a cursor of other words.
        """
        if show and show.cursor:
            return _as_before(query, show, as_typed=as_typed)
        if as_typed or not isinstance(query, str) or not query.strip():
            return Worded(query, show=show)
        check_text(query, "the query")
        found = corrected(query, vocabulary=self._known, says=self._says, knows=self._knows)
        if not found or self._store.get([query.strip()]):
            named = bool(self._store.get([query.strip()]))
            return Worded(query if named else unquoted(query), show=show)
        text = unquoted(rewritten(query, found)).strip()
        wrong = " or ".join(f"“{word}”" for word in found)
        told = (
            f"Searched for “{text}”: nothing here says {wrong}. Words in quotes of their own are searched for as typed."
        )
        return Worded(text, text, (told,), show, query.strip())

    def rewritten(self, query: Query, spec: str | None = None) -> tuple[Query, tuple[str, ...]]:
        """A query of a few words with what a chat model makes of it, or as it was and a sentence that says why.

        `spec` None: the one of the settings, where there is one; "": none. Raises ConfigError, MissingExtra for a spec
        that names no model.
        """
        spec = (self._settings.rewrite or "") if spec is None else spec
        if not spec or not may_be_rewritten(query):
            return query, ()
        text = cast("str", query.terms[0].content)
        if self._store.get([text]):
            return query, ()
        try:
            return replace(query, rewrites=self._rewrites(text, spec)), ()
        except EngineTimeout:
            return query, ("Rewriting took too long, so the query was searched as it is.",)
        except EngineError as exc:
            return query, (f"Rewriting failed, so the query was searched as it is: {exc}",)

    def _rewrites(self, text: str, spec: str) -> tuple[Rewrite, ...]:
        key = (spec, " ".join(text.split()))
        with self._keeping:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
            chat = self._chats.get(spec) or self._chats.setdefault(spec, open_chat(spec))
        made = rewrites(key[1], chat, timeout_s=self._settings.rewrite_timeout_s)
        with self._keeping:
            self._kept[key] = made
            while len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)
        return made

    def _says(self, word: str) -> bool:
        return bool(self._store.search_text(word, 1, modalities=SAID))

    def _knows(self, word: str) -> bool:
        """Whether the encoder has a word in one piece, as it has "a"; no, where it tells nothing of its tokens."""
        tokens = reading(self._encoder())
        return tokens is not None and tokens.count_tokens(word) == tokens.count_tokens("a")

    def _known(self) -> Vocabulary:
        """The words of the collection as it was a while ago at most."""
        with self._reading:
            started = time.monotonic()
            if started >= self._until:
                self._vocabulary = Vocabulary.of(self._store.texts(MOST_TEXTS))
                ended = time.monotonic()
                self._until = ended + SHARE * (ended - started)
            return self._vocabulary


def _as_before(query: Asked, show: Show, *, as_typed: bool) -> Worded:
    """What a page after the first searches for: the words that its cursor keeps, else the query as it is."""
    typed = query.strip() if isinstance(query, str) and not as_typed else ""
    cursor, text = searched_for(show.cursor, typed)
    if text is None:
        return Worded(unquoted(query) if isinstance(query, str) and typed else query, show=show)
    told = f"Searched for “{text}”, as on the pages before."
    return Worded(text, text, (told,), replace(show, cursor=cursor), typed)
