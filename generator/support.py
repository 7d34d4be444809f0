"""Decides whether a statement states what is asked: by the words of a field's name, its unit, the shape of a value.

Does not know which item is meant; that is `subject`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

from generator.asked import Ask
from generator.concepts import BY_NAME, CONCEPTS, Concept
from generator.evidence import Source, Statement
from generator.lexicon import EMPTY, MODIFIERS, alike
from generator.words import name_words, parse_number, stems, within, words

NAMED, BY_UNIT, BY_SHAPE, SAID = 3.0, 2.5, 2.0, 1.5  # how plainly a statement states it, the plainest first
PREFERRED = 0.3  # more, where a sentence says it in so many words
_HINTED = 0.5  # only the item's title says so
_SPARE_WORD = 0.2  # each word of a field's name that nobody asked about costs so much
_SHAPED = frozenset({"money", "weight", "capacity", "temperature", "duration"})  # known by the shape of the value alone
_TITLED = frozenset({"color", "material", "number", "capacity"})  # what titles are wont to say
_JOINING = frozenset(
    {"and", "with", "dark", "light", "bright", "pale", "deep", "matte", "percent", "organic", "recycled"}
)
_TELLING = (frozenset[str]().union(*(concept.words for concept in CONCEPTS)) | MODIFIERS) - BY_NAME[
    "money"
].words  # a name with one of these is known not to be a price
_MOST = frozenset({"maximum", "max", "most"})
_UP_TO = re.compile(r"\b(?:up to|at most|no more than|not exceed)\b", re.IGNORECASE)
_ABOUT = frozenset({"by", "up", "to", "about", "around", "at", "least", "most", "only"})
_SHOP_END = re.compile(r"\d[.,](?:99|95|90|89|79|49)$")
_CHARM = re.compile(r"\d+[.,](?:99|95|90|9|89|49|50|5|79|00|0)$")  # how shops end a price


def strength(ask: Ask, statement: Statement, source: Source, named: frozenset[str] = frozenset()) -> float:
    """How plainly the statement states what is asked, 0 for not at all.

    `named`: the other words of the question. They may stand in a field's name ("shipping" in `shipping_eur`).
    """
    if not ask.concepts:
        return _states_words(ask.words, statement, source) if ask.words else SAID
    return max(_states(concept, ask.words, statement, source, named) for concept in ask.concepts)


def _states(
    concept: Concept, asked: frozenset[str], statement: Statement, source: Source, named: frozenset[str]
) -> float:
    if statement.naming:
        titled = concept.name in _TITLED and concept.shape is not None and concept.shape.search(statement.value)
        return _HINTED if titled and _near_number(concept, asked, statement) else 0.0
    if statement.is_fact:
        return _fact(concept, asked, statement, source, named)
    return _sentence(concept, asked, statement)


def _fact(concept: Concept, asked: frozenset[str], fact: Statement, source: Source, named: frozenset[str]) -> float:
    names = frozenset(fact.name_stems)
    wanted = frozenset[str]().union(*(alike(word) for word in asked))
    known = frozenset[str]().union(*(alike(word) for word in named - source.title_stems))
    spare = names - concept.words - concept.units - wanted - known
    untold = any(not alike(word) & (fact.stems | source.identity) for word in asked)
    if untold or spare & (MODIFIERS | _others(concept)):
        return 0.0
    cost = _SPARE_WORD * len(spare - EMPTY)
    if concept.loose:
        return NAMED - cost if names & wanted else 0.0
    ways = (
        (NAMED - cost, bool(names & concept.words) or _names_it(concept, fact.name)),
        (BY_UNIT - cost, bool(frozenset(fact.name_stems[-1:]) & concept.units)),
        (BY_SHAPE - cost, _has_shape(concept, fact)),
        (BY_SHAPE - cost, bool(names & known) and concept.shape is not None and bool(concept.shape.search(fact.value))),
        (SAID, bool(names & concept.also)),
        (SAID, fact.value.endswith((".", "!")) and len(fact.words) > 2 and _sentence(concept, asked, fact) > 0),
    )
    return next((rate for rate, told in ways if told), 0.0)


def _names_it(concept: Concept, name: str) -> bool:
    phrase = " ".join(name_words(name)).casefold()
    verb, _, last = phrase.partition(" ")
    if verb in ("made", "produced", "manufactured", "grown", "built") and last in ("in", "by"):
        return concept.name == {"in": "origin", "by": "maker"}[last]
    return concept.asks is not None and concept.asks.search(phrase) is not None


@cache
def _others(concept: Concept) -> frozenset[str]:
    return frozenset[str]().union(*(other.words for other in CONCEPTS if other is not concept)) - concept.also


def _has_shape(concept: Concept, fact: Statement) -> bool:
    if concept.shape is None or len(fact.words) > 6:
        return False
    if concept.name in _SHAPED:
        return (
            concept.shape.search(fact.value) is not None
            and concept.shape.sub("", fact.value, count=1).strip(" .,;()") == ""
        )
    if concept.name in ("color", "material"):
        left = concept.shape.sub(" ", fact.value)
        rest = {word.raw.casefold() for word in fact.words if word.raw in left and not word.is_number}
        return left != fact.value and rest <= _JOINING
    return False


def _sentence(concept: Concept, asked: frozenset[str], said: Statement) -> float:
    if said.header and stems(said.header) & concept.words:  # a row of a table, under a column called so
        return SAID + PREFERRED if _near(asked, said) else 0.0
    if said.under & concept.words:
        return BY_UNIT if _near(asked, said) else 0.0
    if concept.shape is None or not concept.shape.search(said.quote):
        return 0.0
    if concept.cue is not None and not concept.cue.search(said.quote) and not _measured_noun(concept, asked, said):
        return 0.0
    if not _near(asked, said) or not _near_number(concept, asked, said):
        return 0.0
    preferred = concept.prefer is not None and concept.prefer.search(said.quote) is not None
    return SAID + (PREFERRED if preferred else 0.0)


def _measured_noun(concept: Concept, asked: frozenset[str], said: Statement) -> bool:
    """Whether the length of a thing stands right before its name: "a 20 cm blade"."""
    if concept.name != "length" or concept.shape is None or not asked:
        return False
    wanted = frozenset[str]().union(*(alike(word) for word in asked))
    after = (words(said.quote[found.end() :])[:1] for found in concept.shape.finditer(said.quote))
    return any(word.stem in wanted for run in after for word in run)


def _near(asked: frozenset[str], said: Statement) -> bool:
    """All words asked for stand together in the sentence, or in the heading above it."""
    asked = asked - _MOST if _UP_TO.search(said.quote) else asked
    here = {word: alike(word) & said.stems for word in asked if not alike(word) & said.context}
    if not all(here.values()):
        return not here
    return within(said.words, frozenset(min(found) for found in here.values()))


def _near_number(concept: Concept, asked: frozenset[str], said: Statement) -> bool:
    """What is counted stands next to a number: "fits up to six people", "2-Person"."""
    if not concept.loose or not asked:
        return True
    if not all(alike(word) & said.stems for word in asked):
        return False
    told = [word.stem for word in said.words if word.stem not in _ABOUT]
    numbers = [place for place, word in enumerate(told) if word[0].isdigit()]
    places = [place for place, word in enumerate(told) if any(word in alike(a) for a in asked)]
    return any(abs(a - b) <= 3 for a in numbers for b in places)


def _states_words(asked: frozenset[str], statement: Statement, source: Source) -> float:
    if statement.naming:
        return 0.0
    if not statement.is_fact:
        own = frozenset(word for word in asked if alike(word) & statement.stems)
        rest = asked - own
        if not own and not any(alike(word) & (statement.context | statement.under) for word in asked):
            return 0.0
        known = statement.context | statement.under | source.identity
        return SAID if all(alike(word) & known for word in rest) and _near(own, statement) else 0.0
    names = frozenset(statement.name_stems)
    wanted = frozenset[str]().union(*(alike(word) for word in asked))
    if not all(alike(word) & (statement.stems | source.identity) for word in asked) or not wanted & statement.stems:
        return 0.0
    spare = names - wanted - EMPTY
    if not wanted & names:
        return SAID
    return 0.0 if spare & MODIFIERS else NAMED - _SPARE_WORD * len(spare)


def numeric_fact(concept: Concept, source: Source, priced: frozenset[str]) -> tuple[Statement, float] | None:
    """The field that states the concept as a number, with the number. `priced`: see `priced_names`."""
    ask = Ask((concept,))
    rated = [(strength(ask, fact, source), fact) for fact in source.facts]
    if concept.name == "money":
        rated += [(BY_SHAPE / 2, fact) for fact in source.facts if fact.name in priced]
    found = [
        (rate, fact, value)
        for rate, fact in rated
        if rate > _HINTED and (value := parse_number(fact.value)) is not None
    ]
    if not found:
        return None
    _, fact, value = max(found, key=lambda entry: entry[0])
    return fact, value


def priced_names(sources: Sequence[Source]) -> frozenset[str]:
    """Fields of names that tell nothing, but whose values end as prices do (109.99) in most items that have them."""
    values: dict[str, list[str]] = {}
    for source in sources:
        for fact in source.facts:
            if not fact.naming and not frozenset(fact.name_stems) & _TELLING:
                values.setdefault(fact.name, []).append(fact.value)
    return frozenset(
        name
        for name, found in values.items()
        if sum(_CHARM.fullmatch(value) is not None for value in found) * 2 > len(found)
        and any(_SHOP_END.search(value) for value in found)
    )
