"""Everyday English as far as a correction of spelling must know it: what is a right word, and what is of elsewhere.

Knows words and endings only. The words of `english.txt` are those of our own lists, those in the names of ImageNet's
classes, and those that six or more captions of Flickr8k's training photos say, the commonest in these first.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache, lru_cache
from importlib import resources

from retriever.words import FUNCTION_WORDS

# Words of grammar in other languages written in Latin letters, none of which is common in English.
_ELSEWHERE = """
avec aux ces cette chez dans des elle est et les leur mais nous ou pas pour qui que sans ses son sont sous sur un une
vous aber auf aus bei das dem den der des ein eine einem einen einer fuer für gegen ich ist kein keine mit nach nicht
oder ohne sich sie sind und vom von vor wie zu zum zur con como cual del desde donde el ella en entre es esta este los
las muy para pero por porque sin sobre su sus una uno y com da das do dos e em mais na nas no nos o os ou pela pelo per
se seu sua um uma al alla allo che cui dei della delle di gli il lo nel nella non piu più quale questo sono tra aan bij
dat de deze dit een het hij hoe ik je met naar niet om ook op te uit van voor wat wij zijn zonder av den det en ett
från för hos inte med och på som till är den det er et ikke med og på som til za na nie od po się z ze w i ve ile bir
"""
# Those that are words of English too, or stand in names: one says nothing, two of them do where no other is English.
_OURS = frozenset({"the", "with", "of", "and", "for", "from", "my", "your", "this", "that"})
_EITHER = frozenset({"den", "die", "du", "la", "le", "per", "pour", "sin", "son", "till", "van"})
ELSEWHERE = frozenset(_ELSEWHERE.split()) - FUNCTION_WORDS - _EITHER - frozenset({"do", "no", "on"})
_ENDINGS = (
    ("ies", "y"), ("ied", "y"), ("ier", "y"), ("iest", "y"), ("ily", "y"), ("es", ""), ("s", ""), ("ed", ""),
    ("ed", "e"), ("ing", ""), ("ing", "e"), ("er", ""), ("er", "e"), ("ers", ""), ("ers", "e"), ("est", ""),
    ("est", "e"), ("ly", ""), ("y", ""), ("y", "e"), ("less", ""), ("ful", ""), ("ish", ""), ("like", ""),
    ("proof", ""), ("ness", ""), ("able", ""), ("able", "e"), ("ment", ""), ("ings", ""), ("ings", "e"), ("al", ""),
    ("ally", ""), ("ic", ""), ("ion", ""), ("ion", "e"), ("ation", "e"), ("ation", ""), ("or", ""), ("or", "e"),
    ("ous", ""),
)  # fmt: skip
_BEGINNINGS = ("un", "re", "non", "over", "under", "out", "pre", "multi", "anti", "super", "semi", "mini", "self")
JOINING = frozenset({"and", "for", "from", "the", "with", "your"})  # words that others are run together with
_PART = 3  # letters, at least, of each word that another is put together of, but for words of grammar


@cache
def words() -> Mapping[str, int]:
    """Word of everyday English, lower case, three letters and more -> how many are commoner."""
    text = resources.files("retriever").joinpath("english.txt").read_text(encoding="utf-8")
    return {word: rank for rank, word in enumerate(text.split())}


@lru_cache(maxsize=10_000)
def is_english(word: str) -> bool:
    """Whether a word, lower case, is one of everyday English, with its beginnings and endings."""
    if _is_formed(word) or _is_formed(_british(word)):
        return True
    return any(word.startswith(begin) and _is_formed(word.removeprefix(begin)) for begin in _BEGINNINGS)


def parts(word: str) -> Iterator[tuple[str, str]]:
    """The two words that a word may be put together of, as they stand in the list: "wineglass" is "wine", "glass"."""
    for at in range(2, len(word) - 1):
        both = word[:at], word[at:]
        fits = all(one in JOINING or (len(one) >= _PART and one in words()) for one in both)
        if fits and not JOINING.issuperset(both):
            yield both


def _is_formed(word: str) -> bool:
    known = words()
    if word in known or word in FUNCTION_WORDS:
        return True
    for ending, instead in _ENDINGS:
        stem = word.removesuffix(ending)
        if stem != word and (stem + instead in known or (not instead and _undoubled(stem) in known)):
            return True
    return False


def _british(word: str) -> str:
    """ "organizing" as "organising", "colorful" as "colourful": one more spelling to look up."""
    return re.sub(r"(?<=[a-z]{2})iz(?=e|a|i)", "is", re.sub(r"(?<=[a-z]{2})or(?=s?$|ed$|ing$|ful$|less$)", "our", word))


def _undoubled(stem: str) -> str:
    """ "jogg" as "jog"."""
    return stem[:-1] if len(stem) > _PART and stem[-1] == stem[-2] else stem


def looks_english(text: str) -> bool:
    """Whether nothing says that a text is of another language: its letters, or its words of grammar."""
    if not text.isascii() and any(char.isalpha() and not char.isascii() for char in text):
        return False
    said = frozenset(re.findall(r"[a-z]+", text.casefold()))
    return said.isdisjoint(ELSEWHERE) and (len(said & _EITHER) < 2 or not said.isdisjoint(_OURS))
