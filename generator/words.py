"""Words as the answerer compares them: tokens, stems, small typos, the words of a field's name, numbers.

Does not know what any word means; that is `lexicon`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

_TOKEN = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_]+(?:&[^\W\d_]+)*")
_NUMBER = re.compile(r"(?<![\w.,])[-+]?\d+(?:[.,]\d+)*|(?<=[^\W\d_])\d+(?:[.,]\d+)*")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_VOWEL = re.compile(r"[aeiouy]")
_IRREGULAR = {
    "people": "person", "persons": "person", "men": "man", "women": "woman", "children": "child", "feet": "foot",
    "teeth": "tooth", "mice": "mouse", "geese": "goose", "knives": "knife", "leaves": "leaf", "shelves": "shelf",
    "scarves": "scarf", "loaves": "loaf", "halves": "half", "wolves": "wolf", "grey": "gray", "aluminium": "aluminum",
    "bought": "buy", "sold": "sell", "sent": "send", "held": "hold", "kept": "keep", "worn": "wear", "sizing": "size",
    "warmth": "warm", "strength": "strong", "depth": "deep", "width": "wide", "height": "high", "length": "long",
    "thickness": "thick", "weighs": "weight", "weigh": "weight", "weighed": "weight", "weighing": "weight",
    "eaten": "eat", "ate": "eat", "given": "give", "taken": "take", "written": "write", "wrote": "write",
    "grown": "grow",
    "grew": "grow", "lent": "lend", "built": "build", "bred": "breed",
    "broken": "break", "torn": "tear", "frozen": "freeze", "drunk": "drink", "thrown": "throw",
    "delivery": "deliver", "deliveries": "deliver", "paid": "pay", "payment": "pay", "payments": "pay",
    "lenses": "lens", "lens": "lens", "lost": "lose", "drawn": "draw", "drew": "draw", "hung": "hang", "laid": "lay",
    "sewn": "sew", "slept": "sleep", "stolen": "steal", "stole": "steal", "woven": "weave", "wove": "weave",
    "flown": "fly", "fed": "feed", "blown": "blow", "shrunk": "shrink", "spun": "spin", "swept": "sweep",
    "hidden": "hide", "caught": "catch", "ridden": "ride", "driven": "drive", "chosen": "choose", "begun": "begin",
    "taught": "teach", "forgotten": "forget",
}  # fmt: skip
_NUMBER_WORDS = {
    word: str(n)
    for n, word in enumerate(
        ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
    )
} | {"fourteen": "14", "fifteen": "15", "twenty": "20", "thirty": "30", "forty": "40", "fifty": "50", "sixty": "60",
     "ninety": "90", "hundred": "100"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Word:
    """A token of a text: as written, as compared, and where it stands."""

    raw: str
    stem: str
    start: int
    end: int

    @property
    def is_number(self) -> bool:
        return self.raw[0].isdigit()


def fold(text: str) -> str:
    """Lower case, accents off, typographic apostrophes straight."""
    if text.isascii():
        return text.lower()
    plain = unicodedata.normalize("NFKD", text.replace("’", "'").casefold())
    return "".join(char for char in plain if not unicodedata.combining(char))


@lru_cache(maxsize=65_536)
def stem(word: str) -> str:
    """One form for the inflections of an English word; other words come back folded."""
    word = fold(word)
    if word in _IRREGULAR:
        return _mute(_IRREGULAR[word])
    if word in _NUMBER_WORDS:
        return _NUMBER_WORDS[word]
    if len(word) <= 3 or not word.isascii() or not word.isalpha():
        return word
    word = _suffix(_plural(word))
    if len(word) > 4 and word.endswith("our"):
        word = word[:-3] + "or"
    if len(word) > 4 and word[-3:] in ("tre", "bre"):
        word = word[:-2] + "er"
    return _mute(word)


def _mute(word: str) -> str:
    return word[:-1] if len(word) > 3 and word.endswith("e") else word


def _plural(word: str) -> str:
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("sses", "xes", "ches", "shes", "uses")):
        return word[:-2]
    if word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word


def _suffix(word: str) -> str:
    if word.endswith("ied") and len(word) > 4:
        return word[:-3] + "y"
    for ending in ("ing", "ed"):
        root = word[: -len(ending)]
        if word.endswith(ending) and not word.endswith("eed") and len(root) >= 3 and _VOWEL.search(root):
            doubled = len(root) > 3 and root[-1] == root[-2] and root[-1] not in "lsz"
            return root[:-1] if doubled else root
    if word.endswith(("tion", "sion")) and len(word) > 6:
        return word[:-3]
    if word.endswith("able") and len(word) > 7:
        return word[:-4]
    return word


@lru_cache(maxsize=4096)
def words(text: str) -> tuple[Word, ...]:
    """The tokens of a text in order; `45L` is two, a possessive 's is none, a number keeps its decimals."""
    found = []
    for match in _TOKEN.finditer(text):
        raw = match.group()
        before = text[match.start() - 1 : match.start()]
        if raw.casefold() in ("s", "t", "re", "ll", "ve", "d", "m") and before in ("'", "’"):
            continue
        found.append(Word(raw, normal_number(raw) if raw[0].isdigit() else stem(raw), match.start(), match.end()))
    return tuple(found)


