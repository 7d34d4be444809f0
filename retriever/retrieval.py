"""Search: run the channels, fuse them by rank, one hit an item, let a reranker read the first, and show a page of them.

Knows the order of these steps, and engines by their protocols only.
"""

from __future__ import annotations

import math
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from retriever import evidence as proof
from retriever.accounts import Account, Asked, Pool
from retriever.calibration import Calibration
from retriever.channels import SEES, nearest
from retriever.cursors import MOST_SHOWN, Place
from retriever.evidence import Evidence
from retriever.facets import facets
from retriever.feedback import FIELDS, LEARNING, Learning, by_fields, learned
from retriever.folding import Picture
from retriever.fusion import RRF_K, TEXT_WEIGHTS, Fused, Vote, fuse, weights_for
from retriever.lengths import fitted
from retriever.likeness import hiding, likenesses
from retriever.paging import Ranked, turned
from retriever.terms import Aim, Terms, aim, read, unsupported
from retriever.words import ALL, SAID, SAYS, Said, by_words, is_said, said, saying_all
from sightline.errors import EngineError, EngineTimeout, InputError
from sightline.filters import And, Compare, HasId, Or, matches, same, values_of
from sightline.protocols import Encoder, Reranker, Store
from sightline.showing import Show
from sightline.types import Hit, Item, Modality, Part, Query, Results

# Items each channel puts forward, at least: those beyond the first 100 hardly move a sum of 1 / (60 + place). Deeper
# hits come from larger pools and stand behind those of smaller ones, so that fewer hits are always the first of more.
POOLS = (100, 1_000, 10_000, MOST_SHOWN)
TELLING = 3  # items, of those that say the words best, that are read to know the fields of such items
PARTS_SHOWN = 8  # parts a hit carries at most


@dataclass(frozen=True, slots=True)
class Plan:
    """One search: what is asked, of what, and how much each channel counts."""

    query: Query
    terms: Terms
    weights: Mapping[str, float]
    aims: Mapping[Modality, Aim]  # none: no wanted term has a vector
    store: Store
    encoder: Encoder
    reranker: Reranker | None
    rerank_depth: int
    calibration: Calibration | None = None  # none: not made, or not made for such a query
    least: float | None = None
    count: int = 0  # hits to come out of fusion
    account: Account = field(default_factory=Account)


@dataclass(frozen=True, slots=True)
class Found:
    """What the channels put forward: each one's list, those that found nothing left out, and who says the words."""

    rankings: Mapping[str, list[Vote]]
    said: Said | None = None  # None: words were not asked


