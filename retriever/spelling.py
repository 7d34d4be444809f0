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
from retriever.english import ELSEWHERE, JOINING, looks_english
from retriever.words import FUNCTION_WORDS

SHORTEST = 4  # letters: of shorter words, too many others are one letter away
LONG = 10  # letters from which on two may be wrong, not the first
TELLING = 7  # letters: where no word is known, shorter ones are as likely of another language
WHOLE = 6  # letters: of shorter words, the first is rarely wrong, and many differ by it alone
SHORTEST_FOUND = 3
VOWELS = "aeiouy"
ENDS = frozenset({"s", "d", "r", "y", "n", "l", "e", "es", "ed", "er", "ly", "al", "en", "ic", "or"})
_KEYS = {
    key: (row, at + (0.0, 0.25, 0.75)[row])
    for row, keys in enumerate(("qwertyuiop", "asdfghjkl", "zxcvbnm"))
    for at, key in enumerate(keys)
}  # where on a keyboard: in which row, how many keys from the left
BESIDE = {
    key: frozenset(other for other, (far, there) in _KEYS.items() if abs(far - row) <= 1 and 0 < abs(there - at) <= 1)
    for key, (row, at) in _KEYS.items()
}
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
            if abs(len(found) - len(word)) <= within and (away := slips(word, found, within)) <= within:
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


def unquoted(text: str) -> str:
    """The text without the marks around what is to be searched for as typed."""
    return _TOKEN.sub(lambda match: match.group().strip('"“”') if match.group()[0] in QUOTES else match.group(), text)


def _words(text: str) -> Iterator[str]:
    """The words of a text that may be put right, lower case."""
    shouted = text.upper() == text
    for token in islice(_TOKEN.findall(text), 64):
        plain = None if token[0] in QUOTES else _PLAIN.fullmatch(token)
        for word in plain.group(1).split("-") if plain else ():
            if len(word) >= SHORTEST and (shouted or word.islower() or word.istitle()):
                yield word.casefold()


def _names(text: str) -> frozenset[str]:
    """The words, lower case, that begin with a capital as names do: not the first, but for titles, where all do."""
    words = re.findall(r"[A-Za-z]{2,}", text)
    titled = len(words) > 1 and all(word[0].isupper() for word in words) and not text.isupper()
    return frozenset(
        word.casefold() for word in words[0 if titled else 1 :] if word[0].isupper() and not text.isupper()
    )


def _meant(word: str, vocabulary: Vocabulary, *, here: bool) -> str | None:
    """What a word is taken for: the nearest one, or two that were run together; None where there is none.

    What the collection says goes first; of two words run together, both must be said. `here`: only words that it says.
    """
    nearest = _nearest(word, vocabulary, here=here)
    if nearest and vocabulary.counts[nearest]:
        return nearest
    pairs = [both for both in english.parts(word) if all(vocabulary.says(one, here=here) for one in both)]
    sure = [both for both in pairs if all(len(one) >= SHORTEST or one in JOINING for one in both)]
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


def slips(typed: str, meant: str, most: int) -> int:
    """Slips of the finger that make one word of another; `most` + 1 for more, or for what no such slip explains.

    Damerau and Levenshtein's edits, as far as fingers make them: a letter left out, one that is doubled or beside its
    neighbour on the keyboard put in, one beside the right one (or another vowel, in long words) in its place, two that
    changed places. What merely ends otherwise ("withstand", "withstands") may be right as it is.
    """
    if _ends_otherwise(typed, meant):
        return most + 1
    never = most + 1
    before: list[int] = []
    last = list(range(len(meant) + 1))
    for i, a in enumerate(typed, start=1):
        put_in = 1 if _put_in(typed, i - 1) else never
        row = [last[0] + put_in]
        for j, b in enumerate(meant, start=1):
            cost = min(last[j] + put_in, row[j - 1] + 1, last[j - 1] + (0 if a == b else _instead(a, b, typed, never)))
            if i > 1 and j > 1 and a == meant[j - 2] and b == typed[i - 2]:
                cost = min(cost, before[j - 2] + 1)
            row.append(min(cost, never))
        before, last = last, row
    return last[-1]


def _put_in(typed: str, at: int) -> bool:
    """Whether a letter may be there for nothing: doubled, or beside a neighbour's on the keyboard."""
    beside = (typed[n] for n in (at - 1, at + 1) if 0 <= n < len(typed))
    return any(typed[at] == one or typed[at] in BESIDE.get(one, ()) for one in beside)


def _instead(a: str, b: str, typed: str, never: int) -> int:
    if b in BESIDE.get(a, ()) or (a in VOWELS and b in VOWELS and len(typed) >= WHOLE):
        return 1
    return never


def _ends_otherwise(typed: str, meant: str) -> bool:
    """Whether two words have the same stem: one is the other and a letter or two that words end in."""
    shorter, longer = sorted((typed, meant), key=len)
    return longer.startswith(shorter) and longer[len(shorter) :] in ENDS and longer[-1] != shorter[-1:]


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
