"""Answers without a chat model: the few facts and sentences that state what is asked of what is named, or nothing.

Does not search and does not number citations; works on sources that were found.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from generator.asked import Ask
from generator.compose import Unit, named, stated
from generator.evidence import Source, Statement
from generator.lexicon import alike
from generator.listing import count, extreme, listed
from generator.question import Question, as_ask
from generator.subject import Finding, Group, about, carried, choose, mend
from generator.support import BY_SHAPE, PREFERRED, SAID, priced_names, strength
from generator.words import fold, stems, within

Similarity = Callable[[Sequence[str], Sequence[str]], NDArray[np.float32]]
_SHOWN = 5  # items of one family answered in full
_SENTENCES = 2  # quoted of one document
_PROOF = frozenset({"safe", "proof", "friendly", "resistant", "washable"})  # "dishwasher-safe" is no dishwasher
_INTO = frozenset({"in", "into", "for", "with", "by", "from", "to", "on"})
_HOW_TO = re.compile(r"\s*how (?:do|can|should|could|would) (?:i|we|you)\b", re.IGNORECASE)  # then comes a verb
_BY_US = re.compile(r"\b(?:we|us|ours?)\b", re.IGNORECASE)
_ADVICE = ("how do", "how should", "how can", "how to", "can i", "may i", "should i", "what should i", "do i")
PARTIAL = "Nothing in this collection answers the rest of the question."


@dataclass
class Draft:
    """An answer in the making; no units means nothing was found."""

    units: list[Unit] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    complete: bool = True

    def __bool__(self) -> bool:
        return bool(self.units)


def extract(
    question: Question, sources: Sequence[Source], *, similarity: Similarity | None = None, full: bool = True
) -> Draft:
    """The answer to one clause. `full`: the sources are all that the search could find, none was cut off."""
    question = mend(question, sources)
    draft = Draft()
    if question.form in ("list", "count", "extreme") and not question.firm:
        shape = {"list": listed, "count": count, "extreme": extreme}[question.form]
        draft.units, draft.warnings = shape(question, sources, full=full)
        if draft or question.bound or question.form == "extreme":
            return draft
        if question.form == "count":
            question = mend(as_ask(question), sources)
    if question.form == "describe" and question.words:
        draft.units, draft.warnings = _described(question.words, sources)
        if not draft and len(question.subjects) > 1:
            each = [_described(group, sources) for group in question.subjects]
            draft.units = [unit for units, _ in each for unit in units] if all(units for units, _ in each) else []
    return draft or _asked(question, sources, similarity)


def pointed(question: Question, source: Source) -> Draft:
    """The answer about one item that was pointed at (by a picture) instead of named."""
    draft = Draft()
    for ask in question.asks:
        if ask.concepts or ask.words or question.words:
            found = _find(ask, question.words, [source], question, None)
            draft.units += [stated(f.source, f.statement) for f in found]
            draft.complete &= bool(found)
    return draft


def _asked(question: Question, sources: Sequence[Source], similarity: Similarity | None) -> Draft:
    draft = Draft()
    if not question.words and not any(ask.words for ask in question.asks):
        return draft
    for ask in question.asks or (Ask(),):
        whole = _find(ask, question.words, sources, question, similarity)
        answers = [whole] if whole or len(question.subjects) < 2 else _each(ask, question, sources, similarity)
        for found in answers:
            draft.complete &= bool(found)
            draft.units += _shown(found, draft.warnings)
    return draft


def _each(
    ask: Ask, question: Question, sources: Sequence[Source], similarity: Similarity | None
) -> list[list[Finding]]:
    """One answer for each thing joined by "and". What names nothing ("... and windproof") is said of the first."""
    answers: list[list[Finding]] = []
    first = question.subjects[0]
    for place, named_so in enumerate(question.subjects):
        group = named_so
        titles = any(carried(group, source.title_stems) == len(group) for source in sources)
        if place and not titles and not (ask.concepts or ask.words):
            subject = answers[0][0].source.identity if answers[0] else frozenset()
            group = (*(w for w in first if alike(w.stem) & subject), *group)
        answers.append(_find(ask, group, sources, question, similarity))
    return answers


def _find(
    ask: Ask, group: Group, sources: Sequence[Source], question: Question, similarity: Similarity | None
) -> list[Finding]:
    broad = question.text.casefold().lstrip().startswith(_ADVICE)
    lenient = bool(ask.concepts or ask.words)
    named = frozenset(word.stem for word in group)
    ask = _narrowed(ask, group, sources)
    found: list[Finding] = []
    for source in sources:
        if question.form == "list" and not source.is_document:
            continue  # what the items say was looked at when the list was made
        if question.firm and not source.is_document and not carried(group, source.title_stems):
            continue  # what one item says is not the seller's practice
        statements = [*source.statements, *([source.title] if source.title and not _has_title(source) else [])]
        rated = [(strength(ask, s, source, named), s) for s in statements]
        found += [
            finding
            for rate, s in rated
            if rate > 0 and _carries(ask, group, s, source, question)
            and (finding := about(group, source, s, rate, sources, lenient=lenient, broad=broad))
        ]  # fmt: skip
        if not lenient:
            found += _together(group, source)
    if not found and any(concept.name == "money" for concept in ask.concepts) and not ask.words:
        names = priced_names(sources)
        priced = ((source, fact) for source in sources for fact in source.facts if fact.name in names)
        found = [f for source, fact in priced if (f := about(group, source, fact, BY_SHAPE / 2, sources, lenient=True))]
    if _HOW_TO.match(question.text) and group:
        found = [f for f in found if alike(group[0].stem) & f.statement.stems] or found
    if question.firm:
        found = [f for f in found if _BY_US.search(f.statement.quote)] or found
    found = found if lenient else _predicated(found, group)
    return _best(choose(found, group), ask, group, question.text, similarity)


def _narrowed(ask: Ask, group: Group, sources: Sequence[Source]) -> Ask:
    """Of a thing, "how long is" asks for an extent; of anything else (a warranty, a journey), for a duration too."""
    if len(ask.concepts) < 2 or ask.words:
        return ask
    thing = any(not s.is_document and carried(group, s.identity) == len(group) for s in sources)
    return replace(ask, concepts=ask.concepts[:1] if thing else ask.concepts)


def _predicated(found: list[Finding], group: Group) -> list[Finding]:
    """A question that is to be confirmed ends in what is to be: "Is the bag by Ada a rucksack?" is not about Ada."""
    told = [w for w in group if not any(alike(w.stem) & f.source.title_stems for f in found)]
    last = alike(told[-1].stem) if told else frozenset[str]()
    return [f for f in found if last & (f.statement.stems | f.statement.context)] or found


def _has_title(source: Source) -> bool:
    return any(fact.naming for fact in source.facts)


def _carries(ask: Ask, group: Group, statement: Statement, source: Source, question: Question) -> bool:
    """A statement that is only asked to fit the words must say something of them besides the item's name."""
    if ask.concepts or ask.words or _confirms(question, group, statement):
        return True
    phrases = question.form == "list"
    own = statement.stems | statement.context
    if source.is_document:
        offered = not phrases or all(_adjacent(p, statement) and _is_offered(p, statement) for p in _phrases(group))
        return not statement.naming and bool(carried(group, own)) and offered
    return not statement.naming and any(alike(w.stem) & own and not alike(w.stem) & source.title_stems for w in group)


