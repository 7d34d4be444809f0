"""What is meant by what somebody says next: "cheaper", "the same but in blue", "more like the second one".

Reads a follow-up against the turn before and the items it showed; knows a store for its fields only, and no models.

A rule is a phrase of English and what it changes. A follow-up that no rule reads is a new search and the warning says
so, unless it begins as one ("but …", "the same …"): then its words join those of the query.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from statistics import median
from typing import Any, Literal, Self

from retriever.words import MOST_WORDS, content_words
from sightline.filters import Compare, Op, same, to_expression, values_of
from sightline.protocols import Store
from sightline.types import Aggregate, Item

MOST_FIELDS = 50  # that are asked for a value
_PRICES = ("price", "preis", "prix", "precio", "cost")  # what a field of prices is called, or has in its name
_ENGLISH = """
red orange yellow green blue purple violet pink brown black white grey gray beige navy teal turquoise cyan magenta
maroon burgundy gold golden silver copper cream ivory khaki olive mint multicoloured multicolored
"""
_SHADES = frozenset({"light", "dark", "pale", "bright", "deep"})
_COLOURS = frozenset(_ENGLISH.split())
_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
_NTH = rf"(?:the )?(?P<nth>{'|'.join(_ORDINALS)}|last|\d{{1,6}}(?:st|nd|rd|th))(?: one| hit)?"
_WHICH = rf"(?:{_NTH}|(?:number |no\.? ?|# ?)(?P<no>\d{{1,6}}))"
_MONEY = r"(?:[€$£¥] ?)?(?P<n>\d{1,12}(?:[.,]\d{1,2})?) ?(?:[€$£¥]|eur(?:os?)?|usd|dollars?|gbp|pounds?)?"
_SAME = r"(?:the |these |those )?same(?: ones?| things?)?"
_OPENING = re.compile(
    rf"(?:(?:ok(?:ay)?|please|now|show me|i want|(?P<on>and|but|then|{_SAME}))[\s,]+)+", re.IGNORECASE
)
_CLAUSE = re.compile(r"\s*(?:(?:,(?!\d)|;)\s*(?:and\s+|but\s+)?|\s(?:and|but)\s)\s*")


@dataclass(frozen=True, slots=True)
class Turn:
    """What a conversation has come to. Plain JSON, so that whoever asks can keep it and send it back."""

    query: str = ""
    negative: tuple[str, ...] = ()
    above: str = ""  # a comparison of prices: "price > 20"
    below: str = ""
    sort: str = ""
    liked: tuple[str, ...] = ()
    disliked: tuple[str, ...] = ()
    shown: tuple[str, ...] = ()  # ids of the hits, best first

    def judged(self, liked: Sequence[str] = (), disliked: Sequence[str] = ()) -> Self:
        """With more items liked and disliked; of two opinions of one item the later one counts."""
        good = [one for one in self.liked if one not in disliked] + [one for one in liked if one not in disliked]
        bad = [one for one in self.disliked if one not in liked] + list(disliked)
        return replace(self, liked=tuple(dict.fromkeys(good)), disliked=tuple(dict.fromkeys(bad)))

    def to_json(self) -> dict[str, Any]:
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """A turn as `to_json` wrote it; keys that are left out are empty."""
        read: dict[str, Any] = {n: tuple(value) if isinstance(value, list) else value for n, value in data.items()}
        return cls(**read)


@dataclass(frozen=True, slots=True)
class Refined:
    """What is to be asked now, and what was not understood."""

    turn: Turn
    warnings: tuple[str, ...] = ()


def refine(said: str, before: Turn, *, store: Store) -> Refined:
    """The turn that follows `before` when this is said."""
    text = " ".join(said.split())
    if not (before.query or before.shown):
        return Refined(replace(before, query=text))
    return _Reader(before, store).read(text)


class _Misunderstood(Exception):
    """A phrase that a rule reads but nothing here answers to, and the sentence that says why."""


class _Reader:
    """One follow-up being read, clause by clause: `turn` is what it has come to so far."""

    def __init__(self, before: Turn, store: Store) -> None:
        self.turn = before
        self._before = before
        self._store = store
        self._items = {item.id: item for item in store.get((*before.shown, *before.liked))}

    def read(self, text: str) -> Refined:
        """Every clause by the first rule that fits."""
        opening = _OPENING.match(f"{text} ")
        goes_on, rest = bool(opening and opening["on"]), text[opening.end() :] if opening else text
        clauses = [rest] if _RANGE.fullmatch(rest) else [one for one in _CLAUSE.split(rest) if one]
        warnings: list[str] = []
        for clause in clauses:
            told = self._clause(clause)
            if told is None and not goes_on:
                return Refined(Turn(query=text), (NEW,))
            if told is None:
                self._say(clause)
            warnings += told or ()
            goes_on = True
        return Refined(self.turn, tuple(warnings))

    def _clause(self, clause: str) -> tuple[str, ...] | None:
        """Change the turn by the first rule that reads the whole clause; None: none does."""
        for pattern, rule in _RULES:
            if match := pattern.fullmatch(clause.strip(" .!")):
                try:
                    rule(self, match)
                except _Misunderstood as exc:
                    return (str(exc),)
                return ()
        return None

    # -- prices

    def cheaper(self, _: re.Match[str]) -> None:
        self._bound("below", "<", self._seen())

    def dearer(self, _: re.Match[str]) -> None:
        self._bound("above", ">", self._seen())

    def cheapest(self, _: re.Match[str]) -> None:
        self.turn = replace(self.turn, sort=self._price)

    def dearest(self, _: re.Match[str]) -> None:
        self.turn = replace(self.turn, sort=f"-{self._price}")

    def under(self, match: re.Match[str]) -> None:
        self._bound("below", "<=" if match["most"] else "<", _number(match["n"]))

    def over(self, match: re.Match[str]) -> None:
        self._bound("above", ">=" if match["least"] else ">", _number(match["n"]))

    def between(self, match: re.Match[str]) -> None:
        low, high = sorted((_number(match["low"]), _number(match["n"])))
        self._bound("above", ">=", low)
        self._bound("below", "<=", high)

    def _bound(self, side: Literal["above", "below"], op: Op, price: float) -> None:
        """One bound of prices takes the place of the one before."""
        written = to_expression(Compare(self._price, op, price))
        self.turn = replace(self.turn, above=written) if side == "above" else replace(self.turn, below=written)

    @property
    def _price(self) -> str:
        """The field that holds prices."""
        numbers = [one.name for one in self._store.fields() if one.numbers != "none"]
        for said in _PRICES:
            if found := [name for name in numbers if said in name.casefold()]:
                return min(found, key=lambda name: (len(name), name))
        raise _Misunderstood("Nothing here has a price, so it was left out.")

    def _seen(self) -> float:
        """The price that others are compared with: of what was liked, else the middle one of what was shown."""
        for ids in (self.turn.liked, self._before.shown):
            prices = [value for one in ids if one in self._items for value in _numbers(self._items[one], self._price)]
            if prices:
                return float(median(prices))
        raise _Misunderstood("None of the hits before has a price, so it was left out.")

    # -- single hits

    def like(self, match: re.Match[str]) -> None:
        self.turn = self.turn.judged(liked=[self._hit(match)])

    def dislike(self, match: re.Match[str]) -> None:
        self.turn = self.turn.judged(disliked=[self._hit(match)])

    def _hit(self, match: re.Match[str]) -> str:
        shown, said = self._before.shown, (match["nth"] or match["no"]).casefold()
        if said in _ORDINALS:
            at = _ORDINALS.index(said) + 1
        else:
            at = len(shown) if said == "last" else int(re.sub(r"\D", "", said))
        if not 1 <= at <= len(shown):
            raise _Misunderstood(f"There is no hit {at} among the {len(shown)} before, so it was left out.")
        return shown[at - 1]

    # -- what things are like

    def without(self, match: re.Match[str]) -> None:
        words = match["what"]
        self.turn = replace(
            self.turn,
            query=_dropped(self.turn.query, words),
            negative=tuple(dict.fromkeys((*self.turn.negative, words))),
        )

    def rather(self, match: re.Match[str]) -> None:
        """In blue: in the place of another colour where the query names one, as it is said where it does not."""
        what = match["what"]
        self.turn = replace(self.turn, negative=tuple(one for one in self.turn.negative if not same(one, what)))
        is_one = self._kind_of(what)
        for words in _phrases(self.turn.query):
            if is_one(words) and not same(words, what):
                self.turn = replace(self.turn, query=_replaced(self.turn.query, words, what))
                return
        self._say(match[0])

    def _kind_of(self, what: str) -> Callable[[str], bool]:
        """Who else is a value of a field that has this one; what is liked for another value of it counts no more.

        Without such a field a colour goes for a colour.
        """
        texts = [one.name for one in self._store.fields() if one.numbers != "all"]
        fields = [name for name in texts[:MOST_FIELDS] if self._has(name, what)]
        liked = tuple(one for one in self.turn.liked if not any(self._differs(one, name, what) for name in fields))
        self.turn = replace(self.turn, liked=liked)
        if not fields and _is_colour(what):
            return _is_colour
        return lambda words: any(self._has(name, words) for name in fields)

    def _differs(self, item_id: str, field: str, what: str) -> bool:
        values = list(values_of(self._items[item_id].fields, field)) if item_id in self._items else []
        return bool(values) and not any(same(what, value) for value in values)

    def _has(self, field: str, value: str) -> bool:
        """Whether some item has this value in a field."""
        return bool(self._store.aggregate(Aggregate("count"), where=Compare(field, "=", value)).rows[0][1])

    def _say(self, words: str) -> None:
        """Let the words join those of the query."""
        self.turn = replace(self.turn, query=f"{self.turn.query} {words}".strip())


NEW = 'This was read as a new search. To go on from the last one, begin with "but" or "the same".'
_MORE = r"(?:something |anything |a bit |much |even )?"
_ANY = r"(?P<what>\S.*)"
_RANGE = re.compile(
    rf"(?:between|from) (?:[€$£¥] ?)?(?P<low>\d{{1,12}}(?:[.,]\d{{1,2}})?) ?(?:and|to|-) ?{_MONEY}", re.IGNORECASE
)
_RULES: tuple[tuple[re.Pattern[str], Callable[[_Reader, re.Match[str]], None]], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), rule)
    for pattern, rule in (
        (rf"{_MORE}(?:cheaper|less expensive|more affordable)(?: ones?)?", _Reader.cheaper),
        (rf"{_MORE}(?:dearer|pricier|more expensive)(?: ones?)?", _Reader.dearer),
        (r"(?:the )?(?:cheapest|least expensive)(?: ones?)?(?: first)?", _Reader.cheapest),
        (r"(?:the )?(?:dearest|priciest|most expensive)(?: ones?)?(?: first)?", _Reader.dearest),
        (rf"(?:under|below|less than|cheaper than|(?P<most>up to|at most|no more than)) {_MONEY}", _Reader.under),
        (rf"(?:over|above|more than|(?P<least>at least|from)) {_MONEY}", _Reader.over),
        (_RANGE.pattern, _Reader.between),
        (rf"(?:more |something |similar |i )*(?:like|love|prefer|to) {_WHICH}", _Reader.like),
        (rf"(?:not|without|nothing like|less like|not like|i don['’]t like) {_WHICH}", _Reader.dislike),
        (rf"(?:without|not|no|except)(?: in| with| of| made of)?(?: any)? {_ANY}", _Reader.without),
        (rf"(?:in|made of|made from|with|only) (?:an? )?{_ANY}", _Reader.rather),
        (r"(?P<what>\S+(?: \S+)?) instead", _Reader.rather),
    )
)


def _is_colour(words: str) -> bool:
    """Whether this is one colour: "blue", "light blue"."""
    *shades, colour = words.casefold().split()
    return colour in _COLOURS and _SHADES.issuperset(shades)


def _phrases(text: str) -> list[str]:
    """Runs of up to three words of a text's beginning, longest first: what a field may hold as a value."""
    words = text.split()[:MOST_WORDS]
    return [" ".join(words[at : at + n]) for n in (3, 2, 1) for at in range(len(words) - n + 1)]


def _replaced(text: str, words: str, by: str) -> str:
    return " ".join(re.sub(rf"(?<!\S){re.escape(words)}(?!\S)", lambda _: by, text).split())


def _dropped(text: str, words: str) -> str:
    """A text without these words, unless nothing would be left of it."""
    left = _replaced(text, words, "")
    return left if content_words(left) else text


def _numbers(item: Item, field: str) -> list[float]:
    return [float(one) for one in values_of(item.fields, field) if isinstance(one, int | float)]


def _number(said: str) -> float:
    return float(said.replace(",", "."))
