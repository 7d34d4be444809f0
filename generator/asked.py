"""What a question asks for: a price, a colour, who painted it, how long it takes to charge.

Looks at the folded question alone; which words name the thing it is about is `question`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import islice

from generator.concepts import BY_NAME, CONCEPTS, Concept, agent
from generator.lexicon import EMPTY
from generator.measures import names
from generator.words import Word, fold, stem, words

_KIND_OF = re.compile(r"^(?:the )?(?:kinds?|types?|sorts?) of (?=\w)")
_NOUN = (
    re.compile(
        r"\b(?:what|which) (?:is|are|was|were) (?:the |its |their |your )?(?P<n>[^?]+?) (?:of|for"
        r"|on|at|does|do|that)\b"
    ),
    re.compile(
        r"\b(?:what|which) (?P<n>[^?]+?) (?:is|are|does|do|did|has|have|can|will|should|comes?|was"
        r"|were|would|goes?)\b(?! you (?:have|sell))"
    ),
    re.compile(r"\b(?:the|its|their) (?P<n>\w+(?: and (?:the )?\w+)*) of\b"),
    re.compile(
        r"\bhow (?:much|many) (?P<n>[^?]+?) (?:is|are|does|do|did|has|have|had|can|will|should|may|fits?|comes?|goes?"
        r"|belongs?|am)\b"
    ),
)
_HOW = re.compile(r"\bhow (?!much|many)\w+ (?:is|are|was|were) (?:the |its |their )?(?P<n>\w+) (?:of|on|in|at)\b")
_HOW_MUCH = re.compile(r"\bhow much (?:do|does|did|will|can) \w[^?]*? ([^\W\d_]+)\W*$")  # "does cotton shrink"
_PAID = re.compile(r"\b(?:costs?|pay|charged?|spend|prices?|sells?|retails?|want|ask|go(?:es)? for)\b")
_TAKES = re.compile(r"\btakes? to (?P<verb>\w+)")  # "how long does it take to charge"
_HOW_TO = re.compile(r"\bhow (?:do|can|should|could|would|to) (?:i |we |you )?(?P<verb>charge|carry|fit|order|pay)\b")
_WHEN_DONE = re.compile(
    r"\bwhen (?:was|were|is|are) [^?]+? (?P<verb>bought|sold|purchased|ordered|used|needed|offered|sent)\W*$"
)  # verbs that carry nothing elsewhere and all of the question here
_WHO = re.compile(
    r"^(?:and |so )?who (?:has |have |had )?(?P<verb>\w+)(?: you| us| me| we)?(?: for| to| with| after)? "
    r"(?=(?:the|this|that|these|those|your|our|my|its|a|an|all|it)\b)"
)
_POSSESSIVE = re.compile(r"\w['’]s? (?P<n>\w+(?: \w+)?)\W*$")
AUXILIARY = re.compile(r"(?:does|do|did|is|are|was|were|can|could|will|would|should|has|have)\b")
_VERB = re.compile(
    r"\b(?:made|used|built|composed|designed|good|suited|meant|known|crafted|constructed|consist\w*|like|available)$"
)


@dataclass(frozen=True, slots=True)
class Ask:
    """What is to be stated: a value of one of the concepts, in a statement that carries `words`."""

    concepts: tuple[Concept, ...] = ()
    words: frozenset[str] = frozenset()


def asks(plain: str, *, form: str) -> tuple[tuple[Ask, ...], frozenset[str]]:
    """What a folded question asks for, and the stems that the asking used up."""
    concepts = asked_concepts(plain)
    noun = "" if form == "list" or _only_stock(plain, concepts) else _noun(plain)
    concepts = () if noun and comes_in(plain) else concepts
    done = _of_doing(plain, concepts) if form != "list" else None
    if done:
        return (done,), done.words
    if noun:
        found = tuple(_of_noun(piece, concepts) for piece in re.split(r",| and (?:the )?", noun) if _askable(piece))
        if any(ask.concepts or ask.words for ask in found):
            return found, frozenset().union(*(ask.words for ask in found))
    if form == "list" and not concepts:
        return (Ask(),), frozenset()
    counted = re.search(r"\bhow many (\w+)", plain)
    if counted and concepts and concepts[0].loose:
        told = frozenset({stem(counted[1])})
        return (Ask(concepts, told),), told
    return (_of_words(plain, concepts),), frozenset()


def _only_stock(plain: str, concepts: tuple[Concept, ...]) -> bool:
    """Whether nothing but what is there is asked: "how many mugs do you have left" asks for no mugs."""
    return bool(concepts) and concepts[0].name == "stock" and not re.search(r"\b(?:what|which) \w", plain)


def _of_doing(plain: str, concepts: tuple[Concept, ...]) -> Ask | None:
    """What is asked by a verb, or of a part that stands before "of"; None where it is not."""
    if concepts and concepts[0].name == "load":
        return Ask(concepts)
    if found := _HOW_TO.search(plain):
        return Ask((), frozenset({stem(found["verb"])}))
    named = _WHEN_DONE.search(plain)
    if concepts and concepts[0].name == "duration":
        named = named or _TAKES.search(plain)
    if concepts and not concepts[0].loose:
        named = named or _HOW.search(plain)
    if named:
        return Ask(concepts, frozenset({stem(named[1])}))
    much = _HOW_MUCH.search(plain) if concepts and concepts[0].name == "money" else None
    if much and content(much[1]) and not _PAID.search(plain):
        return Ask((BY_NAME["number"],), frozenset({stem(much[1])}))
    doing = None if concepts else _WHO.match(plain)
    return Ask((agent(doing[1]),)) if doing and not AUXILIARY.match(doing[1]) else None


def _of_words(plain: str, concepts: tuple[Concept, ...]) -> Ask:
    """What is asked where no noun says so: a loose concept must state the very thing ("how old")."""
    how = re.search(r"\bhow (\w+)", plain)
    if concepts:
        strict = how is not None and concepts[0].loose and how[1] not in ("many", "much")
        return Ask(concepts, frozenset({stem(how[1])}) if how and strict else frozenset())
    if how and content(how[1]):
        return Ask((), frozenset(content(how[1])))
    said = () if AUXILIARY.match(plain) else reversed(words(plain))
    named = (concept for word in said for concept in CONCEPTS if word.stem in concept.words)
    return Ask(tuple(islice(named, 1)))


def asked_concepts(plain: str) -> tuple[Concept, ...]:
    found = [concept for concept in CONCEPTS if concept.asks and concept.asks.search(plain)]
    if found and found[0].name == "length":
        return (BY_NAME["length"], BY_NAME["duration"])
    return tuple(found[:1])


def comes_in(plain: str) -> bool:
    """Whether "available" says of something else in what it comes: "in which languages is the book available"."""
    found = re.search(r"\b(?:which|what) \w+ (?:is|are|was|were) (?P<of>[^?]+) available\b", plain)
    return found is not None and bool(content(found["of"]))


def _noun(plain: str) -> str:
    for pattern in (*_NOUN, _POSSESSIVE):
        match = pattern.search(plain)
        if match and _askable(match.group("n")) and len(match.group("n").split()) <= 5:
            return match.group("n")
    return ""


def _askable(noun: str) -> bool:
    """Whether it can be what is asked for: it names something, and it is not half a verb ("made" of, "used" for)."""
    if _VERB.search(noun) or AUXILIARY.match(noun):
        return False
    return bool(content(noun)) or any(names(concept, noun) for concept in CONCEPTS)


def _of_noun(noun: str, asked: tuple[Concept, ...]) -> Ask:
    noun = _KIND_OF.sub("", noun) or noun
    left = frozenset(content(noun))
    named = next((c for word in reversed(words(noun)) for c in CONCEPTS if word.stem in c.words), None)
    concepts = (named,) if named else asked
    known = frozenset[str]().union(*(c.words | c.units for c in concepts if not c.loose))
    return Ask(concepts, left - known)


def content(text: str) -> list[str]:
    return [word.stem for word in words(text) if word.is_number or not is_empty(word)]


def is_empty(word: Word) -> bool:
    return not word.is_number and (word.stem in EMPTY or fold(word.raw) in EMPTY or _is_letter(word))


def _is_letter(word: Word) -> bool:
    """A single letter, unless it is a size or a grade, written as one: "M"."""
    return len(word.raw) == 1 and not (word.raw.isupper() and word.start > 0 and word.raw not in "AI")
