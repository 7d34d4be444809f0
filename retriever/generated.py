"""Queries made from a collection's own items, with and without an answer: what a calibration is fitted on.

Knows a store and an encoder by their protocols. A query has an answer as it stands, and none once every item that says
all its words is left out; what is left is what makes absence hard to see: the same colour, the other kind.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

from retriever.background import Background, measured
from retriever.calibration import (
    KINDS,
    LEAST,
    Calibration,
    Described,
    Prior,
    features,
    fit,
    priors,
    sight_of,
)
from retriever.evidence import Evidence, likest, of_words
from retriever.synonyms import others
from retriever.words import ALL, FUNCTION_WORDS, SAID, Said, content_words, said, weights_of
from sightline.filters import HasId
from sightline.protocols import Encoder, Store
from sightline.types import Item, Modality, PartHit, Vectors

SAMPLE = 400  # items that concepts and backgrounds are taken from
CONCEPTS = 150
MANY, CONCEPTS_OF_MANY = 20_000, 50  # of so many items and more, fewer: each takes longer
POOL = 100  # items that words are counted in, as a search does
LOOKED_THROUGH = 5_000  # parts that say a word: where there are more, the rarer words decide
HEAD = 64  # parts of each kind that are asked for at first, to find one that is not left out
MOST_HIDDEN = 200  # items: a concept that more say is not made absent
FEWEST_LEFT = 10  # items that must be left to be asked without it
OWN = 400.0  # what all own queries together count at most; what is shipped counts as much
NEARLY_ALL = 0.9  # share of items that words say something of
LONG, GRAMMAR = 8, 0.12  # words of a text that tell its language; share of them that are of grammar in English
FEW, FOREIGN = 3, 0.3  # such texts that tell nothing yet; share of texts with other than English letters
DEAF = 0.25  # share of words that nobody says, in the copies that stand for other words for the same thing
# How people put it: as it stands about as often as in a sentence.
FRAMES = (
    "{}", "{}", "{}", "{}", "a {}", "a photo of a {}", "{} please", "I am looking for a {}", "do you have a {}",
    "a nice {} for a present", "a {} to use every day", "my old {} is broken and I need another",
    "which {} would you take as a beginner", "a {} that lasts",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Case:
    """One made query as evidence, and whether an answer is there."""

    evidence: Evidence
    right: bool
    concept: str


class Corpus:
    """A collection as it is now, with what has been asked of it kept: each text is embedded and searched once."""

    def __init__(self, store: Store, encoder: Encoder, texts: Encoder | None = None) -> None:
        """`texts` is the encoder that words are compared with texts by, where that is another one."""
        self._store = store
        self._readers: Mapping[Modality, Encoder] = {"image": encoder, "text": texts or encoder}
        self._vectors: dict[tuple[str, Modality], Vectors] = {}
        self._heads: dict[tuple[str, Modality], list[PartHit]] = {}
        self._words: dict[str, frozenset[str] | None] = {}
        self._fields: dict[str, Mapping[str, Any]] = {}
        able = {kind: reader.space.modalities for kind, reader in self._readers.items()}
        self.kinds = tuple(kind for kind in KINDS if {kind, "text"} <= able[kind])

    def prepare(self, texts: Sequence[str]) -> None:
        """Embed and search many texts at once: `evidence` of each is quick then."""
        new = [text for text in dict.fromkeys(texts) if any((text, kind) not in self._vectors for kind in self.kinds)]
        for start in range(0, len(new), 256):
            some = new[start : start + 256]
            readers = {self._readers[kind] for kind in self.kinds}
            rows = {reader: reader.encode_queries([(text,) for text in some]) for reader in readers}  # (256, dim)
            for kind in self.kinds:
                own = rows[self._readers[kind]]
                self._vectors.update({(text, kind): own[at : at + 1] for at, text in enumerate(some)})
                found = self._store.search(self._readers[kind].space, own, HEAD, modalities=frozenset({kind}))
                self._heads.update({(text, kind): hits for text, hits in zip(some, found, strict=True)})

    def evidences(
        self, text: str, *, hidden: frozenset[str] = frozenset(), deaf: Sequence[Collection[int]] = ((),)
    ) -> list[Evidence]:
        """What there is of a text without the items of `hidden`, at best: one for each of `deaf`.

        Those are places of words that count as if nobody said them.
        """
        self.prepare([text])
        cosines = {kind: found for kind in self.kinds if (found := self._likest(text, kind, hidden))}
        spoken = said(self._store, text, pool=2 * (POOL + len(hidden)), where=None)
        by_word = [{item: bm25 for item, bm25 in one.items() if item not in hidden} for one in spoken.by_word]
        told = []
        for places in deaf:
            heard = [{} if at in places else items for at, items in enumerate(by_word)]
            one = Said(spoken.words, (), tuple(heard), weights_of(heard))
            words = of_words(self._store, one, where=None, hidden=hidden, fields=self._told)
            covers = _best(words.covers or {})
            denied = dict.fromkeys(covers, words.contradicted)
            told.append(Evidence(cosines, covers, _best(words.names), words.known, denied))
        return told

    def saying_all(self, text: str) -> frozenset[str] | None:
        """The items that say every content word of a text, or another for it; None where more than `MOST_HIDDEN` do."""
        words = content_words(re.sub(r"[\W_]", " ", text))
        if not words:
            return frozenset()
        either = [" ".join((word, *sorted(other))) for word, other in zip(words, others(words), strict=True)]
        few = [saying for word in either if (saying := self._saying(word)) is not None]
        if not few:
            return None
        items = min(few, key=len).intersection(*few)
        for word in (word for word in either if items and self._saying(word) is None):
            hits = self._store.search_text(word, ALL, where=HasId(tuple(sorted(items))), modalities=SAID)
            items &= {hit.item_id for hit in hits}
        return items if len(items) <= MOST_HIDDEN else None

    def _saying(self, word: str) -> frozenset[str] | None:
        """The items that say a word, or any of several; None where more parts do than are looked through."""
        if word not in self._words:
            hits = self._store.search_text(word, LOOKED_THROUGH, modalities=SAID)
            self._words[word] = None if len(hits) == LOOKED_THROUGH else frozenset(hit.item_id for hit in hits)
        return self._words[word]

    def _told(self, ids: Sequence[str]) -> dict[str, Mapping[str, Any]]:
        new = [item for item in ids if item not in self._fields]
        self._fields.update({item.id: item.fields for item in self._store.get(new)})
        return {item: self._fields.get(item, {}) for item in ids}

    def _likest(self, text: str, kind: Modality, hidden: frozenset[str]) -> Mapping[str, float]:
        head = self._heads[text, kind]
        seen = next((hit for hit in head if hit.item_id not in hidden), None)
        if seen is not None or len(head) < HEAD:
            return {} if seen is None else {seen.item_id: seen.score}
        space = self._readers[kind].space
        return likest(self._store, space, self._vectors[text, kind], kind, where=None, hidden=hidden)


def calibrated(
    store: Store, encoder: Encoder, texts: Encoder | None = None, *, key: str, seed: int = 0
) -> Calibration | None:
    """What evidence means in a collection; None where nothing is there.

    One that tells nothing where no text can be asked, or nothing has a vector to be like. Takes the time of some
    thousand searches, and memory for one of them at a time. The same collection and seed give the same.
    """
    random = np.random.default_rng(seed)
    drawn = sampled(store, random)
    if not drawn.count:
        return None
    background, (answers, hits) = measured(store, encoder, drawn.items, texts), priors()
    if not (background.words or background.nearest):
        return Calibration(key, background, {}, {}, described="none", items=drawn.count)
    asks = bool(background.words) and drawn.described != "none"
    cases = list(made(Corpus(store, encoder, texts), drawn, random)) if asks else []
    weights = {sight: tuple(prior.mean) for sight, prior in answers.items()}
    if drawn.described == "some":  # the pictures are judged apart from the texts
        cases = [_without_pictures(case) for case in cases]
    for sight in {sight_of(case.evidence) for case in cases} & answers.keys():
        own = [case for case in cases if sight_of(case.evidence) == sight]
        weights[sight] = fitted(own, background, answers[sight])
        if sight == "image text words":  # a search for texts alone judges by them alone
            weights["text words"] = fitted([_without_pictures(case) for case in own], background, answers["text words"])
    gaps = {sight: tuple(prior.mean) for sight, prior in hits.items()}
    absent = sum(not case.right for case in cases)
    # nothing is held back where words are not understood
    least = LEAST if drawn.english else {**dict.fromkeys(LEAST, 0.0), "picture": LEAST["picture"]}
    return Calibration(
        key, background, weights, gaps, described=drawn.described, pictured=drawn.pictured, least=least,
        items=drawn.count, queries=len(cases),
        told={"absent": absent, "described": drawn.described, "english": drawn.english},
    )  # fmt: skip


def fitted(cases: Sequence[Case], background: Background, prior: Prior) -> tuple[float, ...]:
    """Coefficients for cases of one sight: each side counts half, all together `OWN` at most.

    One side alone would teach that everything is there, or nothing; then the prior stands.
    """
    right = [case.right for case in cases]
    fewest = min(right.count(True), right.count(False))
    if not fewest:
        return tuple(float(weight) for weight in prior.mean)
    share = min(OWN / 2, fewest)
    sides = {side: share / right.count(side) for side in (True, False)}
    rows = [features(case.evidence, background) for case in cases]
    return fit(rows, right, [sides[side] for side in right], prior)


def made(corpus: Corpus, drawn: Drawn, random: np.random.Generator) -> Iterator[Case]:
    """Queries made from the items drawn of a collection, each with an answer and, where possible, without."""
    chosen = concepts(drawn.items, random)[: CONCEPTS if drawn.count < MANY else CONCEPTS_OF_MANY]
    asked = [(concept, FRAMES[random.integers(len(FRAMES))].format(concept)) for concept in chosen]
    corpus.prepare([text for pair in asked for text in pair])
    for concept, framed in asked:
        saying = corpus.saying_all(concept)
        if not saying or len(saying) > drawn.count / 2:
            continue
        absent = drawn.count - len(saying) >= FEWEST_LEFT
        for text in dict.fromkeys((concept, framed)):
            words = len(content_words(text))
            deaf = ((), np.flatnonzero(random.random(words) < DEAF).tolist())
            yield from (Case(one, True, concept) for one in corpus.evidences(text, deaf=deaf))
            if absent:
                yield from (Case(one, False, concept) for one in corpus.evidences(text, hidden=saying, deaf=deaf))


def concepts(sample: Sequence[Item], random: np.random.Generator) -> list[str]:
    """Up to `CONCEPTS` short texts that items are by their own account: values of fields, one or two, and of titles."""
    found: set[str] = set()
    for item in sample:
        title = item.fields.get("title")
        words = _title_words(title) if isinstance(title, str) else []
        found.update([*words, *(f"{first} {second}" for first, second in pairwise(words))])
        if words:
            found.add(str(title))
        values = [
            value.casefold()
            for name, value in sorted(item.fields.items())
            if name != "title" and isinstance(value, str) and _is_said(value)
        ]
        found.update(values)
        if len(values) > 1:
            first, second = random.choice(len(values), 2, replace=False)
            found.add(f"{values[first]} {values[second]}")
    ordered = sorted(found)
    random.shuffle(ordered)
    return ordered[:CONCEPTS]


def _title_words(title: str) -> list[str]:
    words = re.findall(r"[^\W\d_]+", title.casefold())
    return [word for word in words if len(word) > 2 and word not in FUNCTION_WORDS]


@dataclass(frozen=True, slots=True)
class Drawn:
    """Some items of a collection, and what it is as a whole."""

    items: tuple[Item, ...]
    count: int  # of the whole collection
    described: Described
    pictured: Described
    english: bool  # or nothing says that it is not


def sampled(store: Store, random: np.random.Generator) -> Drawn:
    """Up to `SAMPLE` items with pictures and as many without, each as likely as any other (reservoir sampling)."""
    kept: dict[bool, list[Item]] = {True: [], False: []}
    counts: dict[bool, int] = {True: 0, False: 0}
    with store.moment() as moment:
        for stored in moment.items(vectors=False):
            pictured = any(part.modality == "image" for part in stored.item.parts)
            counts[pictured] += 1
            if len(kept[pictured]) < SAMPLE:
                kept[pictured].append(stored.item)
            elif (at := int(random.integers(counts[pictured]))) < SAMPLE:
                kept[pictured][at] = stored.item
    count = sum(counts.values())
    told = sum(
        counts[pictured] / len(items) * sum(map(_is_described, items)) for pictured, items in kept.items() if items
    )
    items = (*kept[True], *kept[False])
    return Drawn(items, count, _how_many(told, count), _how_many(counts[True], count), _is_english(items))


def _how_many(some: float, count: int) -> Described:
    share = some / count if count else 0.0
    return "all" if share >= NEARLY_ALL else "some" if share > 1 - NEARLY_ALL else "none"


def _is_described(item: Item) -> bool:
    """Whether a title or a text says what an item is; a number, a code or the name of a file does not."""
    texts = (part.text or "" for part in item.parts if part.modality == "text")
    return any(re.fullmatch(r"[^\W\d_][^\d_.]{2,}[.,;:!?]?", word) for text in texts for word in text.split())


def _is_english(items: Sequence[Item]) -> bool:
    """Whether nothing says that texts are of another language: letters that English has not, or its grammar missing."""
    parts = [part for item in items for part in item.parts if part.modality == "text" and part.text]
    if sum(not str(part.text).isascii() for part in parts) > FOREIGN * len(parts):
        return False
    told = [re.findall(r"\w+", str(part.text).casefold()) for part in parts if part.locator.field != "title"]
    shares = [sum(word in FUNCTION_WORDS for word in words) / len(words) for words in told if len(words) >= LONG]
    return len(shares) < FEW or float(np.median(shares)) >= GRAMMAR


def _without_pictures(case: Case) -> Case:
    cosines: dict[Modality, Mapping[str, float]] = {
        kind: found for kind, found in case.evidence.cosines.items() if kind != "image"
    }
    return replace(case, evidence=replace(case.evidence, cosines=cosines))


def _best(shares: Mapping[str, float]) -> dict[str, float]:
    """The item of the highest share alone: all that a query as a whole is judged by."""
    best = max(shares, key=lambda item: (shares[item], item), default=None)
    return {} if best is None else {best: shares[best]}


def _is_said(value: str) -> bool:
    """Whether people may say a value: up to three words, no number, no code."""
    return 0 < len(value.split()) <= 3 and not re.search(r"\d", value) and not re.fullmatch(r"[A-Z]{2,3}", value)
