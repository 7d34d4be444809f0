"""Search: run the channels, fuse them by rank, one hit an item, and let a reranker read the first of them.

Knows the order of these steps, and engines by their protocols only.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from retriever.channels import SEES, nearest
from retriever.fusion import RRF_K, TEXT_WEIGHTS, Fused, Vote, fuse, weights_for
from retriever.terms import Terms, aim, read, unsupported
from retriever.words import by_words, saying_all
from sightline.errors import EngineError, EngineTimeout, InputError
from sightline.filters import And, HasId, matches, same, values_of
from sightline.protocols import Encoder, Reranker, Store
from sightline.types import Hit, Item, Part, Query, Results

POOL = 100  # items each channel puts forward at least: those beyond hardly move a sum of 1 / (60 + place)
MOST_HITS = 100_000  # beyond this a caller means to export, not to search
PARTS_SHOWN = 8  # parts a hit carries at most


@dataclass(frozen=True, slots=True)
class Plan:
    """One search: what is asked, of what, and how much each channel counts."""

    query: Query
    terms: Terms
    weights: Mapping[str, float]
    store: Store
    encoder: Encoder
    count: int  # hits to come out of fusion


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
) -> Results:
    """The k items that answer a query best, one hit an item, its matching parts best first; all n when k is over n.

    `target` in the query limits what is searched and shown: with "image" the pictures alone decide and words do not
    vote, with "text" texts and fields alone. An item that says an unwanted text word for word goes behind all others.
    `weights` ("clip", "dense", "words") replaces the chosen ones; a channel of weight 0 is not asked, nor is one that
    `channels` does not name. Raises InputError for an empty query, k < 1 or an unknown channel, UnsupportedModality
    when the encoder can serve no part of the query.
    """
    started = time.perf_counter()
    if not 1 <= k <= MOST_HITS:
        raise InputError(f"k must be from 1 to {MOST_HITS:,}, not {k}")
    if query.target not in (None, *SEES.values()):
        raise InputError(f"a target is one of {', '.join(SEES.values())}, not {query.target!r}")
    terms = read(query)
    count = max(k, rerank_depth) if reranker else k
    plan = Plan(query, terms, _asked(weights or weights_for(terms.text_share), channels), store, encoder, count)
    rankings, warnings = _rankings(plan)
    hits = _hits(plan, rankings)
    if reranker and rerank_depth > 0 and hits:
        hits, failed = _reranked(query, hits, reranker, rerank_depth)
        warnings += failed
    return Results(tuple(hits[:k]), warnings, took_ms=(time.perf_counter() - started) * 1000)


def _asked(weights: Mapping[str, float], channels: Collection[str] | None) -> Mapping[str, float]:
    """The weights of the channels that are to be asked; None: all."""
    if channels is None:
        return weights
    if unknown := sorted(set(channels) - set(TEXT_WEIGHTS)):
        raise InputError(f"a channel is one of {', '.join(TEXT_WEIGHTS)}, not {unknown[0]!r}")
    return {name: weight for name, weight in weights.items() if name in channels}


def _rankings(plan: Plan) -> tuple[dict[str, list[Vote]], tuple[str, ...]]:
    """Each channel's list, the channels that found nothing left out, and warnings."""
    query, space, pool = plan.query, plan.encoder.space, max(plan.count, POOL)
    rankings: dict[str, list[Vote]] = {}
    aimed, warnings = aim(plan.terms, plan.encoder)
    asked = [
        channel
        for channel, kind in SEES.items()
        if plan.weights.get(channel) and query.target in (None, kind) and kind in space.modalities
    ]
    if aimed:
        for channel in asked:
            rankings[channel] = nearest(plan.store, space, aimed, modality=SEES[channel], pool=pool, where=query.where)
    if plan.terms.text and plan.weights.get("words") and query.target != "image":
        rankings["words"] = by_words(plan.store, plan.terms.text, pool=2 * pool, where=query.where)
    elif not asked or not aimed:
        only = () if plan.weights.keys() >= SEES.keys() else tuple(plan.weights)
        raise unsupported(plan.terms, plan.encoder, query.target, only=only)
    return {channel: votes for channel, votes in rankings.items() if votes}, warnings


def _hits(plan: Plan, rankings: Mapping[str, Sequence[Vote]]) -> list[Hit]:
    """The first items of the fused lists, with their parts."""
    found = _contenders(plan, rankings)
    text = plan.terms.text.strip() if plan.terms.text_share == 1 and plan.query.target != "image" else ""
    items = {item.id: item for item in plan.store.get(sorted(found | {text})) if _allowed(item, plan.query)}
    first = frozenset(item.id for item in items.values() if text and _is_named(item, text))
    lists, without = dict(rankings), _without(items, rankings)
    if without and plan.terms.text_share == 0:  # picture beside picture says more than picture beside text
        lists["dense"] = [vote for vote in lists["dense"] if vote.item_id in without["clip"]]
    last = _refused(plan, frozenset(items))
    fused = fuse(lists, plan.weights, without=without, first=first, last=last)
    read = [one for one in fused if one.item_id in items]
    return [
        _hit(one, items[one.item_id], rank, plan, exact=one.item_id in first)
        for rank, one in enumerate(read[: plan.count], start=1)
    ]


def _contenders(plan: Plan, rankings: Mapping[str, Sequence[Vote]]) -> frozenset[str]:
    """Ids of the items that can be among the first, so that no others are read from the store.

    Whether an item lacks a picture is not known before it is read; if it did, it would be lent its other place. Items
    that would be behind even then cannot come in. An item named by the query is among the first that say its words.
    """
    fused = fuse(rankings, plan.weights)
    if plan.terms.unwanted_texts or plan.terms.text_share == 0 or len(fused) <= plan.count:
        return frozenset(one.item_id for one in fused)
    lent = min(plan.weights[channel] for channel in SEES) if all(channel in rankings for channel in SEES) else 0.0

    def most(one: Fused) -> float:
        seen = [one.places[channel] for channel in SEES if channel in one.places]
        return one.score + (lent / (RRF_K + seen[0]) if len(seen) == 1 else 0.0)

    least = fused[plan.count - 1].score
    said = islice(dict.fromkeys(vote.item_id for vote in rankings.get("words", ())), plan.count)
    return frozenset(one.item_id for one in fused if most(one) >= least) | frozenset(said)


def _is_named(item: Item, text: str) -> bool:
    """Whether a text is exactly the id, or the whole of a field: a SKU, a title, a brand."""
    return item.id == text or any(same(text, value) for name in item.fields for value in values_of(item.fields, name))


def _allowed(item: Item, query: Query) -> bool:
    """Whether an item passes what is asked of the store: it may have changed since, or been found by its id alone."""
    passes = query.where is None or matches(query.where, item.id, item.fields)
    return passes and bool(_shown(item, query.target))


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