def stems(text: str) -> frozenset[str]:
    return frozenset(word.stem for word in words(text))


def name_words(name: str) -> list[str]:
    """A field's name as words: `unitPrice_eur` -> unit, price, eur."""
    spaced = _CAMEL.sub(" ", name.replace("_", " ").replace("-", " ").replace(".", " "))
    return [word.raw for word in words(spaced)]


def normal_number(text: str) -> str:
    """`1,299.00`, `1.299,00` and `1299` are one number; the text of it, no trailing zeros."""
    value = parse_number(text)
    return text if value is None else f"{value:.6f}".rstrip("0").rstrip(".")


def parse_number(text: str) -> float | None:
    """The first number of a text; the last separator is the decimal one unless three digits follow it."""
    match = re.search(r"-?\d+(?:[.,]\d+)*", text)
    if match is None:
        return None
    digits = match.group()
    cut = max(digits.rfind("."), digits.rfind(","))
    if cut < 0:
        return float(digits)
    separator, tail = digits[cut], digits[cut + 1 :]
    whole = digits[:cut].replace(",", "").replace(".", "")
    one_kind = digits.count(separator) == 1
    thousands = len(tail) == 3 and separator == "," and whole != "0"
    if (len(tail) == 3 and not one_kind) or thousands:
        return float(whole + tail)
    return float(f"{whole}.{tail}")


def numbers(text: str) -> frozenset[str]:
    """Every number of a text in its normal form, digits and small number words alike."""
    spoken = {word.stem for word in words(text) if fold(word.raw) in _NUMBER_WORDS}
    return frozenset({normal_number(match.group().lstrip("+-")) for match in _NUMBER.finditer(text)} | spoken)


def digits_of(text: str) -> frozenset[str]:
    """Every number written in digits, in its normal form."""
    return frozenset(normal_number(match) for match in re.findall(r"\d+(?:[.,]\d+)*", text))


def nearest(word: str, vocabulary: Iterable[str]) -> str | None:
    """The one word of the vocabulary that `word` is a small slip of, or None.

    Up to six letters only a lost, doubled or swapped letter counts: another letter makes another word (books, boots).
    Of five letters, only two swapped or one of a pair lost: plnat, ketle.
    """
    if len(word) < 5 or not word.isalpha():
        return None
    allowed = 2 if len(word) >= 9 else 1
    close = {other: edits(word, other) for other in vocabulary if _may_slip(word, other)}
    best = [other for other, cost in close.items() if cost <= allowed and cost == min(close.values())]
    return best[0] if len(best) == 1 else None


def _may_slip(word: str, other: str) -> bool:
    if len(other) < 5 or other[0] != word[0] or abs(len(other) - len(word)) > 2 or not other.isalpha():
        return False
    if len(word) == 5:
        return sorted(other) == sorted(word) or _undoubled(other) == _undoubled(word)
    return len(word) >= 7 or len(other) != len(word) or sorted(other) == sorted(word)


def _undoubled(word: str) -> str:
    return re.sub(r"(.)\1", r"\1", word)


def edits(a: str, b: str) -> int:
    """Letters lost, added, changed or swapped with their neighbour (optimal string alignment)."""
    before: list[int] = []
    row = list(range(len(b) + 1))
    for i, char in enumerate(a, 1):
        older, before, row = before, row, [i]
        for j, other in enumerate(b, 1):
            cost = min(row[j - 1] + 1, before[j] + 1, before[j - 1] + (char != other))
            if i > 1 and j > 1 and char == b[j - 2] and a[i - 2] == other:
                cost = min(cost, older[j - 2] + 1)
            row.append(cost)
    return row[-1]


def within(text_words: Sequence[Word], wanted: frozenset[str], slack: int = 2) -> bool:
    """Whether all wanted stems stand close together: in a run of their number and `slack` more words."""
    if not wanted:
        return True
    places = list(_places(text_words, wanted))
    width = len(wanted) + slack
    return any({s for p, s in places if start <= p < start + width} == wanted for start, _ in places)


def _places(text_words: Sequence[Word], wanted: frozenset[str]) -> Iterator[tuple[int, str]]:
    return ((place, word.stem) for place, word in enumerate(text_words) if word.stem in wanted)
