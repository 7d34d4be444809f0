"""The lexical channel: which items say the words of a query, and how much of it they account for.

Knows a store's BM25 by its protocol only: which words weigh much is asked of the store, not guessed.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from retriever.fusion import Vote
from retriever.synonyms import others
from sightline.filters import And, Filter, HasId
from sightline.protocols import Store
from sightline.types import Modality, PartHit

SAID: frozenset[Modality] = frozenset({"text", "fields"})
CUT = 0.25  # an item that accounts for less of the query than this has matched by chance
ALL = 100_000  # parts: more than the items of any pool have
LOOKED_AT = 1_000  # parts: enough to know whether something is said at all
SAYS = 0.5  # of a word's weight for saying it at all; the rest is for how prominently
ALIKE = 0.8  # of its BM25, that another word for a word counts for it
MOST_WORDS = 16  # of a very long query, the words beyond this are not asked for
MOST_IN_A_NAME = 4  # words; more is a description

# Words of asking and of grammar. The store's BM25 already gives little to what is common in a collection; these can be
# rare there ("something", "show") and still say nothing about what is sought.
_ENGLISH = """
a about all am an and any anything are as at be but by can could do does everything find for from get give had has have
how i if in into is it its like list look looking me my need no not of on or our over please search see show so some
something than that the their them then there these they thing things this those to under up us want was we were what
when where which while who whom whose why will with would you your
"""
FUNCTION_WORDS = frozenset(_ENGLISH.split())
ARTICLES = frozenset({"a", "an", "the"})


def content_words(text: str) -> list[str]:
    """The distinct words of a text that carry meaning, in order; all of its words when none does."""
    words = list(dict.fromkeys(re.findall(r"\w+(?:['’-]\w+)*", text.casefold())))
    return [word for word in words if word not in FUNCTION_WORDS] or words


def is_name(text: str) -> bool:
    """Whether a text is put as things are called, "red wine glass", and not as they are described."""
    words = [word for word in re.findall(r"\w+", text.casefold()) if word not in ARTICLES]
    return len(words) <= MOST_IN_A_NAME and FUNCTION_WORDS.isdisjoint(words)


@dataclass(frozen=True, slots=True)
class Said:
    """Who says the words of a query, and how prominently."""

    words: tuple[str, ...] = ()
    hits: tuple[PartHit, ...] = ()  # parts that say any of them, by BM25
    by_word: tuple[Mapping[str, float], ...] = ()  # for each word: item -> the best BM25 it has in a part of it
    weights: tuple[float, ...] = ()  # for each word: how much of the query it is

    @property
    def known(self) -> float:
        """0-1: how much of the query consists of words that somebody says."""
        return self.share([bool(items) for items in self.by_word])

    def share(self, chosen: Sequence[bool]) -> float:
        """0-1: how much of the query some of its words are, by one mark a word."""
        some = sum(weight for weight, one in zip(self.weights, chosen, strict=True) if one)
        return some / sum(self.weights) if any(self.weights) else 0.0

    def of(self, some: Collection[str]) -> Said:
        """The same of some of its words."""
        at = [place for place, word in enumerate(self.words) if word in some]
        words, by_word = tuple(self.words[n] for n in at), tuple(self.by_word[n] for n in at)
        return Said(words, self.hits, by_word, tuple(self.weights[n] for n in at))

    def covers(self, by_word: Sequence[Collection[str]] | None = None) -> dict[str, float]:
        """item -> 0-1: how much of the query it says at all, or by these sets of items, one a word."""
        share: dict[str, float] = {}
        for items, weight in zip(self.by_word if by_word is None else by_word, self.weights, strict=True):
            for item in items:
                share[item] = share.get(item, 0.0) + weight / sum(self.weights)
        return share


def said(
    store: Store, text: str, *, pool: int, where: Filter | None, emphasis: Mapping[str, float] | None = None
) -> Said:
    """Who says the words of `text`, or other words for them, by the `pool` parts of best BM25.

    A word weighs the best BM25 it has in the pool, and one that nobody says as much as the rarest, for nothing here
    accounts for it: "a cat on an outdoor couch" is not answered by everything that says "outdoor". `emphasis` takes
    from the weight of the words that are asked for less: word -> 0-1, 1 for those it lacks.
    """
    words = tuple(content_words(text)[:MOST_WORDS])
    instead = others(words)
    asked = " ".join((*words, *sorted(frozenset().union(*instead))))
    hits = store.search_text(asked, pool, where=where, modalities=SAID) if words else []
    by_word = _by_word(store, words, instead, hits, where) if hits else [{} for _ in words]
    meant = [(emphasis or {}).get(word, 1.0) for word in words]
    weights = tuple(share * weight for share, weight in zip(meant, weights_of(by_word), strict=True))
    scaled = ({item: share * bm25 for item, bm25 in one.items()} for share, one in zip(meant, by_word, strict=True))
    return Said(words, tuple(hits), tuple(scaled), weights)


def weights_of(by_word: Sequence[Mapping[str, float]]) -> tuple[float, ...]:
    """The best BM25 of each word; the highest of all for one that nobody says, 1 where nobody says any."""
    best = [max(scores.values(), default=0.0) for scores in by_word]
    return tuple(weight or max(best) or 1.0 for weight in best)


def by_words(said: Said) -> list[Vote]:
    """Parts that say the words of a query, the items that account for most of it first.

    An item gets half of a word's weight for saying it in any part, and the other half in proportion to its BM25: BM25
    alone rewards short parts so much that one word in a title beats both words in a passage.
    """
    if not any(any(scores.values()) for scores in said.by_word):
        return []
    share = dict.fromkeys((hit.item_id for hit in said.hits), 0.0)
    for scores, weight in zip(said.by_word, said.weights, strict=True):
        for item, bm25 in scores.items():
            share[item] += (SAYS * weight + (1 - SAYS) * bm25) / sum(said.weights)
    kept = [hit for hit in said.hits if share[hit.item_id] >= CUT]
    kept.sort(key=lambda hit: (-share[hit.item_id], hit.item_id, -hit.score, hit.part_id))
    return [Vote(hit.part_id, hit.item_id, share[hit.item_id], share[hit.item_id]) for hit in kept]


def _by_word(
    store: Store,
    words: Sequence[str],
    instead: Sequence[Collection[str]],
    hits: Sequence[PartHit],
    where: Filter | None,
) -> list[dict[str, float]]:
    """For each word, item -> the best BM25 that it, or another word for it, has in a part; over the items of `hits`."""
    if len(words) == 1 and not instead[0]:
        return [_best_of_items(hits)]
    items = HasId(tuple(sorted({hit.item_id for hit in hits})))
    narrowed = items if where is None else And((where, items))
    found = [_best_of_items(store.search_text(word, ALL, where=narrowed, modalities=SAID)) for word in words]
    for best, other in zip(found, instead, strict=True):
        said = store.search_text(" ".join(sorted(other)), ALL, where=narrowed, modalities=SAID) if other else []
        for item, bm25 in _best_of_items(said).items():
            best[item] = max(ALIKE * bm25, best.get(item, 0.0))
    return found


def _best_of_items(hits: Sequence[PartHit]) -> dict[str, float]:
    best: dict[str, float] = {}
    for hit in hits:
        best[hit.item_id] = max(hit.score, best.get(hit.item_id, 0.0))
    return best


def saying_all(store: Store, text: str, items: frozenset[str], *, where: Filter) -> frozenset[str]:
    """Those of `items` that say every content word of `text`, in whatever parts. `where` must select them.

    A word with a hyphen is several to a store, and any of them would do for it: a polo shirt says no "t-shirt".
    """
    words = _pieces(text)
    for word in words:
        hits = store.search_text(word, ALL, where=where, modalities=SAID)
        items &= {hit.item_id for hit in hits}
    return items if words else frozenset()


def is_said(store: Store, text: str, *, where: Filter | None) -> bool:
    """Whether some item says every content word of `text`, among the `LOOKED_AT` parts that say each word best."""
    saying: set[str] | None = None
    for word in _pieces(text):
        hits = {hit.item_id for hit in store.search_text(word, LOOKED_AT, where=where, modalities=SAID)}
        saying = hits if saying is None else saying & hits
    return bool(saying)


def _pieces(text: str) -> list[str]:
    """The content words of a text, one with a hyphen as the words it is made of: "a-line" is "line"."""
    return [piece for word in content_words(text) for piece in content_words(re.sub(r"\W", " ", word))]
