"""Answers that are lists: which items are of a kind, how many there are, which is the cheapest. Each item is cited.

Does not search; says when the search may have left items out.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from generator.compose import Unit, named, stated
from generator.concepts import BY_NAME
from generator.evidence import Source, Statement
from generator.lexicon import alike
from generator.question import Question, Wanted
from generator.subject import Group
from generator.support import numeric_fact, priced_names, strength
from generator.words import fold, parse_number, stem

_SHOWN = 10
_COUNTED = 30
_CUT = "The search looked at a part of the collection; other items may fit too."
_OPEN = re.compile(r"\b(?:what|who) can i\b|\b(?:some|any)thing\b", re.IGNORECASE)  # names no kind of item
_OWNER = re.compile(r"\bdoes (?:the )?(\w+) have\b", re.IGNORECASE)
_NOT = frozenset({"not", "no", "never", "without", "isn", "aren", "don", "doesn", "cannot", "neither", "nor"})
Found = tuple[list[Unit], list[str]]


def listed(question: Question, sources: Sequence[Source], *, full: bool) -> Found:
    """The items that are what the question names and do what it says, each with the words that show it."""
    fits = _fitting(question, sources)
    units = [unit for source, shown in fits[:_SHOWN] for unit in _line(source, shown)]
    warnings = [f"{len(fits)} items fit; the first {_SHOWN} are shown."] if len(fits) > _SHOWN else []
    return units, warnings + ([] if full or not units else [_CUT])


def count(question: Question, sources: Sequence[Source], *, full: bool) -> Found:
    """How many items fit, and which."""
    owner = _OWNER.search(question.text)  # "how many leaves does the fern have" counts no ferns
    own = alike(stem(owner[1])) if owner else frozenset[str]()
    fits = [fit for fit in _fitting(question, sources) if _is_kind(question, fit[0]) and not own & fit[0].title_stems]
    lines = [_counted(unit, shown) for source, shown in fits[:_COUNTED] if (unit := named(source))]
    if not lines:
        return [], []
    warnings = [f"{len(fits)} items fit; the first {_COUNTED} are shown."] if len(fits) > _COUNTED else []
    lead = f"{'' if full else 'At least '}{len(fits)} found: "
    return _led(lead, lines), warnings + ([] if full else [_CUT])


def extreme(question: Question, sources: Sequence[Source], *, full: bool) -> Found:
    """The items of the named kind whose value is smallest or largest; ties are all shown."""
    if question.extreme is None:
        return [], []
    concept, way = question.extreme
    priced = priced_names(sources)
    rated = [
        (found, source) for source, _ in _fitting(question, sources) if (found := numeric_fact(concept, source, priced))
    ]
    if not rated:
        return [], []
    names = {fact.name for (fact, _), _ in rated}
    best = (min if way == "min" else max)(value for (_, value), _ in rated)
    units = [stated(source, fact) for (fact, value), source in rated if value == best][:_SHOWN]
    units = _led(f"Of {len(rated)} found: " if len(rated) > 1 else "The only one found: ", units)
    warnings = [] if len(names) == 1 else [f"Compared over fields of different names: {', '.join(sorted(names))}."]
    return units, warnings + ([] if full else [_CUT])


def _led(lead: str, units: Sequence[Unit]) -> list[Unit]:
    return [replace(units[0], text=lead + units[0].text), *units[1:]]


def _counted(unit: Unit, shown: Sequence[Statement]) -> Unit:
    """An item by its name, with the evidence that it is one of those counted."""
    return replace(unit, evidence=(*unit.evidence, *((s.part, s.quote) for s in shown)))


def _line(source: Source, shown: Sequence[Statement]) -> list[Unit]:
    if shown:
        return [stated(source, statement) for statement in shown]
    name = named(source)
    return [name] if name else []


def _fitting(question: Question, sources: Sequence[Source]) -> list[tuple[Source, list[Statement]]]:
    """The items that fit, with the statements that show what their names do not."""
    found: list[tuple[Source, list[Statement]]] = []
    seen: set[str] = set()
    priced = priced_names(sources) if question.bound else frozenset[str]()
    for group in question.subjects or ((),):
        whole = question.words if _any_covers(question.words, sources) else group
        if not whole and question.bound is None and question.extreme is None:
            continue
        kind, filed = _kind(whole, sources)
        single = bool(whole) and kind == 0 and not _OPEN.search(question.text)
        fits = []
        for source in sources:
            if source.is_document or (_kinship(whole, source) < kind and not (filed and _is_filed(whole, source))):
                continue
            shown = _shown(whole, source, denied=question.negated and not _asks_stock(question))
            bound = _bounded(question, source, priced) if shown is not None else None
            bound = _stocked(question, source, bound)
            if shown is None or bound is None or source.item.id in seen:
                continue
            if single and not (len(shown) == 1 and (_calls_itself(whole, shown[0]) or _names_field(whole, shown[0]))):
                continue
            fits.append((source, shown + bound))
        fits = _meant(fits, whole)
        seen |= {source.item.id for source, _ in fits}
        found += fits
    return found


def _any_covers(group: Group, sources: Sequence[Source]) -> bool:
    return any(_shown(group, source) is not None for source in sources if not source.is_document)


def _kind(group: Group, sources: Sequence[Source]) -> tuple[int, bool]:
    """How near kin the items are that are meant, and whether all of a catalog named after the noun are meant too.

    They are where few of them have the noun in their title: in plants.csv, the one "Snake plant" is not all.
    """
    things = [source for source in sources if not source.is_document]
    kind = max((_kinship(group, source) for source in things), default=0)
    filed = sum(_is_filed(group, source) for source in things)
    titled = sum(any(word.head and alike(word.stem) & source.title_stems for word in group) for source in things)
    return kind, 2 * titled <= filed


def _is_filed(group: Group, source: Source) -> bool:
    return any(word.head and alike(word.stem) & source.filed for word in group)


def _kinship(group: Group, source: Source) -> int:
    """2 if the item is of the kind that the group's noun names, 1 if its title or a field has the noun, else 0."""
    heads = [word for word in group if word.head]
    if any(alike(word.stem) & source.kinds for word in heads):
        return 2
    return int(any(alike(word.stem) & source.identity for word in heads))