def search(
    query: Query,
    *,
    k: int,
    store: Store,
    encoder: Encoder,
    reranker: Reranker | None = None,
    rerank_depth: int = 20,
    weights: Mapping[str, float] | None = None,
    channels: Collection[str] | None = None,
    show: Show | None = None,
    picture: Picture = lambda part: None,
    calibration: Calibration | None = None,
    least: float | None = None,
    learning: Learning = LEARNING,
    account: Account | None = None,
) -> Results:
    """The k items that answer a query best, one hit an item, its matching parts best first; all n when k is over n.

    `target` in the query limits what is searched and shown: with "image" the pictures alone decide and words do not
    vote, with "text" texts and fields alone. An item that says an unwanted text word for word goes behind all others.
    `weights` ("clip", "dense", "words") replaces the chosen ones; a channel of weight 0 is not asked, nor is one that
    `channels` does not name. `show` says how they are shown, `picture` opens a part for folding. Hits that are sorted
    are not reranked. `calibration` gives hits of words alone their relevance, and none at all where nothing here
    answers; `least` (0-1) leaves out hits that are less relevant: 0 shows what is nearest, come what may. `learning` is
    how much liked and disliked items turn the search; what they turned is not reranked and has no relevance. `account`
    is told what was done.
    Raises InputError for an empty query, k < 1, an unknown channel or a cursor that is not of this search,
    UnsupportedModality when the encoder can serve no part of the query.
    """
    started = time.perf_counter()
    show = show or Show()
    if not 1 <= k <= MOST_SHOWN - show.offset:
        raise InputError(f"k must be from 1 to {MOST_SHOWN:,} with what is skipped, not {k}")
    if query.target not in (None, *SEES.values()):
        raise InputError(f"a target is one of {', '.join(SEES.values())}, not {query.target!r}")
    terms, long = fitted(read(query), encoder)
    if least is not None and not 0 <= least <= 1:
        raise InputError(f"the least relevance is from 0 to 1, not {least:g}")
    query = hiding(query, terms)
    counted = _asked(weights or weights_for(terms.text_share, terms.like_share), channels)
    if query.judged and learning.fields and weights is None and channels is None:
        counted = {**counted, FIELDS: learning.fields}
    place = Place.of(show, query, asked=sorted(counted.items()), encoder=encoder.space.fingerprint, k=k)
    aims, warnings = aim(terms, encoder, likenesses(terms, store, encoder), said=_said(query, terms, store))
    warnings += long
    if query.judged:
        told = learned(aims, query, store=store, encoder=encoder, learning=learning)
        aims, warnings = told.aims, warnings + told.warnings
    of_items = bool(terms.items or query.judged)
    first = None if show.sort or rerank_depth < 1 or of_items else reranker
    if reranker and of_items:
        warnings += ("Rerankers do not know what an item is like, so the first order stands.",)
    known = calibration if terms.text_share == 1 and not query.judged else None
    account = account or Account()
    account.asked = Asked(query, terms, counted, aims)
    plan = Plan(query, terms, counted, aims, store, encoder, first, rerank_depth, known, least, account=account)
    page = turned(
        lambda depth: _ranked(plan, depth, place), show, place, k=k, store=store, encoder=encoder, picture=picture
    )
    return Results(
        page.hits, warnings + page.warnings, cursor=page.cursor, offset=place.shown + show.offset,
        facets=facets(store, show.facets, query.where) if show.facets else (),
        answered=page.answered, took_ms=(time.perf_counter() - started) * 1000,
    )  # fmt: skip


def _ranked(plan: Plan, depth: int, place: Place) -> Ranked:
    """The first `depth` hits, those a reranker reads in its order; none is read that was shown with all before it."""
    hits, more, evidence = _fused(replace(plan, count=max(depth, plan.rerank_depth) if plan.reranker else depth))
    answered = _answered(plan, evidence, hits)
    account = plan.account
    account.evidence, account.answered, account.fusion, account.ranking = evidence, answered, tuple(hits), ()
    account.bar = _bar(plan, plan.calibration) if plan.calibration else None
    if answered is not None and account.bar is not None and answered < account.bar:
        return Ranked([], False, answered=answered)
    failed: tuple[str, ...] = ()
    left_out = False
    if plan.reranker and not all(place.has(hit.id) for hit in hits[: plan.rerank_depth]):
        hits, failed = _reranked(plan.query, hits, plan.reranker, plan.rerank_depth)
    if plan.calibration and evidence and answered is not None:
        told = plan.calibration.relevance(evidence, [hit.id for hit in hits])
        hits = [
            replace(hit, relevance=1.0 if "id" in hit.via else share) for hit, share in zip(hits, told, strict=True)
        ]
        if plan.least:
            kept = [hit for hit in hits if (hit.relevance or 0.0) >= plan.least]
            left_out, hits = len(kept) < len(hits), kept
    elif plan.least:
        failed += ("How relevant these hits are is not known, so none was left out for it.",)
    account.ranking = tuple(hits)
    return Ranked(hits, more, failed, answered, left_out)


def _bar(plan: Plan, calibration: Calibration) -> float:
    return calibration.bar(plan.terms.text) if plan.least is None else plan.least


