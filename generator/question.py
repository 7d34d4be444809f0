"""Reads a question: its form, what it asks for, which words name the thing it is about, bounds and superlatives.

Looks at the question alone; knows no collection, no item and no field.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Literal

from generator.asked import Ask, asked_concepts, asks, comes_in, is_empty
from generator.concepts import CONCEPTS, Concept
from generator.measures import WHICH_OF, Bound, bound_span, extreme_span, names, read_bound, read_compared, read_extreme
from generator.words import fold, words

Form = Literal["ask", "list", "count", "extreme", "describe"]

_LIST = re.compile(
    r"^(?:so |and |well |hi |hello )?(?:(?:do|can|could|does) (?:you|the (?:shop|store)|we) (?:have"
    r"|sell|carry|stock|offer|recommend|show)"
    r"|have you(?: got)?|is there|are there|show|list|find|recommend|suggest|any\b|give me (?:a |some )?(?:list|tips)"
    r"|i need|i want|i am looking|i'm looking|looking for|which|(?:what|who) can i|what should i"
    r"|what (?:else )?do you (?:have|sell|recommend))"
    r"|\bwhat\b.*\bdo you (?:have|sell|offer|stock|carry)\W*$|\bwhat\b.*\bare there\W*$"
)
_COUNT = re.compile(
    r"\bhow many (?P<what>.+?) (?:are there|do you (?:have|sell|offer|stock|carry)|does (?:the "
    r")?\w+ (?:have|sell|make|offer|produce)|are (?:in(?! (?:the|a|an|one|each)\b)|listed|sold|available)|"
    r"exist|have you got|(?:is|are|cost|costs|under|below|over|above|for)\b)|\bwhat is the number "
    r"of (?P<of>.+)|\bhow many (?P<only>[^?]+?)\W*$"
)
_OF_ONE = re.compile(r"\b(?:does|do|can|will|could|should|fit|fits)\b")  # "how many people can the tent sleep"
_STOCKED = re.compile(r"\b(?:left|in stock)\b")
_DESCRIBE = re.compile(
    r"\b(?:differences? between|compare|comparison)\b|^(?:what (?:is|are)|what's|who is|tell me (?:more )?about"
    r"|what (?:is|was) (?:said|written|known|there) about|tell me something about|describe|explain|more about"
    r"|information (?:on|about))\b"
)
_ASIDE = re.compile(
    r"\b(?:said|written|known) about\b|\bset (?:me|you|us|one) back\b|\bis (?:best|right|recommended) for\b"
    r"|\bsafe (?:in|for|on) (?:the|a)\b|\bget rid of\b|\bkeep(?= \w+ (?:away|off)\b)|\baway\W*$"
    r"|\bright now\b|\bat the moment\b|\bby the way\b"
)  # says nothing of the subject
_PHRASES = (
    (re.compile(r"\b(?:send|bring|give|mail|ship) ((?:\w+ ){0,4}?)back\b", re.IGNORECASE), r"return \1"),
    (re.compile(r"\b(?:get|have) (?:my|our|the|your) money back\b", re.IGNORECASE), "get a refund"),
)  # what is said in two words is written in one
_MY_DOING = re.compile(r"\bhow (?:many|much) [^?]+? (?:can|could|may|will|would|should|do) (?:i|you|we) (?P<verb>\w+)")
_ITS_DOING = re.compile(
    r"^(?:(?:with|for|in|on|to|from|at) )?(?:which|what) [^?]+? (?:do|does|did|can|will|should) "
    r"(?:the|this|that|my|our|an?)\b"
)  # "which phones does the case fit": asks something of one thing, for no list
_CLAUSES = re.compile(
    r"(?:,\s*(?:and\s+)?|\s+and\s+|[?;.]\s+(?:and\s+)?)(?=(?:what|how|who|which|where|when|is|are|does|do)\b)", re.I
)
_JOINED = re.compile(r"\b(?:and|or|versus|vs|than|und)\b|[,/;+]")
_NEGATED = re.compile(r"\b(?:not|without|out of stock|sold out|unavailable|isn't|aren't|don't|doesn't|cannot|can't)\b")
_FIRM = re.compile(
    r"\b(?:do|does|did|can|could|will|would|are|have) (?:you|we|they|the (?:shop|store|company))\b"
    r"(?! (?:have|sell|carry|stock|offer|recommend|show|suggest|list|find|tell|know|make|produce|got)\b)"
)
_POINTING = re.compile(r"\b(?:this|that|these|those|it|them|here|picture|photo|image|pictured|shown)\b")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A content word of the question. `head`: it names the kind of thing; `proper`: it is written as a name."""

    stem: str
    raw: str
    head: bool = False
    proper: bool = False
    noun: bool = False  # it ends a run of content words: "warranty", "tent" in "the warranty of the green tent"


@dataclass(frozen=True, slots=True)
class Question:
    """A question, read. `subjects` are the things asked about, more than one where they are joined by "and"."""

    text: str
    form: Form
    asks: tuple[Ask, ...]
    words: tuple[Wanted, ...]  # of the whole subject
    subjects: tuple[tuple[Wanted, ...], ...]
    bound: Bound | None = None
    extreme: tuple[Concept, Literal["min", "max"]] | None = None
    pointing: bool = False  # "this", "it": the subject is not named
    negated: bool = False  # "which are not", "without"
    firm: bool = False  # about the seller, not the goods: "which wood do you use"


