"""Misspelt words of a query put right by the words that a collection says and those of everyday English.

Knows words only: what the collection says and what the encoder knows is handed in. A word that anybody knows is right.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from retriever import english
from retriever.english import ELSEWHERE, looks_english
from retriever.words import FUNCTION_WORDS

SHORTEST = 4  # letters: of shorter words, too many others are one letter away
LONG = 8  # letters from which on two may be wrong, not the first
TELLING = 7  # letters: where no word is known, shorter ones are as likely of another language
SHORTEST_FOUND = 3
MOST_WORDS = 200_000  # that a vocabulary keeps, the commonest
LONGEST = 24  # letters of a word: more is no word

QUOTES = '"“'
_TOKEN = re.compile(r'"[^"]*"|“[^”]*”|\S+')
_PLAIN = re.compile(r"[^\w\s]*([A-Za-z]+(?:-[A-Za-z]+)*)[^\w\s]*")  # a word, no id, number or contraction
_LETTERS = re.compile(r"[^\W\d_]+")
_ONES = np.asarray([bin(n).count("1") for n in range(1 << 16)], dtype=np.uint8)  # bits set in 16


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The words that the texts of a collection say, and in how many of them each stands; of everyday English, 0."""

    counts: Mapping[str, int]
    english: bool = True  # whether its texts are
    _words: tuple[str, ...] = ()  # by length
    _sizes: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))  # (n,) letters
    _bags: NDArray[np.int8] = field(default_factory=lambda: np.zeros((0, 32), np.int8))  # (n, 32) how often each letter
    _signs: NDArray[np.uint32] = field(default_factory=lambda: np.zeros(0, np.uint32))  # (n,) which letters, a bit each
    _firsts: NDArray[np.uint32] = field(default_factory=lambda: np.zeros(0, np.uint32))  # (n,) the first one

    @classmethod
    def of(cls, texts: Iterable[str]) -> Vocabulary:
        counts: Counter[str] = Counter()
        for text in texts:
            counts.update(set(_LETTERS.findall(text.casefold())))
        here, elsewhere = (sum(counts[word] for word in some) for some in (FUNCTION_WORDS, ELSEWHERE))
        kept = {
            word: count
            for word, count in counts.most_common(MOST_WORDS)
            if SHORTEST_FOUND <= len(word) <= LONGEST and word not in FUNCTION_WORDS
        }
        is_english = elsewhere <= here and sum(not word.isascii() for word in kept) * 4 <= len(kept)
        if is_english:
            kept |= dict.fromkeys(english.words().keys() - kept.keys(), 0)
        words = tuple(sorted(kept, key=lambda word: (len(word), word)))
        bags = np.stack([_bag(word) for word in words]) if words else np.zeros((0, 32), np.int8)
        firsts = np.asarray([ord(word[0]) for word in words], np.uint32)
        return cls(kept, is_english, words, np.asarray([len(word) for word in words]), bags, _signs(bags), firsts)

    def near(self, word: str) -> Iterator[tuple[int, str]]:
        """(edits, word) of all words one edit from this one, or two where it is long and begins alike."""
        most = 2 if len(word) >= LONG else 1
        first, end = (int(at) for at in np.searchsorted(self._sizes, (len(word) - most, len(word) + most + 1)))
        bag = _bag(word)
        other = self._signs[first:end] ^ _signs(bag[None])[0]
        allowed = np.where(self._firsts[first:end] == ord(word[0]), most, 1)
        # One edit changes which letters a word has by two at most, and how often it has them by two in all.
        close = np.flatnonzero(_ONES[other & 0xFFFF] + _ONES[other >> 16] <= 2 * allowed)
        apart = np.abs(self._bags[first + close] - bag).sum(axis=1, dtype=np.int64)  # (c, 32) -> (c,)
        for at in close[apart <= 2 * allowed[close]]:
            found, within = self._words[first + int(at)], int(allowed[at])
            if abs(len(found) - len(word)) <= within and (away := distance(word, found, within)) <= within:
                yield away, found