def _answered(plan: Plan, evidence: Evidence | None, hits: Sequence[Hit]) -> float | None:
    """0-1: the probability that anything here answers; None where nobody can say."""
    if plan.calibration is None or evidence is None:
        return None
    answered = plan.calibration.answered(evidence)
    return 1.0 if answered is not None and any("id" in hit.via for hit in hits) else answered


def _evidence(plan: Plan, found: Found) -> Evidence:
    """What the collection holds of a query of words alone."""
    query, space, cosines = plan.query, plan.encoder.space, {}
    for channel, kind in SEES.items():
        if channel not in found.rankings:
            continue
        aim = plan.aims[kind]
        if len(aim.unwanted):  # the list is in the order of a compromise
            cosines[kind] = proof.likest(
                plan.store, space, aim.wanted, kind, where=query.where, hidden=frozenset(query.exclude)
            )
        else:
            cosines[kind] = proof.best_of_items([(vote.item_id, vote.score) for vote in found.rankings[channel]])
    if found.said is None:
        return Evidence(cosines)
    words = proof.of_words(plan.store, found.said, where=query.where, hidden=frozenset(query.exclude))
    return replace(words, cosines=cosines)


def _fused(plan: Plan) -> tuple[list[Hit], bool, Evidence | None]:
    """The first `plan.count` hits, or all, whether there may be more, and the evidence of the first pool."""
    hits: list[Hit] = []
    evidence: Evidence | None = None
    plan.account.pools.clear()
    for pool in POOLS:
        deep = replace(plan, count=min(plan.count, pool))
        asked = _asked_channels(deep, pool)
        rankings, plan.account.said = asked.rankings, asked.said
        if plan.calibration and evidence is None:
            evidence = _evidence(plan, asked)
        known = {hit.id for hit in hits}
        found = [hit for hit in _hits(deep, rankings) if hit.id not in known][: deep.count - len(hits)]
        plan.account.pools[-1].hits.extend(hit.id for hit in found)
        lowest = hits[-1].score if hits else math.inf
        hits += [
            replace(hit, rank=rank, score=min(hit.score, lowest)) for rank, hit in enumerate(found, start=len(hits) + 1)
        ]
        put_forward = {channel: {vote.item_id for vote in votes} for channel, votes in rankings.items()}
        full = any(len(items) >= pool for channel, items in put_forward.items() if channel in SEES)
        more = full or len(frozenset().union(*put_forward.values())) > len(hits)
        if plan.count <= pool or not more:
            break
    return hits, more, evidence


def _asked(weights: Mapping[str, float], channels: Collection[str] | None) -> Mapping[str, float]:
    """The weights of the channels that are to be asked; None: all."""
    if channels is None:
        return weights
    if unknown := sorted(set(channels) - set(TEXT_WEIGHTS)):
        raise InputError(f"a channel is one of {', '.join(TEXT_WEIGHTS)}, not {unknown[0]!r}")
    return {name: weight for name, weight in weights.items() if name in channels}


def _asked_channels(plan: Plan, pool: int) -> Found:
    """Ask each channel for its list."""
    query, space, aims = plan.query, plan.encoder.space, plan.aims
    hidden = frozenset(query.exclude)
    rankings: dict[str, list[Vote]] = {}
    spoken: Said | None = None
    asked = [
        channel
        for channel, kind in SEES.items()
        if plan.weights.get(channel) and query.target in (None, kind) and kind in space.modalities
    ]
    if aims:
        for channel in asked:
            kind = SEES[channel]
            rankings[channel] = nearest(
                plan.store, space, aims[kind], modality=kind, pool=pool, where=query.where, hidden=hidden
            )
    if plan.terms.text and plan.weights.get("words") and query.target != "image":
        spoken = said(plan.store, plan.terms.text, pool=2 * (pool + len(hidden)), where=query.where)
        rankings["words"] = [vote for vote in by_words(spoken) if vote.item_id not in hidden]
    elif not asked or not aims:
        only = () if plan.weights.keys() >= SEES.keys() else tuple(plan.weights)
        raise unsupported(plan.terms, plan.encoder, query.target, only=only)
    if plan.weights.get(FIELDS) and query.target != "image":
        put_forward = {vote.item_id for votes in rankings.values() for vote in votes}
        rankings[FIELDS] = by_fields(put_forward, query, plan.store)
    return Found({channel: votes for channel, votes in rankings.items() if votes}, spoken)