def read(text: str) -> list[Question]:
    """The question's clauses, each read; one that names nothing ("and what is it made of?") is about the one before."""
    for pattern, word in _PHRASES:
        text = pattern.sub(word, text)
    clauses = [clause for clause in _CLAUSES.split(text.strip()) if clause.strip()]
    found: list[Question] = []
    for clause in clauses if len(clauses) <= 4 else [text]:
        question = _read(clause)
        if found and not question.words and question.pointing:
            question = replace(question, words=found[-1].words, subjects=found[-1].subjects)
        found.append(question)
    if len(found) > 1 and any(not question.words and not question.extreme for question in found):
        return [_read(text)]
    return found


def as_ask(question: Question) -> Question:
    """The question read as one about a thing, where no items are there to be counted: "how many keys come with it"."""
    return _read(question.text, form="ask")


def _read(text: str, *, form: Form | None = None) -> Question:
    plain = _plain(text)
    bound, extreme = read_bound(plain), read_extreme(plain)
    compared = None if bound or extreme else read_compared(plain)
    form = form or _form(plain, bound, extreme is not None)
    wanted, used = ((), frozenset[str]()) if form in ("count", "extreme") else asks(plain, form=form)
    skip = [match.span() for match in (bound_span(plain) if bound else None, extreme_span(plain)) if match]
    skip += [match.span() for match in _ASIDE.finditer(plain)]
    skip += [match.span("verb") for match in _MY_DOING.finditer(plain)]
    if compared:
        form, wanted, used = "ask", (Ask((compared[0],)),), frozenset()
        skip += [compared[1], match.span() if (match := WHICH_OF.match(plain)) else (0, 0)]
    told = frozenset[str]().union(
        *(c.verbs if c.loose else c.words | c.units | c.verbs for ask in wanted for c in ask.concepts)
    )
    concept_words = frozenset(word for word in told if len(word) > 1)  # one letter is a size
    subjects = _subjects(plain, text, skip, used | concept_words | _after_how(plain))
    flat = tuple(dict.fromkeys(word for group in subjects for word in group))
    if form == "ask" and not any(ask.concepts or ask.words for ask in wanted) and _DESCRIBE.search(plain):
        form = "describe"
    pointing, negated, firm = (p.search(plain) is not None for p in (_POINTING, _NEGATED, _FIRM))
    return Question(text, form, wanted, flat, subjects, bound, extreme, pointing, negated, firm)


def _plain(text: str) -> str:
    """Folded letter by letter, so that positions stay those of `text`."""
    return "".join(folded if len(folded := fold(char)) == 1 else char for char in text.replace("’", "'"))


def _form(plain: str, bound: Bound | None, extreme: bool) -> Form:
    if extreme:
        return "extreme"
    counted = _COUNT.search(plain)
    if counted and not _STOCKED.search(plain) and not _OF_ONE.search(counted["only"] or "") and not _measures(counted):
        return "count"
    concept = asked_concepts(plain)
    first = re.match(r"(?:which|what) (\w+)", plain)
    named = first is not None and any(names(concept, first[1]) for concept in CONCEPTS)
    if not bound and (named or _ITS_DOING.match(plain)):
        return "ask"
    if _LIST.search(plain) and (bound or not concept or {c.name for c in concept} <= {"number", "purpose"}):
        return "list"
    if concept and concept[0].name == "stock" and first and not comes_in(plain):
        return "list"
    return "list" if bound and re.match(r"what|any|are|\w+s? (?:under|below|over|above|between)\b", plain) else "ask"


def _measures(counted: re.Match[str]) -> bool:
    """Whether what is counted is a unit: "how many litres"."""
    first = words(counted["what"] or counted["of"] or counted["only"] or "")[:1]
    return any(word.stem in concept.units for word in first for concept in CONCEPTS)


def _after_how(plain: str) -> frozenset[str]:
    match = re.search(r"\bhow (\w+)", plain)
    return frozenset(word.stem for word in words(match.group(1))) if match else frozenset()


def _subjects(
    plain: str, text: str, skip: list[tuple[int, int]], used: frozenset[str]
) -> tuple[tuple[Wanted, ...], ...]:
    """The content words left, cut at "and", "or" and commas."""
    tokens = [w for w in words(text) if not any(a <= w.start < b for a, b in skip)]
    shouting = sum(w.raw[0].isupper() for w in tokens) > 0.7 * max(1, len(tokens))
    groups: list[list[Wanted]] = [[]]
    chunks, last_end, broke = 0, 0, True
    for word in tokens:
        if groups[-1] and _JOINED.search(plain[last_end : word.start]):
            groups.append([])
            chunks, broke = 0, True
        if is_empty(word) or word.stem in used:
            broke = broke or len(word.raw) > 1
            chunks += bool(groups[-1]) and len(word.raw) > 1
            if _JOINED.search(plain[word.start : word.end]):
                continue
            last_end = word.end
            continue
        proper = word.raw[0].isupper() and word.start > 0 and not shouting
        if groups[-1] and not broke:
            groups[-1][-1] = replace(groups[-1][-1], head=False, noun=False)
        groups[-1].append(Wanted(word.stem, word.raw, head=chunks == 0, proper=proper, noun=True))
        broke = False
        last_end = word.end
    return tuple(tuple(group) for group in groups if group)