def _confirms(question: Question, group: Group, statement: Statement) -> bool:
    """Whether it says the last word of a question to be confirmed: "is the bag waterproof", of a waterproof bag."""
    asked = question.text.casefold().lstrip().startswith(("is ", "are ", "was ", "were "))
    last = alike(group[-1].stem) if asked and len(group) > 1 else frozenset[str]()
    return not statement.naming and bool(last & statement.stems)


def _phrases(group: Group) -> list[Group]:
    """The runs of words that stood together in the question: "leather boots"."""
    runs: list[Group] = []
    start = 0
    for place, word in enumerate(group, 1):
        if word.noun:
            runs.append(group[start:place])
            start = place
    return runs


def _is_offered(phrase: Group, statement: Statement) -> bool:
    """Whether a sentence speaks of the thing itself, not of what goes into the one that everybody has at home."""
    said = [fold(word.raw) for word in statement.words]
    places = [place for place, word in enumerate(statement.words) if word.stem in alike(phrase[-1].stem)]
    before = [frozenset(said[max(0, place - len(phrase) - 1) : place]) for place in places]
    after = [frozenset(said[place + 1 : place + 2]) for place in places]
    themselves = [
        not ("the" in run and run & _INTO) and not _PROOF & end for run, end in zip(before, after, strict=True)
    ]
    return not places or any(themselves)


def _adjacent(phrase: Group, statement: Statement) -> bool:
    """Whether a phrase stands together in the statement, as far as it stands there."""
    here = [min(found) for word in phrase if (found := alike(word.stem) & statement.stems)]
    return within(statement.words, frozenset(here))