def _hits(plan: Plan, rankings: Mapping[str, Sequence[Vote]]) -> list[Hit]:
    """The first items of the fused lists, with their parts."""
    fused = fuse(rankings, plan.weights)
    text = plan.terms.text.strip() if plan.terms.text_share == 1 and plan.query.target != "image" else ""
    items = _read(plan, {*_contenders(plan, rankings, fused), text} - {""})
    if text:
        namesakes = _namesakes(plan, text, items, rankings)
        of_them = _contenders(plan, rankings, [one for one in fused if one.item_id in namesakes])
        items |= _read(plan, of_them - items.keys())
    saying = {vote.item_id for vote in rankings.get("words", ())} | {text}
    first = frozenset(item.id for item in items.values() if text and item.id in saying and _is_named(item, text))
    lists, without = dict(rankings), _without(items, rankings)
    if without and plan.terms.picture_share == 1:  # picture beside picture says more than picture beside text
        lists["dense"] = [vote for vote in lists["dense"] if vote.item_id in without["clip"]]
    last = _refused(plan, frozenset(items))
    fused = fuse(lists, plan.weights, without=without, first=first, last=last)
    plan.account.pools.append(Pool(lists, fused))
    read = [one for one in fused if one.item_id in items]
    return [
        _hit(one, items[one.item_id], rank, plan, exact=one.item_id in first)
        for rank, one in enumerate(read[: plan.count], start=1)
    ]


def _read(plan: Plan, ids: Collection[str]) -> dict[str, Item]:
    """The items of these ids that may be shown."""
    chosen = sorted(set(ids) - set(plan.query.exclude))
    return {item.id: item for item in plan.store.get(chosen) if _allowed(item, plan.query)} if chosen else {}


def _contenders(plan: Plan, rankings: Mapping[str, Sequence[Vote]], fused: Sequence[Fused]) -> frozenset[str]:
    """Ids of those of `fused` that can be among the first of them, so that no others are read from the store.

    Whether an item lacks a picture is not known before it is read; if it did, it would be lent its other place. Items
    that would be behind even then cannot come in.
    """
    if plan.terms.unwanted_texts or plan.terms.text_share == 0 or len(fused) <= plan.count:
        return frozenset(one.item_id for one in fused)
    lent = min(plan.weights[channel] for channel in SEES) if all(channel in rankings for channel in SEES) else 0.0

    def most(one: Fused) -> float:
        seen = [one.places[channel] for channel in SEES if channel in one.places]
        return one.score + (lent / (RRF_K + seen[0]) if len(seen) == 1 else 0.0)

    least = fused[plan.count - 1].score
    return frozenset(one.item_id for one in fused if most(one) >= least)


def _namesakes(
    plan: Plan, text: str, items: Mapping[str, Item], rankings: Mapping[str, Sequence[Vote]]
) -> frozenset[str]:
    """Ids of the items that bear the text as the whole of a field, of those that say its words.

    The store is asked for them, for they may be many and far behind: an item that is "red" by colour says little else
    of "red". Which fields may hold a text is told by the items read so far and by those that say the words best.
    """
    saying = dict.fromkeys(vote.item_id for vote in rankings.get("words", ()) if vote.score >= SAYS)
    if not saying.keys() - items.keys():
        return frozenset(items)
    told = {**items, **_read(plan, set(list(saying)[:TELLING]) - items.keys())}.values()
    texts = {
        name for one in told for name in one.fields if any(isinstance(v, str) for v in values_of(one.fields, name))
    }
    if not texts:
        return frozenset(items)
    bearing = Or(tuple(Compare(name, "=", text) for name in sorted(texts)))
    found = plan.store.search_text(text, ALL, where=And((HasId(tuple(saying)), bearing)), modalities=SAID)
    return frozenset(hit.item_id for hit in found)