def corrected(
    text: str,
    *,
    vocabulary: Callable[[], Vocabulary],
    says: Callable[[str], bool],
    knows: Callable[[str], bool],
) -> dict[str, str]:
    """Misspelt words of a text -> the words they are taken for; nothing where all is right or nobody can say.

    A word is put right where the collection does not say it (`says`), everyday English has it not, and the encoder does
    not know it as one piece (`knows`); by the nearest word, one edit away, or two from eight letters on, a letter more
    or less, another one, or two that changed places. Left alone are words in quotes, of fewer than four letters, with
    digits, all in capitals beside others that are not, and texts that do not look English. `vocabulary` is asked for
    only where a word is unknown.
    """
    if not looks_english(text):
        return {}
    plain = list(_words(text))
    unknown = {word for word in plain if not (english.is_english(word) or says(word) or knows(word))}
    if not unknown or not vocabulary().english:
        return {}
    nobody = not any(english.is_english(word) for word in _LETTERS.findall(text.casefold()) if word not in unknown)
    near = {word: _nearest(word, vocabulary(), here=nobody and len(word) < TELLING) for word in unknown}
    found = {word: best for word, best in near.items() if best is not None}
    if len(found) < len(unknown) and 2 * len(unknown) > len(plain):
        return {}  # more is unknown than slips explain: names, or another language
    return found


def rewritten(text: str, found: Mapping[str, str]) -> str:
    """The text with the words put right, capitals where they were."""

    def replaced(match: re.Match[str]) -> str:
        token = match.group()
        if token[0] in QUOTES or not _PLAIN.fullmatch(token):
            return token
        return _LETTERS.sub(lambda word: _as_written(found.get(word.group().casefold(), ""), word.group()), token)

    return _TOKEN.sub(replaced, text)


def _words(text: str) -> Iterator[str]:
    """The words of a text that may be put right, lower case."""
    shouted = text.upper() == text
    for token in islice(_TOKEN.findall(text), 64):
        plain = None if token[0] in QUOTES else _PLAIN.fullmatch(token)
        for word in plain.group(1).split("-") if plain else ():
            if len(word) >= SHORTEST and (shouted or not word.isupper()):
                yield word.casefold()


def _nearest(word: str, vocabulary: Vocabulary, *, here: bool) -> str | None:
    """The word it is taken for: the nearest, beginning alike, said most often; None where there is none.

    `here`: only words that the collection says.
    """
    if len(word) > LONGEST:
        return None
    rank, counts = english.words(), vocabulary.counts
    ranked = [
        (away, other[0] != word[0], -counts[other], rank.get(other, len(rank)), other)
        for away, other in vocabulary.near(word)
        if counts[other] or not here
    ]
    return min(ranked)[-1] if ranked else None


def distance(left: str, right: str, most: int) -> int:
    """Edits between two words, two letters that changed places counted as one (Damerau); `most` + 1 for more."""
    before: list[int] = []
    last = list(range(len(right) + 1))
    for i, a in enumerate(left, start=1):
        row = [i]
        for j, b in enumerate(right, start=1):
            cost = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (a != b))
            if i > 1 and j > 1 and a == right[j - 2] and b == left[i - 2]:
                cost = min(cost, before[j - 2] + 1)
            row.append(cost)
        if min(row) > most and (not before or min(last) > most):
            return most + 1
        before, last = last, row
    return min(last[-1], most + 1)


def _bag(word: str) -> NDArray[np.int8]:
    """(32,): how often each letter stands in a word; letters that are not of a to z share places."""
    return np.bincount([ord(char) & 31 for char in word], minlength=32).astype(np.int8)


def _signs(bags: NDArray[np.int8]) -> NDArray[np.uint32]:
    """(n, 32) -> (n,): a bit for each letter that is there."""
    bits = (bags > 0) << np.arange(32, dtype=np.uint32)  # (n, 32)
    return np.asarray(bits.sum(axis=1), dtype=np.uint32)


def _as_written(word: str, like: str) -> str:
    if not word:
        return like
    return word.upper() if like.isupper() else word.capitalize() if like[0].isupper() else word
