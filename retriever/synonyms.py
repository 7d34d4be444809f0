"""Other words for the words of a query, of everyday English: who asks for a couch is answered by a sofa.

Knows `synonyms.txt` only: groups of names that mean the same, in British and American English.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from typing import TypeAlias

from retriever.words import content_words

Name: TypeAlias = tuple[str, ...]  # the words of one name, singular
_LONGEST = 3  # words of a name


def others(words: Sequence[str]) -> tuple[frozenset[str], ...]:
    """For each content word of a query, in order, the single words that say the same there, singular.

    Longer names go before shorter ones: the "light" of a "light bulb" is no lamp. A name is said by a name of one word,
    or by one of as many words of which one differs: of "plant pot", "plant" is said by "flower".
    """
    plain = [singular(word) for word in words]
    found: list[set[str]] = [set() for _ in words]
    taken: set[int] = set()
    for count in range(_LONGEST, 0, -1):
        for start in range(len(words) - count + 1):
            places = range(start, start + count)
            name = tuple(plain[start : start + count])
            if name in _groups() and taken.isdisjoint(places):
                taken.update(places)
                instead = [pair for other in _groups()[name] for pair in _instead(name, other)]
                for at, word in instead:
                    if "-" not in word:  # several words to a store, any of which would do for it
                        found[start + at].add(word)
    return tuple(map(frozenset, found))


def singular(word: str) -> str:
    """A word in lower case without the ending of a plural."""
    for ending, instead in (("ies", "y"), ("ches", "ch"), ("shes", "sh"), ("xes", "x"), ("sses", "ss")):
        if word.endswith(ending) and len(word) > len(ending) + 1:
            return word.removesuffix(ending) + instead
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")) else word


def _instead(name: Name, other: Name) -> list[tuple[int, str]]:
    """At which places of a name which word says the same."""
    if len(other) == 1:
        return [(at, other[0]) for at in range(len(name))]
    differing = [at for at, (one, two) in enumerate(zip(name, other, strict=False)) if one != two]
    return [(at, other[at]) for at in differing] if len(other) == len(name) and len(differing) == 1 else []


@cache
def _groups() -> Mapping[Name, frozenset[Name]]:
    """Name -> the other names of its groups."""
    text = resources.files("retriever").joinpath("synonyms.txt").read_text(encoding="utf-8")
    found: dict[Name, set[Name]] = {}
    for line in re.sub(r"#.*", "", text).splitlines():
        names = {tuple(map(singular, content_words(name))) for name in line.split(",") if name.strip()}
        for name in names:
            found.setdefault(name, set()).update(names - {name})
    return {name: frozenset(others) for name, others in found.items()}