def _is_named(item: Item, text: str) -> bool:
    """Whether a text is exactly the id, or the whole of a field: a SKU, a title, a brand."""
    return item.id == text or any(same(text, value) for name in item.fields for value in values_of(item.fields, name))


def _allowed(item: Item, query: Query) -> bool:
    """Whether an item passes what is asked of the store: it may have changed since, or been found by its id alone."""
    passes = query.where is None or matches(query.where, item.id, item.fields)
    return passes and bool(_shown(item, query.target))


def _said(query: Query, terms: Terms, store: Store) -> frozenset[str]:
    """The unwanted texts that some item says; where pictures alone decide, none."""
    texts = () if query.target == "image" else terms.unwanted_texts
    return frozenset(text for text in texts if is_said(store, text, where=query.where))


def _refused(plan: Plan, items: frozenset[str]) -> frozenset[str]:
    """The items that say one of the unwanted texts word for word; where pictures alone decide, none does."""
    texts = plan.terms.unwanted_texts
    if not texts or not items or plan.query.target == "image":
        return frozenset()
    chosen = HasId(tuple(sorted(items)))
    where = chosen if plan.query.where is None else And((plan.query.where, chosen))
    return frozenset().union(*(saying_all(plan.store, text, items, where=where) for text in texts))


def _without(items: Mapping[str, Item], rankings: Mapping[str, Sequence[Vote]]) -> dict[str, frozenset[str]]:
    """By vector channel, the items that have no part it could see; none unless both channels had something to say."""
    if not all(channel in rankings for channel in SEES):
        return {}
    return {
        channel: frozenset(item.id for item in items.values() if all(part.modality != kind for part in item.parts))
        for channel, kind in SEES.items()
    }


def _hit(one: Fused, item: Item, rank: int, plan: Plan, *, exact: bool) -> Hit:
    """`via` names the channels that alone would have returned the item, the best first; if none would, the nearest."""
    by_place = sorted(one.places, key=lambda channel: (one.places[channel], channel))
    via = [channel for channel in by_place if one.places[channel] <= plan.count] or by_place[:1]
    parts = {part.id: part for part in item.parts}
    shown = [parts[part_id] for part_id in one.parts if part_id in parts] or _shown(item, plan.query.target)
    return Hit(item, tuple(shown[:PARTS_SHOWN]), one.score, rank, ("id", *via) if exact else tuple(via))


def _shown(item: Item, target: str | None) -> list[Part]:
    """The parts of an item that a target lets through."""
    kinds = {None: ("image", "text", "fields"), "image": ("image",), "text": ("text", "fields")}[target]
    return [part for part in item.parts if part.modality in kinds]


def _reranked(query: Query, hits: list[Hit], reranker: Reranker, depth: int) -> tuple[list[Hit], tuple[str, ...]]:
    """The first `depth` hits in the reranker's order, or all as they were and a sentence that says why."""
    head, tail = hits[:depth], hits[depth:]
    try:
        ordered = reranker.rerank(query, head)
        if sorted(hit.id for hit in ordered) != sorted(hit.id for hit in head):
            raise EngineError("the reranker did not return the hits it was given")
    except EngineTimeout:
        return hits, ("Reranking took too long, so the first order stands.",)
    except EngineError as exc:
        return hits, (f"Reranking failed, so the first order stands: {exc}",)
    scores = [hit.score for hit in head]  # falling: the new order takes over the old one's scores, place by place
    renewed = [
        replace(hit, rank=rank, score=score, via=(*(name for name in hit.via if name != "rerank"), "rerank"))
        for rank, (hit, score) in enumerate(zip(ordered, scores, strict=True), start=1)
    ]
    return [*renewed, *tail], ()
