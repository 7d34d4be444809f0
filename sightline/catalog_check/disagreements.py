"""Items whose picture and words disagree: in what the title says, and in fields that pictures show, as colour or kind.

Knows items and what can be compared of them; how well two things fit is `judging`'s.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sightline.catalog_check import judging
from sightline.catalog_check.judging import Fit, Matrix
from sightline.catalog_check.reading import Entry, Tell, owners
from sightline.engine import Sightline

LEAST = 20  # items with a picture and words: with fewer there is no background to compare with
TITLE = "title"
TITLE_COLOUR = "colour in the title"
COLOURS = (
    "black white grey gray silver gold red pink purple violet blue navy teal turquoise green olive mint yellow mustard "
    "orange brown tan beige cream ivory burgundy maroon lavender coral bronze copper charcoal khaki"
)
_EACH = 3  # items that must have a value, for it to be known what it looks like
_MOST_VALUES = 200
_SAME_AS = {"gray": "grey", "violet": "purple"}
_COLOURS = frozenset(COLOURS.split())
_WORD = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True, slots=True)
class Disagreement:
    """One thing that a picture and the words of its item do not agree in.

    Scores are in standard deviations over all pictures with all words of the catalog: 0 is what any two have.
    """

    about: str  # "title", a field, or the colour in the title
    says: str  # the item's own words
    score: float
    better: str  # words that fit the picture better
    better_score: float
    suspicion: float  # 0-1
    picture: str | None = None  # the part meant; None where all pictures of the item were looked at together
    better_item: str | None = None  # whose words those are

    def to_json(self) -> dict[str, Any]:
        told = {
            "about": self.about,
            "says": self.says,
            "score": round(self.score, 3),
            "better": self.better,
            "better_item": self.better_item,
            "better_score": round(self.better_score, 3),
            "suspicion": round(self.suspicion, 3),
            "picture": self.picture,
        }
        return {key: value for key, value in told.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Suspect:
    """An item that is probably wrong somewhere, with what speaks for it, the strongest first."""

    item_id: str
    disagreements: tuple[Disagreement, ...]

    @property
    def suspicion(self) -> float:
        return self.disagreements[0].suspicion

    def to_json(self) -> dict[str, Any]:
        told = [one.to_json() for one in self.disagreements]
        return {"item": self.item_id, "suspicion": round(self.suspicion, 3), "disagreements": told}


@dataclass(frozen=True, slots=True)
class Compared:
    """What pictures were compared with. `noticed` is the share of mistakes, planted for trial, that would be listed:
    near 0, pictures say too little about it to this encoder."""

    about: str
    items: int
    noticed: float


@dataclass(frozen=True, slots=True)
class Found:
    """Suspects, the most suspicious first, and what was compared."""

    suspects: tuple[Suspect, ...]
    compared: tuple[Compared, ...]


def disagreements(
    entries: Sequence[Entry], coloured: Matrix, index: Sightline, *, least: float, seed: int, tell: Tell
) -> Found:
    """Compare pictures with titles, with the colours those name, and with every field that has a few values.

    `entries` have a picture each, `coloured` (n, 64) is what colours those have; `least` is the suspicion from which
    something is told.
    """
    told: list[tuple[float, str, Disagreement]] = []
    compared = []
    worded = [at for at, entry in enumerate(entries) if entry.words is not None]
    if len(worded) >= LEAST:
        some = [entries[at] for at in worded]
        vectors, owner = owners(some)
        texts = np.array([entry.words for entry in some], np.float32)
        doing = "comparing pictures with titles"
        fit = judging.fit_texts(vectors, owner, texts, seed=seed, tell=lambda done, total: tell(doing, done, total))
        compared.append(Compared(TITLE, len(some), fit.noticed))
        told += _by_title(some, fit, least)
    for about, values in _aspects(entries).items():
        tell(f"comparing pictures with {about}", 0, None)
        fit, names, rows = _by_value(entries, coloured, values, index, seed=seed)
        compared.append(Compared(about, len(rows), fit.noticed))
        told += _told_by_value(entries, about, fit, least, names=names, rows=rows, values=values)
    grouped: dict[str, list[tuple[float, Disagreement]]] = {}
    for margin, item_id, one in told:
        grouped.setdefault(item_id, []).append((margin, one))
    ranked = [(item_id, sorted(ones, key=_rank)) for item_id, ones in grouped.items()]
    ranked.sort(key=lambda each: (*_rank(each[1][0]), each[0]))
    suspects = tuple(Suspect(item_id, tuple(one for _, one in ones)) for item_id, ones in ranked)
    return Found(suspects, tuple(compared))


def _rank(told: tuple[float, Disagreement]) -> tuple[float, float]:
    margin, one = told
    return -one.suspicion, -margin


def _by_title(entries: Sequence[Entry], fit: Fit, least: float) -> list[tuple[float, str, Disagreement]]:
    """Of each item the picture that fits least."""
    pictures = [(entry, shown) for entry in entries for shown in entry.pictures]
    worst: dict[str, tuple[float, str, Disagreement]] = {}
    for at in _listed(fit, least):
        entry, shown = pictures[at]
        other = entries[int(fit.other[at])]
        one = Disagreement(
            TITLE, entry.said, float(fit.own[at]), other.said, float(fit.best[at]), float(fit.suspicion[at]),
            shown.part.id, other.item.id,
        )  # fmt: skip
        margin = float(fit.margin[at])
        if margin > worst.get(entry.item.id, (-np.inf,))[0]:
            worst[entry.item.id] = (margin, entry.item.id, one)
    return list(worst.values())


def _listed(fit: Fit, least: float) -> list[int]:
    return np.flatnonzero((fit.suspicion >= least) & (fit.best > fit.own)).tolist()


def _aspects(entries: Sequence[Entry]) -> dict[str, dict[int, frozenset[str]]]:
    """What may be compared: about -> which entry has which values, only such as several have."""
    found: dict[str, dict[int, frozenset[str]]] = {}
    for at, entry in enumerate(entries):
        for name, value in entry.item.fields.items():
            values = frozenset(one for one in (value if isinstance(value, tuple) else (value,)) if isinstance(one, str))
            if values and name != TITLE:
                found.setdefault(name, {})[at] = values
        named = frozenset(_SAME_AS.get(word, word) for word in _WORD.findall(entry.item.title.casefold()))
        if entry.item.fields.get(TITLE) and named & _COLOURS:
            found.setdefault(TITLE_COLOUR, {})[at] = named & _COLOURS
    common = {about: _common(values) for about, values in found.items()}
    return {about: values for about, values in common.items() if len(values) >= LEAST}


def _common(values: Mapping[int, frozenset[str]]) -> dict[int, frozenset[str]]:
    counts = Counter(value for some in values.values() for value in some)
    known = {value for value, count in counts.items() if count >= _EACH}
    if not 2 <= len(known) <= _MOST_VALUES:
        return {}
    return {at: some for at, some in values.items() if some <= known}


def _by_value(
    entries: Sequence[Entry], coloured: Matrix, values: Mapping[int, frozenset[str]], index: Sightline, *, seed: int
) -> tuple[Fit, list[str], list[int]]:
    rows = sorted(values)
    names = sorted({value for some in values.values() for value in some})
    pictures = np.array([np.mean([shown.vector for shown in entries[at].pictures], axis=0) for at in rows], np.float32)
    features = np.hstack([judging.scaled(pictures), judging.scaled(coloured[rows])])
    has = np.array([[name in values[at] for name in names] for at in rows])
    named = None
    encoder = index.plain_encoder
    if "text" in encoder.space.modalities:
        texts = [encoder.encode_queries([(name,) for name in names[at : at + 32]]) for at in range(0, len(names), 32)]
        named = judging.centred_scores(pictures, np.concatenate(texts))
    return judging.fit_values(features, has, named, seed=seed), names, rows


def _told_by_value(
    entries: Sequence[Entry],
    about: str,
    fit: Fit,
    least: float,
    *,
    names: Sequence[str],
    rows: Sequence[int],
    values: Mapping[int, frozenset[str]],
) -> list[tuple[float, str, Disagreement]]:
    told = []
    for at in _listed(fit, least):
        item = entries[rows[at]].item
        says = ", ".join(sorted(values[rows[at]]))
        one = Disagreement(
            about, says, float(fit.own[at]), names[int(fit.other[at])], float(fit.best[at]), float(fit.suspicion[at])
        )
        told.append((float(fit.margin[at]), item.id, one))
    return told
