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
LONG = 10  # letters from which on two may be wrong, not the first
TELLING = 7  # letters: where no word is known, shorter ones are as likely of another language
WHOLE = 6  # letters: of shorter words, the first is rarely wrong, and many differ by it alone
SHORTEST_FOUND = 3
MOST_WORDS = 200_000  # that a vocabulary keeps, the commonest
LONGEST = 24  # letters of a word: more is no word

QUOTES = '"“'
_TOKEN = re.compile(r'"[^"]*"|“[^”]*”|\S+')
_PLAIN = re.compile(r"[^\w\s]*([A-Za-z]+(?:-[A-Za-z]+)*)[^\w\s]*")  # a word, no id, number or contraction
_REPEATED = re.compile(r"(.)\1+")
_LETTERS = re.compile(r"[^\W\d_]+")
_ONES = np.asarray([bin(n).count("1") for n in range(1 << 16)], dtype=np.uint8)  # bits set in 16


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The words that the texts of a collection say, and in how many of them each stands; of everyday English, 0."""

    counts: Mapping[str, int]
    english: bool = True  # whether its texts are
    silent: bool = True  # whether there are no texts
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
        kept = {word: count for word, count in counts.most_common(MOST_WORDS) if SHORTEST_FOUND <= len(word) <= LONGEST}
        silent = not kept
        is_english = elsewhere <= here and sum(not word.isascii() for word in kept) * 4 <= len(kept)
        if is_english:
            kept |= dict.fromkeys(english.words().keys() - kept.keys(), 0)
        words = tuple(sorted(kept, key=lambda word: (len(word), word)))
        bags = np.stack([_bag(word) for word in words]) if words else np.zeros((0, 32), np.int8)
        firsts = np.asarray([ord(word[0]) for word in words], np.uint32)
        return cls(
            kept, is_english, silent, words, np.asarray([len(word) for word in words]), bags, _signs(bags), firsts
        )

    def says(self, word: str, *, here: bool = False) -> bool:
        """Whether a text says a word, or, unless `here`, none says anything; words of grammar are said everywhere."""
        return bool(self.counts.get(word)) or word in FUNCTION_WORDS or (self.silent and not here)

    def weight(self, word: str) -> int:
        """In how many texts a word stands; of grammar, in all."""
        return MOST_WORDS if word in FUNCTION_WORDS else self.counts.get(word, 0)

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
    not know it as one piece (`knows`); by the nearest word, one edit away, or two from ten letters on: a letter more or
    less, another one, or two that changed places; or by the two words of the collection that it runs together. Left
    alone are words in quotes, of fewer than four letters, with digits, all in capitals beside others that are not, and
    texts that do not look English. `vocabulary` is asked for only where a word is unknown.
    """
    if not looks_english(text):
        return {}
    plain = list(_words(text))
    unknown = {word for word in plain if not (english.is_english(word) or says(word) or knows(word))}
    if not unknown or not vocabulary().english:
        return {}
    nobody = not any(english.is_english(word) for word in _LETTERS.findall(text.casefold()) if word not in unknown)
    names = _names(text)
    near = {
        word: _meant(word, vocabulary(), here=word in names or (nobody and len(word) < TELLING))
        for word in sorted(unknown)
    }
    found = {word: best for word, best in near.items() if best is not None}
    if len(found) < len(unknown) and 2 * len(unknown) > len(plain):
        return {}  # more is unknown than slips explain: names, or another language
    return {word: best for word, best in found.items() if best != word}


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


def _names(text: str) -> frozenset[str]:
    """The words, lower case, that begin with a capital as only names do: not the first, nor in a title."""
    words = re.findall(r"[A-Za-z]{2,}", text)
    titled = all(word[0].isupper() for word in words)
    return frozenset() if titled else frozenset(word.casefold() for word in words[1:] if word[0].isupper())


def _meant(word: str, vocabulary: Vocabulary, *, here: bool) -> str | None:
    """What a word is taken for: the nearest one, or two that were run together; None where there is none.

    What the collection says goes first; of two words run together, both must be said. `here`: only words that it says.
    """
    nearest = _nearest(word, vocabulary, here=here)
    if nearest and vocabulary.counts[nearest]:
        return nearest
    pairs = [both for both in english.parts(word) if all(vocabulary.says(one, here=here) for one in both)]
    sure = [both for both in pairs if all(len(one) >= SHORTEST or one in FUNCTION_WORDS for one in both)]
    for some in (sure, [] if nearest else pairs):
        if some:
            return " ".join(max(some, key=lambda both: min(map(vocabulary.weight, both))))
    return nearest


def _nearest(word: str, vocabulary: Vocabulary, *, here: bool) -> str | None:
    """The nearest word: one that is said, of the same letters, beginning alike, said most often; else the commonest."""
    if len(word) > LONGEST:
        return None
    rank, counts = english.words(), vocabulary.counts
    ranked = [
        (
            *(away, not counts[other], not _same_letters(word, other), other[0] != word[0], -counts[other]),
            *(rank.get(other, len(rank)), other),
        )
        for away, other in vocabulary.near(word)
        if (counts[other] or not here) and (_alike(word, other) or len(word) >= WHOLE)
    ]
    return str(min(ranked)[-1]) if ranked else None


def _same_letters(left: str, right: str) -> bool:
    """Whether two words differ by the order of letters, or by how often one is repeated: the likeliest slips."""
    return sorted(left) == sorted(right) or _REPEATED.sub(r"\1", left) == _REPEATED.sub(r"\1", right)


def _alike(word: str, other: str) -> bool:
    """Whether two words begin with the same letter, or with the same two the other way round."""
    return word[0] == other[0] or word[:2] == other[1::-1]


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
