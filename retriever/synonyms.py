"""Other words for the words of a query, of everyday English: who asks for a couch is answered by a sofa.

Knows `synonyms.txt` only: groups of names that mean the same, in British and American English.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from typing import TypeAlias

Name: TypeAlias = tuple[str, ...]  # the words of one name, as they are written
_LONGEST = 3  # words of a name
_SILENT = frozenset({"of"})  # in a name


def others(words: Sequence[str]) -> tuple[frozenset[str], ...]:
    """For each content word of a query, in order, the single words that say the same there.

    Longer names go before shorter ones: the "light" of a "light bulb" is no lamp. A name is said by a name of one word,
    or by one of as many words of which one differs: of "plant pot", "plant" is said by "flower".
    """
    stems = [stem(word) for word in words]
    found: list[set[str]] = [set() for _ in words]
    taken: set[int] = set()
    for count in range(_LONGEST, 0, -1):
        for start in range(len(words) - count + 1):
            places = range(start, start + count)
            names = _groups().get(tuple(stems[start : start + count]))
            if names and taken.isdisjoint(places):
                taken.update(places)
                instead = [pair for name in names for pair in _instead(stems[start : start + count], name)]
                for at, word in instead:
                    if "-" not in word:  # several words to a store, any of which would do for it
                        found[start + at].add(word)
    return tuple(map(frozenset, found))


def stem(word: str) -> str:
    """What a word in lower case has in common with its plural: "puppi" of "puppy", "cooki" of "cookies"."""
    if len(word) <= 3 or word.endswith(("ss", "us", "is")):
        return word
    for ending, instead in (("ies", "i"), ("ie", "i"), ("ches", "ch"), ("shes", "sh"), ("xes", "x"), ("sses", "ss")):
        if word.endswith(ending):
            return word.removesuffix(ending) + instead
    return word[:-1] + "i" if word.endswith("y") else word.removesuffix("s")


def _instead(stems: Sequence[str], other: Name) -> list[tuple[int, str]]:
    """At which places of a name which word of another says the same."""
    theirs = [stem(word) for word in other]
    if len(other) == 1:
        return [(at, other[0]) for at in range(len(stems)) if theirs[0] != stems[at]]
    differing = [at for at, (one, two) in enumerate(zip(stems, theirs, strict=False)) if one != two]
    return [(at, other[at]) for at in differing] if len(other) == len(stems) and len(differing) == 1 else []


@cache
def _groups() -> Mapping[Name, tuple[Name, ...]]:
    """Stems of a name -> the names of its groups, its own among them."""
    text = resources.files("retriever").joinpath("synonyms.txt").read_text(encoding="utf-8")
    found: dict[Name, tuple[Name, ...]] = {}
    for line in filter(None, re.sub(r"#.*", "", text).splitlines()):
        names = [tuple(word for word in name.split() if word not in _SILENT) for name in line.split(",")]
        for name in names:
            key = tuple(map(stem, name))
            found[key] = (*found.get(key, ()), *names)
    return found