def _together(group: Group, source: Source) -> list[Finding]:
    """In a document, two neighbouring sentences may answer together what neither does alone."""
    if not source.is_document:
        return []
    for one, two in zip(source.sentences, source.sentences[1:], strict=False):
        own = one.stems | two.stems | one.context | two.context
        alone = max(carried(group, one.stems | source.identity), carried(group, two.stems | source.identity))
        if (
            one.part.id == two.part.id
            and alone < len(group) == carried(group, own | source.identity)
            and carried(group, own) >= 2
        ):
            titled = carried(group, source.title_stems)
            return [Finding(source, s, SAID, carried(group, own), titled, strict=False) for s in (one, two)]
    return []


def _best(found: list[Finding], ask: Ask, group: Group, question: str, similarity: Similarity | None) -> list[Finding]:
    """The plainest statement of each item; of documents, the few that say most."""
    items: dict[str, list[Finding]] = {}
    for finding in found:
        items.setdefault(finding.source.item.id, []).append(finding)
    chosen = [f for mine in items.values() for f in _plainest(mine, ask, group, question, similarity)]
    if chosen and all(f.source.is_document for f in chosen):
        said = [carried(group, f.statement.stems) for f in chosen]
        general = _is_general(ask, group, chosen)
        return [f for f, n in zip(chosen, said, strict=True) if general or n == max(said)][: _SENTENCES + 1]
    return chosen


def _plainest(
    mine: list[Finding], ask: Ask, group: Group, question: str, similarity: Similarity | None
) -> list[Finding]:
    several = any(concept.several for concept in ask.concepts)
    top = max(f.strength for f in mine)
    plain = [f for f in mine if f.strength >= top - (PREFERRED if several and top <= SAID + PREFERRED else 0.0)]
    own = [_told(group, f.statement) for f in plain]
    if not several and not _is_general(ask, group, plain):
        plain = [f for f, n in zip(plain, own, strict=True) if n == max(own)]
    if similarity is not None and len(plain) > 1:
        closeness = similarity([question], [f.statement.quote for f in plain])[0]  # (1, d), (n, d) -> (n,)
        plain = [plain[i] for i in np.argsort(-closeness, kind="stable")]
    plain.sort(key=lambda f: (-f.strength, -_told(group, f.statement)))
    facts = [f for f in plain if f.statement.is_fact]
    if plain[0].source.is_document:
        return plain[: _SENTENCES + 1]
    return facts[:_SENTENCES] or plain[: _SENTENCES if several else 1]


def _is_general(ask: Ask, group: Group, found: Sequence[Finding]) -> bool:
    """A question in one word ("how long does shipping take") that documents answer, none of them in that very word."""
    exact = any(word.stem in f.statement.stems for word in group for f in found)
    return len(group) == 1 and bool(ask.concepts) and not exact and all(f.source.is_document for f in found)


def _told(group: Group, statement: Statement) -> float:
    """How many words of the group the statement tells, the very word before a synonym of it."""
    exact = sum(word.stem in statement.stems for word in group)
    return carried(group, statement.stems | statement.context) + 0.5 * exact


def _shown(found: list[Finding], warnings: list[str]) -> list[Unit]:
    ids = list(dict.fromkeys(f.source.item.id for f in found))
    if len(ids) > _SHOWN:
        warnings.append(f"{len(ids)} items fit the question; the first {_SHOWN} are shown.")
    return [stated(f.source, f.statement) for f in found if f.source.item.id in ids[:_SHOWN]]


def _described(group: Group, sources: Sequence[Source]) -> tuple[list[Unit], list[str]]:
    """What an item says of itself: its first sentences, or its name and facts."""
    fits = []
    for source in sources:
        direct = carried(group, source.title_stems | stems(source.item.id))
        statement = next(iter(source.sentences), source.title)
        if statement and carried(group, source.identity) == len(group) and direct:
            fits.append(Finding(source, statement, SAID, direct, direct, strict=True))
    chosen = choose([f if not f.source.is_document else replace(f, strict=False) for f in fits], group)
    units: list[Unit] = []
    for finding in chosen[:_SHOWN]:
        said = finding.source.sentences[:_SENTENCES] if len(chosen) == 1 else finding.source.sentences[:1]
        units += [stated(finding.source, s) for s in said]
        name = named(finding.source)
        if not said and name:
            units.append(name)
            units += [stated(finding.source, fact) for fact in finding.source.facts[:3] if not fact.naming]
    more = len(chosen) - _SHOWN
    return units, [f"{len(chosen)} items fit the question; the first {_SHOWN} are shown."] if more > 0 else []