def _names_field(group: Group, statement: Statement) -> bool:
    """Whether the noun is not a kind of item but a field of it: "which season is it for"."""
    return any(word.head and alike(word.stem) & frozenset(statement.name_stems) for word in group)


def _calls_itself(group: Group, statement: Statement) -> bool:
    """Whether the sentence says that the item is one ("is a citrus fruit", "this fruit"), not that it goes with one."""
    for place, word in enumerate(statement.words):
        before = {fold(w.raw) for w in statement.words[max(0, place - 6) : place]}
        if before & {"is", "are", "this", "these"} and any(w.head and word.stem in alike(w.stem) for w in group):
            return not before & {"with", "for", "to", "in", "be"}
    return False


def _shown(group: Group, source: Source, *, denied: bool = False) -> list[Statement] | None:
    """The one or two statements that carry what the item's name and kind do not; None if they cannot.

    `denied`: they must deny it ("which are not dishwasher safe"); otherwise none that denies it counts.
    """
    plain = source.title_stems | source.kinds | source.filed
    left = [word for word in group if not alike(word.stem) & plain]
    shown: list[Statement] = []
    while left and len(shown) < 2:
        fit = [s for s in source.statements if _denies(s, left) == denied]
        best = max(fit, key=lambda s: sum(bool(alike(w.stem) & s.stems) for w in left), default=None)
        if best is None or not any(alike(w.stem) & best.stems for w in left):
            break
        shown.append(best)
        left = [word for word in left if not alike(word.stem) & best.stems]
    if denied and not shown:
        return None
    return None if any(not alike(word.stem) & source.identity for word in left) else shown


def _denies(statement: Statement, wanted: Sequence[Wanted]) -> bool:
    """Whether it says no to one of the words: a field that is false, or "not suitable for induction"."""
    if statement.is_fact:
        return statement.denies
    said = statement.words
    places = [place for place, word in enumerate(said) if any(word.stem in alike(w.stem) for w in wanted)]
    return any(fold(word.raw) in _NOT for place in places for word in said[max(0, place - 4) : place])


def _bounded(question: Question, source: Source, priced: frozenset[str]) -> list[Statement] | None:
    """The field that keeps the bound, [] without a bound, None if it is broken or not stated."""
    if question.bound is None:
        return []
    found = numeric_fact(question.bound.concept, source, priced)
    return [found[0]] if found and question.bound.holds(found[1]) else None


def _asks_stock(question: Question) -> bool:
    return any(BY_NAME["stock"] in ask.concepts for ask in question.asks)


def _stocked(question: Question, source: Source, bound: list[Statement] | None) -> list[Statement] | None:
    """With the field that says whether it can be had, where that is asked and fits; None where it does not."""
    ask = next((ask for ask in question.asks if BY_NAME["stock"] in ask.concepts), None)
    if ask is None or bound is None:
        return bound
    told = [fact for fact in source.facts if strength(ask, fact, source) > 0]
    there = [not (fact.denies or parse_number(fact.value) == 0) for fact in told[:1]]
    return [*bound, told[0]] if there and there[0] != question.negated else None


def _is_kind(question: Question, source: Source) -> bool:
    """Whether the item is one of what is counted, not one that has some: "how many cranes" counts no ewer with them."""
    heads = [word for word in question.words if word.head]
    return not heads or any(alike(word.stem) & (source.kinds | source.filed) for word in heads)


def _meant(fits: list[tuple[Source, list[Statement]]], group: Group) -> list[tuple[Source, list[Statement]]]:
    """A question that names one item in full is about that one."""
    stems_ = frozenset[str]().union(*(alike(word.stem) for word in group))
    whole = [fit for fit in fits if len(fit[0].is_named_by) > 1 and fit[0].is_named_by <= stems_]
    return whole or fits
